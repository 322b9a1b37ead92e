"""TIFF: which of its pages is the picture, and the pages that Pillow misreads or refuses.

A first page that says it is a preview gives way to the largest whole page. Raw files of cameras are TIFF
too: of those the largest preview is read, if it is large enough to stand for the picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.TiffImagePlugin import COMPRESSION_INFO

from eyefirst.errors import TruncatedPictureError, UnsupportedPictureError
from eyefirst.image.containers import jpeg_segments
from eyefirst.image.formats import RAW_REMEDY

LEAST_PREVIEW = 800
"""Pixels on the longer side from which the preview of a raw file may stand for its picture."""
MOST_PAGES = 200
MOST_ENTRIES = 1000
MOST_VALUES = 1 << 22
MOST_SHORT = 64

_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS, _COUNTS, _PLANAR, _PREDICTOR = 273, 274, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _SUB_PAGES, _EXTRA, _FORMAT = 322, 323, 324, 325, 330, 338, 339
_JPEG_OFFSET, _JPEG_LENGTH, _DNG, _PROFILE = 513, 514, 50706, 34675
_REDUCED, _MASK = 1, 4
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK, _MOSAIC, _LINEAR_RAW = 0, 1, 2, 5, 32803, 34892
_NOT_IN_PILLOW = {
    **dict.fromkeys((34712, 33003, 33004, 33005), "JPEG 2000"),
    **dict.fromkeys((34934, 22610), "JPEG XR"),
    **dict.fromkeys((50002, 52546), "JPEG XL"),
    **dict.fromkeys((50001, 34927), "WebP"),
    34887: "LERC",
    34933: "PNG",
}
_SIZES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # the integers


@dataclass(frozen=True)
class Page:
    """One image file directory: its place, its integer values by their tags, its ICC profile.

    Of tags with many values, `long` holds how and where they are written, for `every`.
    """

    place: int
    values: dict[int, tuple[int, ...]] = field(repr=False)
    long: dict[int, tuple[str, int]] = field(default_factory=dict, repr=False)
    profile: bytes = field(default=b"", repr=False)

    def first(self, tag: int, default: int = 0) -> int:
        """Return the first value of a tag."""
        return self.values.get(tag, (default,))[0]

    def every(self, tag: int, data: bytes) -> tuple[int, ...]:
        """Return all values of a tag, however many there are."""
        if tag in self.long:
            written, place = self.long[tag]
            return struct.unpack_from(written, data, place)
        return self.values.get(tag, ())

    @property
    def width(self) -> int:
        return self.first(_WIDTH)

    @property
    def height(self) -> int:
        return self.first(_HEIGHT)

    @property
    def is_reduced(self) -> bool:
        """Say whether the page calls itself a smaller version of another one, or a mask."""
        return bool(self.first(_SUBFILE) & (_REDUCED | _MASK)) or self.first(_OLD_SUBFILE) == 2

    @property
    def is_sensor(self) -> bool:
        """Say whether the page holds what a camera's sensor saw, not yet a picture."""
        return self.first(_PHOTOMETRIC, -1) in (_MOSAIC, _LINEAR_RAW)


@dataclass(frozen=True)
class Chosen:
    """What to decode: a file of this kind, upright by `orientation` if it does not say so itself."""

    data: bytes
    kind: str = "TIFF"
    orientation: int | None = None
    warnings: tuple[str, ...] = ()


def first_orientation(data: bytes) -> int:
    """Return what the first page says of its orientation; 1 for nothing."""
    page = next(_pages(data), None)
    return page.first(_ORIENTATION, 1) if page else 1


def choose(data: bytes, name: str) -> Chosen:
    """Choose the page of a TIFF that is its picture. Raises UnsupportedPictureError for a raw file without one."""
    pages = list(_pages(data))
    if not pages:
        return Chosen(data)  # Pillow says what is wrong
    if _DNG in pages[0].values or data[8:10] == b"CR" or any(page.is_sensor for page in pages):
        return _preview(data, pages, name)
    if not pages[0].is_reduced:
        return Chosen(data)
    whole = [page for page in pages if not page.is_reduced and page.width and page.height]
    if not whole:
        return Chosen(data)
    best = max(whole, key=lambda page: page.width * page.height)
    words = f"{name}: its first page is a preview; the page of {best.width} x {best.height} pixels is read"
    return Chosen(_beginning_with(data, best), warnings=(words,))


