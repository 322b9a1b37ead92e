"""Where the best frame lies: every place of a fine lattice is tried, so nothing is missed and nothing is random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eyefirst.framing.bands import Spans
from eyefirst.framing.content import Array, Content
from eyefirst.framing.options import FramingOptions
from eyefirst.framing.score import WEIGHTS, Weights, grid_terms, room_for, total
from eyefirst.geometry import AspectRatio, Box, Size

MUST_KEEP_WEIGHT = 100.0
AVOID_WEIGHT = 10.0
FINE, COARSE = 136, 34
"""Places along a side of the picture: for frames that slide along one axis, and for frames that move both ways."""
REFINED = 8
"""The best place of the coarse lattice is tried again between its neighbours, so many times as fine."""
BREATHING_SCALES = (0.925, 0.85)
"""Sizes of smaller frames beside the largest."""
ANCHOR_LENGTHS = tuple(round(0.25 + 0.05 * i, 2) for i in range(14))
"""Frames that one point has to serve: from a quarter of the picture's width or height to nine tenths."""


@dataclass(frozen=True, eq=False)
class Places:
    """Frames of one size at every place of a lattice, and what is known of each.

    left (m,), top (n,): in shares of the picture. terms: of the score, before their weights, (n, m) each; they are
    computed once and weighed as often as wanted. added: to every score, (n, m), such as for must-keep boxes.
    """

    size: Size
    left: Array
    top: Array
    terms: Mapping[str, Array]
    added: Array | float = 0.0

    def score(self, weights: Weights) -> Array:
        """The score of every place, (n, m)."""
        return np.asarray(total(self.terms, weights) + self.added)

    def best(self, weights: Weights) -> tuple[float, float, float]:
        """Left, top and score of the best; of equals the first."""
        score = self.score(weights)
        row, column = divmod(int(score.argmax()), score.shape[1])
        return float(self.left[column]), float(self.top[row]), float(score[row, column])


@dataclass(frozen=True, eq=False)
class Search:
    """Everything that a search for the best frame of one size needs, but for the weights.

    picture, size: in pixels. fits: for each thing whether a frame can hold it, see `room_for`.
    """

    content: Content
    picture: Size
    size: Size
    fits: Array
    options: FramingOptions

    @cached_property
    def places(self) -> Places:
        """Every frame of the lattice."""
        step = COARSE if min(1 - self._wide, 1 - self._high) > 1 / COARSE else FINE
        constraints = (*self.options.must_keep, *self.options.avoid)
        left = starts_of(self._wide, step, [e for b in constraints for e in (b.left, b.right)])
        top = starts_of(self._high, step, [e for b in constraints for e in (b.top, b.bottom)])
        return self._at(left, top)

    def best(self, weights: Weights = WEIGHTS) -> tuple[float, float, float]:
        """Left, top and score of the best frame, found on the lattice and then between its places."""
        places = self.places
        best = places.best(weights)
        if len(places.left) == 1 or len(places.top) == 1:
            return best
        finer = self._at(_between(places.left, best[0]), _between(places.top, best[1])).best(weights)
        return finer if finer[2] > best[2] else best

    @property
    def _wide(self) -> float:
        return self.size.width / self.picture.width

    @property
    def _high(self) -> float:
        return self.size.height / self.picture.height

    def _at(self, left: Array, top: Array) -> Places:
        across = Spans(left, np.minimum(left + self._wide, 1.0))
        down = Spans(top, np.minimum(top + self._high, 1.0))
        added = constraints(self.options, across, down)
        return Places(self.size, left, top, grid_terms(self.content, across, down, self.fits), added)


def constraints(options: FramingOptions, across: Spans, down: Spans) -> Array | float:
    """What must-keep and avoid boxes add to the score of frames at every place across with every place down."""
    added: Array | float = 0.0
    for box in options.must_keep:
        added = added + MUST_KEEP_WEIGHT * _cover(box, across, down)
        if options.margin > 0:
            added = added + _cover(box.expanded(options.margin), across, down)
    for box in options.avoid:
        added = added - AVOID_WEIGHT * _cover(box, across, down)
    return added


def fits_of(content: Content, picture: Size, size: Size) -> Array:
    """For each thing whether a frame of that size can hold it whole, 0..1."""
    return room_for(content, size.width / picture.width, size.height / picture.height)


def of_width(width: float, ratio: AspectRatio, most: Size | None = None) -> Size:
    """A frame of the ratio, whichever side is longer kept exact to the rounding rule."""
    wide = max(int(np.floor(width + 0.5)), 1)
    high = max(int(np.floor(width / float(ratio) + 0.5)), 1)
    return Size(min(wide, most.width), min(high, most.height)) if most else Size(wide, high)


def starts_of(length: float, step: int, edges: Sequence[float] = ()) -> Array:
    """Where a frame of this length (0..1) may begin: an even lattice, and where its ends meet an edge of interest."""
    room = 1 - length
    if room <= 1e-9:
        return np.zeros(1)
    lattice = np.linspace(0, room, 2 * int(np.ceil(room * step / 2)) + 1)  # the middle is one of them
    if not edges:
        return lattice
    interesting = np.asarray(edges, np.float64)
    starts = np.concatenate([lattice, interesting, interesting - length])
    return np.unique(starts[(starts >= 0) & (starts <= room)])


def _between(places: Array, best: float) -> Array:
    """Places between the best one and its neighbours."""
    at = int(np.searchsorted(places, best))
    low, high = places[max(at - 1, 0)], places[min(at + 1, len(places) - 1)]
    if high <= low:
        return np.array([best])
    return np.unique(np.concatenate([np.linspace(low, best, REFINED + 1), np.linspace(best, high, REFINED + 1)]))


def _cover(box: Box, across: Spans, down: Spans) -> Array:
    """Share of a box inside the frames of every column with every row, (rows, columns)."""
    width = np.clip(np.minimum(across.stops, box.right) - np.maximum(across.starts, box.left), 0, None)
    height = np.clip(np.minimum(down.stops, box.bottom) - np.maximum(down.starts, box.top), 0, None)
    return np.asarray(height[:, None] * width / box.area)
