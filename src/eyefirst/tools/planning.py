"""Plans of crops: from a picture and what is asked of it to the best frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, TypeAlias

import numpy as np
import PIL.Image

from eyefirst.boxes import SalientObject
from eyefirst.cut import pixels_expected
from eyefirst.detectors import known_detectors, load_detector
from eyefirst.errors import InvalidValueError
from eyefirst.face_maps import DetectedFace
from eyefirst.framing import Fit, Framer, FramingOptions, Placement, Portrait, Prefer
from eyefirst.geometry import AspectRatio, Box, BoxLike, Point, RatioLike, Size
from eyefirst.handler import ImageRequestHandler, all_pixels, handler_of
from eyefirst.heat_map import HeatMap
from eyefirst.image import DEFAULT_PIXEL_LIMIT, Image, Source, inside_borders
from eyefirst.mappings import MAP_SIDE
from eyefirst.maps import Look
from eyefirst.network import Network, check_revision
from eyefirst.numeric import as_whole, is_pair, is_several, listed
from eyefirst.observations import FaceObservation, RecognizedText, SaliencyObservation, TextObservation
from eyefirst.plan import ByRatio, CropPlan
from eyefirst.requests import FaceRectanglesRequest, TextRecognitionRequest

Found: TypeAlias = (
    DetectedFace | SalientObject | RecognizedText | FaceObservation | SaliencyObservation | TextObservation
)
"""What has a box, or several: also what `faces`, `objects` and `texts` return."""
Boxes: TypeAlias = BoxLike | Found | Sequence[BoxLike | Found]
Kept: TypeAlias = Boxes
"""What must stay inside: boxes, what was found, or names of detectors."""


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
    ratio at most, no two near-copies. must_keep: boxes in 0..1 that must be inside, what was found, such as
    `eyefirst.faces(source)`, or names of detectors whose finds must be: "faces" or "text". avoid: boxes, or what was
    found, to stay clear of. For the rest see FramingOptions.

    Raises PictureError for a picture that cannot be used, InvalidValueError for a bad argument.
    """
    handler = handler_of(source, orientation=orientation, network=network)
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
    return plan_from(handler, ratios, alternatives, options=options, detectors=detectors, revision=revision)


def plan_from(
    handler: ImageRequestHandler,
    ratios: RatioLike | Iterable[RatioLike],
    alternatives: int = 1,
    *,
    options: FramingOptions | None = None,
    detectors: Sequence[str] = (),
    revision: str | None = None,
) -> CropPlan:
    """Return `plan_crops` for options that are checked already; what the named detectors find is kept whole too."""
    wanted = parse_ratios(ratios)
    count = as_whole(alternatives)
    if count is None or count < 1:
        raise InvalidValueError(f"expected at least 1 alternative, got {alternatives!r}", remedy="leave it out for 1")
    found = {name: boxes_to_keep(handler, name) for name in dict.fromkeys(detectors)}
    if any(found.values()):
        options = options or FramingOptions()
        options = replace(
            options, must_keep=options.must_keep + tuple(box for boxes in found.values() for box in boxes)
        )
    seen = handler.look(revision)
    framer = framer_of(handler, seen, options, words=found.get("text", ()))
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
        frames=ByRatio({ratio: framer.frames(ratio, count) for ratio in wanted}),
    )


def framer_of(
    handler: ImageRequestHandler,
    seen: Look,
    options: FramingOptions | None = None,
    *,
    words: Sequence[Box] = (),
) -> Framer:
    """Return what finds frames for a picture that was looked at. words: lines of text, where they were read."""
    if not words and seen.text is None and options and options.prefer == "text":
        words = boxes_to_keep(handler, "text")
    largest = options is not None and options.fit == "largest"
    return Framer(
        handler.image.size,
        seen.attention.heat_map,
        seen.objects.heat_map,
        seen.objects.salient_objects,
        options,
        faces=seen.faces,
        words=words or seen.text_boxes,
        inside=None if largest else inside_borders(handler.image.pixels),
        brightness=brightness_of(handler.image),
    )


def brightness_of(image: Image) -> HeatMap:
    """Return the luma (ITU-R BT.601) on the grid of the heat maps; each cell is the mean of 16 of its pixels."""
    fine = (4 * MAP_SIDE, 4 * MAP_SIDE)
    small = PIL.Image.fromarray(image.pixels).resize(fine, PIL.Image.Resampling.NEAREST).convert("L").reduce(4)
    return HeatMap(np.asarray(small, np.float32) / np.float32(255))


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


