"""A manifest: one JSON file that tells a site which thumbnails there are, with lines for HTML's `srcset`."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import quote

from eyefirst.albums.journal import AlbumRow
from eyefirst.albums.thumbnails import ThumbnailSettings
from eyefirst.errors import InvalidValueError, OutputError
from eyefirst.files.whole import written_whole

SCHEMA = "eyefirst/manifest/1"


def write_manifest(
    rows: Generator[AlbumRow, None, None], out: str | os.PathLike[str], settings: ThumbnailSettings
) -> Generator[AlbumRow, None, None]:
    """Yield the rows, and write the manifest when all are there. With an empty `out`, only yield them.

    Addresses in the manifest are relative to it. It replaces an earlier manifest and no other file; a run that
    gives no thumbnails leaves what is there. Raises InvalidValueError, OutputError.
    """
    if not os.fspath(out):
        return rows
    path = Path(out)
    if path.suffix.lower() != ".json":
        raise InvalidValueError("a manifest is JSON", remedy="let its name end in .json", source=str(path))
    if os.path.lexists(path) and not _is_manifest(path):
        raise OutputError("is there already, and is no manifest", remedy="choose another name", source=str(path))
    return _written(rows, path, settings)


def _written(
    rows: Generator[AlbumRow, None, None], path: Path, settings: ThumbnailSettings
) -> Generator[AlbumRow, None, None]:
    with closing(rows), ExitStack() as stack:
        file = None
        for row in rows:
            if row.files:
                start = b",\n"
                if file is None:
                    file = stack.enter_context(written_whole(path))
                    start = json.dumps({"schema": SCHEMA, "pictures": []})[:-2].encode() + b"\n"
                file.write(start + json.dumps(entry_of(row, path.parent, settings)).encode())
            yield row
        if file is not None:
            file.write(b"\n]}\n")


def entry_of(row: AlbumRow, folder: Path, settings: ThumbnailSettings) -> dict[str, object]:
    """Return one picture of the manifest. folder: that addresses are relative to."""
    sets: dict[str, list[dict[str, object]]] = {}
    for name, size, ratio in zip(row.files, settings.sizes, settings.ratio_of_each(), strict=True):
        address = quote(os.path.relpath(name, folder).replace(os.sep, "/").encode("utf-8", "surrogateescape"))
        sets.setdefault(str(ratio), []).append({"src": address, "width": size.width, "height": size.height})
    plan = row.plan or {}
    return {
        "picture": row.picture,
        "focal_point": plan.get("focal_point"),
        "sets": {
            ratio: {"files": files, "srcset": srcset_of(files), "src": files[-1]["src"]}
            for ratio, files in ((r, sorted(f, key=lambda e: (e["width"], e["height"]))) for r, f in sets.items())
        },
    }


def srcset_of(files: Sequence[dict[str, object]]) -> str:
    """Return the value of HTML's `srcset`, narrowest file first."""
    return ", ".join(f"{file['src']} {file['width']}w" for file in files)


def _is_manifest(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return SCHEMA.encode() in file.read(200)
    except OSError:
        return False
