"""What a frame is worth: a sum of named terms, each a function of where its edges lie.

A frame of the largest size slides along one axis, so each map becomes a profile along that axis and every term is a
one-dimensional look-up. For frames that move both ways the picture is first cut into bands, one for each place on the
shorter axis, and each band has profiles of its own. Sums of a map that is constant within a cell are exact.

The weights are learned (`python -m benchmarks.quality.editor fit`); `docs/framing.md` shows each term and what is lost
without it. Nothing here looks for the brightest point: cropping round a single maximum was shown to be biased
and brittle (Yee, Tantipongpipat and Mishra, CSCW 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Literal

import numpy as np

from eyefirst.framing.content import HEAD_ROOM, LEAST_MARGIN, Array, Content

Axis = Literal[0, 1]
"""0 is x, from left to right; 1 is y, from top to bottom."""

TAPER = 0.02
"""Attention counts from nothing to all within this share of the frame's length from an edge inside the picture."""
NEARLY_WHOLE, WHOLE = 0.9, 0.97
"""A thing kept to the latter share counts as whole: masks are soft at their edges."""
TOO_SMALL = 0.95
"""A frame of this share of a thing's length cannot hold it; between this and all of it, the two rules are mixed."""
TOUCHING = 0.5
"""A whole thing that touches an edge counts as cut by this share; nothing of it where it keeps its margin."""
CUT_RISE = 0.06
"""A thing counts as cut between this share inside and this share outside."""
ON_BORDER = 1e-9
"""A frame's edge this close to the picture's border is not an edge inside the picture."""
UPPER = 0.44
"""Where the middle of a frame lies best on the picture's height, other things being equal: people cut below."""
LEAST_ATTENTION = 0.02
"""A window with less of the attention counts as balanced: there is nothing in it to balance."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each term counts beside the share of attention kept, which counts 1. Learned; the docs have a table.

    subject_whole, head_whole, word_whole: for each thing that is whole, times the attention on it.
    subject_cut, head_cut, word_cut: for each thing that is cut though the frame could hold it, or touches an edge.
    preferred_whole: for things of the kind that the caller prefers that are whole, as a part of all of that kind.
    end_kept: for the end that matters, of a thing that is too large for the frame, times the attention on it.
    top_edge: against attention along a top edge inside the picture; 1 is the picture's mean.
    objectness_cut: against subjects along the top and the sides inside the picture: mean probability along each edge.
    balance: against the square of the distance from the frame's centre to the centre of what is seen in it, in
    frame lengths. upper: against the square of the distance from a place a little above the picture's middle.
    centre: settles ties.
    """

    kept: float = 1.0
    subject_whole: float = 0.01
    subject_cut: float = 0.015
    head_whole: float = 0.2
    head_cut: float = 0.04
    word_whole: float = 0.2
    word_cut: float = 0.04
    preferred_whole: float = 1.0
    end_kept: float = 0.06
    top_edge: float = 0.006
    objectness_cut: float = 0.02
    balance: float = 0.75
    upper: float = 0.43
    centre: float = 1e-4


WEIGHTS = Weights()
TERMS = tuple(f.name for f in fields(Weights))
STRICTER = (2.0, 4.0, 8.0)
"""How much dearer cuts are, step by step, in the search for a frame that an editor would pass."""


def stricter(weights: Weights, factor: float) -> Weights:
    """The same weights with dearer cuts."""
    cuts = ("subject_cut", "head_cut", "word_cut", "end_kept", "objectness_cut")
    return replace(weights, **{name: factor * getattr(weights, name) for name in cuts})


