"""Where the best frame lies: every place of a fine lattice is tried, so nothing is missed and nothing is random."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from typing import Literal, NamedTuple

import numpy as np

from eyefirst.framing.content import Array, Content
from eyefirst.framing.options import FramingOptions
from eyefirst.framing.score import WEIGHTS, Weights, grid_terms, room_for, stacked, total
from eyefirst.framing.spans import Spans
from eyefirst.geometry import AspectRatio, Box, Size

MUST_KEEP_WEIGHT = 100.0
AVOID_WEIGHT = 10.0
FINE, COARSE = 136, 34
"""Places along a side of the picture: for frames that slide along one axis, and for frames that move both ways."""
REFINED = 8
"""The best place of the coarse lattice is tried again between its neighbours, so many times as fine."""
BREATHING_SCALES = (0.925, 0.85)
"""Sizes of smaller frames beside the largest."""
Placement = Literal["share", "centre"]
"""What a tool makes of a point: see `Framer.anchor`."""
ANCHOR_PLACES = 33
"""Points tried along each axis."""
ANCHOR_LENGTHS = tuple(round(0.25 + 0.05 * i, 2) for i in range(14))
"""Frames that one point has to serve: from a quarter of the picture's width or height to nine tenths."""


@dataclass(frozen=True, eq=False)
class Places:
    """Frames of one size at every place of a lattice, and what is known of each.

    left (m,), top (n,): in shares of the picture. terms: of the score, before their weights, (terms, n, m); they are
    computed once and weighed as often as wanted. added: to every score, (n, m), such as for must-keep boxes.
    """

    size: Size
    left: Array
    top: Array
    terms: Array
    added: Array | float = 0.0

    def score(self, weights: Weights) -> Array:
        """The score of every place, (n, m)."""
        return np.asarray(total(self.terms, weights) + self.added)

    def best(self, weights: Weights) -> Best:
        """The best place; of equals the first."""
        score = self.score(weights)
        return self._place(score, int(score.argmax()))

    def ranked(self, weights: Weights) -> Iterator[Best]:
        """All places, the best first; equals in their order."""
        score = self.score(weights)
        return (self._place(score, i) for i in np.argsort(-score, axis=None, kind="stable").tolist())

    def _place(self, score: Array, at: int) -> Best:
        row, column = divmod(at, score.shape[1])
        return Best(float(self.left[column]), float(self.top[row]), float(score[row, column]))


class Best(NamedTuple):
    """Where the best frame of a size lies, in shares of the picture, and its score."""

    left: float
    top: float
    score: float


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
        return places_on(self.lattice)

    def best(self, weights: Weights = WEIGHTS) -> Best:
        """The best frame, found on the lattice; where frames move both ways, also on a finer one round the best."""
        found = self.places.best(weights)
        if min(len(self.places.left), len(self.places.top)) == 1:
            return found
        wide, high = self.lengths
        across, down = between(self.places.left, found.left, wide), between(self.places.top, found.top, high)
        return max(found, places_on(Lattice(self, across, down)).best(weights), key=lambda b: b.score)

    @property
    def lattice(self) -> Lattice:
        """Where the frames are tried."""
        wide, high = self.lengths
        step = COARSE if min(1 - wide, 1 - high) > 1 / COARSE else FINE
        kept = (*self.options.must_keep, *self.options.avoid)
        across = windows(wide, step, [e for b in kept for e in (b.left, b.right)])
        down = windows(high, step, [e for b in kept for e in (b.top, b.bottom)])
        return Lattice(self, across, down)

    @property
    def lengths(self) -> tuple[float, float]:
        """Of the frame, in shares of the picture."""
        return self.size.width / self.picture.width, self.size.height / self.picture.height


@dataclass(frozen=True, eq=False)
class Lattice:
    """Windows that a search tries, each across with each down."""

    search: Search
    across: Spans
    down: Spans

    @property
    def shape(self) -> tuple[bool, bool]:
        """Whether its frames move both ways, and whether there are at least as many places across as down."""
        count = len(self.across.starts), len(self.down.starts)
        return min(count) > 1, count[0] >= count[1]


