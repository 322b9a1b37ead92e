"""Video files: the one place that knows PyAV (the extra `[video]`).

Frames are streamed: one is in memory at a time. Times are exact: a frame's is its time stamp times the
stream's time base, a Fraction of a second, counted from the container's start as players do; so films of a
variable frame rate, or without a known length, need no special case.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.errors import (
    InvalidValueError,
    MissingExtraError,
    NotAPictureError,
    OutputError,
    PictureNotFoundError,
    TruncatedPictureError,
    UnsupportedPictureError,
)
from eyefirst.geometry import Box, Size

SOUND_RATE = 48_000
FADE_OUT_SECONDS = 1.5
CONSTANT_RATE_FACTOR = "19"
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
HDR_TRANSFERS = {16: "pq", 18: "hlg"}
"""FFmpeg's numbers of SMPTE ST 2084 and ARIB STD-B67, the curves of high dynamic range (ITU-R BT.2100)."""
PQ_WHITE, HLG_WHITE = 203 / 10_000, 0.265
"""What BT.2408 calls reference white, in shares of each curve's peak light; it becomes sRGB's white."""
MOST_PIXELS = 8192 * 8192
TOO_MANY_DAMAGED = 1000
OWN_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration")
"""Metadata that belongs to the file it was written in."""


def pyav(needed_for: str = "making films") -> Any:
    """PyAV, or the error that names the extra."""
    try:
        import av  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError.for_extra("video", needed_for) from error
    return av


def even(size: Size) -> Size:
    """The size with odd sides made one pixel smaller, as H.264 in 4:2:0 needs."""
    if min(size.width, size.height) < 2:
        raise InvalidValueError(f"expected at least 2x2 pixels, got {size}", remedy="1280x720 is usual")
    return Size(size.width - size.width % 2, size.height - size.height % 2)


# --- reading


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a film says of itself.

    size: upright, in stored pixels. quarter_turns: counter-clockwise, from the stored frame to the upright
    one. pixel_aspect: a pixel's width by its height, upright. frames_per_second: the average.
    seconds, frame_count: as the file says, None where it does not. transfer: "sdr", "pq" or "hlg".
    """

    name: str
    size: Size
    quarter_turns: int
    pixel_aspect: Fraction
    frames_per_second: Fraction
    seconds: Fraction | None
    frame_count: int | None
    transfer: str
    has_alpha: bool

    @property
    def expected_frames(self) -> int | None:
        """How many frames to expect, for a progress bar; None where nothing tells."""
        if self.frame_count:
            return self.frame_count
        return round(self.seconds * self.frames_per_second) if self.seconds else None


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One decoded frame. seconds: from the container's start. raw: PyAV's own, as stored. scalers: the reader's."""

    seconds: Fraction
    raw: Any
    info: VideoInfo
    scalers: dict[tuple[Size, str, str], Any]

    def pixels(self, size: Size | None = None) -> NDArray[np.uint8]:
        """Upright sRGB, (height, width, 3) uint8, of the film's size or squashed to another.

        High dynamic range is tone-mapped.
        """
        wanted = size or self.info.size
        stored = Size(wanted.height, wanted.width) if self.info.quarter_turns % 2 else wanted
        hdr = self.info.transfer != "sdr"
        small = self._scaled(stored, "rgb48le" if hdr else "rgb24", "BILINEAR")
        pixels = np.asarray(small.to_ndarray())
        if hdr:
            pixels = tone_mapped(pixels, self.info.transfer)
        return np.ascontiguousarray(np.rot90(pixels, self.info.quarter_turns))

    def rough(self, side: int) -> NDArray[np.uint8]:
        """Squashed to (side, side, 3) uint8 BGR the fast way, as it is stored: to find cuts."""
        return np.asarray(self._scaled(Size(side, side), "bgr24", "FAST_BILINEAR").to_ndarray())

    def _scaled(self, size: Size, format: str, interpolation: str) -> Any:
        """By a scaler that is kept: setting one up takes longer than using it."""
        scaler = self.scalers.setdefault((size, format, interpolation), pyav().video.reformatter.VideoReformatter())
        return scaler.reformat(
            self.raw, width=size.width, height=size.height, format=format, interpolation=interpolation
        )

    def picture(self) -> PillowImage.Image:
        """The upright frame for looking at: full resolution, sRGB, square pixels."""
        picture = PillowImage.fromarray(self.pixels())
        aspect = self.info.pixel_aspect
        if aspect == 1:
            return picture
        wide = max(1, round(picture.width * aspect))
        return picture.resize((wide, picture.height), PillowImage.Resampling.BICUBIC)


