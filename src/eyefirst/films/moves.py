"""Where the window should be over a shot: the path of rests and even moves that is worth most.

Dynamic programming over times and places. To rest is free; every move has its price, and so have its haste and the time
that it lasts. So the window rests wherever that is about as good, follows what moves at its own speed, and goes nowhere
for little. Hold, pan and track are one thing: no move, one, or several.

The prices were chosen with the public clips of docs/video.md before the eyes, and checked on drawn scenes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.float64]

MOVE_PRICE, HASTE_PRICE, CREEP_PRICE = 0.2, 0.35, 0.15
"""What a move costs, and what each window width a second of its speed adds, and each second that it lasts; in seconds
of all attention, or of what the best place has more than the worst, where that is less."""
LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24)
"""Steps in time that one move takes; longer ones are joined from these."""
LEAST_WAY, LEAST_SPEED = 0.1, 0.1
"""Window widths that a move goes at least, and in each second, or half of what the limit of speed allows."""
PLACES = 48
"""Places that moves begin and end at; then they are refined."""
REFINED = (4, 1)
"""Steps of the fine grid by which the ends of moves are shifted, as long as that is worth more."""
ROUNDS = 3
SAMPLES = 12
"""Times at most at which a move is valued."""


class Knot(NamedTuple):
    """An end of a move or of a rest. number: of the time. place: where the window begins, 0..1 of the frame."""

    number: int
    place: float


class _Move(NamedTuple):
    """All moves of one length, one after another, sorted by their end.

    begins: where each begins, as a number of a place. to: where they end; first: of the moves that end there. at: steps
    after the begin at which they are valued. on: (steps, moves) where they are then. price: of each.
    """

    length: int
    begins: NDArray[np.intp]
    to: NDArray[np.intp]
    first: NDArray[np.intp]
    at: NDArray[np.intp]
    on: NDArray[np.intp]
    price: Places


def best_moves(
    worths: Places, grid: Places, share: float, step_seconds: float, speed: float, price: float = 1.0
) -> tuple[Places, tuple[Knot, ...]]:
    """Return the path that is worth most, (times,) in 0..1 of the frame, and its knots.

    worths: (times, places), at times step_seconds apart and evenly spaced places of the window's beginning, `grid`, of
    which it takes `share` of the frame. speed: window widths a second, at most. price: of moves, as a share of what
    they cost where all of the shot is known.
    """
    worths = worths / (price * min(float(np.median(np.ptp(worths, axis=1))), 1.0) + 1e-9)
    chosen = np.unique(np.linspace(0, len(grid) - 1, min(PLACES, len(grid))).round().astype(int))
    coarse = worths[:, chosen] * step_seconds
    places = grid[chosen]
    knots = _found(coarse, _moves(places, share, len(worths), step_seconds, speed))
    found = [Knot(number, float(places[at])) for number, at in knots]
    found = _refined(found, worths, grid, share, step_seconds, speed)
    return _path(found, len(worths)), tuple(found)


def _moves(places: Places, share: float, count: int, step_seconds: float, speed: float) -> list[_Move]:
    apart = float(places[1] - places[0]) / share
    ends = np.arange(len(places))
    moves = []
    for length in LENGTHS:
        far = min(int(speed * step_seconds * length / apart + 1e-6), len(places) - 1)
        lasts = length * step_seconds
        least = _least_way(lasts, speed)
        if length >= count or far * apart < least:
            continue
        begins, arrives = np.meshgrid(ends, ends)
        ways = arrives - begins
        possible = (np.abs(ways) * apart >= least) & (np.abs(ways) <= far)
        begins, ways = begins[possible], ways[possible]
        samples = min(length, SAMPLES)
        at = np.ceil(np.arange(1, samples + 1) * length / samples).astype(np.intp)
        on = np.rint(begins + at[:, None] / length * ways).astype(np.intp)
        price = MOVE_PRICE + HASTE_PRICE * apart * np.abs(ways) / lasts + CREEP_PRICE * lasts
        to, first = np.unique(arrives[possible], return_index=True)
        moves.append(_Move(length, begins, to, first, at, on, price))
    return moves


def _least_way(seconds: float, speed: float) -> float:
    return max(LEAST_WAY, min(LEAST_SPEED, speed / 2) * seconds)


def _found(worths: Places, moves: list[_Move]) -> list[tuple[int, int]]:
    """The knots of the best path: numbers of times and of places."""
    count, size = worths.shape
    best = [worths[0]]
    came_from: list[NDArray[np.intp]] = [np.stack([np.zeros(size, np.intp), np.arange(size)])]
    for number in range(1, count):
        value = best[-1] + worths[number]
        source = np.stack([np.full(size, number - 1), np.arange(size)])
        for move in moves:
            if move.length > number:
                break
            begin = number - move.length
            gained = worths[begin + move.at[:, None], move.on].sum(0) * (move.length / len(move.at))
            offers = best[begin][move.begins] + gained - move.price
            offered = np.maximum.reduceat(offers, move.first)
            for i in np.flatnonzero(offered > value[move.to]):
                part = slice(move.first[i], move.first[i + 1] if i + 1 < len(move.first) else None)
                value[move.to[i]] = offered[i]
                source[:, move.to[i]] = begin, move.begins[part][int(offers[part].argmax())]
        best.append(value)
        came_from.append(source)
    at = int(best[-1].argmax())
    knots = [(count - 1, at)]
    number = count - 1
    while number > 0:
        before, place = (int(v[at]) for v in came_from[number])
        number, at = before, place
        knots.append((number, at))
    return _merged(knots[::-1])


def _merged(knots: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without the knots amid a rest."""
    kept = knots[:1]
    for before, knot, after in zip(knots, knots[1:], knots[2:], strict=False):
        if not before[1] == knot[1] == after[1]:
            kept.append(knot)
    return kept + knots[-1:] if len(knots) > 1 else kept


