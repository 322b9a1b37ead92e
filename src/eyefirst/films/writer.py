"""Writing films, with PyAV (the extra `[video]`)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.colours import parse_colour
from eyefirst.errors import InvalidValueError, OutputError, reason_of
from eyefirst.files.whole import Part
from eyefirst.films.carried import Carried, needs_keys
from eyefirst.films.encoding import Coding, EncodeOptions, coding_of
from eyefirst.films.frames import VideoFrame, source_matrix
from eyefirst.films.planes import cut, padded, planes_of
from eyefirst.films.reader import STANDARD, VideoReader, pyav
from eyefirst.films.sound import SOUND_RATE, read_sound
from eyefirst.films.tone_mapping import coded_colour
from eyefirst.framing import Padding
from eyefirst.geometry import Box, Size

FADE_OUT_SECONDS = 1.5
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
NO_SUCH_CODING = 22
"""EINVAL: FFmpeg's word for what a file or an encoder cannot do, which no other folder mends."""
TRANSPARENCY = "transparency is not carried over"


def even(size: Size) -> Size:
    """Return the size with odd sides made one pixel smaller, as 4:2:0 needs."""
    if min(size.width, size.height) < 2:
        raise InvalidValueError(f"expected at least 2x2 pixels, got {size}", remedy="1280x720 is usual")
    return Size(size.width - size.width % 2, size.height - size.height % 2)


def check_name(path: str | os.PathLike[str]) -> str:
    """Return FFmpeg's name of the kind of file that a path's ending names. Raises InvalidValueError."""
    kind = "matroska" if str(path) == STANDARD else CONTAINERS.get(Path(path).suffix.lower())
    if kind is None:
        raise InvalidValueError(
            "a film is written as MP4, MOV or MKV", remedy="let its name end in .mp4, .mov or .mkv", source=str(path)
        )
    return kind


