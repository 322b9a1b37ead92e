"""The service at its limit, on loopback: `python -m benchmarks.speed.server [PHOTO] --seconds 120`.

Requests a second against the bare library in as many processes on the same cores, in turn, A B A B, each request with
a picture that nobody asked about before, so that no plan is at hand; latency;
memory before and after; what happens at four times the capacity, and when a process is killed in the middle.
The clients run on the same cores as well: their share of processor time is told, and is not taken off.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
import multiprocessing
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import PIL.Image
from rich.console import Console
from rich.table import Table

from benchmarks.figures import machine, record
from eyefirst.server.settings import share_of_processors
from eyefirst.tools.planning import plan_crops

RATIOS = ("1:1", "16:9", "9:16", "3:1")
QUEUE = 16
CLIENTS = 4
"""At the limit, for each process."""
ROUNDS = 12
"""Short ones: a machine that others use too is not the same from minute to minute."""
NUMBERS = itertools.count()
"""Of requests, so that no two ask about the same bytes."""


@dataclass
class Load:
    """What clients saw. latencies in seconds, by status; 0 is a lost connection."""

    seconds: float = 0.0
    client_cpu_seconds: float = 0.0
    latencies: dict[int, list[float]] = field(default_factory=dict)

    def count(self, status: int) -> int:
        """Answers of one status."""
        return len(self.latencies.get(status, ()))

    def add(self, other: Load) -> None:
        """Count what other clients saw too."""
        self.seconds += other.seconds
        for status, found in other.latencies.items():
            self.latencies.setdefault(status, []).extend(found)

    def rate(self) -> float:
        """Good answers a second."""
        return self.count(200) / self.seconds

    def milliseconds(self, share: float, status: int = 200) -> float:
        """A percentile of latency."""
        ordered = sorted(self.latencies.get(status, ())) or [float("nan")]
        return 1e3 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@dataclass(frozen=True, slots=True)
class Service:
    """A running `eyefirst serve`."""

    pid: int
    port: int

    def resident_mb(self) -> float:
        """Memory of the process and its children."""
        return sum(_resident_mb(pid) for pid in (self.pid, *children_of(self.pid)))


@contextmanager
def serving(workers: int, processes: int = 1, *further: str) -> Iterator[Service]:
    """Starts the service as its users do. further: options of `eyefirst serve`."""
    words = ["--port", "0", "--workers", str(workers), "--processes", str(processes), "--queue", str(QUEUE), *further]
    process = subprocess.Popen([sys.executable, "-m", "eyefirst", "serve", *words], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    match = re.search(r"http://[^:]+:(\d+)/", line)
    if not match:
        raise SystemExit(f"the service did not start: {line}")
    said: deque[str] = deque(maxlen=20)
    threading.Thread(target=said.extend, args=(process.stderr,), daemon=True).start()  # a full pipe would halt it
    service = Service(process.pid, int(match[1]))
    try:
        _wait_until_ready(service.port)
        yield service
        if process.poll() is not None:
            raise SystemExit(f"the service ended by itself with {process.returncode}: {''.join(said)}")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _wait_until_ready(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            line.request("GET", "/readyz")
            if line.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            line.close()
    raise SystemExit("the service is not ready")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bool]:
    """Status, and whether the connection goes on."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = re.search(rb"content-length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split(b" ", 2)[1]), b"connection: close" not in head


async def load(port: int, photo: bytes, clients: int, seconds: float) -> Load:
    """So many clients, each asking about another picture as soon as it was answered."""
    result, began, cpu = Load(), time.perf_counter(), time.process_time()

    async def client() -> None:
        line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while time.perf_counter() - began < seconds:
            asked = time.perf_counter()
            status, goes_on = 0, False
            try:
                line = line or await asyncio.open_connection("127.0.0.1", port)
                status, goes_on = await _ask(*line, request_of(unseen(photo)))
            except (OSError, EOFError, ValueError):
                await asyncio.sleep(0.05)
            result.latencies.setdefault(status, []).append(time.perf_counter() - asked)
            if not goes_on and line:
                line[1].close()
                line = None
            if status == 503:
                await asyncio.sleep(0.05)  # far sooner than Retry-After asks
        if line:
            line[1].close()

    await asyncio.gather(*(client() for _ in range(clients)))
    result.seconds, result.client_cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    return result


def bare(photo: bytes, seconds: float) -> float:
    """Plans a second by the library alone, to JSON, in one thread."""
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        json.dumps(plan_crops(photo, RATIOS).to_dict())
        done += 1
    return done / (time.perf_counter() - began)


def unseen(photo: bytes) -> bytes:
    """The same pixels with another hash: bytes after a JPEG's end marker."""
    return photo + next(NUMBERS).to_bytes(8, "big")


def request_of(photo: bytes) -> bytes:
    """A plan of four ratios, as it goes over the line."""
    query = "&".join(f"ratio={ratio}" for ratio in RATIOS)
    head = f"POST /v1/plan?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(photo)}\r\n\r\n"
    return head.encode() + photo