class VideoReader:
    """Reads a film's frames in order. A context manager; damaged packets are skipped and counted.

    Raises PictureNotFoundError, NotAPictureError for what holds no film, TruncatedPictureError where no
    frame can be decoded, and MissingExtraError without the extra `[video]`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._av = pyav("reading films")
        name = str(path)
        if not os.path.isfile(path):
            raise PictureNotFoundError("there is no such file", remedy="check the path", source=name)
        self._open(name)
        self.damaged_packets = 0
        self._scalers: dict[tuple[Size, str, str], Any] = {}
        try:
            self.info = self._look(name)
        except BaseException:
            self.container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.container.close()

    @property
    def start(self) -> Fraction:
        """The container's start: what is taken off every time stamp."""
        return self._start

    def frames(self) -> Iterator[VideoFrame]:
        """Every frame, in order of time; frames without a time, or that would go back in it, are left out."""
        for found in self.frames_and_packets():
            if isinstance(found, VideoFrame):
                yield found

    def frames_and_packets(self, others: Sequence[Any] = ()) -> Iterator[VideoFrame | Any]:
        """Frames, and between them the untouched packets of other streams, in the file's order."""
        last = Fraction(-(10**9))
        for packet in self._packets(others):
            if packet.stream.index != self.stream.index:
                yield packet
                continue
            for raw in self._decoded(packet):
                frame = self._frame(raw)
                if frame is not None and frame.seconds > last:
                    last = frame.seconds
                    yield frame

    def frames_from(self, seconds: Fraction) -> Iterator[VideoFrame]:
        """Frames from a key frame no later than a time on, read anew."""
        target = int((seconds + self._start) / self.stream.time_base)
        self.container.seek(max(target, 0), stream=self.stream)
        return self.frames()

    def frame_at(self, seconds: Fraction) -> VideoFrame:
        """The frame shown at a time: the last one that begins no later; else the first."""
        found = None
        for frame in self.frames_from(seconds):
            if found is not None and frame.seconds > seconds:
                break
            found = frame
        if found is None:
            raise TruncatedPictureError("no frame can be decoded there", remedy="copy it again", source=self.info.name)
        return found

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
        except (self._av.error.FFmpegError, OSError):
            self.damaged_packets += 1
            if self.damaged_packets > TOO_MANY_DAMAGED:
                raise
            return []

    def _frame(self, raw: Any) -> VideoFrame | None:
        if raw.pts is None:
            return None
        return VideoFrame(raw.pts * Fraction(raw.time_base) - self._start, raw, self.info, self._scalers)

    def _open(self, name: str) -> None:
        try:
            self.container = self._av.open(name, metadata_errors="replace")
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            raise NotAPictureError(
                f"is not a film that FFmpeg reads: {getattr(error, 'strerror', None) or error}",
                remedy="give e.g. an MP4, MOV, MKV or WebM",
                source=name,
            ) from error
        films = [s for s in self.container.streams.video if not _is_cover(s)]
        if not films or films[0].codec_context is None:
            self.container.close()
            raise NotAPictureError("holds no moving pictures", remedy="give a film", source=name)
        self.stream = films[0]
        self.stream.thread_type = "AUTO"
        self._start = Fraction(self.container.start_time or 0, self._av.time_base)

    def _look(self, name: str) -> VideoInfo:
        """Decodes up to the first frame: only that tells the rotation."""
        stream, codec = self.stream, self.stream.codec_context
        if codec.width * codec.height > MOST_PIXELS:
            raise UnsupportedPictureError(
                f"has {codec.width}x{codec.height} pixels, more than is read", remedy="scale it down", source=name
            )
        first = None
        with contextlib.suppress(self._av.error.FFmpegError, OSError):
            first = next((f for p in self.container.demux(stream) for f in self._decoded(p)), None)
        if first is None:
            raise TruncatedPictureError("no frame can be decoded", remedy="copy the film again", source=name)
        self.container.close()
        self._open(name)  # from the very first packet, which no seek is sure to find again
        stream, codec = self.stream, self.stream.codec_context
        self.damaged_packets = 0
        degrees = round(first.rotation)
        if degrees % 90:
            raise UnsupportedPictureError(f"is turned by {degrees} degrees", remedy="turn it by quarters", source=name)
        turns = degrees // 90 % 4
        aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        size = Size(first.height, first.width) if turns % 2 else Size(first.width, first.height)
        length = self.container.duration
        own = stream.duration * stream.time_base if stream.duration else None
        return VideoInfo(
            name=name,
            size=size,
            quarter_turns=turns,
            pixel_aspect=1 / aspect if turns % 2 else aspect,
            frames_per_second=Fraction(stream.average_rate or stream.guessed_rate or 25),
            seconds=Fraction(own) if own else Fraction(length, self._av.time_base) if length else None,
            frame_count=stream.frames or None,
            transfer=HDR_TRANSFERS.get(int(first.color_trc), "sdr"),
            has_alpha=stream.metadata.get("alpha_mode") == "1" or any(c.is_alpha for c in first.format.components),
        )


