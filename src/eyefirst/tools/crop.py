"""Crop to any aspect ratio, keeping what matters."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from PIL import Image as PillowImage

from eyefirst.cut import Crop, cut_frame, cut_plan, pixels_expected, pixels_needed, resized, result_size
from eyefirst.detectors import known_detectors, load_detector
from eyefirst.errors import EnlargedWarning, InvalidPlanError, InvalidValueError
from eyefirst.framing import Fit, Frame, Framer, FramingOptions, Placement, Portrait, Prefer
from eyefirst.geometry import AspectRatio, Box, BoxLike, Point, RatioLike, Size, SizeLike, is_number, is_pair
from eyefirst.handler import ImageRequestHandler, Look, all_pixels, handler_of
from eyefirst.image import DEFAULT_PIXEL_LIMIT, IN_MEMORY, Animation, Source, fingerprint, hash_of_pixels
from eyefirst.network import Network, check_revision
from eyefirst.observations import FaceObservation, SaliencyObservation
from eyefirst.plan import ByRatio, CropPlan
from eyefirst.requests import (
    AttentionSaliencyRequest,
    FaceRectanglesRequest,
    ObjectnessSaliencyRequest,
    TextRecognitionRequest,
)

CropTarget = Literal["attention", "best", "union"]
Kept: TypeAlias = BoxLike | str | Sequence[BoxLike | str]
"""What must stay inside: a box, the name of a detector, or several of these."""
Boxes: TypeAlias = BoxLike | Sequence[BoxLike]


def attention(source: Source | ImageRequestHandler) -> SaliencyObservation:
    """Return where people look first."""
    return handler_of(source).perform([AttentionSaliencyRequest()])[0]


def objects(source: Source | ImageRequestHandler) -> SaliencyObservation:
    """Return the foreground subjects."""
    return handler_of(source).perform([ObjectnessSaliencyRequest()])[0]


def faces(source: Source | ImageRequestHandler) -> FaceObservation:
    """Return where faces are."""
    return handler_of(source).perform([FaceRectanglesRequest()])[0]


def plan_crops(
    source: Source | ImageRequestHandler,
    ratios: RatioLike | Iterable[RatioLike],
    alternatives: int = 1,
    *,
    tightness: float = 0.0,
    margin: float = 0.05,
    must_keep: Kept = (),
    avoid: Boxes = (),
    pad: str | None = None,
    prefer: Prefer | None = None,
    portrait: Portrait | None = None,
    fit: Fit = "breathe",
    revision: str | None = None,
    orientation: int | None = None,
    network: Network | None = None,
) -> CropPlan:
    """Return the best frames of every ratio, from one decode and one run of the network.

    ratios: "16:9", "4/5", 1.5, a pair such as (1200, 630), or several of these. alternatives: how many frames a
    ratio at most, no two near-copies. must_keep: boxes in 0..1 that must be inside, or names of detectors whose
    finds must be: "faces" or "text". avoid: boxes to stay clear of. For the rest see FramingOptions.

    Raises PictureError for a picture that cannot be used, InvalidValueError for a bad argument.
    """
    handler = handler_of(source, orientation=orientation, network=network)
    options = _options(
        handler,
        tightness=tightness,
        margin=margin,
        must_keep=must_keep,
        avoid=avoid,
        pad=pad,
        prefer=prefer,
        portrait=portrait,
        fit=fit,
    )
    return plan_from(handler, ratios, alternatives, options=options, revision=revision)


def plan_from(
    handler: ImageRequestHandler,
    ratios: RatioLike | Iterable[RatioLike],
    alternatives: int = 1,
    *,
    options: FramingOptions | None = None,
    revision: str | None = None,
) -> CropPlan:
    """Return `plan_crops` for options that are checked already."""
    wanted = parse_ratios(ratios)
    if not isinstance(alternatives, int) or alternatives < 1:
        raise InvalidValueError(f"expected at least 1 alternative, got {alternatives!r}", remedy="leave it out for 1")
    seen = handler.look(revision)
    framer = framer_of(handler, seen, options)
    image = handler.image
    attention_box = seen.attention.salient_objects[0].box
    return CropPlan(
        picture=image.name,
        sha256=image.sha256,
        size=image.size,
        revision=seen.revision,
        focal_point=seen.attention.heat_map.center_in(attention_box),
        anchor=framer.anchor("share"),
        attention_box=attention_box,
        objects=seen.objects.salient_objects,
        options=framer.options,
        frames=ByRatio({ratio: framer.frames(ratio, alternatives) for ratio in wanted}),
    )


def framer_of(handler: ImageRequestHandler, seen: Look, options: FramingOptions | None = None) -> Framer:
    """Return what finds frames for a picture that was looked at."""
    words = boxes_to_keep(handler, "text") if options and options.prefer == "text" else ()
    return Framer(
        handler.image.size,
        seen.attention.heat_map,
        seen.objects.heat_map,
        seen.objects.salient_objects,
        options,
        faces=seen.faces,
        words=words,
    )


def boxes_to_keep(handler: ImageRequestHandler, detector: str) -> tuple[Box, ...]:
    """Return what a registered detector finds; of text, what draws at least as much attention as its size deserves.

    Raises InvalidValueError for an unknown name, MissingExtraError where the detector is not installed.
    """
    if detector == "text":
        seen = handler.perform([TextRecognitionRequest()])[0]
        return tuple(t.box for t in seen.texts if t.saliency >= 1)
    if detector == "faces":
        return tuple(f.box for f in handler.perform([FaceRectanglesRequest()])[0].faces)
    found = load_detector(detector).detect(handler.picture().image().pixels, Box.whole())
    return tuple(d.box for d in found)


@dataclass(frozen=True, slots=True)
class Anchor:
    """point: where to hold the picture. attention_box: where people look first, for tools that zoom. In 0..1."""

    point: Point
    attention_box: Box


def anchor_from(handler: ImageRequestHandler, placement: Placement, *, revision: str | None = None) -> Anchor:
    """Return what a tool needs that takes one point for all ratios; `placement` as in `Framer.anchor`."""
    seen = handler.look(revision)
    return Anchor(framer_of(handler, seen).anchor(placement), seen.attention.salient_objects[0].box)


@dataclass(frozen=True, slots=True, kw_only=True)
class CropOrder:
    """A crop as the command line and the service are asked for it, checked before any picture is looked at.

    size: each result is resized so that it just fits in. enlarge: whether it may have more pixels than its frame.
    detectors: names of those whose finds are kept whole, beside the boxes in `options`. alternatives: frames a
    ratio at most.
    """

    ratios: tuple[AspectRatio, ...]
    size: Size | None = None
    enlarge: bool = True
    alternatives: int = 1
    options: FramingOptions = field(default_factory=FramingOptions)
    detectors: tuple[str, ...] = ()
    revision: str | None = None

    @classmethod
    def parse(
        cls,
        *,
        ratios: Sequence[str] = (),
        size: str = "",
        enlarge: bool = True,
        alternatives: int = 1,
        must_keep: Sequence[str] = (),
        avoid: Sequence[str] = (),
        revision: str = "",
        **framing: Any,
    ) -> CropOrder:
        """Read texts. Without a ratio the size gives it; an empty text or None is the default.

        must_keep: boxes such as "0.1,0.2,0.5,0.9", or names of detectors. framing: further fields of
        FramingOptions. Raises InvalidValueError, and UnknownRevisionError.
        """
        if not ratios and not size:
            raise InvalidValueError("no ratio was asked for", remedy="give a ratio such as 16:9, or a size")
        detectors = tuple(name for name in must_keep if name in known_detectors())
        given = {name: value for name, value in framing.items() if value is not None and value != ""}
        return cls(
            ratios=tuple(dict.fromkeys(AspectRatio.parse(r) for r in ratios or [size])),
            size=Size.parse(size) if size else None,
            enlarge=enlarge,
            alternatives=alternatives,
            options=FramingOptions(
                must_keep=tuple(Box.parse(b) for b in must_keep if b not in detectors),
                avoid=tuple(Box.parse(b) for b in avoid),
                **given,
            ),
            detectors=detectors,
            revision=check_revision(revision or None),
        )

    def handler(self, source: Source, *, pixel_limit: int = DEFAULT_PIXEL_LIMIT) -> ImageRequestHandler:
        """Return a handler whose one decode serves the analysis and, as far as can be known, the cut."""
        expects = pixels_expected(self.ratios, [self.size]) or all_pixels
        return ImageRequestHandler(source, pixel_limit=pixel_limit, expects=expects)

    def plan(self, handler: ImageRequestHandler) -> CropPlan:
        """Return the plan for the picture that a handler holds; raises as `plan_crops` does."""
        found = tuple(box for name in self.detectors for box in boxes_to_keep(handler, name))
        options = replace(self.options, must_keep=self.options.must_keep + found)
        return plan_from(handler, self.ratios, self.alternatives, options=options, revision=self.revision)


def crops_of(
    plan: CropPlan,
    handler: ImageRequestHandler,
    *,
    size: SizeLike | None = None,
    enlarge: bool = True,
    animated: bool = True,
) -> list[Crop[Any]]:
    """Cut every frame of a plan out of the handler's picture: the one way of all commands, routes and functions.

    animated: whether an animation stays one; otherwise its first frame is cut. Raises InvalidPlanError where the
    handler holds another picture than the planned one, InvalidValueError where the results are too large.
    """
    check_planned(plan, handler)
    picture: Any = None
    if animated and handler.is_animated:
        picture = handler.animation()
    else:
        picture = handler.picture(pixels_needed(plan, size)).picture
    return cut_plan(plan, picture, size=size, enlarge=enlarge, pixel_limit=handler.pixel_limit)


def crop(
    source: Source | ImageRequestHandler,
    ratio: RatioLike,
    *,
    size: SizeLike | None = None,
    enlarge: bool = True,
    tightness: float = 0.0,
    margin: float = 0.05,
    must_keep: Kept = (),
    avoid: Boxes = (),
    pad: str | None = None,
    prefer: Prefer | None = None,
    portrait: Portrait | None = None,
    fit: Fit = "breathe",
    revision: str | None = None,
    orientation: int | None = None,
    network: Network | None = None,
) -> PillowImage.Image:
    """Return the picture cut to a ratio: the best frame of `plan_crops`, which takes the same options.

    The result is upright, sRGB, RGB or RGBA as the original; at full resolution, or as large as just fits into
    `size`. enlarge: whether it may have more pixels than its frame; an EnlargedWarning says when it has.
    """
    wanted = AspectRatio.parse(ratio)
    expects = pixels_expected([wanted], [Size.parse(size) if size else None]) or all_pixels
    handler = handler_of(source, orientation=orientation, network=network, expects=expects)
    options = _options(
        handler,
        tightness=tightness,
        margin=margin,
        must_keep=must_keep,
        avoid=avoid,
        pad=pad,
        prefer=prefer,
        portrait=portrait,
        fit=fit,
    )
    plan = plan_from(handler, [wanted], options=options, revision=revision)
    made = crops_of(plan, handler, size=size, enlarge=enlarge, animated=False)
    _warn_of_enlarged(made, plan)
    picture: PillowImage.Image = made[0].picture
    return picture


def thumbnail(
    source: Source | ImageRequestHandler,
    size: SizeLike,
    *,
    enlarge: bool = True,
    tightness: float = 0.0,
    margin: float = 0.05,
    must_keep: Kept = (),
    avoid: Boxes = (),
    pad: str | None = None,
    prefer: Prefer | None = None,
    portrait: Portrait | None = None,
    fit: Fit = "breathe",
    revision: str | None = None,
    orientation: int | None = None,
    network: Network | None = None,
) -> PillowImage.Image:
    """Return the picture cut to the ratio of a size and resized to exactly that size; options as in `crop`.

    With `enlarge=False` the result is smaller than the size where the picture has too few pixels.
    """
    return crop(
        source,
        Size.parse(size),
        size=size,
        enlarge=enlarge,
        tightness=tightness,
        margin=margin,
        must_keep=must_keep,
        avoid=avoid,
        pad=pad,
        prefer=prefer,
        portrait=portrait,
        fit=fit,
        revision=revision,
        orientation=orientation,
        network=network,
    )


def crop_to(
    source: Source | ImageRequestHandler,
    target: CropTarget,
    *,
    size: SizeLike | None = None,
    enlarge: bool = True,
    margin: float = 0.0,
    revision: str | None = None,
    orientation: int | None = None,
    network: Network | None = None,
) -> PillowImage.Image:
    """Return the picture cut to the attention box, the best subject's box, or the union of all subjects.

    These are the recipes of Apple's article. A picture without subjects is returned whole. margin: free space
    round the box, as a share of its own width and height. size, enlarge: as in `crop`.
    """
    handler = handler_of(source, orientation=orientation, network=network, expects=all_pixels)
    picture: PillowImage.Image = crop_box(
        handler, target, size=size, enlarge=enlarge, margin=margin, revision=revision, animated=False
    )
    return picture


def crop_box(
    handler: ImageRequestHandler,
    target: CropTarget,
    *,
    size: SizeLike | None = None,
    enlarge: bool = True,
    margin: float = 0.0,
    revision: str | None = None,
    animated: bool = True,
) -> Any:
    """Return `crop_to` for a handler's picture; with `animated`, an animation cut in all its frames."""
    if target not in ("attention", "best", "union"):
        raise InvalidValueError(f"expected 'attention', 'best' or 'union', got {target!r}", remedy="choose one")
    if not is_number(margin) or not 0 <= margin <= 1:
        raise InvalidValueError(f"expected a margin in 0..1, got {margin!r}", remedy="0.1 leaves a tenth on each side")
    kind = AttentionSaliencyRequest if target == "attention" else ObjectnessSaliencyRequest
    found = handler.perform([kind(revision=revision)])[0]
    box = found.union_box if target == "union" or not found.salient_objects else found.salient_objects[0].box
    full = handler.image.size
    frame = Frame((box.expanded(margin) if box else Box.whole()).to_pixels(full), 1.0, (), 0.0)
    ratio = AspectRatio.parse(frame.size)
    picture: Any = handler.animation() if animated and handler.is_animated else handler.picture().picture
    cut = cut_frame(picture, frame, planned=full)
    if size is None:
        return cut
    return resized(cut, result_size(frame, ratio, Size.parse(size), enlarge=enlarge))


