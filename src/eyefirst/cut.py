"""The one way from a frame and a picture to pixels: cut, pad and resize.

A frame is cut and resized in one step. Padding is added at the size of the result, so that no buffer in between
is larger than the picture or the result. Every frame of an animation is cut by the same box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageFilter

from eyefirst.colours import parse_colour
from eyefirst.errors import InvalidValueError
from eyefirst.framing import Frame, Padding
from eyefirst.geometry import AspectRatio, Size, SizeLike, round_half_up
from eyefirst.image import DEFAULT_PIXEL_LIMIT, Animation
from eyefirst.plan import CropPlan

SHRINKS = 1.5
"""From so many times smaller on, the narrower filter serves: it takes half the time and keeps 96 % of the sharpness."""
GAP = 2.0
"""Blocks of whole pixels are averaged while a picture stays so many times larger than its result; a filter does the
rest."""
BLUR_SHARE = 0.04
"""Standard deviation of a blurred padding, as a share of the frame's longer side."""
BLUR_SIDE = 256
"""The longer side at which a blurred padding is made, in pixels."""

ENLARGED = 1.25
"""Above this scale it is said that a result is enlarged: the grain of wood is visibly softer from about there on."""

Picture = TypeVar("Picture", PillowImage.Image, Animation)


@dataclass(frozen=True, slots=True, eq=False)
class Crop(Generic[Picture]):
    """One result: which ratio and rank of the plan it is, its frame, and the pixels."""

    ratio: AspectRatio
    rank: int
    frame: Frame
    picture: Picture

    @property
    def enlarged(self) -> float:
        """How many times wider the result is than its frame; 1 where it is not enlarged."""
        return max(still_of(self.picture).width / self.frame.size.width, 1.0)

    @property
    def label(self) -> str:
        """The result's part of a file name: 16x9 for the best frame, 16x9_2 for the second."""
        name = str(self.ratio).replace(":", "x")
        return f"{name}_{self.rank}" if self.rank > 1 else name


def cut_plan(
    plan: CropPlan,
    picture: Picture,
    *,
    size: SizeLike | None = None,
    enlarge: bool = True,
    pixel_limit: int = DEFAULT_PIXEL_LIMIT,
) -> Iterator[Crop[Picture]]:
    """Yield every frame of a plan, cut when it is asked for, in the plan's order.

    picture: upright and sRGB, perhaps decoded smaller than the plan's size. size: each result is resized to
    fit into it. enlarge: whether a result may have more pixels than its frame. pixel_limit: of all results
    together. Raises InvalidValueError above it.
    """
    room = None if size is None else Size.parse(size)
    frames = [
        (ratio, rank, frame, result_size(frame, ratio, room, enlarge=enlarge))
        for ratio, ranked in plan.frames.by_ratio()
        for rank, frame in enumerate(ranked, 1)
    ]
    count = len(picture.frames) if isinstance(picture, Animation) else 1
    check_pixels((size for *_, size in frames), pixel_limit, count)
    for ratio, rank, frame, target in frames:
        cut = cut_frame(picture, frame, planned=plan.size, size=target, pad=plan.options.pad)
        yield Crop(ratio, rank, frame, cut)


def cut_frame(
    picture: Picture, frame: Frame, *, planned: Size, size: Size | None = None, pad: str | None = None
) -> Picture:
    """Cut one frame out of an upright picture, or out of every frame of an animation.

    planned: the size that the frame's pixels refer to. size: of the result, padding included; by default the
    frame's own. pad: the style of the padding where the frame has some: "blur", "extend" or a CSS colour.
    """
    if isinstance(picture, Animation):
        stills = tuple(_cut_still(f, frame, planned, size or frame.size, pad) for f in picture.frames)
        return replace(picture, frames=stills)
    return _cut_still(picture, frame, planned, size or frame.size, pad)


def cut_frames(
    picture: Picture, frames: Sequence[tuple[Frame, Size]], *, planned: Size, pad: str | None = None
) -> list[Picture]:
    """Cut frames, each at its size, as `cut_frame` does.

    Where a result of the same frame is a whole number of times as wide, and not enlarged, its pixels are averaged:
    that is faster than cutting the smaller one out of the picture, and sharper.
    """
    made: dict[tuple[Frame, Size], Picture] = {}
    for frame, size in sorted(frames, key=lambda each: each[1].width, reverse=True):
        larger = [
            cut
            for (of, at), cut in made.items()
            if of == frame and at.width % size.width == 0 and at.width <= frame.size.width
        ]
        if larger:  # the last is the smallest of them
            made[frame, size] = resized(larger[-1], size, gap=1.0)
        else:
            made[frame, size] = cut_frame(picture, frame, planned=planned, size=size, pad=pad)
    return [made[each] for each in frames]


def resized(picture: Picture, size: Size, *, gap: float = GAP) -> Picture:
    """Resize to exactly this size. gap: see `GAP`."""
    if isinstance(picture, Animation):
        return replace(picture, frames=tuple(resized(f, size, gap=gap) for f in picture.frames))
    if picture.size == tuple(size):
        return picture
    return _resized(picture, (0.0, 0.0, float(picture.width), float(picture.height)), size, gap)


def result_size(frame: Frame, ratio: AspectRatio, room: Size | None, *, enlarge: bool = True) -> Size:
    """Return the size of a frame's result: the frame's own, or the largest of the ratio that fits into `room`."""
    if room is None:
        return frame.size
    wanted = ratio.largest_in(room)
    return frame.size if not enlarge and wanted.width > frame.size.width else wanted


