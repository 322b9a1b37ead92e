"""Where the best frame lies: every place of a fine lattice is tried, so nothing is missed and nothing is random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eyefirst.framing.content import Array, Content
from eyefirst.framing.options import FramingOptions
from eyefirst.framing.score import WEIGHTS, Spans, Weights, room_for, score_grid
from eyefirst.geometry import AspectRatio, Box, Size

MUST_KEEP_WEIGHT = 100.0
AVOID_WEIGHT = 10.0
FINE, COARSE = 136, 68
"""Places along a side of the picture: for frames that slide along one axis, and for frames that move both ways."""
REFINED = 4
"""The best place of the coarse lattice is tried again between its neighbours, so many times as fine."""
BREATHING_SCALES = (0.925, 0.85)
"""Sizes of smaller frames beside the largest."""
ANCHOR_LENGTHS = tuple(round(0.25 + 0.05 * i, 2) for i in range(14))
"""Frames that one point has to serve: from a quarter of the picture's width or height to nine tenths."""


@dataclass(frozen=True, eq=False)
class Places:
    """Frames of one size: left (m,) and top (n,) in shares of the picture, score (n, m)."""

    size: Size
    left: Array
    top: Array
    score: Array

    def best(self) -> tuple[float, float, float]:
        """Left, top and score of the best; of equals the first."""
        row, column = divmod(int(self.score.argmax()), self.score.shape[1])
        return float(self.left[column]), float(self.top[row]), float(self.score[row, column])


def all_places(
    content: Content, picture: Size, size: Size, fits: Array, options: FramingOptions, weights: Weights = WEIGHTS
) -> Places:
    """The score of every frame of a size."""
    wide, high = size.width / picture.width, size.height / picture.height
    step = COARSE if min(1 - wide, 1 - high) > 1 / COARSE else FINE
    constraints = (*options.must_keep, *options.avoid)
    left = starts_of(wide, step, [e for b in constraints for e in (b.left, b.right)])
    top = starts_of(high, step, [e for b in constraints for e in (b.top, b.bottom)])
    return _scored(content, size, left, top, (wide, high), fits, options, weights)


def best_place(
    content: Content, picture: Size, size: Size, fits: Array, options: FramingOptions, weights: Weights = WEIGHTS
) -> tuple[float, float, float, Places]:
    """Left, top and score of the best frame of a size, found on the lattice and then between its places."""
    places = all_places(content, picture, size, fits, options, weights)
    left, top, score = places.best()
    if len(places.left) == 1 or len(places.top) == 1:
        return left, top, score, places
    finer = _scored(
        content,
        size,
        _between(places.left, left),
        _between(places.top, top),
        (size.width / picture.width, size.height / picture.height),
        fits,
        options,
        weights,
    )
    finer_left, finer_top, finer_score = finer.best()
    return (finer_left, finer_top, finer_score, places) if finer_score > score else (left, top, score, places)


def fits_of(content: Content, picture: Size, size: Size) -> Array:
    """For each thing whether a frame of that size can hold it whole, 0..1."""
    return room_for(content, size.width / picture.width, size.height / picture.height)


def of_width(width: float, ratio: AspectRatio, most: Size | None = None) -> Size:
    """A frame of the ratio, whichever side is longer kept exact to the rounding rule."""
    wide = max(int(np.floor(width + 0.5)), 1)
    high = max(int(np.floor(width / float(ratio) + 0.5)), 1)
    return Size(min(wide, most.width), min(high, most.height)) if most else Size(wide, high)


def _scored(
    content: Content,
    size: Size,
    left: Array,
    top: Array,
    share: tuple[float, float],
    fits: Array,
    options: FramingOptions,
    weights: Weights,
) -> Places:
    wide, high = share
    across = Spans(left, np.minimum(left + wide, 1.0))
    down = Spans(top, np.minimum(top + high, 1.0))
    score = score_grid(content, across, down, fits, weights)
    for boxes, weight in ((options.must_keep, MUST_KEEP_WEIGHT), (options.avoid, -AVOID_WEIGHT)):
        for box in boxes:
            score = score + weight * _cover(box, across, down)
            if weight > 0 and options.margin > 0:
                score = score + _cover(box.expanded(options.margin), across, down)
    return Places(size, left, top, score)


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
