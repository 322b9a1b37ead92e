"""Thumbnails from a set of pictures: in parallel, resumable, one row per picture.

Every picture is decoded once, no larger than its thumbnails need, and analysed once for all sizes.
What was made stands in a small SQLite journal beside the thumbnails, so that a second run does only
what is missing or changed. Files are written under temporary names and renamed: a killed run leaves
no half file, and loses no more than the pictures that it was at.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from eyefirst.errors import EyefirstError, InvalidValueError, OutputError, unexpected
from eyefirst.framing import FramingOptions
from eyefirst.geometry import AspectRatio, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import Decoded, Source, decode, fingerprint, read_once
from eyefirst.network import check_revision, load_network
from eyefirst.plan import CropPlan
from eyefirst.render import format_of, render_frame, write_picture
from eyefirst.requests import ObjectnessSaliencyRequest
from eyefirst.tools.crop import plan_from
from eyefirst.tools.product import ProductSettings, find_product, lay_out

JOURNAL = ".eyefirst.sqlite"
PICTURE_SUFFIXES = frozenset(
    f".{s}"
    for s in ("jpg", "jpeg", "jpe", "png", "webp", "gif", "avif", "tif", "tiff", "bmp", "heic", "heif", "jp2", "qoi")
)
"""What counts as a picture when a folder is walked; a file that is named is tried whatever its name."""
AHEAD = 3
"""Pictures in hand for every worker: enough to keep it busy, few enough to keep memory flat."""

Status = Literal["made", "kept", "failed"]


@dataclass(frozen=True, slots=True)
class Task:
    """One picture, and the path of its thumbnails below the output folder, without size and extension."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThumbnailSettings:
    """What is made of every picture.

    sizes: each thumbnail has exactly one of these. format: an extension such as "webp". quality: of
    JPEG, WebP and AVIF, 1..100. options: how frames are chosen. product: lay the subject out on a canvas
    as catalogues do, instead of cutting a frame. revision: of the network.
    """

    sizes: tuple[Size, ...]
    format: str = "jpg"
    quality: int = 85
    options: FramingOptions = field(default_factory=FramingOptions)
    product: ProductSettings | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        if not self.sizes:
            raise InvalidValueError("expected at least one size, got none", remedy="e.g. 320x320")
        object.__setattr__(self, "sizes", tuple(dict.fromkeys(Size.parse(s) for s in self.sizes)))
        object.__setattr__(self, "format", self.format.lower().lstrip("."))
        object.__setattr__(self, "revision", check_revision(self.revision))
        format_of(Path("thumbnail"), self.format)

    def fingerprint(self) -> str:
        """Changes whenever the thumbnails would."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ThumbnailRow:
    """What became of one picture.

    status: "made", "kept" (it was there already), or "failed". files: paths of the thumbnails, in the
    order of the sizes. plan: as CropPlan.to_dict() gives it. error: as EyefirstError.to_dict() gives it.
    seconds: time spent on it.
    """

    picture: str
    status: Status
    files: tuple[str, ...] = ()
    plan: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    seconds: float = 0.0

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "picture": self.picture,
            "status": self.status,
            "files": list(self.files),
            "plan": self.plan,
            "error": self.error,
            "seconds": round(self.seconds, 4),
        }


def find_pictures(sources: Iterable[str | os.PathLike[str]]) -> list[Task]:
    """Folders are walked (hidden ones left out), files are taken as they are; sorted, each once.

    Thumbnails keep the folders below each source. Pictures that differ only in their extension or case
    would collide: all of them then carry their extension in the name.
    """
    found: dict[str, str] = {}
    for source in (os.fspath(s) for s in sources):
        if os.path.isdir(source):
            for path in sorted(_walk(source)):
                found.setdefault(path, os.path.relpath(path, source))
        else:
            found.setdefault(source, os.path.basename(source))
    stems = {path: os.path.splitext(relative)[0] for path, relative in found.items()}
    taken: dict[str, int] = {}
    for stem in stems.values():
        taken[stem.casefold()] = taken.get(stem.casefold(), 0) + 1
    tasks, used = [], set()
    for path, relative in found.items():
        target = stems[path] if taken[stems[path].casefold()] == 1 else relative.replace(".", "-")
        number = 1
        while (name := target if number == 1 else f"{target}-{number}").casefold() in used:
            number += 1
        used.add(name.casefold())
        tasks.append(Task(path, name))
    return tasks


def _walk(folder: str) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in files:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES:
                yield os.path.join(here, name)


def make_thumbnails(
    tasks: Sequence[Task], out: str | os.PathLike[str], settings: ThumbnailSettings, *, workers: int | None = None
) -> Generator[ThumbnailRow, None, None]:
    """Makes what is missing or changed; yields one row per task, in order.

    workers: threads, by default one per processor; decoder, network and encoder release the
    interpreter's lock. Close the iterator to stop: what is in hand is finished, nothing is lost.
    A bad picture is a row, never an exception. Raises OutputError where `out` cannot be used.
    """
    folder = Path(out)
    count = workers or os.cpu_count() or 1
    with closing(Journal(folder, settings.fingerprint())) as journal, ThreadPoolExecutor(count, "eyefirst") as pool:
        waiting: deque[tuple[Task, Stamp | None, Future[ThumbnailRow]]] = deque()
        todo = iter(tasks)

        def collect() -> ThumbnailRow:
            task, stamp, future = waiting.popleft()
            row = future.result()
            if row.status == "made" and stamp:
                journal.note(task, stamp, row)
            return row

        try:
            while True:
                while len(waiting) < AHEAD * count and (task := next(todo, None)):
                    stamp = Stamp.of(task.source)
                    kept = journal.kept(task, stamp)
                    future = _finished(kept) if kept else pool.submit(_make, task, folder, settings)
                    waiting.append((task, stamp, future))
                if not waiting:
                    return
                yield collect()
        finally:
            waiting = deque(w for w in waiting if not w[2].cancel())
            while waiting:
                collect()


def _finished(row: ThumbnailRow) -> Future[ThumbnailRow]:
    future: Future[ThumbnailRow] = Future()
    future.set_result(row)
    return future


def _make(task: Task, folder: Path, settings: ThumbnailSettings) -> ThumbnailRow:
    """Everything for one picture; runs in a worker."""
    started = time.perf_counter()
    try:
        files, plan = make_one(task.source, folder / task.target, settings)
        row = ThumbnailRow(task.source, "made", tuple(map(str, files)), plan.to_dict())
    except Exception as error:  # a picture that finds a bug of ours must not stop the others
        known = error if isinstance(error, EyefirstError) else unexpected(error)
        known.source = known.source or task.source
        row = ThumbnailRow(task.source, "failed", error=known.to_dict())
    return replace(row, seconds=time.perf_counter() - started)


def make_one(source: Source, target: Path, settings: ThumbnailSettings) -> tuple[list[Path], CropPlan]:
    """The thumbnails of one picture at `<target>_<size>.<format>`, and its plan: one decode, one analysis."""
    network = load_network(settings.revision)
    source = read_once(source)
    needed = None if settings.product else partial(_pixels_needed, settings.sizes, network.input_side)
    decoded = decode(source, at_least=needed)
    ratios = [AspectRatio.parse(size) for size in settings.sizes]
    handler = ImageRequestHandler(decoded.image(), network=network)
    plan = plan_from(handler, ratios, options=settings.options)
    if settings.product:
        found = find_product(decoded.picture, handler.perform([ObjectnessSaliencyRequest()])[0])
        pictures = [lay_out(decoded.picture, found, size, settings.product) for size in settings.sizes]
    else:
        pictures = []
        for size, ratio in zip(settings.sizes, ratios, strict=True):
            frame = plan.frames[ratio][0]
            if decoded.picture.width * frame.box.width < size.width * decoded.size.width and _is_reduced(decoded):
                decoded = decode(source)  # a tight frame needs more pixels than could be known before
            pad = settings.options.pad
            pictures.append(render_frame(decoded.picture, frame, planned=decoded.size, size=size, pad=pad))
    paths = [target.with_name(f"{target.name}_{size}.{settings.format}") for size in settings.sizes]
    for picture, path in zip(pictures, paths, strict=True):
        write_picture(picture, path, quality=settings.quality)
    return paths, plan


def _pixels_needed(sizes: Sequence[Size], side: int, full: Size) -> Size:
    """How small the upright picture may be decoded so that no thumbnail has to be enlarged for it."""
    scale = side / min(full.width, full.height)
    for size in sizes:
        frame = AspectRatio.parse(size).largest_in(full)
        scale = max(scale, size.width / frame.width, size.height / frame.height)
    return Size(max(math.ceil(full.width * scale), 1), max(math.ceil(full.height * scale), 1))


def _is_reduced(decoded: Decoded) -> bool:
    return decoded.picture.size != (decoded.size.width, decoded.size.height)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells cheaply that a file was not touched: time of change in nanoseconds, and length."""

    mtime_ns: int
    length: int

    @classmethod
    def of(cls, path: str) -> Stamp | None:
        """The stamp of a file; None where there is none, which the worker will say better."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        return cls(status.st_mtime_ns, status.st_size)


class Journal:
    """What was made of which picture with which settings: a SQLite file in the output folder.

    Used by the one thread that collects the rows. A picture whose stamp changed but whose bytes did not
    is kept as well.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        self._folder, self._settings = folder, settings
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / JOURNAL, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS made (source TEXT, settings TEXT, target TEXT, mtime_ns INTEGER,"
                " length INTEGER, sha256 TEXT, files TEXT, plan TEXT, PRIMARY KEY (source, settings))"
            )
        except (OSError, sqlite3.Error) as error:
            raise OutputError(
                f"cannot keep a journal there: {error}", remedy="name a folder that can be written", source=str(folder)
            ) from error

    def kept(self, task: Task, stamp: Stamp | None) -> ThumbnailRow | None:
        """The row of a picture whose thumbnails are all there and up to date; None if there is work to do."""
        found = self._db.execute(
            "SELECT target, mtime_ns, length, sha256, files, plan FROM made WHERE source = ? AND settings = ?",
            (os.path.abspath(task.source), self._settings),
        ).fetchone()
        if found is None or stamp is None:
            return None
        target, mtime_ns, length, sha256, files, plan = found
        paths = tuple(str(self._folder / name) for name in json.loads(files))
        if target != task.target or not all(map(os.path.exists, paths)):
            return None
        touched = (mtime_ns, length) != (stamp.mtime_ns, stamp.length)
        if touched and (length != stamp.length or fingerprint(task.source) != sha256):
            return None
        return ThumbnailRow(task.source, "kept", paths, json.loads(plan))

    def note(self, task: Task, stamp: Stamp, row: ThumbnailRow) -> None:
        """Remembers what was made; the stamp is from before the picture was read."""
        plan = row.plan or {}
        files = [os.path.relpath(f, self._folder) for f in row.files]
        self._db.execute(
            "INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                os.path.abspath(task.source),
                self._settings,
                task.target,
                stamp.mtime_ns,
                stamp.length,
                plan["picture"]["sha256"],
                json.dumps(files),
                json.dumps(plan),
            ),
        )

    def close(self) -> None:
        """Ends the journal's use."""
        self._db.close()
