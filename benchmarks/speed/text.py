"""What reading only the salient regions saves, and what it misses: `python -m benchmarks.speed.text FOLDER`.

Every picture is read both ways in one run: the salient regions alone, and the whole picture. Time is from
the file to the words. Each line counts with the share of people's attention that falls on it, by the
attention map; so "attention on the words" is what the words that people look at weigh.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eyefirst.detectors import load_detector
from eyefirst.geometry import Box
from eyefirst.handler import ImageRequestHandler
from eyefirst.observations import TextObservation
from eyefirst.reading import read
from eyefirst.requests import AttentionSaliencyRequest, TextRecognitionRequest


def salient_only(path: Path) -> tuple[float, TextObservation]:
    """Seconds, and what was read."""
    started = time.perf_counter()
    seen = ImageRequestHandler(path).perform([TextRecognitionRequest()])[0]
    return time.perf_counter() - started, seen


def everything(path: Path) -> tuple[float, list[tuple[str, Box]]]:
    """Seconds, and all lines of the whole picture, without any saliency."""
    started = time.perf_counter()
    found = read(ImageRequestHandler(path).picture().image().pixels, [Box.whole()], load_detector("text"), rest=False)
    return time.perf_counter() - started, [(d.text, d.box) for d in found]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="pictures with text")
    paths = sorted(p for p in parser.parse_args().folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    table = Table("picture", "lines", "of all", "their attention", "of all", "area read", "seconds", "of all", "ratio")
    for path in paths:
        salient_only(path), everything(path)  # warm
        (seconds, seen), (all_seconds, all_lines) = salient_only(path), everything(path)
        attention = ImageRequestHandler(path).perform([AttentionSaliencyRequest()])[0].heat_map
        table.add_row(
            path.name,
            str(len(seen.texts)),
            str(len(all_lines)),
            f"{sum(attention.mass_in(t.box) for t in seen.texts):.2f}",
            f"{sum(attention.mass_in(box) for _, box in all_lines):.2f}",
            f"{sum(r.area for r in seen.regions):.2f}",
            f"{seconds:.2f}",
            f"{all_seconds:.2f}",
            f"{seconds / all_seconds:.2f}",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
