"""Subjects: masks against masks, boxes against boxes, and nothing where there is nothing."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from training.metrics import Map, MaskScores

from benchmarks.quality.held_back import HeldBack, Sample, resized
from benchmarks.quality.ours import Loaded
from benchmarks.quality.tables import Line, Table
from eyefirst.boxes import label_groups
from eyefirst.geometry import Box

COLUMNS = ("max F", "mean F", "MAE", "S", "max E")
SINGLE_SUBJECT_SHARE = 0.95


def mask_table(data: HeldBack, set_name: str, ours: Loaded, most: int | None) -> Table:
    """Objectness at the masks' own size; each row recomputed by pysodmetrics where that is installed."""
    samples = data.samples(set_name, most)
    lines = [Line("eyefirst", note=ours.missing)] if ours.answers is None else []
    rows: list[tuple[str, Callable[[Sample], Map]]] = []
    if ours.answers is not None:
        rows.append((ours.answers.name, ours.answers.objectness))
    mean_mask = data.mean_training_mask(set_name)
    rows += [("mean training mask", lambda _: mean_mask), ("full frame", lambda _: np.ones((2, 2)))]
    published = Pysodmetrics.load()
    for title, maps in rows if samples else []:
        lines += _mask_lines(title, maps, samples, published)
    if published is None:
        lines.append(Line("by pysodmetrics", note="not installed: pip install pysodmetrics"))
    return Table(
        f"Objectness, {set_name}: {len(samples)} held-back pictures",
        COLUMNS,
        tuple(lines),
        "MAE: lower is better. Max F: of precision and recall averaged over pictures; mean F: the highest mean "
        "of the pictures' own F. S, E: structure, enhanced alignment. Maps are never stretched.",
    )


def _mask_lines(
    title: str, maps: Callable[[Sample], Map], samples: Sequence[Sample], published: type[Pysodmetrics] | None
) -> list[Line]:
    scores = MaskScores.empty()
    theirs = published.empty() if published else None
    for sample in samples:
        mask = sample.mask()
        values = np.clip(resized(maps(sample), *mask.shape), 0, 1)
        scores.add(values, mask)
        if theirs:
            theirs.add(values, mask)
    figures = (scores.max_f, scores.max_mean_f, scores.mae, scores.s_measure, scores.max_e)
    return [Line(title, figures), *([Line("  by pysodmetrics", theirs.figures())] if theirs else [])]


@dataclass
class Pysodmetrics:
    """The same measures by the library that the field uses."""

    f: Any
    mae: Any
    s: Any
    e: Any

    @classmethod
    def load(cls) -> type[Pysodmetrics] | None:
        """The class itself where the library is installed, None where not."""
        try:
            importlib.import_module("py_sod_metrics")
        except ImportError:
            return None
        return cls

    @classmethod
    def empty(cls) -> Pysodmetrics:
        library = importlib.import_module("py_sod_metrics")
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # it announces a newer F-measure class; the older one has the plain definition
            return cls(library.Fmeasure(), library.MAE(), library.Smeasure(), library.Emeasure())

    def add(self, values: NDArray[np.float64], mask: NDArray[np.bool_]) -> None:
        """Values (h, w) in 0..1, mask (h, w)."""
        for measure in (self.f, self.mae, self.s, self.e):
            measure.step(values, mask, normalize=False)

    def figures(self) -> tuple[float, ...]:
        """In the order of `COLUMNS`."""
        results = self.f.get_results()
        p, r = results["pr"]["p"], results["pr"]["r"]
        max_f = (1.3 * p * r / np.maximum(0.3 * p + r, 1e-12)).max()
        return (
            float(max_f),
            float(results["fm"]["curve"].max()),
            float(self.mae.get_results()["mae"]),
            float(self.s.get_results()["sm"]),
            float(self.e.get_results()["em"]["curve"].max()),
        )


@dataclass
class BoxTally:
    """IoU of every single-subject picture with the mask's box."""

    ours: list[float] = field(default_factory=list)
    full_frame: list[float] = field(default_factory=list)


def box_table(data: HeldBack, set_name: str, ours: Loaded, most: int | None) -> Table:
    """The box round all subjects against the box round the mask, where the mask is one piece."""
    tally = BoxTally()
    for sample in data.samples(set_name, most):
        mask = sample.mask()
        if not is_single_subject(mask):
            continue
        truth = box_of(mask)
        tally.full_frame.append(Box.whole().iou(truth))
        if ours.answers is not None:
            found = ours.answers.subjects(sample.picture())
            tally.ours.append(found.iou(truth) if found else 0.0)
    lines = [Line("eyefirst", note=ours.missing)] if ours.answers is None else []
    for title, overlaps in (("eyefirst, union of boxes", tally.ours), ("full frame", tally.full_frame)):
        if overlaps:
            lines.append(Line(title, (float(np.mean(overlaps)), float(np.mean(np.array(overlaps) > 0.5)))))
    return Table(
        f"Subject box, {set_name}: {len(tally.full_frame)} held-back pictures with one subject",
        ("IoU", "IoU > 0.5"),
        tuple(lines),
        f"One connected piece holds at least {SINGLE_SUBJECT_SHARE:.0%} of the mask.",
    )


def nothing_table(data: HeldBack, ours: Loaded, most: int | None) -> Table:
    """Pictures in which nothing stands out, and yet a box is drawn."""
    samples = data.samples("nothing", most)
    if ours.answers is None:
        lines: tuple[Line, ...] = (Line("eyefirst", note=ours.missing),)
    elif samples:
        answers = ours.answers
        boxed = [answers.subjects(s.picture()) is not None for s in samples]
        brightest = [float(np.max(answers.objectness(s))) for s in samples]
        lines = (Line(answers.name, (float(np.mean(boxed)), float(np.mean(brightest)))),)
    else:
        lines = ()
    return Table(
        f"Nothing stands out: {len(samples)} held-back pictures",
        ("share with a box", "mean highest objectness"),
        lines,
        "Lower is better.",
    )


def is_single_subject(mask: NDArray[np.bool_]) -> bool:
    """Whether one connected piece (edges and corners connect) makes up nearly all of the mask, (h, w)."""
    if not mask.any():
        return False
    counts = np.bincount(label_groups(mask)[mask])
    return bool(counts.max() >= SINGLE_SUBJECT_SHARE * mask.sum())


def box_of(mask: NDArray[np.bool_]) -> Box:
    """The box round a mask (h, w) that is not empty."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )
