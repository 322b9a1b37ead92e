"""Where a film cuts: hard cuts to the frame, also between like scenes, and dissolves and fades at their middle.

Frames are compared as 32 x 32 pictures. A hard cut changes the picture much more than its neighbours do, and what
follows does not come back: that tells it from a flash. A dissolve is the only change in which every frame is a
mixture of two pictures, each of which goes on moving as it did; and a mixture has less contrast than its parts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
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
LESS_CONTRAST = 0.86
"""Contrast (variance) in the middle of a dissolve, at most, as a share of its ends'."""
FARTHEST, LOOKS = 8, 6
"""Pixels of 64 that a picture moves at most in the frames beside a dissolve; frames of it that are looked at."""
EXPLAINED, NEEDED, ALIKE, OFF_COURSE, UNSTEADY = 0.66, 0.08, 0.65, 0.3, 0.24
"""A mixture of both pictures explains this much of each frame, and of one this much more than either does alone; both
are no more alike (correlation). The second one's share is no further from an even course, and outside of the dissolve
no further from 0 and 1."""
Vector = NDArray[np.float32]
Picture = NDArray[np.float32]
Places = NDArray[np.float64]


class _Seen(NamedTuple):
    """A frame.

    vector: its levels (see `_features`). step: how far these are from the frame before, on average. grey: its
    brightness, as large as the frame. variance: of that.
    """

    number: int
    vector: Vector
    step: float
    grey: Picture
    variance: float