def _preview(data: bytes, pages: list[Page], name: str) -> Chosen:
    """Choose the largest picture inside a raw file that is not the sensor's."""
    sensor = max((page for page in pages if page.is_sensor), key=lambda page: page.width * page.height, default=None)
    best, chosen = (0, 0), Chosen(data)
    orientation = pages[0].first(_ORIENTATION, 1)
    for page in (page for page in pages if not page.is_sensor):
        jpeg = _jpeg_of(data, page)
        size = _jpeg_size(jpeg) if jpeg else (page.width, page.height)
        if size[0] * size[1] > best[0] * best[1]:
            best = size
            found = (jpeg, "JPEG") if jpeg else (_beginning_with(data, page), "TIFF")
            chosen = Chosen(*found, orientation)
    full = (sensor.width, sensor.height) if sensor else (0, 0)
    if max(best) < min(LEAST_PREVIEW, max(full)) or not best[0]:
        what = f", and its largest preview has {best[0]} x {best[1]} pixels" if best[0] else " without a preview"
        raise UnsupportedPictureError(f"is a raw file of a camera{what}", remedy=RAW_REMEDY, source=name)
    words = f"{name}: is a raw file of a camera; its preview of {best[0]} x {best[1]} pixels is read"
    return replace(chosen, warnings=(words,))


def _beginning_with(data: bytes, page: Page) -> bytes:
    """Return the file with another page as its first."""
    order, big = _header(data)
    if big:
        return data[:8] + struct.pack(order + "Q", page.place) + data[16:]
    return data[:4] + struct.pack(order + "I", page.place) + data[8:]


def _jpeg_of(data: bytes, page: Page) -> bytes:
    """Return a whole JPEG file that a page holds; b"" if it holds none."""
    places = [(page.first(_JPEG_OFFSET), page.first(_JPEG_LENGTH))]
    if page.first(_COMPRESSION) in (6, 7) and len(page.values.get(_OFFSETS, ())) == 1:
        places.append((page.first(_OFFSETS), page.first(_COUNTS)))
    for start, length in places:
        if length and data[start : start + 3] == b"\xff\xd8\xff":
            return data[start : start + length]
    return b""


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, content in jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(content) >= 5:
            if marker == 0xC3:  # lossless: what the sensor saw
                return 0, 0
            height, width = struct.unpack_from(">HH", content, 1)
            return width, height
    return 0, 0


# --- directories -------------------------------------------------------------------------------------


def _header(data: bytes) -> tuple[str, bool]:
    """Return the byte order as `struct` writes it, and whether the file is a BigTIFF."""
    order = "<" if data[:2] == b"II" else ">"
    return order, data[2:4] in (b"+\0", b"\0+")


def _pages(data: bytes) -> Iterator[Page]:
    """Yield the pages in their order, each followed by those below it. Ends where the structure does."""
    order, big = _header(data)
    try:
        waiting = [struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]]
    except struct.error:
        return
    seen: set[int] = set()
    while waiting and len(seen) < MOST_PAGES:
        place = waiting.pop(0)
        if not place or place in seen:
            continue
        seen.add(place)
        try:
            page, following = _page(data, place, order, big)
        except struct.error:
            continue
        yield page
        waiting = [*page.values.get(_SUB_PAGES, ()), following, *waiting]


def _page(data: bytes, place: int, order: str, big: bool) -> tuple[Page, int]:
    count = struct.unpack_from(order + ("Q" if big else "H"), data, place)[0]
    start, size, room = place + (8 if big else 2), 20 if big else 12, 8 if big else 4
    values: dict[int, tuple[int, ...]] = {}
    long: dict[int, tuple[str, int]] = {}
    profile = b""
    for entry in range(start, start + size * min(count, MOST_ENTRIES), size):
        tag, kind, number = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
        letter = "B" if tag == _PROFILE else _SIZES.get(kind)
        if letter is None or not 0 < number <= MOST_VALUES:
            continue
        at = entry + size - room
        if struct.calcsize(letter) * number > room:
            at = struct.unpack_from(order + ("Q" if big else "I"), data, at)[0]
        if tag == _PROFILE:
            profile = data[at : at + number]
        elif at + struct.calcsize(letter) * number <= len(data):
            if number > MOST_SHORT:
                long[tag] = f"{order}{number}{letter}", at
            else:
                values[tag] = struct.unpack_from(f"{order}{number}{letter}", data, at)
    following = struct.unpack_from(order + ("Q" if big else "I"), data, start + size * count)[0]
    return Page(place, values, long, profile), following


