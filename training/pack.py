"""Carries a store to another machine: `python -m training.pack pack STORE PACK`, there `... unpack PACK STORE`.

A pack is a few zip files of at most `LARGEST_FILE` bytes: every picture as JPEG, its labels and the teacher's maps as
8-bit PNG (square roots, so that faint values keep their order), rows and faces. About 400 MB for 20,000 pictures,
of 6 GB of arrays. Unpacking needs no network and no shards, and takes half a minute on 16 cores.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.datasets.store import (
    FACES_FILE,
    INDEX_FILE,
    LABEL_SIDE,
    LABELS_FILE,
    PICTURE_SIDE,
    PICTURES_FILE,
    TEACHER_FILE,
    open_store,
)

LARGEST_FILE = 40_000_000
QUALITY = 88
MAP_SIDE = 68


def pack(store: Path, folder: Path) -> list[Path]:
    """Writes the files; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = open_store(store)

    def encoded(i: int) -> dict[str, bytes]:
        picture = io.BytesIO()
        Image.fromarray(opened.pictures[i]).save(picture, "JPEG", quality=QUALITY, subsampling=0)
        entries = {f"pictures/{i}.jpg": picture.getvalue(), f"labels/{i}.png": _png(opened.labels[i])}
        if opened.teacher is not None:
            entries[f"teacher/{i}.png"] = _png(opened.teacher[i])
        return entries

    def everything() -> Iterator[tuple[str, bytes]]:
        yield INDEX_FILE, (store / INDEX_FILE).read_bytes()
        if opened.faces is not None:
            most = int((opened.faces[:, :, 4] > 0).sum(1).max())
            buffer = io.BytesIO()
            np.save(buffer, opened.faces[:, : most + 1])
            yield FACES_FILE, buffer.getvalue()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(opened.rows), 512):  # the pool would run ahead of the disk
                for entries in pool.map(encoded, range(start, min(start + 512, len(opened.rows)))):
                    yield from entries.items()

    return _written(everything(), folder)


def _written(entries: Iterator[tuple[str, bytes]], folder: Path) -> list[Path]:
    paths: list[Path] = []
    size, archive = LARGEST_FILE, None
    for name, content in entries:
        if size + len(content) > LARGEST_FILE * 0.98 or archive is None:
            if archive is not None:
                archive.close()
            paths.append(folder / f"pack-{len(paths):02}.zip")
            archive, size = zipfile.ZipFile(paths[-1], "w"), 0
        kind = zipfile.ZIP_STORED if name.endswith((".jpg", ".png")) else zipfile.ZIP_DEFLATED
        archive.writestr(name, content, kind)
        size += len(content) + 200
    if archive is not None:
        archive.close()
    return paths


def unpack(folder: Path, store: Path) -> int:
    """Writes the store of a pack; returns the number of pictures."""
    paths = sorted(folder.glob("pack-*.zip"))
    if not paths:
        raise SystemExit(f"expected pack-*.zip in {folder}, found none; make them with `python -m training.pack pack`")
    store.mkdir(parents=True, exist_ok=True)
    archives = [zipfile.ZipFile(path) for path in paths]
    where = {name: archive for archive in archives for name in archive.namelist()}
    count = len(json.loads(where[INDEX_FILE].read(INDEX_FILE)))
    shapes: dict[str, tuple[str, type, tuple[int, ...]]] = {
        "pictures": (PICTURES_FILE, np.uint8, (PICTURE_SIDE, PICTURE_SIDE, 3)),
        "labels": (LABELS_FILE, np.float16, (2, LABEL_SIDE, LABEL_SIDE)),
        "teacher": (TEACHER_FILE, np.float16, (2, MAP_SIDE, MAP_SIDE)),
    }
    arrays = {
        kind: np.lib.format.open_memmap(store / name, "w+", dtype, (count, *shape))
        for kind, (name, dtype, shape) in shapes.items()
        if any(entry.startswith(f"{kind}/") for entry in where)
    }

    def decode(name: str) -> None:
        kind, _, rest = name.partition("/")
        image = Image.open(io.BytesIO(where[name].read(name)))
        arrays[kind][int(Path(rest).stem)] = np.asarray(image) if kind == "pictures" else _values(image)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(decode, [name for name in where if "/" in name]))
    for array in arrays.values():
        array.flush()
    for name in (INDEX_FILE, FACES_FILE):
        if name in where:
            (store / name).write_bytes(where[name].read(name))
    return count


def _png(maps: NDArray[np.floating]) -> bytes:
    """(2, side, side) in 0..1 -> the square roots as a picture, one above the other."""
    values = np.sqrt(np.clip(np.asarray(maps, np.float32), 0, 1)).reshape(-1, maps.shape[-1])
    buffer = io.BytesIO()
    Image.fromarray(np.round(values * 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _values(image: Image.Image) -> NDArray[np.float32]:
    values = (np.asarray(image, np.float32) / 255) ** 2
    return values.reshape(2, -1, values.shape[1])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pack", "unpack"))
    parser.add_argument("source", type=Path, help="the store, or the folder of the pack")
    parser.add_argument("target", type=Path, help="folder to write to")
    options = parser.parse_args(arguments)
    if options.what == "pack":
        for path in pack(options.source, options.target):
            print(f"{path}: {path.stat().st_size} bytes")
    else:
        print(f"{unpack(options.source, options.target)} pictures")


if __name__ == "__main__":
    main()
