"""One thread of low priority, shared by the whole process, so that the rest of a program stays brisk."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

NICENESS = 10
NAME = "eyefirst-background"
_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()


def is_background() -> bool:
    """Whether this is the thread of low priority itself, which must not wait for its own work."""
    return threading.current_thread().name.startswith(NAME)


def background() -> ThreadPoolExecutor:
    """One thread of low priority, shared by the whole process."""
    global _pool  # noqa: PLW0603 - made when first wanted
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(1, NAME, initializer=_lower_priority)
        return _pool


def _lower_priority() -> None:
    """Linux gives every thread a niceness of its own; elsewhere the one thread alone must do."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
