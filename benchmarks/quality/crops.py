"""Crops: the gap closed at fixed ratios, and agreement with the crops that people made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from training.metrics import CROP_RATIOS, FixedRatioKept, Points, fixed_ratio_kept, largest_window

from benchmarks.quality.held_back import HeldBack, Sample
from benchmarks.quality.methods import Corner, Method, halves
from benchmarks.quality.tables import Line, Table
from eyefirst.geometry import Box

NOT_FOR_HUMAN_CROPS = ("people", "prior", "uniform")
"""FCDB has no fixations, so these would all be the centre crop."""


def gap_table(data: HeldBack, set_names: Sequence[str], methods: Sequence[Method], most: int | None) -> Table:
    """Gap closed per set and the mean over sets, with the share of fixations kept behind it."""
    sets = {name: data.samples(name, most) for name in set_names}
    sets = {name: samples for name, samples in sets.items() if samples}
    lines = []
    for method in methods:
        if method.missing:
            lines.append(Line(method.title, note=method.missing))
        elif sets and method.key != "uniform":
            kept = [kept_fixations(method, samples) for samples in sets.values()]
            gaps = [k.gap_closed for k in kept]
            lines.append(Line(method.title, (*gaps, *(float(np.mean(v)) for v in (gaps, [k.method for k in kept])))))
    if sets:
        lines.append(_limits(sets))
    return Table(
        "Gap closed by crops of a fixed ratio: " + ", ".join(f"{len(s)} {n}" for n, s in sets.items()),
        (*sets, "mean", "kept"),
        tuple(lines),
        "Ratios 1:1, 9:16, 16:9, 2:1, 1:2, 3:1, 1:3. 0 is the centre crop, 1 the best window for these very "
        "fixations; each observer's first fixation is left out. Kept: share of the fixations inside, mean over sets.",
    )


def kept_fixations(method: Method, samples: Sequence[Sample]) -> FixedRatioKept:
    """What the largest windows of a method keep, means over pictures and ratios."""

    def judged() -> Iterator[tuple[Points, float, list[tuple[float, float]]]]:
        for sample in samples:
            points = halves(sample)[1] if method.half_of_observers else sample.points
            if len(points):
                yield points, sample.aspect, [(c.left, c.top) for c in method.windows(sample, CROP_RATIOS)]

    return fixed_ratio_kept(judged())


def _limits(sets: dict[str, list[Sample]]) -> Line:
    best = Method("best", "best window of all", corners=lambda _, ratios: [Corner(0.0, 0.0)] * len(ratios))
    kept = float(np.mean([kept_fixations(best, samples).best for samples in sets.values()]))
    return Line(best.title, (*[1.0] * len(sets), 1.0, kept))


def human_crop_table(data: HeldBack, methods: Sequence[Method], most: int | None) -> Table:
    """IoU with the crop that a person made, at exactly that crop's aspect ratio."""
    samples = [s for s in data.samples("FCDB", most) if s.key in data.human_crops]
    crops = [data.human_crops[s.key] for s in samples]
    lines = [Line("whole picture", _agreement([Box.whole().iou(c) for c in crops]))] if crops else []
    for method in methods:
        if method.missing:
            lines.append(Line(method.title, note=method.missing))
        elif samples and method.key not in NOT_FOR_HUMAN_CROPS:
            overlaps = [largest_frame(method, s, c).iou(c) for s, c in zip(samples, crops, strict=True)]
            lines.append(Line(method.title, _agreement(overlaps)))
    return Table(
        f"Agreement with people's own crops, FCDB: {len(samples)} held-back pictures",
        ("IoU", "IoU > 0.75"),
        tuple(lines),
        "Every method cuts the largest frame of the human crop's exact ratio, so it chooses only the place.",
    )


def _agreement(overlaps: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(overlaps)), float(np.mean(np.array(overlaps) > 0.75))


def largest_frame(method: Method, sample: Sample, human_crop: Box) -> Box:
    """A method's frame of the largest size at a human crop's ratio."""
    ratio = float(Fraction(sample.aspect * human_crop.width / human_crop.height).limit_denominator(1000))
    corner = method.windows(sample, [ratio])[0]
    axis, size = largest_window(sample.aspect, ratio)
    width, height = (size, 1.0) if axis == 0 else (1.0, size)
    left, top = min(corner.left, 1 - width), min(corner.top, 1 - height)
    return Box(left, top, left + width, top + height)