# --- pixels that Pillow misreads or refuses ----------------------------------------------------------


def wide_page(data: bytes, name: str) -> Page | None:
    """Return the first page, if it holds samples of 16 bits or more, or signed ones, that Pillow does not read right.

    Those are grey that is white at zero, signed, of 32 bits, or with alpha; and colours in separate planes, of more
    than 16 bits or of floats. Raises UnsupportedPictureError where they are packed in a way that is not unpacked here
    either.
    """
    page = next(_pages(data), None)
    if page is None or not page.width or not page.height:
        return None
    order, big = _header(data)
    compression, bits, numbers = page.first(_COMPRESSION, 1), page.first(_BITS), page.first(_FORMAT, 1)
    if compression not in COMPRESSION_INFO or compression in _NOT_IN_PILLOW:
        how = _NOT_IN_PILLOW.get(compression, f"a way of its own, number {compression}")
        raise _not_read(f"compressed by {how}", name)
    if _is_misread(page):
        if compression in (1, 8, 32946) and page.first(_PREDICTOR, 1) in (1, 2):
            return page
        if order == ">" and (bits > 16 or numbers != 1):  # its bytes would be swapped twice
            raise _not_read(f"compressed big-endian numbers of {bits} bits", name)
        if (bits, numbers) in ((32, 1), (16, 2), (8, 2)):  # the largest would become negative, or all half as bright
            sign = "signed" if numbers == 2 else "unsigned"
            raise _not_read(f"{sign} numbers of {bits} bits, compressed by other than Deflate", name)
    if order == ">" and big:
        raise _not_read("a big-endian BigTIFF", name)
    return None


def _is_misread(page: Page) -> bool:
    bits, kinds, samples = page.values.get(_BITS, (1,)), page.values.get(_FORMAT, (1,)), page.first(_SAMPLES, 1)
    if len(set(bits)) != 1 or len(set(kinds)) != 1 or kinds[0] not in (1, 2, 3):
        return False
    if bits[0] not in (16, 32, 64) and (bits[0], kinds[0]) != (8, 2):
        return False
    photometric = page.first(_PHOTOMETRIC, -1)
    if photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
        return samples in (1, 2)
    is_odd = page.first(_PLANAR, 1) == 2 or bits[0] > 16 or kinds[0] != 1
    return is_odd and samples >= {_RGB: 3, _CMYK: 4}.get(photometric, samples + 1)


def _not_read(what: str, name: str) -> UnsupportedPictureError:
    return UnsupportedPictureError(
        f"is TIFF, but of a kind that is not read ({what})",
        remedy="save it without compression in little-endian order, or as JPEG or PNG first",
        source=name,
    )


def read_wide(data: bytes, page: Page, name: str) -> PIL.Image.Image:
    """Read a page as a picture of mode L, LA, RGB, RGBA or CMYK, as it is stored. Raises PictureError."""
    photometric, colours = page.first(_PHOTOMETRIC), {_RGB: 3, _CMYK: 4}.get(page.first(_PHOTOMETRIC), 1)
    values = _samples(data, page, colours + 1, name)
    has_alpha = page.values.get(_EXTRA, (0,))[0] in (1, 2) and values.shape[2] > colours and photometric != _CMYK
    bytes_ = [_to_bytes(values[..., :colours])]
    if photometric == _WHITE_IS_ZERO:
        bytes_ = [255 - bytes_[0]]
    if has_alpha:
        bytes_.append(_to_bytes(values[..., colours : colours + 1]))
    channels = [PIL.Image.fromarray(np.ascontiguousarray(band)) for band in np.moveaxis(np.dstack(bytes_), 2, 0)]
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "CMYK" if photometric == _CMYK else "RGBA"}[len(channels)]
    picture = PIL.Image.merge(mode, channels) if len(channels) > 1 else channels[0]
    if has_alpha and page.first(_EXTRA) == 1 and mode == "RGBA":  # colours are multiplied by alpha
        picture = PIL.Image.frombytes("RGBa", picture.size, picture.tobytes()).convert("RGBA")
    if page.profile:
        picture.info["icc_profile"] = page.profile
    return picture


