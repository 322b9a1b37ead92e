"""From heat maps to boxes.

Attention gives exactly one box: of all rectangles of cells, the one with the largest sum of
(density - bar), found exactly by maximum-sum sub-rectangle search (Bentley, CACM 1984; used for
saliency by Lampert et al., CVPR 2008). The bar is a share of the map's peak, so that a sharp map gives a tight box
and an unsure one a wide box; where nothing stands out the map highlights the centre, and so does the box.

Objectness gives up to three: connected groups of cells that are more likely subject than not. A
group's confidence is its mean probability, discounted for groups of only a few cells. Edges are
placed within the border cells by how much of them the subject covers.

Text gives blocks of lines in the same manner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyefirst.geometry import Box
from eyefirst.heat_map import HeatMap, summed_area_table
from eyefirst.written import reads_back

ATTENTION_BAR = 0.25
"""Density that pays for a cell's place in the attention box, as a share of the map's peak."""
LIKELY = 0.5
"""A cell belongs to a subject, or to text, when this is more likely than not."""
SPECK_CELLS = 12.0
"""A group of so many cells (0.3 % of the picture) gets half of the confidence that its probability alone earns."""
LOWEST_CONFIDENCE = 0.5
MOST_SUBJECTS = 3
BRIDGED_GAP_CELLS = 1
"""Groups so many cells apart count as one: a subject behind a railing, a stem between petals."""
TEXT_SPECK_CELLS, LOWEST_TEXT_CONFIDENCE, MOST_TEXT_BLOCKS = 3.0, 0.75, 8
"""The same for blocks of text. Of pictures without any, 4 % have a block from this confidence on, 6 % from .5 on."""


@dataclass(frozen=True, slots=True)
class SalientObject:
    """A subject or a block of text: its box in 0..1 of the picture, and a confidence in 0..1 that ranks it."""

    box: Box
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Return box and confidence by name, for JSON."""
        return {"box": self.box.to_dict(), "confidence": self.confidence}

    @classmethod
    @reads_back()
    def from_dict(cls, values: Mapping[str, Any]) -> SalientObject:
        """Read what `to_dict` wrote."""
        return cls(Box.from_dict(values["box"]), float(values["confidence"]))


def attention_box(heat_map: HeatMap) -> Box:
    """The one box round what people look at first."""
    density = heat_map.density()
    left, top, right, bottom = _heaviest_rectangle(density - ATTENTION_BAR * density.max())
    rows, columns = density.shape
    return Box(left / columns, top / rows, right / columns, bottom / rows)


def subject_boxes(heat_map: HeatMap) -> tuple[SalientObject, ...]:
    """Up to three subjects, highest confidence first; none where the map is close to zero everywhere."""
    return _groups_of(heat_map.values, SPECK_CELLS, LOWEST_CONFIDENCE)[:MOST_SUBJECTS]


def text_blocks(heat_map: HeatMap) -> tuple[SalientObject, ...]:
    """Up to eight blocks of text, highest confidence first; lines less than about a cell apart are one."""
    return _groups_of(heat_map.values, TEXT_SPECK_CELLS, LOWEST_TEXT_CONFIDENCE)[:MOST_TEXT_BLOCKS]


def _groups_of(values: NDArray[np.float32], speck_cells: float, least_confidence: float) -> tuple[SalientObject, ...]:
    """Connected groups of cells that are more likely part of it than not, highest confidence first."""
    likely = values >= LIKELY
    if not likely.any():
        return ()
    groups = label_groups(_grown(likely, BRIDGED_GAP_CELLS)) * likely
    found = []
    for group in range(1, int(groups.max()) + 1):
        cells = groups == group
        count = int(cells.sum())
        if count == 0:
            continue
        confidence = float(values[cells].mean()) * count / (count + speck_cells)
        if confidence >= least_confidence:
            found.append(SalientObject(_box_round(values, cells), confidence))
    found.sort(key=lambda s: (-s.confidence, s.box.left, s.box.top))
    return tuple(found)


