"""What an editor wants of a reframed film: where the window of a shot is, and which part of the result stays clear."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from eyefirst.errors import InvalidValueError
from eyefirst.numeric import as_whole, is_within

PLACES = {"left": 0.0, "centre": 0.5, "center": 0.5, "right": 1.0}
"""Where the window is along each axis on which it has room: at the beginning, in the middle, at the end."""
FACES = {"face": 1, "face2": 2}
"""Which face is followed: the main one, or the second one."""


class SafeArea(NamedTuple):
    """Shares of the result's sides that a platform's buttons and captions may hide."""

    left: float
    top: float
    right: float
    bottom: float


SAFE_AREAS = {
    "none": SafeArea(0, 0, 0, 0),
    "tiktok": SafeArea(0.06, 0.1, 0.12, 0.2),
    "reels": SafeArea(0.06, 0.14, 0.06, 0.35),
    "shorts": SafeArea(0.05, 0.1, 0.12, 0.25),
}
"""Round figures of what the platforms hide of a film of 9:16; they change with the phone and the year."""


def safe_area(name: str) -> SafeArea:
    """Return the part that a platform hides, by its name. Raises InvalidValueError."""
    if not isinstance(name, str) or name not in SAFE_AREAS:
        raise InvalidValueError(f"expected a safe area of {', '.join(SAFE_AREAS)}, got {name!r}", remedy="choose one")
    return SAFE_AREAS[name]


@dataclass(frozen=True, slots=True)
class ShotWish:
    """Where the window of one shot is. number: of the shot, from 1. Exactly one of place and face is given.

    place: the window's middle along each axis on which it has room, 0..1 of the frame; the window rests.
    face: 1 follows the main face, 2 the second one.
    """

    number: int
    place: float | None = None
    face: int | None = None

    def __post_init__(self) -> None:
        number, face = as_whole(self.number), as_whole(self.face)
        in_range = self.place is None or is_within(self.place, 0, 1)
        known = self.face is None or face in FACES.values()
        if number is None or number < 1 or (self.place is None) == (self.face is None) or not (in_range and known):
            raise InvalidValueError(
                f"expected a shot from 1 and a place or a face, got {self}", remedy="for example 2=centre"
            )
        object.__setattr__(self, "number", number)
        object.__setattr__(self, "place", None if self.place is None else float(self.place))

    @classmethod
    def parse(cls, value: ShotWish | str) -> ShotWish:
        """Read a text such as "2=centre", "2=0.4", "2=left", "2=face" or "2=face2". Raises InvalidValueError."""
        if isinstance(value, ShotWish):
            return value
        match = re.fullmatch(r"\s*(\d+)\s*=\s*([a-z0-9.]+)\s*", value.lower()) if isinstance(value, str) else None
        if match:
            number, word = int(match[1]), match[2]
            if word in FACES:
                return cls(number, face=FACES[word])
            if word in PLACES:
                return cls(number, PLACES[word])
            if re.fullmatch(r"\d*\.?\d+", word):
                return cls(number, float(word))
        raise InvalidValueError(
            f"expected the number of a shot and left, centre, right, a place of 0..1, face or face2, got {value!r}",
            remedy="for example 2=centre or 3=0.4; `eyefirst shots` lists the numbers",
        )
