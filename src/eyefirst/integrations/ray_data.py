"""Albums on a cluster: a stage for Ray Data (the extra `[ray]`).

    rows = make_thumbnails("s3://photos/2026", "s3://thumbs", ThumbnailSettings(sizes=("320x320",)))
    rows.write_parquet("s3://thumbs/rows")

Only paths travel through Ray. Each actor loads the network once, reads its pictures from their file system and
writes thumbnails to theirs; what comes back is one row per picture. An actor or a node that is lost is replaced by
Ray, and what it had in hand is done again: a thumbnail has one name and always the same bytes, so nothing is
doubled.
"""

from __future__ import annotations

import json
import os
import posixpath
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.albums.thumbnails import ThumbnailSettings, cut_one
from eyefirst.albums.walk import is_picture
from eyefirst.errors import InvalidValueError, MissingExtraError, PictureNotFoundError, known_error
from eyefirst.files.encode import encode
from eyefirst.files.formats import format_named
from eyefirst.files.whole import written_whole
from eyefirst.image import Animation, Metadata, open_source, read_metadata
from eyefirst.network import load_network

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem
    from ray.data import Dataset

PICTURES_A_BATCH = 16
"""What a lost actor loses: enough to be worth a message, few enough to be done again."""
Batch = dict[str, NDArray[Any]]


class CropStage:
    """For `Dataset.map_batches`: a batch with a column `path` becomes one with a row per picture.

    settings: as for `eyefirst thumbnails`. out: a folder of any file system that pyarrow knows, such as
    "s3://bucket/thumbs"; None makes plans only. root: what is cut off the front of each path to get its name
    below `out`. filesystem, out_filesystem: pyarrow's, where the schemes of the paths do not say.

    Columns: `path`; `status`, "made" or "failed"; `files`, what was written, in the order of the sizes; `plan`,
    the JSON of CropPlan.to_dict(), or ""; `error_code`, `error`, or ""; `seconds`; `host`.
    """

    def __init__(
        self,
        settings: ThumbnailSettings,
        out: str | None = None,
        *,
        root: str = "",
        filesystem: FileSystem | None = None,
        out_filesystem: FileSystem | None = None,
    ) -> None:
        self._settings, self._root, self._filesystem = settings, root, filesystem
        self._out: FileSystem | None = None
        if out:
            self._out, self._folder = _file_system(out, out_filesystem)
        load_network(settings.revision)  # once per actor, before the first picture

    def __call__(self, batch: Batch) -> Batch:
        rows = [self.row(str(path)) for path in batch["path"]]
        columns: Batch = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "files"}
        files = np.empty(len(rows), object)
        files[:] = [row["files"] or [""] for row in rows]  # an empty list would have no type
        return columns | {"files": files}

    def row(self, path: str) -> dict[str, Any]:
        """What becomes of one picture; never an exception of the picture's."""
        started = time.perf_counter()
        row: dict[str, Any] = {"path": path, "status": "made", "files": [], "plan": "", "error_code": "", "error": ""}
        try:
            opened = open_source(self._read(path))
            pictures, plan = cut_one(opened, self._settings)
            values = plan.to_dict()
            values["picture"]["name"] = path
            row["plan"] = json.dumps(values)
            if self._out is not None:
                metadata = read_metadata(opened)
                names = self._settings.names_of(thumbnail_name(path, self._root))
                for picture, name in zip(pictures, names, strict=True):
                    row["files"].append(self._write(picture, name, metadata))
        except Exception as error:  # a bad picture is a row, whatever is wrong with it
            known = known_error(error)
            row |= {"status": "failed", "error_code": known.code, "error": f"{known.reason}; {known.remedy}"}
        return row | {"seconds": time.perf_counter() - started, "host": socket.gethostname()}

    def _read(self, path: str) -> bytes:
        system, place = _file_system(path, self._filesystem)
        try:
            with system.open_input_stream(place) as file:
                return bytes(file.read())
        except FileNotFoundError as error:
            raise PictureNotFoundError("there is no such file", remedy="check the path", source=path) from error

    def _write(self, picture: PillowImage.Image | Animation, name: str, metadata: Metadata) -> str:
        """Whole or not at all: an object store shows a file once it is closed, a local one is renamed."""
        assert self._out is not None
        place = posixpath.join(self._folder, name)
        settings = self._settings
        format = format_named(settings.format)
        data = encode(picture, format, quality=settings.quality, metadata=metadata, keep=settings.metadata)
        if self._out.type_name == "local":
            with written_whole(Path(place)) as local:
                local.write(data)
            return place
        self._out.create_dir(posixpath.dirname(place), recursive=True)
        with self._out.open_output_stream(place) as file:
            file.write(data)
        return place


