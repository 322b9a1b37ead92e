"""Where the window goes along one axis of a shot: the path of rests and even moves that is worth most.

Every analysed frame gives each place of the window a worth: the attention inside, a premium for subjects kept whole,
and far more for the heads, the lines of text and the regions that have to be whole. `moves` finds the path: near-equal
subjects do not make the camera flicker, as every move has its price. Then the calmest track near it, within limits of
speed and acceleration, is solved for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eyefirst.films.moves import LEAST_WAY, Knot, best_moves
from eyefirst.films.path import TrackLimits, smooth_track
from eyefirst.films.people import TextLine, between
from eyefirst.films.reframe_plan import Kind, MustKeep
from eyefirst.films.sights import Shot, Sight
from eyefirst.films.wishes import SAFE_AREAS, SafeArea
from eyefirst.geometry import Box

Places = NDArray[np.float64]

SUBJECT_PREMIUM = 1.0
"""What a whole subject adds, as a share of the attention on it times its confidence."""
WIDE_PREMIUM = 2.0
"""What a window adds that a larger subject fills, as such a share."""
CENTRING = 0.3
"""How much of that premium a subject loses at the window's edge against its middle."""
HEAD_WORTH, TEXT_WORTH, MUST_KEEP_WORTH = 6.0, 1.5, 100.0
"""What a whole main head, a whole line of text and a whole region add; all attention together is worth 1."""
SECOND_HEAD_WORTH, OTHER_HEAD_WORTH = 3.0, 0.6
"""What the second person's whole head adds, and another one at most; cut in the middle, it costs as much."""
CLEAR = 8.0
"""Grey levels of standard deviation from which a frame counts in full; one that has faded counts little."""
LEFT_WORTH = 2.0
"""What the place adds at which the main person left the picture."""
STRAY, BLUR = 0.03, 0.008
"""A line of text that is cut costs what a whole one adds, from this share of the window that it takes; the box of a
line is found so much too wide, in shares of the frame."""
HEAD_CENTRING, HEAD_HEIGHT = 0.25, 0.4
"""What a head off its best place loses; that place across is the middle, down it is this share of the window."""
WHOLE_OR_OUT = 4
"""A head that is cut is worth its visible share to this power."""
SUBJECT_ROOM = 0.04
"""Room that is wanted beside a whole subject, as a share of the window, at most."""
HEAD_ROOM = 0.06
"""Room that is wanted beside the heads of the main and the second person, as a share of the window, at most: as much on
either side as both heads leave."""
SLACK = 0.015
"""Window widths by which a track may pass by what is wanted while it moves, to be calmer."""
FIXED, AHEAD_PRICE = 1e3, 0.2
"""Worth of a place that is given; price of moves where little of the shot is known, and what they lead to is not."""
STEPS_A_WINDOW, MOST_STEPS = 60, 240


