"""The measuring code of benchmarks/quality/video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV comes with the extra 'video'")
pytest.importorskip("av", reason="PyAV comes with the extra 'video'")

from benchmarks.quality.video.__main__ import main
from benchmarks.quality.video.clips import SCENES, SIZE, film
from benchmarks.quality.video.measure import best_window, costs, fully_inside, path_figures
from benchmarks.quality.video.people import Figures, Seen, figures, together

from eyefirst.films.frames import ColourTags, VideoInfo
from eyefirst.films.path import CameraPath, KeyFrame
from eyefirst.films.planes import Turn
from eyefirst.films.reader import VideoReader
from eyefirst.films.reframe_plan import ReframePlan, ShotPath
from eyefirst.films.sights import Footage, Shot, Sight
from eyefirst.geometry import AspectRatio, Box, Size

QUARTER = 0.25
INFO = VideoInfo(
    "a.mp4",
    Size(400, 100),
    Turn(),
    Fraction(1),
    Fraction(24),
    Fraction(2),
    48,
    "sdr",
    False,
    8,
    "4:2:0",
    ColourTags(2, 2, 2, 0),
)


def sight(seconds: float, place: float) -> Sight:
    """All attention in one of 68 columns."""
    across = np.zeros(68, np.float32)
    across[int(place * 68)] = 1
    return Sight(Fraction(seconds), across, np.full(68, 1 / 68, np.float32), (), (), 0.5, 20, 40)


def plan_of(keys: list[tuple[float, float]]) -> ReframePlan:
    path = CameraPath(tuple(KeyFrame(t, Box(x, 0, x + QUARTER, 1)) for t, x in keys))
    shot = ShotPath(Fraction(0), Fraction(2), "hold" if len(keys) == 1 else "pan", path, 0.0, 0.0)
    size, square = Size(400, 100), AspectRatio.parse("1:1")
    return ReframePlan("a.mp4", size, Fraction(1), Fraction(2), square, Size(100, 100), None, "r", (shot,))


def test_figures_of_a_still_camera_before_a_jumping_subject() -> None:
    sights = tuple(sight(i / 4, 0.05 if i % 2 else 0.95) for i in range(8))
    footage = Footage(INFO, Fraction(2), 48, 4, "r", (Shot(Fraction(0), Fraction(2), sights, 16 / 9),))
    figures = path_figures(footage, plan_of([(0, 0.0)]))
    assert (figures.kept, figures.kept_by_centre, figures.kept_by_best) == pytest.approx((0.5, 0, 1), abs=1e-6)
    assert figures.gap_closed == pytest.approx(0.5)
    assert figures.speed == figures.jerk == 0
    assert figures.raw_speed > 5
    assert figures.raw_jerk > 100


def test_a_moving_camera_has_speed() -> None:
    sights = tuple(sight(i / 4, 0.5) for i in range(8))
    footage = Footage(INFO, Fraction(2), 48, 4, "r", (Shot(Fraction(0), Fraction(2), sights, 16 / 9),))
    figures = path_figures(footage, plan_of([(0, 0.0), (2, 0.75)]))
    assert figures.speed == pytest.approx(0.75 / QUARTER / 2, rel=0.15)
    assert figures.raw_speed == 0


@pytest.mark.parametrize("place", [0.01, 0.3, 0.99])
def test_the_best_window_holds_all_there_is(place: float) -> None:
    box = best_window(sight(0, place), Box(0, 0, QUARTER, 1))
    column = int(place * 68) / 68
    assert box.left <= column + 1e-6
    assert box.right >= column + 1 / 68 - 1e-6


def test_fully_inside_counts_any_subject() -> None:
    plan = plan_of([(0, 0.0)])
    assert fully_inside(plan, lambda _: [Box(0.05, 0, 0.2, 1)], 2) == 1
    assert fully_inside(plan, lambda _: [Box(0.05, 0, 0.3, 1)], 2) == 0
    assert fully_inside(plan, lambda _: [Box(0.5, 0, 0.6, 1), Box(0.1, 0, 0.2, 1)], 2) == 1
    assert fully_inside(plan, lambda t: [Box(0.1, 0, 0.2, 1)] if t < 1 else [], 2) == pytest.approx(0.5, abs=0.03)


def test_scenes_show_the_subject_where_they_say(tmp_path: Path) -> None:
    scene = next(s for s in SCENES if s.name == "cuts")
    path = film(scene, tmp_path / "cuts.mp4")
    with VideoReader(path) as reader:
        frames = {round(float(f.seconds), 2): f.pixels().astype(int) for f in reader.frames()}
    assert len(frames) == 144
    (first,), (second,) = (scene.subjects_at(t) for t in (1.0, 3.0))
    for at, here, elsewhere in ((1.0, first, second), (3.0, second, first)):
        inside, outside = (b.to_pixels(SIZE) for b in (here, elsewhere))
        detail = [frames[at][b.top + 30 : b.bottom - 30, b.left + 30 : b.right - 30].std() for b in (inside, outside)]
        assert detail[0] > 1.5 * detail[1]


def test_costs_and_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = film(SCENES[0], tmp_path / "still.mp4")
    spent = costs(path, "9:16", tmp_path)
    assert spent.frames == 96
    assert min(spent.analysis, spent.writing, spent.alone) > 0
    assert spent.added_by_analysis == pytest.approx(spent.analysis / spent.alone)
    assert spent.added == pytest.approx((spent.analysis + spent.writing) / spent.alone - 1)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "no.mp4").write_text("no film")
    assert main(["--scenes", "still", "--clips", str(tmp_path / "clips")]) == 0
    out = capsys.readouterr().out
    assert "still | hold" in out
    assert "no.mp4 | left out: is not a film" in out


def test_heads_are_whole_cut_or_outside() -> None:
    """A large head is whole, a small one is cut, another one is outside; in the next frame the large one is outside."""
    left = Box(0, 0, 0.5, 1)
    heads = (Box(0.1, 0.1, 0.4, 0.6), Box(0.45, 0.1, 0.55, 0.3), Box(0.8, 0.1, 0.9, 0.3))
    found = figures([Seen(heads, (left,), 0), Seen((Box(0.6, 0.1, 0.9, 0.6),), (left,), 0)])
    assert (found.frames, found.ours, found.centre, found.fixed, found.cut) == (2, 0.5, 0, 0.5, 0.25)


def test_films_together_count_by_their_frames() -> None:
    found = together([Figures(30, 1.0, 0.5, 1.0, 0.0), Figures(10, 0.6, 0.1, 0.8, 0.2), Figures(0, 0, 0, 0, 0)])
    assert found.frames == 40
    assert (found.ours, found.centre, found.fixed, found.cut) == pytest.approx((0.9, 0.4, 0.95, 0.05))
