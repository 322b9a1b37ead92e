"""Maps, boxes, a ratio and constraints in; ranked frames out.

The score of a frame is the share of the attention inside, plus a premium for subjects that it could hold
whole: for each, a share of the attention on it, times the square of how much of it is inside. Half a
subject earns a quarter, so it is better to keep one of two whole than to cut both; a subject that is larger than any
frame of this size earns a premium for its top alone, where heads are: attention knows best what else matters. Between
two neighbouring places where a frame's edge meets the edge of a cell, of a subject or of a constraint,
the score along each axis is convex; so the best frame of all lies where such edges meet, and trying
only those places is an exact search. Every trial costs a few look-ups in summed-area tables.

Nothing here looks for the brightest point: cropping round a single maximum was shown to be biased
and brittle (Yee, Tantipongpipat and Mishra, CSCW 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eyefirst.boxes import SalientObject, attention_box
from eyefirst.colours import parse_colour
from eyefirst.errors import InvalidValueError
from eyefirst.geometry import AspectRatio, Box, PixelBox, Point, Size, round_half_up
from eyefirst.heat_map import HeatMap, masses_between, summed_area_table

Places = NDArray[np.float64]
Placement = Literal["share", "centre"]
"""What a tool makes of a point: see `Framer.anchor`."""

SUBJECT_PREMIUM = 0.3
"""What a whole subject adds, as a share of the attention on it. Measured on held-back photos: 0.3 leaves
about a quarter fewer subjects cut than 0, and costs 0.04 of the gap closed; more costs more for little."""
MUST_KEEP_WEIGHT = 100.0
AVOID_WEIGHT = 10.0
CENTRE_PREFERENCE = 1e-4
"""Settles ties towards the picture's centre."""
ALTERNATIVE_SCALES = (1.0, 0.85, 0.7)
"""Sizes of alternatives beside the first frame's."""
TOP_SHARE, TOP_PREMIUM = 0.15, 0.6
"""Of a subject that cannot be whole, the top 15 % add this share of its premium: feet are cut before heads are.
Measured on held-back photos: of subjects too tall for their frame 13 % lose most of their top; with 0.3 it is 20 %, and
0.013 more of the gap is closed, with 1 it is 7 %, and 0.025 less."""
NEAR_COPY_IOU = 0.8
"""Frames that overlap by more than this are copies of one another."""
NEARLY_WHOLE, WHOLE = 0.9, 0.97
"""A subject kept to the latter share counts as whole: masks are soft at their edges. One that can be kept to the former
at most is too large for its frame; between them the two rules are mixed, so that no small change turns a plan over."""
ANCHOR_LENGTHS = tuple(round(0.25 + 0.05 * i, 2) for i in range(14))
"""Frames that one point has to serve: from a quarter of the picture's width or height to nine tenths."""
PAD_STYLES = ("blur", "extend")
"""Beside any CSS colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramingOptions:
    """What frames have to respect.

    tightness: 0 is the largest frame of the ratio, 1 the smallest that still holds the salient box.
    margin: free space round what is to be kept, as a share of its own width and height.
    must_keep: boxes that have to lie inside; avoid: boxes that should not.
    pad: None, or how to fill what a frame lacks where subjects cannot fit: "blur", "extend", or a
    CSS colour.
    """

    tightness: float = 0.0
    margin: float = 0.05
    must_keep: tuple[Box, ...] = ()
    avoid: tuple[Box, ...] = ()
    pad: str | None = None

    def __post_init__(self) -> None:
        for name, most in (("tightness", 1.0), ("margin", 1.0)):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 <= value <= most:
                raise InvalidValueError(f"expected {name} in 0..{most:g}, got {value!r}", remedy="0 is the default")
        if self.pad is not None and self.pad not in PAD_STYLES:
            try:
                parse_colour(self.pad)
            except InvalidValueError:
                raise InvalidValueError(
                    f"expected 'blur', 'extend' or a CSS colour as padding, got {self.pad!r}",
                    remedy="e.g. white or #f4f4f4",
                ) from None
        for name in ("must_keep", "avoid"):
            object.__setattr__(self, name, tuple(Box.parse(b) for b in getattr(self, name)))

    def to_dict(self) -> dict[str, Any]:
        """Return the options by name, for JSON."""
        return {
            "tightness": self.tightness,
            "margin": self.margin,
            "must_keep": [b.to_dict() for b in self.must_keep],
            "avoid": [b.to_dict() for b in self.avoid],
            "pad": self.pad,
        }

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> FramingOptions:
        """Read what `to_dict` wrote."""
        boxes = {n: tuple(Box(**b) for b in options[n]) for n in ("must_keep", "avoid")}
        return cls(tightness=options["tightness"], margin=options["margin"], pad=options["pad"], **boxes)


@dataclass(frozen=True, slots=True)
class Padding:
    """Pixels to be added on each side, at the scale of the upright picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __post_init__(self) -> None:
        if any(not isinstance(v, int) or v < 0 for v in self.to_dict().values()):
            raise InvalidValueError(
                f"expected whole pixels of at least 0, got {self.to_dict()}", remedy="0 is no padding"
            )

    def scaled(self, across: float, down: float) -> Padding:
        """For a picture of another size."""
        return Padding(
            round_half_up(self.left * across),
            round_half_up(self.top * down),
            round_half_up(self.right * across),
            round_half_up(self.bottom * down),
        )

    def to_dict(self) -> dict[str, int]:
        """For JSON."""
        return {n: getattr(self, n) for n in ("left", "top", "right", "bottom")}


