"""Reframing a film against ffmpeg's own crop, with the same encoder: `python -m benchmarks.speed.films FILM`.

Both decode the film, cut 9:16 out of it and encode it with libx264, CRF 19, preset medium; ffmpeg's window rests. They
run in turn, and the median of the ratios pair by pair is quoted: of wall time, and of processor time, which other work
on the machine changes less. Another decode shows what one for both passes would save. ffmpeg has to be installed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eyefirst.films.encoding import EncodeOptions
from eyefirst.films.reader import VideoReader
from eyefirst.films.reframe import plan_reframe, render_reframe
from eyefirst.films.reframe_plan import ReframePlan

CRF, PRESET = 19, "medium"
Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds, each (wall, processor)."""

    ffmpeg: Pair
    analysis: Pair
    writing: Pair
    decoding: Pair

    @property
    def ratios(self) -> Pair:
        """How many times longer eyefirst takes."""
        wall, processor = ((a + w) / f for a, w, f in zip(self.analysis, self.writing, self.ffmpeg, strict=True))
        return wall, processor


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
    return Times(ffmpeg, analysis, writing, _seconds(lambda: _decode(film)))


def _decode(film: Path) -> None:
    with VideoReader(film) as reader:
        for _ in reader.frames():
            pass


def _seconds(call: Callable[[], object]) -> Pair:
    start, used = time.perf_counter(), sum(os.times()[:4])
    call()
    return time.perf_counter() - start, sum(os.times()[:4]) - used


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed.films")
    parser.add_argument("film", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    plan_reframe(options.film)  # loads what is loaded once
    with tempfile.TemporaryDirectory() as name:
        runs = [timed(options.film, Path(name)) for _ in range(options.runs)]
    print("what | wall, s | processor, s")
    for what in ("ffmpeg", "analysis", "writing", "decoding", "ratios"):
        wall, processor = (statistics.median(getattr(r, what)[i] for r in runs) for i in (0, 1))
        print(f"{what} | {wall:.2f} | {processor:.2f}")


if __name__ == "__main__":
    main()
