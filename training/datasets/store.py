"""The store: every record squashed to the network's square, in memory-mapped arrays.

    pictures.npy   (n, 272, 272, 3) uint8 RGB
    labels.npy     (n, 2, 136, 136) float16: [0] foreground share 0..1, [1] fixation density, maximum 1
    index.json     one row per picture: set, id, which labels it has, held_back, fixations

Build it once with `python -m training.datasets.store SHARDS STORE`; it takes about three minutes.
`--set NAME=FOLDER` adds a public set in its authors' own layout, and SHARDS may then be left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.datasets.layouts import LAYOUTS
from training.datasets.records import Fixations, Record, cell_shares, is_held_back
from training.datasets.shards import read_shards

PICTURE_SIDE = 272
LABEL_SIDE = 136
PICTURES_FILE, LABELS_FILE, INDEX_FILE = "pictures.npy", "labels.npy", "index.json"
TEACHER_FILE, FACES_FILE, TEXT_FILE = "teacher.npy", "faces.npy", "text.npy"
"""Added to a store by `training.label`, `training.datasets.faces` and `training.datasets.text`."""
FIXATION_SIGMA = 0.028
"""Standard deviation of the blur that makes a density of fixations, as a share of the side."""
NEAR_DUPLICATE_BITS = 38
"""Pictures whose 256-bit difference hashes differ in at most so many bits count as one picture."""


@dataclass(frozen=True)
class Row:
    """One picture of the store."""

    set_name: str
    id: str
    has_mask: bool
    has_density: bool
    held_back: bool
    aspect: float
    fixations: Fixations | None

    @property
    def key(self) -> str:
        """As that of its `Record`."""
        return f"{self.set_name}/{self.id}"


@dataclass(frozen=True)
class Store:
    pictures: NDArray[np.uint8]
    labels: NDArray[np.float16]
    rows: list[Row]
    teacher: NDArray[np.float16] | None = None
    faces: NDArray[np.float32] | None = None
    text: NDArray[np.float32] | None = None

    def densities(self, indices: Sequence[int]) -> NDArray[np.float32]:
        """Fixation densities on the grid of the maps, (n, 68, 68)."""
        side = self.labels.shape[-1] // 2
        return np.asarray(self.labels[indices][:, 1], np.float32).reshape(-1, side, 2, side, 2).mean((2, 4))

    def fixation_shares(self, indices: Sequence[int], side: int) -> NDArray[np.float32]:
        """The share of its fixations in each cell of a picture, which must have some: (n, side, side)."""
        points = (self.rows[i].fixations.points() for i in indices)  # type: ignore[union-attr]
        return np.array([cell_shares(p, side) for p in points], np.float32)

    @property
    def training_side(self) -> list[int]:
        """Indices of all pictures that are not held back."""
        return [i for i, r in enumerate(self.rows) if not r.held_back]

    def select(self, *set_names: str, held_back: bool) -> list[int]:
        """Indices of the pictures of these sets, from one side of the split."""
        return [i for i, r in enumerate(self.rows) if r.set_name in set_names and r.held_back == held_back]


def open_store(folder: Path) -> Store:
    rows = [
        Row(
            **{k: r[k] for k in ("set_name", "id", "has_mask", "has_density", "held_back", "aspect")},
            fixations=Fixations(tuple(np.array(o, np.float32).reshape(-1, 2) for o in r["fixations"]))
            if r["fixations"]
            else None,
        )
        for r in json.loads((folder / INDEX_FILE).read_text())
    ]
    pictures, labels = (np.load(folder / name, mmap_mode="r") for name in (PICTURES_FILE, LABELS_FILE))
    added = (folder / name for name in (TEACHER_FILE, FACES_FILE, TEXT_FILE))
    return Store(pictures, labels, rows, *(np.load(path, mmap_mode="r") if path.exists() else None for path in added))


def build_store(records: Iterable[Record], folder: Path, workers: int = 2) -> None:
    """Decodes every record once. Near-duplicates end on one side of the split, whatever their set."""
    todo = list(records)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = np.lib.format.open_memmap(
        folder / PICTURES_FILE, "w+", np.uint8, (len(todo), PICTURE_SIDE, PICTURE_SIDE, 3)
    )
    labels = np.lib.format.open_memmap(folder / LABELS_FILE, "w+", np.float16, (len(todo), 2, LABEL_SIDE, LABEL_SIDE))
    hashes = np.zeros((len(todo), 4), np.uint64)
    aspects = np.zeros(len(todo))

    def fill(i: int) -> None:
        picture = todo[i].picture().convert("RGB")
        aspects[i] = picture.width / picture.height
        hashes[i] = difference_hash(picture)
        pictures[i] = np.asarray(picture.resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BILINEAR))
        labels[i] = _labels(todo[i])

    with ThreadPoolExecutor(workers) as pool:
        for done, _ in enumerate(pool.map(fill, range(len(todo))), 1):
            if done % 1000 == 0 or done == len(todo):
                print(f"{done} of {len(todo)} pictures", flush=True)
    held_back = _split(todo, hashes)
    rows = [
        {
            "set_name": r.set_name,
            "id": r.id,
            "has_mask": r.mask is not None or r.nothing_salient,
            "has_density": r.density is not None or r.fixations is not None,
            "held_back": held_back[i],
            "aspect": aspects[i],
            "fixations": [o.tolist() for o in r.fixations.observers] if r.fixations else None,
        }
        for i, r in enumerate(todo)
    ]
    pictures.flush()
    labels.flush()
    (folder / INDEX_FILE).write_text(json.dumps(rows))


def fixation_density(points_xy: NDArray[np.float32], side: int, sigma: float = FIXATION_SIGMA) -> NDArray[np.float32]:
    """Sum of Gaussians at the fixations on a (side, side) grid, maximum 1; sigma as a share of the side."""
    centres = (np.arange(side) + 0.5) / side
    along_x = np.exp(-((centres[None] - points_xy[:, :1]) ** 2) / (2 * sigma**2))
    along_y = np.exp(-((centres[None] - points_xy[:, 1:]) ** 2) / (2 * sigma**2))
    density = along_y.T @ along_x
    return (density / max(density.max(), 1e-9)).astype(np.float32)


def difference_hash(picture: Image.Image) -> NDArray[np.uint64]:
    """256 bits: is each cell of a 16 x 17 thumbnail brighter than its right neighbour."""
    grey = np.asarray(picture.convert("L").resize((17, 16), Image.Resampling.BOX), np.int16)
    return np.packbits(grey[:, 1:] > grey[:, :-1]).view(np.uint64)


def _labels(record: Record) -> NDArray[np.float16]:
    result = np.zeros((2, LABEL_SIDE, LABEL_SIDE), np.float16)
    side = (LABEL_SIDE, LABEL_SIDE)
    if record.mask is not None:
        result[0] = np.asarray(record.mask().convert("L").resize(side, Image.Resampling.BOX), np.float32) / 255
    if record.fixations is not None:
        result[1] = fixation_density(record.fixations.points(), LABEL_SIDE)
    elif record.density is not None:
        density = np.asarray(record.density().convert("L").resize(side, Image.Resampling.BILINEAR), np.float32)
        result[1] = density / max(density.max(), 1.0)
    return result


def _split(records: list[Record], hashes: NDArray[np.uint64]) -> list[bool]:
    """One side for every chain of near-duplicates: that of its first member by name."""
    parent = list(range(len(records)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i in range(len(records)):
        distances = np.bitwise_count(hashes[i + 1 :] ^ hashes[i]).sum(axis=1)
        for j in np.flatnonzero(distances <= NEAR_DUPLICATE_BITS):
            parent[root(i + 1 + int(j))] = root(i)
    by_group: dict[tuple[str, str], int] = {}
    for i, r in enumerate(records):
        parent[root(i)] = root(by_group.setdefault((r.set_name, r.group), i))
    first: dict[int, Record] = {}
    for i, r in enumerate(records):
        best = first.setdefault(root(i), r)
        if r.key < best.key:
            first[root(i)] = r
    return [is_held_back(first[root(i)].set_name, first[root(i)].group) for i in range(len(records))]


def gather(shards: Path | None, sets: Iterable[tuple[str, Path]]) -> Iterator[Record]:
    """The shards' records, then those of the public sets (name in `LAYOUTS`, folder) that are not among them."""
    seen: set[str] = set()
    readers = [read_shards(shards)] if shards else []
    readers += [LAYOUTS[name](folder) for name, folder in sets]
    for record in (r for reader in readers for r in reader):
        if record.key not in seen:
            seen.add(record.key)
            yield record


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m training.datasets.store", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shards", type=Path, nargs="?", help="folder that holds the *.zip shards")
    parser.add_argument("store", type=Path, help="folder to write the arrays to (about 6 GB for the shards)")
    parser.add_argument(
        "--set",
        type=_named_folder,
        action="append",
        default=[],
        dest="sets",
        metavar="NAME=FOLDER",
        help=f"a public set in its own layout, any number of times; NAME is one of {', '.join(LAYOUTS)}",
    )
    options = parser.parse_args(arguments)
    if not (options.shards or options.sets):
        parser.error("expected the folder of the shards, a --set, or both; got neither")
    build_store(gather(options.shards, options.sets), options.store)


def _named_folder(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if name not in LAYOUTS or not folder:
        raise argparse.ArgumentTypeError(f"expected NAME=FOLDER with NAME one of {', '.join(LAYOUTS)}, got {text}")
    return name, Path(folder)


if __name__ == "__main__":
    main()
