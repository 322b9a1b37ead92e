"""Folders that pictures keep coming into, such as an upload directory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence

from eyefirst.albums.walk import Task, find_pictures
from eyefirst.errors import EyefirstError, InvalidValueError, MissingExtraError, reason_of
from eyefirst.files.ledger import Stamp
from eyefirst.files.whole import identity

POLL_MS = 500
"""How long the first look waits, in milliseconds; changes that come together within 1.6 s are one round."""
MOST_FAILURES = 3
"""So often the system may refuse in a row to watch folders that are there."""


def watched(
    folders: Sequence[str | os.PathLike[str]],
    *,
    outside: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Generator[list[Task], None, None]:
    """Yield first everything that is there, then whatever is added or changed; it never ends.

    folders: walked as `find_pictures` does; `outside` is left out, and so is what eyefirst wrote. Whatever the system
    tells starts a new walk, so that a folder that is moved or copied in counts as well, and one that comes back. A
    file that is still being written may come twice: first as a picture that is broken off, then whole. say: is told
    what the first walk leaves out. Raises InvalidValueError where a source is no folder, MissingExtraError without
    watchfiles, EyefirstError where the system does not watch the folders.
    """
    try:
        from watchfiles import watch  # noqa: PLC0415 - the extra [watch]
    except ImportError as error:
        raise MissingExtraError.for_extra("watch", "watching a folder") from error
    for folder in folders:
        if not os.path.isdir(folder):
            raise InvalidValueError(
                f"only folders can be watched, got {os.fspath(folder)!r}", remedy="name the folder that it is in"
            )
    seen: dict[str, Stamp | None] = {}
    begun, restless, failures = False, True, 0
    while True:
        marks = [identity(folder) for folder in folders]
        there = [os.fspath(folder) for folder, mark in zip(folders, marks, strict=True) if mark]
        if not there:
            time.sleep(POLL_MS / 1000)
            continue
        changing = watch(
            *map(str, there),
            watch_filter=_can_matter,
            rust_timeout=POLL_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        while True:
            try:
                changes = next(changing)
            except UnicodeError:  # a name that is not UTF-8
                restless = True
                break
            except (RuntimeError, OSError) as error:  # the folder is gone, or cannot be watched
                restless, failures = True, failures + 1
                if failures == MOST_FAILURES:
                    raise EyefirstError(
                        f"the folders cannot be watched: {reason_of(error)}",
                        remedy="watch fewer folders, or raise the limit of the system (fs.inotify.max_user_watches)",
                    ) from error
                time.sleep(POLL_MS / 1000)
                break
            failures = 0
            if [identity(folder) for folder in folders] != marks:  # one is gone, or another in its place
                restless = True
                break
            if not (changes or restless):
                continue
            tasks = find_pictures(there, outside=outside, say=(lambda _: None) if begun else say)
            stamps = {task.source: Stamp.of(task.source) for task in tasks}
            new = [task for task in tasks if task.source not in seen or stamps[task.source] != seen[task.source]]
            if new or not begun:
                yield new
            begun, restless, seen = True, bool(changes), stamps  # one more look when it is quiet: a copy may go on


def _can_matter(_change: object, path: str) -> bool:
    """Whether a change can bring a picture: anything but hidden files, such as the ledger's."""
    return not os.path.basename(path).startswith(".")