def unaided(weights: Weights) -> Weights:
    """The same weights with subjects that count twice, for what gets no second look."""
    return replace(weights, subject_whole=2 * weights.subject_whole, subject_cut=2 * weights.subject_cut)


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
    place along the axis; the share of each subject. objectness: (n, cells) mean probability across a band.
    inside, clear: (things, n), how much of each thing lies in the band, and whether it keeps its margin there, 0..1;
    bodies: (heads, n), how much of what is below each head; None where a band holds everything.
    """

    axis: Axis
    profiles: Array
    objectness: Array
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
        masks = () if content.masks is None else content.masks.sum(axis=1 + axis)[:, np.newaxis]
        objectness = content.objectness.mean(axis=axis)[np.newaxis]
        bands = content.prepared[axis] = _bands(axis, attention, objectness, masks)
    return bands


def bands_between(content: Content, axis: Axis, across: Spans) -> Bands:
    """One band for each window on the axis across."""
    other: Axis = 1 if axis == 0 else 0
    attention, objectness, masks, boxes = content.attention, content.objectness, content.masks, content.boxes
    if axis == 0:  # the axis that is cut into bands comes last
        attention, objectness = attention.T, objectness.T
        masks = None if masks is None else masks.swapaxes(1, 2)
    tapered = tapered_mass(_bands(other, attention, objectness), across).T
    covered = _mass(objectness, across).T / (objectness.shape[1] * across.lengths[:, np.newaxis])
    return _bands(
        axis,
        tapered,
        covered,
        () if masks is None else _mass(masks, across).swapaxes(1, 2),
        _inside(boxes[:, other, np.newaxis], boxes[:, other + 2, np.newaxis], across),
        _clearance(content, other, across),
        _inside(content.bodies[:, other, np.newaxis], content.bodies[:, other + 2, np.newaxis], across),
    )


def _mass(profiles: Array, spans: Spans) -> Array:
    return _between(_summed(profiles), profiles, spans)


def _bands(
    axis: Axis,
    attention: Array,
    objectness: Array,
    masks: Array | tuple[()] = (),
    inside: Array | None = None,
    clear: Array | None = None,
    bodies: Array | None = None,
) -> Bands:
    cells = attention.shape[-1]
    profiles = np.empty((2 + len(masks), *attention.shape))
    profiles[0] = attention
    profiles[1] = attention * ((np.arange(cells) + 0.5) / cells)
    if len(masks):
        profiles[2:] = masks
    return Bands(axis, profiles, objectness, inside, clear, bodies)


def score_along(content: Content, axis: Axis, spans: Spans, weights: Weights = WEIGHTS) -> Array:
    """Score of windows that slide along one axis and fill the other, (m,); they may differ in length."""
    wide, high = (spans.lengths, 1.0) if axis == 0 else (1.0, spans.lengths)
    terms = terms_of(content, whole_band(content, axis), spans, room_for(content, wide, high))
    return total(terms, weights)[0]


def grid_terms(content: Content, across: Spans, down: Spans, fits: Array) -> dict[str, Array]:
    """Every term before its weight, of windows of one size at every place across with every place down.

    fits: whether each thing can be whole in a frame of the largest size, 0..1: see `room_for`. Each term is
    (down, across).
    """
    if down.is_whole:
        return terms_of(content, whole_band(content, 0), across, fits)
    if across.is_whole:
        return {n: t.T for n, t in terms_of(content, whole_band(content, 1), down, fits).items()}
    if len(across.starts) >= len(down.starts):
        terms = terms_of(content, bands_between(content, 0, down), across, fits)
        other = {n: t.T for n, t in _own_terms(bands_between(content, 1, across), down).items()}
    else:
        terms = {n: t.T for n, t in terms_of(content, bands_between(content, 1, across), down, fits).items()}
        other = _own_terms(bands_between(content, 0, down), across)
    return terms | {n: terms.get(n, 0.0) + t for n, t in other.items() if n != "kept"}


def terms_of(content: Content, bands: Bands, spans: Spans, fits: Array) -> dict[str, Array]:
    """Every term of every band's windows along an axis, before its weight, (n, m) each."""
    terms = _own_terms(bands, spans)
    if content.things:
        terms |= _thing_terms(content, bands, spans, fits)
    return terms


def total(terms: Mapping[str, Array], weights: Weights = WEIGHTS) -> Array:
    """The weighted sum, rounded so that the last bits of a sum do not decide between two places."""
    score: Array | float = 0.0
    for name, value in terms.items():
        weight = getattr(weights, name)
        if weight:
            score = score + weight * value
    return np.round(np.asarray(score), 9)


def room_for(content: Content, wide: Array | float, high: Array | float) -> Array:
    """For each thing whether frames of that size, in shares of the picture, can hold it: (things, 1 or m) 0..1."""
    boxes = content.boxes
    holds = np.minimum(wide / (boxes[:, 2:3] - boxes[:, :1]), high / (boxes[:, 3:] - boxes[:, 1:2]))
    return _clipped((holds - TOO_SMALL) / (1 - TOO_SMALL), 0, 1)


def _clipped(values: Array, least: float, most: float) -> Array:
    """As np.clip, without its cost of checking."""
    return np.minimum(np.maximum(values, least), most)


# --- terms of the maps


def _own_terms(bands: Bands, spans: Spans) -> dict[str, Array]:
    inside, moment = _between(bands.once[:2], bands.profiles[:2], spans)
    middles = (spans.starts + spans.stops) / 2
    off = (moment - inside * middles) / (np.maximum(inside, LEAST_ATTENTION) * spans.lengths)
    terms = {
        "kept": tapered_mass(bands, spans),
        "balance": -off * off,
        "centre": -np.abs(middles - 0.5)[np.newaxis],
    }
    if bands.axis == 1:
        off = middles[np.newaxis] - UPPER
        terms["upper"] = (0.5 - UPPER) ** 2 - off * off
        terms["top_edge"] = -_at_edges(bands.profiles[0], spans.starts) * bands.profiles.shape[-1]
        terms["objectness_cut"] = -_at_edges(bands.objectness, spans.starts)
    else:
        edges = _at_edges(bands.objectness, np.concatenate([spans.starts, spans.stops]))
        terms["objectness_cut"] = -edges[:, : len(middles)] - edges[:, len(middles) :]
    return terms


