"""Where a film cuts: hard cuts to the frame, also between like scenes, and dissolves and fades at their middle.

Frames are compared as 32 x 32 pictures. A hard cut changes the picture much more than its neighbours do, and what
follows does not come back: that tells it from a flash. A dissolve is the only change in which every frame is a
mixture of the first and the last one: camera moves are not.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

SIDE = 32
AHEAD, BEHIND = 8, 6
"""Frames after and before a hard cut that are compared with it."""
LEAST_CHANGE, LEAST_RATIO = 5.0, 2.2
"""A cut changes levels by at least so much on average, and so many times more than its neighbours."""
LEAST_AREA = 0.2
"""Share of the picture that a cut changes at least; less is a thing that comes or goes."""
UNLIKE = 0.12
"""A cut's two sides differ by at least so much in shape: 1 less their correlation."""
COMES_BACK = 0.55
"""A change after which the old picture comes back to less than this share of it is a flash."""
FLAT = 4.0
"""Standard deviation of levels below which a picture has no shape."""
DISSOLVES = (0.32, 0.5, 0.8, 1.2, 1.8)
"""Lengths of dissolves that are tried, in seconds."""
LEAST_DISSOLVE = 8.0
"""Levels by which a dissolve's ends differ on average, apart from their brightness and tint."""
MIXTURE = 0.3
"""How far a dissolve's frames may be from a mixture of its ends, as a share of the ends' difference."""
STEADY = 0.15
"""How far the picture may move just before and after a dissolve, as such a share."""
Vector = NDArray[np.float32]