def render_plan(
    plan: CropPlan,
    source: Source | ImageRequestHandler,
    *,
    size: SizeLike | None = None,
    enlarge: bool = True,
    orientation: int | None = None,
    pixel_limit: int = DEFAULT_PIXEL_LIMIT,
) -> ByRatio[PillowImage.Image]:
    """Return every frame of a plan cut out of its picture, each fitted into `size` if given; without the network.

    With a size, a JPEG is decoded no larger than the frames need. Raises InvalidPlanError when the picture is not
    the one that was planned: by its hash, and by its upright size. enlarge: as in `crop`.
    """
    handler = _planned(plan, source, size, orientation, pixel_limit)
    made = crops_of(plan, handler, size=size, enlarge=enlarge, animated=False)
    _warn_of_enlarged(made, plan)
    return _by_ratio(made)


def render_animation(
    plan: CropPlan,
    source: Source | ImageRequestHandler,
    *,
    size: SizeLike | None = None,
    enlarge: bool = True,
    orientation: int | None = None,
    pixel_limit: int = DEFAULT_PIXEL_LIMIT,
) -> ByRatio[Animation]:
    """Return `render_plan` with every frame of an animation, all cut by the one box that was planned."""
    handler = _planned(plan, source, size, orientation, pixel_limit)
    check_planned(plan, handler)
    made = cut_plan(plan, handler.animation(), size=size, enlarge=enlarge, pixel_limit=pixel_limit)
    _warn_of_enlarged(made, plan)
    return _by_ratio(made)


