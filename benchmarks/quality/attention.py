"""Where people look: seven measures of every map, per set."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from training.metrics import Points, auc_judd, auc_shuffled, cc, information_gain, kl, nss, sim

from benchmarks.quality.held_back import MAP_SIDE, HeldBack, Sample, density, resized
from benchmarks.quality.methods import MapOf, Method, centre_prior, halves
from benchmarks.quality.tables import Line, Table

COLUMNS = ("NSS", "CC", "SIM", "KL", "AUC-J", "sAUC", "gain")
SPARSE = ("KL", "gain")
"""Measures that punish empty cells without bound: not asked of a blurred handful of fixations."""
OTHER_POINTS = 1000
SEED = 20


def attention_table(data: HeldBack, set_name: str, methods: Sequence[Method], most: int | None) -> Table:
    """Scores on (136, 136) maps, means over the held-back pictures of one set."""
    samples = data.samples(set_name, most)
    baseline = centre_prior(data)
    lines = []
    for method in methods:
        if method.missing:
            lines.append(Line(method.title, note=method.missing))
        elif method.maps is not None and samples:
            lines.append(Line(method.title, _figures(samples, method, method.maps, baseline)))
    return Table(
        f"Attention, {set_name}: {len(samples)} held-back pictures",
        COLUMNS,
        tuple(lines),
        "KL: lower is better. AUC-J: by Judd. sAUC: shuffled, against other held-back pictures' fixations of the set. "
        "gain: information over the centre prior, bits a fixation. Half of the observers are judged by the other half.",
    )


def _figures(samples: Sequence[Sample], method: Method, maps: MapOf, baseline: MapOf) -> tuple[float | None, ...]:
    scores = []
    for i, sample in enumerate(samples):
        points = halves(sample)[1] if method.half_of_observers else sample.points
        if len(points) == 0:
            continue
        values = resized(maps(sample), MAP_SIDE, MAP_SIDE)
        truth = density(points)
        others = other_points(tuple(samples), i)
        scores.append(
            (
                nss(values, points),
                cc(values, truth),
                sim(values, truth),
                kl(values, truth),
                auc_judd(values, points),
                auc_shuffled(values, points, others) if len(others) else float("nan"),
                information_gain(values, baseline(sample), points),
            )
        )
    means = zip(COLUMNS, np.mean(scores, axis=0), strict=True)
    return tuple(None if method.half_of_observers and c in SPARSE else float(m) for c, m in means)


@cache
def other_points(samples: tuple[Sample, ...], index: int) -> Points:
    """At most 1000 fixations on the set's other pictures, the same ones at every run, (n, 2)."""
    everything = np.concatenate([np.empty((0, 2)), *(s.points for i, s in enumerate(samples) if i != index)])
    rng = np.random.default_rng([SEED, index])
    chosen = rng.permutation(len(everything))[:OTHER_POINTS]
    return np.asarray(everything[chosen])