def _refined(
    knots: list[Knot], worths: Places, grid: Places, share: float, step_seconds: float, speed: float
) -> list[Knot]:
    """The same moves and rests, with each place and time shifted a little as long as that is worth more."""
    levels: list[list[int]] = []  # knots of one rest move together
    for i, knot in enumerate(knots):
        if levels and knots[levels[-1][-1]].place == knot.place:
            levels[-1].append(i)
        else:
            levels.append([i])
    fine = float(grid[1] - grid[0])
    shifts: list[tuple[list[int], int, float]] = []
    for level in levels:
        shifts += [(level, 0, way * step * fine) for step in REFINED for way in (-1, 1)]
    for i in range(1, len(knots) - 1):
        shifts += [([i], way, 0.0) for way in (-1, 1)]
    best = _worth(knots, worths, grid, share, step_seconds)
    for _ in range(ROUNDS):
        before = best
        for numbers, later, way in shifts:
            while True:
                tried = list(knots)
                for i in numbers:
                    place = min(max(knots[i].place + way, grid[0]), grid[-1])
                    tried[i] = Knot(knots[i].number + later, float(place))
                if not _is_possible(tried, share, step_seconds, speed):
                    break
                worth = _worth(tried, worths, grid, share, step_seconds)
                if worth <= best + 1e-9:
                    break
                knots, best = tried, worth
        if best <= before + 1e-6:
            break
    return knots


def _is_possible(knots: list[Knot], share: float, step_seconds: float, speed: float) -> bool:
    for a, b in pairwise(knots):
        way, lasts = abs(b.place - a.place) / share, step_seconds * (b.number - a.number)
        if lasts <= 0 or way > speed * lasts + 1e-9 or 0 < way < _least_way(lasts, speed) - 1e-9:
            return False
    return True


def _worth(knots: list[Knot], worths: Places, grid: Places, share: float, step_seconds: float) -> float:
    path = (_path(knots, len(worths)) - grid[0]) / (grid[-1] - grid[0]) * (len(grid) - 1)
    low = np.clip(path.astype(int), 0, len(grid) - 2)
    part = path - low
    rows = np.arange(len(worths))
    total = float(((1 - part) * worths[rows, low] + part * worths[rows, low + 1]).sum()) * step_seconds
    for a, b in pairwise(knots):
        if a.place != b.place:
            lasts = step_seconds * (b.number - a.number)
            total -= HASTE_PRICE * abs(b.place - a.place) / share / lasts + CREEP_PRICE * lasts
    return total


def _path(knots: list[Knot], count: int) -> Places:
    return np.interp(np.arange(count), [k.number for k in knots], [k.place for k in knots])
