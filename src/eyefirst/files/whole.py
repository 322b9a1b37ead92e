"""Whole files: written under a temporary name and renamed, so that a killed run leaves no half file."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from eyefirst.errors import OutputError


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
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as out:
            yield out
        if rights is not None:
            temporary.chmod(rights)
        rename(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise OutputError.of(error, str(path)) from error
        raise
