"""The measures themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eyefirst.films.frames import VideoFrame
from eyefirst.films.reader import VideoReader
from eyefirst.films.reframe import plan_reframe, render_reframe
from eyefirst.films.reframe_plan import ReframePlan
from eyefirst.films.shots import watch
from eyefirst.films.sights import Footage, Sight, kept_in
from eyefirst.films.writer import VideoWriter
from eyefirst.geometry import Box

STEP = 1 / 24
FREE_PLACES = 200


@dataclass(frozen=True, slots=True)
class PathFigures:
    """Of one film. Shares of the attention kept, 0..1; mean speed in window widths a second, mean jerk in window
    widths a second cubed, of the path and of the best window of each analysed frame; cuts are left out.
    """

    kept: float
    kept_by_centre: float
    kept_by_best: float
    speed: float
    raw_speed: float
    jerk: float
    raw_jerk: float

    @property
    def gap_closed(self) -> float:
        """0 is the centre crop, 1 the best window of every frame."""
        gap = self.kept_by_best - self.kept_by_centre
        return (self.kept - self.kept_by_centre) / gap if gap > 1e-6 else float("nan")


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds: analysis; writing; decoding and encoding alone. frames: of the film."""

    analysis: float
    writing: float
    alone: float
    frames: int

    @property
    def added_by_analysis(self) -> float:
        """What analysis adds to decoding and encoding alone, as a share of that."""
        return self.analysis / self.alone

    @property
    def added(self) -> float:
        """The same with writing, which moves the window, and so gives the encoder other pixels."""
        return (self.analysis + self.writing) / self.alone - 1


def path_figures(footage: Footage, plan: ReframePlan) -> PathFigures:
    """Of a plan, against the centre crop and the best window of each frame."""
    window = plan.box_at(0)
    sights = [s for shot in footage.shots for s in shot.sights]
    best = [best_window(s, window) for s in sights]
    centre = Box((1 - window.width) / 2, (1 - window.height) / 2, (1 + window.width) / 2, (1 + window.height) / 2)
    speeds: list[NDArray[np.float64]] = []
    raw: list[NDArray[np.float64]] = []
    jerks: list[NDArray[np.float64]] = []
    raw_jerks: list[NDArray[np.float64]] = []
    windows = dict(zip([s.seconds for s in sights], best, strict=True))
    for shot in footage.shots:
        if len(shot.sights) < 4:
            continue
        known = [float(s.seconds) for s in shot.sights]
        times = np.arange(known[0], known[-1], STEP)
        planned = _places([plan.box_at(float(t)) for t in times])
        jumps = _places([windows[s.seconds] for s in shot.sights])
        picked = jumps[np.searchsorted(known, times, side="right") - 1]
        for places, speed, jerk in ((planned, speeds, jerks), (picked, raw, raw_jerks)):
            speed.append(np.abs(np.diff(places, axis=0)).sum(1) / STEP)
            jerk.append(np.abs(np.diff(places, 3, axis=0)).sum(1) / STEP**3)
    return PathFigures(
        float(np.mean([kept_in(s, plan.box_at(s.seconds)) for s in sights])),
        float(np.mean([kept_in(s, centre) for s in sights])),
        float(np.mean([kept_in(s, b) for s, b in zip(sights, best, strict=True)])),
        *(float(np.concatenate(v).mean()) if v else 0.0 for v in (speeds, raw, jerks, raw_jerks)),
    )


def best_window(sight: Sight, window: Box) -> Box:
    """Of this size, the one with the most attention; each axis by itself, exact where one is full."""
    starts = []
    for sums, share in ((sight.across, window.width), (sight.down, window.height)):
        table = np.concatenate([[0.0], np.cumsum(sums, dtype=np.float64)])
        edges = np.linspace(0, 1, len(table))
        places = np.linspace(0, 1 - share, FREE_PLACES + 1)
        kept = np.interp(places + share, edges, table) - np.interp(places, edges, table)
        starts.append(float(places[int(kept.argmax())]))
    left, top = starts
    return Box(left, top, min(left + window.width, 1), min(top + window.height, 1))


def fully_inside(
    plan: ReframePlan, subjects_at: Callable[[float], Sequence[Box]], seconds: float, slack: float = 0.005
) -> float:
    """How often at least one subject lies fully inside of the window, 0..1."""
    times = np.arange(0, seconds, STEP)
    good = 0
    for t in times:
        window = plan.box_at(float(t))
        good += any(window.left <= s.left + slack and window.right >= s.right - slack for s in subjects_at(float(t)))
    return good / len(times)


def costs(source: Path, aspect: str, folder: Path) -> Costs:
    """Times of one run on this machine."""
    start = time.perf_counter()
    plan = plan_reframe(watch(source), aspect)
    planned = time.perf_counter()
    made = render_reframe(plan, folder / "reframed.mp4")
    written = time.perf_counter()
    _alone(source, plan, folder / "alone.mp4")
    return Costs(planned - start, written - planned, time.perf_counter() - written, made.frames)


def _alone(source: Path, plan: ReframePlan, target: Path) -> None:
    """Decodes, cuts the same still window out of every frame, encodes."""
    width, height = plan.size.width / plan.video_size.width, plan.size.height / plan.video_size.height
    still = Box(0, 0, min(width, 1), min(height, 1))
    rate: Fraction
    with VideoReader(source) as reader:
        rate = reader.info.frames_per_second
        with VideoWriter(target, plan.size, rate, like=reader) as writer:
            for found in reader.frames_and_packets(writer.carried):
                if isinstance(found, VideoFrame):
                    writer.write_cut(found, still)
                else:
                    writer.copy(found)


def _places(boxes: Sequence[Box]) -> NDArray[np.float64]:
    return np.array([[b.left / b.width, b.top / b.height] for b in boxes])
