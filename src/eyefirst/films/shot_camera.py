"""Where the camera goes in one shot: people first, then text and what people look at; within the bars, if there are.

The main face is decided over the shot and held: its head stays whole, with room. A second face that counts as much
stays too, where both fit; else the shot is stacked or padded, if asked, or you are told. `axis` plans each axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Literal, get_args

import numpy as np

from eyefirst.errors import InvalidValueError
from eyefirst.films.axis import HEAD_ROOM, Axis, AxisPath, Places, Wanted, extent_of, snapped
from eyefirst.films.frames import VideoInfo
from eyefirst.films.losses import hidden_by_platform, people_lost, span, text_lost
from eyefirst.films.path import CameraPath, KeyFrame, TrackLimits
from eyefirst.films.people import (
    HeadTrack,
    TextLine,
    head_tracks,
    heads_of,
    left_at,
    others_of,
    people_of,
    texts_of,
    union_at,
    widest,
)
from eyefirst.films.reframe_plan import KINDS, Kind, MustKeep, ShotPath, stack_cells
from eyefirst.films.sights import Shot, Sight, kept_in
from eyefirst.films.wishes import SAFE_AREAS, SafeArea, ShotWish
from eyefirst.framing import Padding
from eyefirst.geometry import AspectRatio, Box, Size

Layout = Literal["crop", "pad", "stack", "auto"]
LAYOUTS = get_args(Layout)
STEADY_SHARE = 0.5
"""Two subjects count as a pair where they are both seen in this share of a shot's analysed frames."""
FITS, PAIR_FITS = 0.98, 1 - 2 * HEAD_ROOM
"""One head that needs at most this share of the window fits into it; and two, which have room beside them."""
OVERLOOKED = 0.5
"""A camera that keeps faces keeps, while they are there, at least this share of the attention that it would without."""
TIGHT_HEAD = 1.5
"""A tight window is at least so many times larger than the head in it."""
STACK_HEAD, LEAST_STACK = 2.2, 0.4
"""A window of a stack is so many times larger than its head, and at least this share of the largest one."""
MARGIN = 0.08
"""Room round what is kept by padding, as a share of its size."""


