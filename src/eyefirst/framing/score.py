"""What a frame is worth: a sum of named terms, each a function of where its edges lie.

What a frame sees of a map is a product of three: how much each row counts in it, the map, and how much each column
counts. So the terms of all frames at every place across with every place down are a few products of matrices (see
`spans`). Sums of a map that is constant within a cell are exact.

The weights are learned (`python -m benchmarks.quality.editor fit`); `docs/framing.md` shows each term and what is lost
without it. Nothing here looks for the brightest point: cropping round a single maximum was shown to be biased
and brittle (Yee, Tantipongpipat and Mishra, CSCW 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from operator import attrgetter

import numpy as np

from eyefirst.framing.content import Array, Content, Kind
from eyefirst.framing.spans import Axis, Spans, clearance, clipped, share_inside

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
    subject_cut, head_cut, word_cut: for each thing that is cut though the frame could hold it, or touches an edge; of a
    head more where people look at it.
    preferred_whole: for things of the kind that the caller prefers that are whole, as a part of all of that kind.
    subject_end, face_seen: of a subject that is too large for the frame the top, and the side that people look at; of
    such a head the face; times the attention on the whole.
    contrast_kept: for the share of the contrast between top and bottom: how far each tone is from the picture's
    median. From left to right it does not count, since there a frame may choose between people.
    edge_tones: against edges inside the picture that run through unlike tones, as across a summit or a line of text:
    the standard deviation of the brightness along each; 1 is the mean of the picture's columns, or rows.
    objectness_cut: against subjects along the top and the sides inside the picture: mean probability along each edge.
    balance: against the square of the distance from the frame's centre to the centre of what is seen in it, in
    frame lengths. upper: against the square of the distance from a place a little above the picture's middle.
    centre: settles ties.
    """

    kept: float = 1.0
    subject_whole: float = 0.01
    subject_cut: float = 0.02
    head_whole: float = 0.08
    head_cut: float = 0.05
    word_whole: float = 0.15
    word_cut: float = 0.04
    preferred_whole: float = 1.0
    subject_end: float = 0.02
    face_seen: float = 0.2
    contrast_kept: float = 0.032
    edge_tones: float = 0.006
    objectness_cut: float = 0.01
    balance: float = 0.45
    upper: float = 0.43
    centre: float = 1e-4


WEIGHTS = Weights()
TERMS = tuple(f.name for f in fields(Weights))
_weights_of = attrgetter(*TERMS)
_NUMBERS = {name: i for i, name in enumerate(TERMS)}
ENDS: dict[str, Kind] = {"subject_end": "subject", "face_seen": "head"}
"""Terms of things that are too large for the frame."""


@cache
def unaided(weights: Weights) -> Weights:
    """The same weights with subjects that count twice, for what gets no second look."""
    return replace(weights, subject_whole=2 * weights.subject_whole, subject_cut=2 * weights.subject_cut)


def score_along(content: Content, axis: Axis, spans: Spans, weights: Weights = WEIGHTS) -> Array:
    """Score of windows that slide along one axis and fill the other, (m,); they may differ in length."""
    wide, high = (spans.lengths, 1.0) if axis == 0 else (1.0, spans.lengths)
    across, down = (spans, Spans.whole()) if axis == 0 else (Spans.whole(), spans)
    return total(stacked(grid_terms(content, across, down, room_for(content, wide, high))), weights).ravel()


def grid_terms(content: Content, across: Spans, down: Spans, fits: Array) -> dict[str, Array]:
    """Every term before its weight, of windows at every place across with every place down.

    fits: whether each thing can be whole in a frame of the largest size, 0..1: see `room_for`. Each term is
    (down, across), or can be broadcast to it. Along an axis that all windows fill, no place is better than another.
    """
    terms: dict[str, Array] = {}
    if not across.is_whole or down.is_whole:
        terms |= _terms_across(content, across, down)
    if not down.is_whole:
        for name, term in _terms_down(content, across, down).items():
            terms[name] = terms[name] + term if name in terms and name != "kept" else term
    if content.things:
        terms |= _thing_terms(content, across, down, fits)
    return terms


def stacked(terms: Mapping[str, Array]) -> Array:
    """All terms in the order of TERMS, (terms, down, across); 0 where there is none."""
    values = np.zeros((len(TERMS), *terms["kept"].shape))
    for name, term in terms.items():
        values[_NUMBERS[name]] = term
    return values


def total(terms: Array, weights: Weights = WEIGHTS) -> Array:
    """The weighted sum of stacked terms, rounded so that its last bits do not decide between two places."""
    score = np.array(_weights_of(weights)) @ terms.reshape(len(TERMS), -1)
    return np.round(score, 9).reshape(terms.shape[1:])


def room_for(content: Content, wide: Array | float, high: Array | float) -> Array:
    """For each thing whether frames of that size, in shares of the picture, can hold it: (things, 1 or m) 0..1."""
    left, top, right, bottom = content.boxes
    holds = np.minimum(wide / (right - left), high / (bottom - top))
    return clipped((holds - TOO_SMALL) / (1 - TOO_SMALL), 0, 1)


# --- terms of the maps


