from __future__ import annotations

import math
import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image as PillowImage

from eyefirst.errors import InvalidValueError, MissingExtraError
from eyefirst.geometry import Point
from eyefirst.tools.camera_guidance import FocusSettings, FocusTracker, edge_blur, guide, guide_stream, white_balance

cv2 = pytest.importorskip("cv2", reason="OpenCV comes with the extra 'camera'")

from benchmarks.quality.camera import cast, photos, versions  # noqa: E402


@pytest.mark.parametrize("name", ["coffee", "flower"])
def test_what_is_soft_is_told_apart(name: str) -> None:
    for version, picture, right in versions(photos()[name]):
        seen = guide(picture)
        assert seen.verdict in right, version
        assert seen.to_dict()["verdict"] == seen.verdict


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_an_edge_s_blur_is_measured_in_pixels(sigma: float) -> None:
    step = np.zeros((200, 200), np.float32)
    step[:, 100:] = 200
    blurred = cv2.GaussianBlur(step, (0, 0), sigma).round().astype(np.uint8)
    blur, edges = edge_blur(np.stack([blurred] * 3, 2))
    assert np.median(blur[edges]) == pytest.approx(sigma, rel=0.17, abs=0.3)  # the gradient itself spans 3 pixels


@pytest.mark.parametrize("gains", [(1.3, 1.0, 0.75), (0.8, 1.0, 1.25)])
def test_a_known_cast_is_measured(gains: tuple[float, float, float]) -> None:
    pixels = photos()["flower"]
    everywhere = np.ones(pixels.shape[:2], np.bool_)
    before, after = white_balance(pixels, everywhere), white_balance(cast(pixels, gains), everywhere)
    for i in (0, 2):
        assert before.gains_rgb[i] / after.gains_rgb[i] == pytest.approx(gains[i], rel=0.1)
    assert (after.temperature < before.temperature) == (gains[0] > 1)


def test_grey_is_daylight() -> None:
    grey = np.full((50, 50, 3), 128, np.uint8)
    seen = white_balance(grey, np.ones((50, 50), np.bool_))
    assert seen.gains_rgb == pytest.approx((1, 1, 1))
    assert seen.temperature == pytest.approx(6504, abs=20)


def test_nothing_to_focus_on() -> None:
    seen = guide(PillowImage.new("RGB", (300, 200), "black"))
    assert seen.verdict == "cannot tell"
    assert math.isnan(seen.subject.blur)
    assert seen.to_dict()["subject"] == {"blur": None, "edges": 0}


def test_the_focus_of_a_stream_does_not_jump() -> None:
    tracker = FocusTracker()
    start, far = Point(0.3, 0.5), Point(0.8, 0.5)
    steady = [tracker.update(Point(0.3 + 0.02 * math.sin(i), 0.5), i / 25) for i in range(50)]
    assert max(abs(p.x - steady[0].x) for p in steady) < 0.05
    assert tracker.update(far, 2.04).x < 0.35  # one odd frame changes nothing
    assert tracker.update(start, 2.08).x < 0.35
    moved = [tracker.update(far, 2.12 + i / 25) for i in range(50)]
    assert moved[5].x < 0.35  # it has to last
    assert moved[-1].x == pytest.approx(0.8, abs=0.01)
    assert max(b.x - a.x for a, b in pairwise(moved)) < 0.15


def test_a_stream_of_pictures() -> None:
    coffee = photos()["coffee"]
    seen = list(guide_stream((i / 10, coffee) for i in range(3)))
    assert len({(g.focus.x, g.focus.y) for g in seen}) == 1


def test_bad_settings_and_the_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidValueError):
        FocusSettings(dead_zone=-1)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"eyefirst\[camera\]"):
        guide(photos()["coffee"])
