"""The operator's mark on pictures at addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import PIL.Image

from eyefirst.errors import InvalidValueError
from eyefirst.geometry import round_half_up
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import Animation

P = TypeVar("P", PIL.Image.Image, Animation)
PLACES = {
    **{"top-left": (0.0, 0.0), "top-right": (1.0, 0.0), "center": (0.5, 0.5)},
    **{"bottom-left": (0.0, 1.0), "bottom-right": (1.0, 1.0)},
}
SHARE = 0.2
"""Default width of the mark, as a share of the picture's width."""
MARGIN = 0.03
"""Distance from the edges, as a share of the shorter side."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a mark lies and how wide it is, as a share of the picture's width in 0.01..1."""

    place: str
    share: float = SHARE

    @classmethod
    def parse(cls, text: str) -> Placement:
        """Read "bottom-right" or "bottom-right_0.3". Raises InvalidValueError."""
        place, _, share = text.partition("_")
        if place not in PLACES or not re.fullmatch(r"|0?\.\d{1,4}|1", share) or (share and float(share) < 0.01):
            raise InvalidValueError(
                f"expected a watermark as one of {', '.join(PLACES)}, got {text[:40]!r}",
                remedy="with a width as a share: bottom-right_0.3",
            )
        return cls(place, float(share or SHARE))


class Watermark:
    """A picture, mostly with transparency, that is drawn on others. Raises PictureError where it cannot be read.

    digest: of its bytes, so that results change when it does.
    """

    def __init__(self, path: Path) -> None:
        handler = ImageRequestHandler(path)
        self._mark = handler.picture().picture.convert("RGBA")
        self.digest = handler.opened.sha256

    def on(self, picture: P, placement: Placement) -> P:
        """Return a picture, or every frame of an animation, with the mark on it."""
        if isinstance(picture, Animation):
            return replace(picture, frames=tuple(self.on(frame, placement) for frame in picture.frames))
        margin = round_half_up(MARGIN * min(picture.size))
        room = [max(side - 2 * margin, 1) for side in picture.size]
        scale = min(
            placement.share * picture.width / self._mark.width,
            *(r / m for r, m in zip(room, self._mark.size, strict=True)),
        )
        size = tuple(max(round_half_up(side * scale), 1) for side in self._mark.size)
        mark = self._mark.resize((size[0], size[1]), PIL.Image.Resampling.LANCZOS)
        across, down = PLACES[placement.place]
        place = tuple(
            margin + round_half_up(share * (r - m)) for share, r, m in zip((across, down), room, mark.size, strict=True)
        )
        made = picture.convert("RGBA")
        made.alpha_composite(mark, (place[0], place[1]))
        return made.convert(picture.mode)