def make_thumbnails(
    sources: str | Sequence[str] | Dataset,
    out: str | None,
    settings: ThumbnailSettings,
    *,
    actors: int | tuple[int, int] = (1, 10_000),
    filesystem: FileSystem | None = None,
    out_filesystem: FileSystem | None = None,
) -> Dataset:
    """Every picture of some folders and files as a row of a Ray dataset, with the columns of `CropStage`.

    sources: folders (walked), files, or a dataset with a column `path`, such as a Parquet file that lists a
    hundred million. out: a folder for thumbnails, or None for plans only. actors: how many, or fewest and most; each
    takes one processor. The work begins when the rows are used: `write_parquet`, `iter_rows`, `materialize`.

    Raises MissingExtraError without the extra `[ray]`, PictureNotFoundError for a source that is not there,
    InvalidValueError where no picture is found.
    """
    try:
        import ray.data  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError.for_extra("ray", "a cluster") from error
    root = ""
    if isinstance(sources, ray.data.Dataset):
        paths = sources
    else:
        named = [sources] if isinstance(sources, str) else list(sources)
        listed = list_pictures(named, filesystem)
        if not listed:
            raise InvalidValueError(f"found no pictures in {', '.join(named)}", remedy="check the folders")
        root = named[0] if len(named) == 1 and listed != named else ""
        blocks = min(max(len(listed) // PICTURES_A_BATCH, 1), 1000)
        paths = ray.data.from_items([{"path": path} for path in listed], override_num_blocks=blocks)
    least, most = (actors, actors) if isinstance(actors, int) else actors
    return paths.map_batches(
        CropStage,
        fn_constructor_args=(settings, out),
        fn_constructor_kwargs={"root": root, "filesystem": filesystem, "out_filesystem": out_filesystem},
        batch_size=PICTURES_A_BATCH,
        compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
        num_cpus=1,
        max_restarts=-1,
        max_task_retries=-1,
    )


def list_pictures(sources: Sequence[str], filesystem: FileSystem | None = None) -> list[str]:
    """The pictures in folders, walked and sorted, hidden ones left out; files as they are named.

    Raises PictureNotFoundError where a source is not there.
    """
    from pyarrow.fs import FileSelector, FileType  # noqa: PLC0415 - comes with the extra

    found: dict[str, None] = {}
    for source in sources:
        system, place = _file_system(source, filesystem)
        kind = system.get_file_info(place).type
        if kind == FileType.NotFound:
            raise PictureNotFoundError("there is no such file or folder", remedy="check the path", source=source)
        if kind != FileType.Directory:
            found[source] = None
            continue
        inside = (f.path for f in system.get_file_info(FileSelector(place, recursive=True)) if f.type == FileType.File)
        below = sorted(posixpath.relpath(path, place) for path in inside)
        visible = (b for b in below if is_picture(b) and not any(part.startswith(".") for part in b.split("/")))
        found |= dict.fromkeys(posixpath.join(source, b) for b in visible)
    return list(found)


def thumbnail_name(path: str, root: str = "") -> str:
    """Below the output folder, without size and extension: `2026/a.jpg` becomes `2026/a-jpg`, which no other does."""
    below = path[len(root) :] if root and path.startswith(root) else path.partition("://")[2] or path
    stem, extension = posixpath.splitext(posixpath.normpath("/" + below).lstrip("/"))
    return stem + extension.replace(".", "-")


def _file_system(path: str, given: FileSystem | None) -> tuple[FileSystem, str]:
    """A path's file system, and the path as that knows it."""
    from pyarrow.fs import FileSystem, LocalFileSystem  # noqa: PLC0415 - comes with the extra

    if given is not None:
        return given, path
    if "://" in path:
        return FileSystem.from_uri(path)
    return LocalFileSystem(), os.path.abspath(path)