def at_the_limit(photo: bytes, processes: int, seconds: float, table: Table) -> None:
    """Throughput, latency, memory, and four times the capacity."""
    clients, threads = CLIENTS * processes, share_of_processors(processes)
    ratios, loads, memory = [], [], []
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawned) as alone, serving(threads, processes) as service:

        def library(share: float) -> float:
            return sum(alone.map(bare, [photo] * processes, [share] * processes))

        library(1)
        asyncio.run(load(service.port, photo, clients, min(seconds, 5)))
        memory.append(service.resident_mb())
        for _ in range(ROUNDS):
            rate = library(seconds / ROUNDS)
            loads.append(asyncio.run(load(service.port, photo, clients, seconds / ROUNDS)))
            ratios.append((loads[-1].rate() / rate, rate))
        memory.append(service.resident_mb())
        beyond = asyncio.run(load(service.port, photo, 4 * processes * (threads + QUEUE), seconds / 4))
        memory.append(service.resident_mb())
    last = loads[-1]
    table.add_row("bare library, plans a second", f"{statistics.median(a for _, a in ratios):.1f}")
    table.add_row("service, plans a second", f"{statistics.median(x.rate() for x in loads):.1f}")
    table.add_row("service / library, median of the rounds", f"{statistics.median(r for r, _ in ratios):.2f}")
    table.add_row("clients' share of one core", f"{last.client_cpu_seconds / last.seconds:.2f}")
    table.add_row("latency p50 / p99, ms", f"{last.milliseconds(0.5):.0f} / {last.milliseconds(0.99):.0f}")
    table.add_row("answers other than 200", str(sum(len(v) for x in loads for s, v in x.latencies.items() if s != 200)))
    table.add_row("memory before / after / after 4 x, MB", " / ".join(f"{m:.0f}" for m in memory))
    table.add_row("at 4 x capacity: plans a second", f"{beyond.rate():.1f}")
    table.add_row(
        "at 4 x capacity: latency p50 / p99, ms", f"{beyond.milliseconds(0.5):.0f} / {beyond.milliseconds(0.99):.0f}"
    )
    table.add_row("at 4 x capacity: refused with 503", str(beyond.count(503)))
    refused = f"{beyond.milliseconds(0.5, 503):.0f} / {beyond.milliseconds(0.99, 503):.0f}"
    table.add_row("at 4 x capacity: latency of refusals p50 / p99, ms", refused)
    table.add_row("at 4 x capacity: lost", str(beyond.count(0)))


async def _killed(service: Service, photo: bytes, seconds: float) -> tuple[Load, float]:
    """Kills a child that serves, a third of the way; seconds until there are as many children again."""
    running = asyncio.create_task(load(service.port, photo, 4, seconds))
    await asyncio.sleep(seconds / 3)
    before = serving_children(service.pid)
    os.kill(before[0], signal.SIGKILL)
    began = time.perf_counter()
    while len(set(serving_children(service.pid)) - {before[0]}) < len(before):
        await asyncio.sleep(0.05)
    back = time.perf_counter() - began
    return await running, back


def a_process_killed(photo: bytes, seconds: float, table: Table) -> None:
    """Two processes, one of which dies in the middle of its work."""
    with serving(1, processes=2) as service:
        result, back = asyncio.run(_killed(service, photo, seconds))
        _wait_until_ready(service.port)
    table.add_row("one of two processes killed: answered", str(result.count(200)))
    table.add_row("one of two processes killed: lost", str(result.count(0)))
    table.add_row("one of two processes killed: replaced after, s", f"{back:.1f}")


def children_of(pid: int) -> list[int]:
    """Child processes, as /proc tells."""
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def serving_children(pid: int) -> list[int]:
    """Children that were spawned to serve, not multiprocessing's own helper."""
    found = []
    for child in children_of(pid):
        try:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
        except OSError:
            continue
    return found


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def photo_of(folder: Path, given: Path | None) -> bytes:
    """The given picture, or scikit-learn's photo of a temple at 1600 x 1067."""
    if given:
        return given.read_bytes()
    from sklearn.datasets import load_sample_image  # noqa: PLC0415 - only when no photo is given

    path = folder / "photo.jpg"
    PIL.Image.fromarray(load_sample_image("china.jpg")).resize((1600, 1067)).save(path, quality=88)
    return path.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=120, help="of each side of the comparison")
    parser.add_argument("--record", action="store_true", help="write the figures into the docs")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    state = machine()
    with tempfile.TemporaryDirectory() as name:
        photo = photo_of(Path(name), arguments.photo)
        table = Table("what", "measured", title=f"{len(photo) / 1e6:.1f} MB a picture, {arguments.processes} processes")
        at_the_limit(photo, arguments.processes, arguments.seconds, table)
        a_process_killed(photo, max(arguments.seconds / 4, 6), table)
    Console(width=100).print(table)
    if arguments.record:
        cells = ([str(cell) for cell in column.cells] for column in table.columns)
        record("service-limit", list(zip(*cells, strict=True)), state)


if __name__ == "__main__":
    main()
