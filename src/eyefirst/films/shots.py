"""Watching a film once: its shots, what there is to see in each, the best cover, and a short preview.

Cuts are found on small copies of the frames, as they pass (`cuts`). The network looks
at a few frames a second and at the first of every shot, unless nothing has moved since it last looked. Frames are
not kept; what is remembered of a second of film takes about two kilobytes.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.detectors import Detector, load_detector
from eyefirst.errors import InvalidValueError, MissingExtraError
from eyefirst.films.cuts import AHEAD, CutFinder
from eyefirst.films.frames import VideoFrame, VideoInfo
from eyefirst.films.reader import VideoReader, pyav
from eyefirst.films.sights import LOOK_SIDE, Footage, Looker, Shot, Sight
from eyefirst.geometry import AspectRatio, Box, Size
from eyefirst.image import Animation
from eyefirst.network import Network, load_network
from eyefirst.numeric import as_whole, is_within

SCHEMA = "eyefirst.shots/1"
RATE = 3.0
"""Frames a second that the network looks at; twice as many where the picture changes quickly."""
QUICK_LEVELS = 16
"""The picture changes quickly where it differs by more than so many levels of 255, on average, in half a step."""
SHORTEST_SHOT = 0.4
"""Seconds; what is shorter is a flash, not a shot."""
CUT_SIDE = 64
"""Cuts are found on so many pixels each way."""
STILL_LEVELS = 8
"""Nothing has moved where none of those pixels has changed by more than so many levels of 255."""
MOST_WAITING = 4
"""Frames that wait to be looked at."""
LONGEST_MEMORY = 5.0
"""Seconds for which times of frames are kept: a dissolve is found after it ended."""
FOUND_BONUS = 0.15
"""What a detector's find adds to a score."""


@dataclass(frozen=True, slots=True)
class RankedShot:
    """A shot by its rank: 1 is the one most worth showing. found: what a detector saw in its best frame."""

    rank: int
    number: int
    shot: Shot
    score: float
    found: int = 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        best = self.shot.best
        return {
            "number": self.number,
            "rank": self.rank,
            "start": round(float(self.shot.start), 4),
            "end": round(float(self.shot.end), 4),
            "start_timecode": timecode(self.shot.start),
            "end_timecode": timecode(self.shot.end),
            "score": round(self.score, 4),
            "found": self.found,
            "best_frame": {
                "seconds": round(float(best.seconds), 4),
                "timecode": timecode(best.seconds),
                "score": round(best.score, 4),
                "sharpness": round(best.sharpness, 1),
                "subjects": [s.to_dict() for s in best.subjects],
            },
        }


