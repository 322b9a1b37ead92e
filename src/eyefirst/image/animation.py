"""Animation: every frame of a picture, how long each is shown, and how often all are.

Times and repeats are those that browsers play. A frame of 10 ms or less is shown for 100 ms. A GIF that
does not say how often it plays is played once; its count is of repeats, so one more than that is played.
WebP, PNG and AVIF count the plays. The default image of an APNG that is not one of its frames is left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import PIL.Image

from eyefirst.errors import TruncatedPictureError
from eyefirst.image.decoding import check_arguments, decode, decode_frame, open_picture, open_source
from eyefirst.image.formats import DEFAULT_PIXEL_LIMIT, checked_size, kind_of, pillow_border
from eyefirst.image.picture import bare
from eyefirst.image.source import Source

SHORTEST_MS = 10
"""Frames of this time or less are shown for UNSAID_MS, as browsers do."""
UNSAID_MS = 100

MOST_REPEATS = 65535
"""GIF and WebP have 16 bits for their count."""


@dataclass(frozen=True, slots=True, eq=False)
class Animation:
    """All frames of a picture, RGB or RGBA, upright, sRGB, and how they are played.

    `durations_ms` says how long each frame is shown, `plays` how often all of them are shown, 0 for ever.
    `warnings` says what was amiss with the file and did not keep it from being read.
    """

    frames: tuple[PIL.Image.Image, ...]
    durations_ms: tuple[int, ...]
    plays: int
    warnings: tuple[str, ...] = ()


def load_animation(
    source: Source, *, orientation: int | None = None, pixel_limit: int = DEFAULT_PIXEL_LIMIT
) -> Animation:
    """Decode every frame, for cutting and saving; a still picture is an animation of one frame.

    The limit holds for the pixels of all frames together, because all are in memory at once. Of a file
    that ends early or is damaged in a later frame, the frames before that are given, with a warning.
    Sources, arguments and errors are those of `load_image`.
    """
    check_arguments(orientation, pixel_limit)
    opened = open_source(source)
    kind, count = "", 1
    if not opened.is_in_memory:
        kind = kind_of(opened.data, opened.name)
        picture, count = open_picture(opened.data, kind, opened.name)
    if count == 1:
        still = decode(opened, orientation=orientation, pixel_limit=pixel_limit)
        return Animation((bare(still.picture),), (0,), 0, still.warnings)
    checked_size(*picture.size, opened.name, pixel_limit, count)
    first = picture.tell()
    frames: list[PIL.Image.Image] = []
    durations: list[int] = []
    warnings: tuple[str, ...] = ()
    try:
        for number in range(count):
            with pillow_border(opened.name, kind):
                picture.seek(first + number)
            frame, _ = decode_frame(
                picture, kind, opened.name, opened.data, orientation=orientation, at_least=None, pixel_limit=pixel_limit
            )
            frames.append(bare(frame))
            durations.append(_shown_ms(picture.info))
    except TruncatedPictureError as error:
        if not frames:
            raise
        warnings = (f"{opened.name}: only {len(frames)} of {count} frames can be read: {error.reason}",)
    return Animation(tuple(frames), tuple(durations), _plays(picture, kind, opened.data), warnings)


def loop_option(kind: str, plays: int) -> dict[str, Any]:
    """Return the options of Pillow's `save` that make an animation play so often; 0 is for ever.

    kind: Pillow's name of the format. Pillow writes AVIF for ever, whatever is asked.
    """
    if kind == "GIF":
        if plays == 1:
            return {}  # a GIF without a count is played once
        return {"loop": min(max(plays - 1, 0), MOST_REPEATS)}
    if kind == "WEBP":
        return {"loop": min(plays, MOST_REPEATS)}
    return {"loop": plays} if kind == "PNG" else {}


def _shown_ms(info: dict[Any, Any]) -> int:
    stated = round(float(info.get("duration") or 0))
    return stated if stated > SHORTEST_MS else UNSAID_MS


def _plays(picture: PIL.Image.Image, kind: str, data: bytes) -> int:
    """Return how often an animation is shown, 0 for ever."""
    if kind == "AVIF":
        return _plays_of_avif(data)
    stated = picture.info.get("loop")
    if kind == "GIF":
        if stated is None:
            return 1
        return int(stated) + 1 if stated else 0
    return int(stated or 0)


def _plays_of_avif(data: bytes) -> int:
    """Compare the length of the track with that of one play in the edit list; without a list, return 0 for ever."""
    place = data.find(b"elst")
    track = data.find(b"tkhd")
    try:
        version, flags, entries = struct.unpack_from(">B3sI", data, place + 4)
        if place < 0 or track < 0 or not flags[2] & 1 or entries != 1:
            return 0 if place < 0 or flags[2] & 1 else 1
        once: int = struct.unpack_from(">Q" if version else ">I", data, place + 12)[0]
        wide = data[track + 4] == 1
        whole: int = struct.unpack_from(">Q" if wide else ">I", data, track + (32 if wide else 24))[0]
    except struct.error:
        return 0
    if not once or whole >= (1 << (64 if wide else 32)) - 1:
        return 0
    return max(-(-whole // once), 1)