class VideoWriter:
    """Writes a film, its index first, so that it plays while it loads; MP4, MOV or MKV by the name, MKV to "-".

    like: a film whose times, colours, metadata, sound and subtitles are carried over: then frames come by
    `write_cut` and other packets by `copy`. Its levels stay what they are: no colour is converted, unless the film
    is RGB. Without it, RGB pictures come by `write`, at a constant rate, and are coded as BT.709. encode: codec,
    quality and preset. rename: gives the finished film its name; by default a film of that name is replaced.

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
        encode: EncodeOptions | None = None,
        rename: Callable[[Path, Path], object] | None = None,
    ) -> None:
        self._av = pyav()
        self._path, self._rename = Path(path), rename or Path.replace
        self._kind = check_name(path)
        self._size, self._rate, self._like = even(size), frames_per_second, like
        self._coding: Coding = coding_of(encode or EncodeOptions(), like.info if like else None, self._size)
        self._is_pipe = str(path) == STANDARD
        self._part: Part | None = None
        self._temporary = "pipe:1"
        self._sound: NDArray[np.float32] | None = None
        self._container: Any = None
        self._carried: Carried | None = None
        self._words = list(self._coding.warnings)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was changed or not carried over, in plain words."""
        return tuple(dict.fromkeys([*self._words, *(self._carried.warnings if self._carried else ())]))

    @property
    def carried(self) -> tuple[Any, ...]:
        """The other film's streams whose packets `copy` takes."""
        return self._carried.streams if self._carried else ()

    def add_sound(self, path: str, seconds: float) -> None:
        """Add a sound track of a length: cut or filled with silence, and faded out. Call it before entering."""
        self._sound = read_sound(path, seconds)
        fade = min(int(FADE_OUT_SECONDS * SOUND_RATE), self._sound.shape[1])
        self._sound[:, self._sound.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)

    def __enter__(self) -> Self:
        try:
            with self._translated():
                if not self._is_pipe:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    self._part = Part(self._path)
                    self._temporary = str(self._part.path)
                flags = "+faststart"
                if self._like is not None and needs_keys(self._like.container.metadata):
                    flags += "+use_metadata_tags"
                options = {} if self._kind == "matroska" else {"movflags": flags}
                self._container = self._av.open(self._temporary, "w", format=self._kind, options=options)
                self._add_streams()
                self._container.start_encoding()
        except BaseException:
            self._abandon()
            raise
        return self

    def write(self, picture: PillowImage.Image) -> None:
        """Write the next frame, an RGB picture of exactly the film's size."""
        made = self._av.VideoFrame.from_image(picture)
        self._encode(made.reformat(format=self._coding.pixel_format, dst_colorspace="ITU709", dst_color_range="MPEG"))

    def write_cut(self, frame: VideoFrame, box: Box, *, padding: Padding | None = None, pad: str | None = None) -> None:
        """Write a part of a frame at the film's size; at fractions of pixels, so that slow moves do not jitter.

        Luma and chroma are cut as they are stored: colours are not converted, and a part that begins at
        whole pixels and has the film's size is copied untouched. padding: pixels of the film that is written, round
        the part; pad: its style, "blur", "extend" or a CSS colour.
        """
        stored = self._planar(frame)
        result = self._av.VideoFrame(self._size.width, self._size.height, self._coding.pixel_format)
        levels = self._levels(pad) if padding else (0, 0, 0)
        bits = self._coding.bits
        for source, target, level in zip(planes_of(stored), planes_of(result), levels, strict=True):
            upright = frame.info.turn.upright(source)
            size = Size(target.shape[1], target.shape[0])
            if not padding:
                target[...] = cut(upright, box, size, bits)
                continue
            across, down = size.width / self._size.width, size.height / self._size.height
            left, top = round(padding.left * across), round(padding.top * down)
            wide = max(1, size.width - left - round(padding.right * across))
            high = max(1, size.height - top - round(padding.bottom * down))
            inner = cut(upright, box, Size(wide, high), bits)
            target[...] = padded(inner, (left, top), size, pad or "blur", level=level, bits=bits)
        result.pts, result.time_base = round(frame.seconds / self._base), self._base
        self._encode(result)

    def write_stack(self, frame: VideoFrame, boxes: tuple[Box, ...], cells: tuple[Size, Size]) -> None:
        """Write two parts of a frame, each brought to its cell: one below the other, or side by side."""
        stored = self._planar(frame)
        result = self._av.VideoFrame(self._size.width, self._size.height, self._coding.pixel_format)
        is_high = cells[0].width == self._size.width
        for source, target in zip(planes_of(stored), planes_of(result), strict=True):
            upright = frame.info.turn.upright(source)
            high, wide = target.shape
            if is_high:
                edge = round(cells[0].height * high / self._size.height)
                parts = (target[:edge], target[edge:])
            else:
                edge = round(cells[0].width * wide / self._size.width)
                parts = (target[:, :edge], target[:, edge:])
            for box, part in zip(boxes, parts, strict=True):
                part[...] = cut(upright, box, Size(part.shape[1], part.shape[0]), self._coding.bits)
        result.pts, result.time_base = round(frame.seconds / self._base), self._base
        self._encode(result)

    def copy(self, packet: Any) -> None:
        """Write a packet of one of the `carried` streams. One that cannot be written is left out, once said."""
        if self._carried is None:
            return
        name = f"{packet.stream.type} stream {packet.stream.index}"
        self._write_packets(self._carried.take(packet), f"damaged packets of {name} were left out")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            with self._translated():
                self._container.mux(self._stream.encode())
                if self._carried is not None:
                    self._write_packets(self._carried.last(), "the end of the sound could not be coded")
                if self._sound is not None:
                    self._write_sound(self._sound)
                self._container.close()
                if self._part is None:
                    return
                if self._carried is not None:
                    with self._av.open(self._temporary, metadata_errors="replace") as made:
                        self._carried.compare(made)
                self._part.finish(self._rename)
        except BaseException:
            self._abandon()
            raise

    def _add_streams(self) -> None:
        like, coding = self._like, self._coding
        self._stream = self._container.add_stream(coding.encoder, rate=self._rate)
        self._stream.width, self._stream.height = self._size.width, self._size.height
        self._stream.pix_fmt = coding.pixel_format
        self._stream.options = coding.options
        context = self._stream.codec_context
        context.thread_type = "FRAME"
        for name, value in zip(
            ("color_primaries", "color_trc", "colorspace", "color_range"),
            (coding.colours.primaries, coding.colours.transfer, coding.colours.matrix, coding.colours.range),
            strict=True,
        ):
            setattr(context, name, value)
        if coding.codec == "hevc" and self._kind != "matroska":
            context.codec_tag = "hvc1"  # Apple's players want it
        if like is not None:
            self._base = Fraction(like.stream.time_base)
            context.time_base = self._stream.time_base = self._base
            self._stream.metadata.update({k: v for k, v in like.stream.metadata.items() if k in ("language", "title")})
            self._stream.disposition = like.stream.disposition
            self._carried = Carried(self._av, self._container, self._kind, self._path.suffix, like)
            self._carried.add()
        if self._sound is not None:
            self._voice = self._container.add_stream("aac", rate=SOUND_RATE)

    def _planar(self, frame: VideoFrame) -> Any:
        """The stored frame in the planes that are written; levels are converted only where the film is RGB."""
        raw, wanted = frame.raw, self._coding.pixel_format
        if TRANSPARENCY not in self._words and frame.is_transparent:
            self._words.append(TRANSPARENCY)
        if raw.format.name.replace("yuvj", "yuv") == wanted:
            return raw
        if frame.info.chroma == "rgb":
            return raw.reformat(format=wanted, dst_colorspace="ITU709", dst_color_range="MPEG")
        span = "JPEG" if frame.info.colours.is_full_range else "MPEG"
        matrix = source_matrix(frame.info)
        return raw.reformat(
            format=wanted, src_colorspace=matrix, dst_colorspace=matrix, src_color_range=span, dst_color_range=span
        )

    def _levels(self, pad: str | None) -> tuple[int, int, int]:
        """The levels of a padding's colour in the film that is written."""
        if pad in (None, "blur", "extend") or self._like is None:
            return 0, 0, 0
        info, colours = self._like.info, self._coding.colours
        matrix = colours.matrix
        if matrix == 2 and source_matrix(info) == "ITU709":
            matrix = 1
        return coded_colour(
            parse_colour(str(pad)),
            transfer=info.transfer,
            matrix=matrix,
            is_full_range=colours.is_full_range,
            bits=self._coding.bits,
        )

    def _encode(self, frame: Any) -> None:
        frame.colorspace, frame.color_range = self._coding.colours.matrix, self._coding.colours.range
        with self._translated():
            self._container.mux(self._stream.encode(frame))

    def _write_packets(self, packets: Iterator[Any], if_refused: str) -> None:
        try:
            for packet in packets:
                self._container.mux(packet)
        except (self._av.error.FFmpegError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in (None, NO_SUCH_CODING) and error.errno > 0:
                raise self._refusal(error) from error
            self._words.append(if_refused)

    def _write_sound(self, samples: NDArray[np.float32]) -> None:
        for start in range(0, samples.shape[1], 1024):
            part = np.ascontiguousarray(samples[:, start : start + 1024])
            frame = self._av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = SOUND_RATE, start
            self._container.mux(self._voice.encode(frame))
        self._container.mux(self._voice.encode())

    def _abandon(self) -> None:
        with contextlib.suppress(Exception):
            self._container.close()
        if self._part is not None:
            self._part.drop()

    def _refusal(self, error: Exception) -> OutputError:
        remedy = "check the folder and the free space"
        if getattr(error, "errno", None) == NO_SUCH_CODING:
            remedy = f"{self._coding.encoder} or {self._path.suffix} cannot hold this: choose another --codec, or .mkv"
        return OutputError(f"cannot write the film: {reason_of(error)}", remedy=remedy, source=str(self._path))

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (self._av.error.FFmpegError, OSError) as error:
            raise self._refusal(error) from error
