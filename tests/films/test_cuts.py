"""Cuts whose places are known: hard ones, like scenes, dissolves, fades, flashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.quality.video.cuts import film, found_by_eyefirst, score
from numpy.typing import NDArray

from eyefirst.films.cuts import CutFinder

CASES = Path(__file__).parents[3] / "shared" / "cases" / "films"
CLIPS = CASES.parents[1] / "data" / "video"


def found(frames: list[NDArray[Any]]) -> list[int]:
    finder = CutFinder(25, 10)
    return [*(c for f in frames for c in finder.see(f.clip(0, 255).astype(np.uint8))), *finder.end()]


def scene(seed: int, mean: float = 120) -> NDArray[Any]:
    """Soft patches of colour."""
    random = np.random.default_rng(seed)
    return np.kron(random.normal(mean, 40, (8, 8, 3)), np.ones((8, 8, 1)))


def test_hard_cuts_are_exact_and_flashes_are_none() -> None:
    frames = [scene(1)] * 30 + [scene(2)] * 30 + [scene(3)] * 30
    assert found(frames) == [30, 60]
    for count in (1, 2, 4):
        flashed = frames[:12] + [f * 0.3 + 180 for f in frames[12 : 12 + count]] + frames[12 + count :]
        assert found(flashed) == [30, 60]
    assert found([scene(1)] * 100) == []
    assert found([np.full((64, 64, 3), 30.0)] * 50) == []
    assert found([scene(1)]) == []


def test_a_cut_in_the_last_frames_is_found() -> None:
    assert found([scene(1)] * 30 + [scene(2)] * 3) == [30]


@pytest.mark.parametrize("length", [8, 12, 20, 30])
def test_a_dissolve_is_found_near_its_middle(length: int) -> None:
    shares = [(i + 1) / (length + 1) for i in range(length)]
    mixed = [(1 - s) * scene(1) + s * scene(2) for s in shares]
    (cut,) = found([scene(1)] * 40 + mixed + [scene(2)] * 40)
    assert cut == pytest.approx(40 + length / 2, abs=4)


def test_a_dissolve_between_moving_pictures_is_found() -> None:
    one, other = (np.kron(np.random.default_rng(n).normal(120, 40, (8, 40, 3)), np.ones((8, 8, 1))) for n in (5, 6))
    first = [one[:, 2 * i : 2 * i + 64] for i in range(56)]
    second = [other[:, 100 - i : 164 - i] for i in range(56)]
    shares = [(i + 1) / 17 for i in range(16)]
    mixed = [(1 - s) * a + s * b for s, a, b in zip(shares, first[40:], second[:16], strict=True)]
    (cut,) = found(first[:40] + mixed + second[16:])
    assert cut == pytest.approx(48, abs=6)


def test_a_fade_through_black_is_one_cut_and_a_fade_out_is_none() -> None:
    out = [scene(1) * (1 - s) for s in np.linspace(0, 1, 15)]
    into = [scene(2) * s for s in np.linspace(0, 1, 15)]
    (cut,) = found([scene(1)] * 30 + out + into + [scene(2)] * 30)
    assert cut == pytest.approx(45, abs=4)
    assert found([scene(1)] * 30 + out) == []
    back = [scene(1) * s for s in np.linspace(0, 1, 15)]
    assert found([scene(1)] * 30 + out + back + [scene(1)] * 20) == []


def test_a_pan_is_no_cut() -> None:
    wide = np.kron(np.random.default_rng(5).normal(120, 40, (8, 40, 3)), np.ones((8, 8, 1)))
    for speed in (1, 3, 6):
        assert found([wide[:, i * speed : i * speed + 64] for i in range(40)]) == []


def test_recall_on_drawn_films() -> None:
    """A part of `python -m benchmarks.quality.video.cuts`."""
    reached = score([film(2, shots=10)], found_by_eyefirst)
    for kind in ("cut", "like"):
        assert reached.found[kind] == reached.of[kind]
    assert reached.found["dissolve"] >= 0.7 * reached.of["dissolve"] > 0
    assert reached.false <= 2


@pytest.mark.skipif(not CASES.is_dir(), reason="the collected films are not here")
def test_known_cuts_of_real_clips() -> None:
    from eyefirst.films.reader import VideoReader

    for path, expected, slack in (
        (CASES / "diss.mp4", [62], 4),
        (CASES / "dial.mp4", [50, 100, 150], 0),
        (CLIPS / "face_recognition__short_hamilton_clip.mp4", [20, 82, 211], 0),
        (CLIPS / "scikitvideo__bikes.mp4", [30, 76, 137, 187, 242], 0),
        (CLIPS / "moviepy__video_with_failing_audio.mp4", [], 0),
    ):
        with VideoReader(path) as reader:
            finder = CutFinder(float(reader.info.frames_per_second), 10)
            cuts = [c for f in reader.frames() for c in finder.see(f.rough(64))] + finder.end()
        assert cuts == pytest.approx(expected, abs=slack), path.name
