"""Orientation: from the EXIF number of a file to an upright picture."""

from __future__ import annotations

import PIL.Image

from eyefirst.geometry import Size
from eyefirst.image.exif import ORIENTATION, Block

_FIRST_SIDEWAYS = 5  # orientations 5 to 8 exchange width and height
INVERSE = {6: 8, 8: 6}
_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}


def valid_orientation(value: object) -> int:
    return value if isinstance(value, int) and value in range(1, 9) else 1


def orientation_of(picture: PIL.Image.Image) -> int:
    """Return what Pillow finds, or what the block itself says where Pillow gives up at a damaged tag."""
    try:
        found = picture.getexif().get(ORIENTATION)
    except MemoryError:
        raise
    except Exception:  # broken EXIF is common and does not spoil the pixels
        found = None
    block = picture.info.get("exif")
    if found is None and isinstance(block, bytes):
        found = Block(block).values().get("main", {}).get(ORIENTATION)
    return valid_orientation(found)


def turned(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def turned_size(size: Size, orientation: int) -> Size:
    return Size(size.height, size.width) if orientation >= _FIRST_SIDEWAYS else size
