"""What an opened file says of its streams: which of them is the film, when it starts, how it is turned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from eyefirst.films.planes import Turn

PICTURE_FORMATS = frozenset({"apng", "fits", "gif", "ico", "image2", "image2pipe", "jpegxl_anim", "webp"})
"""FFmpeg's readers of pictures, beside those whose names end in `_pipe`."""
PICTURE_BRANDS = frozenset({"avif", "avis", "heic", "heix", "heim", "heis", "hevc", "mif1", "msf1"})
"""Major brands of pictures in a container of films: AVIF and HEIC."""


def film_stream(container: Any) -> Any:
    """Return the stream that is the film: a default one, rather one that moves. None: there is no film."""
    films = [s for s in container.streams.video if not _is_cover(s) and s.codec_context is not None]
    return max(films, key=lambda s: (bool(s.disposition & type(s.disposition).default), s.frames > 1), default=None)


def is_of_pictures(container: Any) -> bool:
    """Whether the file is of a kind that holds pictures, still ones or animations."""
    name, brand = container.format.name, container.metadata.get("major_brand", "").strip()
    return name in PICTURE_FORMATS or name.endswith("_pipe") or brand in PICTURE_BRANDS


def start_of(container: Any, base: int) -> Fraction:
    """The film's start, which is taken off every time: exact, where a stream starts there."""
    start = Fraction(container.start_time or 0, base)
    own = [s.start_time * Fraction(s.time_base) for s in container.streams if s.start_time is not None]
    return next((s for s in own if abs(s - start) <= Fraction(2, base)), start)


def turn_of(frame: Any) -> Turn | None:
    """Return how a frame is turned upright. None: by no quarter of a circle."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV reads none of them where it does not know one, such as EXIF
        return Turn.from_display_matrix(_rotation(frame.rotation))
    if matrix is None:
        return Turn()
    return Turn.from_display_matrix([int(v) for v in np.frombuffer(bytes(matrix), np.int32)[:9]])


def _rotation(degrees: float) -> Sequence[int]:
    """The display matrix that turns counter-clockwise, as FFmpeg writes it."""
    cosine, sine = (round(65536 * f(math.radians(degrees))) for f in (math.cos, math.sin))
    return cosine, -sine, 0, sine, cosine, 0, 0, 0, 1 << 30


def _is_cover(stream: Any) -> bool:
    """Whether a stream of pictures is only the cover of a song or film."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)
