"""Writes what networks say of every picture of a store: `python -m training.label SHARDS STORE`.

    teacher.npy   (n, 2, 68, 68) float16: [0] attention density, maximum 1; [1] objectness 0..1

Attention is the packaged network's. Objectness is U2-Net's where the shards carry it (labels-u2net-*.zip: SET/ID.png,
68 x 68, 8 bit), else the packaged network's. Both of the latter are means over the picture and its mirror image. A
training takes the maps where people left no label, and mixes a share of them into what few people looked at.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from eyefirst.network import OnnxNetwork, default_revision
from eyefirst.weight_store import find_weights
from training.datasets.store import TEACHER_FILE, Store, open_store

MAP_SIDE = 68
BATCH = 16


def published_objectness(shards: Path) -> dict[str, NDArray[np.float32]]:
    """SET/ID -> (68, 68) in 0..1."""
    found = {}
    for path in sorted(shards.glob("labels-u2net-*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".png"):
                    image = Image.open(io.BytesIO(archive.read(name)))
                    found[name.removesuffix(".png")] = np.asarray(image, np.float32) / 255
    return found


def label(store: Store, network: OnnxNetwork, objectness: dict[str, NDArray[np.float32]], folder: Path) -> None:
    """Writes teacher.npy, under another name until it is whole."""
    path = folder / TEACHER_FILE
    unfinished = path.with_suffix(".tmp")
    maps = np.lib.format.open_memmap(unfinished, "w+", np.float16, (len(store.rows), 2, MAP_SIDE, MAP_SIDE))
    for start in tqdm(range(0, len(store.rows), BATCH), unit="batch"):
        part = slice(start, start + BATCH)
        pictures = np.asarray(store.pictures[part])
        plain, mirrored = (network.predict(np.ascontiguousarray(p)) for p in (pictures, pictures[:, :, ::-1]))
        attention = (plain.attention + mirrored.attention[..., ::-1]) / 2
        maps[part, 0] = attention / attention.max((1, 2), keepdims=True)
        maps[part, 1] = (plain.objectness + mirrored.objectness[..., ::-1]) / 2
        for i, row in enumerate(store.rows[part], start):
            if (known := objectness.get(row.key)) is not None:
                maps[i, 1] = known
    maps.flush()
    unfinished.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument(
        "--network", default=default_revision(), help="the packaged network that speaks (default: the newest)"
    )
    arguments = parser.parse_args()
    network = OnnxNetwork(find_weights(arguments.network), threads=2)
    label(open_store(arguments.store), network, published_objectness(arguments.shards), arguments.store)


if __name__ == "__main__":
    main()
