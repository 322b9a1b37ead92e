"""What the trials judge frames by: the referee's heads, people's crops, fixations, and another network's subjects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from training.metrics import CROP_RATIOS, largest_window

from benchmarks.quality.editor.looks import EYE_SETS, Look
from benchmarks.quality.editor.referee import head_of
from eyefirst.boxes import subject_boxes
from eyefirst.framing.spans import Spans
from eyefirst.geometry import Box
from eyefirst.heat_map import HeatMap

Values = NDArray[np.float64]

EDITOR_RATIOS = (1.0, 4 / 5, 16 / 9, 9 / 16, 3.0)
CUT, WHOLE = 0.08, 0.92
"""A head or a line is cut between these shares inside."""
SUBJECT_CUT, SUBJECT_WHOLE = 0.05, 0.95


@dataclass(frozen=True, eq=False)
class Case:
    """One picture at one ratio. axis: along which the largest frame slides. length: its share of that axis."""

    look: Look
    axis: int
    length: float

    def spans(self, starts: Values) -> tuple[Spans, Spans]:
        """Windows of the largest size that begin there: across and down."""
        sliding = Spans(starts, np.minimum(starts + self.length, 1.0))
        return (sliding, Spans.whole()) if self.axis == 0 else (Spans.whole(), sliding)

    def frame(self, start: float) -> Box:
        """The window of the largest size that begins there."""
        stop = min(start + self.length, 1.0)
        return Box(start, 0, stop, 1) if self.axis == 0 else Box(0, start, 1, stop)

    def best_fixations(self) -> float:
        """The most fixations that a window can keep, as a share of all."""
        assert self.look.fixations is not None
        along = np.sort(self.look.fixations[:, self.axis].astype(np.float64))
        ends = np.searchsorted(along, along + self.length, "right")
        return float((ends - np.arange(len(along))).max() / len(along))


def fixation_cases(looks: Sequence[Look]) -> Iterator[Case]:
    """Every picture with fixations at the ratios of the fixations' gap."""
    for look in looks:
        if look.fixations is not None and len(look.fixations):
            for ratio in CROP_RATIOS:
                axis, length = largest_window(look.size.width / look.size.height, ratio)
                yield Case(look, axis, length)


def crop_cases(looks: Sequence[Look]) -> Iterator[Case]:
    """Every picture that people cropped, at their crop's ratio."""
    for look in looks:
        if look.crop is not None:
            aspect = look.size.width / look.size.height
            axis, length = largest_window(aspect, aspect * look.crop.width / look.crop.height)
            yield Case(look, axis, min(length, 1.0))


def kept_fixations(case: Case, starts: Values) -> Values:
    """Share of the fixations inside windows along the case's axis."""
    assert case.look.fixations is not None
    along = np.sort(case.look.fixations[:, case.axis].astype(np.float64))
    inside = np.searchsorted(along, starts + case.length, "right") - np.searchsorted(along, starts, "left")
    return np.asarray(inside / len(along))


def overlap_with_crop(case: Case, starts: Values) -> Values:
    """IoU of windows with the crop that people chose."""
    crop = case.look.crop
    assert crop is not None
    low, high = (crop.left, crop.right) if case.axis == 0 else (crop.top, crop.bottom)
    along = np.clip(np.minimum(starts + case.length, high) - np.maximum(starts, low), 0, None)
    both = along * (crop.height if case.axis == 0 else crop.width)
    return np.asarray(both / (case.length + crop.area - both))


@dataclass
class Kept:
    """How many things are whole, cut and left out, of those that a frame could hold."""

    whole: float = 0.0
    cut: float = 0.0
    out: float = 0.0

    def add(self, share: float, cut: float, whole: float) -> None:
        """One thing with this share inside."""
        self.whole += share > whole
        self.cut += cut < share <= whole
        self.out += share <= cut

    @property
    def count(self) -> float:
        """Of all."""
        return self.whole + self.cut + self.out

    def shares(self) -> tuple[float, float, float]:
        """Whole, cut and left out, as shares of all."""
        count = max(self.count, 1)
        return self.whole / count, self.cut / count, self.out / count


