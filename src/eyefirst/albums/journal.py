"""An album: many pictures worked on in parallel, resumably, one row per picture.

The ledger of the output folder lists what was made. A second run does only what is missing or changed. A killed run
loses only the pictures that it was working on.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from PIL import _imaging

from eyefirst import __version__
from eyefirst.albums.walk import Task, is_device
from eyefirst.errors import EyefirstError, NotAPictureError, known_error
from eyefirst.files.ledger import Ledger
from eyefirst.image import fingerprint
from eyefirst.plan import CropPlan

AHEAD = 3
"""Pictures in hand for every worker: enough to keep it busy, few enough to keep memory flat."""

BLOCKS = 2
"""Freed blocks of pixels that are kept for every worker."""
_BLOCKS_LOCK = threading.Lock()

Status = Literal["made", "kept", "failed"]


@dataclass(frozen=True, slots=True)
class AlbumRow:
    """What became of one picture.

    status: "made", "kept" (it was there already), or "failed". files: paths of what was written for it, such as
    thumbnails in the order of their sizes. plan: as CropPlan.to_dict() gives it. error: as
    EyefirstError.to_dict() gives it. seconds: time spent on it. warnings: what is new of it and the user should know.
    """

    picture: str
    status: Status
    files: tuple[str, ...] = ()
    plan: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "picture": self.picture,
            "status": self.status,
            "files": list(self.files),
            "plan": self.plan,
            "error": self.error,
            "seconds": round(self.seconds, 4),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of a picture: the files, each with the SHA-256 of what was written, and the plan.

    warnings: what the user should know, in words.
    """

    files: tuple[tuple[Path, str], ...]
    plan: CropPlan
    warnings: tuple[str, ...] = ()


Work = Callable[[Task], Made]


def work_through(
    tasks: Iterable[Task], journal: Journal, work: Work, *, workers: int | None = None
) -> Generator[AlbumRow, None, None]:
    """Do what the journal does not hold; yield one row per task, in order.

    workers: threads, by default one per processor; decoder, network and encoder release the interpreter's
    lock. Close the iterator to stop: what is in hand is finished, nothing is lost. A bad picture is a row, never
    an exception.
    """
    count = workers or os.cpu_count() or 1
    with pixel_memory_kept(BLOCKS * count), ThreadPoolExecutor(count, "eyefirst") as pool:
        waiting: deque[tuple[Task, SourceStamp | None, Future[Result]]] = deque()
        todo = iter(tasks)

        def collect() -> AlbumRow:
            task, stamp, future = waiting.popleft()
            row, made = future.result()
            if made and stamp:
                journal.note(task, stamp, made)
            return row

        try:
            while True:
                while len(waiting) < AHEAD * count and (task := next(todo, None)):
                    stamp = SourceStamp.of(task.source)
                    kept = journal.kept(task, stamp)
                    future = _finished(kept) if kept else pool.submit(_worked, task, work)
                    waiting.append((task, stamp, future))
                if not waiting:
                    return
                yield collect()
        finally:
            waiting = deque(w for w in waiting if not w[2].cancel())
            while waiting:
                collect()


@contextmanager
def pixel_memory_kept(blocks: int) -> Generator[None, None, None]:
    """Let Pillow keep so many more of its freed blocks, of 16 MB at most, for the next pictures.

    Memory that is new from the system is cleared page by page: for a PNG or WebP as long as a tenth of its decoding.
    """
    _add_blocks(blocks)
    try:
        yield
    finally:
        _add_blocks(-blocks)


def _add_blocks(count: int) -> None:
    with _BLOCKS_LOCK:
        _imaging.set_blocks_max(max(_imaging.get_blocks_max() + count, 0))


Result: TypeAlias = tuple[AlbumRow, Made | None]


def _finished(row: AlbumRow) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result((row, None))
    return future


def _worked(task: Task, work: Work) -> Result:
    """Return the row of one picture; runs in a worker."""
    started = time.perf_counter()
    made = None
    try:
        if is_device(task.source):
            raise NotAPictureError("is a pipe, a socket or a device", remedy="name files", source=task.source)
        made = work(task)
        files = tuple(str(path) for path, _ in made.files)
        row = AlbumRow(task.source, "made", files, made.plan.to_dict(), warnings=made.warnings)
    except Exception as error:  # a picture that finds a bug of ours must not stop the others
        known = known_error(error)
        known.source = known.source or task.source
        row = AlbumRow(task.source, "failed", error=known.to_dict())
    return replace(row, seconds=time.perf_counter() - started), made


