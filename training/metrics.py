"""Measures of a saliency map, in plain numpy. No torch, so that benchmarks can use them too.

Attention: NSS, CC, SIM, KL, AUC-Judd, shuffled AUC, information gain (definitions of Bylinskii et al.,
"What do different evaluation metrics tell us about saliency models?", TPAMI 2019), and the share of the
gap between the centre crop and the best window that a map closes. Objectness: maximal F-measure, MAE,
S-measure (Fan et al., ICCV 2017) and E-measure (Fan et al., IJCAI 2018). The tests compare these with
pysaliency and pysodmetrics. Both: whether values mean what they say, by bins of what was predicted.
Faces: recall and precision.
Fixations are (n, 2) x, y fractions with a top-left origin; maps are (h, w) arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eyefirst.face_maps import overlaps

Map = NDArray[np.floating]
Points = NDArray[np.floating]

CROP_RATIOS = (1.0, 9 / 16, 16 / 9, 2.0, 1 / 2, 3.0, 1 / 3)
F_BETA_SQUARED = 0.3
PROBABILITY_EDGES = tuple(i / 10 for i in range(11))


def at_fixations(values: Map, points_xy: Points) -> NDArray[np.float64]:
    """The map's value in the cell of every fixation, (n,)."""
    h, w = values.shape
    x = np.clip((points_xy[:, 0] * w).astype(int), 0, w - 1)
    y = np.clip((points_xy[:, 1] * h).astype(int), 0, h - 1)
    return np.asarray(values[y, x], np.float64)


def density_of(values: Map) -> NDArray[np.float64]:
    """The map as a distribution over its cells; uniform where it is empty."""
    v = np.asarray(values, np.float64)
    total = v.sum()
    return v / total if total > 0 else np.full(v.shape, 1 / v.size)


def nss(values: Map, points_xy: Points) -> float:
    """Normalised scanpath saliency: mean of the standardised map at the fixations."""
    v = np.asarray(values, np.float64)
    deviation = v.std()
    return float((at_fixations(v, points_xy) - v.mean()).mean() / deviation) if deviation > 0 else 0.0


def cc(values: Map, truth: Map) -> float:
    """Pearson correlation of two maps."""
    a, b = (np.asarray(m, np.float64) - np.mean(m) for m in (values, truth))
    norm = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / norm) if norm > 0 else 0.0


def sim(values: Map, truth: Map) -> float:
    """Similarity: sum of the cell-wise minimum of two distributions."""
    return float(np.minimum(density_of(values), density_of(truth)).sum())


def kl(values: Map, truth: Map) -> float:
    """Kullback-Leibler divergence of the map from the true distribution, in nats."""
    eps = np.finfo(np.float64).eps
    p, q = density_of(values), density_of(truth)
    return float((q * np.log(eps + q / (p + eps))).sum())


def auc_judd(values: Map, points_xy: Points) -> float:
    """Area under the ROC curve: fixations against the cells without one, each fixation's value a threshold.

    The curve is joined by straight lines between those thresholds, as in the published code, without
    its jitter: equal values count half.
    """
    v = np.asarray(values, np.float64)
    positives = np.sort(at_fixations(v, points_xy))
    fixated = at_fixations(np.arange(v.size, dtype=np.float64).reshape(v.shape), points_xy).astype(int)
    negatives = np.sort(np.delete(v.ravel(), fixated))
    if len(negatives) == 0:
        return 0.5
    thresholds = np.unique(positives)[::-1]
    hits = 1 - np.searchsorted(positives, thresholds) / len(positives)
    false_alarms = 1 - np.searchsorted(negatives, thresholds) / len(negatives)
    hits, false_alarms = (np.concatenate([[0.0], rates, [1.0]]) for rates in (hits, false_alarms))
    return float(((hits[1:] + hits[:-1]) / 2 * np.diff(false_alarms)).sum())


def auc_shuffled(values: Map, points_xy: Points, other_points_xy: Points) -> float:
    """Area under the ROC curve: fixations against those of other pictures, so that centre bias earns nothing."""
    return _auc(at_fixations(values, points_xy), at_fixations(values, other_points_xy))


