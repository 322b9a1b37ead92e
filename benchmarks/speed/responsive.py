"""A responsive set, twelve JPEGs of one photo, beside libvips: `python -m benchmarks.speed.responsive`.

Four ratios at 320, 640 and 1,280 pixels, quality 80. We decode and analyse once; libvips is called for each file.
Processor time of one thread, so that other work on the machine counts less; rounds in turn, medians. libvips:
pip install pyvips pyvips-binary.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["VIPS_CONCURRENCY"] = "1"

from rich.console import Console
from rich.table import Table

from benchmarks.speed.albums import photographs, write_album
from eyefirst.albums.thumbnails import ThumbnailSettings, make_one, sizes_of
from eyefirst.geometry import AspectRatio

RATIOS, WIDTHS, QUALITY = ("1:1", "4:5", "16:9", "9:16"), (320, 640, 1280), 80
SETTINGS = ThumbnailSettings(
    sizes=sizes_of((), RATIOS, WIDTHS), ratios=tuple(map(AspectRatio.parse, RATIOS)), quality=QUALITY
)
FILES = {"12 MP JPEG": (4000, 3000), "3 MP JPEG": (2000, 1500)}


def ours(file: Path, out: Path) -> None:
    """The way users call it, without the journal."""
    make_one(file, out / "ours", SETTINGS)


def vips(file: Path, out: Path) -> None:
    """One call for each file of the set."""
    import pyvips  # noqa: PLC0415 - a rival

    for size in SETTINGS.sizes:
        made = pyvips.Image.thumbnail(str(file), size.width, height=size.height, crop="attention")
        made.write_to_file(str(out / f"vips_{size}.jpg"), Q=QUALITY)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photos to make the files of")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    ways: dict[str, Callable[[Path, Path], None]] = {"eyefirst": ours, "libvips attention": vips}
    table = Table("file", *ways, "our rate", title="A set of twelve: processor time in ms")
    with tempfile.TemporaryDirectory() as folder:
        for kind, size in FILES.items():
            made = Path(folder) / kind
            write_album(made, photographs(arguments.photos), size, "jpg", 1)
            (file,) = made.iterdir()
            spent: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(arguments.rounds + 1):
                for name, way in ways.items():
                    started = time.process_time()
                    way(file, Path(folder))
                    if number:  # the first round is a warm-up
                        spent[name].append(1e3 * (time.process_time() - started))
            ratio = statistics.median(b / a for a, b in zip(*spent.values(), strict=True))
            table.add_row(kind, *(f"{statistics.median(ms):.0f}" for ms in spent.values()), f"{ratio:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
