"""Where the camera goes in one shot: it holds, pans or tracks, whichever is the simplest that keeps about as much.

Where to look is settled in three steps. Every analysed frame gives each place of the window a worth: the attention
inside, and a premium for subjects kept whole. Worths are smoothed over time, and dynamic programming finds the places
that add up to most when going from one to another has its price: near-equal subjects do not make the camera flicker.
Then the calmest track that stays where it is about as worthy is solved for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eyefirst.films.frames import VideoInfo
from eyefirst.films.path import CameraPath, KeyFrame, TrackLimits, eased, smooth_track
from eyefirst.films.reframe_plan import KINDS, Kind, MustKeep, ShotPath
from eyefirst.films.sights import Shot, Sight
from eyefirst.framing import Padding
from eyefirst.geometry import Box, Size

Places = NDArray[np.float64]

SMOOTHING_SECONDS = 0.35
"""Standard deviation of the smoothing of worths over time."""
SUBJECT_PREMIUM = 1.0
"""What a whole subject adds, as a share of the attention on it times its confidence."""
CENTRING = 0.3
"""How much of that premium a subject loses at the window's edge against its middle."""
MUST_KEEP_WORTH = 100.0
GOING_PRICE = 0.25
"""What the target pays for going one window further: hysteresis against near-equal subjects."""
AS_WORTHY, LEAST_SLACK = 0.03, 0.04
"""Places worth so little less than the target will do; and those so near to it, in windows."""
SIMPLER_LOSS, WORST_LOSS = 0.02, 0.1
"""What a simpler camera may lose against the best, in worth, over a shot; and in the shot's worst tenth."""
LONGEST_PAN_SECONDS = 20.0
LEAST_PAN = 0.1
"""A pan over less than this share of a window is a hold."""
STEPS_A_WINDOW, MOST_STEPS = 60, 240
STEADY_SHARE = 0.5
"""Two subjects count as a pair where they are both seen in this share of a shot's analysed frames."""


class _Axis(NamedTuple):
    """One axis of a shot: the window's share of it, and where the window begins at each node, 0..1 of the frame."""

    share: float
    kind: Kind
    places: Places


