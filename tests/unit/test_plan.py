from __future__ import annotations

import json
import pickle
from importlib import resources
from typing import Any

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray

from eyefirst.errors import InvalidPlanError, InvalidValueError
from eyefirst.geometry import Box, PixelBox, Size
from eyefirst.network import OnnxNetwork
from eyefirst.plan import CropPlan
from eyefirst.tools.planning import plan_crops

RATIOS = ["1:1", "16:9", "9:16", "3:1"]


@pytest.fixture
def plan(red_square: NDArray[np.uint8], tiny_network: OnnxNetwork) -> CropPlan:
    return plan_crops(
        red_square,
        RATIOS,
        alternatives=2,
        network=tiny_network,
        must_keep=[Box(0.7, 0.2, 0.9, 0.5)],
        avoid=[Box(0, 0.9, 0.1, 1)],
        pad="white",
    )


def test_a_plan_says_what_and_why(plan: CropPlan) -> None:
    assert list(plan.frames) == RATIOS
    assert plan.size == Size(400, 300)
    assert plan.revision == "tiny_v1"
    assert len(plan.sha256) == 64
    assert plan.focal_point.x > 0.5 > plan.focal_point.y
    for frames in plan.frames.values():
        assert 1 <= len(frames) <= 2
        assert frames[0].box.right > 280


def test_every_spelling_of_a_ratio_finds_its_frames(plan: CropPlan) -> None:
    assert plan.frames["32/18"] is plan.frames["16:9"]
    assert plan.frames[1.0] is plan.frames["1:1"]
    assert "2:1" not in plan.frames
    with pytest.raises(KeyError, match="the plan holds no ratio '2:1'"):
        plan.frames["2:1"]


def test_json_round_trip(plan: CropPlan) -> None:
    again = CropPlan.from_json(plan.to_json())
    assert again.to_dict() == plan.to_dict()
    assert again.frames["16:9"][0].box == plan.frames["16:9"][0].box


