"""What holds for every picture, ratio and option."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyefirst.boxes import SalientObject, attention_box, subject_boxes
from eyefirst.framing import Frame, Framer, FramingOptions
from eyefirst.geometry import AspectRatio, Box, Size
from eyefirst.heat_map import HeatMap
from eyefirst.network import OnnxNetwork
from eyefirst.plan import CropPlan
from eyefirst.tools.planning import plan_crops

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

shares = st.floats(0, 1, allow_nan=False)
sizes = st.builds(Size, st.integers(1, 5000), st.integers(1, 5000))
ratios = st.builds(lambda w, h: AspectRatio.parse((w, h)), st.integers(1, 50), st.integers(1, 50))


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, top = draw(st.floats(0, 0.9)), draw(st.floats(0, 0.9))
    return Box(left, top, draw(st.floats(left + 0.05, 1)), draw(st.floats(top + 0.05, 1)))


@st.composite
def heat_maps(draw: st.DrawFn) -> HeatMap:
    """Blank, one bump, or noise."""
    kind = draw(st.sampled_from(["blank", "bump", "noise"]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    if kind == "blank":
        return HeatMap(np.full((68, 68), draw(shares), np.float32))
    if kind == "noise":
        return HeatMap(random.random((68, 68), np.float32) ** 4)
    rows, columns = np.mgrid[0:68, 0:68]
    x, y, spread = random.uniform(0, 68), random.uniform(0, 68), random.uniform(2, 20)
    return HeatMap(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2)).astype(np.float32))


options = st.builds(
    FramingOptions,
    tightness=shares,
    margin=st.floats(0, 0.5),
    must_keep=st.lists(boxes(), max_size=2).map(tuple),
    avoid=st.lists(boxes(), max_size=1).map(tuple),
    pad=st.sampled_from([None, "white", "blur", "extend"]),
    prefer=st.sampled_from([None, "faces", "subjects", "attention", "text"]),
    portrait=st.sampled_from([None, "close-up", "head-and-shoulders", "upper-body"]),
    fit=st.sampled_from(["breathe", "largest"]),
)


@dataclass(frozen=True)
class Face:
    box: Box
    confidence: float


found_faces = st.lists(st.builds(Face, boxes(), st.floats(0.1, 1)), max_size=3).map(tuple)


@SETTINGS
@given(
    size=sizes,
    ratio=ratios,
    attention=heat_maps(),
    objectness=heat_maps(),
    chosen=options,
    count=st.integers(1, 4),
    faces=found_faces,
    words=st.lists(boxes(), max_size=2),
)
def test_frames_lie_inside_and_have_their_ratio(
    size: Size,
    ratio: AspectRatio,
    attention: HeatMap,
    objectness: HeatMap,
    chosen: FramingOptions,
    count: int,
    faces: tuple[Face, ...],
    words: list[Box],
) -> None:
    framer = Framer(size, attention, objectness, subject_boxes(objectness), chosen, faces=faces, words=words)
    frames = framer.frames(ratio, count)
    assert 1 <= len(frames) <= count
    for frame in frames:
        assert 0 <= frame.box.left < frame.box.right <= size.width
        assert 0 <= frame.box.top < frame.box.bottom <= size.height
        assert 0 <= frame.kept <= 1
        assert all(0 <= k <= 1 for k in frame.kept_objects)
        assert 0 <= frame.severity <= 1
        assert bool(frame.warnings) == (frame.severity > 0)
        assert frame.reason
        assert Frame.from_dict(json.loads(json.dumps(frame.to_dict()))) == frame
        width, height = frame.size.width, frame.size.height
        off = min(abs(width - height * float(ratio)), abs(height - width / float(ratio)))
        assert off <= 1 or min(width, height) <= 1


@SETTINGS
@given(size=sizes, ratio=ratios, attention=heat_maps())
def test_mirrored_maps_give_mirrored_frames(size: Size, ratio: AspectRatio, attention: HeatMap) -> None:
    mirrored = HeatMap(attention.values[:, ::-1])
    empty = HeatMap(np.zeros((68, 68), np.float32))
    (frame,) = Framer(size, attention, empty, ()).frames(ratio)
    (other,) = Framer(size, mirrored, empty, ()).frames(ratio)
    assert other.kept == pytest.approx(frame.kept, abs=2 / min(size.width, size.height) + 1e-6)
    assert other.box.size == frame.box.size


@SETTINGS
@given(chosen=options)
def test_options_survive_json(chosen: FramingOptions) -> None:
    again = FramingOptions.from_dict(json.loads(json.dumps(chosen.to_dict())))
    assert again.to_dict() == chosen.to_dict()


@SETTINGS
@given(x=st.floats(0.1, 0.8), ratio=st.sampled_from(["1:1", "4:5", "9:16"]), confidence=st.floats(0.7, 1))
def test_a_lone_face_is_whole_or_out(x: float, ratio: str, confidence: float) -> None:
    face = Face(Box(x, 0.3, x + 0.1, 0.5), confidence)
    rows, columns = np.mgrid[0:68, 0:68]
    bump = np.exp(-((columns - 68 * (x + 0.05)) ** 2 + (rows - 27) ** 2) / 50).astype(np.float32)
    empty = HeatMap(np.zeros((68, 68), np.float32))
    (frame,) = Framer(Size(1500, 1000), HeatMap(bump), empty, (), faces=(face,)).frames(AspectRatio.parse(ratio))
    inside = frame.box.normalized(Size(1500, 1000)).overlap(face.box) / face.box.area
    assert inside < 0.05 or inside > 0.95


@SETTINGS
@given(heat_map=heat_maps())
def test_boxes_are_sane_on_any_map(heat_map: HeatMap) -> None:
    box = attention_box(heat_map)
    assert 0 < box.area <= 1
    found = subject_boxes(heat_map)
    assert len(found) <= 3
    assert [s.confidence for s in found] == sorted((s.confidence for s in found), reverse=True)
    assert all(0 < s.confidence <= 1 for s in found)


@SETTINGS
@given(heat_map=heat_maps())
def test_mirroring_a_map_mirrors_its_boxes(heat_map: HeatMap) -> None:
    found = subject_boxes(heat_map)
    mirrored = subject_boxes(HeatMap(heat_map.values[:, ::-1]))

    def flipped(s: SalientObject) -> Box:
        return Box(1 - s.box.right, s.box.top, 1 - s.box.left, s.box.bottom)

    assert len(found) == len(mirrored)
    for s in found:
        assert max(flipped(s).iou(m.box) for m in mirrored) > 0.99


@SETTINGS
@given(
    width=st.integers(1, 60),
    height=st.integers(1, 60),
    seed=st.integers(0, 1000),
    ratio=ratios,
    chosen=options,
    count=st.integers(1, 3),
)
def test_plans_survive_json_whatever_the_picture(
    width: int,
    height: int,
    seed: int,
    ratio: AspectRatio,
    chosen: FramingOptions,
    count: int,
    tiny_network: OnnxNetwork,
) -> None:
    pixels: NDArray[np.uint8] = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    plan = plan_crops(
        pixels,
        [ratio, "1:1"],
        count,
        tightness=chosen.tightness,
        margin=chosen.margin,
        must_keep=chosen.must_keep,
        avoid=chosen.avoid,
        pad=chosen.pad,
        network=tiny_network,
    )
    assert CropPlan.from_json(plan.to_json()).to_dict() == plan.to_dict()


@SETTINGS
@given(box=boxes(), size=sizes)
@example(box=Box(0, 0.25, 1, 0.375), size=Size(1, 2))
def test_pixels_and_back_stay_within_a_pixel(box: Box, size: Size) -> None:
    back = box.to_pixels(size).normalized(size)
    assert abs(back.left - box.left) <= 1 / size.width
    assert abs(back.bottom - box.bottom) <= 1 / size.height
