"""Do the maps mean what they say: probabilities of foreground, and multiples of an even spread of fixations.

Cells are sorted into bins by what was predicted; in a calibrated map, what is observed in a bin is
what was predicted there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from training.datasets.records import cell_shares
from training.metrics import PROBABILITY_EDGES, Points, Reliability

from benchmarks.quality.held_back import HeldBack, Sample
from benchmarks.quality.ours import Loaded
from benchmarks.quality.tables import Line, Table
from eyefirst.mappings import ATTENTION_CEILING, MAP_SIDE, area_averaged

DENSITY_EDGES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, ATTENTION_CEILING)
"""Multiples of an even spread."""


def foreground_share(sample: Sample) -> NDArray[np.float64]:
    """(68, 68): share of each cell that the mask covers; zeros where nothing is salient."""
    if sample.record.nothing_salient:
        return np.zeros((MAP_SIDE, MAP_SIDE))
    return area_averaged(sample.mask()[None].astype(np.float64))[0]


def relative_density(points_xy: Points) -> NDArray[np.float64]:
    """(68, 68): fixations of each cell as a multiple of an even spread; mean 1."""
    return cell_shares(points_xy, MAP_SIDE) * MAP_SIDE**2


def objectness_calibration(data: HeldBack, set_names: Sequence[str], ours: Loaded, most: int | None) -> list[Table]:
    """The reliability diagram as a table, and the error of each set."""
    together = Reliability(PROBABILITY_EDGES)
    lines = []
    for name in set_names:
        alone = Reliability(PROBABILITY_EDGES)
        samples = data.samples(name, most) if ours.answers else []
        for sample in samples:
            assert ours.answers is not None
            predicted, observed = ours.answers.objectness(sample), foreground_share(sample)
            alone.add(predicted, observed)
            together.add(predicted, observed)
        lines.append(Line(f"{name}, {len(samples)} pictures", _summary(alone), ours.missing))
    lines.append(Line("together", _summary(together)))
    return [
        Table(
            "Objectness, reliability: held-back " + " and ".join(set_names),
            ("predicted", "observed", "cells"),
            tuple(Line(b.name, (b.predicted, b.observed, b.weight) if b.weight else ()) for b in together.bins),
            "Cells by their predicted probability. Observed: share of their area that is foreground. "
            "Cells: share of all cells.",
        ),
        Table(
            "Objectness, expected calibration error",
            ("error", "predicted", "observed"),
            tuple(lines),
            "Error: distance of predicted from observed in each bin, weighted by cells. "
            "Predicted, observed: means over all cells.",
        ),
    ]


def _summary(reliability: Reliability) -> tuple[float, ...]:
    filled = [b for b in reliability.bins if b.weight]
    if not filled:
        return ()
    return reliability.error, sum(b.weight * b.predicted for b in filled), sum(b.weight * b.observed for b in filled)


def attention_calibration(data: HeldBack, set_names: Sequence[str], ours: Loaded, most: int | None) -> Table:
    """Observed against predicted density, one column for each set, so that one meaning can be seen across them."""
    sets = {name: Reliability(DENSITY_EDGES) for name in set_names}
    together = Reliability(DENSITY_EDGES)
    for name, reliability in sets.items():
        for sample in data.samples(name, most) if ours.answers else []:
            assert ours.answers is not None
            predicted, observed = ours.answers.attention(sample) * ATTENTION_CEILING, relative_density(sample.points)
            reliability.add(predicted, observed)
            together.add(predicted, observed)
    lines = [Line("eyefirst", note=ours.missing)] if ours.missing else []
    for i, b in enumerate(together.bins):
        alone = [r.bins[i] for r in sets.values()]
        observed_alone = [one.observed if one.weight else None for one in alone]
        lines.append(Line(b.name, (b.predicted, *observed_alone, b.observed, b.weight) if b.weight else ()))
    factors = [r.factor for r in (*sets.values(), together)]
    lines.append(Line("off by a factor of", (None, *factors, None)))
    return Table(
        "Attention, reliability: held-back " + ", ".join(set_names),
        ("predicted", *set_names, "together", "cells"),
        tuple(lines),
        "Cells by their predicted density, in multiples of an even spread. Sets: observed fixations of these cells, "
        "in the same unit. Cells: share of all cells. Off by: geometric mean over fixations, 1 is perfect.",
    )
