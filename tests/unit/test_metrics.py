"""The measures against values derived by hand, and against published libraries where these are installed."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from training.metrics import (
    CROP_RATIOS,
    FaceScores,
    FixedRatioKept,
    Map,
    MaskScores,
    Points,
    auc_judd,
    auc_shuffled,
    best_corner,
    cc,
    face_sizes,
    fixed_ratio_kept,
    information_gain,
    kl,
    largest_window,
    nss,
    s_measure,
    sim,
)

# 0 1     the four cells' centres are at 0.25 and 0.75 on both axes
# 2 3
SMALL = np.array([[0.0, 1.0], [2.0, 3.0]])
BOTTOM_RIGHT = np.array([[0.75, 0.75]])
TOP_RIGHT = np.array([[0.75, 0.25]])


class TestAttention:
    def test_nss_is_the_standardised_value(self) -> None:
        # mean 1.5, variance (2.25 + 0.25 + 0.25 + 2.25) / 4 = 1.25
        assert nss(SMALL, BOTTOM_RIGHT) == pytest.approx(1.5 / math.sqrt(1.25))
        assert nss(SMALL, TOP_RIGHT) == pytest.approx(-0.5 / math.sqrt(1.25))
        assert nss(SMALL, np.concatenate([BOTTOM_RIGHT, TOP_RIGHT])) == pytest.approx(0.5 / math.sqrt(1.25))

    def test_nss_of_a_flat_map_is_zero(self) -> None:
        assert nss(np.ones((3, 3)), BOTTOM_RIGHT) == 0

    def test_x_is_the_column_and_y_the_row(self) -> None:
        values = np.zeros((4, 8))
        values[3, 1] = 1
        on, swapped = np.array([[1.5 / 8, 3.5 / 4]]), np.array([[3.5 / 8, 1.5 / 4]])
        assert nss(values, on) > 0 > nss(values, swapped)

    def test_a_fixation_on_the_edge_belongs_to_the_last_cell(self) -> None:
        assert nss(SMALL, np.array([[1.0, 1.0]])) == nss(SMALL, BOTTOM_RIGHT)

    def test_cc(self) -> None:
        assert cc(SMALL, 5 * SMALL + 2) == pytest.approx(1)
        assert cc(SMALL, -SMALL) == pytest.approx(-1)
        # deviations (-1.5, -.5, .5, 1.5) and (-.25, .75, -.25, -.25): -.5 / sqrt(5 * .75)
        assert cc(SMALL, np.array([[0, 1], [0, 0]])) == pytest.approx(-0.5 / math.sqrt(5 * 0.75))
        assert cc(np.ones((2, 2)), SMALL) == 0

    def test_sim_is_what_two_distributions_share(self) -> None:
        # (0, 1, 2, 3) / 6 and (1, 1, 1, 1) / 4: 0 + 1/6 + 1/4 + 1/4
        assert sim(SMALL, np.ones((2, 2))) == pytest.approx(2 / 3)
        assert sim(SMALL, 7 * SMALL) == pytest.approx(1)

    def test_kl_is_of_the_truth_from_the_map_in_nats(self) -> None:
        # truth (0, 0, 1/2, 1/2) under an even spread: log 2
        assert kl(np.ones((2, 2)), np.array([[0, 0], [1, 1]])) == pytest.approx(math.log(2))
        assert kl(SMALL, SMALL) == pytest.approx(0, abs=1e-12)
        assert kl(np.array([[0, 0], [1, 1]]), np.ones((2, 2))) > 10  # empty where people look: punished

    def test_auc_judd_leaves_fixated_cells_out_of_the_negatives(self) -> None:
        assert auc_judd(SMALL, BOTTOM_RIGHT) == 1  # above all three cells without a fixation
        # value 1 against (0, 2, 3): thresholds inf, 1, -inf give (0, 0), (2/3, 1), (1, 1)
        assert auc_judd(SMALL, TOP_RIGHT) == pytest.approx(2 / 3 / 2 + 1 / 3)

    def test_auc_judd_of_a_flat_map_is_a_half(self) -> None:
        assert auc_judd(np.ones((5, 5)), TOP_RIGHT) == 0.5

    def test_auc_shuffled_counts_pairs(self) -> None:
        others = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])  # 0, 1, 2, 3
        assert auc_shuffled(SMALL, TOP_RIGHT, others) == pytest.approx(1.5 / 4)  # a tie counts half
        assert auc_shuffled(SMALL, BOTTOM_RIGHT, others) == pytest.approx(3.5 / 4)

    def test_information_gain_is_in_bits(self) -> None:
        # 3/6 against 1/4: one bit; 1/6 against 1/4
        assert information_gain(SMALL, np.ones((2, 2)), BOTTOM_RIGHT) == pytest.approx(1)
        assert information_gain(SMALL, np.ones((2, 2)), TOP_RIGHT) == pytest.approx(math.log2(4 / 6))


class TestFixedRatios:
    def test_largest_window(self) -> None:
        assert largest_window(2.0, 1.0) == (0, 0.5)  # a square in a picture twice as wide slides along x
        assert largest_window(0.5, 1.0) == (1, 0.5)
        assert largest_window(1.0, 2.0) == (1, 0.5)

    def test_kept_by_hand(self) -> None:
        # A picture of 2:1. For 1:1 the window is half as wide; only that ratio and 2:1 are looked at here.
        points = np.array([[0.05, 0.5], [0.1, 0.5], [0.15, 0.5], [0.9, 0.5]])
        corners = [(0.0, 0.0)] * len(CROP_RATIOS)
        kept = fixed_ratio_kept([(points, 2.0, corners)])
        # widths: 1:1 .5, 9:16 .28, 16:9 .89, 1:2 .25, 1:3 .17 hold the three at the left; 2:1 and 3:1 hold all (y = .5,
        # but 3:1 starts at the top and is 2/3 high: it holds .5)
        assert kept.method == pytest.approx((0.75 + 0.75 + 0.75 + 1 + 0.75 + 1 + 0.75) / 7)
        # centre: 1:1 .25-.75 none, 9:16 none, 16:9 .056-.944: .1 .15 .9, 2:1 and 3:1 all, 1:2 and 1:3 none
        assert kept.centre == pytest.approx((0 + 0 + 0.75 + 1 + 0 + 1 + 0) / 7)
        # best: as the left one, save 16:9, where .05 to .9 lie within .89: all
        assert kept.best == pytest.approx((0.75 + 0.75 + 1 + 1 + 0.75 + 1 + 0.75) / 7)

    def test_gap_closed(self) -> None:
        assert FixedRatioKept(0.8, 0.7, 0.9).gap_closed == pytest.approx(0.5)
        assert FixedRatioKept(0.6, 0.7, 0.9).gap_closed == pytest.approx(-0.5)
        assert math.isnan(FixedRatioKept(0.7, 0.7, 0.7).gap_closed)

    def test_the_centre_crop_closes_nothing_and_no_window_beats_the_best(self) -> None:
        rng = np.random.default_rng(0)
        centre: list[tuple[Points, float, list[tuple[float, float]]]] = []
        chance: list[tuple[Points, float, list[tuple[float, float]]]] = []
        for aspect in (0.6, 1.0, 1.5):
            points = rng.random((40, 2)).astype(np.float32)
            for found, where in ((centre, 0.5), (chance, rng.random())):
                corners = []
                for ratio in CROP_RATIOS:
                    axis, size = largest_window(aspect, ratio)
                    start = (1 - size) * where
                    corners.append((start, 0.0) if axis == 0 else (0.0, start))
                found.append((points, aspect, corners))
        assert fixed_ratio_kept(centre).gap_closed == 0
        kept = fixed_ratio_kept(chance)
        assert kept.method <= kept.best

    def test_best_corner_finds_the_blob_and_falls_back_to_the_centre(self) -> None:
        values = np.zeros((10, 20))
        values[:, 16:18] = 1
        left, top = best_corner(values, 2.0, 1.0)
        assert top == 0
        assert left <= 0.8
        assert left + 0.5 >= 0.9 - 1e-9
        assert best_corner(np.ones((10, 20)), 2.0, 1.0) == pytest.approx((0.25, 0.0))
        assert best_corner(np.ones((10, 20)), 0.5, 1.0) == pytest.approx((0.0, 0.25))


def _scores(*pairs: tuple[Map, NDArray[np.bool_]]) -> MaskScores:
    scores = MaskScores.empty()
    for values, mask in pairs:
        scores.add(values, mask)
    return scores


class TestMasks:
    MASK = np.array([[True, False], [False, False]])

    def test_a_perfect_answer(self) -> None:
        scores = _scores((self.MASK.astype(float), self.MASK))
        assert scores.mae == 0
        assert scores.max_f == pytest.approx(1)
        assert scores.max_mean_f == pytest.approx(1)
        assert scores.s_measure == pytest.approx(1)
        assert scores.max_e == pytest.approx(4 / 3)  # its published form divides by the cells less one

    def test_everything_foreground(self) -> None:
        scores = _scores((np.ones((2, 2)), self.MASK))
        assert scores.mae == pytest.approx(0.75)
        # precision 1/4, recall 1 at every threshold: 1.3 * .25 / (.3 * .25 + 1)
        assert scores.max_f == pytest.approx(1.3 * 0.25 / 1.075)

    def test_two_pictures_average_before_or_after(self) -> None:
        # one perfect at 1.0, one whose subject is only .4 bright and whose ground is .2
        dim = np.full((2, 2), 0.2)
        dim[0, 0] = 0.4
        scores = _scores((self.MASK.astype(float), self.MASK), (dim, self.MASK))
        assert scores.mae == pytest.approx((0.6 + 3 * 0.2) / 8)
        assert scores.max_f == pytest.approx(1)  # a threshold between .2 and .4 serves both
        scores = _scores((self.MASK.astype(float), self.MASK), (np.zeros((2, 2)), self.MASK))
        # at thresholds above 0: precision (1 + 0) / 2, recall (1 + 0) / 2; F of the means .5, mean of the Fs .5
        assert scores.max_mean_f == pytest.approx(max(0.5, (1 + 1) * 1.3 * 0.25 / 1.075 / 2))

    def test_e_measure_by_hand(self) -> None:
        # found: the upper row of two; truth: the upper left one. Means 1/2 and 1/4.
        found = np.array([[1.0, 1.0], [0.0, 0.0]])
        expected = 0.0
        for f, t in ((1, 1), (1, 0), (0, 0), (0, 0)):
            a, b = f - 0.5, t - 0.25
            expected += (2 * a * b / (a * a + b * b) + 1) ** 2 / 4
        # at threshold 0 everything is found: a is 0 everywhere, so every cell counts 1/4
        assert _scores((found, self.MASK)).max_e == pytest.approx(max(expected, 1.0) / 3)

    def test_s_measure_without_or_full_of_foreground(self) -> None:
        assert s_measure(np.full((4, 4), 0.2), np.zeros((4, 4), bool)) == pytest.approx(0.8)
        assert s_measure(np.full((4, 4), 0.2), np.ones((4, 4), bool)) == pytest.approx(0.2)

    def test_values_are_never_stretched(self) -> None:
        dim = _scores((0.5 * self.MASK, self.MASK))
        assert dim.mae == pytest.approx(0.125)


def _blobs(seed: int) -> tuple[Map, Points]:
    """A map of four blobs, and 25 places that have nothing to do with it."""
    shape = (40, 60)
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    values = np.zeros(shape)
    for cx, cy, width in rng.random((4, 3)):
        values += np.exp(-((x / shape[1] - cx) ** 2 + (y / shape[0] - cy) ** 2) / (0.02 + 0.05 * width))
    return values, rng.random((25, 2))


@pytest.mark.filterwarnings("ignore")
class TestAgainstPysaliency:
    @pytest.fixture
    def pysaliency(self) -> Any:
        return pytest.importorskip("pysaliency")

    @pytest.mark.parametrize("seed", range(5))
    def test_maps(self, pysaliency: Any, seed: int) -> None:
        theirs = pysaliency.metrics
        (a, points), (b, _) = _blobs(seed), _blobs(100 + seed)
        xs, ys = points[:, 0] * a.shape[1], points[:, 1] * a.shape[0]
        assert nss(a, points) == pytest.approx(theirs.NSS(a, xs, ys).mean())
        assert cc(a, b) == pytest.approx(theirs.CC(a, b))
        assert sim(a, b) == pytest.approx(theirs.SIM(a, b))
        assert kl(a, b) == pytest.approx(theirs.MIT_KLDiv(a, b))

    @pytest.mark.parametrize("seed", range(5))
    def test_models(self, pysaliency: Any, seed: int) -> None:
        if not hasattr(np, "trapz"):
            pytest.skip("this pysaliency needs numpy before 2.4")
        (a, points), (b, others) = _blobs(seed), _blobs(100 + seed)
        a = np.round(a, 1)  # ties
        height, width = a.shape
        stimuli = pysaliency.Stimuli([np.zeros((height, width, 3), np.uint8)] * 2)
        everything = np.concatenate([points, others])
        n = np.repeat([0, 1], 25)
        trains = pysaliency.FixationTrains.from_fixation_trains(
            [[x] for x in everything[:, 0] * width],
            [[y] for y in everything[:, 1] * height],
            [[0.0]] * 50,
            n,
            np.zeros(50, int),
        )
        model = _model(pysaliency, a)
        first = trains[trains.n == 0]
        judd = model.AUC_Judd(stimuli[:1], first, jitter=False)
        assert auc_judd(a, points) == pytest.approx(judd)
        shuffled = model.AUC_per_image(stimuli, trains, nonfixations="shuffled")[0]
        assert auc_shuffled(a, points, others) == pytest.approx(shuffled)
        gain = _density(pysaliency, a + 0.1).information_gain(stimuli[:1], first, _density(pysaliency, b))
        assert information_gain(a + 0.1, b, points) == pytest.approx(gain)


def _model(pysaliency: Any, values: Map) -> Any:
    class Fixed(pysaliency.SaliencyMapModel):  # type: ignore[misc]
        def _saliency_map(self, stimulus: object) -> Map:
            return values

    return Fixed(caching=False)


def _density(pysaliency: Any, values: Map) -> Any:
    class Fixed(pysaliency.Model):  # type: ignore[misc]
        def _log_density(self, stimulus: object) -> Map:
            return np.asarray(np.log(values / values.sum()))

    return Fixed()


@pytest.mark.filterwarnings("ignore")
class TestAgainstPysodmetrics:
    def test_a_set_of_pictures(self) -> None:
        theirs = pytest.importorskip("py_sod_metrics")
        f, mae, s, e = theirs.Fmeasure(), theirs.MAE(), theirs.Smeasure(), theirs.Emeasure()
        scores = MaskScores.empty()
        for seed in range(8):
            values, _ = _blobs(seed)
            values = np.floor(values / values.max() * 254)
            values = (values + 0.25) / 255  # falls on one of their 256 levels, whether rounded down or to the nearest
            mask = _blobs(seed + (seed % 3))[0] > 0.6
            scores.add(values, mask)
            for measure in (f, mae, s, e):
                measure.step(values, mask, normalize=False)
        curves = f.get_results()
        p, r = curves["pr"]["p"], curves["pr"]["r"]
        assert scores.max_f == pytest.approx(np.nanmax(1.3 * p * r / (0.3 * p + r)))
        assert scores.max_mean_f == pytest.approx(curves["fm"]["curve"].max())
        assert scores.mae == pytest.approx(mae.get_results()["mae"])
        assert scores.s_measure == pytest.approx(s.get_results()["sm"])
        assert scores.max_e == pytest.approx(e.get_results()["em"]["curve"].max())


def test_faces_count_when_large_and_sure() -> None:
    scores = FaceScores()
    sure, doubtful = [[0.1, 0.1, 0.3, 0.4, 0.9], [0.5, 0.5, 0.7, 0.8, 0.8]], [0.8, 0.1, 0.9, 0.2, 0.3]
    truth = np.array([*sure, doubtful, [0, 0, 0.02, 0.03, 0.9]])
    found = np.array([[0.1, 0.1, 0.3, 0.38, 0.9], [0.8, 0.1, 0.9, 0.2, 0.6], [0.3, 0.7, 0.5, 0.9, 0.5]])
    scores.add(found, truth, 1.0)
    assert (scores.there, scores.recall, scores.precision) == (2, 0.5, 0.5)
    scores.add(found[:1], truth[:0], 1.0)
    assert (scores.there, scores.found, scores.right) == (2, 3, 1)
    assert FaceScores().recall != FaceScores().recall  # nan


def test_a_face_is_as_large_as_its_smaller_side_beside_the_pictures() -> None:
    face = np.array([[0.1, 0.1, 0.2, 0.3, 0.9]])
    assert face_sizes(face, 2.0) == pytest.approx([0.2])
    assert face_sizes(face, 0.5) == pytest.approx([0.1])
