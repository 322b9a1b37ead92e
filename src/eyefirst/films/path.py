"""Camera moves as data: key frames, and the path between them.

Two ways lead from key frame to key frame. A *move* starts and ends at rest (minimum jerk, Flash and Hogan
1985). The frame's size changes by equal ratios in equal times, so that it looks even. Its edges move in step
with it (van Wijk and Nuij, InfoVis 2003, smooth zooming and panning). A *track* follows a subject:
its key frames, evenly spaced in time, control a uniform cubic B-spline, whose place, speed and acceleration are
always between those of its control points. Either way a path never leaves the picture.

`smooth_track` finds the control points: the L1-optimal path of Grundmann, Kwatra and Essa (CVPR 2011) with
speed and acceleration bounded, a linear program. L1 rather than least squares, because its optimum is made
of rests, even pans and even accelerations, as a person would shoot; least squares drifts all the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eyefirst.errors import InvalidPlanError, InvalidValueError, MissingExtraError
from eyefirst.geometry import Box
from eyefirst.numeric import is_number
from eyefirst.written import PLAN_AGAIN, reads_back

PEAK = 1.875
"""Highest speed of a minimum-jerk move, in multiples of its mean."""
SAMPLES = 64
STILLNESS = (10.0, 1.0, 100.0)
"""What first, second and third differences of a track cost, as in Grundmann et al., section 3.3."""
MOTION_COST = 0.0015
"""What motion costs against losing sight of the target by one frame width for one key frame."""
PIECE, OVERLAP = 400, 40
"""Key frames solved for at once, and how far each piece looks into the next."""
Interpolation = Literal["move", "track"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedLimits:
    """What is pleasant to watch. pan: frame widths a second; zoom: doublings or halvings a second."""

    pan: float = 0.25
    zoom: float = 0.35

    def __post_init__(self) -> None:
        if not all(is_number(speed) and speed > 0 for speed in (self.pan, self.zoom)):
            raise InvalidValueError(f"expected speeds above 0, got {self}", remedy="0.25 and 0.35 are calm")
        object.__setattr__(self, "pan", float(self.pan))
        object.__setattr__(self, "zoom", float(self.zoom))


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """What is shown at a time: a box in 0..1 of the upright picture, seconds from the move's start."""

    seconds: float
    box: Box

    def __post_init__(self) -> None:
        if not is_number(self.seconds):
            raise InvalidValueError(f"expected a time in seconds, got {self.seconds!r}", remedy="for example 1.5")
        object.__setattr__(self, "seconds", float(self.seconds))
        object.__setattr__(self, "box", Box.parse(self.box))

    def to_dict(self) -> dict[str, Any]:
        """Return time and box by name, for JSON."""
        return {"seconds": self.seconds, "box": self.box.to_dict()}

    @classmethod
    @reads_back(InvalidPlanError, PLAN_AGAIN)
    def from_dict(cls, values: Mapping[str, Any]) -> KeyFrame:
        """Read what `to_dict` wrote. Raises InvalidPlanError."""
        return cls(float(values["seconds"]), Box.from_dict(values["box"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackLimits:
    """How a camera may follow a subject. speed: frame widths a second; acceleration: frame widths a second squared."""

    speed: float = 1.2
    acceleration: float = 5.0

    def __post_init__(self) -> None:
        if not all(is_number(limit) and limit > 0 for limit in (self.speed, self.acceleration)):
            raise InvalidValueError(f"expected limits above 0, got {self}", remedy="leave them out to follow people")
        object.__setattr__(self, "speed", float(self.speed))
        object.__setattr__(self, "acceleration", float(self.acceleration))


@dataclass(frozen=True, slots=True)
class CameraPath:
    """Where the frame is over time: one or more key frames at rising times.

    interpolation: "move", from rest to rest; "track", a B-spline over key frames that are evenly spaced.
    """

    keys: tuple[KeyFrame, ...]
    interpolation: Interpolation = "move"

    def __post_init__(self) -> None:
        times = [k.seconds for k in self.keys]
        if not times or any(b <= a for a, b in pairwise(times)):
            raise InvalidPlanError(f"expected key frames at rising times, got {times}", remedy="one or more")
        if self.interpolation not in ("move", "track"):
            raise InvalidPlanError(f"expected move or track, got {self.interpolation!r}", remedy="choose one")
        steps = np.diff(times)
        if self.interpolation == "track" and len(steps) and steps.max() - steps.min() > 0.01 * steps.mean():
            raise InvalidPlanError("expected evenly spaced key frames of a track", remedy="or make it a move")

    def box_at(self, seconds: float) -> Box:
        """The frame at a time; before the first and after the last key frame it rests."""
        if seconds <= self.keys[0].seconds:
            return self.keys[0].box
        if seconds >= self.keys[-1].seconds:
            return self.keys[-1].box
        if self.interpolation == "track":
            return self._on_spline(seconds)
        start, end = next((a, b) for a, b in pairwise(self.keys) if seconds <= b.seconds)
        return between(start.box, end.box, (seconds - start.seconds) / (end.seconds - start.seconds))

    def to_dict(self) -> dict[str, Any]:
        """Return interpolation and key frames by name, for JSON."""
        return {"interpolation": self.interpolation, "keys": [k.to_dict() for k in self.keys]}

    @classmethod
    @reads_back(InvalidPlanError, PLAN_AGAIN)
    def from_dict(cls, values: Mapping[str, Any]) -> CameraPath:
        """Read what `to_dict` wrote. Raises InvalidPlanError."""
        return cls(tuple(KeyFrame.from_dict(k) for k in values["keys"]), values["interpolation"])

    def _on_spline(self, seconds: float) -> Box:
        first, last = self.keys[0].seconds, self.keys[-1].seconds
        place = (seconds - first) / (last - first) * (len(self.keys) - 1)
        segment = min(int(place), len(self.keys) - 2)
        u = place - segment
        weights = ((1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3)
        edges = [
            sum(w * v for w, v in zip(weights, self._controls(segment, name), strict=True)) / 6
            for name in ("left", "top", "right", "bottom")
        ]
        return Box(*edges)

    def _controls(self, segment: int, name: str) -> tuple[float, float, float, float]:
        """Four control points; beyond the ends the straight line goes on, so that the path meets its end points."""
        b, c = (getattr(self.keys[segment + i].box, name) for i in (0, 1))
        a = getattr(self.keys[segment - 1].box, name) if segment > 0 else 2 * b - c
        d = getattr(self.keys[segment + 2].box, name) if segment + 2 < len(self.keys) else 2 * c - b
        return a, b, c, d


def eased(share: float) -> float:
    """Minimum jerk: 0..1 to 0..1, at rest at both ends."""
    t = min(max(share, 0.0), 1.0)
    return t * t * t * (10 + t * (6 * t - 15))


def between(start: Box, end: Box, share: float) -> Box:
    """The frame after a share (0..1) of the time from one to another, both of one ratio."""
    s = eased(share)
    ratio = end.width / start.width
    if abs(ratio - 1) > 1e-6:
        s = (1 - ratio**s) / (1 - ratio)
    edges = ((1 - s) * a + s * b for a, b in ((start.left, end.left), (start.top, end.top)))
    left, top = edges
    width, height = ((1 - s) * a + s * b for a, b in ((start.width, end.width), (start.height, end.height)))
    return Box(left, top, min(left + width, 1.0), min(top + height, 1.0))


def seconds_needed(start: Box, end: Box, limits: SpeedLimits) -> float:
    """The shortest time in which a move stays within the limits."""
    zoom = abs(math.log2(end.width / start.width)) * PEAK / limits.zoom
    pan, step = 0.0, 1 / SAMPLES
    for i in range(SAMPLES):
        a, b = between(start, end, i * step), between(start, end, (i + 1) * step)
        across = (b.center.x - a.center.x) / a.width
        down = (b.center.y - a.center.y) / a.height
        pan = max(pan, math.hypot(across, down) / step)
    return max(zoom, pan / limits.pan)


def smooth_track(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    room: float,
    step_seconds: float,
    limits: TrackLimits,
    *,
    hold_weight: NDArray[np.float64] | None = None,
    given: NDArray[np.float64] | None = None,
    ways: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """The calmest track that stays between `low` and `high` where it can: one place for each key frame.

    All in frame lengths along one axis: low, high (n,) bound where the frame should begin at each key frame,
    0 <= low <= high <= room; step_seconds: between key frames. hold_weight: (n,) how much leaving the bounds costs,
    1 by default. given: the first places, fewer than n, from which the track goes on. ways: (n - 1,) where each step
    may go: 1 on, -1 back, 0 both. Returns (n,) in 0..room; speed and acceleration of the track stay within the limits.
    Raises MissingExtraError without the extra `[video]` (SciPy), and InvalidValueError where a given start cannot be
    slowed down in time.
    """
    weights = np.ones(len(low)) if hold_weight is None else hold_weight
    ways = np.zeros(len(low) - 1) if ways is None else ways
    found = np.empty(0) if given is None else np.clip(given, 0, room)
    while len(found) < len(low):  # long tracks in pieces, each beginning as the one before ends
        begin = max(len(found) - 3, 0)
        end = min(begin + PIECE + OVERLAP, len(low))
        part = slice(begin, end)
        solved = _solve_track(
            low[part], high[part], weights[part], room, step_seconds, limits, found[begin:], ways[begin : end - 1]
        )
        kept = len(solved) if end == len(low) else PIECE
        found = np.concatenate([found[:begin], solved[:kept]])
    return found


def _solve_track(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    weights: NDArray[np.float64],
    room: float,
    step: float,
    limits: TrackLimits,
    given: NDArray[np.float64],
    ways: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Variables: n places; n amounts outside of the bounds; then the sizes of first, second and third differences."""
    try:
        from scipy.optimize import linprog  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        from scipy.sparse import bmat, csr_matrix, diags, eye  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError.for_extra("video", "smooth camera paths") from error
    n = len(low)
    if n == 1:
        return np.clip((low + high) / 2, 0, room)
    same = eye(n, format="csr")
    rows = [[same, -same], [-same, -same]]
    right = [high, -low]
    cost = [np.zeros(n), weights]
    bounds: list[tuple[float, float | None]] = [(0.0, room)] * n + [(0.0, None)] * n
    for i in range(len(given)):
        slack = 1e-7  # the piece before was solved to a tolerance
        bounds[i] = (max(given[i] - slack, 0.0), min(given[i] + slack, room))
    most = (limits.speed * step, limits.acceleration * step**2, None)
    difference = same
    for order, price in enumerate(STILLNESS, 1):
        if n <= order:
            break
        difference = csr_matrix(difference[1:] - difference[:-1])
        count = n - order
        for row in rows:
            row.append(None)
        width = len(rows[0]) - 1
        size = eye(count, format="csr")
        rows += [
            [difference] + [None] * (width - 1) + [-size],
            [-difference] + [None] * (width - 1) + [-size],
        ]
        right += [np.zeros(count), np.zeros(count)]
        cost.append(np.full(count, price * MOTION_COST / step))
        ceiling = most[order - 1]
        bounds += [(0.0, ceiling + 1e-7 if ceiling is not None else None)] * count
    if ways.any():
        forward = diags(-ways) @ (same[1:] - same[:-1])
        rows.append([forward] + [None] * (len(rows[0]) - 1))
        right.append(np.full(n - 1, 1e-6))
    answer = linprog(
        np.concatenate(cost), A_ub=bmat(rows, format="csr"), b_ub=np.concatenate(right), bounds=bounds, method="highs"
    )
    if answer.x is None:  # cannot be: resting where it is meets every bound
        raise InvalidValueError(f"no camera path was found: {answer.message}", remedy="please report it with the film")
    return np.clip(answer.x[:n], 0, room)
