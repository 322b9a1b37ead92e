"""Copies what people looked at, at a larger side: `python -m training.datasets.larger SHARDS STORE OUT`.

Rows, labels, the split and what teachers said are those of STORE; the pictures are read from SHARDS once more. A
teacher of attention is trained on the copy: small faces and words can be seen there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from training.datasets.shards import read_shards
from training.datasets.store import (
    FACES_FILE,
    INDEX_FILE,
    LABELS_FILE,
    PICTURES_FILE,
    TEACHER_FILE,
    TEXT_FILE,
    open_store,
)


def enlarge(shards: Path, store: Path, out: Path, side: int) -> None:
    """Writes a store of the pictures with fixations, squashed to (side, side)."""
    known = open_store(store)
    chosen = [i for i, row in enumerate(known.rows) if row.fixations]
    places = {known.rows[i].key: k for k, i in enumerate(chosen)}
    out.mkdir(parents=True, exist_ok=True)
    pictures = np.lib.format.open_memmap(out / PICTURES_FILE, "w+", np.uint8, (len(chosen), side, side, 3))
    for record in tqdm(read_shards(shards), unit="record"):
        if (place := places.pop(record.key, None)) is not None:
            picture = record.picture().convert("RGB")
            pictures[place] = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
    if places:
        raise SystemExit(f"expected all pictures of {store} in {shards}, but {len(places)} are missing: {min(places)}")
    pictures.flush()
    arrays = {
        LABELS_FILE: known.labels,
        TEACHER_FILE: known.teacher,
        FACES_FILE: known.faces,
        TEXT_FILE: known.text,
    }
    for name, values in arrays.items():
        if values is not None:
            np.save(out / name, values[chosen])
    rows = json.loads((store / INDEX_FILE).read_text())
    (out / INDEX_FILE).write_text(json.dumps([rows[i] for i in chosen]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path, help="folder that holds the *.zip shards")
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path, help="folder to write the copy to (1 GB at 384 pixels)")
    parser.add_argument("--side", type=int, default=384, help="a multiple of 16 (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.side <= 0 or arguments.side % 16:
        parser.error(f"expected a side that is a multiple of 16, got {arguments.side}")
    enlarge(arguments.shards, arguments.store, arguments.out, arguments.side)


if __name__ == "__main__":
    main()
