"""One thread of low priority, shared by the whole process, so that the rest of a program stays brisk."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

NICENESS = 10
NAME = "eyefirst-background"
_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()
_works_here: ContextVar[bool] = ContextVar("eyefirst_background", default=False)
"""True in that thread, and in what `asyncio` begins from there."""


def is_background() -> bool:
    """Whether this is the thread of low priority, or works for it, and so must not wait for its work."""
    return _works_here.get()


def background() -> ThreadPoolExecutor:
    """Return the one thread of low priority; made when it is first asked for."""
    global _pool  # noqa: PLW0603 - made when first wanted
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(1, NAME, initializer=_begin)
        return _pool


def _begin_anew() -> None:
    """In a forked child: the thread stayed with the parent, and the lock may have been held there."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _begin() -> None:
    """Make this thread wait for all others. Only Linux gives every thread a priority of its own."""
    _works_here.set(True)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
