"""JPEG XL, from the extra `[codecs]`: its header is read here, its pixels by libjxl through imagecodecs.

imagecodecs gives pixels and says nothing of their colours or orientation, so the header is taken apart as ISO/IEC
18181-1 lays it out. A file that was made from a JPEG without loss becomes that JPEG again.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile

from eyefirst.errors import MissingExtraError
from eyefirst.image.colour_spaces import PRIMARIES, SRGB, TRANSFERS, Chromaticities, ColourSpace, srgb_encoded
from eyefirst.image.containers import boxes
from eyefirst.image.exif import ORIENTATION
from eyefirst.image.tiff import Chosen

KIND = "JPEG XL"
BARE = b"\xff\x0a"
HEADER_BYTES = 4096
METADATA_BYTES = 1 << 20
"""Compressed metadata that would be longer is left out."""

_LENGTHS = ((9, 1), (13, 1), (18, 1), (30, 1))
_SHAPES = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_ENUM = ((0, 0), (0, 1), (4, 2), (6, 18))
_GREY, _XYB = 1, 2
_CUSTOM, _EQUAL, _DCI, _P3 = 2, 10, 11, 11
_WHITES = {1: SRGB[:2], _EQUAL: PRIMARIES[10][:2], _DCI: PRIMARIES[11][:2]}
_ALPHA, _SPOT, _MOSAIC = 0, 2, 5


@dataclass(frozen=True)
class Header:
    """What a file says of its picture: its size as stored, its orientation, 1 to 8, and its colours.

    space: None for sRGB. has_profile: it carries an ICC profile, which imagecodecs does not hand out, and its pixels
    are in that space.
    """

    width: int
    height: int
    orientation: int = 1
    space: ColourSpace | None = None
    has_profile: bool = False
    is_animated: bool = False


def choose(data: bytes, name: str) -> Chosen:
    """Return the JPEG that a file was made from, or the file itself, with what the user should know of it."""
    if any(box.name == b"jbrd" for box in _boxes(data)):
        try:
            return Chosen(bytes(_imagecodecs(name).jpegxl_decode_jpeg(data)), "JPEG")
        except (RuntimeError, ValueError):  # not whole: its pixels may be
            pass
    try:
        header = read_header(data)
    except ValueError:  # the reader says it
        return Chosen(data, KIND)
    found = ["is an animation, of which the first frame is used"] if header.is_animated else []
    if header.has_profile:
        found.append("its colour profile cannot be read, so its colours are taken for sRGB")
    return Chosen(data, KIND, warnings=tuple(f"{name}: {text}" for text in found))


class JpegXlImageFile(ImageFile):
    """Pillow's way to read a file: the header when it is opened, the pixels when they are loaded."""

    format = KIND
    format_description = KIND

    def _open(self) -> None:
        self._library = _imagecodecs("")
        self._data = self.fp.read() if self.fp else b""
        header = read_header(self._data)
        self._size, self._mode = (header.width, header.height), "RGB"
        self.getexif()[ORIENTATION] = header.orientation
        if header.space:
            self.info["colour_space"] = header.space

    def load(self) -> Any:
        """Decode the first frame, as it is stored."""
        if self._data:
            pixels = self._library.jpegxl_decode(self._data, 0, keeporientation=True, numthreads=1)
            if pixels.dtype != np.uint8:
                pixels = self._in_bytes(pixels)
            plain = PIL.Image.fromarray(np.ascontiguousarray(pixels))
            self.im, self._mode, self._size, self._data = plain.im, plain.mode, plain.size, b""
        return super().load()

    def _in_bytes(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """Round 16 bits and floats to 8 bits; light gets the curve of sRGB first, or dark tones would be lost."""
        values = pixels.astype(np.float32) / 65535 if pixels.dtype == np.uint16 else pixels.astype(np.float32)
        space = self.info.get("colour_space")
        if space and space.transfer == 1.0:
            colours = values if values.ndim < 3 else values[..., : values.shape[2] - (values.shape[2] + 1) % 2]
            colours[...] = srgb_encoded(colours)
            self.info["colour_space"] = replace(space, transfer="sRGB")
        return (values.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def metadata_in(data: bytes) -> tuple[bytes, bytes]:
    """Return the EXIF block and the XMP packet of a file; b"" for none."""
    found: dict[bytes, bytes] = {}
    for box in _boxes(data):
        name, content = box.name, data[box.start : box.end]
        if name == b"brob" and content[:4] in (b"Exif", b"xml "):
            name, content = content[:4], _unpacked(content[4:])
        if name in (b"Exif", b"xml "):
            found.setdefault(name, content)
    block = found.get(b"Exif", b"")
    start = 4 + int.from_bytes(block[:4], "big")
    return block[start:], found.get(b"xml ", b"")


def read_header(data: bytes) -> Header:
    """Read size, orientation and colours. Raises ValueError where the header is damaged."""
    bits = _Bits(_codestream(data))
    height, width = _read_size(bits)
    if bits.flag():  # everything else is the default: sRGB, upright
        return Header(width, height)
    orientation, is_animated = 1, False
    if bits.flag():
        orientation = 1 + bits.take(3)
        if bits.flag():
            _read_size(bits)
        if bits.flag():
            _skip_preview(bits)
        if is_animated := bits.flag():
            _skip_animation(bits)
    _skip_depth(bits)
    bits.flag()
    for _ in range(bits.number((0, 0), (0, 1), (4, 2), (12, 1))):
        _skip_extra_channel(bits)
    is_xyb = bits.flag()
    space, has_profile = _read_colours(bits)
    if has_profile and is_xyb:  # libjxl then gives linear light
        space, has_profile = ColourSpace(SRGB, 1.0), False
    return Header(width, height, orientation, space, has_profile, is_animated)


class _Bits:
    """Reads numbers from bits, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the header ends early")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def flag(self) -> bool:
        return bool(self.take(1))

    def number(self, *ways: tuple[int, int]) -> int:
        """Read one of four ways: a number of so many bits, to which the other number is added."""
        count, offset = ways[self.take(2)]
        return self.take(count) + offset

    def enum(self) -> int:
        return self.number(*_ENUM)


def _read_size(bits: _Bits) -> tuple[int, int]:
    """Read height and width."""
    eighths = bits.flag()
    read: Callable[[], int] = (lambda: 8 * (bits.take(5) + 1)) if eighths else (lambda: bits.number(*_LENGTHS))
    return _with_shape(bits, read)


def _skip_preview(bits: _Bits) -> None:
    if bits.flag():
        _with_shape(bits, lambda: 8 * bits.number((0, 16), (0, 32), (5, 1), (9, 33)))
    else:
        _with_shape(bits, lambda: bits.number((6, 1), (8, 65), (10, 321), (12, 1345)))


def _with_shape(bits: _Bits, read: Callable[[], int]) -> tuple[int, int]:
    height, shape = read(), bits.take(3)
    across, down = _SHAPES.get(shape, (0, 1))
    return height, height * across // down if shape else read()


def _skip_animation(bits: _Bits) -> None:
    bits.number((0, 100), (0, 1000), (10, 1), (30, 1))
    bits.number((0, 1), (0, 1001), (8, 1), (10, 1))
    bits.number((0, 0), (3, 0), (16, 0), (32, 0))
    bits.flag()


def _skip_depth(bits: _Bits) -> None:
    if bits.flag():
        bits.number((0, 32), (0, 16), (0, 24), (6, 1))
        bits.take(4)
    else:
        bits.number((0, 8), (0, 10), (0, 12), (6, 1))


def _skip_extra_channel(bits: _Bits) -> None:
    if bits.flag():  # alpha of 8 bits
        return
    kind = bits.enum()
    _skip_depth(bits)
    bits.number((0, 0), (0, 3), (0, 4), (3, 1))
    bits.take(8 * bits.number((0, 0), (4, 0), (5, 16), (10, 48)))
    if kind == _ALPHA:
        bits.flag()
    elif kind == _SPOT:
        bits.take(4 * 16)
    elif kind == _MOSAIC:
        bits.number((0, 1), (2, 0), (4, 3), (8, 19))


def _read_colours(bits: _Bits) -> tuple[ColourSpace | None, bool]:
    """Read the colour space, None for sRGB, and whether it is an ICC profile instead."""
    if bits.flag():
        return None, False
    has_profile, model = bits.flag(), bits.enum()
    if has_profile or model == _XYB:
        return None, has_profile
    white_kind = bits.enum()
    white = _read_point(bits) if white_kind == _CUSTOM else _WHITES.get(white_kind, SRGB[:2])
    primaries: tuple[float, ...] = SRGB[2:]
    if model != _GREY:
        kind = bits.enum()
        own = tuple(n for _ in range(3) for n in _read_point(bits)) if kind == _CUSTOM else ()
        primaries = own or PRIMARIES.get(kind, SRGB)[2:]
    if bits.flag():
        transfer = 1e7 / max(bits.take(24), 1)
        space = ColourSpace(_joined(white, primaries), transfer)
    else:
        space = ColourSpace(_joined(white, primaries), TRANSFERS.get(bits.enum(), "sRGB"))
    return None if space.is_srgb else space, False


def _joined(white: tuple[float, ...], primaries: tuple[float, ...]) -> Chromaticities:
    wx, wy, rx, ry, gx, gy, bx, by = (*white, *primaries)
    return wx, wy, rx, ry, gx, gy, bx, by


def _read_point(bits: _Bits) -> tuple[float, float]:
    """Read x and y of a colour."""
    packed = [bits.number((19, 0), (19, 1 << 19), (20, 1 << 20), (21, 1 << 21)) for _ in range(2)]
    x, y = ((n >> 1) ^ -(n & 1) for n in packed)
    return x / 1e6, y / 1e6


def _boxes(data: bytes) -> list[Any]:
    return [] if data[:2] == BARE else list(boxes(data))


def _codestream(data: bytes) -> bytes:
    """Return the beginning of the part that holds the picture, without its signature."""
    if data[:2] != BARE:
        heads = {b"jxlc": 0, b"jxlp": 4}
        places = [(box.start + heads[box.name], box.end) for box in _boxes(data) if box.name in heads]
        data = b"".join(data[start : min(end, start + HEADER_BYTES)] for start, end in places)
    if data[:2] != BARE:
        raise ValueError("holds no picture")
    return data[2:HEADER_BYTES]


def _unpacked(content: bytes) -> bytes:
    """Return metadata that was compressed with Brotli; b"" where that cannot be done."""
    try:
        return bytes(_imagecodecs("").brotli_decode(content, out=METADATA_BYTES))
    except (MissingExtraError, RuntimeError, ValueError):
        return b""


def _imagecodecs(name: str) -> Any:
    """The library, where it can read JPEG XL. Raises MissingExtraError."""
    try:
        library = importlib.import_module("imagecodecs")
        if library.JPEGXL.available:
            return library
    except ImportError:
        pass
    error = MissingExtraError.for_extra("codecs", f"reading {KIND}")
    error.source = name
    raise error