@dataclass(frozen=True, slots=True)
class Frame:
    """One crop: where it lies and what it keeps.

    box: in pixels of the upright picture. padding: None, or what has to be added round the box to
    reach the ratio. kept: share of the attention inside, 0..1. kept_objects: for each subject of the
    plan, in its order, the share of it inside. score: what ranked the frame. warnings: plain words
    about whatever is lost.
    """

    box: PixelBox
    kept: float
    kept_objects: tuple[float, ...]
    score: float
    padding: Padding | None = None
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        """Of the result, padding included, before any resizing."""
        pad = self.padding or Padding()
        return Size(self.box.width + pad.left + pad.right, self.box.height + pad.top + pad.bottom)

    def to_dict(self) -> dict[str, Any]:
        """Return the frame's fields by name, for JSON."""
        return {
            "box": self.box.to_dict(),
            "padding": self.padding.to_dict() if self.padding else None,
            "kept": self.kept,
            "kept_objects": list(self.kept_objects),
            "score": self.score,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, frame: Mapping[str, Any]) -> Frame:
        """Read what `to_dict` wrote."""
        return cls(
            box=PixelBox(**frame["box"]),
            kept=float(frame["kept"]),
            kept_objects=tuple(float(k) for k in frame["kept_objects"]),
            score=float(frame["score"]),
            padding=Padding(**frame["padding"]) if frame["padding"] else None,
            warnings=tuple(str(w) for w in frame["warnings"]),
        )


