"""Dissolves between two still windows: one window for both shots, where that costs next to nothing.

In a dissolve both pictures are seen at once. Where the window jumps in the middle, both pictures jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from eyefirst.films.axis import snapped
from eyefirst.films.losses import WHOLE
from eyefirst.films.path import CameraPath, KeyFrame
from eyefirst.films.people import head_tracks, people_of, texts_of, widest
from eyefirst.films.reframe_plan import ShotPath
from eyefirst.films.sights import Shot, kept_in
from eyefirst.geometry import Box, Size

FARTHEST = 0.1
"""Share of the room beside the main head, or of the window, by which a window moves at most to meet the other one."""
AS_GOOD = 0.95
"""Share of the attention that a moved window keeps at least of what it kept before."""
STEPS = 20


def joined(shots: Sequence[Shot], paths: Sequence[ShotPath], size: Size) -> tuple[ShotPath, ...]:
    """Return the paths of shots, with one window for both sides of a dissolve where both hold still and hardly move.

    paths: one for each shot, in the film's order. size: of the film. Heads and lines of text that were whole stay so.
    """
    made = list(paths)
    for i, (before, after) in enumerate(pairwise(shots)):
        if not after.dissolved:
            continue
        window = _common(before, made[i], after, made[i + 1], size)
        if window is not None:
            made[i], made[i + 1] = _moved(before, made[i], window), _moved(after, made[i + 1], window)
    return tuple(made)


def _common(before: Shot, one: ShotPath, after: Shot, other: ShotPath, size: Size) -> Box | None:
    """A window for both shots, as near to both as can be; None, where there is none, or they have one already."""
    if not (_holds(one) and _holds(other)):
        return None
    a, b = one.path.keys[0].box, other.path.keys[0].box
    wide, high = a.width, a.height
    if a == b or abs(wide - b.width) > 1e-6 or abs(high - b.height) > 1e-6:
        return None
    sides = _Side.of(before, a), _Side.of(after, b)
    far, away = (side.farthest for side in sides)
    axis = int(abs(a.top - b.top) > abs(a.left - b.left))
    best = far[axis] / max(far[axis] + away[axis], 1e-9)  # a close-up moves less than a small face
    for share in sorted(np.linspace(0, 1, STEPS + 1), key=lambda s: abs(s - best)):
        left, top = (
            snapped(float((1 - share) * first + share * last), min(first, last), max(first, last), pixels)
            for first, last, pixels in ((a.left, b.left, size.width), (a.top, b.top, size.height))
        )
        window = Box(left, top, min(left + wide, 1.0), min(top + high, 1.0))
        if all(side.bears(window) for side in sides):
            return window
    return None


def _holds(path: ShotPath) -> bool:
    return path.kind == "hold" and path.padding is None and len(path.path.keys) == 1


@dataclass(frozen=True)
class _Side:
    """A shot beside a dissolve, and what of it a window that moves may not lose.

    farthest: how far the window moves at most, across and down, in shares of the frame. whole: heads and lines of text
    that were whole. kept: the share of the attention that was kept.
    """

    shot: Shot
    window: Box
    farthest: tuple[float, float]
    whole: tuple[Box, ...]
    kept: float

    @classmethod
    def of(cls, shot: Shot, window: Box) -> _Side:
        tracks = head_tracks(shot)
        wide, high = widest(people_of(shot, tracks), shot.sights)
        boxes = [head for track in tracks for head in track.heads.values()]
        boxes += [line for line, _ in texts_of(shot)]
        return cls(
            shot,
            window,
            (FARTHEST * max(window.width - wide, 0.0), FARTHEST * max(window.height - high, 0.0)),
            tuple(box for box in boxes if _is_whole(box, window)),
            _kept(shot, window),
        )

    def bears(self, window: Box) -> bool:
        """Whether the shot loses little by a window that moves."""
        across, down = self.farthest
        if abs(window.left - self.window.left) > across or abs(window.top - self.window.top) > down:
            return False
        if not all(_is_whole(box, window) for box in self.whole):
            return False
        return _kept(self.shot, window) >= AS_GOOD * self.kept


def _is_whole(box: Box, window: Box) -> bool:
    return window.overlap(box) >= WHOLE * box.area


def _kept(shot: Shot, window: Box) -> float:
    return float(np.mean([kept_in(s, window) for s in shot.sights]))


def _moved(shot: Shot, path: ShotPath, window: Box) -> ShotPath:
    key = path.path.keys[0]
    return replace(path, path=CameraPath((KeyFrame(key.seconds, window),)), kept=_kept(shot, window))