def test_a_plan_follows_its_published_schema(plan: CropPlan) -> None:
    schema = json.loads(resources.files("eyefirst").joinpath("plan.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(plan.to_json()), schema)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "other/9"}', '{"schema": "eyefirst.plan/1"}', "3"])
def test_what_is_no_plan_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidPlanError, match=r"expected|plan"):
        CropPlan.from_json(text)


def test_wrong_types_inside_a_plan_are_refused(plan: CropPlan) -> None:
    broken = plan.to_dict()
    broken["frames"]["1:1"][0]["box"] = 7
    with pytest.raises(InvalidPlanError, match=r"what PixelBox\.to_dict\(\) writes, got int"):
        CropPlan.from_dict(broken)


@pytest.mark.parametrize(
    ("ratio", "change", "words"),
    [
        ("1:1", {"box": (0, 0, 200, 100)}, "the frame of 1:1 is 200x100 with its padding, .* expected 1:1; .*100x100"),
        ("16:9", {"box": (0, 0, 300, 300)}, "the ratio 1:1; expected 1.78:1; .*300x169"),
        ("16:9", {"box": (0, 0, 106, 58)}, "the ratio 1.83:1; expected 1.78:1; .*103x58"),  # 1.6 pixels too low
        ("1:1", {"padding": (0, 90, 0, 0)}, "with its padding"),
        ("16:9", {"padding": (10**9, 0, 0, 0)}, "with its padding"),
        ("1:1", {"padding": (0, -1, 0, -1)}, "the frame of 1:1: expected whole pixels of at least 0"),
        ("1:1", {"box": (-1, 0, 299, 300)}, "the frame of 1:1: expected whole pixels of at least 0"),
        ("1:1", {"box": (101, 0, 401, 300)}, "the frame of 1:1 reaches to 401, 300, beyond the picture of 400x300"),
        ("1:1", {"box": (300, 0, 0, 300)}, "the frame of 1:1: expected left < right"),
        ("1:1", {"kept": float("nan")}, "not finite"),
    ],
)
def test_a_frame_of_another_shape_is_never_stretched(
    plan: CropPlan, ratio: str, change: dict[str, Any], words: str
) -> None:
    edited = plan.to_dict()
    named = {n: dict(zip(("left", "top", "right", "bottom"), v, strict=True)) for n, v in change.items() if n != "kept"}
    edited["frames"][ratio][0] |= {"padding": None} | change | named
    with pytest.raises(InvalidPlanError, match=words):
        CropPlan.from_dict(edited)


def test_a_frame_that_is_moved_zoomed_or_rounded_keeps_its_shape(plan: CropPlan) -> None:
    edited = plan.to_dict()
    for ratio, box in (
        ("16:9", (7, 9, 107, 65)),
        ("16:9", (7, 9, 106, 65)),
        ("3:1", (0, 0, 400, 133)),
        ("9:16", (0, 0, 9, 16)),
    ):
        edited["frames"][ratio][0] |= {
            "padding": None,
            "box": dict(zip(("left", "top", "right", "bottom"), box, strict=True)),
        }
        assert CropPlan.from_dict(edited).frames[ratio][0].box == PixelBox(*box)
    with pytest.raises(InvalidPlanError, match="holds the ratio 16:9 twice"):
        CropPlan.from_dict(edited | {"frames": dict.fromkeys(("16:9", "32:18"), edited["frames"]["16:9"])})


def test_css_positions(plan: CropPlan) -> None:
    x, y = (float(v.rstrip("%")) for v in plan.object_position.split())
    assert (x / 100, y / 100) == pytest.approx((plan.anchor.x, plan.anchor.y), abs=1e-3)
    frame = plan.frames["1:1"][0]
    x, y = (float(v.rstrip("%")) for v in plan.frame_position(frame).split())
    assert x / 100 * (400 - frame.box.width) == pytest.approx(frame.box.left, abs=0.1)


def test_where_css_holds_the_picture_suits_any_shape(red_square: NDArray[np.uint8], tiny_network: OnnxNetwork) -> None:
    """The square is at 80 % of the width and a third of the height; narrow and low containers both show it whole."""
    plan = plan_crops(red_square, "1:1", network=tiny_network)
    for width, height in ((120, 300), (200, 300), (400, 120), (400, 200)):
        left, top = plan.anchor.x * (400 - width), plan.anchor.y * (300 - height)
        assert left <= 280
        assert left + width >= 360
        assert top <= 60
        assert top + height >= 140


@pytest.mark.parametrize("text", ["50%", "50% 120%", "left top", "1% 1%; color: red", 7])
def test_css_is_made_of_numbers_and_never_read(plan: CropPlan, text: object) -> None:
    assert CropPlan.from_dict(plan.to_dict() | {"object_position": text}).object_position == plan.object_position


@pytest.mark.parametrize("point", [{"x": 1.2, "y": 0.5}, {"x": "50%", "y": 0}, {"x": 0.5}, None, "50% 50%"])
def test_only_a_point_is_read_as_one(plan: CropPlan, point: object) -> None:
    with pytest.raises(InvalidPlanError):
        CropPlan.from_dict(plan.to_dict() | {"anchor": point})


def test_a_plan_is_equal_after_a_round_trip_and_after_pickling(plan: CropPlan) -> None:
    assert CropPlan.from_json(plan.to_json()) == plan
    assert CropPlan.from_dict(plan.to_dict()) == plan
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert hash(CropPlan.from_json(plan.to_json())) == hash(plan)


@pytest.mark.parametrize("bad", [None, 7, ["1:1"], {"schema": "eyefirst.plan/2"}])
def test_whatever_is_no_plan_is_refused_in_words(bad: object) -> None:
    with pytest.raises(InvalidPlanError, match="expected"):
        CropPlan.from_dict(bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidPlanError, match="expected"):
        CropPlan.from_json(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [{"alternatives": 0}, {"ratios": []}, {"ratios": ["1:1", "oops"]}, {"tightness": 3}])
def test_bad_arguments_are_refused_in_words(
    bad: dict[str, object], red_square: NDArray[np.uint8], tiny_network: OnnxNetwork
) -> None:
    arguments = {"ratios": ["1:1"], **bad}
    with pytest.raises(InvalidValueError, match="expected"):
        plan_crops(red_square, network=tiny_network, **arguments)  # type: ignore[arg-type]


def test_one_ratio_need_not_be_a_list(red_square: NDArray[np.uint8], tiny_network: OnnxNetwork) -> None:
    assert list(plan_crops(red_square, "4/5", network=tiny_network).frames) == ["4:5"]
    assert list(plan_crops(red_square, (1200, 630), network=tiny_network).frames) == ["40:21"]
    assert list(plan_crops(red_square, ["16:9", "1920x1080"], network=tiny_network).frames) == ["16:9"]
