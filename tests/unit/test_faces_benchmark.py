"""The benchmark of faces, on drawn pictures and a network that finds bright squares."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.quality.faces import empty_table, main, size_table, skin_table
from numpy.typing import NDArray
from training.datasets.store import open_store

from eyefirst.network import OnnxNetwork, Prediction


class FindsWhite:
    """One face round all white pixels."""

    revision = "finds_white"
    input_side = 272

    def predict(self, pictures: NDArray[np.uint8]) -> Prediction:
        flat = np.zeros((len(pictures), 68, 68), np.float32)
        faces = np.zeros((len(pictures), 5, 68, 68), np.float32)
        for maps, picture in zip(faces, pictures, strict=True):
            white = (picture > 250).all(axis=2)
            if white.any():
                y, x = np.nonzero(white)
                left, top, right, bottom = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) / 272
                row, column = int((top + bottom) * 34), int((left + right) * 34)
                at_x, at_y = (column + 0.5) / 68, (row + 0.5) / 68
                maps[:, row, column] = 0.9, at_x - left, at_y - top, right - at_x, bottom - at_y
        return Prediction(flat, flat, faces)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """People of grey with white heads; one whose head nobody can see; and a picture without people."""
    names = ["CCP", "human290", "osie", "nothing"]
    pictures = np.full((4, 272, 272, 3), 60, np.uint8)
    labels = np.zeros((4, 2, 136, 136), np.float16)
    faces = np.zeros((4, 64, 5), np.float32)
    for i in range(3):
        pictures[i, 40:240, 80:180] = 130
        labels[i, 0, 20:120, 40:90] = 1
        faces[i, 0] = 110 / 272, 60 / 272, 150 / 272, 110 / 272, 0.9
        if i < 2:
            pictures[i, 60:110, 110:150] = 255
    rows = [
        {"set_name": n, "id": str(i), "has_mask": True, "has_density": False, "held_back": True, "aspect": 1.0}
        | {"fixations": None}
        for i, n in enumerate(names)
    ]
    for name, array in (("pictures", pictures), ("labels", labels), ("faces", faces)):
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "index.json").write_text(json.dumps(rows))
    return tmp_path


def test_recall_and_precision(store: Path) -> None:
    opened = open_store(store)
    lines = size_table(opened, FindsWhite(), None).lines
    assert lines[0].figures == pytest.approx((2 / 3, 1.0, 3.0))
    assert lines[2].figures[2] == 0.0, "no face is so large"
    assert empty_table(opened, FindsWhite(), None).lines[0].figures == (0.0,)


def test_the_faces_of_cut_people_keep_their_place(store: Path) -> None:
    table = skin_table(open_store(store), FindsWhite(), None, 0)
    assert table.title.startswith("Faces of 2 people cut from photos, on 3 backgrounds")
    assert [line.figures for line in table.lines] == [(1.0, 0.0)] * 4, "white stays white whatever the gamma"


def test_the_command(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    assert main(["--store", str(store), "--json", str(out), "--textures", "1"], FindsWhite()) == 0
    assert "finds_white" in capsys.readouterr().out
    assert len(json.loads(out.read_text())["tables"]) == 3


def test_a_network_without_faces_is_refused(store: Path, tiny_network: OnnxNetwork) -> None:
    with pytest.raises(SystemExit, match="expected a network with a map of faces; tiny_v1 has none"):
        main(["--store", str(store)], tiny_network)
    (store / "faces.npy").unlink()
    with pytest.raises(SystemExit, match="expected a store with faces"):
        main(["--store", str(store)], FindsWhite())
