"""Learns the weights of the score from people's crops, voted pairs, fixations and the referee's heads.

    python -m benchmarks.quality.editor fit --shards SHARDS --cache CACHE

Every place of the largest frame is a candidate. A soft choice among them, by the score, earns what the chosen place
is worth: the overlap with people's own crop, the fixations inside, heads and subjects whole and not cut. The weights
climb that mean (L-BFGS); pairs of crops that people voted on add the likelihood of their votes. Folds are made by a
hash of the picture's name; each fold is judged with weights that never saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]

from benchmarks.quality.editor.looks import EYE_SETS, FOLDS, Look
from benchmarks.quality.editor.measures import (
    CUT,
    SUBJECT_CUT,
    SUBJECT_WHOLE,
    WHOLE,
    Case,
    crop_cases,
    fixation_cases,
    kept_fixations,
    overlap_with_crop,
    subjects_of,
)
from benchmarks.quality.editor.referee import head_of
from benchmarks.quality.tables import Line, Table
from eyefirst.boxes import subject_boxes
from eyefirst.framing.content import Content, content_of
from eyefirst.framing.options import FramingOptions
from eyefirst.framing.score import TERMS, WEIGHTS, Weights, grid_terms, room_for
from eyefirst.framing.spans import Spans
from eyefirst.geometry import Box
from eyefirst.heat_map import HeatMap

Values = NDArray[np.float64]

LEARNED = (
    "subject_whole",
    "subject_cut",
    "head_whole",
    "head_cut",
    "contrast_kept",
    "edge_tones",
    "objectness_cut",
    "balance",
    "upper",
)
"""The terms whose weights are learned; words are worth as much as heads, and the others are stated."""
SCALES = {"edge_tones": 0.05, "objectness_cut": 0.1, "subject_cut": 0.1, "head_cut": 0.1}
"""Steps of the search; 0.3 for the others."""
IMPORTANCE = {"crops": 1.0, "fixations": 6.0, "heads": 0.8, "subjects": 0.2, "votes": 0.02}
"""How much each measure counts, in gaps closed and shares."""
HEAD_CUT_COST = 3.0
"""A cut head costs as much as so many whole ones earn."""
SHARPNESS = 60.0
"""Of the soft choice: a score that is 0.05 better is chosen 20 times as often."""
VOTE_SHARPNESS = 10.0
LEAST = {"subject_whole": 0.02, "subject_cut": 0.025, "objectness_cut": 0.02, "head_whole": 0.05, "head_cut": 0.04}
"""Weights that an editor's eye asks for and that these measures alone would put lower; see the docs."""
RESTRAINT = 0.002
PLACES = 100
"""Candidates along a side of the picture."""
EVERY = 3
"""One in so many pictures with fixations is used, for the time it takes."""


@dataclass(frozen=True, eq=False)
class Choices:
    """Candidates of many cases in one row. terms: (n, terms). bounds: where each case begins. worth: (n,)."""

    terms: Values
    bounds: NDArray[np.intp]
    worth: Values
    folds: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Votes:
    """Pairs that people voted on. terms: (n, terms), the first crop's less the second's. size: difference of the
    logarithms of their areas. share: of the votes for the first.
    """

    terms: Values
    size: Values
    share: Values
    folds: NDArray[np.intp]


def content_for(look: Look, *, faces: bool = True) -> Content:
    """What the score sees of a picture; faces are the referee's."""
    seen = HeatMap(look.objectness)
    found = look.faces if faces else ()
    return content_of(
        HeatMap(look.attention),
        seen,
        subject_boxes(seen),
        FramingOptions(),
        found,
        brightness=HeatMap(look.brightness),
        shape=look.size.width / look.size.height,
    )


def terms_at(content: Content, case: Case, starts: Values) -> Values:
    """The terms of windows of the largest size, (m, terms)."""
    across, down = case.spans(starts)
    wide, high = (case.length, 1.0) if case.axis == 0 else (1.0, case.length)
    found = grid_terms(content, across, down, room_for(content, wide, high))
    columns = [np.broadcast_to(found.get(name, 0.0), (len(down.starts), len(across.starts))).ravel() for name in TERMS]
    return np.stack(columns, 1)


