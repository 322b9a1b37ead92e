"""Watching a film once: its shots, what there is to see in each, the best cover, and a short preview.

PySceneDetect finds the cuts on small copies of the frames, as they pass (the extra `[video]`). The network looks
at a few frames a second and at the first of every shot, unless nothing has moved since it last looked. Frames are
not kept; what is remembered of a second of film takes about two kilobytes.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.boxes import SalientObject
from eyefirst.detectors import Detector, load_detector
from eyefirst.errors import InvalidValueError, MissingExtraError
from eyefirst.films.frames import VideoFrame, VideoInfo
from eyefirst.films.reader import VideoReader, pyav
from eyefirst.geometry import AspectRatio, Box, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import Animation
from eyefirst.network import Network, load_network
from eyefirst.requests import AttentionSaliencyRequest, ObjectnessSaliencyRequest
from eyefirst.tools.camera_guidance import salient_sharpness

SCHEMA = "eyefirst.shots/1"
RATE = 3.0
"""Frames a second that the network looks at."""
SHORTEST_SHOT = 0.4
"""Seconds; what is shorter is a flash, not a shot."""
CUT_RATIO, CUT_CHANGE = 3.0, 15.0
"""A cut changes the picture so many times more than its neighbours do, and by so much: PySceneDetect's defaults."""
CUT_SIDE = 64
"""Cuts are found on so many pixels each way."""
STILL_LEVELS = 8
"""Nothing has moved where none of those pixels has changed by more than so many levels of 255."""
MOST_WAITING = 4
"""Frames that wait to be looked at."""
SOFT_SHARPNESS = 18.0
"""Sharpness (see `salient_sharpness`) that halves a frame's score."""
FLAT, FOUND_BONUS = 6.0, 0.15
"""Grey levels of standard deviation below which a frame counts as blank; what a detector's find adds to a score."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What there was to see in one analysed frame.

    seconds: its time, from the film's start. across, down: the attention map's sums over columns and over rows,
    (68,) float32, each adding up to 1; from the left, from the top. subjects: boxes in 0..1 of the upright
    frame, with confidences. on_subjects: the share of the attention on each. score: how much there is to
    see, 0..1. sharpness: of the salient part, in squared grey levels. contrast: standard deviation of the frame's
    grey levels; a frame that is fading out has little.
    """

    seconds: Fraction
    across: NDArray[np.float32]
    down: NDArray[np.float32]
    subjects: tuple[SalientObject, ...]
    on_subjects: tuple[float, ...]
    score: float
    sharpness: float
    contrast: float


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """Frames between two cuts. start, end: seconds, end exclusive. sights: its analysed frames, at least one."""

    start: Fraction
    end: Fraction
    sights: tuple[Sight, ...]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return float(self.end - self.start)

    @property
    def best(self) -> Sight:
        """The frame with the most to see."""
        return max(self.sights, key=lambda s: s.score)

    @property
    def score(self) -> float:
        """How much there is to see, 0..1: its better half's mean."""
        ranked = sorted((s.score for s in self.sights), reverse=True)
        return float(np.mean(ranked[: (len(ranked) + 1) // 2]))


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """A film that was watched once. seconds: its length. rate: analysed frames a second. warnings: plain words."""

    video: VideoInfo
    seconds: Fraction
    frame_count: int
    rate: float
    revision: str
    shots: tuple[Shot, ...]
    warnings: tuple[str, ...] = ()

    def shot_at(self, seconds: Fraction) -> int:
        """Which shot a time belongs to."""
        return max(bisect_right([s.start for s in self.shots], seconds) - 1, 0)


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
    for module, needed_for in (("scenedetect", "finding shots"), ("scipy", "smooth camera paths")):
        if find_spec(module) is None:
            raise MissingExtraError.for_extra("video", needed_for)


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
    if not 0.1 <= rate <= 30:
        raise InvalidValueError(f"expected a rate of 0.1..30 frames a second, got {rate!r}", remedy="3 is usual")
    need_video()
    looker = network or load_network(revision)
    opened = source if isinstance(source, VideoReader) else VideoReader(source)
    with opened as reader, closing(_Observer(reader.info, rate, looker)) as observer:
        for frame in reader.frames():
            observer.see(frame)
            progress()
        return observer.footage(reader.warnings)


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
    """The best single frame of the film, at full resolution."""
    best = max((s.best for s in footage.shots), key=lambda s: s.score)
    with VideoReader(footage.video.name) as reader:
        return reader.frame_at(best.seconds).picture()


def preview(footage: Footage, *, seconds: float = 4.0, width: int = 320, frames_per_second: float = 10.0) -> Animation:
    """A short animation of the best shots, in the film's order; a second or more of each, round its best frame.

    seconds: how long in all, at most 30. width: of the result in pixels.
    """
    if not 0 < seconds <= 30:
        raise InvalidValueError(f"expected 0..30 seconds, got {seconds!r}", remedy="4 is usual")
    if not 1 <= frames_per_second <= 30 or not 16 <= width <= 1920:
        raise InvalidValueError(
            f"expected 1..30 frames a second and 16..1920 pixels, got {frames_per_second} and {width}",
            remedy="10 and 320 are usual",
        )
    chosen = rank_shots(footage)[: max(1, round(seconds))]
    each = seconds / len(chosen)
    size = footage.video.size
    height = max(1, round(width * size.height / float(size.width * footage.video.pixel_aspect)))
    frames: list[PillowImage.Image] = []
    with VideoReader(footage.video.name) as reader:
        for one in sorted(chosen, key=lambda r: r.number):
            start, end = _part(one.shot, each)
            frames += _stills(reader, start, end, frames_per_second, Size(width, height))
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


class _Observer:
    """Sees every frame once; looks closer at some."""

    def __init__(self, info: VideoInfo, rate: float, network: Network) -> None:
        self._info, self._rate, self._network = info, rate, network
        self._cutter, self._timecode = _cut_detector(info)
        self._side = max(network.input_side, 16)
        self._recent: deque[tuple[int, VideoFrame, NDArray[np.uint8]]] = deque(
            maxlen=2 * self._cutter.event_buffer_length + 2
        )
        self._sights: dict[int, tuple[Fraction, Future[Sight]]] = {}
        self._latest: tuple[NDArray[np.int16], Future[Sight]] | None = None
        self._worker = ThreadPoolExecutor(1, "eyefirst-watch")
        self._times: dict[int, Fraction] = {}
        self._cuts: list[int] = []
        self._count = 0
        self._due = Fraction(0)
        self._last = self._before = Fraction(0)

    def close(self) -> None:
        self._worker.shutdown(cancel_futures=True)

    def see(self, frame: VideoFrame) -> None:
        number, self._count = self._count, self._count + 1
        self._before, self._last = self._last, frame.seconds
        if number == 0:
            self._times[0] = self._due = frame.seconds
        rough = frame.rough(CUT_SIDE)
        self._recent.append((number, frame, rough))
        if frame.seconds >= self._due:
            self._look(number, frame, rough)
            step = 1 / Fraction(self._rate)
            self._due = max(self._due + step, frame.seconds + step / 2)
        for cut in self._cutter.process_frame(self._timecode(number), rough):
            found = next((r for r in self._recent if r[0] == cut.frame_num), None)
            if found is not None and found[0] > 0:
                self._cuts.append(found[0])
                self._times[found[0]] = found[1].seconds
                self._look(*found)

    def footage(self, warnings: tuple[str, ...]) -> Footage:
        frame_seconds = self._last - self._before if self._count > 1 else 1 / self._info.frames_per_second
        end = self._last + frame_seconds
        firsts = [0, *self._cuts]
        shots = []
        for i, first in enumerate(firsts):
            stop = firsts[i + 1] if i + 1 < len(firsts) else self._count
            sights = tuple(
                replace(seen.result(), seconds=seconds)
                for number, (seconds, seen) in sorted(self._sights.items())
                if first <= number < stop
            )
            shots.append(Shot(self._times[first], self._times.get(stop, end), sights))
        return Footage(self._info, end, self._count, self._rate, self._network.revision, tuple(shots), warnings)

    def _look(self, number: int, frame: VideoFrame, rough: NDArray[np.uint8]) -> None:
        """Has it looked at by the worker, while the next frames are decoded."""
        if number in self._sights:
            return
        if self._latest and np.abs(rough - self._latest[0]).max() <= STILL_LEVELS:
            self._sights[number] = frame.seconds, self._latest[1]
            return
        small = frame.pixels(Size(self._side, self._side))
        grey = frame.pixels(AspectRatio.parse(self._info.size).largest_in(Size(512, 512)))
        for _, waiting in list(self._sights.values())[-MOST_WAITING : -MOST_WAITING + 1]:
            waiting.result()
        seen = self._worker.submit(_sight, frame.seconds, small, grey, self._network)
        self._latest = rough.astype(np.int16), seen
        self._sights[number] = frame.seconds, seen


def _sight(seconds: Fraction, small: NDArray[np.uint8], larger: NDArray[np.uint8], network: Network) -> Sight:
    """What there is to see in a frame: small is for the network, larger keeps its shape and is for sharpness."""
    handler = ImageRequestHandler(small, network=network)
    attention, objects = handler.perform([AttentionSaliencyRequest(), ObjectnessSaliencyRequest()])
    density = attention.heat_map.density()
    subjects = objects.salient_objects
    grey = PillowImage.fromarray(larger).convert("L")
    sharpness = salient_sharpness(grey, attention, objects)
    contrast = float(np.asarray(grey).std())
    spread = -float((density * np.log(np.maximum(density, 1e-12))).sum()) / np.log(density.size)
    strongest = max((s.confidence for s in subjects), default=0.0)
    interest = 0.6 * strongest + 0.4 * min(4 * (1 - spread), 1.0)
    return Sight(
        seconds,
        density.sum(0).astype(np.float32),
        density.sum(1).astype(np.float32),
        subjects,
        tuple(attention.heat_map.mass_in(s.box) for s in subjects),
        0.0 if contrast < FLAT else interest * sharpness / (sharpness + SOFT_SHARPNESS),
        sharpness,
        contrast,
    )


def _cut_detector(info: VideoInfo) -> tuple[Any, Callable[[int], Any]]:
    """PySceneDetect's detector of cuts, and what makes the time codes that it takes."""
    try:
        from scenedetect import AdaptiveDetector, FrameTimecode  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError.for_extra("video", "finding shots") from error
    rate = float(info.frames_per_second)
    detector = AdaptiveDetector(
        adaptive_threshold=CUT_RATIO, min_content_val=CUT_CHANGE, min_scene_len=max(1, round(SHORTEST_SHOT * rate))
    )
    return detector, lambda number: FrameTimecode(number, rate)


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
