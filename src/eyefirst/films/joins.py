"""Dissolves between two still windows: one window for both shots, where that costs little.

In a dissolve both pictures are seen at once. Where the window jumps in the middle, both pictures jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from eyefirst.films.axis import snapped
from eyefirst.films.path import CameraPath, KeyFrame
from eyefirst.films.people import head_tracks, people_of, texts_of, widest
from eyefirst.films.reframe_plan import ShotPath
from eyefirst.films.sights import Shot, kept_in
from eyefirst.geometry import Box, Size

FARTHEST = 0.4
"""Share of the room beside the main head, or of the window, by which a window moves at most to meet the other one."""
WHOLE = 0.97
"""A head, or a line of text, is whole where this share of it is inside."""
AS_GOOD = 0.95
"""Share of the attention that a moved window keeps at least of what it kept before."""
STEPS = 20


def joined(shots: Sequence[Shot], paths: Sequence[ShotPath], size: Size) -> tuple[ShotPath, ...]:
    """Return the paths of shots, with one window for both sides of a dissolve where both hold still and lose little.

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
    far, away = _farthest(before, a), _farthest(after, b)
    axis = int(abs(a.top - b.top) > abs(a.left - b.left))
    best = far[axis] / max(far[axis] + away[axis], 1e-9)  # a close-up moves less than a small face
    for share in sorted(np.linspace(0, 1, STEPS + 1), key=lambda s: abs(s - best)):
        left, top = (
            snapped(float((1 - share) * first + share * last), min(first, last), max(first, last), pixels)
            for first, last, pixels in ((a.left, b.left, size.width), (a.top, b.top, size.height))
        )
        window = Box(left, top, min(left + wide, 1.0), min(top + high, 1.0))
        if _will_do(before, a, window) and _will_do(after, b, window):
            return window
    return None


def _holds(path: ShotPath) -> bool:
    return path.kind == "hold" and path.padding is None and len(path.path.keys) == 1


def _farthest(shot: Shot, window: Box) -> tuple[float, float]:
    """How far the window of a shot moves at most, across and down, in shares of the frame."""
    wide, high = widest(people_of(shot, head_tracks(shot)), shot.sights)
    return FARTHEST * max(window.width - wide, 0.0), FARTHEST * max(window.height - high, 0.0)


def _will_do(shot: Shot, old: Box, new: Box) -> bool:
    """Whether a shot loses little by a window that moves."""
    across, down = _farthest(shot, old)
    if abs(new.left - old.left) > across or abs(new.top - old.top) > down:
        return False
    boxes = [head for track in head_tracks(shot) for head in track.heads.values()]
    boxes += [line for line, _ in texts_of(shot)]
    if any(old.overlap(box) >= WHOLE * box.area > new.overlap(box) for box in boxes):
        return False
    return sum(kept_in(s, new) for s in shot.sights) >= AS_GOOD * sum(kept_in(s, old) for s in shot.sights)


def _moved(shot: Shot, path: ShotPath, window: Box) -> ShotPath:
    key = path.path.keys[0]
    kept = float(np.mean([kept_in(s, window) for s in shot.sights]))
    return replace(path, path=CameraPath((KeyFrame(key.seconds, window),)), kept=kept)