def to_bytes_by_range(values: NDArray[Any], tops: tuple[int, ...]) -> NDArray[np.uint8]:
    """Scale numbers that do not say what white is: by the first top that holds them all, else by their own range."""
    plain = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
    low, high = float(plain.min()), float(plain.max())
    top = next((float(top) for top in tops if low >= 0 and high <= top), 0.0)
    if not top:
        plain -= low
        top = (high - low) or 1.0
    plain *= 255 / top
    return np.asarray((plain + 0.5).astype(np.uint8))


def _to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.dtype == np.uint16:
        return np.asarray((values >> 8).astype(np.uint8))
    tops = {"f": (1, 255, 65535), "u": (255, 65535)}.get(values.dtype.kind, (255, 32767))
    if values.dtype == np.int8:
        tops = (127,)
    return to_bytes_by_range(values, tops)


def _samples(data: bytes, page: Page, most: int, name: str) -> NDArray[Any]:
    """Read the first so many samples as (height, width, samples), in the order of this machine."""
    order, _ = _header(data)
    dtype = np.dtype(f"{order}{'-uif'[page.first(_FORMAT, 1)]}{page.first(_BITS) // 8}")
    samples, separate = min(page.first(_SAMPLES, 1), most), page.first(_PLANAR, 1) == 2
    tiled = _TILE_OFFSETS in page.values or _TILE_OFFSETS in page.long
    wide = page.first(_TILE_WIDTH) if tiled else page.width
    high = page.first(_TILE_HEIGHT) if tiled else min(page.first(_ROWS, page.height) or page.height, page.height)
    offsets = page.every(_TILE_OFFSETS if tiled else _OFFSETS, data)
    counts = page.every(_TILE_COUNTS if tiled else _COUNTS, data)
    if wide < 1 or high < 1 or wide * high > 4 * page.width * page.height + (1 << 20):
        raise _damaged(name, "its strips or tiles have no size")
    across, down = -(-page.width // wide), -(-page.height // high)
    planes, each = (samples, 1) if separate else (1, samples)
    if len(offsets) < across * down * planes or len(counts) < len(offsets):
        raise _damaged(name, "some of its strips or tiles are missing")
    result = np.empty((page.height, page.width, samples), dtype.newbyteorder("="))
    for number in range(across * down * planes):
        plane, place = divmod(number, across * down)
        top, left = place // across * high, place % across * wide
        rows = high if tiled else min(high, page.height - top)
        part = data[offsets[number] : offsets[number] + counts[number]]
        block = _unpacked(part, page, rows * wide * each * dtype.itemsize, name)
        block_values = np.frombuffer(block, dtype).reshape(rows, wide, each)
        if page.first(_PREDICTOR, 1) == 2:
            block_values = np.cumsum(block_values, axis=1, dtype=result.dtype)
        seen = block_values[: page.height - top, : page.width - left]
        first = plane if separate else 0
        result[top : top + seen.shape[0], left : left + seen.shape[1], first : first + each] = seen
    return result


def _unpacked(part: bytes, page: Page, size: int, name: str) -> bytes:
    if page.first(_COMPRESSION, 1) != 1:
        try:
            part = zlib.decompressobj().decompress(part, size)
        except zlib.error as error:
            raise _damaged(name, str(error)) from error
    if len(part) < size:
        raise _damaged(name, f"{size - len(part)} bytes are missing")
    return part[:size]


def _damaged(name: str, words: str) -> TruncatedPictureError:
    return TruncatedPictureError(
        f"begins like TIFF, but is damaged or ends early ({words})", remedy="copy or download it again", source=name
    )
