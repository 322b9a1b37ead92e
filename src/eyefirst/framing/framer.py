"""Maps, boxes, a ratio and options in; ranked frames out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np

from eyefirst.boxes import SalientObject, attention_box
from eyefirst.face_maps import DetectedFace
from eyefirst.framing.content import Array, Content, FaceLike, content_of, masses_in
from eyefirst.framing.judge import Finding, findings, reason_for, remarks, risk_of, severity_of, shares_inside
from eyefirst.framing.options import Frame, FramingOptions, Padding
from eyefirst.framing.portrait import portrait_places
from eyefirst.framing.score import WEIGHTS, Weights, score_along, unaided
from eyefirst.framing.search import (
    ANCHOR_PLACES,
    BREATHING_SCALES,
    Best,
    Placement,
    Places,
    Search,
    anchored,
    fits_of,
    of_width,
    places_of_sizes,
)
from eyefirst.framing.spans import Axis, Spans
from eyefirst.geometry import AspectRatio, Box, PixelBox, Point, Size, round_half_up
from eyefirst.heat_map import HeatMap, summed_area_table

ALTERNATIVE_SCALES = (1.0, 0.85, 0.7)
"""Sizes of alternatives beside the first frame's."""
NEAR_COPY_IOU = 0.8
"""Frames that overlap by more than this are copies of one another."""
SECOND_LOOK = 0.15
"""Beside a frame whose severity or risk is more than this, others are judged too."""
CUT_PRICE, RISK_PRICE = 0.043, 0.088
"""What each cut of severity 1 costs, and the risk that an editor sends it back, as shares of the attention kept."""
APART, MOST_JUDGED = 1 / 68, 32
"""Judged places lie so far apart, in shares of the picture, and are no more than that for each size."""
SPARED = 0.15
"""How much less alarming a smaller frame has to be."""
DIFFERENT_CHOICES = 6
"""How many of the best places of one size are looked at for an alternative that keeps something else."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame that may win, judged.

    share: its place in 0..1 of the picture. kept, kept_objects, score: as in Frame. things: share of each thing inside.
    findings: what an editor would remark on. alarm: the larger of their severity and their risk. worth: the score less
    the price of what is cut and of the risk.
    """

    box: PixelBox
    share: Box
    kept: float
    kept_objects: tuple[float, ...]
    score: float
    things: Sequence[float]
    findings: Sequence[Finding]
    alarm: float
    worth: float


