"""Judges one way to frame on every cached picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from training.metrics import largest_window

from benchmarks.quality.editor.fit import content_for
from benchmarks.quality.editor.looks import Look
from benchmarks.quality.editor.measures import (
    EDITOR_RATIOS,
    SUBJECT_CUT,
    SUBJECT_WHOLE,
    Case,
    Verdict,
    add_heads,
    best_fixations,
    crop_cases,
    fixation_cases,
    kept_fixations,
    overlap_with_crop,
    share_inside,
    subjects_of,
)
from eyefirst.framing.content import Content
from eyefirst.framing.score import WEIGHTS, Weights, room_for
from eyefirst.framing.search import FINE, starts_of
from eyefirst.framing.score import score_grid
from eyefirst.geometry import Box

Place = Callable[[Look, Case], float]
"""Where the largest frame of a case starts."""


def by_score(weights: Weights = WEIGHTS, *, faces: bool = True) -> Place:
    """The place with the highest score. faces: whether the referee's faces are known to the score."""
    contents: dict[int, Content] = {}

    def start(look: Look, case: Case) -> float:
        content = contents.setdefault(id(look), content_for(look, faces=faces))
        starts = starts_of(case.length, FINE)
        wide, high = (case.length, 1.0) if case.axis == 0 else (1.0, case.length)
        score = score_grid(content, *case.spans(starts), room_for(content, wide, high), weights)
        return float(starts[score.argmax()])

    return start


def centre(_: Look, case: Case) -> float:
    """The middle."""
    return (1 - case.length) / 2


def judged(looks: Sequence[Look], place: Place) -> Verdict:
    """All measures of largest frames that are placed one way."""
    verdict = Verdict()
    for case in fixation_cases(looks):
        start = np.array([place(case.look, case)])
        middle = np.array([(1 - case.length) / 2])
        kept, central = kept_fixations(case, start)[0], kept_fixations(case, middle)[0]
        verdict.fixations[case.look.set_name].add(float(kept), float(central), best_fixations(case))
    for case in crop_cases(looks):
        fine = np.linspace(0, 1 - case.length, 201)
        start = np.array([place(case.look, case)])
        overlaps = (overlap_with_crop(case, s) for s in (start, np.array([(1 - case.length) / 2]), fine))
        ours, central, best = (float(o.max()) for o in overlaps)
        verdict.crops.add(ours, central, best)
    for look in looks:
        if look.fixations is None:
            continue
        for ratio in EDITOR_RATIOS:
            case = Case(look, *largest_window(look.size.width / look.size.height, ratio))
            frame = box_of(case, place(look, case))
            add_heads(verdict.heads, look, frame, (frame.width, frame.height))
            for box, mask in subjects_of(look):
                if box.width <= 0.97 * frame.width and box.height <= 0.97 * frame.height:
                    verdict.subjects.add(share_inside(mask, frame), SUBJECT_CUT, SUBJECT_WHOLE)
    return verdict


def box_of(case: Case, start: float) -> Box:
    """The frame of a case that starts there."""
    stop = min(start + case.length, 1.0)
    return Box(start, 0, stop, 1) if case.axis == 0 else Box(0, start, 1, stop)