class AxisPath(NamedTuple):
    """One axis of a shot: the window's share of it, and where the window begins at each time, 0..1 of the frame."""

    share: float
    kind: Kind
    places: Places


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What has to be whole in a shot, and outside of what a platform hides.

    heads: of the main person, and of the second one if it counts too, in each analysed frame; None where it is not
    there. texts: lines that are whole. hidden: shares of the window's sides. others: further heads of each analysed
    frame, with what they count against the main one, 0..1. strays: lines of text that cannot be kept. left_at: where
    the main person left the picture, by the number of the analysed frame.
    """

    heads: Sequence[Sequence[Box | None]]
    texts: Sequence[TextLine] = ()
    regions: Sequence[MustKeep] = ()
    hidden: SafeArea = SAFE_AREAS["none"]
    others: Sequence[Sequence[tuple[Box, float]]] = ()
    strays: Sequence[TextLine] = ()
    left_at: Mapping[int, Box] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One axis of a shot, and the window that moves along it.

    share: the window's of the frame. extent: where the picture without bars begins and ends, 0..1 of the frame.
    upright: whether the axis runs down, not across. pixels: the frame's, along the axis.
    """

    shot: Shot
    wanted: Wanted
    limits: TrackLimits
    share: float
    extent: tuple[float, float]
    upright: bool
    pixels: int

    def path(self, times: Places) -> AxisPath:
        """Return the path that is worth most, moves being priced. times: evenly spaced, in seconds."""
        if self._has_no_room:
            return AxisPath(self.share, "hold", self._only_place(times))
        share, (low, high) = self.share, self.extent
        grid, moving = self._worths_over(times)
        wanted, knots = self._wanted_path(grid, moving, times)
        worths = moving - self._strays_over(grid, times)  # what cannot be kept only shifts a window that rests
        if self._is_hold(knots):
            place = float(grid[int(worths.mean(0).argmax())])
            return AxisPath(share, "hold", np.full(len(times), snapped(place, low, high - share, self.pixels)))
        ways = [b.place - a.place for a, b in pairwise(knots)]
        kind: Kind = "pan" if np.count_nonzero(ways) == 1 else "track"
        return AxisPath(share, kind, self._calmed(wanted, grid, worths, times))

    def track(self, times: Places, given: Places) -> Places:
        """Return the calmest track that goes on from the places of the first times, which are given."""
        if self._has_no_room:
            return self._only_place(times)
        grid, worths = self._worths_over(times)
        worths -= self._strays_over(grid, times)
        for i, place in enumerate(given):
            worths[i, int(np.abs(grid - place).argmin())] += FIXED
        wanted, _ = self._wanted_path(grid, worths, times, AHEAD_PRICE)
        return self._calmed(wanted, grid, worths, times, given)

    def _wanted_path(
        self, grid: Places, worths: Places, times: Places, price: float = 1.0
    ) -> tuple[Places, tuple[Knot, ...]]:
        return best_moves(worths, grid, self.share, float(times[1] - times[0]), self.limits.speed, price)

    def _calmed(
        self, wanted: Places, grid: Places, worths: Places, times: Places, given: Places | None = None
    ) -> Places:
        """The calmest track near the path that is wanted, within the limits; it begins with the given places."""
        low, room, share = float(grid[0]), float(grid[-1] - grid[0]), self.share
        at = (wanted - low) / share
        slack = np.where(_rests(wanted), 0.0, SLACK)
        track = smooth_track(
            np.maximum(at - slack, 0.0),
            np.minimum(at + slack, room / share),
            room / share,
            float(times[1] - times[0]),
            self.limits,
            hold_weight=np.clip(np.ptp(worths, axis=1), 0.2, 20.0),
            given=None if given is None else (given - low) / share,
            ways=_ways(wanted) if given is None else None,
        )
        return np.clip(low + track * share, low, low + room)

    def _is_hold(self, knots: Sequence[Knot]) -> bool:
        return sum(abs(b.place - a.place) for a, b in pairwise(knots)) < LEAST_WAY * self.share / 2

    @property
    def _has_no_room(self) -> bool:
        return self.extent[1] - self.extent[0] - self.share < 1e-6

    def _only_place(self, times: Places) -> Places:
        return np.full(len(times), max(min(self.extent[0], 1 - self.share), 0.0))

    def _worths_over(self, times: Places) -> tuple[Places, Places]:
        """Places of the window, and what each is worth at each time, (times, places), but for stray text."""
        share, (low, high) = self.share, self.extent
        room = high - low - share
        grid = low + np.linspace(0, room, int(min(max(np.ceil(room / share * STEPS_A_WINDOW), 2), MOST_STEPS)) + 1)
        worths = [
            _worths(s, grid, share, self.upright) * min(s.contrast / CLEAR, 1.0)  # blank frames pull less
            + _demands(s, n, grid, share, self.upright, self.wanted, (low + high - share) / 2)
            for n, s in enumerate(self.shot.sights)
        ]
        return grid, at_times(worths, self.shot, times) + self._heads_over(grid, times)

    def _heads_over(self, grid: Places, times: Places) -> Places | float:
        """What whole heads add at each place, at each time; between two looks at the film they move evenly."""
        if not self.wanted.heads:
            return 0.0
        worths = []
        for before, after, part in zip(*_looks(self.shot, times), strict=True):
            one, other = self.wanted.heads[before], self.wanted.heads[after]
            ways = list(zip(one, other, strict=True))
            moved = [None if a is None or b is None else between(a, b, part) for a, b in ways]
            there = ([m or box for m, box in zip(moved, heads, strict=True)] for heads in (one, other))
            first, last = (_heads(boxes, grid, self.share, self.upright, self.wanted.hidden) for boxes in there)
            worths.append((1 - part) * first + part * last)
        return np.array(worths)

    def _strays_over(self, grid: Places, times: Places) -> Places | float:
        """What lines of text that cannot be whole cost at each place, at each time."""
        if not self.wanted.strays:
            return 0.0
        costs = [np.zeros(len(grid)) for _ in self.shot.sights]
        for box, numbers in self.wanted.strays:
            start, end = extent_of(box, self.upright)
            seen = np.clip(np.minimum(grid + self.share, end - BLUR) - np.maximum(grid, start + BLUR), 0, None)
            for number in numbers:
                costs[number] += TEXT_WORTH * np.minimum(seen / (STRAY * self.share), 1)
        return at_times(costs, self.shot, times)


