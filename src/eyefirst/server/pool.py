"""A bounded queue before a few threads. What does not fit is refused at once, or waits for its turn where it may."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from eyefirst.errors import BusyError, CancelledError, TimeLimitError

T = TypeVar("T")
LONGEST_RETRY_SECONDS = 30


class Work:
    """One request's work: when it has to end, and whether somebody still waits for it.

    Jobs call `go_on` between steps that take time.
    """

    def __init__(self, seconds: float, gone: Callable[[], Awaitable[object]] | None = None) -> None:
        self.until = time.monotonic() + seconds
        self.gone = gone
        self._ended = threading.Event()
        self._callbacks: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        """Seconds that are left, at least 0."""
        return max(self.until - time.monotonic(), 0.0)

    def go_on(self) -> None:
        """Raise CancelledError where nobody waits any more, or the time is over."""
        if self._ended.is_set() or self.left <= 0:
            raise CancelledError("nobody waits for the work any more", remedy="ask again")

    def on_end(self, stop: Callable[[], object]) -> None:
        """Have a function called when nobody waits any more; at once where that is so already."""
        with self._lock:
            self._callbacks.append(stop)
            late = self._ended.is_set()
        if late:
            stop()

    def give_up(self) -> None:
        """Say that nobody waits any more."""
        with self._lock:
            self._ended.set()
            stops = tuple(self._callbacks)
        for stop in stops:
            stop()


class Pool:
    """`workers` threads, and room for `queue` more jobs.

    A job that exceeds its time, or whose client has gone, is told to give up and no longer waited for. It
    keeps its place until it has really ended: a thread cannot be killed, and must not be counted as free.
    Patient jobs hold at most half of the places. Those beyond that wait, first come, first served.
    """

    def __init__(self, workers: int, queue: int, seconds: float, name: str = "eyefirst") -> None:
        self.capacity = workers + queue
        self._workers = workers
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(workers, name)
        self._held = 0
        self._patient_held = 0
        self._most_patient = max(workers, self.capacity // 2)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._usual_seconds = 0.1
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Jobs that run or wait for a thread."""
        return self._held

    @property
    def waiting(self) -> int:
        """Patient jobs that wait for a place."""
        return len(self._waiting)

    def check_room(self) -> None:
        """Raise BusyError when the queue is full, so that a body need not be read in vain."""
        if self._held >= self.capacity:
            raise self._busy()

    def work(self, gone: Callable[[], Awaitable[object]] | None = None) -> Work:
        """Return the work of a request that begins now. gone: returns when its client has gone."""
        return Work(self._seconds, gone)

    async def run(self, job: Callable[[], T], work: Work | None = None, *, patient: bool = False) -> T:
        """Return the job's result. Raises its errors, BusyError, TimeLimitError, and CancelledError for a lost client.

        patient: wait for a place until the work's time is over, instead of being refused.
        """
        work = work or self.work()
        watch = asyncio.ensure_future(work.gone()) if work.gone else None
        try:
            if patient:
                await self._wait_for_place(work, watch)
            else:
                with self._lock:
                    self.check_room()
                    self._held += 1
            return await self._run_now(job, work, watch, patient)
        finally:
            if watch:
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watch

    def close(self) -> None:
        """Let what runs end, and drop what waits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run_now(self, job: Callable[[], T], work: Work, watch: asyncio.Future[Any] | None, patient: bool) -> T:
        """Run a job that has its place."""
        loop = asyncio.get_running_loop()

        def release(_: Future[Any]) -> None:
            with self._lock:
                self._held -= 1
                self._patient_held -= patient
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._let_in)

        future = self._threads.submit(self._timed, job)
        future.add_done_callback(release)
        answer = asyncio.wrap_future(future)
        try:
            waits: set[asyncio.Future[Any]] = {answer, watch} if watch else {answer}
            await asyncio.wait(waits, timeout=work.left, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise self._ended(watch)
        except CancelledError:
            if work.left <= 0 and not (watch and watch.done()):  # the job itself saw that its time was over
                raise self._late() from None
            raise
        finally:
            if not answer.done():
                work.give_up()
                answer.add_done_callback(_looked_at)
                future.cancel()  # where it still waits; then it is over at once

    async def _wait_for_place(self, work: Work, watch: asyncio.Future[Any] | None) -> None:
        """Take a place for a patient job; first come, first served."""
        if not self._waiting and self._take():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            waits: set[asyncio.Future[Any]] = {turn, watch} if watch else {turn}
            await asyncio.wait(waits, timeout=work.left, return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                raise self._busy() if not (watch and watch.done()) else self._ended(watch)
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._give_back()
            raise
        finally:
            if not turn.done():
                self._waiting.remove(turn)

    def _take(self) -> bool:
        with self._lock:
            if self._held >= self.capacity or self._patient_held >= self._most_patient:
                return False
            self._held += 1
            self._patient_held += 1
            return True

    def _give_back(self) -> None:
        with self._lock:
            self._held -= 1
            self._patient_held -= 1
        self._let_in()

    def _let_in(self) -> None:
        """Give places that are free to those who wait; on the event loop."""
        while self._waiting and self._take():
            self._waiting.popleft().set_result(None)

    def _ended(self, watch: asyncio.Future[Any] | None) -> CancelledError | TimeLimitError:
        if watch and watch.done():
            return CancelledError("the client has gone", remedy="wait for the answer")
        return self._late()

    def _late(self) -> TimeLimitError:
        return TimeLimitError(
            f"the work took longer than {self._seconds:g} seconds",
            remedy="send a smaller picture, ask for less, or come back later",
        )

    def _timed(self, job: Callable[[], T]) -> T:
        started = time.monotonic()
        try:
            return job()
        finally:
            self._usual_seconds += 0.1 * (time.monotonic() - started - self._usual_seconds)

    def _busy(self) -> BusyError:
        error = BusyError(f"all {self._workers} workers are busy and the queue is full", remedy="come back later")
        wait = math.ceil((self._held + self.waiting) * self._usual_seconds / self._workers)
        error.retry_after_seconds = min(max(wait, 1), LONGEST_RETRY_SECONDS)
        return error


def _looked_at(future: asyncio.Future[Any]) -> None:
    """Take the result of a job for which nobody waits; it is neither used nor complained about."""
    if not future.cancelled():
        future.exception()
