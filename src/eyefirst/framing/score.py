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

import numpy as np

from eyefirst.framing.bands import (
    Axis,
    Bands,
    Spans,
    bands_between,
    clearance,
    clipped,
    mass_between,
    share_inside,
    sums_between,
    tapered_mass,
    whole_band,
)
from eyefirst.framing.content import Array, Content

NEARLY_WHOLE, WHOLE = 0.9, 0.97
"""A thing kept to the latter share counts as whole: masks are soft at their edges."""
TOO_SMALL = 0.95
"""A frame of this share of a thing's length cannot hold it; between this and all of it, the two rules are mixed."""
TOUCHING = 0.5
"""A whole thing that touches an edge counts as cut by this share; nothing of it where it keeps its margin."""
CUT_RISE = 0.06
"""A thing counts as cut between this share inside and this share outside."""
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
    contrast_kept: for the share of the contrast between top and bottom: how far each tone is from the picture's
    median. From left to right it does not count, since there a frame may choose between people.
    edge_tones: against a top or bottom edge inside the picture that runs through unlike tones, as across a summit or
    a roof: the standard deviation of the brightness along it; 1 is the mean of the picture's rows.
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
    contrast_kept: float = 0.05
    edge_tones: float = 0.015
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
    return clipped((holds - TOO_SMALL) / (1 - TOO_SMALL), 0, 1)


# --- terms of the maps


def _own_terms(bands: Bands, spans: Spans) -> dict[str, Array]:
    inside, moment = sums_between(bands.once[:2], bands.profiles[:2], spans)
    middles = (spans.starts + spans.stops) / 2
    off = (moment - inside * middles) / (np.maximum(inside, LEAST_ATTENTION) * spans.lengths)
    terms = {
        "kept": tapered_mass(bands, spans),
        "balance": -off * off,
        "centre": -np.abs(middles - 0.5)[np.newaxis],
    }
    if bands.contrast is not None:
        terms["contrast_kept"] = mass_between(bands.contrast, spans)
    if bands.axis == 1:
        off = middles[np.newaxis] - UPPER
        terms["upper"] = (0.5 - UPPER) ** 2 - off * off
        terms["top_edge"] = -_at_edges(bands.profiles[0], spans.starts) * bands.profiles.shape[-1]
        terms["objectness_cut"] = -_at_edges(bands.objectness, spans.starts)
        if bands.unevenness is not None:
            edges = _at_edges(bands.unevenness, np.concatenate([spans.starts, spans.stops]))
            terms["edge_tones"] = -edges[:, : len(middles)] - edges[:, len(middles) :]
    else:
        edges = _at_edges(bands.objectness, np.concatenate([spans.starts, spans.stops]))
        terms["objectness_cut"] = -edges[:, : len(middles)] - edges[:, len(middles) :]
    return terms


def _at_edges(profiles: Array, edges: Array) -> Array:
    """Profiles at the windows' edges, (n, edges), which fade out within a cell of the picture's border."""
    cells = profiles.shape[-1]
    places = clipped(edges * cells - 0.5, 0, cells - 1)
    before = np.minimum(places.astype(np.intp), max(cells - 2, 0))
    past = places - before
    values = profiles.take(before, 1) * (1 - past) + profiles.take(np.minimum(before + 1, cells - 1), 1) * past
    return np.asarray(values * clipped(np.minimum(edges, 1 - edges) * cells, 0, 1))


# --- terms of things: whole or out


def _thing_terms(content: Content, bands: Bands, spans: Spans, fits: Array) -> dict[str, Array]:
    axis = bands.axis
    shares = share_inside(content.boxes[:, axis, np.newaxis], content.boxes[:, axis + 2, np.newaxis], spans)[
        :, np.newaxis
    ]
    clear = clearance(content, axis, spans)[:, np.newaxis]
    if bands.inside is not None and bands.clear is not None:
        shares = shares * bands.inside[:, :, np.newaxis]
        clear = np.minimum(clear, bands.clear[:, :, np.newaxis])
    outlines = shares  # a handle or a hand is little of a subject's mask, and yet is seen to be cut
    subjects = content.part["subject"]
    if subjects.stop > subjects.start and len(bands.profiles) > 2:
        shares = shares.copy()
        shares[subjects] = clipped(sums_between(bands.once[2:], bands.profiles[2:], spans), 0, 1)
    whole = clipped((shares - NEARLY_WHOLE) / (WHOLE - NEARLY_WHOLE), 0, 1)
    cut = clipped(np.minimum(shares, 1 - outlines) / CUT_RISE, 0, 1)
    cut = np.maximum(cut, TOUCHING * (1 - clear) * whole)
    heads = content.part["head"]
    if heads.stop:
        low, high = content.bodies[:, axis, np.newaxis], content.bodies[:, axis + 2, np.newaxis]
        bodies = share_inside(low, high, spans)[:, np.newaxis]
        if bands.bodies is not None:
            bodies = bodies * bands.bodies[:, :, np.newaxis]
        cut[heads] = np.maximum(cut[heads], clipped(bodies - shares[heads], 0, 1))
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
            clipped((np.minimum(high, spans.stops) - np.maximum(low, spans.starts)) / (high - low), 0, 1) * worth
        ).max(0)
        found["end_kept"] = np.broadcast_to(
            (attention[:, 0] * (1 - fits[:, 0]) * ends).sum(0), (len(bands.profiles[0]), len(spans.starts))
        )
    return found
