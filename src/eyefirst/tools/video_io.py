"""Video files: the one place that knows PyAV (the extra `[video]`)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.errors import InvalidValueError, MissingExtraError, OutputError
from eyefirst.geometry import Size

SOUND_RATE = 48_000
FADE_OUT_SECONDS = 1.5
CONSTANT_RATE_FACTOR = "19"


def pyav() -> Any:
    """PyAV, or the error that names the extra."""
    try:
        import av  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError.for_extra("video", "making films") from error
    return av


def even(size: Size) -> Size:
    """The size with odd sides made one pixel smaller, as H.264 in 4:2:0 needs."""
    if min(size.width, size.height) < 2:
        raise InvalidValueError(f"expected at least 2x2 pixels, got {size}", remedy="1280x720 is usual")
    return Size(size.width - size.width % 2, size.height - size.height % 2)


class VideoWriter:
    """Writes an MP4: H.264 in yuv420p, its index first, so that it plays while it loads.

    A context manager: the file is written under a temporary name and renamed at the end; an exception
    inside leaves nothing behind. Raises OutputError, and MissingExtraError without the extra `[video]`.
    """

    def __init__(self, path: str | os.PathLike[str], size: Size, frames_per_second: int) -> None:
        self._av = pyav()
        self._path = Path(path)
        if self._path.suffix.lower() not in (".mp4", ".m4v", ".mov"):
            raise InvalidValueError("the film is an MP4", remedy="let its name end in .mp4", source=str(path))
        self._size, self._rate = even(size), frames_per_second
        self._temporary = self._path.with_name(f".{self._path.name}.part")
        self._sound: NDArray[np.float32] | None = None
        self._container: Any = None

    def add_sound(self, path: str, seconds: float) -> None:
        """A sound track of a length: cut or filled with silence, and faded out. Call it before entering."""
        self._sound = read_sound(path, seconds)
        fade = min(int(FADE_OUT_SECONDS * SOUND_RATE), self._sound.shape[1])
        self._sound[:, self._sound.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._container = self._av.open(str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"})
        except OSError as error:
            raise OutputError(
                f"cannot write the film: {error.strerror or error}",
                remedy="check the folder and the free space",
                source=str(self._path),
            ) from error
        self._stream = self._container.add_stream("libx264", rate=self._rate)
        self._stream.width, self._stream.height = self._size.width, self._size.height
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": CONSTANT_RATE_FACTOR, "preset": "medium"}
        if self._sound is not None:
            self._voice = self._container.add_stream("aac", rate=SOUND_RATE)
        return self

    def write(self, picture: PillowImage.Image) -> None:
        """The next frame, an RGB picture of exactly the film's size."""
        frame = self._av.VideoFrame.from_image(picture)
        self._container.mux(self._stream.encode(frame))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._container.mux(self._stream.encode())
                if self._sound is not None:
                    self._write_sound(self._sound)
        except BaseException:
            kind = BaseException
            raise
        finally:
            self._container.close()
            if kind is None:
                os.replace(self._temporary, self._path)
            else:
                with contextlib.suppress(OSError):
                    self._temporary.unlink()

    def _write_sound(self, samples: NDArray[np.float32]) -> None:
        for start in range(0, samples.shape[1], 1024):
            part = np.ascontiguousarray(samples[:, start : start + 1024])
            frame = self._av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = SOUND_RATE, start
            self._container.mux(self._voice.encode(frame))
        self._container.mux(self._voice.encode())


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
