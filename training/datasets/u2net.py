"""Asks U2-Net for subjects where people left no mask: `python -m training.datasets.u2net SHARDS STORE FILE --sets ...`

What it says replaces objectness in STORE's teacher.npy (see `training.label`). FILE is the published u2net.onnx (Qin et
al., "U2-Net", Pattern Recognition 2020; Apache-2.0), known by its hash. It sees the shards' own pictures. Its answer is
averaged to the labels' size, and never stretched. A picture takes more than a second on one core; interrupted, the same
command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from eyefirst.mappings import PUBLISHED
from eyefirst.network import MappedOnnxNetwork
from training.datasets.shards import read_shards
from training.datasets.store import TEACHER_FILE, open_store

ASKED_FILE = "u2net.json"
"""Beside teacher.npy: the pictures that were asked about."""
NETWORK = "u2net"
SAVED_EVERY = 20


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--sets", nargs="+", required=True)
    options = parser.parse_args(arguments)
    published = PUBLISHED[NETWORK]
    network = MappedOnnxNetwork(options.file, published.mapping, revision=NETWORK, sha256=published.sha256)
    rows = {r.key: i for i, r in enumerate(open_store(options.store).rows) if r.set_name in options.sets}
    maps = np.load(options.store / TEACHER_FILE, mmap_mode="r+")
    path = options.store / ASKED_FILE
    asked = json.loads(path.read_text()) if path.exists() else []
    known = set(asked)
    records = [r for r in read_shards(options.shards) if r.key in rows and r.mask is None and r.key not in known]
    for record in tqdm(records, unit="picture", mininterval=20):
        picture = record.picture().convert("RGB").resize(published.mapping.size.as_tuple, Image.Resampling.BILINEAR)
        maps[rows[record.key], 1] = network.predict(np.asarray(picture)[np.newaxis]).objectness[0]
        asked.append(record.key)
        if len(asked) % SAVED_EVERY == 0:
            path.write_text(json.dumps(asked))
    path.write_text(json.dumps(asked))
    maps.flush()


if __name__ == "__main__":
    main()