def settings_hash(settings: Any) -> str:
    """Return a text that changes whenever a dataclass of settings does, or what this version makes of them."""
    values = {"settings": asdict(settings), "type": type(settings).__name__, "version": __version__}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SourceStamp:
    """What tells cheaply that a picture was not touched. Times are in nanoseconds, the length in bytes.

    The time of the last change of status (ctime) cannot be set by programs: a picture of the same length with the
    same time of change is found out too.
    """

    mtime_ns: int
    ctime_ns: int
    length: int

    @classmethod
    def of(cls, path: str) -> SourceStamp | None:
        """Return the stamp of a file; None where there is none."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        return cls(status.st_mtime_ns, status.st_ctime_ns, status.st_size)


MADE = (
    "CREATE TABLE IF NOT EXISTS made (target BLOB PRIMARY KEY, source BLOB, settings TEXT, mtime_ns INTEGER,"
    " ctime_ns INTEGER, length INTEGER, sha256 TEXT, files TEXT, plan TEXT) WITHOUT ROWID"
)
"""What each target holds: made of which picture, with which settings, as which files."""
RESULTS = "CREATE TABLE IF NOT EXISTS results (path BLOB PRIMARY KEY, target BLOB) WITHOUT ROWID"
"""Every file that was ever made for a target, so that the files of earlier settings can be pruned."""


class Journal:
    """What was made of which picture with which settings: tables in the ledger of the output folder.

    folder: of the results. settings: a text that differs whenever results would. of: the file that holds the results
    of all pictures, where it is one. A row belongs to its target, so it says what is there now. A picture whose stamp
    changed but whose bytes did not is kept as well. Raises OutputError.
    """

    def __init__(self, folder: Path, settings: str, *, of: str = "") -> None:
        self.ledger = Ledger(folder)
        self._settings, self._of = settings, os.fsencode(of)
        with _closed_on_error(self.ledger):
            self.ledger.run(MADE)
            self.ledger.run(RESULTS)

    def named(self, tasks: Iterable[Task]) -> list[Task]:
        """Return the tasks with the targets that they had before, as far as they had any; see `Ledger.names`."""
        tasks = list(tasks)
        with _closed_on_error(self.ledger):
            names = self.ledger.names([(task.source, task.target) for task in tasks])
        return [replace(task, target=name) for task, name in zip(tasks, names, strict=True)]

    def kept(self, task: Task, stamp: SourceStamp | None) -> AlbumRow | None:
        """Return the row of a picture whose results are all there and up to date; None if there is work to do."""
        found = self.ledger.run(
            "SELECT source, settings, mtime_ns, ctime_ns, length, sha256, files, plan FROM made WHERE target = ?",
            (self._target(task),),
        )
        if stamp is None or not found:
            return None
        source, settings, mtime_ns, ctime_ns, length, sha256, files, plan = found[0]
        if (source, settings, length) != (_source(task), self._settings, stamp.length):
            return None
        paths = [(self.ledger.folder / name, digest) for name, digest in json.loads(files)]
        if any(self.ledger.digest(path) != digest for path, digest in paths):
            return None
        if (mtime_ns, ctime_ns) != (stamp.mtime_ns, stamp.ctime_ns):
            try:
                if fingerprint(task.source) != sha256:
                    return None
            except EyefirstError:  # the work says what is wrong with it
                return None
            self.ledger.run(
                "UPDATE made SET mtime_ns = ?, ctime_ns = ? WHERE target = ?",
                (stamp.mtime_ns, stamp.ctime_ns, self._target(task)),
            )
        return AlbumRow(task.source, "kept", tuple(str(path) for path, _ in paths), json.loads(plan))

    def note(self, task: Task, stamp: SourceStamp, made: Made) -> None:
        """Remember what was made; the stamp is from before the picture was read."""
        target, plan = self._target(task), made.plan.to_dict()
        files = [(os.path.relpath(path, self.ledger.folder), digest) for path, digest in made.files]
        with self.ledger.transaction():
            self.ledger.run(
                "INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    target,
                    _source(task),
                    self._settings,
                    stamp.mtime_ns,
                    stamp.ctime_ns,
                    stamp.length,
                    plan["picture"]["sha256"],
                    json.dumps(files),
                    json.dumps(plan),
                ),
            )
            for name, _ in files:
                self.ledger.run("INSERT OR REPLACE INTO results VALUES (?, ?)", (os.fsencode(name), target))

    def _target(self, task: Task) -> bytes:
        """Return the key of what is made: the target, or the picture's line in the file that holds all of them."""
        return self._of + b"\0" + _source(task) if self._of else os.fsencode(task.target)

    def close(self) -> None:
        """End the journal's use."""
        self.ledger.close()


def _source(task: Task) -> bytes:
    return os.fsencode(os.path.abspath(task.source))


@contextmanager
def _closed_on_error(ledger: Ledger) -> Generator[None, None, None]:
    """Close a ledger where what is inside fails."""
    try:
        yield
    except BaseException:
        ledger.close()
        raise
