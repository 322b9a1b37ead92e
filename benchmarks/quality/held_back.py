"""The held-back side of the data: arrays from the store, originals from the shards."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from training.datasets.records import Record
from training.datasets.shards import read_shards
from training.datasets.store import Row, Store, build_store, fixation_density, open_store
from training.metrics import Map, Points

from eyefirst.geometry import Box

MAP_SIDE = 136
"""Attention is judged on squares of this side, that of the store's densities: twice the network's own."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One held-back picture.

    squashed: (272, 272, 3) uint8 sRGB, as the network takes it. points: (n, 2) x, y fractions of the
    picture, top-left origin. aspect: width / height.
    """

    row: Row
    record: Record
    squashed: NDArray[np.uint8]

    @property
    def key(self) -> str:
        return self.record.key

    @property
    def set_name(self) -> str:
        return self.row.set_name

    @property
    def aspect(self) -> float:
        return self.row.aspect

    @property
    def points(self) -> Points:
        """All observers' fixations on the picture."""
        return self.row.fixations.points() if self.row.fixations else np.empty((0, 2), np.float32)

    def picture(self) -> Image.Image:
        """The picture in its own shape, RGB."""
        return self.record.picture().convert("RGB")

    def mask(self) -> NDArray[np.bool_]:
        """(h, w), True where foreground."""
        if self.record.mask is None:
            raise ValueError(f"{self.key} has no mask; only object sets have")
        return np.asarray(self.record.mask().convert("L")) > 127


@dataclass(frozen=True, eq=False)
class HeldBack:
    """Both sides of the split; only priors may look at the training side."""

    store: Store
    records: dict[str, Record]
    human_crops: dict[str, Box]
    _made: dict[int, Sample] = field(default_factory=dict)

    def samples(self, set_name: str, most: int | None = None) -> list[Sample]:
        """The held-back pictures of a set, in the store's order; those of an eye set that nobody looked at left out."""
        rows = self.store.rows
        indices = [
            i
            for i in self.store.select(set_name, held_back=True)
            if (fixations := rows[i].fixations) is None or len(fixations.points())
        ]
        return [self._sample(i) for i in indices[:most]]

    def _sample(self, index: int) -> Sample:
        """One object per picture, so that what was computed of it can be kept."""
        if index not in self._made:
            row = self.store.rows[index]
            self._made[index] = Sample(row, self.records[row.key], self.store.pictures[index])
        return self._made[index]

    def training_points(self, set_name: str) -> Points:
        """All fixations of a set's training side, (n, 2)."""
        chosen = [self.store.rows[i].fixations for i in self.store.select(set_name, held_back=False)]
        return np.concatenate([np.empty((0, 2), np.float32), *(f.points() for f in chosen if f)])

    def mean_training_mask(self, set_name: str, most: int = 500) -> Map:
        """(136, 136) share of training pictures whose cell is foreground; 0.5 everywhere without training pictures."""
        indices = self.store.select(set_name, held_back=False)
        chosen = indices[:: max(len(indices) // most, 1)]
        if not chosen:
            return np.full((MAP_SIDE, MAP_SIDE), 0.5)
        return np.asarray(np.mean([np.asarray(self.store.labels[i, 0], np.float64) for i in chosen], axis=0))


def open_held_back(shards: Path, store: Path) -> HeldBack:
    """Opens the store, building it first where it is missing (about three minutes and 6 GB for all the data)."""
    if not (store / "index.json").exists():
        print(f"no store in {store}: building it from {shards}", flush=True)
        build_store(read_shards(shards), store)
    records = {r.key: r for r in read_shards(shards)}
    opened = open_store(store)
    missing = next((r.key for r in opened.rows if r.key not in records), None)
    if missing:
        raise FileNotFoundError(
            f"the store in {store} holds {missing}, the shards in {shards} do not; give the shards it was built from"
        )
    return HeldBack(opened, records, read_human_crops(shards))


def read_human_crops(shards: Path) -> dict[str, Box]:
    """Keys such as FCDB/ID to the crop that people chose."""
    found = {}
    for shard in sorted(shards.glob("crop-*.zip")):
        with zipfile.ZipFile(shard) as archive:
            for name in (n for n in archive.namelist() if n.endswith("/crops.json")):
                for picture_id, entry in json.loads(archive.read(name)).items():
                    found[f"{name.split('/')[0]}/{picture_id}"] = Box(*entry["crops"][0][:4])
    return found


def density(points_xy: Points) -> Map:
    """(136, 136) blurred fixations, maximum 1."""
    return fixation_density(np.asarray(points_xy, np.float32), MAP_SIDE)


def resized(values: Map, height: int, width: int) -> NDArray[np.float64]:
    """A map at another size, bilinear, cell centres kept in place."""
    if values.shape == (height, width):
        return np.asarray(values, np.float64)
    picture = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), np.float64)