def places_on(lattice: Lattice) -> Places:
    """What is known of the places of one lattice."""
    return _places(lattice, _terms(lattice.search, lattice.across, lattice.down))


def places_of_sizes(search: Search, sizes: Iterable[Size]) -> list[Places]:
    """The places of a search's frames at other sizes; the terms of one grid cost less than those of two."""
    lattices = [replace(search, size=size).lattice for size in sizes]
    if {x.shape for x in lattices} not in ({(True, True)}, {(True, False)}):
        return [places_on(x) for x in lattices]
    terms = _terms(search, joined(*(x.across for x in lattices)), joined(*(x.down for x in lattices)))
    found, row, column = [], 0, 0
    for x in lattices:
        rows, columns = len(x.down.starts), len(x.across.starts)
        found.append(_places(x, terms[:, row : row + rows, column : column + columns]))
        row, column = row + rows, column + columns
    return found


@lru_cache(maxsize=16)
def joined(*spans: Spans) -> Spans:
    """All windows of several spans, in their order; spans are prepared once, so what they are joined to is too."""
    return Spans(np.concatenate([s.starts for s in spans]), np.concatenate([s.stops for s in spans]))


def _terms(search: Search, across: Spans, down: Spans) -> Array:
    return stacked(grid_terms(search.content, across, down, search.fits))


def _places(lattice: Lattice, terms: Array) -> Places:
    across, down = lattice.across, lattice.down
    added = constraints(lattice.search.options, across, down)
    return Places(lattice.search.size, across.starts, down.starts, terms, added)


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


@cache
def anchored(placement: Placement) -> Spans:
    """Where a tool puts frames of some lengths for each of the points tried along an axis, (lengths x points)."""
    places, lengths = np.linspace(0, 1, ANCHOR_PLACES), np.array(ANCHOR_LENGTHS)[::3, np.newaxis]
    start = places * (1 - lengths) if placement == "share" else np.clip(places - lengths / 2, 0, 1 - lengths)
    return Spans(start.ravel(), (start + lengths).ravel())


@lru_cache(maxsize=48)
def even_windows(length: float, step: int) -> Spans:
    """Windows of a length (0..1) on an even lattice.

    Albums have many pictures of one size, so the last ones are kept with what was worked out of them.
    """
    room = 1 - length
    if room <= 1e-9:
        return Spans.whole()
    return _from(np.linspace(0, room, 2 * int(np.ceil(room * step / 2)) + 1), length)  # the middle is one of them


def windows(length: float, step: int, edges: Sequence[float] = ()) -> Spans:
    """Windows of a length (0..1): on an even lattice, and where their ends meet an edge of interest."""
    even = even_windows(length, step)
    if not edges or even.is_whole:
        return even
    interesting = np.array(edges, np.float64)
    starts = np.concatenate([even.starts, interesting, interesting - length])
    return _from(np.unique(starts[(starts >= 0) & (starts <= 1 - length)]), length)


def between(places: Array, best: float, length: float) -> Spans:
    """Windows between the best place and its neighbours."""
    at = int(np.searchsorted(places, best))
    low, high = places[max(at - 1, 0)], places[min(at + 1, len(places) - 1)]
    before, after = np.linspace(low, best, REFINED + 1), np.linspace(best, high, REFINED + 1)
    return _from(np.concatenate([before[:-1] if low < best else [], after if best < high else [best]]), length)


def _from(starts: Array, length: float) -> Spans:
    return Spans(starts, np.minimum(starts + length, 1.0))


def _cover(box: Box, across: Spans, down: Spans) -> Array:
    """Share of a box inside the frames of every column with every row, (rows, columns)."""
    width = np.clip(np.minimum(across.stops, box.right) - np.maximum(across.starts, box.left), 0, None)
    height = np.clip(np.minimum(down.stops, box.bottom) - np.maximum(down.starts, box.top), 0, None)
    return np.asarray(height[:, None] * width / box.area)