def _is_cover(stream: Any) -> bool:
    """Whether a stream of pictures is only the cover of a song or film."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def tone_mapped(values: NDArray[np.uint16], transfer: str) -> NDArray[np.uint8]:
    """Sixteen-bit BT.2020 of a curve ("pq" or "hlg") as sRGB bytes, for looking at; any shape ending in 3.

    Light is scaled so that reference white is white, brought to BT.709's colours, and rolled off above
    (Reinhard et al., SIGGRAPH 2002, with a white point of eight times reference white).
    """
    levels = np.arange(65536, dtype=np.float64) / 65535
    if transfer == "pq":
        root = levels ** (1 / 78.84375)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125) / PQ_WHITE
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - c) / a) + b) / 12) / HLG_WHITE
    linear = light.astype(np.float32)[values]
    to_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)
    linear = np.maximum(linear @ to_709.T, 0)
    linear = linear * (1 + linear / 64) / (1 + linear) * 65 / 33  # 1 stays near 1 and 8 and more become white
    linear = np.clip(linear * 0.75, 0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (coded * 255 + 0.5).astype(np.uint8)


# --- writing


@dataclass(slots=True)
class Companion:
    """Sound and subtitles that go along untouched, what was left out, and why. For one film being written."""

    streams: dict[int, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class VideoWriter:
    """Writes H.264 in yuv420p, its index first, so that it plays while it loads; MP4, MOV or MKV by the name.

    like: a film whose times, colours, metadata, sound and subtitles are carried over: then frames come by
    `write_cut` and other packets by `copy`, with the times that they had. High dynamic range stays what
    it is, as 10-bit HEVC. Without it, frames come by `write`, at a constant rate.

    A context manager: the film is written under a temporary name and renamed at the end; an exception
    inside leaves nothing behind. Raises OutputError, and MissingExtraError without the extra `[video]`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: Size,
        frames_per_second: int | Fraction,
        *,
        like: VideoReader | None = None,
    ) -> None:
        self._av = pyav()
        self._path = Path(path)
        self._container_format = CONTAINERS.get(self._path.suffix.lower())
        if self._container_format is None:
            raise InvalidValueError("the film is an MP4", remedy="let its name end in .mp4, or .mkv", source=str(path))
        self._size, self._rate, self._like = even(size), frames_per_second, like
        self._temporary = self._path.with_name(f".{self._path.name}.part")
        self._sound: NDArray[np.float32] | None = None
        self._container: Any = None
        self._companion = Companion()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was not carried over, in plain words."""
        return tuple(self._companion.warnings)

    @property
    def carried(self) -> tuple[Any, ...]:
        """The other film's streams whose packets `copy` takes."""
        if self._like is None:
            return ()
        return tuple(s for s in self._like.container.streams if s.index in self._companion.streams)

    def add_sound(self, path: str, seconds: float) -> None:
        """A sound track of a length: cut or filled with silence, and faded out. Call it before entering."""
        self._sound = read_sound(path, seconds)
        fade = min(int(FADE_OUT_SECONDS * SOUND_RATE), self._sound.shape[1])
        self._sound[:, self._sound.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)

    def __enter__(self) -> Self:
        with self._translated():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            options = {} if self._container_format == "matroska" else {"movflags": "+faststart"}
            self._container = self._av.open(str(self._temporary), "w", format=self._container_format, options=options)
        try:
            with self._translated():
                self._add_streams()
        except BaseException:
            self._abandon()
            raise
        return self

    def write(self, picture: PillowImage.Image) -> None:
        """The next frame, an RGB picture of exactly the film's size."""
        self._encode(self._av.VideoFrame.from_image(picture))

    def write_cut(self, frame: VideoFrame, box: Box) -> None:
        """A part of a frame, brought to the film's size; at fractions of pixels, so that slow moves do not jitter.

        Luma and chroma are cut as they are stored: colours are not converted, and a part that begins at
        whole pixels and has the film's size is copied untouched.
        """
        stored = frame.raw if frame.raw.format.name == self._stream.pix_fmt else self._converted(frame.raw)
        result = self._av.VideoFrame(self._size.width, self._size.height, self._stream.pix_fmt)
        for source, target in zip(_planes(stored), _planes(result), strict=True):
            upright = np.rot90(source, frame.info.quarter_turns)
            target[...] = _cut(upright, box, Size(target.shape[1], target.shape[0]))
        self._encode_like(result, frame.raw)

    def write_picture(self, picture: PillowImage.Image, frame: VideoFrame) -> None:
        """An RGB picture of the film's size, at a frame's time; its colours are coded as the film's are."""
        made = self._av.VideoFrame.from_image(picture)
        space = {1: "ITU709", 5: "ITU601", 6: "ITU601"}.get(int(frame.raw.colorspace), "ITU709")
        if int(frame.raw.colorspace) == 2 and frame.info.size.height < 720:
            space = "ITU601"  # what players take for granted where nothing is said
        self._encode_like(made.reformat(format=self._stream.pix_fmt, dst_colorspace=space), frame.raw)

    def copy(self, packet: Any) -> None:
        """A packet of one of the `carried` streams, untouched. One that cannot be written is left out, once said."""
        stream = self._companion.streams.get(packet.stream.index)
        if stream is None or packet.dts is None:
            return
        name = f"{packet.stream.type} stream {packet.stream.index}"
        packet.stream = stream
        try:
            self._container.mux(packet)
        except (self._av.error.FFmpegError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in (None, 22) and error.errno > 0:
                raise self._refusal(error) from error
            self._warn(f"damaged packets of {name} were left out")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            with self._translated():
                self._container.mux(self._stream.encode())
                if self._sound is not None:
                    self._write_sound(self._sound)
                self._container.close()
                os.replace(self._temporary, self._path)
        except BaseException:
            self._abandon()
            raise

    def _add_streams(self) -> None:
        like = self._like
        hdr = like is not None and like.info.transfer != "sdr"
        self._stream = self._container.add_stream("libx265" if hdr else "libx264", rate=self._rate)
        self._stream.width, self._stream.height = self._size.width, self._size.height
        self._stream.pix_fmt = "yuv420p10le" if hdr else "yuv420p"
        self._stream.options = {"crf": CONSTANT_RATE_FACTOR, "preset": "medium"}
        if like is not None:
            codec, source = self._stream.codec_context, like.stream.codec_context
            codec.time_base = self._stream.time_base = like.stream.time_base
            for name in ("color_primaries", "color_trc", "colorspace", "color_range"):
                setattr(codec, name, getattr(source, name))
            if like.info.pixel_aspect != 1:
                codec.sample_aspect_ratio = like.info.pixel_aspect
            if hdr:
                codec.codec_tag = "hvc1"
                self._stream.options |= {"x265-params": "log-level=error"}
                self._warn("high dynamic range is kept as 10-bit HEVC; mastering metadata is not carried over")
            if like.info.has_alpha:
                self._warn("transparency is not carried over")
            self._container.metadata.update(
                {k: v for k, v in like.container.metadata.items() if k.lower() not in OWN_TAGS}
            )
            self._stream.metadata.update({k: v for k, v in like.stream.metadata.items() if k == "language"})
            self._carry_along(like)
        if self._sound is not None:
            self._voice = self._container.add_stream("aac", rate=SOUND_RATE)

    def _carry_along(self, like: VideoReader) -> None:
        """Sound and subtitles keep their packets; what this kind of file cannot hold is left out in words."""
        for stream in like.container.streams:
            if stream.index == like.stream.index:
                continue
            name = f"{stream.type} stream {stream.index}"
            codec = stream.codec_context.codec.canonical_name if stream.codec_context else None
            if stream.type not in ("audio", "subtitle"):
                self._warn(f"{name} is not carried over")
            elif codec is None or (stream.type == "audio" and not stream.codec_context.sample_rate):
                self._warn(f"{name} is damaged and left out")
            elif codec not in self._container.supported_codecs:
                self._warn(f"{name} ({codec}) cannot be held by {self._path.suffix}: write .mkv to keep it")
            else:
                try:
                    made = self._container.add_stream_from_template(stream)
                except (self._av.error.FFmpegError, ValueError) as error:
                    self._warn(f"{name} ({codec}) is left out: {error}")
                    continue
                made.metadata.update(stream.metadata)
                self._companion.streams[stream.index] = made
        with contextlib.suppress(self._av.error.FFmpegError, ValueError):
            if chapters := like.container.chapters():
                self._container.set_chapters(chapters)

    def _converted(self, raw: Any) -> Any:
        return raw.reformat(format=self._stream.pix_fmt)

    def _encode_like(self, frame: Any, raw: Any) -> None:
        """With the time and the colours of a frame that was read."""
        frame.pts, frame.time_base = raw.pts, raw.time_base
        frame.colorspace, frame.color_range = raw.colorspace, raw.color_range
        self._encode(frame)

    def _encode(self, frame: Any) -> None:
        with self._translated():
            self._container.mux(self._stream.encode(frame))

    def _write_sound(self, samples: NDArray[np.float32]) -> None:
        for start in range(0, samples.shape[1], 1024):
            part = np.ascontiguousarray(samples[:, start : start + 1024])
            frame = self._av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = SOUND_RATE, start
            self._container.mux(self._voice.encode(frame))
        self._container.mux(self._voice.encode())

    def _warn(self, words: str) -> None:
        if words not in self._companion.warnings:
            self._companion.warnings.append(words)

    def _abandon(self) -> None:
        with contextlib.suppress(Exception):
            self._container.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()

    def _refusal(self, error: Exception) -> OutputError:
        return OutputError(
            f"cannot write the film: {getattr(error, 'strerror', None) or error}",
            remedy="check the folder and the free space",
            source=str(self._path),
        )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (self._av.error.FFmpegError, OSError) as error:
            raise self._refusal(error) from error


def _planes(frame: Any) -> list[NDArray[Any]]:
    """Luma and the two chromas of a 4:2:0 frame, (height, width) views of uint8 or uint16."""
    dtype = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    step = np.dtype(dtype).itemsize
    return [np.frombuffer(p, dtype).reshape(-1, p.line_size // step)[: p.height, : p.width] for p in frame.planes]


def _cut(plane: NDArray[Any], box: Box, size: Size) -> NDArray[Any]:
    """A part of a plane, brought to a size."""
    height, width = plane.shape
    left, top, right, bottom = box.left * width, box.top * height, box.right * width, box.bottom * height
    x, y = round(left), round(top)
    same_size = abs(right - left - size.width) < 0.5 and abs(bottom - top - size.height) < 0.5
    if same_size:
        x, y = min(x, width - size.width), min(y, height - size.height)
        if max(abs(left - x), abs(top - y)) < 0.02:
            return plane[y : y + size.height, x : x + size.width]
        # exactly the film's size, so that only the place is interpolated, never the scale
        left, top = min(max(left, 0.0), width - size.width), min(max(top, 0.0), height - size.height)
        right, bottom = left + size.width, top + size.height
    # only the part that is needed, with what the filter reaches
    x0, y0 = max(int(left) - 8, 0), max(int(top) - 8, 0)
    x1, y1 = min(int(right) + 9, width), min(int(bottom) + 9, height)
    picture = PillowImage.fromarray(np.ascontiguousarray(plane[y0:y1, x0:x1]))
    edges = (left - x0, top - y0, min(right - x0, x1 - x0), min(bottom - y0, y1 - y0))
    result = np.asarray(picture.resize((size.width, size.height), PillowImage.Resampling.BICUBIC, edges))
    return np.minimum(result, 1023) if plane.dtype == np.uint16 else result


def read_sound(path: str, seconds: float) -> NDArray[np.float32]:
    """A file's sound as (2, samples) float32 at 48 kHz: its first `seconds`, silence where it is shorter.

    Raises InvalidValueError where there is none.
    """
    av = pyav()
    wanted = round(seconds * SOUND_RATE)
    parts: list[NDArray[np.float32]] = []
    try:
        with av.open(path) as container:
            if not container.streams.audio:
                raise InvalidValueError("holds no sound", remedy="give a file that does", source=path)
            resampler = av.AudioResampler("fltp", "stereo", SOUND_RATE)
            for frame in container.decode(audio=0):
                parts += [part.to_ndarray() for part in resampler.resample(frame)]
                if sum(p.shape[1] for p in parts) >= wanted:
                    break
    except (av.error.FFmpegError, OSError) as error:
        raise InvalidValueError(
            f"cannot be read as sound: {error.strerror}", remedy="give e.g. an MP3, WAV or M4A", source=path
        ) from error
    result = np.zeros((2, wanted), np.float32)
    if parts:
        sound = np.concatenate(parts, axis=1)[:, :wanted]
        result[:, : sound.shape[1]] = sound
    return result