def planned_handler(
    plan: CropPlan, source: Source, *, size: SizeLike | None = None, pixel_limit: int = DEFAULT_PIXEL_LIMIT
) -> ImageRequestHandler:
    """Return a handler for a planned picture, whose one decode has the pixels that the frames need."""
    return ImageRequestHandler(source, pixel_limit=pixel_limit, expects=pixels_needed(plan, size) or all_pixels)


def check_planned(plan: CropPlan, handler: ImageRequestHandler) -> None:
    """Raise InvalidPlanError where a handler holds another picture than the planned one."""
    size = handler.image.size
    if size != plan.size:
        raise InvalidPlanError(
            f"the plan is for a picture of {plan.size}, got one of {size}",
            remedy="give the picture that was planned, or plan this one",
            source=handler.name,
        )
    if not _is_planned(plan, handler):
        raise InvalidPlanError(
            f"is not the picture that was planned: its SHA-256 is not {plan.sha256[:12]}...",
            remedy="give the picture that was planned, or plan this one",
            source=handler.name,
        )


def _is_planned(plan: CropPlan, handler: ImageRequestHandler) -> bool:
    """Whether the handler's picture is the planned one: by its hash, or by its pixels where one was in memory."""
    if plan.picture in IN_MEMORY or handler.opened.sha256 == plan.sha256:
        return True
    if handler.opened.is_in_memory:  # planned from a file; is this the same file, opened by somebody else?
        name = handler.opened.name
        return name not in IN_MEMORY and os.path.isfile(name) and fingerprint(name) == plan.sha256
    return hash_of_pixels(np.asarray(handler.picture().picture)) == plan.sha256


