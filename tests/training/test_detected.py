"""What published detectors write into a store: boxes of faces and of text, and subjects."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

pytest.importorskip("torch", reason="torch comes with the dependency group 'train'")

from training.datasets import u2net
from training.datasets.detected import write_detected
from training.datasets.shards import read_shards
from training.datasets.store import build_store, open_store
from training.datasets.text import TextFinder

BOX = np.array([[0.1, 0.2, 0.3, 0.4, 0.9]], np.float32)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """A shard of three pictures, the second with a mask, and their store."""
    folder = tmp_path / "shards"
    folder.mkdir()
    with ZipFile(folder / "shard.zip", "w") as archive:
        for i in range(3):
            data = BytesIO()
            Image.new("RGB", (40, 40), (80 * i, 0, 0)).save(data, "PNG")
            archive.writestr(f"FCDB/images/p{i}.png", data.getvalue())
            if i == 1:
                archive.writestr("FCDB/masks/p1.png", data.getvalue())
    build_store(read_shards(folder), tmp_path / "store")
    return folder


def test_a_detector_is_asked_once_about_each_picture(shards: Path, tmp_path: Path) -> None:
    store, asked = tmp_path / "store", []

    def find(picture: Image.Image) -> np.ndarray:
        asked.append(np.asarray(picture.convert("RGB"))[0, 0, 0])
        if len(asked) == 3:
            raise KeyboardInterrupt
        return BOX if len(asked) == 1 else BOX[:0]

    command = [str(shards), str(store)]
    with pytest.raises(KeyboardInterrupt):
        write_detected("", "faces.npy", 4, find, command)
    boxes = open_store(store).faces
    assert boxes is not None
    np.testing.assert_array_equal(boxes[0, :2], [BOX[0], np.zeros(5)])
    assert not boxes[1].any()
    assert np.isnan(boxes[2, 0, 0])
    write_detected("", "faces.npy", 4, find, command)
    assert asked == [0, 80, 160, 160]


def test_text_is_found_where_it_can_be_read() -> None:
    page = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(page)
    draw.text((60, 60), "OPEN TODAY", fill="black", font=ImageFont.load_default(60))
    for x in range(0, 640, 40):
        draw.rectangle((x, 300, x + 19, 479), fill="black")
    find = TextFinder()
    found = find(page)
    assert len(found) == 1
    left, top, right, bottom, confidence = found[0]
    assert confidence > 0.9
    assert 0.07 < left < 0.11
    assert top < 0.16
    assert bottom < 0.3
    assert 0.55 < right < 0.75
    slanted = find(page.rotate(20, expand=True, fillcolor="white"))
    assert len(slanted) > 3, "a slanted line is a row of boxes"
    assert (slanted[:, 3] - slanted[:, 1]).max() < 0.25
    assert len(find(Image.new("RGB", (300, 200), "grey"))) == 0


def test_another_network_says_what_is_subject(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    np.save(store / "teacher.npy", np.zeros((3, 2, 68, 68), np.float16))

    class Fake:
        def __init__(self, path: Path, mapping: Any, *, revision: str, sha256: str) -> None:
            assert sha256.startswith("8d10d2f3")

        def predict(self, pictures: np.ndarray) -> Any:
            assert pictures.shape == (1, 320, 320, 3)
            return SimpleNamespace(objectness=np.full((1, 68, 68), pictures.mean() * 3 / 255, np.float32))

    monkeypatch.setattr(u2net, "MappedOnnxNetwork", Fake)
    u2net.main([str(shards), str(store), "u2net.onnx", "--sets", "FCDB"])
    maps = open_store(store).teacher
    assert maps is not None
    assert not maps[:, 0].any()
    assert maps[:, 1, 0, 0].tolist() == pytest.approx([0, 0, 160 / 255], abs=1e-3), "what has a mask stays"
    assert json.loads((store / "u2net.json").read_text()) == ["FCDB/p0", "FCDB/p2"]