def _between(sums: Array, profiles: Array, spans: Spans) -> Array:
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


def _at_edges(profiles: Array, edges: Array) -> Array:
    """Profiles at the windows' edges, (n, edges), which fade out within a cell of the picture's border."""
    cells = profiles.shape[-1]
    places = _clipped(edges * cells - 0.5, 0, cells - 1)
    before = np.minimum(places.astype(np.intp), max(cells - 2, 0))
    past = places - before
    values = profiles.take(before, 1) * (1 - past) + profiles.take(np.minimum(before + 1, cells - 1), 1) * past
    return np.asarray(values * _clipped(np.minimum(edges, 1 - edges) * cells, 0, 1))


# --- terms of things: whole or out


def _thing_terms(content: Content, bands: Bands, spans: Spans, fits: Array) -> dict[str, Array]:
    axis = bands.axis
    shares = _inside(content.boxes[:, axis, np.newaxis], content.boxes[:, axis + 2, np.newaxis], spans)[:, np.newaxis]
    clear = _clearance(content, axis, spans)[:, np.newaxis]
    if bands.inside is not None and bands.clear is not None:
        shares = shares * bands.inside[:, :, np.newaxis]
        clear = np.minimum(clear, bands.clear[:, :, np.newaxis])
    outlines = shares  # a handle or a hand is little of a subject's mask, and yet is seen to be cut
    subjects = content.part["subject"]
    if subjects.stop > subjects.start and len(bands.profiles) > 2:
        shares = shares.copy()
        shares[subjects] = _clipped(_between(bands.once[2:], bands.profiles[2:], spans), 0, 1)
    whole = _clipped((shares - NEARLY_WHOLE) / (WHOLE - NEARLY_WHOLE), 0, 1)
    cut = _clipped(np.minimum(shares, 1 - outlines) / CUT_RISE, 0, 1)
    cut = np.maximum(cut, TOUCHING * (1 - clear) * whole)
    heads = content.part["head"]
    if heads.stop:
        low, high = content.bodies[:, axis, np.newaxis], content.bodies[:, axis + 2, np.newaxis]
        bodies = _inside(low, high, spans)[:, np.newaxis]
        if bands.bodies is not None:
            bodies = bodies * bands.bodies[:, :, np.newaxis]
        cut[heads] = np.maximum(cut[heads], _clipped(bodies - shares[heads], 0, 1))
    fits = fits[:, np.newaxis]
    attention, confidence, preferred = content.worth[:, :, np.newaxis, np.newaxis]
    whole *= fits
    found = {}
    if preferred.any():
        found["preferred_whole"] = (whole * preferred).sum(0)
    whole *= attention
    cut *= confidence * fits
    for kind, part in content.part.items():
        if part.stop > part.start:
            found[f"{kind}_whole"] = whole[part].sum(0)
            found[f"{kind}_cut"] = -cut[part].sum(0)
    if (fits < 1).any():
        low, high, worth = np.moveaxis(content.ends[axis], -1, 0)[..., np.newaxis]
        ends = (
            _clipped((np.minimum(high, spans.stops) - np.maximum(low, spans.starts)) / (high - low), 0, 1) * worth
        ).max(0)
        found["end_kept"] = np.broadcast_to(
            (attention[:, 0] * (1 - fits[:, 0]) * ends).sum(0), (len(bands.profiles[0]), len(spans.starts))
        )
    return found


def _inside(low: Array, high: Array, spans: Spans) -> Array:
    """Share of every extent inside every window, (things, m); low and high: (things, 1)."""
    both = np.minimum(high, spans.stops) - np.maximum(low, spans.starts)
    return _clipped(both / (high - low), 0, 1)


def _clearance(content: Content, axis: Axis, spans: Spans) -> Array:
    """Whether things keep their margin to the edges inside the picture, (things, m), from 1 to 0 as they touch."""
    low, high = content.boxes[:, axis, np.newaxis], content.boxes[:, axis + 2, np.newaxis]
    margin = content.margin * (high - low) + LEAST_MARGIN
    above = margin
    heads = content.part["head"]
    if axis == 1 and heads.stop:
        above = margin.copy()
        above[heads] = np.maximum(margin[heads], HEAD_ROOM * (high - low)[heads])
    before = _clipped((low - spans.starts) / above, 0, 1)
    after = _clipped((spans.stops - high) / margin, 0, 1)
    before[:, spans.starts <= ON_BORDER] = 1
    after[:, spans.stops >= 1 - ON_BORDER] = 1
    return np.minimum(before, after)