class Framer:
    """Finds frames for one picture; what does not depend on the ratio is prepared once.

    size: of the upright picture. attention, objectness: its heat maps. objects: its subjects.
    """

    def __init__(
        self,
        size: Size,
        attention: HeatMap,
        objectness: HeatMap,
        objects: Sequence[SalientObject],
        options: FramingOptions | None = None,
    ) -> None:
        self.size = size
        self.options = options or FramingOptions()
        self.objects = tuple(objects)
        self._attention = attention
        self._objectness = objectness
        self._tables = np.stack([attention.table, *(_table_of(objectness, o.box) for o in self.objects)])
        self._premiums = [SUBJECT_PREMIUM * o.confidence * attention.mass_in(o.box) for o in self.objects]

    @cached_property
    def _top_tables(self) -> list[NDArray[np.float64]]:
        """Of each subject's top; only where one cannot be whole are they wanted."""
        return [_table_of(self._objectness, _top_of(o.box)) for o in self.objects]

    def frames(self, ratio: AspectRatio, alternatives: int = 1) -> tuple[Frame, ...]:
        """Up to `alternatives` frames, best first, no two near-copies of one another."""
        largest = ratio.largest_in(self.size)
        size = self._frame_size(ratio, largest)
        if size.width > self.size.width or size.height > self.size.height:
            return (self._padded(size),)
        chosen: list[tuple[float, PixelBox]] = []
        for scale in ALTERNATIVE_SCALES if alternatives > 1 else ALTERNATIVE_SCALES[:1]:
            scaled = size if scale == 1 else _of_width(size.width * scale, ratio, size)
            left, top, score = self._scored(scaled)
            order = np.argsort(-score, kind="stable")
            while len(order) and len(chosen) < alternatives:
                best = order[0]
                box = self._pixel_box(float(left[best]), float(top[best]), scaled)
                if all(_iou(box, other) <= NEAR_COPY_IOU for _, other in chosen):
                    chosen.append((float(score[best]), box))
                overlap_x = 1 - np.abs(left[order] - left[best]) / (scaled.width / self.size.width)
                overlap_y = 1 - np.abs(top[order] - top[best]) / (scaled.height / self.size.height)
                overlap = np.clip(overlap_x, 0, 1) * np.clip(overlap_y, 0, 1)
                order = order[overlap / (2 - overlap) <= NEAR_COPY_IOU]
            if len(chosen) == alternatives:
                break
        first, *others = [self.frame(box, score=score) for score, box in chosen]
        return (first, *sorted(others, key=lambda f: -f.score))

    def frame(self, box: PixelBox, *, score: float = 0.0, padding: Padding | None = None) -> Frame:
        """A frame at a given place, with what it keeps."""
        share = box.normalized(self.size)
        edges = np.array([[share.left], [share.right], [share.top], [share.bottom]])
        inside = np.clip(masses_between(self._tables, *edges).ravel(), 0, 1)  # sums are rounded
        kept, *kept_objects = inside.tolist()
        return Frame(box, kept, tuple(kept_objects), score, padding, self._warnings(share, kept_objects))

    def anchor(self, placement: Placement) -> Point:
        """The one point that serves the largest frames of all ratios best, for tools that take a point and no frame.

        placement: what such a tool makes of it. "share", as CSS `object-position` and Wagtail: a point at 30 % of
        the width leaves 30 % of what is cut off on the left. "centre", as Thumbor: the point is the frame's middle,
        as far as the picture reaches. A largest frame moves along one axis only, so x and y are searched apart.
        """
        density = self._attention.density()
        across = [(o.box.left, o.box.right) for o in self.objects]
        down = [(o.box.top, o.box.bottom) for o in self.objects]
        return Point(
            _anchor(density.sum(0), across, self._premiums, placement),
            _anchor(density.sum(1), down, self._premiums, placement),
        )

    def salient_box(self) -> Box:
        """What a tight frame has to hold: must-keep boxes, else the subjects, else the attention box; with margin."""
        boxes = list(self.options.must_keep) or [o.box for o in self.objects] or [attention_box(self._attention)]
        return reduce(Box.union, boxes).expanded(self.options.margin)

    def _frame_size(self, ratio: AspectRatio, largest: Size) -> Size:
        """Between the largest frame and the one just round the salient box; beyond the picture only with padding."""
        if self.options.pad is None and self.options.tightness == 0:
            return largest
        target = self.salient_box()
        width = max(target.width * self.size.width, target.height * self.size.height * float(ratio))
        if self.options.pad is not None and width > largest.width + 1:
            return _of_width(width, ratio)
        tight = min(width, largest.width)
        return _of_width(largest.width + (tight - largest.width) * self.options.tightness, ratio, largest)

    def _scored(self, size: Size) -> tuple[Places, Places, Places]:
        """Left and top, in shares of the picture, and score of every frame of that size worth trying."""
        rows, columns = self._objectness.values.shape
        wide, high = size.width / self.size.width, size.height / self.size.height
        constraints = (*self.options.must_keep, *self.options.avoid)
        lefts = _starts(columns, wide, [e for b in constraints for e in (b.left, b.right)])
        tops = _starts(rows, high, [e for b in constraints for e in (b.top, b.bottom)])
        edges = lefts, np.minimum(lefts + wide, 1.0), tops, np.minimum(tops + high, 1.0)
        score, *insides = masses_between(self._tables, *edges)
        for i, (inside, premium) in enumerate(zip(insides, self._premiums, strict=True)):
            fits = min(max((inside.max() - NEARLY_WHOLE) / (WHOLE - NEARLY_WHOLE), 0.0), 1.0)
            score += fits * premium * inside**2
            if fits < 1:
                score += (1 - fits) * TOP_PREMIUM * premium * masses_between(self._top_tables[i], *edges)
        for boxes, weight in ((self.options.must_keep, MUST_KEEP_WEIGHT), (self.options.avoid, -AVOID_WEIGHT)):
            for box in boxes:
                score += weight * _cover(box, *edges)
        score -= CENTRE_PREFERENCE * np.abs(lefts + wide / 2 - 0.5)
        score -= CENTRE_PREFERENCE * np.abs(tops + high / 2 - 0.5)[:, None]
        left, top = np.meshgrid(lefts, tops)
        return left.ravel(), top.ravel(), score.ravel()

    def _pixel_box(self, left: float, top: float, size: Size) -> PixelBox:
        x = min(round_half_up(left * self.size.width), self.size.width - size.width)
        y = min(round_half_up(top * self.size.height), self.size.height - size.height)
        return PixelBox(x, y, x + size.width, y + size.height)

    def _padded(self, size: Size) -> Frame:
        """A frame larger than the picture: as much of the picture as it can show, and padding round it."""
        inner = Size(min(size.width, self.size.width), min(size.height, self.size.height))
        left, top, score = self._scored(inner)
        best = int(score.argmax())
        box = self._pixel_box(float(left[best]), float(top[best]), inner)
        x, y = size.width - inner.width, size.height - inner.height
        return self.frame(box, score=float(score[best]), padding=Padding(x // 2, y // 2, x - x // 2, y - y // 2))

    def _warnings(self, share: Box, kept_objects: Sequence[float]) -> tuple[str, ...]:
        words = []
        for i, (kept, subject) in enumerate(zip(kept_objects, self.objects, strict=True), 1):
            name = "the subject" if len(self.objects) == 1 else f"subject {i} (confidence {subject.confidence:.2f})"
            if kept < WHOLE:
                words.append(f"{round_half_up(100 * (1 - kept))} % of {name} lost")
        for i, box in enumerate(self.options.must_keep, 1):
            lost = 1 - share.overlap(box) / box.area
            if lost > 0.005:
                words.append(f"{round_half_up(100 * lost)} % of must-keep box {i} lost")
        for i, box in enumerate(self.options.avoid, 1):
            inside = share.overlap(box) / box.area
            if inside > 0.005:
                words.append(f"{round_half_up(100 * inside)} % of avoid box {i} inside")
        return tuple(words)


def _top_of(box: Box) -> Box:
    return Box(box.left, box.top, box.right, box.top + TOP_SHARE * box.height)


def _table_of(objectness: HeatMap, box: Box) -> NDArray[np.float64]:
    """Sums of the map inside the cells that a box touches, as shares; all of the box alike where the map is empty."""
    rows, columns = objectness.values.shape
    inside = np.zeros((rows, columns))
    top, bottom = int(box.top * rows), int(np.ceil(box.bottom * rows))
    left, right = int(box.left * columns), int(np.ceil(box.right * columns))
    part = objectness.values[top:bottom, left:right]
    inside[top:bottom, left:right] = part if part.any() else 1.0
    return summed_area_table(inside / inside.sum())


def _starts(cells: int, length: float, edges: Sequence[float]) -> NDArray[np.float64]:
    """Where a frame of this length (0..1) may begin so that one of its ends meets an edge of interest."""
    room = 1 - length
    if room <= 1e-9:
        return np.zeros(1)
    interesting = np.concatenate([np.arange(cells + 1) / cells, np.asarray(edges, np.float64)])
    starts = np.concatenate([interesting, interesting - length, [0.0, room / 2, room]])
    return np.unique(starts[(starts >= 0) & (starts <= room)])


def _anchor(
    profile: NDArray[np.float64], spans: Sequence[tuple[float, float]], premiums: Sequence[float], placement: Placement
) -> float:
    """The best place on one axis, 0..1. profile: attention along it. spans: of the subjects, each with its premium."""
    edges = np.arange(len(profile) + 1) / len(profile)
    sums = np.concatenate([[0.0], profile.cumsum()])
    places = np.linspace(0, 1, 2 * len(profile) + 1)
    lengths = np.array(ANCHOR_LENGTHS)[:, None]
    start = places * (1 - lengths) if placement == "share" else np.clip(places - lengths / 2, 0, 1 - lengths)
    stop = start + lengths
    kept = np.interp(stop, edges, sums) - np.interp(start, edges, sums)
    for (low, high), premium in zip(spans, premiums, strict=True):
        inside = np.clip(np.minimum(stop, high) - np.maximum(start, low), 0, None) / (high - low)
        kept += np.where(high - low <= lengths, premium * inside**2, 0)
    score = kept.mean(0) - CENTRE_PREFERENCE * np.abs(places - 0.5)
    return float(places[score.argmax()])


def _cover(box: Box, left: Places, right: Places, top: Places, bottom: Places) -> NDArray[np.float64]:
    """Share of a box inside the frames of every column with every row, (rows, columns)."""
    width = np.clip(np.minimum(right, box.right) - np.maximum(left, box.left), 0, None)
    height = np.clip(np.minimum(bottom, box.bottom) - np.maximum(top, box.top), 0, None)
    return np.asarray(height[:, None] * width / box.area)


def _of_width(width: float, ratio: AspectRatio, most: Size | None = None) -> Size:
    """A frame of the ratio, whichever side is longer kept exact to the rounding rule."""
    size = Size(max(round_half_up(width), 1), max(round_half_up(width / float(ratio)), 1))
    return Size(min(size.width, most.width), min(size.height, most.height)) if most else size


def _iou(a: PixelBox, b: PixelBox) -> float:
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    both = max(width, 0) * max(height, 0)
    return both / (a.width * a.height + b.width * b.height - both)
