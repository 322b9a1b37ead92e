"""Camera moves over still pictures, as data: key frames, the path between them, and a film's plan.

Between two key frames the frame's size changes evenly to the eye, by equal ratios in equal times, and its
edges move in step with it, as van Wijk and Nuij ask of smooth zooming and panning (InfoVis 2003). Both edges
are then always between those of the key frames: a path never leaves the picture, and never changes its ratio.
Moves start and end at rest (minimum jerk, Flash and Hogan 1985).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from eyefirst.errors import InvalidPlanError, InvalidValueError
from eyefirst.geometry import Box, Size

SCHEMA = "eyefirst.pan/1"
PEAK = 1.875
"""Highest speed of a minimum-jerk move, in multiples of its mean."""
SAMPLES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedLimits:
    """What is pleasant to watch. pan: frame widths a second; zoom: doublings or halvings a second."""

    pan: float = 0.25
    zoom: float = 0.35

    def __post_init__(self) -> None:
        if not (self.pan > 0 and self.zoom > 0):
            raise InvalidValueError(f"expected speeds above 0, got {self}", remedy="0.25 and 0.35 are calm")


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """What is shown at a time: a box in 0..1 of the upright picture, seconds from the move's start."""

    seconds: float
    box: Box


@dataclass(frozen=True, slots=True)
class Move:
    """How one picture is shown: two or more key frames in order of time, the first at 0. reason: in plain words."""

    picture: str
    sha256: str
    size: Size
    keys: tuple[KeyFrame, ...]
    reason: str

    def __post_init__(self) -> None:
        times = [k.seconds for k in self.keys]
        if len(times) < 2 or times[0] != 0 or any(b <= a for a, b in pairwise(times)):
            raise InvalidPlanError(
                f"expected key frames at rising times from 0, got {times}", remedy="two or more for each picture"
            )

    @property
    def seconds(self) -> float:
        """How long the picture is shown."""
        return self.keys[-1].seconds

    def box_at(self, seconds: float) -> Box:
        """The frame at a time; before the first and after the last key frame it rests."""
        for start, end in pairwise(self.keys):
            if seconds <= end.seconds:
                return between(start.box, end.box, (seconds - start.seconds) / (end.seconds - start.seconds))
        return self.keys[-1].box


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


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture that the film does not show, and why."""

    picture: str
    reason: str


@dataclass(frozen=True, slots=True)
class PanPlan:
    """A film as data. fade_seconds: how long neighbouring pictures cross-fade."""

    size: Size
    frames_per_second: int
    fade_seconds: float
    moves: tuple[Move, ...]
    left_out: tuple[LeftOut, ...] = ()

    def __post_init__(self) -> None:
        if not self.moves:
            raise InvalidPlanError(
                "expected at least one picture to show, got none", remedy="see why they are left out"
            )
        if not 1 <= self.frames_per_second <= 120:
            raise InvalidPlanError(
                f"expected 1..120 frames a second, got {self.frames_per_second}", remedy="30 is usual"
            )
        if self.size.width % 2 or self.size.height % 2:
            raise InvalidPlanError(f"expected even sides, got {self.size}", remedy="H.264 needs them even")
        if not 0 <= self.fade_seconds <= min(m.seconds for m in self.moves) / 2:
            raise InvalidPlanError(
                f"expected a cross-fade of at most half of the shortest move, got {self.fade_seconds} s",
                remedy="fade less, or show pictures longer",
            )

    @property
    def starts(self) -> tuple[float, ...]:
        """When each move begins, in seconds of the film."""
        result, time = [], 0.0
        for move in self.moves:
            result.append(time)
            time += move.seconds - self.fade_seconds
        return tuple(result)

    @property
    def seconds(self) -> float:
        """How long the film is."""
        return self.starts[-1] + self.moves[-1].seconds

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "schema": SCHEMA,
            "size": {"width": self.size.width, "height": self.size.height},
            "frames_per_second": self.frames_per_second,
            "fade_seconds": self.fade_seconds,
            "seconds": round(self.seconds, 4),
            "moves": [
                {
                    "picture": m.picture,
                    "sha256": m.sha256,
                    "size": {"width": m.size.width, "height": m.size.height},
                    "reason": m.reason,
                    "keys": [{"seconds": round(k.seconds, 4), "box": k.box.to_dict()} for k in m.keys],
                }
                for m in self.moves
            ],
            "left_out": [{"picture": o.picture, "reason": o.reason} for o in self.left_out],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PanPlan:
        """Reads what `to_dict` wrote. Raises InvalidPlanError."""
        try:
            if values["schema"] != SCHEMA:
                raise InvalidPlanError(f"expected the schema {SCHEMA}, got {values['schema']!r}", remedy="plan again")
            moves = tuple(
                Move(
                    str(m["picture"]),
                    str(m["sha256"]),
                    Size(**m["size"]),
                    tuple(KeyFrame(float(k["seconds"]), Box(**k["box"])) for k in m["keys"]),
                    str(m["reason"]),
                )
                for m in values["moves"]
            )
            out = tuple(LeftOut(str(o["picture"]), str(o["reason"])) for o in values["left_out"])
            size = Size(**values["size"])
            return cls(size, int(values["frames_per_second"]), float(values["fade_seconds"]), moves, out)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidPlanError(f"is not the plan of a film: {error!r}", remedy="plan again") from error
