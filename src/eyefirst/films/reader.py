"""Reading films, with PyAV (the extra `[video]`).

Frames are streamed: one is in memory at a time. Times are exact: a frame's time is its time stamp times the time
base of its stream, a Fraction of a second, counted from the start of the film as players count. A file is opened
once; the packets that come before the first frame are kept and given out again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from heapq import heappop, heappush
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from eyefirst.errors import (
    MissingExtraError,
    NotAPictureError,
    PictureNotFoundError,
    TruncatedPictureError,
    UnsupportedPictureError,
    reason_of,
)
from eyefirst.films.frames import ColourTags, VideoFrame, VideoInfo, chroma_of, may_be_transparent, source_matrix
from eyefirst.films.planes import padded, planes_of
from eyefirst.films.restarts import Restarts
from eyefirst.films.streams import film_stream, is_of_pictures, start_of, turn_of
from eyefirst.films.tone_mapping import HDR_TRANSFERS
from eyefirst.geometry import Size

MOST_PIXELS = 8192 * 8192
TOO_MANY_DAMAGED = 1000
HIGHEST_RATE = 1000
"""Frames a second; a file that claims more gives the base of its clock."""
IN_ORDER = ("avi", "asf")
"""Containers that know the times of packets alone: the n-th frame that is shown has the n-th time."""
STANDARD = "-"
CAMERA = "/dev/video"
INTERLACED = "the film is interlaced, and is written de-interlaced"
DEINTERLACE = "mode=send_frame:deint=interlaced"
"""Options of FFmpeg's bwdif filter: one frame for two fields, and others as they are."""
MOST_WAITING = 3000
"""Packets that are read to find the first frame."""
STILL_REMEDY = "`eyefirst crop` cuts pictures, and `eyefirst pan` makes a film of photos"


def pyav(needed_for: str = "making films") -> Any:
    """Return PyAV, or raise the error that names the extra."""
    try:
        import av  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError.for_extra("video", needed_for) from error
    return av


def is_live(source: str) -> bool:
    """Return whether a source is a stream that can be read once: "-" for standard input, an address, a camera."""
    is_device = os.path.exists(source) and not (os.path.isfile(source) or os.path.isdir(source))
    return source == STANDARD or "://" in source or is_device


