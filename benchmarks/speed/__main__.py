"""Time, as ratios measured in one run: `python -m benchmarks.speed [PHOTO.jpg]`.

Every pair of rivals is timed in turn, A B A B ..., and the median of the ratios pair by pair is
quoted, so that a machine whose speed drifts does not favour either.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from rich.console import Console
from rich.table import Table
from tests.golden.make import PHOTOS, photo

from benchmarks.speed.reference_networks import SIDE, dense, depthwise
from eyefirst.framing.search import even_windows, joined
from eyefirst.handler import ImageRequestHandler
from eyefirst.network import Network, OnnxNetwork, default_revision
from eyefirst.tools.planning import plan_crops
from eyefirst.weight_store import find_weights

MEGAPIXELS_12 = (4000, 3000)
RATIOS = ("1:1", "16:9", "9:16", "3:1")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Median seconds of both sides, and the median of the ratios of neighbouring runs."""

    what: str
    against: str
    seconds: float
    rival_seconds: float
    ratio: float


def compare(what: str, ours: Callable[[], object], against: str, rival: Callable[[], object], runs: int) -> Comparison:
    """Times two calls in turn, after a warm-up of each."""
    ours(), rival()
    pairs = []
    for _ in range(runs):
        pairs.append(tuple(_seconds(call) for call in (ours, rival)))
    return Comparison(
        what,
        against,
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def networks(folder: Path, runs: int) -> list[Comparison]:
    """The shipped network against both reference networks, one onnxruntime thread each."""
    picture = np.random.default_rng(0).integers(0, 255, (1, SIDE, SIDE, 3), np.uint8)
    shipped = OnnxNetwork(find_weights(default_revision()))
    rows = []
    for make in (depthwise, dense):
        sketch = make(folder / f"{make.__name__}.onnx")
        rival = OnnxNetwork(folder / f"{make.__name__}.onnx")
        rows.append(
            compare(
                f"network {shipped.revision}",
                lambda: shipped.predict(picture),
                f"plain {make.__name__} network, {sketch.macs / 1e9:.2f} GMAC, float32",
                _predicting(rival, picture),
                runs,
            )
        )
    return rows


def _predicting(network: Network, picture: np.ndarray) -> Callable[[], object]:
    return lambda: network.predict(picture)


def journey(file: Path, runs: int) -> Comparison:
    """From a JPEG's path to a plan of four ratios, against Pillow's reduced decode of the same file alone."""

    def decode() -> None:
        with PIL.Image.open(file) as picture:
            picture.draft("RGB", (SIDE, SIDE))
            picture.load()

    return compare(
        "12 MP JPEG to a plan of 4 ratios", lambda: plan_crops(file, RATIOS), "Pillow's reduced decode", decode, runs
    )


def planning(runs: int) -> list[Comparison]:
    """Plans of six photos that were looked at, against the run of the network that each of them needed before."""
    shipped = OnnxNetwork(find_weights(default_revision()))
    picture = np.random.default_rng(0).integers(0, 255, (1, SIDE, SIDE, 3), np.uint8)
    handlers = [ImageRequestHandler(photo(name)) for name in PHOTOS]

    def plans(ratios: Sequence[str], *, fresh: bool) -> None:
        for handler in handlers:
            if fresh:
                even_windows.cache_clear()
                joined.cache_clear()
            plan_crops(handler, ratios)

    def networks() -> None:
        for _ in handlers:
            shipped.predict(picture)

    rows: list[tuple[str, Callable[[], object]]] = [
        ("1 ratio", lambda: plans(RATIOS[:1], fresh=True)),
        ("4 ratios", lambda: plans(RATIOS, fresh=True)),
        ("4 ratios of a size seen before", lambda: plans(RATIOS, fresh=False)),
    ]
    rival = f"as many runs of {shipped.revision}, one thread"
    return [compare(f"6 plans, maps at hand: {what}", ours, rival, networks, runs) for what, ours in rows]


def imports(runs: int) -> Comparison:
    """A Python that imports the package against one that does not."""
    return compare(
        "python -c 'import eyefirst'",
        lambda: subprocess.run([sys.executable, "-c", "import eyefirst"], check=True),
        "python -c 'pass'",
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
        runs,
    )


def photo_of_12_megapixels(folder: Path, given: Path | None) -> Path:
    """The given JPEG, or scikit-learn's photo of a temple enlarged to 4000 x 3000."""
    if given:
        return given
    from sklearn.datasets import load_sample_image  # noqa: PLC0415 - only when no photo is given

    path = folder / "12mp.jpg"
    enlarged = PIL.Image.fromarray(load_sample_image("china.jpg")).resize(MEGAPIXELS_12, PIL.Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 6, (*MEGAPIXELS_12[::-1], 1))  # a sensor's grain: real files have it
    grainy = np.clip(np.asarray(enlarged) + noise, 0, 255).astype(np.uint8)
    PIL.Image.fromarray(grainy).save(path, quality=90)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path, nargs="?", help="a 12-megapixel JPEG of your own")
    parser.add_argument("--runs", type=int, default=31)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = networks(folder, arguments.runs)
        rows.append(journey(photo_of_12_megapixels(folder, arguments.photo), arguments.runs))
        rows += planning(arguments.runs)
        rows.append(imports(min(arguments.runs, 11)))
    table = Table("what", "ms", "against", "ms ", "ratio", title="Medians of one run; the ratio is taken pair by pair")
    for r in rows:
        table.add_row(r.what, f"{1e3 * r.seconds:.1f}", r.against, f"{1e3 * r.rival_seconds:.1f}", f"{r.ratio:.2f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
