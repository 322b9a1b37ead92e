"""Honest clients beside abusers, on loopback: `python -m benchmarks.speed.attack`.

Eight honest clients ask for plans of pictures that nobody asked about before. In turn they are alone, and beside four
abusers without an end: one sends chunks of one byte, one sends pictures whose padding is large, one opens connections
and never ends a head, one asks for AVIFs and leaves.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import PIL.Image
from rich.console import Console
from rich.table import Table

from benchmarks.figures import machine, record
from benchmarks.speed.server import Load, _ask, photo_of, request_of, serving, unseen

HONEST = 8
Abuser = Callable[[int, bytes], Coroutine[Any, Any, None]]
ROUNDS = 4
START_SECONDS = 2.0
"""Time for the abusers to begin, before latencies count."""


async def honest(port: int, photo: bytes, seconds: float, clients: int = HONEST) -> Load:
    """So many clients, each with a picture of its own each time."""
    result, began = Load(), time.perf_counter()

    async def client() -> None:
        while time.perf_counter() - began < seconds:
            asked, status = time.perf_counter(), 0
            with contextlib.suppress(OSError, EOFError, ValueError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                status, _ = await _ask(reader, writer, request_of(unseen(photo)))
                writer.close()
            result.latencies.setdefault(status, []).append(time.perf_counter() - asked)
            await asyncio.sleep(0.2)  # people look at what they got

    await asyncio.gather(*(client() for _ in range(clients)))
    result.seconds = time.perf_counter() - began
    return result


async def sends_chunks(port: int, _photo: bytes) -> None:
    """Send a body in chunks of one byte, as fast as it is taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/plan?ratio=1:1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2000):
        writer.write(b"1\r\nx\r\n" * 500)
        await writer.drain()
        if reader.at_eof() or writer.is_closing():
            break
        await asyncio.sleep(0)
    writer.close()


async def sends_padding(port: int, _photo: bytes) -> None:
    """Ask for twelve crops of a thin picture, each with a large padding."""
    out = io.BytesIO()
    PIL.Image.new("RGB", (3, 12_000), "red").save(out, "PNG")
    query = "&".join(f"ratio={i}:9" for i in range(5, 17))
    body = out.getvalue()
    head = f"POST /v1/crop?{query}&pad=blur HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await _ask(reader, writer, head.encode() + body)
    writer.close()


async def never_ends_a_head(port: int, _photo: bytes) -> None:
    """Open fifty connections and send a byte of a head on each now and then."""
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
    for _ in range(40):
        for _, writer in lines:
            if not writer.is_closing():
                writer.write(b"x")
        await asyncio.sleep(0.1)
    for _, writer in lines:
        writer.close()


async def leaves(port: int, photo: bytes) -> None:
    """Ask for a large AVIF and leave before it can be there."""
    head = "POST /v1/crop?ratio=1:1&size=4000x4000&format=avif HTTP/1.1\r\nHost: localhost\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{head}Content-Length: {len(photo)}\r\n\r\n".encode() + photo)
    await asyncio.sleep(0.05)
    writer.close()


ABUSERS: tuple[Abuser, ...] = (sends_chunks, sends_padding, never_ends_a_head, leaves)


@contextlib.contextmanager
def abused(port: int, photo: bytes, kinds: Sequence[Abuser] = ABUSERS) -> Iterator[None]:
    """One abuser of each kind, each of which begins again for ever, in a process of their own."""
    names = [kind.__name__ for kind in kinds]
    process = multiprocessing.get_context("spawn").Process(target=_abuse, args=(port, photo, names), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _abuse(port: int, photo: bytes, names: Sequence[str]) -> None:
    async def again(abuser: Abuser) -> None:
        while True:
            with contextlib.suppress(OSError, EOFError, ValueError):
                await abuser(port, photo)
            await asyncio.sleep(0.01)

    async def all_of_them() -> None:
        await asyncio.gather(*(again(kind) for kind in ABUSERS if kind.__name__ in names))

    asyncio.run(all_of_them())


def beside_abusers(
    photo: bytes, seconds: float, rounds: int = ROUNDS, kinds: Sequence[Abuser] = ABUSERS
) -> list[tuple[str, str, str]]:
    """What was measured of honest clients, alone and under attack in turn.

    A machine that others use too is not the same from minute to minute, so the turns are short.
    """
    quiet, hard = Load(), Load()
    with serving(os.cpu_count() or 1) as service:
        asyncio.run(honest(service.port, photo, min(seconds / 4, 3)))
        before = service.resident_mb()
        for _ in range(rounds):
            quiet.add(asyncio.run(honest(service.port, photo, seconds / rounds / 2)))
            with abused(service.port, photo, kinds):
                asyncio.run(honest(service.port, photo, START_SECONDS))
                hard.add(asyncio.run(honest(service.port, photo, seconds / rounds / 2)))
        after = service.resident_mb()
    both = (quiet, hard)
    others = [sum(len(found) for status, found in load.latencies.items() if status != 200) for load in both]
    rows = [
        ("answered with 200", *(str(load.count(200)) for load in both)),
        ("answered otherwise", *map(str, others)),
        *(
            (f"p{share:.0%}".strip("%"), *(f"{load.milliseconds(share):.0f} ms" for load in both))
            for share in (0.5, 0.99)
        ),
        ("memory before and after", f"{before:.0f} MB", f"{after:.0f} MB"),
    ]
    return [(name, alone, beside) for name, alone, beside in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=20, help="of quiet and attack together")
    names = {kind.__name__: kind for kind in ABUSERS}
    parser.add_argument("--record", action="store_true", help="write the figures into the docs")
    parser.add_argument("--only", choices=names, help="one kind of abuser alone")
    arguments = parser.parse_args()
    kinds = (names[arguments.only],) if arguments.only else ABUSERS
    state = machine()
    with tempfile.TemporaryDirectory() as name:
        photo = photo_of(Path(name), arguments.photo)
        rows = beside_abusers(photo, arguments.seconds, kinds=kinds)
    table = Table(
        "honest clients", "alone", "beside the abusers", title=f"{len(photo) / 1e6:.1f} MB a picture, {state}"
    )
    for row in rows:
        table.add_row(*row)
    Console(width=100).print(table)
    if arguments.record:
        record("service-attack", rows, state)


if __name__ == "__main__":
    main()
