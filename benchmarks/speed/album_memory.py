"""Memory of `eyefirst thumbnails` over a large album: `python -m benchmarks.speed.album_memory --count 20000`.

The album is made of links to a few hundred small JPEGs. Rows, the journal and a manifest are written; then the command
runs again and keeps everything. Memory is what the process holds when 10, 50 and 100 % of the rows are there, and its
peak. Workers are threads of the same process. With --tiny, a network of a few operations stands for the one that
ships: what is left is what could grow, in half of the time, for `--tiny --count 100000`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
from rich.console import Console
from rich.table import Table
from tests.make_tiny_network import make_tiny_network

SHARES = (0.1, 0.5, 1.0)
TINY = """
import sys
from eyefirst.cli import main
from eyefirst.network import OnnxNetwork, register_network
path = sys.argv.pop(1)
register_network("tiny_v1", lambda: OnnxNetwork(path))
main()
"""
FOLDER_OF = 1000
SIDE = 200


def write_album(folder: Path, count: int, different: int) -> None:
    """Photos of noise and colours with a disc in each, linked until there are so many."""
    y, x = np.mgrid[:SIDE, :SIDE]
    for number in range(count):
        path = folder / f"{number // FOLDER_OF:04}" / f"p{number:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number >= different:
            first = number % different
            os.link(folder / f"{first // FOLDER_OF:04}" / f"p{first:07}.jpg", path)
            continue
        random = np.random.default_rng(number)
        pixels = random.normal(random.integers(40, 216, 3), 12, (SIDE, SIDE, 3))
        (left, top), radius = random.integers(50, 150, 2), random.integers(15, 45)
        pixels[(x - left) ** 2 + (y - top) ** 2 < radius**2] = random.integers(0, 256, 3)
        PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=85)


def megabytes(pid: int, field: str) -> float:
    """What the system says of a process: VmRSS now, VmHWM at its peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def run(album: Path, out: Path, count: int, tiny: Path | None) -> tuple[list[tuple[float, float]], float]:
    """Run the command; return what it held and its peak at each share of the rows, and the seconds."""
    start = ["-c", TINY, str(tiny)] if tiny else ["-m", "eyefirst"]
    command = [sys.executable, *start, "thumbnails", str(album), "-o", str(out), "-s", "64x64"]
    command += ["--manifest", str(out / "manifest.json"), "--jsonl", *(["--revision", "tiny_v1"] if tiny else [])]
    marks = [max(round(count * share), 1) for share in SHARES]
    found = []
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        for number, _ in enumerate(process.stdout, 1):
            if number in marks:
                found.append((megabytes(process.pid, "VmRSS"), megabytes(process.pid, "VmHWM")))
    assert process.returncode == 0, f"the command ended with {process.returncode}"
    assert len(found) == len(marks), "rows are missing"
    return found, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--different", type=int, default=300, help="pictures that are no links")
    parser.add_argument("--tiny", action="store_true", help="a network of a few operations, not the one that ships")
    arguments = parser.parse_args()
    shares = (f"{share:.0%}" for share in SHARES)
    table = Table("run", *shares, "peak", "seconds", title=f"MB in use over {arguments.count:,} pictures")
    with tempfile.TemporaryDirectory() as folder:
        write_album(Path(folder) / "album", arguments.count, min(arguments.different, arguments.count))
        tiny = make_tiny_network(Path(folder) / "tiny.onnx", faces=True) if arguments.tiny else None
        for name in ("first", "second, all kept"):
            held, seconds = run(Path(folder) / "album", Path(folder) / "out", arguments.count, tiny)
            table.add_row(name, *(f"{now:.0f}" for now, _ in held), f"{held[-1][1]:.0f}", f"{seconds:.0f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
