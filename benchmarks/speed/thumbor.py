"""Smart crops beside Thumbor's, cold, on loopback: `python -m benchmarks.speed.thumbor [PHOTO] --thumbor FILE`.

Both services cut the same JPEGs to the same size, smartly: Thumbor by OpenCV's detectors of faces and of features, as
its documentation sets them up. Its environment needs OpenCV before 5, which has dropped that detector of faces. Clients
ask over kept connections, each address once, so that no cache helps. The services take turns; both may use all
processors: eyefirst by threads, Thumbor by processes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figures import machine, record
from benchmarks.speed.server import Load, _ask, photo_of, serving

CLIENTS = 4
ROUNDS = 4
SIZE = (400, 300)
CONFIG = """
LOADER = "thumbor.loaders.file_loader"
FILE_LOADER_ROOT_PATH = {root!r}
STORAGE = "thumbor.storages.no_storage"
RESULT_STORAGE = None
QUALITY = 82
AUTO_WEBP = False
DETECTORS = ["thumbor.detectors.face_detector", "thumbor.detectors.feature_detector"]
ALLOW_UNSAFE_URL = True
"""


@contextmanager
def thumbor(command: Path, root: Path) -> Iterator[int]:
    """A Thumbor as its users start it, with as many processes as there are processors. Gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = root.parent / "thumbor.conf"
    config.write_text(CONFIG.format(root=str(root)))
    words = [str(command), "-i", "127.0.0.1", "-p", str(port), "-c", str(config), "-l", "error"]
    words += ["--processes", str(os.cpu_count() or 1)]
    process = subprocess.Popen(words, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


async def ask_each(port: int, paths: list[str]) -> Load:
    """Ask for each address once, over a few connections."""
    result, began, left = Load(), time.perf_counter(), iter(paths)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in left:
            asked = time.perf_counter()
            request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: image/jpeg\r\n\r\n".encode()
            status, goes_on = await _ask(reader, writer, request)
            result.latencies.setdefault(status, []).append(time.perf_counter() - asked)
            if not goes_on:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    result.seconds = time.perf_counter() - began
    return result


def version_of(command: Path) -> str:
    """Thumbor's version, as it says itself."""
    said = subprocess.run([str(command), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+\S*", said)
    return found[0] if found else "?"


def compare(photo: bytes, command: Path, pictures: int) -> dict[str, Load]:
    """What clients of both saw."""
    width, height = SIZE
    found = {"eyefirst": Load(), f"Thumbor {version_of(command)}": Load()}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        names = [f"{i}.jpg" for i in range(pictures * ROUNDS + 2 * CLIENTS)]
        for i, one in enumerate(names):
            (root / one).write_bytes(photo + i.to_bytes(4, "big"))
        forms = ("/v1/image/unsigned/size={0}x{1}/{2}", "/unsafe/{0}x{1}/smart/{2}")
        options = ("--root", str(root))
        with serving(os.cpu_count() or 1, 1, *options) as ours, thumbor(command, root) as theirs:
            places = list(zip(found, forms, (ours.port, theirs), strict=True))
            for _, form, port in places:  # so that all that is loaded late has been
                asyncio.run(ask_each(port, [form.format(width, height, n) for n in names[-2 * CLIENTS :]]))
            for turn in range(ROUNDS):
                part = names[turn * pictures : (turn + 1) * pictures]
                for title, form, port in places:
                    found[title].add(asyncio.run(ask_each(port, [form.format(width, height, n) for n in part])))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path, nargs="?")
    parser.add_argument("--thumbor", type=Path, required=True, help="its command, in an environment of its own")
    parser.add_argument("--pictures", type=int, default=40, help="in each of the rounds")
    parser.add_argument("--record", action="store_true", help="write the figures into the docs")
    arguments = parser.parse_args()
    state, rows = machine(), []
    with tempfile.TemporaryDirectory() as name:
        photo = photo_of(Path(name), arguments.photo)
        title = f"{len(photo) / 1e6:.1f} MB a picture, {CLIENTS} clients, {os.cpu_count()} processors"
        table = Table("smart crops", "a second", "p50, ms", "p99, ms", "200", "otherwise", title=title)
        for service, load in compare(photo, arguments.thumbor, arguments.pictures).items():
            others = sum(len(v) for status, v in load.latencies.items() if status != 200)
            times = (f"{load.rate():.1f}", f"{load.milliseconds(0.5):.0f}", f"{load.milliseconds(0.99):.0f}")
            table.add_row(service, *times, str(load.count(200)), str(others))
            rows.append((service, *times))
    Console(width=100).print(table)
    if arguments.record:
        record("service-thumbor", rows, state)


if __name__ == "__main__":
    main()
