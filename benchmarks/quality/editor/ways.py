"""Judges one way to frame on every cached picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
from training.metrics import CROP_RATIOS

from benchmarks.quality.editor.looks import Look
from benchmarks.quality.editor.measures import (
    EDITOR_RATIOS,
    SUBJECT_CUT,
    SUBJECT_WHOLE,
    Verdict,
    add_faces,
    add_lines,
    crop_cases,
    fixation_cases,
    share_inside,
    subjects_of,
)
from eyefirst.boxes import subject_boxes
from eyefirst.framing import WEIGHTS, FaceLike, Framer, FramingOptions, Weights
from eyefirst.geometry import AspectRatio, Box
from eyefirst.heat_map import HeatMap

Way = Callable[[Look, Sequence[float]], list[Box]]
"""The frames of some ratios, in shares of the picture."""


def by_framer(
    weights: Weights = WEIGHTS,
    options: FramingOptions | None = None,
    *,
    faces: Literal["own", "referee", "none"] = "own",
    text: bool = True,
) -> Way:
    """The frames that eyefirst chooses. faces: which it knows: those of its own network, the referee's, or none.
    text: whether it knows where text is.
    """

    def frames(look: Look, ratios: Sequence[float]) -> list[Box]:
        seen = HeatMap(look.objectness)
        known: dict[str, Sequence[FaceLike]] = {"own": look.own_faces, "referee": look.faces, "none": ()}
        framer = Framer(
            look.size,
            HeatMap(look.attention),
            seen,
            subject_boxes(seen),
            options,
            faces=known[faces],
            words=look.own_text if text else (),
            brightness=HeatMap(look.brightness),
            weights=weights,
        )
        return [framer.frames(_ratio(r))[0].box.normalized(look.size) for r in ratios]

    return frames


def centre(look: Look, ratios: Sequence[float]) -> list[Box]:
    """The largest frames in the middle."""
    found = []
    for ratio in ratios:
        size = _ratio(ratio).largest_in(look.size)
        wide, high = size.width / look.size.width, size.height / look.size.height
        found.append(Box((1 - wide) / 2, (1 - high) / 2, (1 + wide) / 2, (1 + high) / 2))
    return found


def judged(looks: Iterable[Look], way: Way) -> Verdict:
    """All measures of one way to frame."""
    verdict = Verdict()
    for look in looks:
        if look.crop is not None:
            (case,) = crop_cases([look])
            wanted = look.size.width / look.size.height * look.crop.width / look.crop.height
            (ours,), (middle,) = way(look, [wanted]), centre(look, [wanted])
            best = max(case.frame(s).iou(look.crop) for s in np.linspace(0, 1 - case.length, 101))
            verdict.crops.add(ours.iou(look.crop), middle.iou(look.crop), best)
        if look.fixations is not None and len(look.fixations):
            ratios = [*CROP_RATIOS, *(r for r in EDITOR_RATIOS if r not in CROP_RATIOS)]
            frames = dict(zip(ratios, way(look, ratios), strict=True))
            middles = centre(look, CROP_RATIOS)
            for case, ratio, middle in zip(fixation_cases([look]), CROP_RATIOS, middles, strict=True):
                verdict.fixations[look.set_name].add(
                    look.fixations_in(frames[ratio]), look.fixations_in(middle), case.best_fixations()
                )
            subjects = subjects_of(look)
            for ratio in EDITOR_RATIOS:
                (room,) = centre(look, [ratio])
                add_faces(verdict, look, frames[ratio], (room.width, room.height))
                add_lines(verdict, look, frames[ratio], (room.width, room.height))
                for box, mask in subjects:
                    if box.width <= 0.97 * room.width and box.height <= 0.97 * room.height:
                        verdict.subjects.add(share_inside(mask, frames[ratio]), SUBJECT_CUT, SUBJECT_WHOLE)
    return verdict


def _ratio(ratio: float) -> AspectRatio:
    return AspectRatio.parse(Fraction(ratio).limit_denominator(1000))