class VideoReader:
    """Reads a film's frames in order. A context manager. live: also what can be read once only, see `is_live`.

    Damaged packets are skipped and counted. Interlaced frames are de-interlaced. Times that start anew midway go on,
    and frames of another size are fitted into the first one's. `warnings` says which of it happened.

    Raises PictureNotFoundError, NotAPictureError for what holds no film, TruncatedPictureError where no frame can be
    decoded, and MissingExtraError without the extra `[video]`.
    """

    def __init__(self, path: str | os.PathLike[str], *, live: bool = False) -> None:
        self._av = pyav("reading films")
        self._name = os.fspath(path)
        self._is_stream = is_live(self._name)
        if not (os.path.isfile(path) or (live and self._is_stream)):
            reason, remedy = "there is no such file", "check the path"
            if os.path.isdir(path):
                reason, remedy = "is a folder", "name the films in it"
            raise PictureNotFoundError(reason, remedy=remedy, source=self._name)
        self._deinterlacer: Any = None
        self._waiting: list[Any] = []
        self._words: list[str] = []
        self._other_sizes: set[Size] = set()
        self._in_order: list[int] | None = None
        self._has_times = False
        self._latest: Fraction | None = None
        self._times = Restarts(Fraction(0), can_jump=False)
        self._scalers: dict[tuple[Size, str, str], Any] = {}
        self._start_over()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.container.close()

    @property
    def start(self) -> Fraction:
        """The time stamp, in seconds, that counts as 0."""
        return self._start

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was odd in the film, as far as it was read, in plain words."""
        damaged = (f"{self.damaged_packets} damaged packets were skipped",) if self.damaged_packets else ()
        return (*self._words, *self._times.warnings, *damaged)

    def frames(self) -> Iterator[VideoFrame]:
        """Return every frame, in order of time."""
        for found in self.frames_and_packets():
            if isinstance(found, VideoFrame):
                yield found

    def frames_and_packets(self, others: Sequence[Any] = ()) -> Iterator[VideoFrame | Any]:
        """Return frames, and between them the packets of other streams, in the file's order.

        Time stamps of packets are counted from the film's start. Packets that an edit list hides are left out.
        """
        wanted = {s.index for s in others}
        last: Fraction | None = None
        for found in self._found(others):
            if isinstance(found, self._av.Packet):
                if found.stream.index in wanted and found.size and not found.is_discard:
                    yield found
                continue
            for raw, seconds in self._progressive(found):
                if seconds is not None and (last is None or seconds > last) and not (seconds < 0 and self._is_stream):
                    last = seconds
                    yield VideoFrame(seconds, self._conformed(raw, seconds), self.info, self._scaled)

    def frames_from(self, seconds: Fraction) -> Iterator[VideoFrame]:
        """Return frames from a key frame no later than a time on, read anew."""
        if self._can_seek:
            self._waiting = []
            self._deinterlacer = None
            self._times.begin_anew()
            self._in_order = None if self._in_order is None else []
            target = int((seconds + self._start) / self.stream.time_base)
            with contextlib.suppress(self._av.error.FFmpegError, OSError):
                self.container.seek(max(target, 0), stream=self.stream)
                return self.frames()
        self.container.close()
        self._start_over()
        return self.frames()

    def frame_at(self, seconds: Fraction) -> VideoFrame:
        """Return the frame shown at a time: the last one that begins no later; else the first."""
        found = None
        for frame in self.frames_from(seconds):
            if found is not None and frame.seconds > seconds:
                break
            found = frame
        if found is None:
            raise TruncatedPictureError("no frame can be decoded there", remedy="copy it again", source=self._name)
        return found

    def _scaled(self, frame: VideoFrame, size: Size, format: str, interpolation: str) -> NDArray[Any]:
        """By a scaler that is kept: setting one up takes longer than using it."""
        made = self._av.video.reformatter.VideoReformatter
        scaler = self._scalers.setdefault((size, format, interpolation), made())
        matrix = source_matrix(self.info)
        small = scaler.reformat(
            frame.raw, size.width, size.height, format, interpolation=interpolation, src_colorspace=matrix
        )
        return np.asarray(small.to_ndarray())

    def _start_over(self) -> None:
        self._open()
        self.damaged_packets = self._count = 0
        self._deinterlacer = None
        try:
            self._waiting = self._first_packets()
            self.info = self._look()
        except BaseException:
            self.container.close()
            raise

    def _found(self, others: Sequence[Any]) -> Iterator[Any]:
        """Decoded frames, and packets of other streams, as they come."""
        waiting, self._waiting = self._waiting, []
        yield from waiting
        for packet in self._packets(others):
            yield from self._opened(packet)
        if self._deinterlacer is not None:
            yield None  # brings out the frames that the filter still holds

    def _opened(self, packet: Any) -> Iterator[Any]:
        """The frames of a film's packet, or another stream's packet itself; their times set right."""
        if self._is_timeless:
            packet.pts = packet.dts = None  # FFmpeg's guess: of MPEG-2, from the second frame's time on
        self._times.set_right(packet)
        self._has_times |= packet.stream.index == self.stream.index and packet.pts is not None
        if self._in_order is not None and packet.stream.index == self.stream.index and packet.size:
            heappush(self._in_order, packet.pts if packet.pts is not None else packet.dts or 0)
        if packet.stream.index == self.stream.index:
            yield from self._decoded(packet)
        else:
            yield packet

    def _packets(self, others: Sequence[Any]) -> Iterator[Any]:
        """As they come; where the file breaks off, what came until there is the film."""
        try:
            yield from self.container.demux(self.stream, *others)
        except (self._av.error.FFmpegError, OSError):
            self.damaged_packets += 1
            last = self._av.Packet()  # an empty one brings out the frames that the decoder still holds
            last.stream = self.stream
            yield last

    def _decoded(self, packet: Any) -> list[Any]:
        try:
            return list(packet.decode())
        except self._av.error.EOFError:  # the decoder was emptied before
            return []
        except (self._av.error.FFmpegError, OSError):
            self.damaged_packets += 1
            if self.damaged_packets > TOO_MANY_DAMAGED:
                raise
            return []

    def _progressive(self, raw: Any) -> Iterator[tuple[Any, Fraction | None]]:
        """The frame and its time; of an interlaced film, what the filter makes of its fields."""
        if raw is not None and self._deinterlacer is None:
            if not raw.interlaced_frame:
                yield raw, self._seconds_of(raw)
                return
            self._say(INTERLACED)
            self._deinterlacer = self._filter()
        if raw is not None and raw.pts is None:
            seconds = self._seconds_of(raw)
            if seconds is None:
                return
            raw.pts = round(seconds / raw.time_base)
        with contextlib.suppress(self._av.error.FFmpegError, OSError):
            self._deinterlacer.push(raw)
            while True:
                made = self._deinterlacer.pull()
                yield made, made.pts * Fraction(made.time_base)

    def _filter(self) -> Any:
        graph = self._av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(template=self.stream),
            graph.add("bwdif", DEINTERLACE),
            graph.add("buffersink"),
        ).configure()
        return graph

    def _seconds_of(self, raw: Any) -> Fraction | None:
        """A frame's time; of a file without times, by its number. None for what comes before a stream's clock."""
        ticks = raw.pts if raw.pts is not None else raw.dts
        if self._in_order:
            ticks = heappop(self._in_order)
        self._count += 1
        if ticks is not None:
            self._latest = ticks * Fraction(raw.time_base)
            return self._latest
        rate = self.info.frames_per_second
        if self._has_times:
            self._latest = None if self._latest is None else self._latest + 1 / rate
            return self._latest
        self._say(f"the file has no times: {float(rate):.6g} frames a second are taken for granted")
        return (self._count - 1) / rate

    def _conformed(self, raw: Any, seconds: Fraction) -> Any:
        """A frame of the first frame's size and format; one of another ratio gets bars."""
        size, format = self._stored, self._format
        if (raw.width, raw.height, raw.format.name) == (*size, format):
            return raw
        if (raw.width, raw.height) == tuple(size):
            return raw.reformat(format=format)
        other = Size(raw.width, raw.height)
        if other not in self._other_sizes:
            self._other_sizes.add(other)
            self._say(f"the picture's size changes at {float(seconds):.2f} s from {size} to {other}: it is fitted in")
        scale = min(size.width / raw.width, size.height / raw.height)
        inner = Size(*(max(2, round(v * scale / 2) * 2) for v in (raw.width, raw.height)))
        inner = Size(min(inner.width, size.width), min(inner.height, size.height))
        fitted = raw.reformat(width=inner.width, height=inner.height, format=format)
        if inner == size:
            return fitted
        result = self._av.VideoFrame(size.width, size.height, format)
        result.colorspace, result.color_range = raw.colorspace, raw.color_range
        bits = result.format.components[0].bits
        black = 0 if int(raw.color_range) == 2 or result.format.is_rgb else 16 << (bits - 8)
        for number, (plane, target) in enumerate(zip(planes_of(fitted), planes_of(result), strict=True)):
            high, wide = target.shape
            corner = ((wide - plane.shape[1]) // 2, (high - plane.shape[0]) // 2)
            grey = number > 0 and not result.format.is_rgb
            level = 128 << (bits - 8) if grey else black
            target[...] = padded(plane, corner, Size(wide, high), "flat", level=level, bits=bits)
        return result

    def _say(self, words: str) -> None:
        if words not in self._words:
            self._words.append(words)

    def _open(self) -> None:
        name = self._name
        try:
            address = "pipe:0" if name == STANDARD else name
            camera = "v4l2" if name.startswith(CAMERA) else None
            options = {"rtsp_flags": "prefer_tcp"} if name.startswith("rtsp://") else {}  # UDP loses packets
            self.container = self._av.open(address, format=camera, options=options, metadata_errors="replace")
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            raise NotAPictureError(
                f"is not a film that FFmpeg reads: {reason_of(error)}",
                remedy="give a film such as an MP4, MOV, MKV or WebM",
                source=name,
            ) from error
        self.stream = film_stream(self.container)
        if self.stream is None:
            self.container.close()
            raise NotAPictureError("holds no moving pictures", remedy="give a film", source=name)
        self.stream.thread_type = "AUTO"
        self._start = start_of(self.container, self._av.time_base)
        flags, known = self.container.format.flags, self._av.format.Flags
        breaks = bool(flags & known.ts_discont.value)
        self._is_timeless = bool(flags & known.no_timestamps.value)
        self._can_seek = not breaks and self.stream.start_time is not None
        self._in_order = [] if self.container.format.name in IN_ORDER else None
        self._times = Restarts(self._start, can_jump=breaks)

    def _first_packets(self) -> list[Any]:
        """Packets and frames up to the first frame, which tells size and turn; of pictures, up to the second one."""
        stream, codec = self.stream, self.stream.codec_context
        if codec.width * codec.height > MOST_PIXELS:
            raise UnsupportedPictureError(
                f"has {codec.width}x{codec.height} pixels, more than is read", remedy="scale it down", source=self._name
            )
        found: list[Any] = []
        frames, needed = 0, 2 if is_of_pictures(self.container) else 1
        with contextlib.suppress(self._av.error.FFmpegError, OSError):
            for packet in self.container.demux():
                made = list(self._opened(packet))
                found += made
                frames += len(made) if packet.stream.index == stream.index else 0
                if frames >= needed:
                    return found
                if len(found) > MOST_WAITING:
                    break
        if frames:
            raise UnsupportedPictureError("is a still picture, not a film", remedy=STILL_REMEDY, source=self._name)
        remedy = "convert it to GIF or MP4" if codec.name == "webp" else "copy the film again"
        raise TruncatedPictureError("no frame can be decoded", remedy=remedy, source=self._name)

    def _look(self) -> VideoInfo:
        """What the first frame and the file's head say."""
        stream = self.stream
        first = next(f for f in self._waiting if not isinstance(f, self._av.Packet))
        turn = turn_of(first)
        if turn is None:
            raise UnsupportedPictureError(
                "is turned by an odd angle", remedy="turn it by quarters of a circle", source=self._name
            )
        self._stored, self._format = Size(first.width, first.height), first.format.name
        aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        aspect = (1 / aspect if turn.transposed else aspect) * Fraction(turn.stretch).limit_denominator(1000)
        length = self.container.duration
        own = stream.duration * stream.time_base if stream.duration else None
        rates = (stream.average_rate, stream.guessed_rate)
        rate = next((r for r in rates if r and 0 < r <= HIGHEST_RATE), 25)
        codec = stream.codec_context
        tags = (first.color_primaries, first.color_trc, first.colorspace, first.color_range)
        context = (codec.color_primaries, codec.color_trc, codec.colorspace, codec.color_range)
        unsaid = (2, 2, 2, 0)
        colours = ColourTags(
            *(int(t) if int(t) != u else int(c) for t, c, u in zip(tags, context, unsaid, strict=True))
        )
        if first.format.name.startswith("yuvj"):
            colours = ColourTags(colours.primaries, colours.transfer, colours.matrix, 2)
        return VideoInfo(
            name=self._name,
            size=turn.turned(self._stored),
            turn=turn,
            pixel_aspect=aspect,
            frames_per_second=Fraction(rate),
            seconds=Fraction(own) if own else Fraction(length, self._av.time_base) if length else None,
            frame_count=stream.frames or None,
            transfer=HDR_TRANSFERS.get(colours.transfer, "sdr"),
            has_alpha=stream.metadata.get("alpha_mode") == "1" or may_be_transparent(first.format),
            bits=max(c.bits for c in first.format.components),
            chroma=chroma_of(first.format),
            colours=colours,
            has_sound=bool(self.container.streams.audio),
        )