class Framer:
    """Finds frames for one picture; what does not depend on the ratio is prepared once.

    size: of the upright picture. attention, objectness: its heat maps. objects: its subjects. faces: what a detector
    found, each with a box in 0..1 and a confidence. words: boxes of lines of text that should be whole or left out.
    inside: the part of the picture that frames lie in, such as what is inside of its borders; by default all of it.
    brightness: of the picture, 0..1; without it, tones do not count.
    """

    def __init__(
        self,
        size: Size,
        attention: HeatMap,
        objectness: HeatMap,
        objects: Sequence[SalientObject],
        options: FramingOptions | None = None,
        *,
        faces: Sequence[FaceLike] = (),
        words: Sequence[Box] = (),
        inside: Box | None = None,
        brightness: HeatMap | None = None,
        weights: Weights = WEIGHTS,
    ) -> None:
        self.size = size
        self.options = options or FramingOptions()
        self.objects = tuple(objects)
        self.faces = tuple(faces)
        self.weights = weights
        self._words = tuple(words)
        self._objectness = objectness
        self._region = None if inside is None else inside.to_pixels(size)
        self._attention = attention
        self._brightness = brightness
        self._content = content_of(
            attention,
            objectness,
            self.objects,
            self.options,
            self.faces,
            words,
            brightness,
            shape=size.width / size.height,
        )

    @property
    def content(self) -> Content:
        """What the score sees, for callers that score windows of their own."""
        return self._content

    def frames(self, ratio: AspectRatio, alternatives: int = 1) -> tuple[Frame, ...]:
        """Up to `alternatives` frames, best first: each keeps something else, and none is a near-copy of another."""
        if self._inner is not None:
            return tuple(self._outwards(frame) for frame in self._inner.frames(ratio, alternatives))
        size = self._frame_size(ratio, ratio.largest_in(self.size))
        if size.width > self.size.width or size.height > self.size.height:
            return (self._padded(size),)
        if self.options.portrait and self.faces:
            first, places = self._portrait(ratio, size)
        else:
            first, places = self._best(ratio, size)
        if alternatives == 1:
            return (first,)
        return (first, *self._others(ratio, size, first, places, alternatives - 1))

    def frame(self, box: PixelBox, *, score: float = 0.0, padding: Padding | None = None) -> Frame:
        """A frame at a given place, with what it keeps and what an editor would say of it."""
        return self._frame_of(self._judged(box, score), padding)

    def score(self, axis: Axis, spans: Spans) -> Array:
        """Score of windows that slide along one axis and fill the other, (m,)."""
        return score_along(self._content, axis, spans, self.weights)

    def anchor(self, placement: Placement) -> Point:
        """The one point that serves the largest frames of all ratios best, for tools that take a point and no frame.

        placement: what such a tool makes of it. "share", as CSS `object-position` and Wagtail: a point at 30 % of
        the width leaves 30 % of what is cut off on the left. "centre", as Thumbor: the point is the frame's middle,
        as far as the picture reaches. A largest frame moves along one axis only, so x and y are searched apart.
        """
        return Point(self._anchor(0, placement), self._anchor(1, placement))

    def salient_box(self) -> Box:
        """What a tight frame has to hold: must-keep boxes, else the subjects, else the attention box; with margin."""
        return self._salient().expanded(self.options.margin)

    def _salient(self) -> Box:
        boxes = list(self.options.must_keep) or [o.box for o in self.objects] or [attention_box(self._attention)]
        return reduce(Box.union, boxes)

    @cached_property
    def _inner(self) -> Framer | None:
        """What frames the part of the picture that frames lie in, where that is not all of it."""
        if self._region is None or self._region.size == self.size:
            return None
        region = self._region.normalized(self.size)

        def seen(boxes: Sequence[Box]) -> tuple[Box, ...]:
            return tuple(_seen_from(box, region) for box in boxes if box.overlap(region) > 0)

        options = self.options
        return Framer(
            self._region.size,
            self._attention.region(region),
            self._objectness.region(region),
            [replace(o, box=_seen_from(o.box, region)) for o in self.objects if o.box.overlap(region) > 0],
            replace(options, must_keep=seen(options.must_keep), avoid=seen(options.avoid)),
            faces=[
                DetectedFace(_seen_from(f.box, region), f.confidence) for f in self.faces if f.box.overlap(region) > 0
            ],
            words=seen(self._words),
            brightness=None if self._brightness is None else self._brightness.region(region),
            weights=self.weights,
        )

    def _outwards(self, frame: Frame) -> Frame:
        """A frame of `_inner`, in pixels of the whole picture."""
        assert self._region is not None
        left, top = self._region.left, self._region.top
        box = PixelBox(frame.box.left + left, frame.box.top + top, frame.box.right + left, frame.box.bottom + top)
        kept, *kept_objects = self._inside(box.normalized(self.size))
        return replace(frame, box=box, kept=kept, kept_objects=tuple(kept_objects))

    @property
    def _unaided(self) -> Weights:
        """Weights for what gets no second look: points for all ratios, and alternatives."""
        return unaided(self.weights)

    @cached_property
    def _tables(self) -> Array:
        """Summed-area tables of the attention and of each subject, (1 + subjects, rows + 1, columns + 1)."""
        masks = self._content.masks
        return np.array([self._attention.table, *([] if masks is None else map(summed_area_table, masks))])

    def _inside(self, share: Box) -> list[float]:
        """Shares of the attention and of each subject inside a box; the last bits of sums are cut off."""
        return [round(min(max(mass, 0.0), 1.0), 6) for mass in masses_in(self._tables, share).tolist()]

    def _frame_size(self, ratio: AspectRatio, largest: Size) -> Size:
        """From the largest frame to the smallest that holds the salient box; beyond the picture only with padding."""
        if self.options.pad is None and self.options.tightness == 0:
            return largest
        target = self.salient_box()
        width = max(target.width * self.size.width, target.height * self.size.height * float(ratio))
        if self.options.pad is not None and width > largest.width + 1:
            return of_width(width, ratio)
        tight = min(width, largest.width)
        return of_width(largest.width + (tight - largest.width) * self.options.tightness, ratio, largest)

    def _best(self, ratio: AspectRatio, size: Size) -> tuple[Frame, Places]:
        """The frame with the best score; or, where an editor would stop at it, a better one if there is any."""
        search = self._search(size)
        best = self._placed(search.best(self.weights), size)
        if best.alarm >= SECOND_LOOK:
            best = self._second_look(ratio, search, best)
        return self._frame_of(best), search.places

    def _search(self, size: Size) -> Search:
        """A search among frames of a size; a frame that is to be tight holds the salient box if it can."""
        options = self.options
        if options.tightness > 0:
            box = self._salient()
            if box.width <= size.width / self.size.width and box.height <= size.height / self.size.height:
                options = replace(options, must_keep=(*options.must_keep, box))
        return Search(self._content, self.size, size, fits_of(self._content, self.size, size), options)

    def _second_look(self, ratio: AspectRatio, search: Search, best: Candidate) -> Candidate:
        """The frame that is worth most; where even that alarms, a slightly smaller one that alarms less."""
        best = self._worthiest(search.places, best)
        if self.options.fit == "breathe" and best.alarm >= SECOND_LOOK:
            sizes = [of_width(search.size.width * scale, ratio, search.size) for scale in BREATHING_SCALES]
            sizes = [size for size in sizes if size != search.size and min(size) >= 2]
            for places in places_of_sizes(search, sizes):
                best = self._worthiest(places, best, best.alarm - SPARED)
        return best

    def _worthiest(self, places: Places, best: Candidate, most: float = 1.0) -> Candidate:
        """Of some places and the best frame so far the one that is worth most, among those that alarm at most so much.

        They are judged in the order of their score, until none that is left can be worth more.
        """
        judged: set[tuple[int, int]] = set()
        for place in places.ranked(self.weights):
            if place.score <= best.worth or len(judged) == MOST_JUDGED:
                break
            near = round(place.left / APART), round(place.top / APART)
            if near not in judged:
                judged.add(near)
                other = self._placed(place, places.size)
                if other.alarm <= most and other.worth > best.worth:
                    best = other
        return best

    def _placed(self, best: Best, size: Size) -> Candidate:
        """The best frame of a size, judged."""
        return self._judged(self._pixel_box(best.left, best.top, size), best.score)

    def _judged(self, box: PixelBox, score: float) -> Candidate:
        """A frame with what an editor would say of it."""
        share = box.normalized(self.size)
        kept, *kept_objects = self._inside(share)
        things = shares_inside(self._content, share, kept_objects)
        found = findings(self._content, share, kept, things, self.options)
        named, risk = [f for f in found if f.named], risk_of(found)
        worth = score - kept * (CUT_PRICE * sum(f.severity for f in named) + RISK_PRICE * risk)
        return Candidate(
            box, share, kept, tuple(kept_objects), score, things, found, max(severity_of(named), risk), worth
        )

    def _frame_of(self, chosen: Candidate, padding: Padding | None = None) -> Frame:
        found = remarks(chosen.findings)
        return Frame(
            chosen.box,
            chosen.kept,
            chosen.kept_objects,
            round(chosen.score, 6),
            padding,
            tuple(f.words for f in found),
            round(severity_of(found), 6),
            reason_for(self._content, chosen.kept, chosen.things),
        )

    def _others(self, ratio: AspectRatio, size: Size, first: Frame, places: Places, count: int) -> tuple[Frame, ...]:
        """Frames that keep something else than those before them; then any that are no near-copies."""
        chosen = [first]
        spare: list[Frame] = []
        kept = [self._keeps(first)]
        fits = fits_of(self._content, self.size, size)
        for scale in ALTERNATIVE_SCALES:
            if scale != 1:
                scaled = of_width(size.width * scale, ratio, size)
                places = Search(self._content, self.size, scaled, fits, self.options).places
            for frame in self._distinct(places):
                if any(_iou(frame.box, other.box) > NEAR_COPY_IOU for other in chosen):
                    continue
                keeps = self._keeps(frame)
                if keeps in kept:
                    spare.append(frame)
                    continue
                chosen.append(frame)
                kept.append(keeps)
                if len(chosen) > count:
                    break
            if len(chosen) > count:
                break
        for frame in spare:
            if len(chosen) > count:
                break
            if all(_iou(frame.box, other.box) <= NEAR_COPY_IOU for other in chosen):
                chosen.append(frame)
        return tuple(sorted(chosen[1:], key=lambda f: -f.score))

    def _distinct(self, places: Places) -> Iterator[Frame]:
        """The best frames of one size that are no near-copies, best first."""
        left, top = (v.ravel() for v in np.meshgrid(places.left, places.top))
        score = places.score(self._unaided).ravel()
        order = np.argsort(-score, kind="stable")
        for _ in range(DIFFERENT_CHOICES):
            if not len(order):
                return
            best = order[0]
            box = self._pixel_box(float(left[best]), float(top[best]), places.size)
            yield self.frame(box, score=float(score[best]))
            overlap_x = 1 - np.abs(left[order] - left[best]) / (places.size.width / self.size.width)
            overlap_y = 1 - np.abs(top[order] - top[best]) / (places.size.height / self.size.height)
            overlap = np.clip(overlap_x, 0, 1) * np.clip(overlap_y, 0, 1)
            order = order[overlap / (2 - overlap) <= NEAR_COPY_IOU]

    def _keeps(self, frame: Frame) -> tuple[bool, ...]:
        """Which things a frame keeps whole."""
        share = frame.box.normalized(self.size)
        return tuple(s > 0.9 for s in shares_inside(self._content, share, frame.kept_objects))

    def _portrait(self, ratio: AspectRatio, largest: Size) -> tuple[Frame, Places]:
        assert self.options.portrait
        places = portrait_places(
            self._content, self.size, ratio, largest, self.faces, self.options, self.options.portrait
        )
        left, top, score = places.best(self.weights)
        return self.frame(self._pixel_box(left, top, places.size), score=score), places

    def _pixel_box(self, left: float, top: float, size: Size) -> PixelBox:
        x = min(round_half_up(left * self.size.width), self.size.width - size.width)
        y = min(round_half_up(top * self.size.height), self.size.height - size.height)
        return PixelBox(x, y, x + size.width, y + size.height)

    def _padded(self, size: Size) -> Frame:
        """A frame larger than the picture: as much of the picture as it can show, and padding round it."""
        inner = Size(min(size.width, self.size.width), min(size.height, self.size.height))
        left, top, score = self._search(inner).best(self.weights)
        box = self._pixel_box(left, top, inner)
        x, y = size.width - inner.width, size.height - inner.height
        return self.frame(box, score=score, padding=Padding(x // 2, y // 2, x - x // 2, y - y // 2))

    def _anchor(self, axis: Axis, placement: Placement) -> float:
        """The best place on one axis, 0..1."""
        score = score_along(self._content, axis, anchored(placement), self._unaided)
        places = np.linspace(0, 1, ANCHOR_PLACES)
        summed = score.reshape(-1, ANCHOR_PLACES).sum(0) - 1e-6 * np.abs(places - 0.5)
        return float(places[summed.argmax()])


def _iou(a: PixelBox, b: PixelBox) -> float:
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    both = max(width, 0) * max(height, 0)
    return both / (a.width * a.height + b.width * b.height - both)


def _seen_from(box: Box, region: Box) -> Box:
    """The part of a box that lies in a region, in shares of it."""
    left, right = (min(max((x - region.left) / region.width, 0.0), 1.0) for x in (box.left, box.right))
    top, bottom = (min(max((y - region.top) / region.height, 0.0), 1.0) for y in (box.top, box.bottom))
    return Box(left, top, right, bottom)
