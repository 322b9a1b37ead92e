"""One photo, one answer, whichever way it comes in."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from eyefirst.boxes import ATTENTION_BAR
from eyefirst.framing import Spans
from eyefirst.framing.spans import Axis
from eyefirst.geometry import Box, Size
from eyefirst.handler import ImageRequestHandler, all_pixels
from eyefirst.plan import CropPlan
from eyefirst.tools.planning import framer_of, plan_crops
from tests.golden.make import FOLDER, PHOTOS, RATIOS, photo

EDGE_TOLERANCE = 0.03
"""Share of a side by which an edge may differ: JPEG's losses and other processors' rounding move a map a little."""

EVEN_SCORES = 0.01
"""Of two frames whose scores differ by less, either may come first after such a change."""
EVEN_BOXES = 0.98
"""An attention box with so much of the best one's sum may be found in its place after such a change."""


def golden(name: str) -> CropPlan:
    return CropPlan.from_dict(json.loads((FOLDER / f"{name}.json").read_text()))


def edges(box: Box) -> list[float]:
    return [box.left, box.top, box.right, box.bottom]


def score_at(exact: ImageRequestHandler, place: Box) -> float:
    """The score of a frame that fills the picture one way."""
    framer = framer_of(exact, exact.look())
    axis: Axis = 0 if place.height > 1 - 1e-9 else 1
    start, stop = (place.left, place.right) if axis == 0 else (place.top, place.bottom)
    return float(framer.score(axis, Spans(np.array([start]), np.array([stop])))[0])


def gain_of(exact: ImageRequestHandler, box: Box) -> float:
    """What an attention box is chosen by: the sum of its cells, less the bar."""
    density = exact.look().attention.heat_map.density()
    rows, columns = density.shape
    part = density[
        round(box.top * rows) : round(box.bottom * rows), round(box.left * columns) : round(box.right * columns)
    ]
    return float((part - ATTENTION_BAR * density.max()).sum())


def assert_same_plan(
    plan: CropPlan, expected: CropPlan, tolerance: float = EDGE_TOLERANCE, exact: ImageRequestHandler | None = None
) -> None:
    """Frames and the focal point are where they are expected, or, on the exact picture, as good there."""
    assert plan.revision == expected.revision, "a new network: run `python -m tests.golden.make` and look"
    assert list(plan.frames) == list(expected.frames)
    for ratio in expected.frames:
        found, first = plan.frames[ratio][0], expected.frames[ratio][0]
        even = [f for f in expected.frames[ratio] if f.score > first.score - EVEN_SCORES]
        place = edges(found.box.normalized(plan.size))
        near = [f for f in even if place == pytest.approx(edges(f.box.normalized(expected.size)), abs=tolerance)]
        if not near and exact:
            assert score_at(exact, found.box.normalized(plan.size)) > first.score - EVEN_SCORES, ratio
            continue
        assert near, f"{ratio}: {place} is none of {[edges(f.box.normalized(expected.size)) for f in even]}"
        assert found.kept == pytest.approx(near[0].kept, abs=0.05)
    near_focus = pytest.approx((expected.focal_point.x, expected.focal_point.y), abs=0.05)
    if (plan.focal_point.x, plan.focal_point.y) != near_focus and exact:
        assert gain_of(exact, plan.attention_box) > EVEN_BOXES * gain_of(exact, expected.attention_box)
    else:
        assert (plan.focal_point.x, plan.focal_point.y) == near_focus


@pytest.mark.parametrize("name", PHOTOS)
def test_every_way_in_meets_the_golden(name: str, tmp_path: Path) -> None:
    picture, expected = photo(name), golden(name)
    picture.save(tmp_path / "p.png")
    picture.save(tmp_path / "p.jpg", quality=95)
    data = (tmp_path / "p.png").read_bytes()
    exact: list[Any] = [picture, np.asarray(picture), tmp_path / "p.png", data, io.BytesIO(data)]
    plans = [plan_crops(source, RATIOS) for source in exact]
    for plan in plans:
        assert_same_plan(plan, expected)
        assert [plan.frames[r][0].box for r in RATIOS] == [plans[0].frames[r][0].box for r in RATIOS]
    assert_same_plan(plan_crops(tmp_path / "p.jpg", RATIOS), expected, exact=ImageRequestHandler(picture))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_eight_orientations_one_plan(orientation: int, tmp_path: Path) -> None:
    upright = photo("china")
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that each orientation asks to undo
    stored = upright.transpose(PillowImage.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = PillowImage.Exif()
    exif[274] = orientation
    stored.save(tmp_path / "p.png", exif=exif)
    stored.save(tmp_path / "p.jpg", exif=exif, quality=95)
    plan = plan_crops(tmp_path / "p.png", RATIOS)
    assert plan.size == Size(*upright.size)
    expected = plan_crops(upright, RATIOS)
    assert [plan.frames[r][0].box for r in RATIOS] == [expected.frames[r][0].box for r in RATIOS]
    assert_same_plan(plan_crops(tmp_path / "p.jpg", RATIOS), expected)


def test_the_same_plan_twice_on_any_number_of_threads(photo_path: Path) -> None:
    once = plan_crops(photo_path, RATIOS, 3).to_dict()
    with ThreadPoolExecutor(8) as pool:
        for plan in pool.map(lambda _: plan_crops(photo_path, RATIOS, 3).to_dict(), range(16)):
            assert plan == once


def test_the_plan_does_not_depend_on_the_output_size(photo_path: Path) -> None:
    boxes = {plan_crops(photo_path, size).frames["16:9"][0].box for size in ("16:9", (1920, 1080), "160x90", 16 / 9)}
    assert len(boxes) == 1


def test_the_plan_does_not_depend_on_what_is_cut(tmp_path: Path) -> None:
    """A large JPEG is decoded at other sizes for other cuts; the network sees the same pixels each time."""
    photo("china").resize((2400, 1600)).save(tmp_path / "p.jpg", quality=90)
    expected = plan_crops(tmp_path / "p.jpg", RATIOS, 2)
    needs: list[Any] = [all_pixels, Size(600, 400), Size(1200, 800), Size(30, 20)]
    for need in needs:
        handler = ImageRequestHandler(tmp_path / "p.jpg", expects=need)
        handler.picture(need)
        assert plan_crops(handler, RATIOS, 2) == expected