def parse_ratios(ratios: RatioLike | Iterable[RatioLike]) -> list[AspectRatio]:
    """Read one ratio or many; a pair of numbers is one ratio."""
    if isinstance(ratios, (str, AspectRatio, Size)) or is_number(ratios) or is_pair(ratios):
        return [AspectRatio.parse(ratios)]  # type: ignore[arg-type]
    if not isinstance(ratios, Iterable):
        return [AspectRatio.parse(ratios)]
    listed = list(ratios)
    if not listed:
        raise InvalidValueError("expected at least one ratio, got none", remedy="e.g. ['1:1', '16:9']")
    return list(dict.fromkeys(AspectRatio.parse(r) for r in listed))


def _options(handler: ImageRequestHandler, *, must_keep: Kept, avoid: Boxes, **framing: Any) -> FramingOptions:
    kept: list[Box] = []
    for item in _listed(must_keep):
        if isinstance(item, str) and item in known_detectors():
            kept += boxes_to_keep(handler, item)
        else:
            kept.append(_box(item))
    return FramingOptions(must_keep=tuple(kept), avoid=tuple(map(_box, _listed(avoid))), **framing)


def _listed(boxes: Any) -> list[Any]:
    """One box, one name or several of them, as a list."""
    if isinstance(boxes, (str, Box)):
        return [boxes]
    listed = list(boxes) if isinstance(boxes, Iterable) else [boxes]
    return [tuple(listed)] if len(listed) == 4 and all(map(is_number, listed)) else listed


