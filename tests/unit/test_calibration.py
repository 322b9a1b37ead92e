"""The measuring code of calibration, on numbers that can be checked by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from benchmarks.quality.calibration import (
    DENSITY_EDGES,
    attention_calibration,
    foreground_share,
    objectness_calibration,
    relative_density,
)
from benchmarks.quality.held_back import HeldBack, Sample
from benchmarks.quality.ours import Answers, Loaded
from PIL import Image
from training.datasets.records import Fixations, Record
from training.datasets.store import Row
from training.metrics import PROBABILITY_EDGES, Reliability

SIDE = 68


def test_cells_fall_into_bins_and_are_averaged_there() -> None:
    reliability = Reliability((0.0, 0.5, 1.0))
    reliability.add(np.array([[0.1, 0.3, 0.5, 1.0]]), np.array([[0.0, 1.0, 0.0, 1.0]]))
    low, high = reliability.bins
    assert (low.predicted, low.observed, low.weight) == pytest.approx((0.2, 0.5, 0.5))
    assert (high.predicted, high.observed, high.weight) == pytest.approx((0.75, 0.5, 0.5))
    assert reliability.error == pytest.approx((0.3 + 0.25) / 2)
    assert low.name == "0 to 0.5"


def test_pictures_add_up() -> None:
    halves, whole = Reliability(PROBABILITY_EDGES), Reliability(PROBABILITY_EDGES)
    rng = np.random.default_rng(0)
    predicted, observed = rng.random((10, 10)), rng.random((10, 10))
    halves.add(predicted[:5], observed[:5])
    halves.add(predicted[5:], observed[5:])
    whole.add(predicted, observed)
    assert halves.error == pytest.approx(whole.error)
    assert sum(b.weight for b in whole.bins) == pytest.approx(1)


def test_a_calibrated_map_has_no_error() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.random((400, 400))
    reliability = Reliability(PROBABILITY_EDGES)
    reliability.add(predicted, (rng.random((400, 400)) < predicted).astype(np.float64))
    assert reliability.error < 0.01
    overconfident = Reliability(PROBABILITY_EDGES)
    overconfident.add(np.full((2, 2), 0.95), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert overconfident.error == pytest.approx(0.45)


def test_an_empty_bin_weighs_nothing() -> None:
    reliability = Reliability((0.0, 0.5, 1.0))
    assert reliability.error == 0
    assert math.isnan(reliability.factor)
    reliability.add(np.array([[0.2]]), np.array([[0.2]]))
    assert math.isnan(reliability.bins[1].observed) and reliability.bins[1].weight == 0
    assert reliability.error == pytest.approx(0)


def test_the_factor_of_densities() -> None:
    reliability = Reliability(DENSITY_EDGES)
    reliability.add(np.array([[0.3, 3.0]]), np.array([[0.6, 1.5]]))  # one twice too low, one twice too high
    assert reliability.factor == pytest.approx(2)
    perfect = Reliability(DENSITY_EDGES)
    perfect.add(np.array([[0.3, 3.0, 100.0]]), np.array([[0.3, 3.0, 100.0]]))
    assert perfect.factor == pytest.approx(1)
    assert perfect.bins[-1].weight == pytest.approx(1 / 3)


def test_density_of_fixations() -> None:
    density = relative_density(np.array([[0.0, 0.0], [0.999, 0.0], [0.999, 0.001], [0.5, 0.999]], np.float32))
    assert density.mean() == pytest.approx(1)
    assert density[0, 0] == SIDE**2 / 4
    assert density[0, -1] == SIDE**2 / 2
    assert density[-1, 34] == SIDE**2 / 4


@dataclass
class Says:
    """Answers with the same maps for every picture."""

    attention_values: float = 1 / 64
    objectness_values: float = 0.25
    name: str = "fake"

    def attention(self, sample: Sample) -> np.ndarray:
        return np.full((SIDE, SIDE), self.attention_values)

    def objectness(self, sample: Sample) -> np.ndarray:
        return np.full((SIDE, SIDE), self.objectness_values)


class OneOfEach:
    """One masked picture, one without a subject, one with fixations at the top left."""

    def samples(self, set_name: str, most: int | None = None) -> list[Sample]:
        quarter = np.zeros((40, 60), np.uint8)
        quarter[:20, :30] = 255
        looked = Fixations((np.full((4, 2), 0.1, np.float32),)) if set_name == "osie" else None
        record = Record(
            set_name,
            "a",
            lambda: Image.new("RGB", (60, 40)),
            mask=(lambda: Image.fromarray(quarter)) if set_name == "DUTS-TR" else None,
            nothing_salient=set_name == "nothing",
        )
        row = Row(set_name, "a", set_name != "osie", looked is not None, True, 1.5, looked)
        return [Sample(row, record, np.zeros((272, 272, 3), np.uint8))]


DATA = cast("HeldBack", OneOfEach())


def says(attention: float = 1 / 64, objectness: float = 0.25) -> Loaded:
    return Loaded(cast("Answers", Says(attention, objectness)))


def test_foreground_shares() -> None:
    masked, nothing = DATA.samples("DUTS-TR")[0], DATA.samples("nothing")[0]
    assert foreground_share(masked)[:34, :34].min() == pytest.approx(1)
    assert foreground_share(masked).mean() == pytest.approx(0.25)
    assert foreground_share(nothing).max() == 0


def test_the_tables_of_objectness() -> None:
    bins, errors = objectness_calibration(DATA, ["DUTS-TR", "nothing"], says(), None)
    assert bins.lines[2].method == "0.2 to 0.3"
    assert bins.lines[2].figures == pytest.approx((0.25, 0.125, 1.0))
    assert bins.lines[0].figures == ()
    figures = {line.method: line.figures for line in errors.lines}
    assert figures["DUTS-TR, 1 pictures"] == pytest.approx((0, 0.25, 0.25))
    assert figures["nothing, 1 pictures"] == pytest.approx((0.25, 0.25, 0))
    assert figures["together"] == pytest.approx((0.125, 0.25, 0.125))


def test_the_table_of_attention() -> None:
    table = attention_calibration(DATA, ["osie"], says(attention=1.5 / 64), None)
    line = next(line for line in table.lines if line.method == "1 to 2")
    assert line.figures == pytest.approx((1.5, 1.0, 1.0, 1.0))  # all cells in one bin: observed is the even spread
    assert table.lines[-1].figures[1:3] == pytest.approx((1.5, 1.5))


def test_what_is_not_there_is_said() -> None:
    absent = Loaded(None, "not available")
    assert attention_calibration(DATA, ["osie"], absent, None).lines[0].note == "not available"
    assert objectness_calibration(DATA, ["nothing"], absent, None)[1].lines[0].note == "not available"


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from benchmarks.quality import __main__ as command

    monkeypatch.setattr(command, "open_held_back", lambda shards, store: DATA)
    monkeypatch.setattr(command, "all_methods", lambda data, ours: [])
    given = ["--shards", str(tmp_path), "--calibration", "--sets", "osie,nothing"]
    assert command.main(given, says()) == 0
    printed = capsys.readouterr().out
    assert "expected calibration error" in printed
    assert "off by a factor of" in printed
    assert "NSS" not in printed