def subjects_of(look: Look) -> tuple[tuple[Box, Values], ...]:
    """The subjects that the other network sees, each with its box and its share of the map, (68, 68), of sum 1."""
    if look.subjects is None:
        return ()
    rows, columns = look.subjects.shape
    found = []
    for subject in subject_boxes(HeatMap(look.subjects)):
        inside = np.zeros((rows, columns))
        box = subject.box
        part = (
            slice(int(box.top * rows), int(np.ceil(box.bottom * rows))),
            slice(int(box.left * columns), int(np.ceil(box.right * columns))),
        )
        inside[part] = look.subjects[part]
        found.append((box, inside / inside.sum()))
    return tuple(found)


def share_inside(mask: Values, frame: Box) -> float:
    """Share of a mask, (rows, columns) that sums to 1, inside a frame."""
    rows, columns = mask.shape
    y = np.clip(
        np.minimum(np.arange(rows) + 1, frame.bottom * rows) - np.maximum(np.arange(rows), frame.top * rows), 0, 1
    )
    x = np.clip(
        np.minimum(np.arange(columns) + 1, frame.right * columns)
        - np.maximum(np.arange(columns), frame.left * columns),
        0,
        1,
    )
    return float(y @ mask @ x)


@dataclass
class Gap:
    """Share of the way from the centre's figure to the best possible one, means over cases."""

    ours: list[float] = field(default_factory=list)
    centre: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)

    def add(self, ours: float, centre: float, best: float) -> None:
        """One case."""
        self.ours.append(ours)
        self.centre.append(centre)
        self.best.append(best)

    @property
    def closed(self) -> float:
        """0 is the centre crop, 1 the best window."""
        centre, best = float(np.mean(self.centre)), float(np.mean(self.best))
        return (float(np.mean(self.ours)) - centre) / (best - centre) if best > centre else float("nan")


@dataclass
class Verdict:
    """All measures of one way to frame."""

    fixations: dict[str, Gap] = field(default_factory=lambda: {name: Gap() for name in EYE_SETS})
    crops: Gap = field(default_factory=Gap)
    heads: Kept = field(default_factory=Kept)
    large_faces: list[float] = field(default_factory=list)
    subjects: Kept = field(default_factory=Kept)
    lines: Kept = field(default_factory=Kept)

    def figures(self) -> tuple[float, ...]:
        """In the order of `COLUMNS`."""
        gaps = [g.closed for g in self.fixations.values() if g.ours]
        heads, subjects = self.heads.shares(), self.subjects.shares()
        return (
            float(np.mean(gaps)) if gaps else float("nan"),
            self.crops.closed,
            float(np.mean(self.crops.ours)) if self.crops.ours else float("nan"),
            *heads,
            float(np.mean(self.large_faces)) if self.large_faces else float("nan"),
            *subjects[:2],
            *self.lines.shares()[:2],
        )


def add_faces(verdict: Verdict, look: Look, frame: Box, room: tuple[float, float]) -> None:
    """Whether every head is kept; where a frame of that room (width and height, in shares of the picture) cannot hold
    it, how much of the face is shown of what could be.
    """
    for face in look.faces:
        head = head_of(face.box)
        if head.width <= room[0] and head.height <= room[1]:
            verdict.heads.add(frame.overlap(head) / head.area, CUT, WHOLE)
        else:
            most = min(room[0], face.box.width) * min(room[1], face.box.height)
            verdict.large_faces.append(frame.overlap(face.box) / most)


def add_lines(verdict: Verdict, look: Look, frame: Box, room: tuple[float, float]) -> None:
    """Whether every line of text is kept that a frame of that room can hold."""
    for line in look.lines:
        if line.width <= room[0] and line.height <= room[1]:
            verdict.lines.add(frame.overlap(line) / line.area, CUT, WHOLE)


COLUMNS = (
    "fixations' gap",
    "annotators' gap",
    "IoU",
    "heads whole",
    "heads cut",
    "heads out",
    "large faces",
    "subjects whole",
    "subjects cut",
    "lines whole",
    "lines cut",
)
