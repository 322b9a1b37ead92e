"""Times that start anew: films that were joined from pieces, each with a clock of its own.

A stream of packets whose time goes back (or, in transport streams, jumps ahead) begins another piece. That piece
goes on where everything before it ended. Every stream changes pieces at a packet of its own, so that sound that
comes late is not moved with the pictures.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

BACK, AHEAD = Fraction(1, 2), Fraction(10)
"""Seconds. Time that goes back by more, or jumps ahead by more than FFmpeg allows too, begins another piece."""


class Restarts:
    """Sets the times of packets right, from 0 on. start: of the film. can_jump: whether a jump ahead is a new piece."""

    def __init__(self, start: Fraction, *, can_jump: bool) -> None:
        self._start, self._can_jump = start, can_jump
        self._found: list[Fraction] = []
        self.begin_anew()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Where times started anew, in plain words."""
        return tuple(f"times start anew at {float(t):.2f} s: the film goes on from there" for t in self._found)

    def begin_anew(self) -> None:
        """Forget what came before: the file was moved to another place."""
        self._offsets = [-self._start]
        self._piece: dict[int, int] = {}
        self._last: dict[int, Fraction] = {}
        self._end = Fraction(0)

    def set_right(self, packet: Any) -> None:
        """Change the time stamps of a packet so that they count from the film's start."""
        if packet.pts is None and packet.dts is None:
            return
        base, index = Fraction(packet.time_base), packet.stream.index
        piece = self._piece.get(index, len(self._offsets) - 1)
        begins = (packet.pts if packet.pts is not None else packet.dts) * base
        if packet.dts is not None and packet.stream.type in ("video", "audio"):
            time, last = packet.dts * base, self._last.get(index)
            if last is not None and (time < last - BACK or (self._can_jump and time > last + AHEAD)):
                piece += 1
                if piece == len(self._offsets):
                    self._offsets.append(self._end - begins)
                    self._found.append(self._end)
            self._last[index] = time
        self._piece[index] = piece
        offset = self._offsets[piece]
        ticks = round(offset / base)
        if packet.pts is not None:
            packet.pts += ticks
        if packet.dts is not None:
            packet.dts += ticks
        if packet.stream.type in ("video", "audio"):
            self._end = max(self._end, begins + offset + (packet.duration or 0) * base)
