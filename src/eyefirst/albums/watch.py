"""Folders that pictures keep coming into, such as an upload directory."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence

from eyefirst.albums.walk import Task, find_pictures, is_picture
from eyefirst.errors import InvalidValueError, MissingExtraError

POLL_MS = 500
"""How long the first look waits, in milliseconds; changes that come together within 1.6 s are one round."""


def watched(
    folders: Sequence[str | os.PathLike[str]], *, outside: str | os.PathLike[str] | None = None
) -> Generator[list[Task], None, None]:
    """First everything that is there, then whatever is added or changed, as the system tells; it never ends.

    folders: walked as `find_pictures` does; `outside` is left out. Watching starts before the first walk, so that
    nothing slips between. A file that is still being written may come twice: first as a picture that is broken
    off, then whole. Raises InvalidValueError where a source is no folder, MissingExtraError without watchfiles.
    """
    try:
        from watchfiles import Change, watch  # noqa: PLC0415 - the extra [watch]
    except ImportError as error:
        raise MissingExtraError.for_extra("watch", "watching a folder") from error
    for folder in folders:
        if not os.path.isdir(folder):
            raise InvalidValueError(
                f"only folders can be watched, got {os.fspath(folder)!r}", remedy="name the folder that it is in"
            )
    begun = False
    for changes in watch(
        *(str(os.fspath(f)) for f in folders), watch_filter=_is_new_picture, rust_timeout=POLL_MS, yield_on_timeout=True
    ):
        if not begun:
            begun = True
            yield find_pictures(folders, outside=outside)
        touched = {os.path.realpath(path) for change, path in changes if change is not Change.deleted}
        if touched:  # the walk is done anew, because names depend on their neighbours
            found = find_pictures(folders, outside=outside)
            if tasks := [task for task in found if os.path.realpath(task.source) in touched]:
                yield tasks


def _is_new_picture(_change: object, path: str) -> bool:
    return is_picture(path)
