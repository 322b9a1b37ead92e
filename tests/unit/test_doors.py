"""Every door of the Python interface: numbers of any type go in, results are at home elsewhere, errors are our own."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

import eyefirst
from eyefirst import (
    AspectRatio,
    Box,
    CropPlan,
    FramingOptions,
    HeatMap,
    ImageRequestHandler,
    MustKeep,
    Padding,
    PixelBox,
    Point,
    Size,
)
from eyefirst.albums.best import groups_of
from eyefirst.albums.catalogue import ProductSettings
from eyefirst.boxes import SalientObject
from eyefirst.errors import EnlargedWarning, EyefirstError, InvalidBoxError, InvalidValueError
from eyefirst.face_maps import DetectedFace
from eyefirst.films.encoding import EncodeOptions
from eyefirst.films.order import ReframeOrder
from eyefirst.films.pan import plan_pan
from eyefirst.films.pan_plan import LeftOut, Move, PanPlan, frame_rate
from eyefirst.films.path import CameraPath, KeyFrame, SpeedLimits, TrackLimits
from eyefirst.films.reframe_plan import ReframePlan, ShotPath
from eyefirst.films.shots import watch
from eyefirst.films.wishes import ShotWish, safe_area
from eyefirst.framing import Frame
from eyefirst.network import OnnxNetwork
from eyefirst.observations import FaceObservation, RecognizedText, SaliencyObservation, TextObservation
from eyefirst.requests import AttentionSaliencyRequest, ObjectnessSaliencyRequest
from eyefirst.tools.camera_guidance import FocusSettings
from eyefirst.tools.planning import parse_ratios

PAIRS: list[Any] = [
    (4, 3),
    (4.0, 3.0),
    [4, 3],
    (np.int64(4), np.float32(3)),
    np.array([4, 3]),
    np.array([4.0, 3.0]),
    (Fraction(4), 3),
    (Decimal(4), 3),
    (Decimal("1.2"), 0.9),
    (1.2, 0.9),
    (1600, 1200),
]


@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_a_pair_of_numbers_is_one_ratio(pair: Any, red_square: NDArray[np.uint8], tiny_network: OnnxNetwork) -> None:
    assert str(AspectRatio.parse(pair)) == "4:3"
    assert list(eyefirst.plan_crops(red_square, pair, network=tiny_network).frames) == ["4:3"]
    assert eyefirst.crop(red_square, pair, network=tiny_network).size == (400, 300)


@pytest.mark.parametrize("parse", [AspectRatio.parse, Size.parse, parse_ratios, Box.parse])
def test_an_array_without_axes_is_refused_in_words(parse: Callable[[Any], object]) -> None:
    with pytest.raises(EyefirstError, match="expected"):
        parse(np.array(1.5))


def test_what_was_found_is_kept_and_avoided(photo_path: Path) -> None:
    found, seen = eyefirst.faces(photo_path), eyefirst.objects(photo_path)
    box = found.faces[0].box
    for keep in (found, found.faces, found.faces[0], [box]):
        assert eyefirst.plan_crops(photo_path, "3:1", must_keep=keep).options.must_keep == (box,)
    subjects = tuple(s.box for s in seen.salient_objects)
    assert eyefirst.plan_crops(photo_path, "3:1", avoid=seen).options.avoid == subjects != ()


def test_several_ratios_are_several(red_square: NDArray[np.uint8], tiny_network: OnnxNetwork) -> None:
    ways: list[Any] = [["16:9", "9:16"], ("16:9", "9:16"), iter(["16:9", 9 / 16]), [(16, 9), (9.0, 16.0)]]
    for several in ways:
        assert list(eyefirst.plan_crops(red_square, several, network=tiny_network).frames) == ["16:9", "9:16"]


@pytest.mark.parametrize("kind", [np.float32, np.float64, float, Fraction, Decimal])
def test_edges_are_numbers_of_any_type(kind: Any) -> None:
    box = Box(kind(0.25), kind(0.5), kind(0.75), kind(1))
    assert tuple(box) == (0.25, 0.5, 0.75, 1.0)
    assert all(type(edge) is float for edge in box)
    assert tuple(Point(kind(0.5), kind(0.25))) == (0.5, 0.25)


@pytest.mark.parametrize("kind", [int, np.int64, np.int32, np.uint8])
def test_pixels_are_whole_numbers_of_any_type(kind: Any) -> None:
    assert tuple(PixelBox(*(kind(v) for v in (1, 2, 3, 4)))) == (1, 2, 3, 4)
    assert Size(kind(20), kind(10)).as_tuple == (20, 10)
    assert all(type(v) is int for v in Size(kind(20), kind(10)))


@pytest.mark.parametrize("bad", [True, 1.5, "1", None, float("nan"), np.array([1, 2])], ids=repr)
def test_what_is_no_whole_number_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidValueError, match="whole"):
        Size(bad, 10)
    with pytest.raises(InvalidBoxError, match="whole"):
        PixelBox(0, 0, bad, 10)


@pytest.mark.parametrize("bad", [True, "0.5", None, float("nan"), float("inf")], ids=repr)
def test_what_is_no_number_is_refused_as_that(bad: Any) -> None:
    with pytest.raises(InvalidBoxError, match="expected a number"):
        Box(bad, 0, 1, 1)


@pytest.mark.parametrize("bad", [True, "x", float("nan"), Decimal("sNaN"), object(), -1], ids=repr)
def test_options_refuse_what_cannot_be(bad: Any) -> None:
    whole = Box.whole()
    refused: list[Callable[[], object]] = [
        lambda: FramingOptions(tightness=bad),
        lambda: FramingOptions(margin=bad),
        lambda: FramingOptions(must_keep=bad),
        lambda: Padding(bad),
        lambda: AspectRatio(bad),
        lambda: MustKeep(bad),
        lambda: MustKeep(whole, bad),
        lambda: MustKeep(whole, 0, bad),
        lambda: ShotWish(bad, place=0.5),
        lambda: ShotWish(1, place=bad),
        lambda: ShotWish(1, face=bad),
        lambda: ShotWish.parse(bad),
        lambda: safe_area(bad),
        lambda: SpeedLimits(zoom=bad),
        lambda: TrackLimits(acceleration=bad),
        lambda: KeyFrame(0, bad),
        lambda: EncodeOptions(quality=bad),
        lambda: frame_rate(bad),
        lambda: plan_pan([], Size(32, 32), seconds=bad),
        lambda: plan_pan([], Size(32, 32), fade_seconds=bad),
        lambda: plan_pan([], Size(32, 32), best=bad),
        lambda: watch("talk.mp4", rate=bad),
        lambda: groups_of([], distance=bad),
        lambda: ProductSettings(margin=bad),
        lambda: FocusSettings(glide_seconds=bad),
        lambda: ReframeOrder.parse("1:1", must_keep=bad),
        lambda: ReframeOrder.parse("1:1", shots=bad),
        lambda: ReframeOrder.parse("1:1", limits=bad),
        lambda: ReframeOrder.parse(bad),
        lambda: eyefirst.plan_crops("photo.jpg", bad),
    ]
    for make in refused:
        with pytest.raises(InvalidValueError):
            make()


@pytest.mark.parametrize("bad", [True, None, "", [1]], ids=repr)
def test_a_name_is_a_text(bad: Any) -> None:
    for register in (eyefirst.register_detector, eyefirst.register_network):
        with pytest.raises(InvalidValueError, match="expected a name"):
            register(bad, object)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="expected a detector among"):
        eyefirst.load_detector(bad)


def test_true_is_no_number_of_alternatives(red_square: NDArray[np.uint8], tiny_network: OnnxNetwork) -> None:
    true: Any = True
    with pytest.raises(InvalidValueError, match="got True"):
        eyefirst.plan_crops(red_square, "1:1", true, network=tiny_network)
    one: Any = np.int64(1)
    assert len(eyefirst.plan_crops(red_square, "1:1", one, network=tiny_network).frames["1:1"]) == 1


def test_one_of_several_stands_alone_for_films() -> None:
    keep = MustKeep((0, 0, 0.5, 1), Decimal(1))  # type: ignore[arg-type]
    order: Any = ReframeOrder.parse("1:1", must_keep=keep, shots="2=left")  # type: ignore[arg-type]
    assert order.must_keep == (MustKeep(Box(0, 0, 0.5, 1), 1.0),)
    assert order.shots == (ShotWish(2, 0.0),)


def test_a_size_is_a_pair_of_numbers_wherever_it_is_asked_for(
    red_square: NDArray[np.uint8], tiny_network: OnnxNetwork
) -> None:
    pair: Any
    for pair in ((100, 50), [100, 50], np.array([100, 50]), "100x50"):
        assert Box(0, 0, 0.5, 1).to_pixels(pair) == PixelBox(0, 0, 50, 50)
        assert PixelBox(0, 0, 50, 50).normalized(pair) == Box(0, 0, 0.5, 1)
        assert AspectRatio.parse("1:1").largest_in(pair) == Size(50, 50)
        assert eyefirst.crop(red_square, "1:1", size=pair, network=tiny_network).size == (50, 50)
        plan = eyefirst.plan_crops(red_square, "1:1", network=tiny_network)
        assert eyefirst.render_plan(plan, red_square, size=pair)["1:1"][0].size == (50, 50)


def test_a_lone_request_and_an_iterator_are_requests(red_square: NDArray[np.uint8], tiny_network: OnnxNetwork) -> None:
    handler = ImageRequestHandler(red_square, network=tiny_network)
    asked = AttentionSaliencyRequest()
    ways: list[Any] = [asked, [asked], iter([asked])]
    assert [len(handler.perform(way)) for way in ways] == [1, 1, 1]
    none: Any
    for none in (None, "attention", 3):
        with pytest.raises(InvalidValueError, match="expected requests"):
            handler.perform(none)


def test_a_factory_can_be_called() -> None:
    made: Any = object()
    for register in (eyefirst.register_detector, eyefirst.register_network):
        with pytest.raises(InvalidValueError, match="got object; for an object that is made already use lambda: it"):
            register("mine", made)
    assert "mine" not in (*eyefirst.known_detectors(), *eyefirst.known_revisions())


def test_an_avoided_part_is_a_box() -> None:
    with pytest.raises(InvalidBoxError, match="four numbers"):  # no detector, though must_keep takes one
        eyefirst.plan_crops("photo.jpg", "1:1", avoid="faces")


def test_boxes_and_maps_are_at_home_in_pillow_and_numpy(
    red_square: NDArray[np.uint8], tiny_network: OnnxNetwork
) -> None:
    plan = eyefirst.plan_crops(red_square, "1:1", network=tiny_network)
    box = plan.frames["1:1"][0].box
    picture = PillowImage.fromarray(red_square)
    assert picture.crop(box.as_tuple).size == picture.crop(tuple(box)).size == (300, 300)
    assert np.asarray(box).tolist() == list(box)
    heat_map = ImageRequestHandler(red_square, network=tiny_network).look().attention.heat_map
    assert np.asarray(heat_map).shape == (68, 68)
    assert np.asarray(heat_map, np.float64).dtype == np.float64
    assert heat_map._repr_png_().startswith(b"\x89PNG")
    html = plan._repr_html_()
    assert "<table>" in html
    assert "1:1" in html


def test_a_map_goes_into_matplotlib(red_square: NDArray[np.uint8], tiny_network: OnnxNetwork) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not among the dependencies")
    pyplot.imshow(ImageRequestHandler(red_square, network=tiny_network).look().attention.heat_map)
    pyplot.close("all")


def test_what_is_seen_is_equal_after_a_round_trip_and_after_pickling(
    red_square: NDArray[np.uint8], tiny_network: OnnxNetwork
) -> None:
    seen = ImageRequestHandler(red_square, network=tiny_network).look()
    for observation in (seen.attention, seen.objects):
        assert observation.salient_objects is not None
        assert SaliencyObservation.from_dict(observation.to_dict()) == observation
        assert pickle.loads(pickle.dumps(observation)) == observation
    assert pickle.loads(pickle.dumps(seen.attention.heat_map)) == seen.attention.heat_map
    assert hash(pickle.loads(pickle.dumps(seen.attention.heat_map))) == hash(seen.attention.heat_map)
    assert seen.attention.heat_map != seen.objects.heat_map
    text = TextObservation.from_dict(
        {
            "kind": "text",
            "revision": "tiny_v1",
            "region_of_interest": Box(0, 0, 0.5, 1).to_dict(),
            "rest": True,
            "regions": [Box(0, 0, 0.5, 1).to_dict()],
            "texts": [
                {
                    "text": "EXIT",
                    "confidence": 0.1 + 0.2,
                    "corners": [Point(0.1, 0.2).to_dict()] * 4,
                    "box": Box(0.1, 0.2, 1 / 3, 0.4).to_dict(),
                    "saliency": 7 / 3,
                }
            ],
        }
    )
    assert TextObservation.from_dict(text.to_dict()) == text
    for kind in ("attention", "faces", "smell", None):
        with pytest.raises(InvalidValueError, match="expected an observation of the kind text, got"):
            TextObservation.from_dict(text.to_dict() | {"kind": kind})
    assert pickle.loads(pickle.dumps(text)) == text


BOXES: list[Any] = [
    Box(0, 0, 0.2, 0.2),
    (0, 0, 0.2, 0.2),
    [0, 0, 0.2, 0.2],
    np.array([0, 0, 0.2, 0.2]),
    "0,0,0.2,0.2",
    [Box(0, 0, 0.2, 0.2)],
    [(0, 0, 0.2, 0.2)],
    ["0,0,0.2,0.2"],
]


@pytest.mark.parametrize("boxes", BOXES, ids=repr)
def test_one_box_is_a_list_of_one(boxes: Any, red_square: NDArray[np.uint8], tiny_network: OnnxNetwork) -> None:
    for name in ("must_keep", "avoid"):
        plan = eyefirst.plan_crops(red_square, "1:1", network=tiny_network, **{name: boxes})
        assert getattr(plan.options, name) == (Box(0, 0, 0.2, 0.2),)


WRONG: list[dict[str, Any]] = [
    {"must_keep": "oops"},
    {"must_keep": 7},
    {"must_keep": [None]},
    {"avoid": Box},
    {"margin": -1},
    {"margin": "wide"},
    {"tightness": None},
    {"pad": 7},
    {"prefer": "cats"},
    {"portrait": "passport"},
    {"fit": "tight"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_wrong_options_are_refused_in_words(
    wrong: dict[str, Any], red_square: NDArray[np.uint8], tiny_network: OnnxNetwork
) -> None:
    with pytest.raises(InvalidValueError, match="expected"):
        eyefirst.plan_crops(red_square, "1:1", network=tiny_network, **wrong)


def test_an_overlay_wants_a_picture() -> None:
    heat_map = HeatMap(np.zeros((4, 4), np.float32))
    with pytest.raises(InvalidValueError, match=r"PIL\.Image\.open"):
        heat_map.overlay("photo.jpg")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="opacity"):
        heat_map.overlay(PillowImage.new("RGB", (9, 9)), opacity="half")  # type: ignore[arg-type]


@pytest.mark.parametrize("door", [HeatMap.mass_in, HeatMap.center_in, HeatMap.region])
def test_a_heat_map_takes_a_box_as_people_write_it(door: Callable[[HeatMap, Any], object]) -> None:
    heat_map = HeatMap(np.random.default_rng(0).random((8, 8), np.float32))
    assert door(heat_map, (0.1, 0.2, 0.5, 0.9)) == door(heat_map, Box(0.1, 0.2, 0.5, 0.9))
    with pytest.raises(InvalidBoxError, match="expected"):
        door(heat_map, (0.1, 0.2, 0.5))
    with pytest.raises(InvalidValueError, match="a colour map among"):
        heat_map.overlay(PillowImage.new("RGB", (9, 9)), colormap=["inferno"])  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match=r"in 0\.\.1, got 'x'"):
        HeatMap("x")  # type: ignore[arg-type]


def test_a_map_has_no_more_pixels_than_a_picture() -> None:
    with pytest.raises(InvalidValueError, match="70000x70000 pixels, more than the limit of 250,000,000"):
        HeatMap(np.zeros((4, 4), np.float32)).resized((70_000, 70_000))


def test_a_network_is_no_name(red_square: NDArray[np.uint8]) -> None:
    with pytest.raises(InvalidValueError, match=r"got 'mine'; .* `revision`"):
        eyefirst.plan_crops(red_square, "1:1", network="mine")  # type: ignore[arg-type]


READ_BACK: list[Any] = [
    Box, PixelBox, Point, SalientObject, DetectedFace, Frame, FramingOptions,
    SaliencyObservation, FaceObservation, TextObservation, RecognizedText, CropPlan,
    KeyFrame, CameraPath, MustKeep, ShotPath, ReframePlan, Move, LeftOut, PanPlan,
]  # fmt: skip


@pytest.mark.parametrize("kind", READ_BACK)
@pytest.mark.parametrize(
    "values", [None, "text", 7, [], {"box": 7, "tightness": "x"}, {"left": 1, "margin": []}], ids=repr
)
def test_what_cannot_be_read_back_is_said(kind: Any, values: Any) -> None:
    with pytest.raises(InvalidValueError, match="expected"):
        kind.from_dict(values)


def test_a_plan_is_wanted_and_not_its_text(photo_path: Path, tiny_network: OnnxNetwork) -> None:
    plan = eyefirst.plan_crops(photo_path, "1.91:1", network=tiny_network)
    with pytest.raises(EyefirstError, match="from_json"):
        eyefirst.render_plan(plan.to_json(), photo_path)  # type: ignore[arg-type]
    rendered = eyefirst.render_plan(plan, photo_path)
    assert rendered["1.91:1"][0].size == rendered[(191, 100)][0].size == rendered[1.91][0].size
    with pytest.raises(KeyError, match="it holds 191:100"):
        rendered["1:1"]
    assert CropPlan.from_json(plan.to_json()) == plan


HUGE: list[dict[str, Any]] = [{"size": (10**6, 10**6)}, {"size": "70000x70000"}, {"size": (10**9, 1)}]


@pytest.mark.parametrize("how", HUGE, ids=repr)
def test_a_result_that_is_too_large_is_refused_at_once(how: dict[str, Any], photo_path: Path) -> None:
    with pytest.raises(EyefirstError, match=r"limit|aspect ratio"):
        eyefirst.thumbnail(photo_path, **how)


def test_enlarging_is_said_and_can_be_forbidden(photo_path: Path) -> None:
    with pytest.warns(EnlargedWarning, match=r"1\.6 times"):
        assert eyefirst.thumbnail(photo_path, (800, 800)).size == (800, 800)
    assert eyefirst.thumbnail(photo_path, (800, 800), enlarge=False).size == (512, 512)
    assert eyefirst.crop(photo_path, "16:9", size=(3200, 1800), enlarge=False, fit="largest").size == (512, 288)
    plan = eyefirst.plan_crops(photo_path, "1:1")
    assert eyefirst.render_plan(plan, photo_path, size=(900, 900), enlarge=False)["1:1"][0].size == (512, 512)


def test_a_completion_may_ask_again_in_the_background(red_square: NDArray[np.uint8], tiny_network: OnnxNetwork) -> None:
    """P11: the thread of low priority must not wait for itself."""
    handler = ImageRequestHandler(red_square, network=tiny_network)
    answers: list[object] = []

    def ask_again(*_: object) -> None:
        if not answers:
            answers.append(handler.perform([ObjectnessSaliencyRequest()], prefer_background=True))

    worker = threading.Thread(
        target=handler.perform,
        args=([AttentionSaliencyRequest()],),
        kwargs={"prefer_background": True, "on_completion": ask_again},
        daemon=True,
    )
    worker.start()
    worker.join(20)
    assert not worker.is_alive()
    assert len(answers) == 1


def test_a_network_needs_a_fixed_side(tmp_path: Path) -> None:
    import onnx

    from tests.make_tiny_network import make_tiny_network

    model = onnx.load(make_tiny_network(tmp_path / "t.onnx"))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "side"
    onnx.save(model, tmp_path / "open.onnx")
    with pytest.raises(EyefirstError, match="fixed side"):
        OnnxNetwork(tmp_path / "open.onnx")