def information_gain(values: Map, baseline: Map, points_xy: Points) -> float:
    """Bits a fixation that the map knows beyond the baseline distribution (Kuemmerer et al., PNAS 2015)."""
    eps = np.finfo(np.float64).eps
    gain = np.log2(at_fixations(density_of(values), points_xy) + eps)
    return float((gain - np.log2(at_fixations(density_of(baseline), points_xy) + eps)).mean())


def _auc(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> float:
    """Probability that a positive beats a negative, ties counting half."""
    negatives = np.sort(negatives)
    below = np.searchsorted(negatives, positives, "left")
    not_above = np.searchsorted(negatives, positives, "right")
    return float((below + not_above).mean() / (2 * len(negatives)))


@dataclass(frozen=True)
class FixedRatioKept:
    """Share of the fixations inside a window, means over pictures and ratios."""

    method: float
    centre: float
    best: float

    @property
    def gap_closed(self) -> float:
        """0 is the centre crop, 1 the best window for these very fixations; nan where those two keep the same."""
        gap = self.best - self.centre
        return (self.method - self.centre) / gap if gap > 0 else float("nan")


def fixed_ratio_kept(windows: Iterable[tuple[Points, float, Sequence[tuple[float, float]]]]) -> FixedRatioKept:
    """Judges crops of the largest size at `CROP_RATIOS`.

    Each item is one picture: its fixations, its aspect ratio (width / height), and for each of
    `CROP_RATIOS` the window's left and top as fractions of the picture.
    """
    kept = []
    for points_xy, aspect, corners in windows:
        for ratio, (left, top) in zip(CROP_RATIOS, corners, strict=True):
            axis, size = largest_window(aspect, ratio)
            along = np.sort(points_xy[:, axis].astype(np.float64))
            start = (left, top)[axis]
            ends = np.searchsorted(along, along + size, "right")
            best = (ends - np.arange(len(along))).max() / len(along)
            inside = [
                np.searchsorted(along, s + size, "right") - np.searchsorted(along, s, "left")
                for s in (start, (1 - size) / 2)
            ]
            kept.append((inside[0] / len(along), inside[1] / len(along), best))
    method, centre, best = np.mean(kept, axis=0)
    return FixedRatioKept(float(method), float(centre), float(best))


def largest_window(aspect: float, ratio: float) -> tuple[int, float]:
    """Along which axis (0 x, 1 y) the largest window of a ratio slides, and its size as a share of that side."""
    return (0, ratio / aspect) if ratio < aspect else (1, aspect / ratio)


def best_corner(values: Map, aspect: float, ratio: float) -> tuple[float, float]:
    """Left and top of the largest window of a ratio that holds most of the map."""
    axis, size = largest_window(aspect, ratio)
    along = np.asarray(values, np.float64).sum(axis=axis)
    n = len(along)
    sums = np.concatenate([[0.0], np.cumsum(along)])
    starts = np.linspace(0, 1 - size, 4 * n + 1)
    edges = np.arange(n + 1) / n
    mass = np.interp(starts + size, edges, sums) - np.interp(starts, edges, sums)
    near_best = np.flatnonzero(mass >= mass.max() - 1e-9 * max(mass.max(), 1e-12))
    start = starts[near_best[len(near_best) // 2]]
    return (float(start), 0.0) if axis == 0 else (0.0, float(start))


def s_measure(values: Map, mask: NDArray[np.bool_]) -> float:
    """Structure measure: half object-aware, half region-aware likeness; values (h, w) in 0..1, mask (h, w)."""
    v = np.asarray(values, np.float64)
    share = float(mask.mean())
    if share in (0, 1):
        return float(v.mean()) if share else float(1 - v.mean())
    objects = share * _evenly_high(v[mask]) + (1 - share) * _evenly_high(1 - v[~mask])
    rows, columns = (int(c) + 1 for c in np.argwhere(mask).mean(axis=0).round())
    quadrants = [(y, x) for y in (slice(rows), slice(rows, None)) for x in (slice(columns), slice(columns, None))]
    regions = sum(mask[q].size / mask.size * _likeness(v[q], mask[q]) for q in quadrants if mask[q].size)
    return max(0.0, float(objects + regions) / 2)


def _evenly_high(values: NDArray[np.float64]) -> float:
    """1 where all values are 1; less where they are low or uneven."""
    spread = values.std(ddof=1) if values.size > 1 else 0.0
    return float(2 * values.mean() / (values.mean() ** 2 + 1 + spread))


def _likeness(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    """Structural similarity of one region, without its stabilising constants."""
    x, y = values.mean(), mask.mean()
    n = max(values.size - 1, 1)
    variances = (((values - x) ** 2).sum() + ((mask - y) ** 2).sum()) / n
    alpha = 4 * x * y * ((values - x) * (mask - y)).sum() / n
    beta = (x**2 + y**2) * variances
    if alpha != 0:
        return float(alpha / (beta + np.finfo(np.float64).eps))
    return float(beta == 0)


@dataclass
class MaskScores:
    """Collects predictions and masks; answers with the measures of the whole set."""

    precision: list[NDArray[np.float64]]
    recall: list[NDArray[np.float64]]
    errors: list[float]
    structure: list[float]
    alignment: list[NDArray[np.float64]]

    @classmethod
    def empty(cls) -> MaskScores:
        return cls([], [], [], [], [])

    def add(self, values: Map, mask: NDArray[np.bool_]) -> None:
        """Values (h, w) in 0..1, never stretched; mask (h, w), True where foreground."""
        levels = np.round(np.clip(values, 0, 1) * 255).astype(int).ravel()
        truth = mask.ravel()
        self.errors.append(float(np.abs(np.clip(values, 0, 1) - mask).mean()))
        hits = np.cumsum(np.bincount(levels[truth], minlength=256)[::-1])[::-1]
        found = np.cumsum(np.bincount(levels, minlength=256)[::-1])[::-1]
        self.precision.append(np.where(found > 0, hits / np.maximum(found, 1), 0.0))
        self.recall.append(hits / max(int(truth.sum()), 1))
        self.structure.append(s_measure(np.clip(values, 0, 1), mask))
        self.alignment.append(_alignment(hits, found, int(truth.sum()), truth.size))

    @property
    def mae(self) -> float:
        return float(np.mean(self.errors))

    @property
    def max_f(self) -> float:
        """Maximal F-measure over 256 fixed thresholds of precision and recall averaged over pictures."""
        return float(_f_measure(np.mean(self.precision, axis=0), np.mean(self.recall, axis=0)).max())

    @property
    def max_mean_f(self) -> float:
        """Maximum over 256 fixed thresholds of the pictures' mean F-measure: what newer tools call maximal F."""
        return float(_f_measure(np.array(self.precision), np.array(self.recall)).mean(axis=0).max())

    @property
    def s_measure(self) -> float:
        return float(np.mean(self.structure))

    @property
    def max_e(self) -> float:
        """Maximum over 256 fixed thresholds of the pictures' mean E-measure."""
        return float(np.mean(self.alignment, axis=0).max())


def _f_measure(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> NDArray[np.float64]:
    weighted = np.maximum(F_BETA_SQUARED * precision + recall, 1e-12)
    return np.asarray((1 + F_BETA_SQUARED) * precision * recall / weighted)


def _alignment(
    hits: NDArray[np.integer], found: NDArray[np.integer], foreground: int, cells: int
) -> NDArray[np.float64]:
    """E-measure at every threshold, from the numbers of cells found, rightly found, foreground, and in all."""
    if foreground in (0, cells):
        return (found if foreground else cells - found) / (cells - 1)
    total = np.zeros(len(hits))
    for is_found, is_truth, count in (
        (1, 1, hits),
        (1, 0, found - hits),
        (0, 1, foreground - hits),
        (0, 0, cells - found - foreground + hits),
    ):
        a, b = is_found - found / cells, is_truth - foreground / cells
        aligned = 2 * a * b / (a * a + b * b)
        total += count * (aligned + 1) ** 2 / 4
    return total / (cells - 1)


@dataclass(frozen=True, slots=True)
class Bin:
    """Cells whose prediction lies in low..high (the last bin includes its end).

    predicted, observed: means over those cells, weight: their share of all cells; the means are nan
    where the weight is 0.
    """

    low: float
    high: float
    predicted: float
    observed: float
    weight: float

    @property
    def name(self) -> str:
        return f"{self.low:g} to {self.high:g}"


class Reliability:
    """Collects cells picture by picture."""

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = np.asarray(edges, np.float64)
        self._sums = np.zeros((3, len(edges) - 1))

    def add(self, predicted: Map, observed: Map) -> None:
        """Two maps of one shape; every cell counts alike."""
        at = np.clip(np.searchsorted(self.edges, predicted.ravel(), "right") - 1, 0, len(self.edges) - 2)
        for row, values in enumerate((predicted, observed, np.ones(predicted.shape))):
            self._sums[row] += np.bincount(at, np.asarray(values, np.float64).ravel(), len(self.edges) - 1)

    @property
    def bins(self) -> tuple[Bin, ...]:
        """All bins, empty ones included."""
        predicted, observed, count = self._sums
        seen = np.where(count > 0, count, np.nan)
        rows = zip(
            self.edges[:-1], self.edges[1:], predicted / seen, observed / seen, count / max(count.sum(), 1), strict=True
        )
        return tuple(Bin(*map(float, row)) for row in rows)

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of predicted from observed, bins weighted by their cells."""
        return float(sum(b.weight * abs(b.predicted - b.observed) for b in self.bins if b.weight))

    @property
    def factor(self) -> float:
        """By which factor a density is off, the geometric mean over what was observed; 1 is perfect.

        Bins in which nothing was observed, or nothing predicted, are left out.
        """
        rated = [b for b in self.bins if b.weight and b.observed > 0 and b.predicted > 0]
        shares = np.array([b.weight * b.observed for b in rated])
        distances = np.array([abs(np.log(b.observed / b.predicted)) for b in rated])
        return float(np.exp(shares @ distances / shares.sum())) if rated else float("nan")


LEAST_FACE = 0.06
"""Smaller side of the smallest faces that count, as a share of the picture's shorter side."""
SURE_FACE = 0.5
SAME_FACE = 0.5
"""Least intersection over union of a face with a face that is the same."""
COVERED = 0.5
"""Share of a cell from which on it is text."""


@dataclass
class Found:
    """How many things there are, how many of those are found; how many are found in all, how many of these right."""

    there: int = 0
    found_of_those: int = 0
    found: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        return self.found_of_those / self.there if self.there else float("nan")

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else float("nan")


@dataclass
class FaceScores(Found):
    """Collects faces found and faces there are; counts those of at least `least_size`, see `face_sizes`.

    Faces there are come from a detector. Those it doubts, and those that are too small, may be found or not.
    """

    least_size: float = LEAST_FACE

    def add(self, found: NDArray[np.floating], truth: NDArray[np.floating], aspect: float) -> None:
        """Both (n, 5): edges in 0..1, confidence; `found` is the most confident first. Aspect is width / height."""
        taken = np.zeros(len(truth), bool)
        counts = (truth[:, 4] >= SURE_FACE) & (face_sizes(truth, aspect) >= self.least_size)
        self.there += int(counts.sum())
        for box, size in zip(found, face_sizes(found, aspect), strict=True):
            free = np.where(taken, 0.0, overlaps(box, truth)) if len(truth) else np.zeros(1)
            best = int(free.argmax())
            same = bool(free[best] >= SAME_FACE)
            if same:
                taken[best] = True
                self.found_of_those += int(counts[best])
            if size >= self.least_size and (not same or counts[best]):
                self.found += 1
                self.right += int(same)


@dataclass
class TextScores(Found):
    """Collects cells found to be text and cells that are; both from `COVERED` on, but not cells of doubtful lines."""

    def add(self, found: NDArray[np.floating], target: NDArray[np.floating]) -> None:
        """found: (side, side) probabilities. target: (2, side, side), see `training.datasets.targets.text_targets`."""
        counts = target[1] > 0
        text, said = counts & (target[0] >= COVERED), counts & (found >= COVERED)
        self.there += int(text.sum())
        self.found += int(said.sum())
        both = int((text & said).sum())
        self.found_of_those += both
        self.right += both


def face_sizes(faces: NDArray[np.floating], aspect: float) -> NDArray[np.float64]:
    """Smaller sides of faces (n, 5) as shares of the picture's shorter side, (n,)."""
    sides = (faces[:, 2:4] - faces[:, :2]) * np.array([aspect, 1.0]) / min(aspect, 1.0)
    return np.asarray(sides.min(axis=1), np.float64)
