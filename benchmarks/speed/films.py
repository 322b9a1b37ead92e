"""Reframing a film against ffmpeg's own crop, with the same encoder: `python -m benchmarks.speed.films FILM`.

Both decode the film, cut 9:16 out of it and encode it with libx264, CRF 19, preset medium; ffmpeg's window rests. They
run in turn, and the median of the ratios pair by pair is quoted. ffmpeg has to be installed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eyefirst.films.encoding import EncodeOptions
from eyefirst.films.reframe import plan_reframe, render_reframe
from eyefirst.films.reframe_plan import ReframePlan
from eyefirst.network import load_network

CRF, PRESET = 19, "medium"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of wall time."""

    ffmpeg: float
    analysis: float
    writing: float

    @property
    def ratio(self) -> float:
        """How many times longer eyefirst takes."""
        return (self.analysis + self.writing) / self.ffmpeg


def timed(film: Path, folder: Path) -> Times:
    """Return the times of one run of each."""
    plans: list[ReframePlan] = []
    analysis = _seconds(lambda: plans.append(plan_reframe(film)))
    (plan,) = plans
    encode = EncodeOptions(codec="h264", quality=CRF, preset=PRESET)  # type: ignore[arg-type]
    writing = _seconds(lambda: render_reframe(plan, folder / "ours.mp4", encode=encode))
    crop = f"crop={plan.size.width}:{plan.size.height}"
    encoder = ["-c:v", "libx264", "-crf", str(CRF), "-preset", PRESET, "-c:a", "copy"]
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(film), "-vf", crop, *encoder, str(folder / "theirs.mp4")]
    ffmpeg = _seconds(lambda: subprocess.run(command, check=True))
    return Times(ffmpeg, analysis, writing)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed.films")
    parser.add_argument("film", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    load_network()
    with tempfile.TemporaryDirectory() as name:
        runs = [timed(options.film, Path(name)) for _ in range(options.runs)]
    for what in ("ffmpeg", "analysis", "writing"):
        print(f"{what}: {statistics.median(getattr(r, what) for r in runs):.2f} s")
    print(f"times as long as ffmpeg: {statistics.median(r.ratio for r in runs):.2f}")


if __name__ == "__main__":
    main()
