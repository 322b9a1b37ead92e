"""A sound track, decoded, for films that are made from pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eyefirst.errors import InvalidValueError, reason_of
from eyefirst.films.reader import pyav

SOUND_RATE = 48_000


def read_sound(path: str, seconds: float) -> NDArray[np.float32]:
    """Return a file's sound as (2, samples) float32 at 48 kHz: its first `seconds`, silence where it is shorter.

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
            f"cannot be read as sound: {reason_of(error)}",
            remedy="give a sound file such as an MP3, WAV or M4A",
            source=path,
        ) from error
    result = np.zeros((2, wanted), np.float32)
    if parts:
        sound = np.concatenate(parts, axis=1)[:, :wanted]
        result[:, : sound.shape[1]] = sound
    return result