def _worths(sight: Sight, grid: Places, share: float, upright: bool) -> Places:
    """What each place of the window is worth in one analysed frame: attention, and subjects kept whole."""
    density = sight.down if upright else sight.across
    sums = np.concatenate([[0.0], np.cumsum(density, dtype=np.float64)])
    edges = np.linspace(0, 1, len(sums))
    worths = np.interp(grid + share, edges, sums) - np.interp(grid, edges, sums)
    for found, attention in zip(sight.subjects, sight.on_subjects, strict=True):
        start, end = extent_of(found.box, upright)
        if end - start > share:
            best = start if upright else _looked_at(sums, edges, start, end) - share / 2
            worths += found.confidence * attention * WIDE_PREMIUM * _filled(grid, share, start, end, best)
            continue
        off = np.abs(grid + share / 2 - (start + end) / 2) / (share / 2)
        room = min(SUBJECT_ROOM * share, (share - (end - start)) / 2)
        inside = _inside(grid, share, max(start - room, 0.0), min(end + room, 1.0))
        worths += SUBJECT_PREMIUM * found.confidence * attention * inside**2 * (1 - CENTRING * np.minimum(off, 1))
    return worths


def _demands(
    sight: Sight, number: int, grid: Places, share: float, upright: bool, wanted: Wanted, middle: float
) -> Places:
    """What other heads, text and regions add; and a touch for the middle, which settles ties."""
    worths = -1e-4 * np.abs(grid - middle)
    before, after = _hidden(wanted.hidden, upright)
    for box, weight in wanted.others[number] if number < len(wanted.others) else ():
        worths += OTHER_HEAD_WORTH * weight * _whole_or_out(_inside(grid, share, *extent_of(box, upright)))
    if number in wanted.left_at:
        start, end = extent_of(wanted.left_at[number], upright)
        if end - start > share:  # the part at the picture's edge
            start, end = (max(start, end - share), end) if start > 1 - end else (start, min(end, start + share))
        worths += LEFT_WORTH * _inside(grid, share, start, end)
    for box, numbers in wanted.texts:
        start, end = extent_of(box, upright)
        if number in numbers and end - start <= share:
            room = (share - (end - start)) / 2
            first, last = max(start - min(before * share, room), 0.0), min(end + min(after * share, room), 1.0)
            worths += TEXT_WORTH * _inside(grid, share, first, last) ** WHOLE_OR_OUT
    for region in wanted.regions:
        if region.holds_at(float(sight.seconds)):
            start, end = extent_of(region.box, upright)
            worths += MUST_KEEP_WORTH * _inside(grid, share, start, end)
    return worths


def _heads(boxes: Sequence[Box | None], grid: Places, share: float, upright: bool, hidden: SafeArea) -> Places:
    """What the heads that have to be whole add: the main one, or the first one that is there; and a second one."""
    before, after = _hidden(hidden, upright)
    extents = [extent_of(box, upright) for box in boxes if box is not None]
    if not extents:
        return np.zeros(len(grid))
    free = max(share - max(end for _, end in extents) + min(start for start, _ in extents), 0.0) / 2
    ahead, behind = (min(max(HEAD_ROOM, part) * share, free) for part in (before, after))
    main, *second = (_inside(grid, share, max(a - ahead, 0.0), min(b + behind, 1.0)) for a, b in extents)
    best = before + (1 - before - after) * (HEAD_HEIGHT if upright else 0.5)
    off = np.abs(grid + share * best - sum(extents[0]) / 2) / (share / 2)
    worths = HEAD_WORTH * main**WHOLE_OR_OUT * (1 - HEAD_CENTRING * np.minimum(off, 1) ** 2)
    return worths + sum(SECOND_HEAD_WORTH * _whole_or_out(inside) for inside in second)