def pixels_needed(plan: CropPlan, size: SizeLike | None) -> Callable[[Size], Size] | None:
    """Return how small the upright picture may be decoded so that no frame has to be enlarged for it.

    The answer is a function of the picture's full size. It depends on the plan and the size alone, so that every way
    in decodes, and so cuts, the same pixels. None: all pixels are needed.
    """
    if size is None:
        return None
    room = Size.parse(size)
    scales = (
        max(target.width / frame.size.width, target.height / frame.size.height)
        for ratio, ranked in plan.frames.by_ratio()
        for frame in ranked
        for target in (ratio.largest_in(room),)
    )
    return scaled_by(max(scales, default=1.0))


def pixels_expected(ratios: Sequence[AspectRatio], sizes: Sequence[Size | None]) -> Callable[[Size], Size] | None:
    """Return `pixels_needed` as far as it can be known before planning: for the largest frame of each ratio."""
    if any(size is None for size in sizes):
        return None

    def need(full: Size) -> Size:
        scale = 0.0
        for ratio in ratios:
            frame = ratio.largest_in(full)
            targets = [ratio.largest_in(size) for size in sizes if size]
            scale = max(scale, *(max(t.width / frame.width, t.height / frame.height) for t in targets))
        return scaled_by(scale)(full)

    return need


def scaled_by(scale: float) -> Callable[[Size], Size]:
    """Return a function from a picture's full size to that size times `scale`, rounded up, at most the full size."""

    def need(full: Size) -> Size:
        share = min(scale, 1.0)
        return Size(max(math.ceil(full.width * share), 1), max(math.ceil(full.height * share), 1))

    return need


def check_pixels(sizes: Iterable[Size], limit: int, count: int = 1) -> None:
    """Raise InvalidValueError where results have more pixels than the limit, before anything is made.

    count: frames of an animation, each of which is a result of that size.
    """
    sizes = list(sizes)
    pixels = count * sum(size.pixels for size in sizes)
    if pixels > limit:
        largest = max(sizes, key=lambda s: s.pixels)
        many = f"{count} frames of " if count > 1 else "" if len(sizes) == 1 else f"{len(sizes)} results of up to "
        raise InvalidValueError(
            f"the result would have {many}{largest} pixels, more than the limit of {limit:,} in all",
            remedy="ask for fewer or smaller ones",
        )


def still_of(picture: PillowImage.Image | Animation) -> PillowImage.Image:
    """Return a still picture as it is, and the first frame of an animation."""
    return picture.frames[0] if isinstance(picture, Animation) else picture


def _cut_still(
    picture: PillowImage.Image, frame: Frame, planned: Size, size: Size, pad: str | None
) -> PillowImage.Image:
    across, down = picture.width / planned.width, picture.height / planned.height
    box = frame.box
    edges = (box.left * across, box.top * down, box.right * across, box.bottom * down)
    if not frame.padding:
        return _resampled(picture, edges, size)
    padding = frame.padding.scaled(size.width / frame.size.width, size.height / frame.size.height)
    inner = Size(max(size.width - padding.left - padding.right, 1), max(size.height - padding.top - padding.bottom, 1))
    return _padded(_resampled(picture, edges, inner), padding, size, pad or "blur")


def _resampled(picture: PillowImage.Image, edges: tuple[float, float, float, float], size: Size) -> PillowImage.Image:
    """The part between the edges, at this size: copied where they are whole pixels and the size is theirs."""
    whole = [round_half_up(e) for e in edges]
    is_copy = all(abs(e - w) < 1e-6 for e, w in zip(edges, whole, strict=True))
    if is_copy and (whole[2] - whole[0], whole[3] - whole[1]) == tuple(size):
        cut = picture.crop((whole[0], whole[1], whole[2], whole[3]))
    else:
        cut = _resized(picture, edges, size)
    cut.info = {}  # a comment or a profile of the source must not be saved with the result
    return cut


def _resized(
    picture: PillowImage.Image, edges: tuple[float, float, float, float], size: Size, gap: float = GAP
) -> PillowImage.Image:
    """The part between the edges, at this size, with a filter that averages when it shrinks."""
    times = min((edges[2] - edges[0]) / size.width, (edges[3] - edges[1]) / size.height)
    narrow, wide = PillowImage.Resampling.HAMMING, PillowImage.Resampling.BICUBIC
    return picture.resize(size.as_tuple, wide if times < SHRINKS else narrow, edges, reducing_gap=gap)


def _padded(inner: PillowImage.Image, padding: Padding, size: Size, style: str) -> PillowImage.Image:
    """The inner picture on a ground of this size."""
    left = min(padding.left, size.width - inner.width)
    top = min(padding.top, size.height - inner.height)
    if style == "extend":
        right, bottom = size.width - left - inner.width, size.height - top - inner.height
        edges = ((top, bottom), (left, right), (0, 0))
        return PillowImage.fromarray(np.pad(np.asarray(inner), edges, mode="edge"))
    if style == "blur":
        share = min(BLUR_SIDE / max(size.width, size.height), 1.0)
        small = (max(round(size.width * share), 1), max(round(size.height * share), 1))
        ground = inner.resize(small, PillowImage.Resampling.BILINEAR, reducing_gap=2.0)
        ground = ground.filter(ImageFilter.GaussianBlur(BLUR_SHARE * max(small)))
        ground = ground.resize(size.as_tuple, PillowImage.Resampling.BICUBIC)
    else:
        ground = PillowImage.new(inner.mode, size.as_tuple, parse_colour(style))
    ground.paste(inner, (left, top))
    return ground
