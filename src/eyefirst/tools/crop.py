"""Crop to any aspect ratio, keeping what matters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

from PIL import Image as PillowImage

from eyefirst.cut import Crop, check_pixels, cut_frame, cut_plan, pixels_expected, pixels_needed, resized, result_size
from eyefirst.errors import EnlargedWarning, InvalidPlanError, InvalidValueError
from eyefirst.framing import Fit, Frame, Portrait, Prefer
from eyefirst.geometry import AspectRatio, Box, RatioLike, Size, SizeLike
from eyefirst.handler import ImageRequestHandler, all_pixels, handler_of
from eyefirst.image import DEFAULT_PIXEL_LIMIT, IN_MEMORY, Animation, Source, matches
from eyefirst.network import Network
from eyefirst.numeric import is_within
from eyefirst.observations import FaceObservation, SaliencyObservation
from eyefirst.plan import ByRatio, CropPlan
from eyefirst.requests import AttentionSaliencyRequest, FaceRectanglesRequest, ObjectnessSaliencyRequest
from eyefirst.tools.planning import Boxes, Kept, options_of, plan_from

CropTarget = Literal["attention", "best", "union"]


def attention(source: Source | ImageRequestHandler) -> SaliencyObservation:
    """Return where people look first."""
    return handler_of(source).perform([AttentionSaliencyRequest()])[0]


def objects(source: Source | ImageRequestHandler) -> SaliencyObservation:
    """Return the foreground subjects."""
    return handler_of(source).perform([ObjectnessSaliencyRequest()])[0]


def faces(source: Source | ImageRequestHandler) -> FaceObservation:
    """Return where faces are."""
    return handler_of(source).perform([FaceRectanglesRequest()])[0]


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
    return list(cut_plan(plan, picture, size=size, enlarge=enlarge, pixel_limit=handler.pixel_limit))


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

    The result is upright, sRGB, RGB or RGBA as the original; at full resolution, or resized to fit into
    `size`. enlarge: whether it may have more pixels than its frame; an EnlargedWarning says when it has.
    """
    wanted = AspectRatio.parse(ratio)
    expects = pixels_expected([wanted], [None if size is None else Size.parse(size)]) or all_pixels
    handler = handler_of(source, orientation=orientation, network=network, expects=expects)
    options, detectors = options_of(
        tightness=tightness,
        margin=margin,
        must_keep=must_keep,
        avoid=avoid,
        pad=pad,
        prefer=prefer,
        portrait=portrait,
        fit=fit,
    )
    plan = plan_from(handler, [wanted], options=options, detectors=detectors, revision=revision)
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
    """Return `crop_to` for a handler's picture; with `animated`, an animation cut in all its frames.

    Raises InvalidValueError where the result is too large.
    """
    if target not in ("attention", "best", "union"):
        raise InvalidValueError(f"expected 'attention', 'best' or 'union', got {target!r}", remedy="choose one")
    if not is_within(margin, 0, 1):
        raise InvalidValueError(f"expected a margin in 0..1, got {margin!r}", remedy="0.1 leaves a tenth on each side")
    kind = AttentionSaliencyRequest if target == "attention" else ObjectnessSaliencyRequest
    found = handler.perform([kind(revision=revision)])[0]
    box = found.union_box if target == "union" or not found.salient_objects else found.salient_objects[0].box
    full = handler.image.size
    frame = Frame((box.expanded(float(margin)) if box else Box.whole()).to_pixels(full), 1.0, (), 0.0)
    ratio = AspectRatio.parse(frame.size)
    asked = result_size(frame, ratio, None if size is None else Size.parse(size), enlarge=enlarge)
    animated = animated and handler.is_animated
    check_pixels([asked], handler.pixel_limit, handler.image.frame_count if animated else 1)
    picture: Any = handler.animation() if animated else handler.picture().picture
    return resized(cut_frame(picture, frame, planned=full), asked)


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
    made = list(cut_plan(plan, handler.animation(), size=size, enlarge=enlarge, pixel_limit=pixel_limit))
    _warn_of_enlarged(made, plan)
    return _by_ratio(made)


def planned_handler(
    plan: CropPlan,
    source: Source,
    *,
    size: SizeLike | None = None,
    orientation: int | None = None,
    pixel_limit: int = DEFAULT_PIXEL_LIMIT,
) -> ImageRequestHandler:
    """Return a handler for a planned picture, which expects the cut that the frames need."""
    expects = pixels_needed(plan, size) or all_pixels
    return ImageRequestHandler(source, orientation=orientation, pixel_limit=pixel_limit, expects=expects)


def check_planned(plan: CropPlan, handler: ImageRequestHandler) -> None:
    """Raise InvalidPlanError where a handler holds another picture than the planned one, or the plan no frame."""
    if not any(plan.frames.values()):
        raise InvalidPlanError("holds no frame", remedy="plan the picture for a ratio", source=plan.picture)
    size = handler.image.size
    if size != plan.size:
        raise InvalidPlanError(
            f"the plan is for a picture of {plan.size}, got one of {size}",
            remedy="give the picture that was planned, or plan this one",
            source=handler.name,
        )
    if plan.picture not in IN_MEMORY and not matches(handler.opened, plan.sha256):
        raise InvalidPlanError(
            f"is not the picture that was planned: its SHA-256 is not {plan.sha256[:12]}...",
            remedy="give the picture that was planned, or plan this one",
            source=handler.name,
        )


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
    return planned_handler(plan, source, size=size, orientation=orientation, pixel_limit=pixel_limit)


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
