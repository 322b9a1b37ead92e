"""Carries a store to another machine: `python -m training.pack pack STORE PACK`, there `... unpack PACK STORE`.

A pack is a few zip files of at most `LARGEST_FILE` bytes. It has one entry for each picture: the picture and the
teacher's maps as lossy WebP, the mask as lossless WebP, and the fixation density only where it cannot be computed
again from the fixations. About 7 kB a picture: 120 MB for 16,500 pictures, of 5 GB of arrays. Unpacking needs no
network and no shards, and takes half a minute on 16 cores.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import struct
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.datasets.records import Fixations
from training.datasets.store import (
    FACES_FILE,
    INDEX_FILE,
    LABEL_SIDE,
    LABELS_FILE,
    PICTURE_SIDE,
    PICTURES_FILE,
    TEACHER_FILE,
    TEXT_FILE,
    Store,
    fixation_density,
    open_store,
)

LARGEST_FILE = 40_000_000
QUALITY = 60
"""WebP quality of the pictures: at 36 dB a third smaller than JPEG, which wins nowhere."""
MAP_QUALITY = 80
MAP_SIDE = 68
SIZES = struct.Struct("<4I")
"""Bytes of the picture, the mask, the density and the teacher's maps, at the beginning of an entry; 0: not there."""


def pack(store: Path, folder: Path, sets: Sequence[str] = (), quality: int = QUALITY, workers: int = 0) -> list[Path]:
    """Writes the files; returns their paths. `sets` names the sets to carry (none: all)."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = open_store(store)
    if unknown := sorted(set(sets) - {row.set_name for row in opened.rows}):
        raise SystemExit(f"expected sets of {store}, which has no {', '.join(unknown)}; leave it out")
    chosen = [i for i, row in enumerate(opened.rows) if not sets or row.set_name in sets]
    index = json.loads((store / INDEX_FILE).read_text())

    def everything() -> Iterator[tuple[str, bytes]]:
        yield INDEX_FILE, json.dumps([_shortened(index[i]) for i in chosen], separators=(",", ":")).encode()
        for name, known in ((FACES_FILE, opened.faces), (TEXT_FILE, opened.text)):
            if known is not None:
                boxes, buffer = known[chosen], io.BytesIO()
                np.save(buffer, boxes[:, : int((boxes[:, :, 4] > 0).sum(1).max()) + 1])
                yield name, buffer.getvalue()
        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            for start in range(0, len(chosen), 512):  # the pool would run ahead of the disk
                numbers = range(start, min(start + 512, len(chosen)))
                entries = pool.map(lambda k: _entry(opened, chosen[k], quality), numbers)
                yield from ((str(k), entry) for k, entry in zip(numbers, entries, strict=True))

    return _written(everything(), folder)


def _shortened(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the index with fixations to a ten-thousandth of the side."""
    if not row["fixations"]:
        return row
    return {**row, "fixations": [np.round(observer, 4).tolist() for observer in row["fixations"]]}


def _entry(store: Store, i: int, quality: int) -> bytes:
    """The parts of one picture behind their sizes."""
    row, mask, density = store.rows[i], *np.asarray(store.labels[i], np.float32)
    parts = [
        _encoded(store.pictures[i], quality),
        _encoded(_bytes(mask)) if mask.any() else b"",
        _encoded(_bytes(np.sqrt(density)), MAP_QUALITY) if row.fixations is None and row.has_density else b"",
    ]
    if store.teacher is None:
        parts.append(b"")
    else:
        maps = np.asarray(store.teacher[i], np.float32)
        if np.isnan(maps).any():
            raise SystemExit(f"expected a teacher's maps of every picture, but {row.id} has none: end training.teach")
        maps = np.sqrt(np.clip(maps, 0, 1))  # faint values keep their order
        parts.append(_encoded(_bytes(maps.reshape(-1, MAP_SIDE)), MAP_QUALITY))
    return SIZES.pack(*map(len, parts)) + b"".join(parts)


def _written(entries: Iterator[tuple[str, bytes]], folder: Path) -> list[Path]:
    paths: list[Path] = []
    size, archive = LARGEST_FILE, None
    for name, content in entries:
        if size + len(content) > LARGEST_FILE * 0.98 or archive is None:
            if archive is not None:
                archive.close()
            paths.append(folder / f"pack-{len(paths):02}.zip")
            archive, size = zipfile.ZipFile(paths[-1], "w"), 0
        archive.writestr(name, content, zipfile.ZIP_STORED if name.isdigit() else zipfile.ZIP_DEFLATED)
        size += archive.getinfo(name).compress_size + 100
    if archive is not None:
        archive.close()
    return paths


