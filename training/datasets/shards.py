"""Reads the training shards: zip files of small AVIF pictures with masks, maps or fixations."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from training.datasets.records import Fixations, Record

START_FIXATION_ALREADY_REMOVED = {"mit1003"}
LARGER = "-large-"
"""In the name of a shard that holds larger pictures of another shard's records, and no labels."""


def read_shards(folder: Path) -> Iterator[Record]:
    """Yields every labelled picture of the shards; the pixels come from `*-large-*` where a picture is there too."""
    shards = sorted(folder.glob("*.zip"))
    if not shards:
        raise FileNotFoundError(f"expected shards (*.zip) in {folder}, found none; pass the folder that holds them")
    archives = {shard: zipfile.ZipFile(shard) for shard in shards}  # stay open: the records read from them later
    larger = {name: a for shard, a in archives.items() if LARGER in shard.name for name in a.namelist()}
    for shard, archive in archives.items():
        if LARGER in shard.name:
            continue
        names = set(archive.namelist())
        fixations = {
            PurePosixPath(name).parts[0]: json.loads(archive.read(name))
            for name in sorted(names)
            if name.endswith("/fixations.json")
        }
        for name in sorted(n for n in names if "/images/" in n and not n.endswith("/")):
            set_name, _, file_name = PurePosixPath(name).parts
            picture_id = PurePosixPath(file_name).stem
            mask = f"{set_name}/masks/{picture_id}.png"
            density = f"{set_name}/maps/{picture_id}.png"
            looked_at = fixations.get(set_name, {}).get(picture_id)
            yield Record(
                set_name=set_name,
                id=picture_id,
                picture=partial(_read_picture, larger.get(name, archive), name),
                mask=partial(_read_picture, archive, mask) if mask in names else None,
                nothing_salient=set_name == "nothing",
                fixations=_fixations(set_name, looked_at) if looked_at else None,
                density=partial(_read_picture, archive, density) if density in names else None,
                group=picture_id.rsplit("_", 1)[0] if set_name == "DAVIS" else picture_id,
            )


def _read_picture(archive: zipfile.ZipFile, name: str) -> Image.Image:
    return Image.open(io.BytesIO(archive.read(name)))


def _fixations(set_name: str, entry: dict[str, list[list[list[float]]]]) -> Fixations:
    first = 0 if set_name in START_FIXATION_ALREADY_REMOVED else 1
    observers = (np.array([f[:2] for f in o[first:]], np.float32).reshape(-1, 2) for o in entry["observers"])
    return Fixations(tuple(observers))
