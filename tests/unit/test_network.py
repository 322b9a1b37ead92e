from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from eyefirst.errors import NetworkMismatchError, UnknownRevisionError, WeightsError
from eyefirst.network import OnnxNetwork, default_revision, known_revisions, load_network, register_network
from eyefirst.weight_store import find_weights, known_weights, verified


def test_the_tiny_network_answers_in_range(tiny_network: OnnxNetwork) -> None:
    picture = np.zeros((2, 272, 272, 3), np.uint8)
    picture[1, :100, :100, 0] = 255
    prediction = tiny_network.predict(picture)
    assert prediction.objectness.shape == (2, 68, 68)
    assert prediction.objectness[1, 10, 10] == 1
    assert prediction.objectness[1, 60, 60] == 0
    assert tiny_network.revision == "tiny_v1"
    assert tiny_network.providers[0] == "CPUExecutionProvider"


def test_a_network_with_faces_or_text_gives_their_maps(tiny_network: OnnxNetwork, tmp_path: Path) -> None:
    from tests.make_tiny_network import make_tiny_network

    picture = np.zeros((1, 272, 272, 3), np.uint8)
    picture[0, :100, :100, 0] = 255
    faces = OnnxNetwork(make_tiny_network(tmp_path / "f.onnx", faces=True)).predict(picture).faces
    assert faces is not None
    assert faces.shape == (1, 5, 68, 68)
    assert faces[0, 0, 10, 10] == 1
    said = OnnxNetwork(make_tiny_network(tmp_path / "t.onnx", text=True)).predict(picture)
    assert said.text is not None
    assert said.faces is None
    np.testing.assert_array_equal(said.text, said.objectness)
    assert tiny_network.predict(picture).faces is None
    assert tiny_network.predict(picture).text is None


def test_a_sigmoid_that_misses_its_range_by_a_bit_is_in_it(
    tiny_network: OnnxNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    beyond = np.full((1, 68, 68), np.nextafter(np.float32(1), np.float32(2)), np.float32)
    beyond[0, 0, 0] = -1e-9
    picture = np.zeros((1, 272, 272, 3), np.uint8)
    monkeypatch.setattr(tiny_network, "_session", SimpleNamespace(run=lambda *_: [beyond, beyond]))
    said = tiny_network.predict(picture)
    assert (said.attention.max(), said.attention.min()) == (1, 0)
    monkeypatch.setattr(tiny_network, "_session", SimpleNamespace(run=lambda *_: [3 * beyond, beyond]))
    assert tiny_network.predict(picture).attention.max() > 2  # a map that means something else stays what it is


@pytest.mark.parametrize(
    "bad", [np.zeros((272, 272, 3), np.uint8), np.zeros((1, 3, 272, 272), np.uint8), np.zeros((1, 272, 272, 3))]
)
def test_wrong_pictures_are_refused_in_words(tiny_network: OnnxNetwork, bad: np.ndarray) -> None:
    with pytest.raises(NetworkMismatchError, match="expected uint8 pictures of shape"):
        tiny_network.predict(bad)


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    path = tmp_path / "not.onnx"
    path.write_bytes(b"hello")
    with pytest.raises(NetworkMismatchError, match="cannot open"):
        OnnxNetwork(path)


def test_a_network_of_another_shape_is_refused(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [other])
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "o.onnx")
    with pytest.raises(NetworkMismatchError, match="expected input 'image'"):
        OnnxNetwork(tmp_path / "o.onnx")


def test_a_provider_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    from tests.make_tiny_network import make_tiny_network

    path = make_tiny_network(tmp_path / "t.onnx")
    with pytest.raises((NetworkMismatchError, UserWarning), match=r"[Pp]rovider"):
        OnnxNetwork(path, providers=("TensorrtExecutionProvider",))


@pytest.mark.usefixtures("own_registries")
def test_others_enter_by_the_same_door(tiny_network: OnnxNetwork) -> None:
    register_network("mine", lambda: tiny_network)
    assert "mine" in known_revisions()
    assert load_network("mine") is tiny_network
    assert default_revision() == known_weights()[-1].revision
    with pytest.raises(UnknownRevisionError, match="mine"):
        load_network("other")


def test_weights_are_checked_against_their_hash(tmp_path: Path) -> None:
    path = tmp_path / "w.onnx"
    path.write_bytes(b"weights")
    assert verified(path, hashlib.sha256(b"weights").hexdigest()) == path
    with pytest.raises(WeightsError, match="changed or damaged"):
        verified(path, "0" * 64)
    with pytest.raises(WeightsError, match="cannot read"):
        verified(tmp_path / "gone.onnx", "0" * 64)
    with pytest.raises(UnknownRevisionError, match="saliency_v18"):
        find_weights("nope")


def test_every_shipped_file_is_whole_carded_and_small() -> None:
    for entry in known_weights():
        path = find_weights(entry.revision)
        assert path.stat().st_size == entry.bytes < 12_000_000
        assert (path.parent / "CARD.md").exists()