class CutFinder:
    """Finds cuts in frames that come one by one. shortest: frames that a shot has at least."""

    def __init__(self, frames_per_second: float, shortest: int) -> None:
        self._rate, self._shortest = frames_per_second, shortest
        longest = int((max(DISSOLVES) + 0.5) * frames_per_second) + 2
        self._known: deque[tuple[int, Vector]] = deque(maxlen=max(longest, AHEAD + BEHIND + 2))
        self._count = 0
        self._last_cut = 0
        self._last_end = 0
        self._before: Vector | None = None
        self._flat_since: int | None = None

    def see(self, rough: NDArray[np.uint8]) -> list[int]:
        """Return the cuts that this frame makes sure of, as numbers of the frames that come first after them.

        rough: (n, n, 3) uint8 of a power of two of at least 32, in any order of colours.
        """
        vector = _features(rough)
        self._known.append((self._count, vector))
        self._count += 1
        return [*self._hard_cut(self._count - 1 - AHEAD), *self._dissolve(), *self._fade(vector)]

    def end(self) -> list[int]:
        """Return the cuts in the last frames."""
        first = max(self._count - AHEAD, 1)
        return [c for number in range(first, self._count) for c in self._hard_cut(number)]

    def _hard_cut(self, number: int) -> list[int]:
        """The number itself, if the film cuts there."""
        if number < 1 or number - self._last_cut < self._shortest or number < self._last_end:
            return []
        first = self._known[0][0]
        start = max(number - BEHIND, first)
        part = np.stack([self._known[i - first][1] for i in range(start, min(number + AHEAD + 1, self._count))])
        at = number - start
        if at < 1:
            return []
        steps = np.abs(np.diff(part, axis=0)).mean(1)
        change = float(steps[at - 1])
        others = np.delete(steps, at - 1)
        near = np.concatenate([steps[max(at - 4, 0) : at - 1], steps[at : at + 3]])
        usual = float(np.median(others)) if len(others) else 0.0
        most = float(near.max()) if len(near) else 0.0
        if change < LEAST_CHANGE or change < LEAST_RATIO * max(usual, 0.7 * most, 1.0):
            return []
        before, after = part[max(at - 3, 0) : at], part[at : at + AHEAD + 1]
        gaps = np.abs(before[:, None] - after[None]).mean(2)
        comes_back = float(gaps.min()) < COMES_BACK * change
        if comes_back or min(_unlike(before[-1], a) for a in after[: max(len(after) - 1, 1)]) < UNLIKE:
            return []
        if float((np.abs(part[at] - part[at - 1]).reshape(-1, 3).mean(1) > LEAST_CHANGE / 2).mean()) < LEAST_AREA:
            return []
        self._last_cut = number
        return [number]

    def _fade(self, vector: Vector) -> list[int]:
        """The middle of a flat stretch, where the film goes on with another picture."""
        if _spread(vector) < FLAT:
            if self._flat_since is None:
                self._flat_since = self._count - 1
            return []
        since, self._flat_since = self._flat_since, None
        if since is None:
            if _spread(vector) > 3 * FLAT:
                self._before = vector
            return []
        middle = (since + self._count - 1) // 2
        if self._before is None or middle - self._last_cut < self._shortest or _unlike(self._before, vector) < UNLIKE:
            return []
        self._last_cut = self._last_end = middle
        return [middle]

    def _dissolve(self) -> list[int]:
        """The middle of a dissolve that ended a few frames ago."""
        margin = max(3, round(0.2 * self._rate))
        end = self._count - 1 - margin
        first = self._known[0][0]
        for seconds in DISSOLVES:
            length = round(seconds * self._rate)
            begin = end - length
            if length < 5 or begin - margin < max(first, self._last_cut):
                continue
            one, other = self._known[begin - first][1], self._known[end - first][1]
            way = other - one
            far = float(np.abs(way).mean())
            if _shape_change(way) < LEAST_DISSOLVE or _unlike(one, other) < 2 * UNLIKE:
                continue
            if min(_spread(one), _spread(other)) < FLAT:  # a fade, not a dissolve
                continue
            around = np.stack([self._known[i - first][1] for i in range(begin - margin, self._count)])
            square = float(way @ way)
            shares = (around - one) @ way / square
            rest = np.abs(around - one - shares[:, None] * way[None]).mean(1) / far
            inside = slice(margin, margin + length + 1)
            outside = np.concatenate([shares[:margin], shares[margin + length + 1 :] - 1])
            if np.abs(outside).max() > STEADY or rest.max() > MIXTURE:
                continue
            course = shares[inside]
            if np.diff(course).min() < -0.08 or np.diff(course).max() > 0.45:
                continue
            if np.abs(course - np.linspace(0, 1, len(course))).max() > 0.35:
                continue
            middle = begin + int(np.argmax(course >= 0.5))
            if middle - self._last_cut < self._shortest:
                continue
            self._last_cut, self._last_end = middle, end
            return [middle]
        return []


def _features(rough: NDArray[np.uint8]) -> Vector:
    """Levels of a small picture, its colours side by side, slightly smoothed; (3072,)."""
    side = rough.shape[0] // SIDE
    small = rough[: side * SIDE, : side * SIDE].reshape(SIDE, side, SIDE, side, 3).mean((1, 3), dtype=np.float32)
    return np.ascontiguousarray(small).ravel()


def _spread(vector: Vector) -> float:
    """Standard deviation of a picture's brightness."""
    return float(vector.reshape(-1, 3).mean(1).std())


def _shape_change(way: Vector) -> float:
    """The mean difference of two pictures apart from their brightness and tint."""
    pixels = way.reshape(-1, 3)
    return float(np.abs(pixels - pixels.mean(0)).mean())


def _unlike(one: Vector, other: Vector) -> float:
    """1 less the correlation of two pictures' shapes, 0..2; of a flat one and another, 1."""
    a, b = (v.reshape(-1, 3).mean(1) for v in (one, other))
    a, b = a - a.mean(), b - b.mean()
    sizes = float(np.sqrt((a @ a) * (b @ b)))
    flat = FLAT * FLAT * len(a)
    if a @ a < flat and b @ b < flat:  # two flat pictures differ by their colours alone
        return 1.0 if np.abs(one - other).mean() > 3 * LEAST_CHANGE else 0.0
    if a @ a < flat or b @ b < flat:
        return 1.0
    return 1 - float(a @ b) / sizes
