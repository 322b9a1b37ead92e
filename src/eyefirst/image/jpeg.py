"""JPEG: a file that lacks only its end marker is read, one that lacks pixels is not."""

from __future__ import annotations

import io

import PIL.Image
from PIL.JpegImagePlugin import JpegImageFile

END = b"\xff\xd9"
FILLERS = (bytes(64), b"\x5a\xa5\x3c\x69" * 16)
"""Two endings that mean different pixels to a decoder that still waits for some."""


def with_end_marker(data: bytes) -> bytes:
    """Return the file with an end marker, if all of its pixels are there; otherwise b"".

    The pixels are all there if the decoder does not care what follows: both fillers then give one picture.
    """
    if END in data[-len(FILLERS[0]) :]:
        return b""
    data = data.rstrip(b"\xff")  # half a marker
    first, second = (_decoded(data + filler + END) for filler in FILLERS)
    return data + END if first is not None and first == second else b""


def _decoded(data: bytes) -> PIL.Image.Image | None:
    """Decode at full size: a progressive picture may lack what only shows there."""
    try:
        picture = JpegImageFile(io.BytesIO(data), "")
        picture.load()
    except MemoryError:
        raise
    except Exception:  # damaged in another way too
        return None
    return picture
