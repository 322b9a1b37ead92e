"""Responsive pictures: the HTML tag with signed addresses of one picture in several widths."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eyefirst.errors import InvalidValueError
from eyefirst.files.formats import format_named
from eyefirst.geometry import AspectRatio, Size, SizeLike, round_half_up
from eyefirst.server.signing import signed_address

MOST_WIDTHS = 40
"""Widths of one tag."""


@dataclass(frozen=True, slots=True)
class ResponsiveImage:
    """One picture in several widths.

    widths: in pixels, the smallest first. addresses: by the format's media type, one address for each width; the
    media type is empty where the browser's Accept header chooses the format. ratio: of what is shown: the crops, or
    the whole picture; None where that is not known. sizes: the attribute of that name in HTML.
    """

    widths: tuple[int, ...]
    addresses: dict[str, tuple[str, ...]]
    ratio: AspectRatio | None
    sizes: str = "100vw"

    @property
    def src(self) -> str:
        """The address of the widest picture, in the last format."""
        return list(self.addresses.values())[-1][-1]

    @property
    def width(self) -> int:
        """Pixels of the widest picture."""
        return self.widths[-1]

    @property
    def height(self) -> int | None:
        """Pixels of the widest picture; None where the whole picture is shown and nobody told its size."""
        return max(round_half_up(self.width / float(self.ratio)), 1) if self.ratio else None

    def srcset(self, media_type: str) -> str:
        """Return the value of the attribute `srcset` for one of the formats."""
        found = self.addresses[media_type]
        return ", ".join(f"{address} {width}w" for address, width in zip(found, self.widths, strict=True))

    def to_dict(self) -> dict[str, object]:
        """Return what a template needs, as JSON."""
        return {
            "src": self.src,
            "sizes": self.sizes,
            "width": self.width,
            "height": self.height,
            "sources": [{"type": kind, "srcset": self.srcset(kind)} for kind in self.addresses],
        }

    def to_html(self, alt: str = "") -> str:
        """Return an `<img>`; with several formats a `<picture>` round it. Every value is escaped."""
        *others, last = self.addresses
        shown = {"src": self.src, "srcset": self.srcset(last), "sizes": self.sizes}
        if self.height is not None:  # without it a browser could not keep the place free
            shown |= {"width": str(self.width), "height": str(self.height)}
        image = _tag("img", shown | {"alt": alt, "loading": "lazy"})
        sources = [_tag("source", {"type": k, "srcset": self.srcset(k), "sizes": self.sizes}) for k in others]
        return "\n".join(["<picture>", *(f"  {one}" for one in (*sources, image)), "</picture>"]) if sources else image


def responsive_image(
    path: str,
    widths: Sequence[int],
    *,
    key: str | None,
    base: str = "",
    ratio: str = "",
    formats: Sequence[str] = (),
    sizes: str = "100vw",
    picture_size: SizeLike = "",
    **options: Any,
) -> ResponsiveImage:
    """Return addresses of a picture in several widths, as `signed_address` writes them.

    path, key: as in `signed_address`. widths: in pixels. base: what stands before each address, such as
    "https://img.example.com". ratio: of the crop; empty for the whole picture. formats: extensions, the best
    first and the one that everybody reads last; none to let the browser choose. picture_size: pixels of the whole
    picture, upright, such as "4000x3000": without a ratio it gives the tag its height. options: further options of
    addresses, such as focus="faces". Raises InvalidValueError.
    """
    chosen = sorted({int(width) for width in widths})
    if not 1 <= len(chosen) <= MOST_WIDTHS:
        raise InvalidValueError(
            f"expected 1 to {MOST_WIDTHS} widths, got {len(chosen)}", remedy="for example 320,640,1280"
        )
    useless = [name for name in ("w", "h", "size", "dpr", "format") if options.get(name)]
    if useless:
        raise InvalidValueError(
            f"{useless[0]} cannot stand beside several widths", remedy="give widths, and formats for a format"
        )
    if base and not re.fullmatch(r"(https?:/)?/[^\s\"'<>,]*", base):
        raise InvalidValueError(f"expected a base with http or https, got {base!r}", remedy="https://img.example.com")
    before = base.rstrip("/")
    kinds = {format_named(f).media_type: f for f in formats} or {"": ""}
    addresses = {
        kind: tuple(
            before + signed_address(path, key=key, ratio=ratio, w=width, format=extension, **options)
            for width in chosen
        )
        for kind, extension in kinds.items()
    }
    shape = AspectRatio.parse(ratio) if ratio else None
    if picture_size:
        if shape is not None:
            raise InvalidValueError(
                "a ratio and the picture's size are two shapes for one tag", remedy="leave out the picture's size"
            )
        shape = AspectRatio.parse(Size.parse(picture_size))
    return ResponsiveImage(tuple(chosen), addresses, shape, sizes)


def _tag(name: str, attributes: dict[str, str]) -> str:
    pairs = " ".join(f'{attribute}="{html.escape(value)}"' for attribute, value in attributes.items())
    return f"<{name} {pairs}>"