def _box(item: Any) -> Box:
    if isinstance(item, str) and "," not in item:
        raise InvalidValueError(
            f"expected a box or a detector's name, got {item!r}",
            remedy=f"give a box as LEFT,TOP,RIGHT,BOTTOM in 0..1, or one of {', '.join(known_detectors())}",
        )
    return Box.parse(item)


def _planned(
    plan: CropPlan,
    source: Source | ImageRequestHandler,
    size: SizeLike | None,
    orientation: int | None,
    pixel_limit: int,
) -> ImageRequestHandler:
    if not isinstance(plan, CropPlan):
        raise InvalidPlanError(
            f"expected a CropPlan, got {type(plan).__name__}", remedy="read it with CropPlan.from_json or from_dict"
        )
    if isinstance(source, ImageRequestHandler):
        return source
    expects = pixels_needed(plan, size) or all_pixels
    return ImageRequestHandler(source, orientation=orientation, pixel_limit=pixel_limit, expects=expects)


def _by_ratio(made: Sequence[Crop[Any]]) -> ByRatio[Any]:
    ratios = dict.fromkeys(c.ratio for c in made)
    return ByRatio({ratio: tuple(c.picture for c in made if c.ratio == ratio) for ratio in ratios})


def _warn_of_enlarged(made: Sequence[Crop[Any]], plan: CropPlan) -> None:
    for one in made:
        if one.enlarged > 1:
            warnings.warn(
                f"{plan.picture}: the {one.ratio} crop is enlarged {one.enlarged:.1f} times; "
                "enlarge=False keeps the frame's own pixels",
                EnlargedWarning,
                stacklevel=3,
            )
