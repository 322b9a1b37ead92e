"""Windows along an axis, and bands of a picture with a profile of every map along it: what the terms are read from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from eyefirst.framing.content import HEAD_ROOM, LEAST_MARGIN, Array, Content

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

    @classmethod
    def whole(cls) -> Spans:
        """The one window that holds the whole axis."""
        return cls(np.zeros(1), np.ones(1))

    @cached_property
    def lengths(self) -> Array:
        """(m,) in shares of the axis."""
        return self.stops - self.starts

    @property
    def is_whole(self) -> bool:
        """Whether there is one window, and it holds the whole axis."""
        return len(self.starts) == 1 and self.starts[0] <= ON_BORDER and self.stops[0] >= 1 - ON_BORDER


@dataclass(frozen=True, eq=False)
class Bands:
    """Parts of a picture side by side, each with profiles along an axis; one band is the whole picture.

    profiles: (2 + subjects, n, cells): the share of the attention, tapered at the band's own edges; the same times the
    place along the axis; the share of each subject. objectness: (n, cells) mean probability across a band. contrast:
    (1, cells) share of the picture's contrast; unevenness: (n, cells) of the tones across a band; both along y alone,
    None without the brightness.
    inside, clear: (things, n), how much of each thing lies in the band, and whether it keeps its margin there, 0..1;
    bodies: (heads, n), how much of what is below each head; None where a band holds everything.
    """

    axis: Axis
    profiles: Array
    objectness: Array
    contrast: Array | None = None
    unevenness: Array | None = None
    inside: Array | None = None
    clear: Array | None = None
    bodies: Array | None = None

    @cached_property
    def once(self) -> Array:
        """Sums of the profiles up to each cell, (2 + subjects, n, cells + 1)."""
        return _summed(self.profiles)

    @cached_property
    def twice(self) -> Array:
        """Sums of the attention's sums up to each cell, in cells, (n, cells + 1)."""
        return _summed(self.once[0, :, :-1] + self.profiles[0] / 2)


def _summed(values: Array) -> Array:
    sums = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, -1, out=sums[..., 1:])
    return sums


def whole_band(content: Content, axis: Axis) -> Bands:
    """The picture as one band, for windows that slide along an axis and fill the other; prepared once."""
    bands = content.prepared.get(axis)
    if bands is None:
        attention = content.attention.sum(axis=axis)[np.newaxis]
        masks = None if content.masks is None else content.masks.sum(axis=1 + axis)[:, np.newaxis]
        bands = content.prepared[axis] = Bands(
            axis,
            _profiles(attention, masks),
            content.objectness.mean(axis=axis)[np.newaxis],
            _contrast(content, axis),
            _unevenness(content, axis, Spans.whole()),
        )
    return bands


def bands_between(content: Content, axis: Axis, across: Spans) -> Bands:
    """One band for each window on the axis across."""
    other: Axis = 1 if axis == 0 else 0
    attention, objectness, masks, boxes = content.attention, content.objectness, content.masks, content.boxes
    if axis == 0:  # the axis that is cut into bands comes last
        attention, objectness = attention.T, objectness.T
        masks = None if masks is None else masks.swapaxes(1, 2)
    tapered = tapered_mass(Bands(other, _profiles(attention), objectness), across).T
    covered = mass_between(objectness, across).T / (objectness.shape[1] * across.lengths[:, np.newaxis])
    return Bands(
        axis,
        _profiles(tapered, None if masks is None else mass_between(masks, across).swapaxes(1, 2)),
        covered,
        _contrast(content, axis),
        _unevenness(content, axis, across),
        share_inside(boxes[:, other, np.newaxis], boxes[:, other + 2, np.newaxis], across),
        clearance(content, other, across),
        share_inside(content.bodies[:, other, np.newaxis], content.bodies[:, other + 2, np.newaxis], across),
    )


def mass_between(profiles: Array, spans: Spans) -> Array:
    """As `sums_between`, of profiles whose sums nobody keeps."""
    return sums_between(_summed(profiles), profiles, spans)


