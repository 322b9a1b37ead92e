"""The ledger of an output folder: which files in it eyefirst wrote.

It is a SQLite file in the folder. With it, a file that somebody else put there is never replaced by a name that
eyefirst chose, and a walk over the folder does not take eyefirst's own results for input.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyefirst.errors import OutputError
from eyefirst.files.whole import written_whole

LEDGER = ".eyefirst.sqlite"
WAIT_SECONDS = 60.0
"""How long one process waits for another that writes into the same ledger."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells cheaply that a file was not touched: time of change in nanoseconds, and length in bytes."""

    mtime_ns: int
    length: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Stamp | None:
        """Return the stamp of a file; None where there is none."""
        try:
            return cls.from_status(os.stat(path))
        except (OSError, ValueError):
            return None

    @classmethod
    def from_status(cls, status: os.stat_result) -> Stamp:
        """Return the stamp in what `os.stat` said."""
        return cls(status.st_mtime_ns, status.st_size)


class Ledger:
    """The files below a folder that eyefirst wrote. Safe to share between threads; processes wait for each other.

    A file counts as eyefirst's own as long as it has the stamp that it was written with. Raises OutputError
    where the folder cannot be used or the ledger is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / LEDGER
        self._lock = threading.RLock()
        with self._border():
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.file, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        self.run("CREATE TABLE IF NOT EXISTS written (path BLOB PRIMARY KEY, mtime_ns INTEGER, length INTEGER)")

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Run one SQL statement and return its rows. Raises OutputError."""
        with self._lock, self._border():
            return self._db.execute(statement, values).fetchall()

    def key(self, path: str | os.PathLike[str]) -> bytes:
        """Return a file's name as the ledger keeps it: bytes, relative to the folder; names need not be text."""
        return os.fsencode(os.path.relpath(path, self.folder))

    def owns(self, path: Path) -> bool:
        """Whether eyefirst wrote the file and nobody changed it since."""
        found = self.run("SELECT mtime_ns, length FROM written WHERE path = ?", (self.key(path),))
        return bool(found) and Stamp.of(path) == Stamp(*found[0])

    def note(self, path: Path, stamp: Stamp) -> None:
        """Remember that a file is written with this stamp."""
        self.run("INSERT OR REPLACE INTO written VALUES (?, ?, ?)", (self.key(path), stamp.mtime_ns, stamp.length))

    def forget(self, path: Path) -> None:
        """Remember that a file is not eyefirst's any more."""
        self.run("DELETE FROM written WHERE path = ?", (self.key(path),))

    def write(self, path: Path, data: bytes, *, overwrite: bool = False) -> None:
        """Write a file whole and note it, before it gets its name: a kill leaves no file of unknown origin.

        Raises OutputError where eyefirst did not write what is there, unless `overwrite` is set.
        """
        self.check_free(path, overwrite=overwrite)
        with written_whole(path, before_rename=lambda s: self.note(path, Stamp.from_status(s))) as out:
            out.write(data)

    def check_free(self, path: Path, *, overwrite: bool = False) -> None:
        """Raise OutputError where a file is there that eyefirst did not write, unless `overwrite` is set."""
        if not overwrite and os.path.lexists(path) and not self.owns(path):
            raise OutputError(
                "is there already, and eyefirst did not write it",
                remedy="choose another output folder or --name, or add --overwrite",
                source=str(path),
            )

    def close(self) -> None:
        """End the ledger's use."""
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def _border(self) -> Iterator[None]:
        """Translate the errors of SQLite and of the system."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise OutputError(
                    f"another process has been writing into this folder for {WAIT_SECONDS:.0f} seconds",
                    remedy="wait until it ends, or name another folder",
                    source=str(self.file),
                ) from error
            raise OutputError(
                f"cannot keep the list of results: {error}",
                remedy="name a folder that can be written",
                source=str(self.file),
            ) from error
        except sqlite3.Error as error:
            raise OutputError(
                f"the list of results is damaged: {error}",
                remedy="remove this file; results that are there are then replaced with --overwrite only",
                source=str(self.file),
            ) from error
        except OSError as error:
            raise OutputError.of(error, str(self.folder)) from error


def own_results(folder: str | os.PathLike[str]) -> set[str]:
    """Return the absolute paths of the files that eyefirst wrote into a folder; empty where it has no ledger.

    A ledger that cannot be read counts as none, because a walk must not fail for it.
    """
    file = os.path.join(folder, LEDGER)
    if not os.path.isfile(file):
        return set()
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=WAIT_SECONDS)) as db:
            rows = db.execute("SELECT path, mtime_ns, length FROM written").fetchall()
    except sqlite3.Error:
        return set()
    base = os.path.abspath(folder)
    paths = {
        os.path.normpath(os.path.join(base, os.fsdecode(path))): Stamp(mtime_ns, length)
        for path, mtime_ns, length in rows
    }
    return {path for path, stamp in paths.items() if Stamp.of(path) == stamp}
