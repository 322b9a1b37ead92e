"""Where the window should be over a shot: the path of rests and even moves that is worth most.

Dynamic programming over times and places. To rest is free; every move at an even speed has its price, and so has
haste. So the window rests wherever that is as good, follows what moves at its own speed, and goes to and fro for
nothing small. Hold, pan and track are one thing: no move, one, or several.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.float64]

MOVE_PRICE, HASTE_PRICE = 0.25, 0.4
"""What a move costs, and what each window width a second of its speed adds: in seconds of all attention."""
LENGTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24)
"""Steps in time that one move takes; longer ones are joined from these."""
PLACES = 48
"""Places that moves begin and end at; then they are refined."""
REFINED = (4, 1)
"""Steps of the fine grid by which the ends of moves are shifted, as long as that is worth more."""
ROUNDS = 3
SAMPLES = 6
"""Times at most at which a move is valued."""


class Knot(NamedTuple):
    """An end of a move or of a rest. number: of the time. place: where the window begins, 0..1 of the frame."""

    number: int
    place: float


class _Move(NamedTuple):
    """All moves of one length, one after another, sorted by their end.

    begins: where each begins, as a number of a place. first: of the moves to each place. at: steps after the begin at
    which they are valued. on: (steps, moves) where they are then. price: of each.
    """

    length: int
    begins: NDArray[np.intp]
    first: NDArray[np.intp]
    at: NDArray[np.intp]
    on: NDArray[np.intp]
    price: Places


def best_moves(
    worths: Places, grid: Places, share: float, step_seconds: float, speed: float
) -> tuple[Places, tuple[Knot, ...]]:
    """Return the path that is worth most, (times,) in 0..1 of the frame, and its knots.

    worths: (times, places), at times step_seconds apart and evenly spaced places of the window's beginning, `grid`, of
    which it takes `share` of the frame. speed: window widths a second, at most.
    """
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
        if length >= count or far == 0:
            continue
        begins, arrives = np.meshgrid(ends, ends)
        ways = arrives - begins
        possible = (ways != 0) & (np.abs(ways) <= far)
        begins, ways = begins[possible], ways[possible]
        samples = min(length, SAMPLES)
        at = np.ceil(np.arange(1, samples + 1) * length / samples).astype(np.intp)
        on = np.rint(begins + at[:, None] / length * ways).astype(np.intp)
        price = MOVE_PRICE + HASTE_PRICE * apart * np.abs(ways) / (length * step_seconds)
        first = np.concatenate([[0], np.cumsum(possible.sum(1))[:-1]])
        moves.append(_Move(length, begins, first, at, on, price))
    return moves


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
            better = offered > value
            value = np.where(better, offered, value)
            for place in np.flatnonzero(better):
                last = move.first[place + 1] if place + 1 < size else len(offers)
                which = move.first[place] + int(offers[move.first[place] : last].argmax())
                source[:, place] = begin, move.begins[which]
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
    """The same moves and rests, with each place shifted on the fine grid as long as that is worth more."""
    levels: list[list[int]] = []  # knots of one rest move together
    for i, knot in enumerate(knots):
        if levels and knots[levels[-1][-1]].place == knot.place:
            levels[-1].append(i)
        else:
            levels.append([i])
    fine = float(grid[1] - grid[0])
    best = _worth(knots, worths, grid, share, step_seconds)
    for _ in range(ROUNDS):
        before = best
        for level in levels:
            for step in REFINED:
                for way in (-step * fine, step * fine):
                    while True:
                        tried = list(knots)
                        for i in level:
                            tried[i] = Knot(knots[i].number, min(max(knots[i].place + way, grid[0]), grid[-1]))
                        worth = _worth(tried, worths, grid, share, step_seconds)
                        if worth <= best + 1e-9 or not _slow(tried, share, step_seconds, speed):
                            break
                        knots, best = tried, worth
        if best <= before + 1e-6:
            break
    return knots


def _slow(knots: list[Knot], share: float, step_seconds: float, speed: float) -> bool:
    return all(
        abs(b.place - a.place) <= speed * share * step_seconds * (b.number - a.number) + 1e-9
        for a, b in pairwise(knots)
    )


def _worth(knots: list[Knot], worths: Places, grid: Places, share: float, step_seconds: float) -> float:
    path = (_path(knots, len(worths)) - grid[0]) / (grid[-1] - grid[0]) * (len(grid) - 1)
    low = np.clip(path.astype(int), 0, len(grid) - 2)
    part = path - low
    rows = np.arange(len(worths))
    total = float(((1 - part) * worths[rows, low] + part * worths[rows, low + 1]).sum()) * step_seconds
    haste = sum(abs(b.place - a.place) / (step_seconds * (b.number - a.number)) for a, b in pairwise(knots))
    return total - HASTE_PRICE * haste / share


def _path(knots: list[Knot], count: int) -> Places:
    return np.interp(np.arange(count), [k.number for k in knots], [k.place for k in knots])