def _profiles(attention: Array, masks: Array | None = None) -> Array:
    """(2 + subjects, n, cells): see `Bands`."""
    cells, count = attention.shape[-1], 0 if masks is None else len(masks)
    profiles = np.empty((2 + count, *attention.shape))
    profiles[0] = attention
    profiles[1] = attention * ((np.arange(cells) + 0.5) / cells)
    if masks is not None:
        profiles[2:] = masks
    return profiles


def _contrast(content: Content, axis: Axis) -> Array | None:
    """Share of the contrast in each row, (1, rows), whatever part of it a band shows; nothing along x."""
    return None if axis == 0 or content.contrast is None else content.contrast[np.newaxis]


def _unevenness(content: Content, axis: Axis, across: Spans) -> Array | None:
    """Spread of the tones along each row of each window on x, (m, rows)."""
    if axis == 0 or content.tones is None:
        return None
    brightness, square = mass_between(content.tones, across).swapaxes(1, 2)
    cells = content.tones.shape[-1] * across.lengths[:, np.newaxis]
    return np.sqrt(np.maximum(square / cells - (brightness / cells) ** 2, 0))


def sums_between(sums: Array, profiles: Array, spans: Spans) -> Array:
    """Sums within windows, (..., m); sums: (..., cells + 1) of profiles: (..., cells)."""
    cells = profiles.shape[-1]
    places = np.concatenate([spans.starts, spans.stops]) * cells
    before = np.minimum(places.astype(np.intp), cells - 1)
    values = sums.take(before, -1) + profiles.take(before, -1) * (places - before)
    return values[..., len(spans.starts) :] - values[..., : len(spans.starts)]


def tapered_mass(bands: Bands, spans: Spans) -> Array:
    """The attention within windows in which content near an edge inside the picture counts less, (n, m).

    The weight rises from 0 at the edge to 1 over `TAPER` of the window's length. Where the picture's border is nearer
    than that, it rises over the distance to the border, so that nothing jumps where an edge leaves the border.
    """
    cells = bands.profiles.shape[-1]
    reach = TAPER * spans.lengths
    rise = np.maximum(np.minimum(reach, spans.starts), 1e-6)
    fall = np.maximum(np.minimum(reach, 1 - spans.stops), 1e-6)
    places = np.concatenate([spans.starts, spans.starts + rise, spans.stops - fall, spans.stops]) * cells
    before = np.minimum(places.astype(np.intp), cells - 1)
    past = places - before
    slope = bands.once[0].take(before, 1) + past / 2 * bands.profiles[0].take(before, 1)
    values = bands.twice.take(before, 1) + past * slope
    count = len(spans.starts)
    start, risen, falling, stop = (values[:, i * count : (i + 1) * count] for i in range(4))
    return np.asarray((stop - falling) / (fall * cells) - (risen - start) / (rise * cells))


def share_inside(low: Array, high: Array, spans: Spans) -> Array:
    """Share of every extent inside every window, (things, m); low and high: (things, 1)."""
    both = np.minimum(high, spans.stops) - np.maximum(low, spans.starts)
    return clipped(both / (high - low), 0, 1)


def clearance(content: Content, axis: Axis, spans: Spans) -> Array:
    """Whether things keep their margin to the edges inside the picture, (things, m), from 1 to 0 as they touch."""
    low, high = content.boxes[:, axis, np.newaxis], content.boxes[:, axis + 2, np.newaxis]
    margin = content.margin * (high - low) + LEAST_MARGIN
    above = margin
    heads = content.part["head"]
    if axis == 1 and heads.stop:
        above = margin.copy()
        above[heads] = np.maximum(margin[heads], HEAD_ROOM * (high - low)[heads])
    before = clipped((low - spans.starts) / above, 0, 1)
    after = clipped((spans.stops - high) / margin, 0, 1)
    before[:, spans.starts <= ON_BORDER] = 1
    after[:, spans.stops >= 1 - ON_BORDER] = 1
    return np.minimum(before, after)


def clipped(values: Array, least: float, most: float) -> Array:
    """As np.clip, without its cost of checking."""
    return np.minimum(np.maximum(values, least), most)