class Camera:
    """Plans shots of one film; what does not depend on the shot is kept here."""

    def __init__(
        self,
        video: VideoInfo,
        window: Size,
        tightness: float,
        regions: tuple[MustKeep, ...],
        pad: str | None,
        limits: TrackLimits,
    ) -> None:
        self._video, self._window, self._tightness = video, window, tightness
        self._regions, self._pad, self._limits = regions, pad, limits

    def plan(self, shot: Shot) -> ShotPath:
        size = self._video.size
        pair = self._pair(shot)
        whole = (self._window.width / size.width, self._window.height / size.height)
        fits = pair is None or (pair.width <= whole[0] + 1e-9 and pair.height <= whole[1] + 1e-9)
        if pair is not None and not fits and self._pad:
            return self._with_padding(shot, pair, whole)
        scale = self._scale(shot, whole)
        shares = (min(whole[0] * scale, 1.0), min(whole[1] * scale, 1.0))
        count = max(2, round(shot.seconds * self._rate_of(shot)) + 1)
        times = np.linspace(float(shot.start), float(shot.end), count)
        across, down = (self._axis(shot, times, share, upright) for share, upright in zip(shares, (0, 1), strict=True))
        path = self._path(times, across, down)
        kind: Kind = max((across.kind, down.kind), key=KINDS.index)
        warnings = self._lost(shot, path)
        if pair is not None and not fits and not self._regions:
            warnings = (*warnings, f"{_span(shot)}: two subjects do not fit; add padding to keep both")
        return ShotPath(
            shot.start, shot.end, kind, path, _kept(shot, path), _kept_by_centre(shot, whole), None, warnings
        )

    def _rate_of(self, shot: Shot) -> float:
        return min(max(len(shot.sights) / max(shot.seconds, 1e-3), 1.0), 10.0)

    def _scale(self, shot: Shot, whole: tuple[float, float]) -> float:
        """The window's size for this shot, against the largest."""
        if self._tightness == 0:
            return 1.0
        boxes = [max(s.subjects, key=lambda o: o.confidence).box.expanded(0.05) for s in shot.sights if s.subjects]
        boxes += [m.box for m in self._regions_in(shot)]
        if not boxes:
            return 1.0
        needed = [max(b.width / whole[0], b.height / whole[1]) for b in boxes]
        tight = min(max(float(np.quantile(needed, 0.9)), 0.25), 1.0)
        return 1 + (tight - 1) * self._tightness

    def _regions_in(self, shot: Shot) -> list[MustKeep]:
        return [m for m in self._regions if m.start < float(shot.end) and (m.end is None or m.end > float(shot.start))]

    def _pair(self, shot: Shot) -> Box | None:
        """What has to be seen together: must-keep regions of one time, or two subjects that are there for long."""
        regions = [m.box for m in self._regions_in(shot)]
        if regions:
            return reduce(Box.union, regions)
        unions = [reduce(Box.union, (o.box for o in s.subjects[:2])) for s in shot.sights if len(s.subjects) > 1]
        if len(unions) < max(STEADY_SHARE * len(shot.sights), 1):
            return None
        edges = np.median([[u.left, u.top, u.right, u.bottom] for u in unions], axis=0)
        return Box(*(float(e) for e in edges))

    def _with_padding(self, shot: Shot, pair: Box, whole: tuple[float, float]) -> ShotPath:
        """A still window round the pair, as wide as it has to be; the rest of the frame is padded."""
        size = self._video.size
        target = pair.expanded(0.08)
        wide, high = (max(a, b) for a, b in zip((target.width, target.height), whole, strict=True))
        left, top = (
            min(max(c - share / 2, 0.0), 1 - share) for c, share in ((target.center.x, wide), (target.center.y, high))
        )
        pixels = Box(left, top, min(left + wide, 1.0), min(top + high, 1.0)).to_pixels(size)
        ratio = self._window.width / self._window.height
        full = Size(max(pixels.width, round(pixels.height * ratio)), max(pixels.height, round(pixels.width / ratio)))
        x, y = full.width - pixels.width, full.height - pixels.height
        padding = Padding(x // 2, y // 2, x - x // 2, y - y // 2)
        path = CameraPath((KeyFrame(float(shot.start), pixels.normalized(size)),))
        return ShotPath(
            shot.start,
            shot.end,
            "pad",
            path,
            _kept(shot, path),
            _kept_by_centre(shot, whole),
            padding,
            self._lost(shot, path),
        )

    def _axis(self, shot: Shot, times: Places, share: float, upright: int) -> _Axis:
        """Hold, pan or track along one axis: the simplest that keeps about as much as the best."""
        room = 1 - share
        if room < 1e-6:
            return _Axis(share, "hold", np.zeros(len(times)))
        grid = np.linspace(0, room, int(min(max(np.ceil(room / share * STEPS_A_WINDOW), 2), MOST_STEPS)) + 1)
        clearest = max(s.contrast for s in shot.sights) or 1.0
        seen = [self._worths(s, grid, share, upright) * s.contrast / clearest for s in shot.sights]  # fades pull less
        worths = _smoothed(
            [w + self._demands(s, grid, share, upright) for w, s in zip(seen, shot.sights, strict=True)], shot, times
        )
        step = float(times[1] - times[0])

        def worth_of(places: Places) -> Places:
            return np.array([np.interp(p, grid, w) for p, w in zip(places, worths, strict=True)])

        held = np.full(len(times), self._snapped(float(grid[int(worths.mean(0).argmax())]), room, upright))
        options: list[tuple[Kind, Places]] = [("hold", held)]
        panned = self._pan(worths, grid, share, times)
        if panned is not None:
            options.append(("pan", panned))
        target = _target(worths, grid, share)
        low, high, weights = _corridor(worths, grid, share, target)
        track = smooth_track(low / share, high / share, room / share, step, self._limits, hold_weight=weights)
        options.append(("track", np.clip(track * share, 0, room)))
        known = [(kind, places, worth_of(places)) for kind, places in options]
        most = max((worth for _, _, worth in known), key=lambda w: float(w.mean()))

        def will_do(worth: Places) -> bool:
            """About as good as the best: over the whole shot, and in its worst tenth."""
            lost = most - worth
            return float(lost.mean()) <= SIMPLER_LOSS and float(np.quantile(lost, 0.9)) <= WORST_LOSS

        best = next(_Axis(share, kind, places) for kind, places, worth in known if will_do(worth))
        if best.kind == "track" and np.ptp(best.places) < LEAST_PAN * share / 2:
            return _Axis(share, "hold", held)
        return best

    def _worths(self, sight: Sight, grid: Places, share: float, upright: int) -> Places:
        """What each place of the window is worth in one analysed frame."""
        density = sight.down if upright else sight.across
        sums = np.concatenate([[0.0], np.cumsum(density, dtype=np.float64)])
        edges = np.linspace(0, 1, len(sums))
        worths = np.interp(grid + share, edges, sums) - np.interp(grid, edges, sums)
        for found, attention in zip(sight.subjects, sight.on_subjects, strict=True):
            start, end = _extent(found.box, upright)
            if end - start > share:
                continue
            off = np.abs(grid + share / 2 - (start + end) / 2) / (share / 2)
            inside = _inside(grid, share, start, end)
            worths += SUBJECT_PREMIUM * found.confidence * attention * inside**2 * (1 - CENTRING * np.minimum(off, 1))
        return worths

    def _demands(self, sight: Sight, grid: Places, share: float, upright: int) -> Places:
        """What must-keep regions add; and a touch for the middle, which settles ties."""
        worths = -1e-4 * np.abs(grid - (1 - share) / 2)
        for region in self._regions:
            if region.holds_at(float(sight.seconds)):
                start, end = _extent(region.box, upright)
                worths += MUST_KEEP_WORTH * _inside(grid, share, start, end)
        return worths

    def _pan(self, worths: Places, grid: Places, share: float, times: Places) -> Places | None:
        """The best move from rest to rest, if one is slow enough; None for shots too long or too short for one."""
        length = float(times[-1] - times[0])
        if not 0.5 <= length <= LONGEST_PAN_SECONDS:
            return None
        coarse = grid[:: max(1, len(grid) // 40)]
        start, end = (a.ravel() for a in np.meshgrid(coarse, coarse))
        far = np.abs(end - start) / share
        slow = (far > LEAST_PAN) & (far * 1.875 / length <= self._limits.speed)
        slow &= far * 5.77 / length**2 <= self._limits.acceleration  # peaks of minimum jerk
        start, end = start[slow], end[slow]
        if not len(start):
            return None
        shares = [eased(i / (len(times) - 1)) for i in range(len(times))]
        total = sum(np.interp(start + (end - start) * s, grid, w) for s, w in zip(shares, worths, strict=True))
        best = int(np.argmax(total))
        return np.array([start[best] + (end[best] - start[best]) * s for s in shares])

    def _snapped(self, place: float, room: float, upright: int) -> float:
        """On whole, even pixels: then a held frame is cut without interpolation."""
        pixels = self._video.size.height if upright else self._video.size.width
        return min(round(place * pixels / 2) * 2, int(room * pixels + 1e-6) // 2 * 2) / pixels

    def _path(self, times: Places, across: _Axis, down: _Axis) -> CameraPath:
        kinds = {across.kind, down.kind}

        def box(i: int) -> Box:
            left, top = float(across.places[i]), float(down.places[i])
            return Box(left, top, min(left + across.share, 1.0), min(top + down.share, 1.0))

        if kinds == {"hold"}:
            return CameraPath((KeyFrame(float(times[0]), box(0)),))
        if "track" not in kinds:
            return CameraPath((KeyFrame(float(times[0]), box(0)), KeyFrame(float(times[-1]), box(-1))))
        return CameraPath(tuple(KeyFrame(float(t), box(i)) for i, t in enumerate(times)), "track")

    def _lost(self, shot: Shot, path: CameraPath) -> tuple[str, ...]:
        """What of the must-keep regions is outside, at worst."""
        words = []
        for number, region in enumerate(self._regions, 1):
            times = [float(s.seconds) for s in shot.sights if region.holds_at(float(s.seconds))]
            lost = max((1 - path.box_at(t).overlap(region.box) / region.box.area for t in times), default=0.0)
            if lost > 0.01:
                words.append(f"{_span(shot)}: up to {round(100 * lost)} % of must-keep region {number} lost")
        return tuple(words)


def _smoothed(worths: Sequence[Places], shot: Shot, times: Places) -> Places:
    """Worths at evenly spaced times, (times, places): each a Gaussian mean of those near it."""
    at = np.array([float(s.seconds) for s in shot.sights])
    result = np.empty((len(times), len(worths[0])))
    for i, time in enumerate(times):
        first, last = np.searchsorted(at, [time - 3 * SMOOTHING_SECONDS, time + 3 * SMOOTHING_SECONDS])
        nearest = int(np.abs(at - time).argmin())
        chosen = range(min(first, nearest), max(last, nearest + 1))
        weights = np.exp(-0.5 * ((at[chosen] - time) / SMOOTHING_SECONDS) ** 2) + 1e-9
        result[i] = weights @ np.array([worths[k] for k in chosen]) / weights.sum()
    return result


def _target(worths: Places, grid: Places, share: float) -> NDArray[np.intp]:
    """For each node the index of the place to be at: most worth in all, less the price of going (Viterbi)."""
    price = GOING_PRICE * np.abs(grid[:, None] - grid[None]) / share
    best, came_from = worths[0], []
    for worth in worths[1:]:
        offers = best[None] - price
        came_from.append(offers.argmax(1))
        best = worth + offers.max(1)
    at = int(best.argmax())
    track = [at]
    for back in reversed(came_from):
        at = int(back[at])
        track.append(at)
    return np.array(track[::-1])


def _corridor(
    worths: Places, grid: Places, share: float, target: NDArray[np.intp]
) -> tuple[Places, Places, NDArray[np.float64]]:
    """Round each target the places that are about as worthy; and how much it matters to be there."""
    low, high, weights = np.empty(len(target)), np.empty(len(target)), np.empty(len(target))
    for i, (worth, at) in enumerate(zip(worths, target, strict=True)):
        good = worth >= worth[at] - AS_WORTHY * max(float(np.ptp(worth)), 0.2)
        left = right = int(at)
        while left > 0 and good[left - 1]:
            left -= 1
        while right < len(grid) - 1 and good[right + 1]:
            right += 1
        low[i] = max(min(grid[left], grid[at] - LEAST_SLACK * share), 0)
        high[i] = min(max(grid[right], grid[at] + LEAST_SLACK * share), grid[-1])
        weights[i] = min(max(float(np.ptp(worth)), 0.05), 20.0)
    return low, high, weights


def _inside(grid: Places, share: float, start: float, end: float) -> Places:
    """How much of an interval lies in the window at each place, 0..1."""
    both = np.minimum(grid + share, end) - np.maximum(grid, start)
    return np.clip(both, 0, None) / (end - start)


def _extent(box: Box, upright: int) -> tuple[float, float]:
    return (box.top, box.bottom) if upright else (box.left, box.right)


def _share(sums: NDArray[np.float32], start: float, end: float) -> float:
    table = np.concatenate([[0.0], np.cumsum(sums, dtype=np.float64)])
    edges = np.linspace(0, 1, len(table))
    return float(np.interp(end, edges, table) - np.interp(start, edges, table))


def kept_in(sight: Sight, box: Box) -> float:
    """Share of a frame's attention inside a box, 0..1; exact where the box spans the frame one way."""
    return _share(sight.across, box.left, box.right) * _share(sight.down, box.top, box.bottom)


def _kept(shot: Shot, path: CameraPath) -> float:
    return float(np.mean([kept_in(s, path.box_at(float(s.seconds))) for s in shot.sights]))


def _kept_by_centre(shot: Shot, whole: tuple[float, float]) -> float:
    x, y = ((1 - w) / 2 for w in whole)
    box = Box(x, y, 1 - x, 1 - y)
    return float(np.mean([kept_in(s, box) for s in shot.sights]))


def _span(shot: Shot) -> str:
    return f"{float(shot.start):.1f}-{float(shot.end):.1f} s"