def _terms_across(content: Content, across: Spans, down: Spans) -> dict[str, Array]:
    high, wide = content.attention.shape
    x, y = across.on(wide), down.on(high)
    seen, covered = y.tapered @ content.attention, y.mean @ content.objectness
    off = _off_balance(seen @ x.inside.T, seen @ x.moments.T, across.middles, across.lengths)
    terms = {
        "kept": seen @ x.tapered.T,
        "balance": -off * off,
        "centre": -np.abs(across.middles - 0.5),
        "objectness_cut": -covered @ x.at_both.T,
    }
    if content.tones is not None:
        tones, usual, _ = content.tones
        high, wide = tones.shape[1:]
        spread = _spread(*(down.on(high).mean @ tones)) / usual
        terms["edge_tones"] = -spread @ across.on(wide).at_both.T
    return terms


def _terms_down(content: Content, across: Spans, down: Spans) -> dict[str, Array]:
    high, wide = content.attention.shape
    x, y = across.on(wide), down.on(high)
    seen, covered = content.attention @ x.tapered.T, content.objectness @ x.mean.T
    middles = down.middles[:, np.newaxis]
    off = _off_balance(y.inside @ seen, y.moments @ seen, middles, down.lengths[:, np.newaxis])
    terms = {
        "kept": y.tapered @ seen,
        "balance": -off * off,
        "centre": -np.abs(middles - 0.5),
        "upper": (0.5 - UPPER) ** 2 - (middles - UPPER) ** 2,
        "objectness_cut": -y.at_starts @ covered,
    }
    if content.tones is not None and content.contrast is not None:
        tones, _, usual = content.tones
        high, wide = tones.shape[1:]
        y = down.on(high)
        spread = _spread(*(tones @ across.on(wide).mean.T)) / usual
        terms["edge_tones"] = -y.at_both @ spread
        terms["contrast_kept"] = (y.inside @ content.contrast)[:, np.newaxis]
    return terms


def _spread(mean: Array, square: Array) -> Array:
    """The standard deviation of values with that mean, and that mean of their squares."""
    return np.sqrt(np.maximum(square - mean * mean, 0))


def _off_balance(inside: Array, moment: Array, middles: Array, lengths: Array) -> Array:
    """From a frame's centre to the centre of what is seen in it, in frame lengths."""
    return (moment - inside * middles) / (np.maximum(inside, LEAST_ATTENTION) * lengths)


# --- terms of things: whole or out


def _thing_terms(content: Content, across: Spans, down: Spans, fits: Array) -> dict[str, Array]:
    """Each is the sum over things of a kind; arrays are (things, down, across)."""
    count = len(content.things)
    inside = (
        share_inside(content.extents, 1, down)[:, :, np.newaxis]
        * share_inside(content.extents, 0, across)[:, np.newaxis]
    )
    clear = np.minimum(clearance(content, 1, down)[:, :, np.newaxis], clearance(content, 0, across)[:, np.newaxis])
    outlines, bodies = inside[:count], inside[count:]
    shares = outlines  # a handle or a hand is little of a subject's mask, and yet is seen to be cut
    if content.masks is not None:
        high, wide = content.masks.shape[1:]
        x, y = across.on(wide).inside.T, down.on(high).inside
        shares = outlines.copy()
        masses = (y @ content.masks) @ x if len(y) < x.shape[1] else y @ (content.masks @ x)
        shares[content.part["subject"]] = clipped(masses, 0, 1)
    whole = clipped((shares - NEARLY_WHOLE) / (WHOLE - NEARLY_WHOLE), 0, 1)
    cut = clipped(np.minimum(shares, 1 - outlines) / CUT_RISE, 0, 1)
    cut = np.maximum(cut, TOUCHING * (1 - clear) * whole)
    if len(bodies):
        heads = content.part["head"]
        cut[heads] = np.maximum(cut[heads], clipped(bodies - shares[heads], 0, 1))
    found: dict[str, Array] = {}
    axis: Axis = 0 if len(across.starts) >= len(down.starts) else 1
    if (missing := 1 - fits).any():
        seen = missing * _ends_inside(content, axis, down if axis else across) * content.worth[0, :, 0]
        for name, kind in ENDS.items():
            of_kind = seen[content.part[kind]].sum(0)
            found[name] = of_kind[:, np.newaxis] if axis else of_kind
    fits = fits[:, :, np.newaxis] if axis else fits[:, np.newaxis]
    attention, cost, preferred = content.worth
    whole *= fits
    if preferred.any():
        found["preferred_whole"] = (whole * preferred).sum(0)
    whole *= attention
    cut *= cost * fits
    for kind, part in content.part.items():
        if part.stop > part.start:
            found[f"{kind}_whole"] = whole[part].sum(0)
            found[f"{kind}_cut"] = -cut[part].sum(0)
    return found


def _ends_inside(content: Content, axis: Axis, spans: Spans) -> Array:
    """What each thing's end is worth inside each window, (things, m)."""
    low, high, worth = content.ends[axis]
    both = np.minimum(high, spans.stops) - np.maximum(low, spans.starts)
    return clipped(both / (high - low), 0, 1) * worth
