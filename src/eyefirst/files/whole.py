"""Whole files: written under a temporary name and renamed, so that a killed run leaves no half file.

The temporary file is locked as long as its process lives. A part that nobody locks was left by a process that was
killed: the next one that writes the same file removes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from eyefirst.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows; there a part of a killed process stays
    fcntl = None  # type: ignore[assignment]

PART = re.compile(r"\..*\.eyefirst-[0-9]+\.part", re.DOTALL)
"""Names of parts that can be recognised as stale."""
MOST_BYTES = 100
"""Bytes of a file's name that its part repeats, so that the part's name is never too long."""
MOST_WRITERS = 100
"""Processes and threads that may write the same file at once with recognisable parts."""


class Part:
    """A new empty file beside `target`, which gets that name later; locked until then. Raises OSError."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path, self.file = _reserved(target)

    def finish(self, rename: Callable[[Path, Path], object] = Path.replace) -> None:
        """Give it its name. Raises OSError, and what `rename` raises."""
        self.file.flush()
        if fcntl is None:  # Windows renames no open file
            self.file.close()
        rename(self.path, self._target)
        self.file.close()

    def drop(self) -> None:
        """Remove it, unless it got its name."""
        with contextlib.suppress(OSError):
            if self.file.closed or _is_at(self.file.fileno(), self.path):
                self.path.unlink()
        with contextlib.suppress(OSError):  # what is in its buffer may not fit on the disk
            self.file.close()


@contextlib.contextmanager
def written_whole(
    path: Path,
    rights: int | None = None,
    *,
    rename: Callable[[Path, Path], object] = Path.replace,
) -> Iterator[BinaryIO]:
    """Give a file to write into, beside `path`. It is renamed to `path` at the end, or removed on any error.

    Missing folders are made. rights: of the file; by default those of any new one. rename: gives the finished file
    its name. Raises OutputError.
    """
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Part(path)
        yield part.file
        if rights is not None:
            part.path.chmod(rights)
        part.finish(rename)
    except BaseException as error:
        if part is not None:
            part.drop()
        if isinstance(error, OSError):
            raise OutputError.of(error, str(path)) from error
        raise


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return what tells whether two paths are one file or folder: device and inode; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def remove_stale(part: str | os.PathLike[str]) -> bool:
    """Remove a part that a killed process of the same user left; say whether it is gone.

    What another process still writes, belongs to somebody else, or is no file stays, and so does every name that is
    not that of a part.
    """
    if fcntl is None or not PART.fullmatch(os.path.basename(part)):
        return False
    try:
        handle = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or not _lock(handle):
            return False
        if _is_at(handle, part):
            os.unlink(part)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _reserved(path: Path) -> tuple[Path, BinaryIO]:
    """Return the path of a new locked part, and the open file; stale parts of the same file are removed."""
    stem = os.fsdecode(os.fsencode(path.name)[:MOST_BYTES])
    for number in range(1, MOST_WRITERS if fcntl else 0):
        part = path.with_name(f".{stem}.eyefirst-{number}.part")
        try:
            handle = _new(part)
        except BlockingIOError:  # another writer has this one
            continue
        except NotImplementedError:
            break
        for later in range(number + 1, MOST_WRITERS):  # that several writers left
            if not os.path.lexists(following := path.with_name(f".{stem}.eyefirst-{later}.part")):
                break
            remove_stale(following)
        return part, os.fdopen(handle, "wb")
    part = path.with_name(f".{stem}.{secrets.token_hex(4)}.part")
    return part, part.open("xb")


def _new(part: Path) -> int:
    """Return a handle of a new locked file.

    Raises BlockingIOError where the name is taken, NotImplementedError where the file system has no locks.
    """
    while True:
        try:
            handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            if not remove_stale(part):
                raise BlockingIOError from None
            continue
        try:
            if _lock(handle) and _is_at(handle, part):
                return handle
        except OSError as error:
            os.unlink(part)
            os.close(handle)
            raise NotImplementedError from error
        os.close(handle)  # another process took it for stale, and removes it


def _lock(handle: int) -> bool:
    """Lock a file for this handle; False where another one has it. Raises OSError where there are no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(handle: int, path: str | os.PathLike[str]) -> bool:
    """Whether an open file still has this name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