def _rests(path: Places) -> NDArray[np.bool_]:
    """Return where a path rests before and after."""
    moves = np.abs(np.diff(path)) > 1e-9
    return np.asarray(~(np.append(False, moves) | np.append(moves, False)))


def _ways(path: Places) -> Places:
    """Return where each step of a path goes, 1 on or -1 back; a rest's half goes where the move beside it goes."""
    ways = np.sign(np.round(np.diff(path), 9))
    moves = np.flatnonzero(ways)
    if not len(moves):
        return ways
    steps = np.arange(len(ways))
    after = np.searchsorted(moves, steps)
    left, right = moves[np.maximum(after - 1, 0)], moves[np.minimum(after, len(moves) - 1)]
    return np.asarray(ways[np.where(np.abs(steps - left) <= np.abs(right - steps), left, right)])


def snapped(place: float, low: float, high: float, pixels: int) -> float:
    """Return a place on whole, even pixels, where there is room: then a held frame is cut without interpolation."""
    least, most = int(np.ceil(low * pixels / 2 - 1e-6)) * 2, int(high * pixels + 1e-6) // 2 * 2
    if most < least:
        return min(max(place, low), high)
    return min(max(round(place * pixels / 2) * 2, least), most) / pixels


def at_times(worths: Sequence[Places], shot: Shot, times: Places) -> Places:
    """Return worths at some times, (times, places): between those of the analysed frames before and after."""
    known = np.array(worths)
    before, after, part = _looks(shot, times)
    part = part[:, None]
    return np.asarray((1 - part) * known[before] + part * known[after])


def _looks(shot: Shot, times: Places) -> tuple[NDArray[np.intp], NDArray[np.intp], Places]:
    """Numbers of the analysed frames before and after some times, and the share of the way between them, 0..1."""
    place = np.interp(times, [float(s.seconds) for s in shot.sights], np.arange(len(shot.sights)))
    before = np.floor(place).astype(np.intp)
    return before, np.minimum(before + 1, len(shot.sights) - 1), place - before


def _inside(grid: Places, share: float, start: float, end: float) -> Places:
    """How much of an interval lies in the window at each place, 0..1."""
    both = np.minimum(grid + share, end) - np.maximum(grid, start)
    return np.clip(both, 0, None) / (end - start)


def _whole_or_out(inside: Places) -> Places:
    """What a head adds of which a share is inside, -1..1: 1 where it is whole, 0 where it is out."""
    return inside**WHOLE_OR_OUT - 4 * inside * (1 - inside)


def _hidden(hidden: SafeArea, upright: bool) -> tuple[float, float]:
    """What a platform hides before and after, along an axis."""
    return (hidden.top, hidden.bottom) if upright else (hidden.left, hidden.right)


def _looked_at(sums: Places, edges: Places, start: float, end: float) -> float:
    """The middle of the attention between two places; of a subject, the part that people look at."""
    inside = np.concatenate([[start], edges[(edges > start) & (edges < end)], [end]])
    weights = np.diff(np.interp(inside, edges, sums)) + 1e-12
    return float(((inside[1:] + inside[:-1]) / 2) @ weights / weights.sum())


def _filled(grid: Places, share: float, start: float, end: float, best: float) -> Places:
    """How much of the window at each place a larger subject fills, most where the window begins at `best`; 0..1."""
    both = np.clip(np.minimum(grid + share, end) - np.maximum(grid, start), 0, None) / share
    best = min(max(best, start), end - share)
    return both**2 * (1 - CENTRING * np.minimum(np.abs(grid - best) / ((end - start) / 2), 1))


def extent_of(box: Box, upright: bool) -> tuple[float, float]:
    """Return where a box begins and ends along an axis."""
    return (box.top, box.bottom) if upright else (box.left, box.right)
