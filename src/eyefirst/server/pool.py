"""A bounded queue before a few threads: what does not fit is refused at once, so that nothing piles up."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from eyefirst.errors import BusyError, CancelledError, TimeLimitError

T = TypeVar("T")
LONGEST_RETRY_SECONDS = 30


class Pool:
    """`workers` threads, and room for `queue` more jobs.

    A job that exceeds `seconds`, or whose client has gone, is told to give up and no longer waited for. It
    keeps its place until it has really ended: a thread cannot be killed, and must not be counted as free.
    """

    def __init__(self, workers: int, queue: int, seconds: float, name: str = "eyefirst") -> None:
        self.capacity = workers + queue
        self._workers = workers
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(workers, name)
        self._held = 0
        self._usual_seconds = 0.1
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Jobs that run or wait."""
        return self._held

    def check_room(self) -> None:
        """Raises BusyError when the queue is full, so that a body need not be read in vain."""
        if self._held >= self.capacity:
            raise self._busy()

    async def run(
        self,
        job: Callable[[], T],
        *,
        give_up: Callable[[], object] = lambda: None,
        gone: Callable[[], Awaitable[object]] | None = None,
    ) -> T:
        """The job's result. Raises its errors, BusyError, TimeLimitError, and CancelledError for a lost client.

        give_up: called when nobody waits any more. gone: returns when the client has gone.
        """
        with self._lock:
            self.check_room()
            self._held += 1
        future = self._threads.submit(self._timed, job)
        future.add_done_callback(self._release)
        answer = asyncio.wrap_future(future)
        watch = asyncio.ensure_future(_until(gone)) if gone else None
        try:
            waits: set[asyncio.Future[Any]] = {answer, watch} if watch else {answer}
            await asyncio.wait(waits, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if watch and watch.done():
                raise CancelledError("the client has gone", remedy="wait for the answer")
            raise TimeLimitError(
                f"the work took longer than {self._seconds:g} seconds",
                remedy="send a smaller picture, ask for less, or come back later",
            )
        finally:
            if not answer.done():
                give_up()
                answer.add_done_callback(_looked_at)
                future.cancel()  # where it still waits; then it is over at once
            if watch:
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watch

    def close(self) -> None:
        """Lets what runs end, and drops what waits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _timed(self, job: Callable[[], T]) -> T:
        started = time.monotonic()
        try:
            return job()
        finally:
            self._usual_seconds += 0.1 * (time.monotonic() - started - self._usual_seconds)

    def _release(self, _: Future[Any]) -> None:
        with self._lock:
            self._held -= 1

    def _busy(self) -> BusyError:
        error = BusyError(f"all {self._workers} workers are busy and the queue is full", remedy="come back later")
        wait = math.ceil(self._held * self._usual_seconds / self._workers)
        error.retry_after_seconds = min(max(wait, 1), LONGEST_RETRY_SECONDS)
        return error


async def _until(gone: Callable[[], Awaitable[object]]) -> None:
    await gone()


def _looked_at(future: asyncio.Future[Any]) -> None:
    """What comes after nobody waits is neither used nor complained about."""
    if not future.cancelled():
        future.exception()
