"""Writes what a published detector finds into a store.

    faces.npy, text.npy  (n, most, 5) float32: left, top, right and bottom edge in 0..1, and confidence

Rows after the last box are zero. A picture whose first number is not a number is not known yet: a training may start
before all are known, and reads what is there. The detector sees the shards' own pictures, not the store's squares.
Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from training.datasets.shards import read_shards
from training.datasets.store import open_store

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
Find = Callable[[Image.Image], NDArray[np.float32]]
"""A picture to (n, 5): edges as shares of it and confidence, the most important first."""


def resized(picture: Image.Image, longer_side: tuple[int, int]) -> Image.Image:
    """As RGB; its longer side in the range, of which it is enlarged or shrunk to the nearer end."""
    scale = min(max(*picture.size, longer_side[0]), longer_side[1]) / max(picture.size)
    width, height = (max(round(side * scale), 1) for side in picture.size)
    return picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)


def write_detected(description: str | None, file: str, most: int, find: Find, arguments: Sequence[str] | None) -> None:
    """The command SHARDS STORE, which fills a file of the store. most: boxes kept of one picture."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path)
    parser.add_argument("store", type=Path)
    options = parser.parse_args(arguments)
    rows = {r.key: i for i, r in enumerate(open_store(options.store).rows)}
    path = options.store / file
    if path.exists():
        boxes = np.load(path, mmap_mode="r+")
    else:
        boxes = np.lib.format.open_memmap(path, "w+", np.float32, (len(rows), most, 5))
        boxes[:, 0, 0] = np.nan
    records = [r for r in read_shards(options.shards) if r.key in rows and np.isnan(boxes[rows[r.key], 0, 0])]
    for record in tqdm(sorted(records, key=lambda r: _order(r.set_name)), unit="picture", mininterval=20):
        found = find(record.picture())[:most]
        i = rows[record.key]
        boxes[i, : len(found)] = found
        if not len(found):
            boxes[i, 0, 0] = 0
    boxes.flush()


def _order(set_name: str) -> int:
    return FIRST_SETS.index(set_name) if set_name in FIRST_SETS else len(FIRST_SETS)
