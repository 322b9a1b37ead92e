"""Other people's networks: mapped, checked by hash, and fetched only when asked for."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import eyefirst
from eyefirst import weight_store
from eyefirst.errors import InvalidValueError, NetworkMismatchError, WeightsError
from eyefirst.geometry import Box, Size
from eyefirst.mappings import (
    MAP_SIDE,
    PUBLISHED,
    OnnxMapping,
    OnnxOutput,
    area_averaged,
    centre_prior,
)
from eyefirst.network import MappedOnnxNetwork, OnnxNetwork, load_network
from eyefirst.weight_store import cache_folder, fetch_weights, find_weights, known_weights

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def make_foreign(
    path: Path,
    nodes: Sequence[Any],
    *,
    shape: Sequence[int | str] = (1, 3, 40, 40),
    outputs: Sequence[str] = ("y",),
    dtype: int = TensorProto.FLOAT,
) -> Path:
    """A file with input `x` of that shape, and outputs whose shape it does not say."""
    graph = helper.make_graph(
        list(nodes),
        "foreign",
        [helper.make_tensor_value_info("x", dtype, list(shape))],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


def opened(path: Path, mapping: OnnxMapping) -> MappedOnnxNetwork:
    return MappedOnnxNetwork(path, mapping, revision="foreign", sha256=hashlib.sha256(path.read_bytes()).hexdigest())


BRIGHTNESS = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=1)]
BY_BRIGHTNESS = OnnxMapping(size=Size(40, 40), objectness=OnnxOutput(0))


@pytest.fixture
def bright(tmp_path: Path) -> Path:
    """Answers with the brightness of each pixel, one picture at a time."""
    return make_foreign(tmp_path / "bright.onnx", BRIGHTNESS)


def half_white(side: int = 40) -> np.ndarray:
    """Two pictures: white on the left, and all black."""
    pictures = np.zeros((2, side, side, 3), np.uint8)
    pictures[0, :, : side // 2] = 255
    return pictures


def test_a_network_that_gives_objectness_alone(bright: Path) -> None:
    network = opened(bright, BY_BRIGHTNESS)
    assert network.input_side == 40
    assert network.revision == "foreign"
    prediction = network.predict(half_white())
    assert prediction.objectness.shape == prediction.attention.shape == (2, MAP_SIDE, MAP_SIDE)
    assert prediction.objectness.dtype == prediction.attention.dtype == np.float32
    assert prediction.objectness[0, :, :34].min() == 1
    assert prediction.objectness[0, :, 34:].max() == prediction.objectness[1].max() == 0
    # without an attention of its own: the centre prior, drawn to the subjects
    left, right = prediction.attention[0, :, :34].sum(), prediction.attention[0, :, 34:].sum()
    assert left == pytest.approx(11 * right, rel=1e-4)
    nothing = prediction.attention[1] / prediction.attention[1].max()
    np.testing.assert_allclose(nothing, centre_prior(), atol=1e-6)


def test_a_network_that_gives_attention_alone(bright: Path) -> None:
    network = opened(bright, OnnxMapping(size=Size(40, 40), attention=OnnxOutput("y")))
    prediction = network.predict(half_white())
    assert prediction.objectness.max() == 0
    np.testing.assert_allclose(prediction.attention[0, :, :34], 2 / 64)  # twice an even spread
    np.testing.assert_allclose(prediction.attention[1].sum() * 64 / MAP_SIDE**2, 1, rtol=1e-4)
    assert prediction.attention[1].argmax() in {33 * 68 + 33, 33 * 68 + 34, 34 * 68 + 33, 34 * 68 + 34}


@pytest.mark.usefixtures("own_registries")
def test_the_journey_goes_through_a_mapped_network(bright: Path) -> None:
    eyefirst.register_network("bright", lambda: opened(bright, BY_BRIGHTNESS))
    picture = np.full((100, 200, 3), 10, np.uint8)
    picture[30:70, 140:180] = 250
    plan = eyefirst.plan_crops(picture, "1:1", revision="bright")
    assert plan.revision == "bright"
    assert plan.objects[0].box.iou(Box(0.7, 0.3, 0.9, 0.7)) > 0.8
    assert plan.frames["1:1"][0].kept_objects[0] > 0.95


def test_activations(tmp_path: Path) -> None:
    logits = [
        helper.make_node("Constant", [], ["four"], value_float=4.0),
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Mul", ["mean", "four"], ["y"]),
    ]
    path = make_foreign(tmp_path / "logits.onnx", logits, shape=("n", 3, 40, 40))
    mapping = OnnxMapping(
        size=Size(40, 40),
        mean=(0.5, 0.5, 0.5),
        attention=OnnxOutput("y", "softmax"),
        objectness=OnnxOutput("y", "sigmoid"),
    )
    prediction = opened(path, mapping).predict(half_white())
    np.testing.assert_allclose(prediction.objectness[0, 0, [0, -1]], 1 / (1 + np.exp([-2, 2])), rtol=1e-5)
    np.testing.assert_allclose(prediction.attention[0, 0, [0, -1]], 2 / 64 / (1 + np.exp([-4, 4])), rtol=1e-5)
    network = opened(path, dataclasses.replace(mapping, objectness=OnnxOutput("y")))
    with pytest.raises(NetworkMismatchError, match="declare the activation 'sigmoid'"):
        network.predict(half_white())
    network = opened(path, dataclasses.replace(mapping, attention=OnnxOutput("y")))
    with pytest.raises(NetworkMismatchError, match="declare the activation 'softmax'"):
        network.predict(half_white())


def test_how_a_picture_goes_in() -> None:
    picture = np.zeros((1, 4, 4, 3), np.uint8)
    picture[..., 0], picture[..., 2] = 200, 100
    base = OnnxMapping(size=Size(4, 4), objectness=OnnxOutput(0))
    assert base.tensor(picture).shape == (1, 3, 4, 4)
    np.testing.assert_allclose(base.tensor(picture)[0, :, 0, 0], [200 / 255, 0, 100 / 255], rtol=1e-6)
    by_largest = dataclasses.replace(base, divisor=None, mean=(0.5, 0.25, 0), std=(0.5, 1, 0.25))
    np.testing.assert_allclose(by_largest.tensor(picture)[0, :, 0, 0], [1, -0.25, 2])
    np.testing.assert_allclose(by_largest.tensor(np.zeros_like(picture))[0, :, 0, 0], [-1, -0.25, 0])
    blue_first = dataclasses.replace(base, colours="bgr", layout="nhwc", dtype="uint8")
    tensor = blue_first.tensor(picture)
    assert tensor.dtype == np.uint8 and tensor.flags.c_contiguous
    assert tensor[0, 0, 0].tolist() == [100, 0, 200]


def test_an_input_that_is_no_square(tmp_path: Path) -> None:
    path = make_foreign(tmp_path / "wide.onnx", BRIGHTNESS, shape=("n", 3, 20, 40))
    network = opened(path, dataclasses.replace(BY_BRIGHTNESS, size=Size(40, 20)))
    assert network.input_side == 40
    prediction = network.predict(half_white())
    assert prediction.objectness.shape == (2, MAP_SIDE, MAP_SIDE)
    assert prediction.objectness[0].mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("size", [(68, 68), (320, 320), (17, 100), (1, 1)])
def test_area_averaging_keeps_the_mean_and_the_place(size: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((2, *size))
    small = area_averaged(maps)
    np.testing.assert_allclose(small.mean(axis=(1, 2)), maps.mean(axis=(1, 2)))
    np.testing.assert_allclose(area_averaged(maps[:, ::-1]), small[:, ::-1])
    if size == (68, 68):
        np.testing.assert_allclose(small, maps)
    assert area_averaged(np.arange(4.0).reshape(1, 2, 2), 1).item() == 1.5


def test_the_shipped_network_by_a_mapping_answers_the_same(photo_path: Path) -> None:
    entry = known_weights()[-1]
    mapping = OnnxMapping(
        size=Size(272, 272),
        layout="nhwc",
        dtype="uint8",
        attention=OnnxOutput("attention"),
        objectness=OnnxOutput("objectness"),
    )
    mapped = MappedOnnxNetwork(find_weights(entry.revision), mapping, revision="again", sha256=entry.sha256)
    pixels = eyefirst.load_image(photo_path).squashed(272)[None]
    ours, theirs = load_network(entry.revision).predict(pixels), mapped.predict(pixels)
    np.testing.assert_allclose(theirs.objectness, ours.objectness, atol=1e-6)
    np.testing.assert_allclose(theirs.attention, ours.attention, rtol=0.02, atol=1e-6)


def test_another_file_is_not_opened(bright: Path) -> None:
    with pytest.raises(WeightsError, match="changed or damaged"):
        MappedOnnxNetwork(bright, BY_BRIGHTNESS, revision="r", sha256="0" * 64)
    with pytest.raises(WeightsError, match="64 hex digits"):
        MappedOnnxNetwork(bright, BY_BRIGHTNESS, revision="r", sha256="md5:60024c5c")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": Size(48, 48)}, "set size, layout and dtype"),
        ({"layout": "nhwc"}, "set size, layout and dtype"),
        ({"dtype": "uint8"}, "set size, layout and dtype"),
        ({"input": "image"}, "the file has ['x']"),
        ({"input": 1}, "the file has ['x']"),
        ({"objectness": OnnxOutput("d0")}, "the file has ['y']"),
        ({"objectness": OnnxOutput(1)}, "the file has ['y']"),
    ],
)
def test_a_mapping_that_does_not_fit_the_file(bright: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(NetworkMismatchError, match=re.escape(words)):
        opened(bright, dataclasses.replace(BY_BRIGHTNESS, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"layout": "hwc"},
        {"dtype": "float16"},
        {"colours": "cmyk"},
        {"objectness": None},
        {"objectness": OnnxOutput(0, "softmax")},
        {"dtype": "uint8", "std": (2.0, 2.0, 2.0)},
        {"std": (1.0, 0.0, 1.0)},
        {"divisor": 0.0},
    ],
)
def test_a_mapping_that_makes_no_sense(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        dataclasses.replace(BY_BRIGHTNESS, **change)
    with pytest.raises(InvalidValueError):
        OnnxOutput(0, "relu")  # type: ignore[arg-type]


def test_outputs_that_are_no_map(tmp_path: Path) -> None:
    three = make_foreign(tmp_path / "three.onnx", [helper.make_node("Identity", ["x"], ["y"])])
    with pytest.raises(NetworkMismatchError, match="of shape"):
        opened(three, BY_BRIGHTNESS).predict(half_white())
    undefined = [helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1]), helper.make_node("Log", ["mean"], ["y"])]
    path = make_foreign(tmp_path / "log.onnx", undefined)
    with pytest.raises(NetworkMismatchError, match="finite"):
        opened(path, BY_BRIGHTNESS).predict(half_white())
    fixed = [
        helper.make_node("Constant", [], ["s"], value_ints=[1, 1, 7, 7]),
        helper.make_node("Reshape", ["x", "s"], ["y"]),
    ]
    path = make_foreign(tmp_path / "breaks.onnx", fixed)
    with pytest.raises(NetworkMismatchError, match="cannot run foreign"):
        opened(path, BY_BRIGHTNESS).predict(half_white())
    with pytest.raises(NetworkMismatchError, match="expected uint8 pictures"):
        opened(three, BY_BRIGHTNESS).predict(half_white(20))


def test_published_networks_are_whole_declarations() -> None:
    for network in PUBLISHED.values():
        assert network.url.startswith("https://")
        assert re.fullmatch("[0-9a-f]{64}", network.sha256)
        assert network.bytes > 1_000_000 and network.licence
        assert network.mapping.size.width == network.mapping.size.height


# --- fetching


class Server:
    """Stands where the internet would be."""

    def __init__(self, content: bytes = b"weights", error: Exception | None = None) -> None:
        self.content, self.error, self.asked = content, error, 0

    def __call__(self, url: str) -> io.BytesIO:
        self.asked += 1
        if self.error:
            raise self.error
        return io.BytesIO(self.content)


HASH = hashlib.sha256(b"weights").hexdigest()
URL = "https://example.org/w.onnx"


def test_fetched_once_and_named_by_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    monkeypatch.setattr(weight_store, "_open_url", server)
    path = fetch_weights(URL, HASH.upper(), into=tmp_path / "a" / "b")
    assert path.read_bytes() == b"weights"
    assert path.name == f"{HASH}.onnx"
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert fetch_weights(URL, HASH, into=path.parent) == path
    assert server.asked == 1
    path.write_bytes(b"changed")
    with pytest.raises(WeightsError, match="remove the file to fetch it again"):
        fetch_weights(URL, HASH, into=path.parent)


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (Server(b"other"), "expected weights with SHA-256"),
        (Server(b""), "expected weights with SHA-256"),
        (Server(b"weights" * 100), "expected at most 100 bytes"),
        (Server(error=urllib.error.URLError("no route")), "cannot fetch the weights: .*no route"),
        (Server(error=TimeoutError("timed out")), "cannot fetch the weights: timed out"),
        (Server(error=ValueError("odd answer")), "cannot fetch the weights: odd answer"),
    ],
)
def test_a_download_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server, words: str
) -> None:
    monkeypatch.setattr(weight_store, "_open_url", server)
    with pytest.raises(WeightsError, match=words):
        fetch_weights(URL, HASH, into=tmp_path, most_bytes=100)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["http://example.org/w", "file:///etc/passwd", "ftp://x/y", "w.onnx", "https://", "https://[x"]
)
def test_https_only(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    monkeypatch.setattr(weight_store, "_open_url", server)
    with pytest.raises(WeightsError, match="https://"):
        fetch_weights(url, HASH, into=tmp_path)
    assert server.asked == 0
    request = urllib.request.Request(URL)
    with pytest.raises(WeightsError, match="https://"):
        weight_store._StaySecure().redirect_request(request, io.BytesIO(), 302, "Found", {}, url)
    followed = weight_store._StaySecure().redirect_request(request, io.BytesIO(), 302, "Found", {}, URL + "2")
    assert followed is not None and followed.full_url == URL + "2"


def test_the_cache_is_where_the_platform_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    for platform, parts in (("linux", 0), ("win32", 0), ("darwin", 2)):
        monkeypatch.setattr(sys, "platform", platform)
        folder = cache_folder()
        assert folder.parts[-2:] == ("eyefirst", "weights")
        assert parts or folder.parent.parent == tmp_path
    assert "Caches" in folder.parts


def test_nothing_in_the_package_fetches() -> None:
    for path in Path(eyefirst.__file__).parent.rglob("*.py"):
        assert path.name == "weight_store.py" or "fetch_weights(" not in path.read_text(), path


# --- the page


@pytest.mark.usefixtures("own_registries")
def test_the_examples_of_the_page_run(
    tmp_path: Path, photo_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(photo_path.read_bytes())
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S)
    assert len(blocks) >= 3
    names: dict[str, object] = {}
    for block in blocks:
        if "fetch_weights(" not in block:
            exec(compile(block, str(DOCS), "exec"), names)
    assert capsys.readouterr().out
    assert isinstance(load_network(), OnnxNetwork)