def timecode(seconds: Fraction | float) -> str:
    """Such as 00:01:02.500."""
    thousandths = round(max(seconds, 0) * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def need_video() -> None:
    """Raises MissingExtraError where a part of the extra `[video]` is missing, before any work is done."""
    pyav("working on films")
    if find_spec("scipy") is None:
        raise MissingExtraError.for_extra("video", "smooth camera paths")


def watch(
    source: str | os.PathLike[str] | VideoReader,
    *,
    rate: float = RATE,
    network: Network | None = None,
    revision: str | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Footage:
    """Reads a film once: its shots, and what there is to see in a few frames a second.

    progress is called after each frame. Raises PictureError for a film that cannot be used, InvalidValueError for a
    rate outside of 0.1..30, MissingExtraError without the extra `[video]`.
    """
    if not is_within(rate, 0.1, 30):
        raise InvalidValueError(f"expected a rate of 0.1..30 frames a second, got {rate!r}", remedy="3 is usual")
    need_video()
    looker = network or load_network(revision)
    opened = source if isinstance(source, VideoReader) else VideoReader(source)
    with opened as reader, closing(Observer(reader.info, rate, looker)) as observer:
        for frame in reader.frames():
            observer.see(frame)
            progress()
        return observer.footage(lambda: reader.warnings)


def rank_shots(
    footage: Footage, *, detector: str | None = None, progress: Callable[[], object] = lambda: None
) -> tuple[RankedShot, ...]:
    """The shots, the one most worth showing first.

    detector: the name of a registered detector, such as "text"; it looks at each shot's best frame, and what it
    finds there adds to the score.
    """
    looker = load_detector(detector) if detector else None
    found = [0] * len(footage.shots)
    if looker:
        with VideoReader(footage.video.name) as reader:
            for i, shot in enumerate(footage.shots):
                found[i] = _count(looker, reader.frame_at(shot.best.seconds))
                progress()
    scores = [s.score + FOUND_BONUS * (n > 0) for s, n in zip(footage.shots, found, strict=True)]
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    return tuple(
        RankedShot(rank, i + 1, footage.shots[i], min(scores[i], 1.0), found[i]) for rank, i in enumerate(order, 1)
    )


def cover(footage: Footage) -> PillowImage.Image:
    """The best single frame of the film, at full resolution, without the black bars of its shot."""
    shot = max(footage.shots, key=lambda s: s.best.score)
    with VideoReader(footage.video.name) as reader:
        picture = reader.frame_at(shot.best.seconds).picture()
    part = shot.active.to_pixels(Size(*picture.size))
    return picture.crop((part.left, part.top, part.right, part.bottom))


def preview(footage: Footage, *, seconds: float = 4.0, width: int = 320, frames_per_second: float = 10.0) -> Animation:
    """A short animation of the best shots, in the film's order; a second or more of each, round its best frame.

    Black bars that all of them have are left out. seconds: how long in all, at most 30. width: of the result in pixels.
    """
    if not is_within(seconds, 0, 30) or seconds == 0:
        raise InvalidValueError(f"expected 0..30 seconds, got {seconds!r}", remedy="4 is usual")
    if not is_within(frames_per_second, 1, 30) or not is_within(as_whole(width), 16, 1920):
        raise InvalidValueError(
            f"expected 1..30 frames a second and 16..1920 pixels, got {frames_per_second!r} and {width!r}",
            remedy="10 and 320 are usual",
        )
    chosen = rank_shots(footage)[: max(1, round(seconds))]
    each = seconds / len(chosen)
    active = reduce(Box.union, (one.shot.active for one in chosen))
    shown = footage.video.display_size
    whole = Size(math.ceil(width / active.width), max(1, round(width / active.width * shown.height / shown.width)))
    part = active.to_pixels(whole)
    left = min(part.left, whole.width - width)
    edges = (left, part.top, left + width, part.bottom)
    frames: list[PillowImage.Image] = []
    with VideoReader(footage.video.name) as reader:
        for one in sorted(chosen, key=lambda r: r.number):
            start, end = _part(one.shot, each)
            frames += (still.crop(edges) for still in _stills(reader, start, end, frames_per_second, whole))
    return Animation(tuple(frames), (round(1000 / frames_per_second),) * len(frames), 0)


def shots_to_dict(footage: Footage, ranked: Sequence[RankedShot]) -> dict[str, Any]:
    """As JSON values, in the film's order."""
    video = footage.video
    return {
        "schema": SCHEMA,
        "video": video.name,
        "size": {"width": video.size.width, "height": video.size.height},
        "seconds": round(float(footage.seconds), 4),
        "frames": footage.frame_count,
        "rate": footage.rate,
        "revision": footage.revision,
        "shots": [r.to_dict() for r in sorted(ranked, key=lambda r: r.number)],
        "warnings": list(footage.warnings),
    }


# --- one pass over the frames


class Observer:
    """Sees every frame once; looks closer at some. Close it at the end."""

    def __init__(self, info: VideoInfo, rate: float, network: Network) -> None:
        self._info, self._rate, self._network = info, rate, network
        shown = info.display_size
        self._shape = shown.width / shown.height
        per_second = float(info.frames_per_second)
        self._cutter = CutFinder(per_second, max(1, round(SHORTEST_SHOT * per_second)))
        self._looker = Looker(network)
        self._recent: deque[tuple[int, VideoFrame, NDArray[np.uint8]]] = deque(maxlen=AHEAD + 2)
        self._times: deque[tuple[int, Fraction]] = deque(maxlen=round(LONGEST_MEMORY * per_second) + 2)
        self._sights: dict[int, tuple[Fraction, Future[Sight]]] = {}
        self._latest: tuple[NDArray[np.int16], Future[Sight]] | None = None
        self._worker = ThreadPoolExecutor(1, "eyefirst-watch")
        self._cuts: list[tuple[int, Fraction]] = []
        self._count = 0
        self._step = 1 / Fraction(self._rate)
        self._due = self._early = Fraction(0)
        self._first = self._last = self._before = Fraction(0)

    def close(self) -> None:
        """End the thread that looks."""
        self._worker.shutdown(cancel_futures=True)

    def see(self, frame: VideoFrame) -> None:
        """Take the next frame."""
        number, self._count = self._count, self._count + 1
        self._before, self._last = self._last, frame.seconds
        if number == 0:
            self._first = self._due = frame.seconds
        rough = frame.rough(CUT_SIDE)
        self._recent.append((number, frame, rough))
        self._times.append((number, frame.seconds))
        if frame.seconds >= self._due:
            self._look(number, frame, rough)
            self._due = max(self._due + self._step, frame.seconds + self._step / 2)
        elif frame.seconds >= self._early and self._changed(rough) > QUICK_LEVELS:
            self._look(number, frame, rough)
        self._note(self._cutter.see(rough))

    def shot_now(self, seconds: Fraction, since: Fraction) -> Shot:
        """Return the shot of a time, as far as it is known, and forget what was before `since` and the shot."""
        cuts = sorted(self._cuts)
        first = max((c for c in cuts if c[1] <= seconds), default=(0, self._first))
        last = min((c for c in cuts if c[1] > seconds), default=(self._count, self._last))
        self._cuts = [c for c in cuts if c >= first]
        known = sorted(self._sights)
        old = [n for n in known if n < first[0] or self._sights[n][0] < since]
        for number in old[:-1]:
            del self._sights[number]
        own = [n for n in known if first[0] <= n < last[0] and self._sights.get(n)] or old[-1:] or known[:1]
        sights = tuple(replace(self._sights[n][1].result(), seconds=self._sights[n][0]) for n in own)
        return Shot(first[1], last[1], sights, self._shape)

    def footage(self, warnings: Callable[[], tuple[str, ...]]) -> Footage:
        """Return all that was seen, after the last frame."""
        self._note(self._cutter.end())
        if self._recent:
            self._look(*self._recent[-1])
        frame_seconds = self._last - self._before if self._count > 1 else 1 / self._info.frames_per_second
        end = self._last + frame_seconds
        firsts = [(0, self._first), *sorted(self._cuts)]
        seen = [(number, replace(look.result(), seconds=at)) for number, (at, look) in sorted(self._sights.items())]
        shots = []
        for i, (first, start) in enumerate(firsts):
            stop, until = firsts[i + 1] if i + 1 < len(firsts) else (self._count, end)
            sights = tuple(sight for number, sight in seen if first <= number < stop)
            nearest = min(seen, key=lambda s: abs(s[0] - first))[1]
            dissolved = first in self._cutter.dissolves
            sights = sights or (replace(nearest, seconds=start),)
            shots.append(Shot(start, until, sights, self._shape, dissolved))
        return Footage(self._info, end, self._count, self._rate, self._network.revision, tuple(shots), warnings())

    def _note(self, cuts: Sequence[int]) -> None:
        for cut in cuts:
            at = next((seconds for number, seconds in self._times if number == cut), None)
            if at is None or cut == 0:
                continue
            self._cuts.append((cut, at))
            for found in list(self._recent):
                if found[0] in (cut - 1, cut):  # a shot's first and last frame say where its moves begin and end
                    self._look(*found)

    def _changed(self, rough: NDArray[np.uint8]) -> float:
        """How many levels a frame is from the one that was looked at last, on average."""
        return float(np.abs(rough - self._latest[0]).mean()) if self._latest else 0.0

    def _look(self, number: int, frame: VideoFrame, rough: NDArray[np.uint8]) -> None:
        """Has it looked at by the worker, while the next frames are decoded."""
        if number in self._sights:
            return
        self._early = max(self._early, frame.seconds + self._step / 2)
        if self._latest and np.abs(rough - self._latest[0]).max() <= STILL_LEVELS:
            self._sights[number] = frame.seconds, self._latest[1]
            return
        larger = frame.pixels(AspectRatio.parse(self._info.size).largest_in(Size(LOOK_SIDE, LOOK_SIDE)))
        for _, waiting in list(self._sights.values())[-MOST_WAITING : -MOST_WAITING + 1]:
            waiting.result()
        seen = self._worker.submit(self._looker.look, frame.seconds, larger)
        self._latest = rough.astype(np.int16), seen
        self._sights[number] = frame.seconds, seen


def _count(detector: Detector, frame: VideoFrame) -> int:
    return len(detector.detect(frame.pixels(), Box.whole()))


def _part(shot: Shot, seconds: float) -> tuple[float, float]:
    """So many seconds of a shot round its best frame."""
    first, last = float(shot.start), float(shot.end)
    start = min(max(float(shot.best.seconds) - seconds / 2, first), max(last - seconds, first))
    return start, min(start + seconds, last)


def _stills(reader: VideoReader, start: float, end: float, rate: float, size: Size) -> list[PillowImage.Image]:
    """Frames at even times; at least one. What is shown at each time, as small pictures."""
    times = start + np.arange(max(1, round((end - start) * rate))) / rate
    shown: list[PillowImage.Image] = []
    last: VideoFrame | None = None
    for frame in reader.frames_from(Fraction(start)):
        while last is not None and len(shown) < len(times) and times[len(shown)] < frame.seconds:
            shown.append(PillowImage.fromarray(last.pixels(size)))
        last = frame
        if frame.seconds >= end:
            break
    if last is not None and len(shown) < len(times):
        shown += [PillowImage.fromarray(last.pixels(size))] * (len(times) - len(shown))
    return shown
