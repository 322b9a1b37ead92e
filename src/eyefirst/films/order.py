"""What is asked of a reframed film, and the plans that come of it: one analysis serves any number of ratios."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from eyefirst.cut import ENLARGED
from eyefirst.errors import InvalidValueError, UnsupportedPictureError
from eyefirst.films.frames import VideoInfo
from eyefirst.films.joins import joined
from eyefirst.films.path import TrackLimits
from eyefirst.films.reframe_plan import MustKeep, ReframePlan
from eyefirst.films.shot_camera import LAYOUTS, Camera, Layout
from eyefirst.films.sights import Footage
from eyefirst.films.wishes import SafeArea, ShotWish
from eyefirst.films.wishes import safe_area as safe_area_of
from eyefirst.films.writer import even
from eyefirst.framing import FramingOptions
from eyefirst.geometry import AspectRatio, BoxLike, RatioLike, Size, SizeLike
from eyefirst.numeric import listed
from eyefirst.tools.planning import parse_ratios

SIZE_SLACK = 2
"""Pixels by which a size may miss the ratio: sides are whole and even."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReframeOrder:
    """What is asked of a reframed film, checked.

    ratios: of the results, one or more. size: of the result; None is the largest window of each ratio. hidden: what a
    platform hides of the result. The other fields are the arguments of `plan_reframe`.
    """

    ratios: tuple[AspectRatio, ...]
    size: Size | None
    tightness: float
    must_keep: tuple[MustKeep, ...]
    pad: str | None
    layout: Layout
    hidden: SafeArea
    shots: tuple[ShotWish, ...]
    limits: TrackLimits

    @classmethod
    def parse(
        cls,
        ratios: RatioLike | Iterable[RatioLike],
        *,
        size: SizeLike | None = None,
        tightness: float = 0.0,
        must_keep: Sequence[MustKeep | BoxLike] = (),
        pad: str | None = None,
        layout: Layout = "crop",
        safe_area: str = "none",
        shots: Sequence[ShotWish | str] = (),
        limits: TrackLimits | None = None,
    ) -> Self:
        """Read an order as people write it; the arguments are those of `plan_reframe`. Raises InvalidValueError."""
        shapes = parse_ratios(ratios)
        framing = FramingOptions(tightness=tightness, pad=pad)  # refuses bad ones
        if layout not in LAYOUTS:
            raise InvalidValueError(f"expected a layout of {', '.join(LAYOUTS)}, got {layout!r}", remedy="choose one")
        if not isinstance(limits, TrackLimits | None):
            raise InvalidValueError(f"expected TrackLimits, got {limits!r}", remedy="leave it out for calm ones")
        exact = Size.parse(size) if size is not None else None
        if exact is not None:
            for shape in shapes:
                check_size(exact, shape)
        wishes = tuple(map(ShotWish.parse, listed(shots)))
        numbers = [wish.number for wish in wishes]
        if twice := sorted({n for n in numbers if numbers.count(n) > 1}):
            raise InvalidValueError(f"shot {twice[0]} is given twice", remedy="give each shot one place or face")
        return cls(
            ratios=tuple(shapes),
            size=exact,
            tightness=framing.tightness,
            must_keep=tuple(map(MustKeep.parse, listed(must_keep))),
            pad=pad or ("blur" if layout in ("pad", "auto") else None),
            layout=layout,
            hidden=safe_area_of(safe_area),
            shots=wishes,
            limits=limits or TrackLimits(),
        )

    def plans(self, footage: Footage) -> tuple[ReframePlan, ...]:
        """Return a plan for each ratio. Raises InvalidValueError for a shot, a face or a time that the film lacks."""
        last = max((wish.number for wish in self.shots), default=0)
        if last > len(footage.shots):
            raise InvalidValueError(
                f"there is no shot {last}: the film has {len(footage.shots)}", remedy="`eyefirst shots` lists them"
            )
        late = max((region.start for region in self.must_keep), default=0.0)
        if late >= footage.seconds:
            raise InvalidValueError(
                f"there is nothing to keep at {late:g} s: the film has {float(footage.seconds):g} s",
                remedy="give a time within the film",
            )
        return tuple(self._plan(footage, ratio) for ratio in self.ratios)

    def _plan(self, footage: Footage, ratio: AspectRatio) -> ReframePlan:
        video = footage.video
        window = largest_window(video, ratio)
        size = window if video.pixel_aspect == 1 else even(ratio.largest_in(video.display_size))
        if self.size:
            size = even(self.size)
        camera = Camera(
            video, window, size, self.tightness, self.must_keep, self.pad, self.limits, self.layout, self.hidden
        )
        wishes = {wish.number: wish for wish in self.shots}
        paths = tuple(camera.plan(shot, wishes.get(i)) for i, shot in enumerate(footage.shots, 1))
        if not (wishes or self.must_keep or any(self.hidden)):
            paths = joined(footage.shots, paths, video.size)
        plan = ReframePlan(
            video=video.name,
            video_size=video.size,
            pixel_aspect=video.pixel_aspect,
            seconds=footage.seconds,
            ratio=ratio,
            size=size,
            pad=self.pad,
            revision=footage.revision,
            shots=paths,
            warnings=footage.warnings,
        )
        words = []
        if self.size not in (None, size):
            words.append(f"{self.size} becomes {size}: the sides of a film are even")
        if plan.enlarged > ENLARGED:
            words.append(f"{size}: the film is enlarged up to {plan.enlarged:.1f} times, so it looks soft")
        return replace(plan, warnings=(*plan.warnings, *words))


def check_size(size: Size, ratio: AspectRatio) -> None:
    """Raise InvalidValueError where a size has another ratio: that would stretch."""
    even(size)  # refuses less than 2 x 2
    wanted = ratio.largest_in(size)
    if abs(wanted.width - size.width) > SIZE_SLACK or abs(wanted.height - size.height) > SIZE_SLACK:
        raise InvalidValueError(
            f"expected a size of the ratio {ratio}, got {size}, which would stretch the film",
            remedy=f"use {wanted}, or the ratio {AspectRatio.parse(size)}",
        )


def largest_window(video: VideoInfo, ratio: AspectRatio) -> Size:
    """The largest window of a ratio, in stored pixels, odd sides less a pixel. Raises InvalidValueError."""
    if min(video.size.width, video.size.height) < 2:
        raise UnsupportedPictureError(
            f"has {video.size} pixels; a film needs 2x2 or more", remedy="give a larger one", source=video.name
        )
    largest = AspectRatio(ratio.value / video.pixel_aspect).largest_in(video.size)
    if min(largest.width, largest.height) < 2:
        raise InvalidValueError(
            f"a window of the ratio {ratio} is narrower than 2 pixels in a film of {video.size}",
            remedy="use a ratio that is nearer to the film's",
        )
    return even(largest) if video.pixel_aspect == 1 else largest