def anchor_from(
    handler: ImageRequestHandler,
    placement: Placement,
    *,
    options: FramingOptions | None = None,
    revision: str | None = None,
) -> Anchor:
    """Return what a tool needs that takes one point for all ratios; `placement` as in `Framer.anchor`."""
    seen = handler.look(revision)
    return Anchor(framer_of(handler, seen, options).anchor(placement), seen.attention.salient_objects[0].box)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOrder:
    """A plan as it is asked for, checked before any picture is looked at.

    ratios: at least one, each once. alternatives: frames a ratio at most. detectors: names of those whose finds are
    kept whole, beside the boxes in `options`. Raises InvalidValueError, and UnknownRevisionError.
    """

    ratios: tuple[AspectRatio, ...]
    alternatives: int = 1
    options: FramingOptions = field(default_factory=FramingOptions)
    detectors: tuple[str, ...] = ()
    revision: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratios", tuple(parse_ratios(self.ratios)))
        object.__setattr__(self, "revision", check_revision(self.revision))

    @classmethod
    def parse(
        cls, *, must_keep: Sequence[str] = (), avoid: Sequence[str] = (), revision: str = "", **given: Any
    ) -> Self:
        """Read texts; an empty text or None is the default.

        must_keep: boxes such as "0.1,0.2,0.5,0.9", or names of detectors. given: further fields, also those of
        FramingOptions. Raises InvalidValueError, and UnknownRevisionError.
        """
        own = {f.name: given.pop(f.name) for f in fields(cls) if f.name in given}
        framing = {name: value for name, value in given.items() if value is not None and value != ""}
        options, detectors = options_of(must_keep=must_keep, avoid=avoid, **framing)
        return cls(options=options, detectors=detectors, revision=revision or None, **own)

    def plan(self, handler: ImageRequestHandler) -> CropPlan:
        """Return the plan for the picture that a handler holds; raises as `plan_crops` does."""
        return plan_from(
            handler,
            self.ratios,
            self.alternatives,
            options=self.options,
            detectors=self.detectors,
            revision=self.revision,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CropOrder(PlanOrder):
    """A crop as the command line and the service are asked for it.

    size: each result is resized to fit into it; without a ratio it gives that. enlarge: whether a result may have more
    pixels than its frame.
    """

    ratios: tuple[AspectRatio, ...] = ()
    size: Size | None = None
    enlarge: bool = True

    def __post_init__(self) -> None:
        if not self.ratios and not self.size:
            raise InvalidValueError("no ratio was asked for", remedy="give a ratio such as 16:9, or a size")
        object.__setattr__(self, "ratios", self.ratios or (self.size,))
        object.__setattr__(self, "size", Size.parse(self.size) if self.size else None)
        PlanOrder.__post_init__(self)

    def handler(self, source: Source, *, pixel_limit: int = DEFAULT_PIXEL_LIMIT) -> ImageRequestHandler:
        """Return a handler whose one decode serves the analysis and, as far as can be known, the cut."""
        expects = pixels_expected(self.ratios, [self.size]) or all_pixels
        return ImageRequestHandler(source, pixel_limit=pixel_limit, expects=expects)


def parse_ratios(ratios: RatioLike | Iterable[RatioLike]) -> list[AspectRatio]:
    """Read one ratio or many; a pair of numbers is one ratio."""
    if isinstance(ratios, (AspectRatio, Size)) or is_pair(ratios) or not is_several(ratios):
        return [AspectRatio.parse(ratios)]  # type: ignore[arg-type]
    several = list(ratios)
    if not several:
        raise InvalidValueError("expected at least one ratio, got none", remedy="for example ['1:1', '16:9']")
    return list(dict.fromkeys(AspectRatio.parse(r) for r in several))


def options_of(*, must_keep: Kept, avoid: Boxes, **framing: Any) -> tuple[FramingOptions, tuple[str, ...]]:
    """Return the checked options, and the names of the detectors whose finds must be kept, each once.

    must_keep: boxes, texts such as "0.1,0.2,0.5,0.9", and names such as "faces". framing: further fields of
    FramingOptions. Raises InvalidValueError.
    """
    kept: list[Box] = []
    names: list[str] = []
    for item in _each(must_keep):
        if isinstance(item, str) and item in known_detectors():
            names.append(item)
        else:
            kept.append(_box(item))
    options = FramingOptions(must_keep=tuple(kept), avoid=tuple(map(Box.parse, _each(avoid))), **framing)
    return options, tuple(dict.fromkeys(names))


def _each(given: Any) -> Iterator[Any]:
    """One or several as they were given; of an observation what was found, and of that the boxes."""
    for item in listed(given):
        found: Sequence[Any] = (item,)
        if isinstance(item, FaceObservation):
            found = item.faces
        elif isinstance(item, SaliencyObservation):
            found = item.salient_objects
        elif isinstance(item, TextObservation):
            found = item.texts
        yield from (one.box if isinstance(one, (DetectedFace, SalientObject, RecognizedText)) else one for one in found)


def _box(item: Any) -> Box:
    if isinstance(item, str) and "," not in item:
        raise InvalidValueError(
            f"expected a box or a detector's name, got {item!r}",
            remedy=f"give a box as LEFT,TOP,RIGHT,BOTTOM in 0..1, or one of {', '.join(known_detectors())}",
        )
    return Box.parse(item)
