"""Animation: every frame of a picture, how long each is shown, and how often all are."""

from __future__ import annotations

import io
from dataclasses import dataclass

import PIL.Image

from eyefirst.image import decoding
from eyefirst.image.decoding import check_arguments, decode, open_source
from eyefirst.image.formats import DEFAULT_PIXEL_LIMIT, checked_size, frame_count, kind_of, pillow_border, reader_of
from eyefirst.image.source import Source


@dataclass(frozen=True, slots=True, eq=False)
class Animation:
    """All frames of a picture, RGB or RGBA, upright, sRGB; how long each is shown; how often all are (0: for ever)."""

    frames: tuple[PIL.Image.Image, ...]
    durations_ms: tuple[int, ...]
    loops: int


def load_animation(
    source: Source, *, orientation: int | None = None, pixel_limit: int = DEFAULT_PIXEL_LIMIT
) -> Animation:
    """Every frame, for cutting and saving; a still picture is an animation of one frame.

    The limit holds for all frames together. Sources, arguments and errors are those of `load_image`.
    """
    check_arguments(orientation, pixel_limit)
    opened = open_source(source)
    if opened.is_in_memory:
        picture = decode(opened, orientation=orientation, pixel_limit=pixel_limit).picture.copy()
        picture.info = {}
        return Animation((picture,), (0,), 0)
    kind = kind_of(opened.data, opened.name)
    frames, durations = [], []
    with pillow_border(opened.name, kind):
        picture = reader_of(kind, opened.name)(io.BytesIO(opened.data), "")
        for number in range(frame_count(picture, kind)):
            checked_size(picture.width * (number + 1), picture.height, opened.name, pixel_limit)
            picture.seek(number)
            plain, _ = decoding.decode_frame(
                picture, kind, opened.name, orientation=orientation, at_least=None, pixel_limit=pixel_limit
            )
            plain = plain.copy()
            plain.info = {}
            frames.append(plain)
            durations.append(int(picture.info.get("duration") or 0))
        loops = int(picture.info.get("loop") or 0)
    return Animation(tuple(frames), tuple(durations), loops)
