"""Windows along an axis, and how much each cell of a map and each thing counts in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal

import numpy as np

from eyefirst.framing.content import Array, Content

Axis = Literal[0, 1]
"""0 is x, from left to right; 1 is y, from top to bottom."""

TAPER = 0.02
"""Attention counts from nothing to all within this share of the frame's length from an edge inside the picture."""
ON_BORDER = 1e-9
"""A frame's edge this close to the picture's border is not an edge inside the picture."""


@dataclass(frozen=True, eq=False)
class Spans:
    """Windows along one axis: starts and stops, (m,) float64 in 0..1."""

    starts: Array
    stops: Array
    _on: dict[int, Cells] = field(default_factory=dict, init=False, repr=False)

    @staticmethod
    @cache
    def whole() -> Spans:
        """The one window that holds the whole axis."""
        return Spans(np.zeros(1), np.ones(1))

    @cached_property
    def lengths(self) -> Array:
        """(m,) in shares of the axis."""
        return self.stops - self.starts

    @cached_property
    def middles(self) -> Array:
        """(m,) in shares of the axis."""
        return (self.starts + self.stops) / 2

    @cached_property
    def is_whole(self) -> bool:
        """Whether there is one window, and it holds the whole axis."""
        return _is_whole(self.starts, self.stops)

    def on(self, count: int) -> Cells:
        """What an axis of so many cells is to the windows."""
        if count not in self._on:
            self._on[count] = Cells(self.starts, self.stops, count)
        return self._on[count]


@dataclass(frozen=True, eq=False)
class Cells:
    """How much each cell of an axis counts in each window, (m, cells) float64.

    What frames see of a map is a product of three: the counts down, the map, and the counts across, transposed. It is
    exact for parts of cells.
    """

    starts: Array
    stops: Array
    count: int

    @cached_property
    def inside(self) -> Array:
        """The share of each cell that lies inside."""
        before = clipped(np.arange(1, self.count + 1) - self._edges * self.count, 0, 1)
        return before[: self._half] - before[self._half :]

    @cached_property
    def mean(self) -> Array:
        """As `inside`, but summing to 1."""
        return self.inside / (self.count * (self.stops - self.starts)[:, np.newaxis])

    @cached_property
    def moments(self) -> Array:
        """As `inside`, times the place of the cell's middle, in shares of the axis."""
        return self.inside * ((np.arange(self.count) + 0.5) / self.count)

    @cached_property
    def tapered(self) -> Array:
        """As `inside`, but with less near the window's edges inside the picture.

        The weight rises from 0 at the edge to 1 over `TAPER` of the window's length. Where the picture's border is
        nearer than that, it rises over the distance to the border, so that nothing jumps where an edge leaves the
        border.
        """
        if _is_whole(self.starts, self.stops):
            return np.ones((1, self.count))
        starts, stops = self.starts, self.stops
        reach = TAPER * (stops - starts)
        rise = np.maximum(np.minimum(reach, starts), 1e-6)
        fall = np.maximum(np.minimum(reach, 1 - stops), 1e-6)
        lengths = np.concatenate([rise, fall])[:, np.newaxis]
        past = np.arange(self.count + 1) / self.count - np.concatenate([starts, stops - fall])[:, np.newaxis]
        risen = clipped(past / lengths, 0, 1)
        sums = risen * (past - risen * (lengths / 2))  # of the ramp up to each cell's beginning
        sums = sums[: self._half] - sums[self._half :]
        return (sums[:, 1:] - sums[:, :-1]) * self.count

    @cached_property
    def at_starts(self) -> Array:
        """What lies along each window's first edge; it fades out within a cell of the picture's border."""
        return self._at_edges[: self._half]

    @cached_property
    def at_both(self) -> Array:
        """The same along both edges together."""
        return self.at_starts + self._at_edges[self._half :]

    @property
    def _half(self) -> int:
        return len(self.starts)

    @cached_property
    def _edges(self) -> Array:
        return np.concatenate([self.starts, self.stops])[:, np.newaxis]

    @cached_property
    def _at_edges(self) -> Array:
        """Linear between the middles of the two cells that are nearest to each edge, (2 m, cells)."""
        edges = self._edges
        places = clipped(edges * self.count - 0.5, 0, self.count - 1)
        near = np.maximum(1 - np.abs(np.arange(self.count) - places), 0)
        return np.asarray(near * clipped(np.minimum(edges, 1 - edges) * self.count, 0, 1))


def _is_whole(starts: Array, stops: Array) -> bool:
    return bool(len(starts) == 1 and starts[0] <= ON_BORDER and stops[0] >= 1 - ON_BORDER)


def share_inside(boxes: Array, axis: Axis, spans: Spans) -> Array:
    """Share of every box, (4, things, 1), along an axis inside every window, (things, m)."""
    low, high = boxes[axis], boxes[axis + 2]
    if spans.is_whole:
        return np.ones(low.shape)
    return clipped((np.minimum(high, spans.stops) - np.maximum(low, spans.starts)) / (high - low), 0, 1)


def clearance(content: Content, axis: Axis, spans: Spans) -> Array:
    """Whether things keep their margin to the edges inside the picture, (things, m), from 1 to 0 as they touch."""
    low, high = content.boxes[axis], content.boxes[axis + 2]
    if spans.is_whole:
        return np.ones(low.shape)
    starts = np.where(spans.starts <= ON_BORDER, -np.inf, spans.starts)
    stops = np.where(spans.stops >= 1 - ON_BORDER, np.inf, spans.stops)
    room = np.minimum((low - starts) / content.margins[axis], (stops - high) / content.margins[axis + 2])
    return clipped(room, 0, 1)


def clipped(values: Array, least: float, most: float) -> Array:
    """As np.clip, without its cost of checking."""
    values = np.maximum(values, least)
    return np.minimum(values, most, out=values)
