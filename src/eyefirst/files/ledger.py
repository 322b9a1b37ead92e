"""The ledger of an output folder: which files in it eyefirst wrote.

It is a SQLite file in the folder, the only one. With it, a name that eyefirst
chooses never replaces a file that somebody else put there. A walk over the folder does not take eyefirst's own results
for input. The journal of an album keeps its tables in the same file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from eyefirst.errors import OutputError
from eyefirst.files.names import is_variant, name_key, variants
from eyefirst.files.whole import identity, written_whole

LEDGER = ".eyefirst.sqlite"
WAIT_SECONDS = 60.0
"""How long one process waits for another that writes into the same ledger."""
VERSION = 2
"""The version of the tables. A ledger with a lower one is converted; a higher one is refused."""
WRITTEN = (
    "CREATE TABLE IF NOT EXISTS written (path BLOB, sha256 TEXT, mtime_ns INTEGER, length INTEGER, pending INTEGER,"
    " PRIMARY KEY (path, sha256)) WITHOUT ROWID"
)
"""Files that eyefirst wrote. Pending: a process was about to give the file its name."""
NAMES = "CREATE TABLE IF NOT EXISTS names (source BLOB PRIMARY KEY, name BLOB, key TEXT UNIQUE) WITHOUT ROWID"
"""The name that the results of each picture have, so that it stays when other pictures come or go."""


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

    A file counts as eyefirst's own as long as it has the bytes that were written: its time of change and length are
    compared, and its SHA-256 where only the time differs, as in a copy. Raises OutputError where the folder cannot be
    used or the ledger is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / LEDGER
        self._lock = threading.RLock()
        with self._border():
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise OutputError(
                    "cannot be a folder: a file is there", remedy="name a folder", source=str(folder)
                ) from None
            self._db = sqlite3.connect(self.file, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                self._set_wal()
                self._db.execute("PRAGMA synchronous = NORMAL")
                if self._version() < VERSION:
                    with self.transaction():
                        self._convert()
                self._identity = identity(self.file)
            except BaseException:
                self._db.close()
                raise

    def _set_wal(self) -> None:
        """Set the journal mode; SQLite does not wait by itself while another connection sets it."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def _version(self) -> int:
        """Return the version of the tables. Raises OutputError for a newer one."""
        ((version,),) = self.run("PRAGMA user_version")
        if version > VERSION:
            raise OutputError(
                "the list of results was written by a newer eyefirst",
                remedy="use that version, or name another folder",
                source=str(self.file),
            )
        return int(version)

    def _convert(self) -> None:
        """Bring the tables to this version. What an earlier version wrote stays known as eyefirst's."""
        if self._version() == VERSION:  # another process was faster
            return
        former = _former_files(self._db, self.folder, self.file)
        for table in ("written", "made"):
            self.run(f"DROP TABLE IF EXISTS {table}")
        self.run(WRITTEN)
        self.run(NAMES)
        for path in former:
            with contextlib.suppress(OSError):
                self.note(Path(path), Stamp.from_status(os.stat(path)), _sha256(path), pending=False)
        self.run(f"PRAGMA user_version = {VERSION}")

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Run one SQL statement and return its rows. Raises OutputError."""
        with self._lock, self._border():
            return self._db.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that is inside at once, or nothing of it; other threads and processes wait meanwhile."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self.run("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise
            self.run("COMMIT")

    def key(self, path: str | os.PathLike[str]) -> bytes:
        """Return a file's name as the ledger keeps it: bytes, relative to the folder; names need not be text."""
        return os.fsencode(os.path.relpath(path, self.folder))

    def path_of(self, key: bytes) -> Path:
        """Return the path of a key."""
        return self.folder / os.fsdecode(key)

    def digest(self, path: Path) -> str | None:
        """Return the SHA-256 of a file that is as eyefirst wrote it; None for any other file, and for none."""
        found = self.run("SELECT sha256, mtime_ns, length FROM written WHERE path = ?", (self.key(path),))
        stamp = Stamp.of(path) if found and not path.is_symlink() else None
        if stamp is None:
            return None
        for sha256, mtime_ns, length in found:
            if stamp == Stamp(mtime_ns, length):
                return str(sha256)
        if stamp.length and any(stamp.length == length for _, _, length in found):
            with contextlib.suppress(OSError):
                now = _sha256(path)
                if any(now == sha256 for sha256, _, _ in found):
                    with contextlib.suppress(OutputError):  # so that it need not be read again
                        self.note(path, stamp, now, pending=False)
                    return now
        return None

    def owns(self, path: Path) -> bool:
        """Whether eyefirst wrote the file and nobody changed it since."""
        return self.digest(path) is not None

    def note(self, path: Path, stamp: Stamp, sha256: str, *, pending: bool = True) -> None:
        """Remember that a file is written with these bytes, or is about to be."""
        self.run(
            "INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?, ?)",
            (self.key(path), sha256, stamp.mtime_ns, stamp.length, pending),
        )

    def forget(self, path: Path) -> None:
        """Remember that a file is not eyefirst's any more."""
        self.run("DELETE FROM written WHERE path = ?", (self.key(path),))

    def remove(self, path: Path) -> bool:
        """Remove a file that is as eyefirst wrote it; say whether there was one."""
        with self.transaction():
            if not self.owns(path):
                return False
            with contextlib.suppress(FileNotFoundError), self._border():
                path.unlink()
            self.forget(path)
            return True

    def write(self, path: Path, data: bytes, *, overwrite: bool = False) -> str:
        """Write a file whole, note it, and return its SHA-256.

        Raises OutputError where eyefirst did not write what is there, unless `overwrite` is set.
        """
        with self.writing(path, overwrite=overwrite) as out:
            out.write(data)
        return hashlib.sha256(data).hexdigest()

    @contextlib.contextmanager
    def writing(self, path: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
        """Give a file to write into, which becomes `path` at the end, or is removed on any error. See `write`."""
        self.check_free(path, overwrite=overwrite)
        with written_whole(path, rename=self.renaming(overwrite=overwrite)) as out:
            yield out

    def renaming(self, *, overwrite: bool = False) -> Callable[[Path, Path], None]:
        """Return what gives a finished file its name. Both are paths in the folder; see `write`.

        The file is noted before it gets its name: a kill leaves no file of unknown origin.
        """

        def rename(temporary: Path, path: Path) -> None:
            sha256, key = _sha256(temporary), self.key(path)
            self._check_place()
            with self.transaction():
                self.check_free(path, overwrite=overwrite)
                self.note(path, Stamp.from_status(temporary.stat()), sha256)
            with self.transaction():  # no other process comes between the file and its row
                temporary.replace(path)
                self.run("DELETE FROM written WHERE path = ? AND sha256 <> ? AND NOT pending", (key, sha256))
                self.run("UPDATE written SET pending = 0 WHERE path = ? AND sha256 = ?", (key, sha256))

        return rename

    def check_free(self, path: Path, *, overwrite: bool = False) -> None:
        """Raise OutputError where a file is there that eyefirst did not write, unless `overwrite` is set.

        An empty file under a name of eyefirst's holds nobody's work, and is free too.
        """
        if overwrite or not os.path.lexists(path) or self.owns(path):
            return
        known = self.run("SELECT 1 FROM written WHERE path = ?", (self.key(path),))
        if known and path.is_file() and not path.is_symlink() and not path.stat().st_size:
            return
        raise OutputError(
            "is there already, and eyefirst did not write it",
            remedy="choose another output folder or --name, or add --overwrite",
            source=str(path),
        )

    def names(self, wanted: Sequence[tuple[str, str]]) -> list[str]:
        """Return the name of the results of each picture, below the folder and without extension; no two alike.

        wanted: the pictures' paths, each with the name that it should have. A picture keeps the name that it had
        before, unless it moved to another folder of the tree. A name that is taken goes over when its picture is
        gone; otherwise the newcomer's gets its own extension or a number.
        """
        with self.transaction():
            rows = self.run("SELECT source, name, key FROM names")
            known = {source: (os.fsdecode(name), key) for source, name, key in rows}
            taken = {key: source for source, _, key in rows}
            found: list[str] = []
            changed: dict[bytes, tuple[str, str]] = {}
            for path, name in wanted:
                source = os.fsencode(os.path.abspath(path))
                before = known.get(source)
                if before and is_variant(before[0], of=name, source=path):
                    found.append(before[0])
                    continue
                if before:
                    del taken[before[1]]
                for variant in variants(name, path):
                    key = name_key(variant)
                    owner = taken.get(key)
                    if owner is None or not os.path.lexists(owner):
                        break
                if owner is not None:
                    known.pop(owner, None)
                    changed.pop(owner, None)
                    self.run("DELETE FROM names WHERE source = ?", (owner,))
                known[source], taken[key] = (variant, key), source
                changed[source] = (variant, key)
                found.append(variant)
            for source in changed:
                self.run("DELETE FROM names WHERE source = ?", (source,))
            for source, (name, key) in changed.items():
                self.run("INSERT INTO names VALUES (?, ?, ?)", (source, os.fsencode(name), key))
            return found

    def _check_place(self) -> None:
        """Raise OutputError where the folder was removed or replaced since the ledger was opened."""
        if identity(self.file) != self._identity:
            raise OutputError(
                "the output folder was removed or replaced while eyefirst was writing into it",
                remedy="run it again",
                source=str(self.folder),
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
                remedy="check the free space, or name a folder that can be written",
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
    rows: list[tuple[Any, ...]] = []
    for mode in ("mode=ro", "immutable=1"):  # the second for a medium that is read-only
        with contextlib.suppress(sqlite3.Error):
            address = f"{Path(file).absolute().as_uri()}?{mode}"
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS)) as db:
                ((version,),) = db.execute("PRAGMA user_version")
                column = "sha256" if version >= VERSION else "NULL"
                rows = db.execute(f"SELECT path, {column}, mtime_ns, length FROM written").fetchall()
            break
    base = os.path.abspath(folder)
    found = set()
    for key, sha256, mtime_ns, length in rows:
        path = os.path.normpath(os.path.join(base, os.fsdecode(key)))
        stamp = Stamp.of(path)
        if stamp == Stamp(mtime_ns, length):
            found.add(path)
        elif stamp and length and stamp.length == length and path not in found:
            with contextlib.suppress(OSError):
                if _sha256(path) == sha256:
                    found.add(path)
    return found


def _former_files(db: sqlite3.Connection, folder: Path, file: Path) -> list[str]:
    """Return what earlier versions of the tables say that eyefirst wrote, as far as it seems untouched since."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = []
    if "written" in tables:
        for key, mtime_ns, length in db.execute("SELECT path, mtime_ns, length FROM written"):
            path = os.path.join(folder, os.fsdecode(key))
            if Stamp.of(path) == Stamp(mtime_ns, length):
                found.append(path)
    elif "made" in tables:  # a journal that did not keep stamps of its results
        latest = max((s.mtime_ns for s in (Stamp.of(f"{file}{end}") for end in ("", "-wal")) if s), default=0)
        for (names,) in db.execute("SELECT files FROM made"):
            paths = [os.path.join(folder, name) for name in json.loads(names)]
            found += [p for p in paths if (stamp := Stamp.of(p)) and stamp.mtime_ns <= latest]
    return found


def _sha256(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
