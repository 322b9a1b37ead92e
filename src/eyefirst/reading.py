"""Which parts of a picture are read, in what order: the salient ones first.

Reading costs far more than looking. People look at signs, so the regions that attract them are read at
full resolution, and the rest only if somebody asks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eyefirst.boxes import label_groups
from eyefirst.detectors import Detection, Detector
from eyefirst.geometry import Box, Size
from eyefirst.heat_map import HeatMap

READ_BAR = 0.25
"""Cells with at least this share of the map's maximum are read."""
READ_MARGIN = 0.04
"""By which a region is grown on every side, as a share of the picture."""
SMALL_PIXELS = 300_000
EDGE = 0.004
"""A line that comes so near to a region's inner edge, as a share of the picture, may go on beyond it."""
FURTHER = 0.2
"""How far beyond a cut the rest of a line is looked for, as a share of the picture."""
SAME_OVERLAP = 0.5
"""Lines are one if the smaller lies inside the other by this share."""


def salient_regions(attention: HeatMap, size: Size) -> list[Box]:
    """Boxes round the bright groups of an attention map, grown and merged where they overlap; brightest first.

    A small picture is one region: reading it in parts would cost more than reading it at once.
    """
    if size.pixels <= SMALL_PIXELS:
        return [Box.whole()]
    groups = label_groups(attention.values >= READ_BAR * max(float(attention.values.max()), 1e-6))
    rows, columns = attention.values.shape
    boxes = []
    for group in range(1, int(groups.max()) + 1):
        y, x = np.nonzero(groups == group)
        boxes.append(
            Box(
                max(x.min() / columns - READ_MARGIN, 0.0),
                max(y.min() / rows - READ_MARGIN, 0.0),
                min((x.max() + 1) / columns + READ_MARGIN, 1.0),
                min((y.max() + 1) / rows + READ_MARGIN, 1.0),
            )
        )
    return sorted(_merged(boxes), key=attention.mass_in, reverse=True)


def read(pixels: NDArray[np.uint8], regions: Sequence[Box], detector: Detector, *, rest: bool) -> list[Detection]:
    """What a detector finds in regions of an upright (height, width, 3) picture, each thing once.

    What a region cuts is looked at once more, with room beyond the cut. rest: afterwards the whole picture.
    """
    found: list[Detection] = []
    last = [Box.whole()] if rest and Box.whole() not in regions else []
    for region in (*regions, *last):
        for seen in detector.detect(pixels, region):
            wider = _beyond(seen.box, region)
            whole = [seen] if wider is None else _whole(seen, detector.detect(pixels, wider))
            found += [d for d in whole if not any(_same(d.box, known.box) for known in found)]
    return found


def _whole(cut: Detection, again: Sequence[Detection]) -> list[Detection]:
    """What the second look found in the place of something cut."""
    return [d for d in again if _same(d.box, cut.box)] or [cut]


def _beyond(box: Box, region: Box) -> Box | None:
    """The box with room on every side where the region's inner edge may have cut it; None where none has."""
    touched = (
        box.left < region.left + EDGE and region.left > 0,
        box.top < region.top + EDGE and region.top > 0,
        box.right > region.right - EDGE and region.right < 1,
        box.bottom > region.bottom - EDGE and region.bottom < 1,
    )
    if not any(touched):
        return None
    left, top, right, bottom = (FURTHER if t else READ_MARGIN / 2 for t in touched)
    return Box(
        max(box.left - left, 0.0), max(box.top - top, 0.0), min(box.right + right, 1.0), min(box.bottom + bottom, 1.0)
    )


def _merged(boxes: Sequence[Box]) -> list[Box]:
    """Unions of boxes that overlap, until none do."""
    result: list[Box] = []
    for box in boxes:
        grown = box
        while near := [other for other in result if other.overlap(grown) > 0]:
            for other in near:
                result.remove(other)
                grown = grown.union(other)
        result.append(grown)
    return result


def _same(one: Box, other: Box) -> bool:
    return one.overlap(other) > SAME_OVERLAP * min(one.area, other.area)