def unpack(folder: Path, store: Path) -> int:
    """Writes the store of a pack; returns the number of pictures. The index comes last: with it the store is whole."""
    where, rows = _opened(folder)
    if not where:
        raise SystemExit(f"expected pack-*.zip in {folder}, found none; make them with `python -m training.pack pack`")
    if lacking := _missing(rows, where):
        raise SystemExit(f"expected all files of one pack in {folder}, {lacking}; bring the others too")
    store.mkdir(parents=True, exist_ok=True)
    (store / INDEX_FILE).unlink(missing_ok=True)
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {
        PICTURES_FILE: (np.uint8, (PICTURE_SIDE, PICTURE_SIDE, 3)),
        LABELS_FILE: (np.float16, (2, LABEL_SIDE, LABEL_SIDE)),
    }
    if SIZES.unpack(where["0"].read("0")[: SIZES.size])[3]:
        shapes[TEACHER_FILE] = np.float16, (2, MAP_SIDE, MAP_SIDE)
    arrays = {
        name: np.lib.format.open_memmap(store / name, "w+", dtype, (len(rows), *shape))
        for name, (dtype, shape) in shapes.items()
    }

    def decode(k: int) -> None:
        parts = _parts(where[str(k)].read(str(k)))
        arrays[PICTURES_FILE][k] = np.asarray(Image.open(io.BytesIO(parts[0])).convert("RGB"))
        if parts[1]:
            arrays[LABELS_FILE][k, 0] = _values(parts[1])
        if parts[2]:
            arrays[LABELS_FILE][k, 1] = _values(parts[2]) ** 2
        elif observers := rows[k]["fixations"]:
            arrays[LABELS_FILE][k, 1] = fixation_density(_points(observers), LABEL_SIDE)
        if parts[3]:
            arrays[TEACHER_FILE][k] = (_values(parts[3]) ** 2).reshape(2, MAP_SIDE, MAP_SIDE)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(decode, range(len(rows))):
            pass
    for array in arrays.values():
        array.flush()
    for name in (FACES_FILE, TEXT_FILE, INDEX_FILE):
        if name in where:
            (store / name).write_bytes(where[name].read(name))
    return len(rows)


def missing(folder: Path) -> str:
    """What a folder lacks of a whole pack, in words; nothing if it is whole."""
    where, rows = _opened(folder)
    return _missing(rows, where)


def _opened(folder: Path) -> tuple[dict[str, zipfile.ZipFile], list[dict[str, Any]]]:
    """The archive of each entry, and the rows of the index."""
    archives = [zipfile.ZipFile(path) for path in sorted(folder.glob("pack-*.zip"))]
    where = {name: archive for archive in archives for name in archive.namelist()}
    return where, json.loads(where[INDEX_FILE].read(INDEX_FILE)) if INDEX_FILE in where else []


def _missing(rows: list[dict[str, Any]], where: dict[str, zipfile.ZipFile]) -> str:
    if not rows:
        return "the file with the index is missing"
    count = sum(str(k) in where for k in range(len(rows)))
    return "" if count == len(rows) else f"{count} of {len(rows)} pictures are here"


def _points(observers: list[Any]) -> NDArray[np.float32]:
    return Fixations(tuple(np.array(o, np.float32).reshape(-1, 2) for o in observers)).points()


def _parts(entry: bytes) -> list[bytes]:
    ends = np.cumsum([SIZES.size, *SIZES.unpack(entry[: SIZES.size])])
    return [entry[start:end] for start, end in pairwise(ends)]


def _bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """0..1 -> 0..255."""
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _encoded(pixels: NDArray[np.uint8], quality: int | None = None) -> bytes:
    """WebP, lossless without a quality."""
    buffer = io.BytesIO()
    how: dict[str, Any] = {"lossless": True} if quality is None else {"quality": quality}
    Image.fromarray(pixels).save(buffer, "WEBP", method=4, **how)
    return buffer.getvalue()


def _values(image: bytes) -> NDArray[np.float32]:
    return np.asarray(Image.open(io.BytesIO(image)).convert("L"), np.float32) / 255


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pack", "unpack"))
    parser.add_argument("source", type=Path, help="the store, or the folder of the pack")
    parser.add_argument("target", type=Path, help="folder to write to")
    parser.add_argument("--sets", nargs="+", default=[], metavar="SET", help="sets to pack (default: all)")
    parser.add_argument("--quality", type=int, default=QUALITY, help=f"WebP quality of pictures (default: {QUALITY})")
    parser.add_argument("--workers", type=int, default=0, help="threads that encode (default: one a core)")
    options = parser.parse_args(arguments)
    if options.what == "pack":
        for path in pack(options.source, options.target, options.sets, options.quality, options.workers):
            print(f"{path}: {path.stat().st_size} bytes")
    else:
        print(f"{unpack(options.source, options.target)} pictures")


if __name__ == "__main__":
    main()
