"""A film that is cut while it comes: the camera of whole films, over a sliding window of two seconds.

Every third of a second the calmest track is solved for from where the window is to the newest frame, and only its
next part is kept. So a frame goes out `LOOK_AHEAD` after it came, and what is remembered does not grow.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import numpy as np

from eyefirst.errors import InvalidValueError
from eyefirst.films.axis import Axis, Places, Wanted
from eyefirst.films.encoding import EncodeOptions
from eyefirst.films.frames import VideoFrame, VideoInfo
from eyefirst.films.order import largest_window
from eyefirst.films.path import CameraPath, KeyFrame, TrackLimits
from eyefirst.films.people import head_tracks, heads_of, others_of, people_of, texts_of
from eyefirst.films.reader import VideoReader
from eyefirst.films.shot_camera import Camera
from eyefirst.films.shots import RATE, Observer
from eyefirst.films.sights import Shot
from eyefirst.films.writer import VideoWriter, even
from eyefirst.geometry import AspectRatio, Box, RatioLike
from eyefirst.network import Network, load_network

LOOK_AHEAD, REMEMBERED = Fraction(2), Fraction(4)
"""Seconds between a frame's coming and its going; and how long what was seen counts."""
KEPT = 6
"""Key frames that are kept of the path so far."""


def live_windows(
    frames: Iterable[VideoFrame],
    info: VideoInfo,
    ratio: RatioLike = "9:16",
    *,
    limits: TrackLimits | None = None,
    network: Network | None = None,
) -> Iterator[tuple[VideoFrame, Box]]:
    """Return the frames of a film, each with its window, two seconds after it came; the rest at the end.

    frames: in order of time, of a film that need not end. info: of the film. ratio: of the window. A box is in 0..1
    of the upright frame; its size changes at cuts alone, where bars come or go.
    """
    window = largest_window(info, AspectRatio.parse(ratio))
    camera = Camera(info, window, window, 0.0, (), None, limits or TrackLimits())
    waiting: deque[VideoFrame] = deque()
    path = _LivePath(camera)
    with closing(Observer(info, RATE, network or load_network())) as observer:
        for frame in frames:
            observer.see(frame)
            waiting.append(frame)
            while frame.seconds - waiting[0].seconds >= LOOK_AHEAD:
                yield waiting[0], path.box_at(waiting[0].seconds, observer)
                waiting.popleft()
        while waiting:
            yield waiting[0], path.box_at(waiting[0].seconds, observer)
            waiting.popleft()


def watch_live(
    source: str | os.PathLike[str] | VideoReader,
    target: str | os.PathLike[str],
    ratio: RatioLike = "9:16",
    *,
    network: Network | None = None,
    encode: EncodeOptions | None = None,
    progress: Callable[[], object] = lambda: None,
) -> tuple[str, ...]:
    """Cut a film to another ratio while it comes, and return what was lost on the way, in plain words.

    source: a path, the address of a stream, a camera such as /dev/video0, "-" for standard input, or an open reader.
    target: a file, or "-" for standard output, as Matroska. Sound and subtitles come along. progress is called after
    each frame. Raises PictureError for what cannot be read, OutputError for what cannot be written.
    """
    with source if isinstance(source, VideoReader) else VideoReader(source, live=True) as reader:
        info = reader.info
        window = largest_window(info, AspectRatio.parse(ratio))
        size = window if info.pixel_aspect == 1 else even(AspectRatio.parse(ratio).largest_in(info.display_size))
        with VideoWriter(target, size, info.frames_per_second, like=reader, encode=encode) as writer:

            def frames() -> Iterator[VideoFrame]:
                for found in reader.frames_and_packets(writer.carried):
                    if isinstance(found, VideoFrame):
                        yield found
                    else:
                        writer.copy(found)

            for frame, box in live_windows(frames(), info, ratio, network=network):
                writer.write_cut(frame, box)
                progress()
        return tuple(dict.fromkeys([*reader.warnings, *writer.warnings]))


class _LivePath:
    """The window's path in the shot that is shown: key frames so far, at even times."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._start: Fraction | None = None
        self._keys: list[KeyFrame] = []
        self._until = 0.0

    def box_at(self, seconds: Fraction, observer: Observer) -> Box:
        """Return the window at a time that is not before the last one asked for."""
        if not self._keys or float(seconds) >= self._until:
            shot = observer.shot_now(seconds, seconds - REMEMBERED)
            if shot.start != self._start:
                self._begin(shot)
            self._extend(shot, float(seconds))
        return CameraPath(tuple(self._keys), "track").box_at(float(seconds))

    def _begin(self, shot: Shot) -> None:
        self._start, self._keys = shot.start, []
        self._active = shot.active
        self._shares = self._camera.shares(shot, self._camera.ratio)

    def _extend(self, shot: Shot, seconds: float) -> None:
        """Go on, so that two key frames come after a time; the spline needs them."""
        step = 1 / RATE
        given = self._keys[-3:]
        begin = given[0].seconds if given else seconds
        wanted_until = seconds + 2.5 * step
        count = int((max(float(shot.end), wanted_until) - begin) / step) + 1
        times: Places = begin + step * np.arange(max(count, len(given) + 1, 4), dtype=np.float64)
        tracks = head_tracks(shot)
        main = people_of(shot, tracks)[:1]
        frames = len(shot.sights)
        wide, high = self._shares
        heads, others = heads_of(main, frames, width=wide), others_of(tracks, main, frames)
        wanted = Wanted(heads, texts_of(shot), others=others)
        part = replace(shot, start=Fraction(begin), end=Fraction(float(times[-1])))
        axes = [
            _places(axis, times, [getattr(key.box, edge) for key in given])
            for axis, edge in zip(
                self._camera.axes(part, self._shares, wanted, self._active), ("left", "top"), strict=True
            )
        ]
        for i, (left, top) in enumerate(zip(*axes, strict=True)):
            if i >= len(given) and times[i] < wanted_until:
                box = Box(left, top, min(left + wide, 1.0), min(top + high, 1.0))
                self._keys.append(KeyFrame(float(times[i]), box))
        self._keys = self._keys[-KEPT:]
        self._until = self._keys[-2].seconds
        if shot.end > Fraction(seconds):
            self._until = min(self._until, float(shot.end))


def _places(axis: Axis, times: Places, given: list[float]) -> list[float]:
    """The track along an axis that goes on from the places that are given."""
    try:
        return [float(p) for p in axis.track(times, np.array(given))]
    except InvalidValueError:  # it cannot stop within the limits before the edge: it rests
        return [*given, *[given[-1]] * (len(times) - len(given))]