def gather(looks: Sequence[Look]) -> tuple[Choices, Votes]:
    """Everything that the fit needs, from the cached maps."""
    contents = {id(look): content_for(look) for look in looks}
    subject_masks = {id(look): subjects_of(look) for look in looks}
    cases = list(crop_cases(looks)) + [c for i, c in enumerate(fixation_cases(looks)) if (i // 7) % EVERY == 0]
    gaps = dict.fromkeys(EYE_SETS, 0.0)
    counts = dict.fromkeys((*EYE_SETS, "FCDB", "heads", "subjects"), 0.0)
    crop_gap = 0.0
    rows, worths, lengths, folds = [], [], [], []
    raw = []
    for case in cases:
        room = 1 - case.length
        starts = np.linspace(0, room, int(np.ceil(room * PLACES)) + 1) if room > 1e-9 else np.zeros(1)
        rows.append(terms_at(contents[id(case.look)], case, starts))
        lengths.append(len(starts))
        folds.append(case.look.fold)
        heads, heads_count = _of_heads(case, starts)
        subjects, subjects_count = _of_subjects(case, starts, subject_masks[id(case.look)])
        middle = np.array([room / 2])
        if case.look.fixations is None:
            main = overlap_with_crop(case, starts)
            crop_gap += float(main.max() - overlap_with_crop(case, middle)[0])
            counts["FCDB"] += 1
        else:
            main = kept_fixations(case, starts)
            gaps[case.look.set_name] += case.best_fixations() - float(kept_fixations(case, middle)[0])
            counts[case.look.set_name] += 1
            counts["heads"] += heads_count
            counts["subjects"] += subjects_count
        raw.append((case, main, heads, subjects))
    for case, main, heads, subjects in raw:
        if case.look.fixations is None:
            worths.append(IMPORTANCE["crops"] * main / crop_gap)
            continue
        worth = IMPORTANCE["fixations"] * main / gaps[case.look.set_name] / len(EYE_SETS)
        worth = worth + IMPORTANCE["heads"] * heads / counts["heads"]
        worths.append(worth + IMPORTANCE["subjects"] * subjects / counts["subjects"])
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)
    choices = Choices(np.concatenate(rows), bounds, np.concatenate(worths), np.array(folds, np.intp))
    return choices, _votes(looks, contents)


def _of_heads(case: Case, starts: Values) -> tuple[Values, int]:
    worth, count = np.zeros(len(starts)), 0
    for face in case.look.faces:
        head = head_of(face.box)
        low, high = (head.left, head.right) if case.axis == 0 else (head.top, head.bottom)
        if high - low <= case.length:
            share = np.clip(np.minimum(starts + case.length, high) - np.maximum(starts, low), 0, None) / (high - low)
            worth += (share > WHOLE) - HEAD_CUT_COST * ((share > CUT) & (share <= WHOLE))
            count += 1
    return worth, count


def _of_subjects(case: Case, starts: Values, subjects: Sequence[tuple[Box, Values]]) -> tuple[Values, int]:
    worth, count = np.zeros(len(starts)), 0
    for box, mask in subjects:
        low, high = (box.left, box.right) if case.axis == 0 else (box.top, box.bottom)
        if high - low > 0.97 * case.length:
            continue
        sums = np.concatenate([[0.0], mask.sum(axis=case.axis).cumsum()])
        edges = np.linspace(0, 1, len(sums))
        share = np.interp(starts + case.length, edges, sums) - np.interp(starts, edges, sums)
        worth += (share > SUBJECT_WHOLE) - 1.0 * ((share > SUBJECT_CUT) & (share <= SUBJECT_WHOLE))
        count += 1
    return worth, count


def _votes(looks: Sequence[Look], contents: dict[int, Content]) -> Votes:
    terms, sizes, shares, folds = [], [], [], []
    for look in looks:
        content = contents[id(look)]
        for vote in look.votes:
            first, second = _terms_of_box(content, vote.first), _terms_of_box(content, vote.second)
            terms.append(first - second)
            sizes.append(float(np.log(vote.first.area / vote.second.area)))
            shares.append(vote.for_first / max(vote.for_first + vote.for_second, 1))
            folds.append(look.fold)
    return Votes(np.array(terms), np.array(sizes), np.array(shares), np.array(folds, np.intp))


def _terms_of_box(content: Content, box: Box) -> Values:
    across = Spans(np.array([box.left]), np.array([box.right]))
    down = Spans(np.array([box.top]), np.array([box.bottom]))
    found = grid_terms(content, across, down, room_for(content, box.width, box.height))
    return np.array([float(np.ravel(found[name])[0]) if name in found else 0.0 for name in TERMS])


def fit(choices: Choices, votes: Votes, used: NDArray[np.intp] | None = None) -> tuple[Weights, float]:
    """The weights that earn most on the named folds, and what votes say of the logarithm of a frame's area."""
    used = np.arange(FOLDS) if used is None else used
    in_use = np.isin(choices.folds, used)
    row_used = np.repeat(in_use, np.diff(choices.bounds))
    terms, worth = choices.terms[row_used], choices.worth[row_used]
    bounds = np.concatenate([[0], np.cumsum(np.diff(choices.bounds)[in_use])])
    pairs = np.isin(votes.folds, used)
    learned = [TERMS.index(name) for name in LEARNED]
    scales = np.array([SCALES.get(name, 0.3) for name in LEARNED])
    start = np.array([getattr(WEIGHTS, name) for name in TERMS])
    counts = np.diff(bounds)
    share_of_all = in_use.mean()

    def loss(values: Values) -> tuple[float, Values]:
        weights = start.copy()
        weights[learned] = values[:-1] * scales
        logits = SHARPNESS * (terms @ weights)
        chance = np.exp(logits - np.repeat(np.maximum.reduceat(logits, bounds[:-1]), counts))
        chance /= np.repeat(np.add.reduceat(chance, bounds[:-1]), counts)
        earned = chance * worth
        means = np.add.reduceat(earned, bounds[:-1])
        slope = SHARPNESS * ((earned - chance * np.repeat(means, counts)) @ terms[:, learned]) / share_of_all
        gain = float(means.sum()) / share_of_all
        lead = VOTE_SHARPNESS * (votes.terms[pairs] @ weights + values[-1] * votes.size[pairs])
        odds = 1 / (1 + np.exp(-lead))
        off = (votes.share[pairs] - odds) * VOTE_SHARPNESS / max(int(pairs.sum()), 1)
        likely = votes.share[pairs] * np.log(odds + 1e-12) + (1 - votes.share[pairs]) * np.log(1 - odds + 1e-12)
        gain += IMPORTANCE["votes"] * float(likely.mean())
        slope = slope + IMPORTANCE["votes"] * (off @ votes.terms[pairs][:, learned])
        by_size = IMPORTANCE["votes"] * float(off @ votes.size[pairs])
        gain -= RESTRAINT * float((values[:-1] ** 2).sum())
        gradient = np.append(slope * scales - 2 * RESTRAINT * values[:-1], by_size)
        return -gain, -gradient

    begin = np.append(start[learned] / scales, 0.0)
    limits = [(LEAST.get(n, 0.0) / s, None) for n, s in zip(LEARNED, scales, strict=True)] + [(None, None)]
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 60}).x
    names = {name: round(float(v * s), 4) for name, v, s in zip(LEARNED, found[:-1], scales, strict=True)}
    names |= {"word_whole": names["head_whole"], "word_cut": names["head_cut"]}
    return replace(WEIGHTS, **names), float(found[-1])


def vote_accuracy(votes: Votes, weights: Weights, size: float, fold: int | None = None) -> float:
    """Share of the decided pairs in which the score prefers the crop that most people preferred."""
    chosen = (votes.share != 0.5) & ((votes.folds == fold) if fold is not None else True)
    values = np.array([getattr(weights, name) for name in TERMS])
    lead = votes.terms[chosen] @ values + size * votes.size[chosen]
    return float(((lead > 0) == (votes.share[chosen] > 0.5)).mean())


def weights_table(weights: Sequence[Weights]) -> Table:
    """The learned numbers: of all folds, then without each one."""
    lines = [Line(name, tuple(getattr(w, name) for w in weights)) for name in LEARNED]
    return Table("Weights", ("all", *(f"without {i}" for i in range(len(weights) - 1))), tuple(lines))
