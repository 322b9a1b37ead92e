"""A film from an album as data: which picture is shown, how long, and how the camera moves over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from eyefirst.errors import InvalidPlanError, InvalidValueError
from eyefirst.films.path import CameraPath, KeyFrame
from eyefirst.geometry import Box, Size
from eyefirst.written import PLAN_AGAIN, reads_back

SCHEMA = "eyefirst.pan/1"
MOST_ENLARGED, ENLARGED_SLACK = 1.5, 0.05
"""Pixels of a picture are enlarged by no more than this; small pictures are shown whole, and may need more."""
RATIO_SLACK = 0.01
"""How far the shape of a frame may be from the film's, as a share of its width."""


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

    def to_dict(self) -> dict[str, Any]:
        """Return the move by name, for JSON."""
        return {
            "picture": self.picture,
            "sha256": self.sha256,
            "size": asdict(self.size),
            "reason": self.reason,
            "keys": [k.to_dict() for k in self.keys],
        }

    @classmethod
    @reads_back(InvalidPlanError, PLAN_AGAIN)
    def from_dict(cls, values: Mapping[str, Any]) -> Move:
        """Read what `to_dict` wrote. Raises InvalidPlanError."""
        return cls(
            str(values["picture"]),
            str(values["sha256"]),
            Size(**values["size"]),
            tuple(KeyFrame.from_dict(k) for k in values["keys"]),
            str(values["reason"]),
        )

    def box_at(self, seconds: float) -> Box:
        """The frame at a time; before the first and after the last key frame it rests."""
        return CameraPath(self.keys).box_at(seconds)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture that the film does not show, and why. code: of the error; empty where it only was not chosen."""

    picture: str
    reason: str
    code: str = ""

    def __str__(self) -> str:
        return f"{self.picture}: left out: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, for JSON."""
        return {"picture": self.picture, "reason": self.reason, "code": self.code}

    @classmethod
    @reads_back(InvalidPlanError, PLAN_AGAIN)
    def from_dict(cls, values: Mapping[str, Any]) -> LeftOut:
        """Read what `to_dict` wrote. Raises InvalidPlanError."""
        return cls(str(values["picture"]), str(values["reason"]), str(values.get("code", "")))


@dataclass(frozen=True, slots=True)
class PanPlan:
    """A film as data. fade_seconds: how long neighbouring pictures cross-fade."""

    size: Size
    frames_per_second: Fraction
    fade_seconds: float
    moves: tuple[Move, ...]
    left_out: tuple[LeftOut, ...] = ()

    def __post_init__(self) -> None:
        if not self.moves:
            raise InvalidPlanError("expected at least one picture to show, got none", remedy="plan the film again")
        object.__setattr__(self, "frames_per_second", frame_rate(self.frames_per_second))
        if self.size.width % 2 or self.size.height % 2:
            raise InvalidPlanError(f"expected even sides, got {self.size}", remedy="H.264 needs them even")
        if not 0 <= self.fade_seconds <= min(m.seconds for m in self.moves) / 2:
            raise InvalidPlanError(
                f"expected a cross-fade of at most half of the shortest move, got {self.fade_seconds} s",
                remedy="fade less, or show pictures longer",
            )
        for move in self.moves:
            for key in move.keys:
                self._check_shape(move, key)

    def _check_shape(self, move: Move, key: KeyFrame) -> None:
        """A frame of another ratio than the film's would be stretched."""
        wide, high = key.box.width * move.size.width, key.box.height * move.size.height
        if abs(wide - high * self.size.width / self.size.height) > RATIO_SLACK * wide + 1:
            raise InvalidPlanError(
                f"the key frame at {key.seconds:g} s is {wide:.0f}x{high:.0f} pixels, not of the ratio {self.size}",
                remedy="change its box, or plan the film again",
                source=move.picture,
            )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Which pictures are too small for the film, so that they look soft; in plain words."""
        result = []
        for move in self.moves:
            times = self.size.width / (min(key.box.width for key in move.keys) * move.size.width)
            if times > MOST_ENLARGED + ENLARGED_SLACK:
                result.append(f"{move.picture}: enlarged up to {times:.1f} times for {self.size}, so it looks soft")
        return tuple(result)

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
        """Return the plan as JSON values. `seconds` is for readers alone."""
        rate = self.frames_per_second
        return {
            "schema": SCHEMA,
            "size": asdict(self.size),
            "frames_per_second": rate.numerator if rate.denominator == 1 else str(rate),
            "fade_seconds": self.fade_seconds,
            "seconds": round(self.seconds, 4),
            "moves": [m.to_dict() for m in self.moves],
            "left_out": [o.to_dict() for o in self.left_out],
        }

    @classmethod
    @reads_back(InvalidPlanError, PLAN_AGAIN)
    def from_dict(cls, values: Mapping[str, Any]) -> PanPlan:
        """Read what `to_dict` wrote. Raises InvalidPlanError."""
        if values["schema"] != SCHEMA:
            raise InvalidPlanError(f"expected the schema {SCHEMA}, got {values['schema']!r}", remedy="plan again")
        return cls(
            Size(**values["size"]),
            frame_rate(values["frames_per_second"]),
            float(values["fade_seconds"]),
            tuple(Move.from_dict(m) for m in values["moves"]),
            tuple(LeftOut.from_dict(o) for o in values["left_out"]),
        )


def frame_rate(value: float | str | Fraction) -> Fraction:
    """Return frames a second, exact: 29.97 and "29.97" are 2997/100, "30000/1001" stays. Raises InvalidValueError."""
    try:
        is_exact = isinstance(value, (int, Fraction)) and not isinstance(value, bool)
        rate = Fraction(value if is_exact else str(value))
    except (ValueError, ZeroDivisionError, OverflowError):
        rate = Fraction(0)
    if not 1 <= rate <= 120:
        raise InvalidValueError(
            f"expected 1..120 frames a second, got {value!r}", remedy="use a rate such as 30, 29.97 or 30000/1001"
        )
    return rate