class Camera:
    """Plans shots of one film; what does not depend on the shot is kept here.

    ratio: of the result, in stored pixels. size: of the result. window: the largest one of the whole frame.
    """

    def __init__(
        self,
        video: VideoInfo,
        window: Size,
        size: Size,
        tightness: float,
        regions: tuple[MustKeep, ...],
        pad: str | None,
        limits: TrackLimits,
        layout: Layout = "crop",
        hidden: SafeArea = SAFE_AREAS["none"],
    ) -> None:
        self._video, self._window, self._size, self._tightness = video, window, size, tightness
        self._regions, self._pad, self._limits, self._layout = regions, pad, limits, layout
        self._hidden = hidden

    def plan(self, shot: Shot, wish: ShotWish | None = None) -> ShotPath:
        """Return how a shot is framed. wish: where the editor wants the window. Raises InvalidValueError."""
        whole = self.shares(shot, self.ratio)
        watched, texts, regions = shot, texts_of(shot), self._regions_in(shot)
        if not all(_fit((line.width, line.height), whole) for line, _ in texts):
            shot = watched.without_text()  # what cannot be kept draws nothing
        tracks = head_tracks(shot)
        people = people_of(shot, tracks, lambda heads: _fit(widest(heads, shot.sights), whole, PAIR_FITS))
        warnings: list[str] = []
        if wish is not None:
            if wish.face is not None and len(tracks) < wish.face:
                count = "one face only" if tracks else "no face"
                raise InvalidValueError(
                    f"shot {wish.number} has {count}",
                    remedy=f"give a place, such as {wish.number}=0.4",
                )
            people = (tracks[wish.face - 1],) if wish.face else tracks[:1]
            if wish.place is not None:
                path = self._resting(shot, whole, wish.place)
                return self._shot_path(watched, "hold", path, self._lost(shot, path, people, texts))
        pair = people
        if len(people) > 1 and not _fit(widest(people, shot.sights), whole, PAIR_FITS):
            if self._layout in ("stack", "auto") and not regions:
                return self._stacked(shot, people)
            if not self._pad:
                people = (max(people, key=lambda p: p.weight * self._kept_with(shot, whole, p)),)
        together = self._together(shot, people, texts, regions)
        fits = together is None or _fit((together.width, together.height), whole, share=1 + 1e-9)
        if together is not None and not fits and self._pad:
            return self._with_padding(watched, together, whole)
        if together is not None and not fits and not regions and not people and not texts:
            warnings.append(f"{span(shot)}: two subjects do not fit; add padding to keep both")
        scale = self._scale(shot, whole, people)
        shares = (whole[0] * scale, whole[1] * scale)
        gone = left_at(shot, people[0], tracks) if len(people) == 1 else {}
        frames = len(shot.sights)
        heads = heads_of(people, frames, gone, shares[0])
        others = others_of(tracks, people, frames)
        firsts = [next(h for h in found if h is not None) for found in heads if any(found)]
        whole_lines, strays = _apart(texts, firsts, shares)
        wanted = Wanted(heads, whole_lines, self._regions, self._hidden, others, strays, gone)
        path, kind = self._path_of(shot, shares, wanted)
        if people and wish is None:
            other, other_kind = self._path_of(shot, shares, replace(wanted, heads=(), others=(), left_at={}))
            there = [shot.sights[n] for n in sorted({n for p in people for n in p.heads})]
            if _kept(there, path) < OVERLOOKED * _kept(there, other):  # nobody looks at this face
                people, path, kind = (), other, other_kind
        if len(pair) > len(people) and not regions and people_lost(shot, path, pair):
            warnings.append(f"{span(shot)}: two faces do not fit; --layout stack or --pad keeps both")
        warnings += self._lost(shot, path, people, texts)
        return self._shot_path(watched, kind, path, tuple(warnings))

    def _resting(self, shot: Shot, shares: tuple[float, float], place: float) -> CameraPath:
        """A still window whose middle is at a place of the frame, on both axes; on whole, even pixels."""
        size, active = self._video.size, shot.active
        edges = []
        for share, low, high, pixels in (
            (shares[0], active.left, active.right, size.width),
            (shares[1], active.top, active.bottom, size.height),
        ):
            first = min(max(low + place * (high - low) - share / 2, low), max(high - share, low))
            edges.append((snapped(first, low, max(high - share, low), pixels), share))
        (left, wide), (top, high) = edges
        return CameraPath((KeyFrame(float(shot.start), Box(left, top, min(left + wide, 1.0), min(top + high, 1.0))),))

    def _lost(
        self,
        shot: Shot,
        path: CameraPath,
        people: Sequence[HeadTrack],
        texts: Sequence[TextLine],
    ) -> tuple[str, ...]:
        """What is cut, and what a platform hides, in plain words."""
        words = [*self._regions_lost(shot, path), *people_lost(shot, path, people), *text_lost(shot, path, texts)]
        if any(self._hidden):
            words += hidden_by_platform(shot, path, people, texts, self._hidden)
        return tuple(words)

    @property
    def ratio(self) -> AspectRatio:
        """The largest window's, in stored pixels."""
        return AspectRatio.parse((self._window.width, self._window.height))

    def shares(self, shot: Shot, ratio: AspectRatio) -> tuple[float, float]:
        """Return the largest window of a ratio, as shares of the frame's sides; bars are left out."""
        size = self._video.size
        if shot.active == Box.whole() and ratio == self.ratio:
            return self._window.width / size.width, self._window.height / size.height
        wide, high = shot.active.width * size.width, shot.active.height * size.height
        value = float(ratio.value)
        wide, high = min(wide, high * value), min(high, wide / value)
        return wide / size.width, high / size.height

    def axes(self, shot: Shot, shares: tuple[float, float], wanted: Wanted, active: Box) -> tuple[Axis, Axis]:
        """Return the axes of a window with these shares of the frame's sides. active: the frame without bars."""
        (wide, high), size = shares, self._video.size
        return (
            Axis(shot, wanted, self._limits, min(wide, 1.0), extent_of(active, False), False, size.width),
            Axis(shot, wanted, self._limits, min(high, 1.0), extent_of(active, True), True, size.height),
        )

    def _path_of(self, shot: Shot, shares: tuple[float, float], wanted: Wanted) -> tuple[CameraPath, Kind]:
        count = max(2, round(shot.seconds * self._rate_of(shot)) + 1)
        times = np.linspace(float(shot.start), float(shot.end), count)
        across, down = (axis.path(times) for axis in self.axes(shot, shares, wanted, shot.active))
        return _joined(times, across, down), max((across.kind, down.kind), key=KINDS.index)

    def _kept_with(self, shot: Shot, shares: tuple[float, float], person: HeadTrack) -> float:
        """The share of the attention in a window that keeps one head."""
        wanted = Wanted(heads_of([person], len(shot.sights), width=shares[0]))
        return _kept(shot.sights, self._path_of(shot, shares, wanted)[0])

    def _rate_of(self, shot: Shot) -> float:
        return min(max(len(shot.sights) / max(shot.seconds, 1e-3), 1.0), 10.0)

    def _scale(self, shot: Shot, whole: tuple[float, float], people: Sequence[HeadTrack]) -> float:
        """The window's size for this shot, against the largest."""
        if self._tightness == 0:
            return 1.0
        boxes = [max(s.subjects, key=lambda o: o.confidence).box.expanded(0.05) for s in shot.sights if s.subjects]
        boxes += [m.box for m in self._regions_in(shot)]
        if not boxes:
            return 1.0
        needed = [max(b.width / whole[0], b.height / whole[1]) for b in boxes]
        head = widest(people, shot.sights)
        least = max(0.25, TIGHT_HEAD * max(head[0] / whole[0], head[1] / whole[1]))
        tight = min(max(float(np.quantile(needed, 0.9)), least), 1.0)
        return 1 + (tight - 1) * self._tightness

    def _regions_in(self, shot: Shot) -> list[MustKeep]:
        return [m for m in self._regions if m.start < float(shot.end) and (m.end is None or m.end > float(shot.start))]

    def _together(
        self,
        shot: Shot,
        people: Sequence[HeadTrack],
        texts: Sequence[TextLine],
        regions: Sequence[MustKeep],
    ) -> Box | None:
        """What has to be seen together: regions; or heads and text; or two subjects that are there for long."""
        if regions:
            return reduce(Box.union, (m.box for m in regions))
        heads = [h for n in range(len(shot.sights)) if (h := union_at(people, n)) is not None]
        boxes = [t for t, _ in texts]
        if heads and (boxes or len(people) > 1):
            boxes.append(_median(heads))
        if boxes or people:
            if boxes and not heads:
                boxes += [_median(s) for s in [_strongest(shot)] if s]
            return reduce(Box.union, boxes) if boxes else None
        unions = [reduce(Box.union, (o.box for o in s.subjects[:2])) for s in shot.sights if len(s.subjects) > 1]
        if len(unions) < max(STEADY_SHARE * len(shot.sights), 1):
            return None
        return _median(unions)

    def _with_padding(self, shot: Shot, pair: Box, whole: tuple[float, float]) -> ShotPath:
        """A still window round the pair, as wide as it has to be; the rest of the frame is padded."""
        size, active = self._video.size, shot.active
        target = pair.expanded(MARGIN)
        wide, high = (max(a, b) for a, b in zip((target.width, target.height), whole, strict=True))
        wide, high = min(wide, active.width), min(high, active.height)
        left = min(max(target.center.x - wide / 2, active.left), active.right - wide)
        top = min(max(target.center.y - high / 2, active.top), active.bottom - high)
        box = Box(max(left, 0.0), max(top, 0.0), min(left + wide, 1.0), min(top + high, 1.0))
        pixels = box.to_pixels(size)
        ratio = self._window.width / self._window.height
        full = Size(max(pixels.width, round(pixels.height * ratio)), max(pixels.height, round(pixels.width / ratio)))
        x, y = full.width - pixels.width, full.height - pixels.height
        padding = Padding(x // 2, y // 2, x - x // 2, y - y // 2)
        path = CameraPath((KeyFrame(float(shot.start), pixels.normalized(size)),))
        lost = self._regions_lost(shot, path)
        return self._shot_path(shot, "pad", path, lost, padding=padding)

    def _stacked(self, shot: Shot, people: Sequence[HeadTrack]) -> ShotPath:
        """Two windows, one for each face: the one further left, or higher, first."""
        first, second = sorted(people[:2], key=lambda t: _median(list(t.heads.values())).center.x)
        paths = []
        for person, other, cell in zip((first, second), (second, first), stack_cells(self._size), strict=True):
            ratio = AspectRatio(AspectRatio.parse((cell.width, cell.height)).value / self._video.pixel_aspect)
            whole = self.shares(shot, ratio)
            head = widest([person], shot.sights)
            fit = max(head[0] / whole[0], head[1] / whole[1])
            alone = _room_beside(person, other, shot.active) / whole[0]
            scale = min(1.0, max(STACK_HEAD * fit, LEAST_STACK), max(alone, TIGHT_HEAD * fit))
            wanted = Wanted(heads_of([person], len(shot.sights), width=whole[0] * scale))
            paths.append(self._path_of(shot, (whole[0] * scale, whole[1] * scale), wanted)[0])
        return self._shot_path(shot, "stack", paths[0], (), second=paths[1])

    def _shot_path(
        self,
        shot: Shot,
        kind: Kind,
        path: CameraPath,
        warnings: tuple[str, ...],
        *,
        padding: Padding | None = None,
        second: CameraPath | None = None,
    ) -> ShotPath:
        size = self._video.size
        kept = [
            sum(kept_in(s, p.box_at(float(s.seconds))) for p in (path, second) if p is not None) for s in shot.sights
        ]
        x, y = ((1 - w) / 2 for w in (self._window.width / size.width, self._window.height / size.height))
        centre = Box(x, y, 1 - x, 1 - y)
        by_centre = float(np.mean([kept_in(s, centre) for s in shot.sights]))
        return ShotPath(
            shot.start, shot.end, kind, path, min(float(np.mean(kept)), 1.0), by_centre, padding, warnings, second
        )

    def _regions_lost(self, shot: Shot, path: CameraPath) -> tuple[str, ...]:
        """What of the must-keep regions is outside, at worst."""
        words = []
        for number, region in enumerate(self._regions, 1):
            times = [float(s.seconds) for s in shot.sights if region.holds_at(float(s.seconds))]
            lost = max((1 - path.box_at(t).overlap(region.box) / region.box.area for t in times), default=0.0)
            if lost > 0.01:
                words.append(f"{span(shot)}: up to {round(100 * lost)} % of must-keep region {number} lost")
        return tuple(words)


def _apart(
    texts: Sequence[TextLine], heads: Sequence[Box], shares: tuple[float, float]
) -> tuple[list[TextLine], list[TextLine]]:
    """Return the lines of text that fit into the window beside the head, and those that do not."""
    head = [_median(heads)] if heads else []
    fitting: list[TextLine] = []
    strays: list[TextLine] = []
    for line in texts:
        needed = reduce(Box.union, head, line.box)
        (fitting if _fit((needed.width, needed.height), shares, share=1 + 1e-9) else strays).append(line)
    return fitting, strays


def _room_beside(person: HeadTrack, other: HeadTrack, active: Box) -> float:
    """The width of the widest window round one head, as central as can be, that leaves out another head."""
    head, away = (_median(list(t.heads.values())) for t in (person, other))
    is_left = head.center.x < away.center.x
    edge, side = (away.left, active.left) if is_left else (away.right, active.right)
    half = abs(edge - head.center.x)
    return min(2 * half, abs(edge - side)) if half > abs(head.center.x - side) else 2 * half


def _kept(sights: Sequence[Sight], path: CameraPath) -> float:
    return float(np.mean([kept_in(s, path.box_at(float(s.seconds))) for s in sights]))


def _joined(times: Places, across: AxisPath, down: AxisPath) -> CameraPath:
    """One path of two axes."""
    kinds = {across.kind, down.kind}

    def box(i: int) -> Box:
        left, top = float(across.places[i]), float(down.places[i])
        return Box(left, top, min(left + across.share, 1.0), min(top + down.share, 1.0))

    if kinds == {"hold"}:
        return CameraPath((KeyFrame(float(times[0]), box(0)),))
    return CameraPath(tuple(KeyFrame(float(t), box(i)) for i, t in enumerate(times)), "track")


def _fit(needed: tuple[float, float], whole: tuple[float, float], share: float = FITS) -> bool:
    return needed[0] <= share * whole[0] and needed[1] <= share * whole[1]


def _strongest(shot: Shot) -> list[Box]:
    """The main subject of every analysed frame; none, where a subject is seldom seen."""
    found = [max(s.subjects, key=lambda o: o.confidence).box for s in shot.sights if s.subjects]
    return found if len(found) >= STEADY_SHARE * len(shot.sights) else []


def _median(boxes: Sequence[Box]) -> Box:
    edges = np.median([[b.left, b.top, b.right, b.bottom] for b in boxes], axis=0)
    return Box(*(float(e) for e in edges))