def label_groups(cells: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Numbers the connected groups of a (rows, columns) mask from 1, by edges and corners; 0 elsewhere.

    Runs of cells in a row are joined with those that they touch in the row above (Rosenfeld and Pfaltz, JACM 1966).
    """
    rows, columns = cells.shape
    padded = np.zeros((rows, columns + 2), np.int8)
    padded[:, 1:-1] = cells
    steps = padded[:, 1:] - padded[:, :-1]
    row, start = np.nonzero(steps == 1)
    stop = np.nonzero(steps == -1)[1]
    starts, stops = start.tolist(), stop.tolist()
    leader = list(range(len(starts)))

    def first_of(run: int) -> int:
        while leader[run] != run:
            leader[run] = run = leader[leader[run]]
        return run

    ends = np.searchsorted(row, np.arange(rows + 1)).tolist()
    for above, below, end in zip(ends, ends[1:], ends[2:], strict=False):
        upper, lower = above, below
        while upper < below and lower < end:
            if starts[upper] <= stops[lower] and starts[lower] <= stops[upper]:
                one, other = first_of(upper), first_of(lower)
                leader[max(one, other)] = min(one, other)
            if stops[upper] < stops[lower]:
                upper += 1
            else:
                lower += 1
    numbers: dict[int, int] = {}
    number = np.array([numbers.setdefault(first_of(run), len(numbers) + 1) for run in range(len(starts))], np.intp)
    marks = np.zeros((rows, columns + 1), np.intp)
    marks[row, start] = number
    marks[row, stop] -= number
    return marks.cumsum(axis=1)[:, :-1]


def _grown(cells: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """The mask and every cell within (by + 1) // 2 steps of it, so that gaps of `by` cells close."""
    steps = (by + 1) // 2
    padded = np.pad(cells, steps)
    result = np.zeros_like(cells)
    rows, columns = cells.shape
    for dy in range(2 * steps + 1):
        for dx in range(2 * steps + 1):
            result |= padded[dy : dy + rows, dx : dx + columns]
    return result


def _box_round(values: NDArray[np.float32], cells: NDArray[np.bool_]) -> Box:
    """The box round a group, its edges moved within the border cells by their cover."""
    edges = []
    near = np.where(_grown(cells, 1), values, 0)
    for axis, length in ((0, cells.shape[1]), (1, cells.shape[0])):
        covered = np.flatnonzero(cells.any(axis=axis))
        profile = near.max(axis=axis)
        first, last = int(covered[0]), int(covered[-1])
        before = profile[first - 1] if first > 0 else 0.0
        after = profile[last + 1] if last + 1 < length else 0.0
        # a border cell that is p likely to be subject is taken to be covered by a share p
        start = first + (1 - profile[first]) - before if first > 0 else float(first)
        stop = last + profile[last] + after if last + 1 < length else float(last + 1)
        edges.append((max(float(start), 0.0) / length, min(float(stop), float(length)) / length))
    (left, right), (top, bottom) = edges
    return Box(left, top, right, bottom)


def _heaviest_rectangle(gains: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of the rectangle of cells with the largest sum.

    There has to be a cell that gains. The rectangle never reaches beyond those that do, and the search keeps to them.
    """
    gaining = gains > 0
    filled_rows, filled_columns = (np.flatnonzero(gaining.any(axis=axis)) for axis in (1, 0))
    first_row, first_column = int(filled_rows[0]), int(filled_columns[0])
    gains = gains[first_row : filled_rows[-1] + 1, first_column : filled_columns[-1] + 1]
    sums = summed_area_table(gains)
    top, bottom = np.triu_indices(len(sums), 1)
    strips = sums[bottom] - sums[top]  # (pairs of rows, columns + 1), cumulated along the columns
    lowest = np.minimum.accumulate(strips, axis=1)
    best = strips[:, 1:] - lowest[:, :-1]
    pair, right = np.unravel_index(int(best.argmax()), best.shape)
    left = int(strips[pair, : right + 1].argmin())
    return (
        first_column + left,
        first_row + int(top[pair]),
        first_column + int(right) + 1,
        first_row + int(bottom[pair]),
    )
