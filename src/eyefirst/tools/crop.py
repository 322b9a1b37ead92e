"""Crop to any aspect ratio, keeping what matters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from PIL import Image as PillowImage

from eyefirst.detectors import known_detectors, load_detector
from eyefirst.errors import InvalidPlanError, InvalidValueError
from eyefirst.framing import Framer, FramingOptions, Placement
from eyefirst.geometry import AspectRatio, Box, Point, RatioLike, Size, SizeLike
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import (
    DEFAULT_PIXEL_LIMIT,
    IN_MEMORY,
    Animation,
    Source,
    decode,
    fingerprint,
    load_animation,
    load_picture,
    read_once,
)
from eyefirst.network import Network, check_revision
from eyefirst.observations import SaliencyObservation
from eyefirst.plan import CropPlan, Frames
from eyefirst.render import render_frame
from eyefirst.requests import AttentionSaliencyRequest, ObjectnessSaliencyRequest, TextRecognitionRequest

CropTarget = Literal["attention", "best", "union"]


def attention(source: Source) -> SaliencyObservation:
    """Where people look first, in one line."""
    return ImageRequestHandler(source).perform([AttentionSaliencyRequest()])[0]


def objects(source: Source) -> SaliencyObservation:
    """The foreground subjects, in one line."""
    return ImageRequestHandler(source).perform([ObjectnessSaliencyRequest()])[0]


def plan_crops(
    source: Source,
    ratios: RatioLike | Iterable[RatioLike],
    alternatives: int = 1,
    *,
    tightness: float = 0.0,
    margin: float = 0.05,
    must_keep: Sequence[Box] | str = (),
    avoid: Sequence[Box] = (),
    pad: str | None = None,
    revision: str | None = None,
    orientation: int | None = None,
    network: Network | None = None,
) -> CropPlan:
    """The best frames of every ratio, from one decode and one run of the network.

    ratios: "16:9", "4/5", 1.5, a size such as (1200, 630), or several of these. alternatives: how
    many frames a ratio at most, no two near-copies. must_keep: boxes, or the name of a detector whose finds
    are to be kept whole, such as "text". For the rest see FramingOptions.

    Raises PictureError for a picture that cannot be used, InvalidValueError for a bad argument.
    """
    handler = ImageRequestHandler(source, orientation=orientation, network=network)
    kept = boxes_to_keep(handler, must_keep) if isinstance(must_keep, str) else tuple(must_keep)
    options = FramingOptions(tightness=tightness, margin=margin, must_keep=kept, avoid=tuple(avoid), pad=pad)
    return plan_from(handler, ratios, alternatives, options=options, revision=revision)


def boxes_to_keep(handler: ImageRequestHandler, detector: str) -> tuple[Box, ...]:
    """What a registered detector finds; of text, only what draws at least as much attention as its size deserves.

    Raises InvalidValueError for an unknown name, MissingExtraError where the detector is not installed.
    """
    if detector == "text":
        seen = handler.perform([TextRecognitionRequest()])[0]
        return tuple(t.box for t in seen.texts if t.saliency >= 1)
    found = load_detector(detector).detect(handler.full_image().pixels, Box.whole())
    return tuple(d.box for d in found)


def plan_from(
    handler: ImageRequestHandler,
    ratios: RatioLike | Iterable[RatioLike],
    alternatives: int = 1,
    *,
    options: FramingOptions | None = None,
    revision: str | None = None,
) -> CropPlan:
    """`plan_crops` for a picture that a handler already holds."""
    wanted = _ratios(ratios)
    if not isinstance(alternatives, int) or alternatives < 1:
        raise InvalidValueError(f"expected at least 1 alternative, got {alternatives!r}", remedy="leave it out for 1")
    looked_at, subjects = _look(handler, revision)
    image = handler.image
    framer = Framer(image.size, looked_at.heat_map, subjects.heat_map, subjects.salient_objects, options)
    attention_box = looked_at.salient_objects[0].box
    return CropPlan(
        picture=image.name,
        sha256=image.sha256,
        size=image.size,
        revision=looked_at.revision,
        focal_point=looked_at.heat_map.center_in(attention_box),
        anchor=framer.anchor("share"),
        attention_box=attention_box,
        objects=subjects.salient_objects,
        options=framer.options,
        frames=Frames({ratio: framer.frames(ratio, alternatives) for ratio in wanted}),
    )


def anchor_from(handler: ImageRequestHandler, placement: Placement, *, revision: str | None = None) -> Anchor:
    """What a tool needs that takes one point for frames of every ratio; `placement` as in `Framer.anchor`."""
    looked_at, subjects = _look(handler, revision)
    framer = Framer(handler.image.size, looked_at.heat_map, subjects.heat_map, subjects.salient_objects)
    return Anchor(framer.anchor(placement), looked_at.salient_objects[0].box)


def _look(handler: ImageRequestHandler, revision: str | None) -> list[SaliencyObservation]:
    return handler.perform([AttentionSaliencyRequest(revision=revision), ObjectnessSaliencyRequest(revision=revision)])


@dataclass(frozen=True, slots=True)
class Anchor:
    """point: where to hold the picture. attention_box: where people look first, for tools that zoom. In 0..1."""

    point: Point
    attention_box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class CropOrder:
    """A crop as the command line and the service are asked for it, checked before any picture is looked at.

    size: each frame is resized so that it just fits in. detectors: names of those whose finds are kept whole,
    beside the boxes in `options`. alternatives: frames a ratio at most.
    """

    ratios: tuple[AspectRatio, ...]
    size: Size | None = None
    alternatives: int = 1
    options: FramingOptions = field(default_factory=FramingOptions)
    detectors: tuple[str, ...] = ()
    revision: str | None = None

    @classmethod
    def parse(
        cls,
        *,
        aspect: Sequence[str] = (),
        size: str = "",
        alternatives: int = 1,
        tightness: float = 0.0,
        margin: float | None = None,
        must_keep: Sequence[str] = (),
        avoid: Sequence[str] = (),
        pad: str = "",
        revision: str = "",
    ) -> CropOrder:
        """From texts. Without an aspect the size gives it; an empty text or None is the default.

        must_keep: boxes such as "0.1,0.2,0.5,0.9", or names of detectors. Raises InvalidValueError, and
        UnknownRevisionError.
        """
        if not aspect and not size:
            raise InvalidValueError("no shape was asked for", remedy="give an aspect such as 16:9, or a size")
        detectors = tuple(name for name in must_keep if name in known_detectors())
        return cls(
            ratios=tuple(dict.fromkeys(AspectRatio.parse(a) for a in aspect or [size])),
            size=Size.parse(size) if size else None,
            alternatives=alternatives,
            options=FramingOptions(
                tightness=tightness,
                margin=0.05 if margin is None else margin,
                must_keep=tuple(Box.parse(b) for b in must_keep if b not in detectors),
                avoid=tuple(Box.parse(b) for b in avoid),
                pad=pad or None,
            ),
            detectors=detectors,
            revision=check_revision(revision or None),
        )

    def plan(self, handler: ImageRequestHandler) -> CropPlan:
        """The plan for the picture that a handler holds; raises as `plan_crops` does."""
        found = tuple(box for name in self.detectors for box in boxes_to_keep(handler, name))
        options = replace(self.options, must_keep=self.options.must_keep + found)
        return plan_from(handler, self.ratios, self.alternatives, options=options, revision=self.revision)


def crop(source: Source, ratio: RatioLike, *, size: SizeLike | None = None, **options: Any) -> PillowImage.Image:
    """The picture cut to a ratio: the best frame of `plan_crops`, which takes the same options.

    Returns an upright sRGB picture, RGB or RGBA as the original, at full resolution or fitted into `size`.
    """
    source = read_once(source)
    plan = plan_crops(source, ratio, **options)
    picture = load_picture(source, orientation=options.get("orientation"))
    return next(iter(_cut(plan, picture, size).values()))[0]


def thumbnail(source: Source, size: SizeLike, **options: Any) -> PillowImage.Image:
    """The picture cut to the ratio of a size, and resized to exactly that size."""
    wanted = Size.parse(size)
    return crop(source, wanted, size=wanted, **options)


def crop_to(
    source: Source,
    target: CropTarget,
    *,
    margin: float = 0.0,
    revision: str | None = None,
    orientation: int | None = None,
    network: Network | None = None,
) -> PillowImage.Image:
    """The article's own recipes: cut to the attention box, the best subject's box, or the union of all subjects.

    A picture without subjects is returned whole.
    """
    if target not in ("attention", "best", "union"):
        raise InvalidValueError(f"expected 'attention', 'best' or 'union', got {target!r}", remedy="choose one")
    source = read_once(source)
    kind = AttentionSaliencyRequest if target == "attention" else ObjectnessSaliencyRequest
    found = ImageRequestHandler(source, orientation=orientation, network=network).perform([kind(revision=revision)])[0]
    picture = load_picture(source, orientation=orientation)
    box = found.union_box if target == "union" or not found.salient_objects else found.salient_objects[0].box
    if box is None:
        return picture
    pixels = box.expanded(margin).to_pixels(Size(picture.width, picture.height))
    return picture.crop((pixels.left, pixels.top, pixels.right, pixels.bottom))


def render_plan(
    plan: CropPlan,
    source: Source,
    *,
    size: SizeLike | None = None,
    orientation: int | None = None,
    pixel_limit: int = DEFAULT_PIXEL_LIMIT,
) -> dict[str, list[PillowImage.Image]]:
    """Every frame of a plan cut out of its picture, each fitted into `size` if given; no network is needed.

    With a size, the file is decoded no larger than the frames need. Raises InvalidPlanError when the picture
    is not the one that was planned: by its hash where the plan was made from a file, and by its upright size.
    """
    source = read_once(source)
    needed = partial(_pixels_needed, plan, Size.parse(size)) if size else None
    decoded = decode(source, orientation=orientation, at_least=needed, pixel_limit=pixel_limit)
    _check_planned(plan, source, decoded.size, decoded.picture)
    return _cut(plan, decoded.picture, size)


def render_animation(
    plan: CropPlan,
    source: Source,
    *,
    size: SizeLike | None = None,
    orientation: int | None = None,
    pixel_limit: int = DEFAULT_PIXEL_LIMIT,
) -> dict[str, list[Animation]]:
    """`render_plan` with every frame of an animation, all cut by the one box that was planned."""
    source = read_once(source)
    whole = load_animation(source, orientation=orientation, pixel_limit=pixel_limit)
    _check_planned(plan, source, Size(*whole.frames[0].size), whole.frames[0])
    stills = [_cut(plan, picture, size) for picture in whole.frames]
    return {
        ratio: [replace(whole, frames=tuple(still[ratio][rank] for still in stills)) for rank in range(len(frames))]
        for ratio, frames in plan.frames.items()
    }


def _check_planned(plan: CropPlan, source: Source, size: Size, picture: PillowImage.Image) -> None:
    if size != plan.size:
        raise InvalidPlanError(
            f"the plan is for a picture of {plan.size}, got one of {size}",
            remedy="give the picture that was planned, or plan this one",
        )
    if plan.picture not in IN_MEMORY and plan.sha256 != fingerprint(source) and plan.sha256 != fingerprint(picture):
        raise InvalidPlanError(
            f"is not the picture that was planned: its SHA-256 is not {plan.sha256[:12]}...",
            remedy="give the picture that was planned, or plan this one",
            source=source if isinstance(source, str) else "",
        )


def _cut(plan: CropPlan, picture: PillowImage.Image, size: SizeLike | None) -> dict[str, list[PillowImage.Image]]:
    """Every frame of a plan; with a size, each at its own ratio and just fitting in."""
    room = Size.parse(size) if size else None
    return {
        ratio: [
            render_frame(
                picture,
                frame,
                planned=plan.size,
                size=AspectRatio.parse(ratio).largest_in(room) if room else None,
                pad=plan.options.pad,
            )
            for frame in frames
        ]
        for ratio, frames in plan.frames.items()
    }


def _pixels_needed(plan: CropPlan, room: Size, full: Size) -> Size:
    """How small the upright picture may be decoded so that no frame of a plan has to be enlarged for it."""
    scale = 0.0
    for ratio, frames in plan.frames.items():
        fitted = AspectRatio.parse(ratio).largest_in(room)
        scale = max(scale, *(max(fitted.width / f.size.width, fitted.height / f.size.height) for f in frames))
    return Size(max(math.ceil(full.width * scale), 1), max(math.ceil(full.height * scale), 1))


def _ratios(ratios: RatioLike | Iterable[RatioLike]) -> list[AspectRatio]:
    """One ratio or many; a pair of numbers is one."""
    if isinstance(ratios, (str, int, float, AspectRatio, Size)) or not isinstance(ratios, Iterable):
        return [AspectRatio.parse(ratios)]
    listed = list(ratios)
    if isinstance(ratios, tuple) and len(listed) == 2 and all(isinstance(r, int) for r in listed):
        return [AspectRatio.parse((listed[0], listed[1]))]  # type: ignore[arg-type]
    if not listed:
        raise InvalidValueError("expected at least one ratio, got none", remedy="e.g. ['1:1', '16:9']")
    return list(dict.fromkeys(AspectRatio.parse(r) for r in listed))
