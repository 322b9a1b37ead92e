"""An album: many pictures worked on in parallel, resumably, one row per picture.

What was made stands in a small SQLite journal beside the results, so that a second run does only what is
missing or changed, and a killed run loses no more than the pictures that it was at.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from eyefirst.albums.walk import Task
from eyefirst.errors import EyefirstError, OutputError, unexpected
from eyefirst.files.ledger import Stamp
from eyefirst.image import fingerprint
from eyefirst.plan import CropPlan

AHEAD = 3
"""Pictures in hand for every worker: enough to keep it busy, few enough to keep memory flat."""

Status = Literal["made", "kept", "failed"]


@dataclass(frozen=True, slots=True)
class AlbumRow:
    """What became of one picture.

    status: "made", "kept" (it was there already), or "failed". files: paths of what was written for it, such as
    thumbnails in the order of their sizes. plan: as CropPlan.to_dict() gives it. error: as
    EyefirstError.to_dict() gives it. seconds: time spent on it.
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


Work = Callable[[Task], tuple[list[Path], CropPlan]]
"""What is made of a picture: the files that were written for it, and its plan."""


def work_through(
    tasks: Iterable[Task], journal: Journal, work: Work, *, workers: int | None = None
) -> Generator[AlbumRow, None, None]:
    """Does what the journal does not hold; yields one row per task, in order, and closes the journal.

    workers: threads, by default one per processor; decoder, network and encoder release the interpreter's
    lock. Close the iterator to stop: what is in hand is finished, nothing is lost. A bad picture is a row, never
    an exception.
    """
    count = workers or os.cpu_count() or 1
    with closing(journal), ThreadPoolExecutor(count, "eyefirst") as pool:
        waiting: deque[tuple[Task, Stamp | None, Future[AlbumRow]]] = deque()
        todo = iter(tasks)

        def collect() -> AlbumRow:
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
                    future = _finished(kept) if kept else pool.submit(_worked, task, work)
                    waiting.append((task, stamp, future))
                if not waiting:
                    return
                yield collect()
        finally:
            waiting = deque(w for w in waiting if not w[2].cancel())
            while waiting:
                collect()


def _finished(row: AlbumRow) -> Future[AlbumRow]:
    future: Future[AlbumRow] = Future()
    future.set_result(row)
    return future


def _worked(task: Task, work: Work) -> AlbumRow:
    """The row of one picture; runs in a worker."""
    started = time.perf_counter()
    try:
        files, plan = work(task)
        row = AlbumRow(task.source, "made", tuple(map(str, files)), plan.to_dict())
    except Exception as error:  # a picture that finds a bug of ours must not stop the others
        known = error if isinstance(error, EyefirstError) else unexpected(error)
        known.source = known.source or task.source
        row = AlbumRow(task.source, "failed", error=known.to_dict())
    return replace(row, seconds=time.perf_counter() - started)


def settings_hash(settings: Any) -> str:
    """A text that changes whenever a dataclass of settings does."""
    return hashlib.sha256(json.dumps(asdict(settings), sort_keys=True, default=str).encode()).hexdigest()


class Journal:
    """What was made of which picture with which settings: a SQLite file beside the results.

    file: its path. settings: a text that differs whenever results would. Used by the one thread that collects
    the rows. A picture whose stamp changed but whose bytes did not is kept as well. Raises OutputError.
    """

    def __init__(self, file: Path, settings: str) -> None:
        self._folder, self._settings = file.parent, settings
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS made (source TEXT, settings TEXT, target TEXT, mtime_ns INTEGER,"
                " length INTEGER, sha256 TEXT, files TEXT, plan TEXT, PRIMARY KEY (source, settings))"
            )
        except (OSError, sqlite3.Error) as error:
            raise OutputError(
                f"cannot keep a journal there: {error}",
                remedy="name a folder that can be written",
                source=str(self._folder),
            ) from error

    def kept(self, task: Task, stamp: Stamp | None) -> AlbumRow | None:
        """The row of a picture whose results are all there and up to date; None if there is work to do."""
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
        return AlbumRow(task.source, "kept", paths, json.loads(plan))

    def note(self, task: Task, stamp: Stamp, row: AlbumRow) -> None:
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