class CutFinder:
    """Finds cuts in frames that come one by one. shortest: frames that a shot has at least.

    dissolves: those of the cuts found so far that are the middle of a dissolve.
    """

    def __init__(self, frames_per_second: float, shortest: int) -> None:
        self._rate, self._shortest = frames_per_second, shortest
        longest = int((max(DISSOLVES) + 0.5) * frames_per_second) + 2
        self.dissolves: set[int] = set()
        self._known: deque[_Seen] = deque(maxlen=max(longest, AHEAD + BEHIND + 2))
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
        grey = rough.mean(2, dtype=np.float32)
        step = float(np.abs(vector - self._known[-1].vector).mean()) if self._known else 0.0
        self._known.append(_Seen(self._count, vector, step, grey, float(grey.var())))
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
        first = self._known[0].number
        start = max(number - BEHIND, first)
        seen = [self._known[i - first] for i in range(start, min(number + AHEAD + 1, self._count))]
        at = number - start
        if at < 1:
            return []
        steps = np.array([s.step for s in seen[1:]])
        change = float(steps[at - 1])
        others = np.delete(steps, at - 1)
        near = np.concatenate([steps[max(at - 4, 0) : at - 1], steps[at : at + 3]])
        usual = float(np.median(others)) if len(others) else 0.0
        most = float(near.max()) if len(near) else 0.0
        if change < LEAST_CHANGE or change < LEAST_RATIO * max(usual, 0.7 * most, 1.0):
            return []
        part = np.stack([s.vector for s in seen])
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
        first = self._known[0].number
        for seconds in DISSOLVES:
            begin = end - round(seconds * self._rate)
            if end - begin < 5 or begin - margin < max(first, self._last_cut):
                continue
            ends = (self._known[begin - first].variance, self._known[end - first].variance)
            middle = self._known[begin - first + (end - begin) // 2].variance
            if min(ends) < FLAT * FLAT or middle > LESS_CONTRAST * (sum(ends) / 2):  # a fade, or no mixture
                continue
            part = [self._known[i - first] for i in range(begin - margin, end + margin + 1)]
            shares = _dissolved(part, margin)
            if shares is None:
                continue
            cut = begin + int(np.argmax(shares >= 0.5))
            if cut - self._last_cut < self._shortest:
                continue
            self._last_cut, self._last_end = cut, end
            self.dissolves.add(cut)
            return [cut]
        return []


def _dissolved(part: Sequence[_Seen], margin: int) -> Places | None:
    """How far each frame of a dissolve between two moving pictures has gone, 0..1; None, where it is none.

    part: the frames, with `margin` more on both sides. Both pictures are taken to go on moving as they move outside.
    Their mixture has less contrast than they have (Lienhart, "Comparison of automatic shot boundary detection
    algorithms", 1999), and explains what is seen.
    """
    length = len(part) - 2 * margin - 1
    one, other = part[margin], part[-margin - 1]
    if _shape_change(other.vector - one.vector) < LEAST_DISSOLVE or _unlike(one.vector, other.vector) < 2 * UNLIKE:
        return None
    before, after = _motion(part[0].grey, one.grey) / margin, _motion(other.grey, part[-1].grey) / margin
    steps = np.linspace(-margin, length + margin, LOOKS + 4).round()
    found = np.empty((len(steps), 4))
    for i in sorted(range(len(steps)), key=lambda i: abs(2 * i + 1 - len(steps))):  # the middle tells soonest
        k = steps[i]
        found[i] = _mixture(part[int(k) + margin].grey, (one.grey, before * k), (other.grey, after * (k - length)))
        _, explained, _, alike = found[i]
        if explained < EXPLAINED or (2 <= i < len(steps) - 2 and alike > ALIKE):
            return None
    shares, needed = found[:, 0], found[:, 2]
    wanted = np.clip(steps / length, 0, 1)
    if needed.max() < NEEDED:
        return None
    off = np.abs(shares - wanted)
    if off.max() > OFF_COURSE or max(off[0], off[-1]) > UNSTEADY:
        return None
    return np.interp(np.arange(length + 1), steps, np.maximum.accumulate(shares))


def _motion(one: Picture, other: Picture) -> Places:
    """How many pixels a picture moves down and right from one frame to another, at most FARTHEST."""
    inner = one[FARTHEST:-FARTHEST:2, FARTHEST:-FARTHEST:2]
    places = sliding_window_view(other, (one.shape[0] - 2 * FARTHEST, one.shape[1] - 2 * FARTHEST))
    errors = np.abs(places[..., ::2, ::2] - inner).mean((2, 3))
    errors[FARTHEST, FARTHEST] -= 1e-3  # of equal ones, rest
    return np.array(np.unravel_index(errors.argmin(), errors.shape), np.float64) - FARTHEST


def _mixture(
    seen: Picture, one: tuple[Picture, Places], other: tuple[Picture, Places]
) -> tuple[float, float, float, float]:
    """Fit a frame by two moved pictures.

    Return the second one's share; how much of the frame's variance both explain, and how much more than one of them;
    and how alike both are. All in 0..1.
    """
    high, wide = seen.shape
    moves = [np.clip(np.round(m), -high // 2, high // 2).astype(int) for _, m in (one, other)]
    top, left = (max(0, *(int(m[i]) for m in moves)) for i in (0, 1))
    bottom, right = (s + min(0, *(int(m[i]) for m in moves)) for i, s in ((0, high), (1, wide)))
    if bottom - top < high // 4 or right - left < wide // 4:
        return 0.0, 0.0, 0.0, 1.0
    parts = [
        picture[top - y : bottom - y, left - x : right - x].ravel()
        for (picture, _), (y, x) in zip((one, other), moves, strict=True)
    ]
    a, b, x = (v - v.mean() for v in (*parts, seen[top:bottom, left:right].ravel()))
    aa, bb, ab, xx = float(a @ a), float(b @ b), float(a @ b), float(x @ x)
    room = max(aa * bb - ab * ab, 1e-6)
    of_a = (float(a @ x) * bb - float(b @ x) * ab) / room
    of_b = (float(b @ x) * aa - float(a @ x) * ab) / room
    rest = x - of_a * a - of_b * b
    explained = 1 - float(rest @ rest) / max(xx, 1e-6)
    alone = max(float(a @ x) ** 2 / max(aa, 1e-6), float(b @ x) ** 2 / max(bb, 1e-6)) / max(xx, 1e-6)
    return of_b / max(of_a + of_b, 1e-6), explained, explained - alone, ab / max(np.sqrt(aa * bb), 1e-6)


def _features(rough: NDArray[np.uint8]) -> Vector:
    """Levels of a small picture, its colours side by side, slightly smoothed; (3072,)."""
    side = rough.shape[0] // SIDE
    part = rough[: side * SIDE, : side * SIDE]
    small = np.zeros((SIDE, SIDE, 3), np.float32)
    for row in range(side):
        for column in range(side):
            small += part[row::side, column::side]
    return (small / side**2).ravel()


def _spread(vector: Vector) -> float:
    """Standard deviation of a picture's brightness."""
    return float(_brightness(vector).std())


def _brightness(vector: Vector) -> Vector:
    """The mean of a picture's colours, pixel by pixel; by a product, which is faster than a mean."""
    return vector.reshape(-1, 3) @ np.full(3, 1 / 3, np.float32)


def _shape_change(way: Vector) -> float:
    """The mean difference of two pictures apart from their brightness and tint."""
    pixels = way.reshape(-1, 3)
    return float(np.abs(pixels - pixels.mean(0)).mean())


def _unlike(one: Vector, other: Vector) -> float:
    """1 less the correlation of two pictures' shapes, 0..2; of a flat one and another, 1."""
    a, b = (_brightness(v) for v in (one, other))
    a, b = a - a.mean(), b - b.mean()
    sizes = float(np.sqrt((a @ a) * (b @ b)))
    flat = FLAT * FLAT * len(a)
    if a @ a < flat and b @ b < flat:  # two flat pictures differ by their colours alone
        return 1.0 if np.abs(one - other).mean() > 3 * LEAST_CHANGE else 0.0
    if a @ a < flat or b @ b < flat:
        return 1.0
    return 1 - float(a @ b) / sizes
