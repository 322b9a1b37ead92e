"""From a path, bytes, a file object, an array or a Pillow picture to one kind of picture: upright sRGB.

The formats that are read, told apart by their first bytes and never by their names: JPEG (and MPO, as
the JPEG that it begins with), PNG, WebP, GIF, AVIF, TIFF, BMP, ICO, PPM/PGM/PBM, QOI, JPEG 2000, and
HEIC with the extra `heif`. Formats without a signature (TGA) and those whose reader starts other
programs or draws (EPS, PDF, WMF, SVG) are never tried. Nothing is fetched from the network.

Pillow decodes. Each reader is called directly instead of through `PIL.Image.open`, so that the pixel
limit is this call's own and not Pillow's global `MAX_IMAGE_PIXELS`, and so that a reader's own words
about a damaged header are not lost.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import re
import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, BinaryIO, TypeAlias, cast

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageCms

from eyefirst.colours import parse_colour
from eyefirst.errors import (
    EyefirstError,
    InvalidValueError,
    MissingExtraError,
    NotAPictureError,
    PictureError,
    PictureNotFoundError,
    PictureTooLargeError,
    TruncatedPictureError,
    UnsupportedPictureError,
)
from eyefirst.geometry import Box, Size

REDUCED_TO = 1.5
"""How much larger than needed a picture is that is not a JPEG, before a filter brings it to its size."""

DEFAULT_PIXEL_LIMIT = 250_000_000
"""Width times height that is still decoded: 750 MB as RGB."""

FILE_LIMIT_BYTES = 1 << 31
"""No file longer than this is read into memory."""

PROFILE_LIMIT_BYTES = 4 << 20
"""A longer colour profile counts as broken; the largest printers' profiles have about 3 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture as everything after this file sees it: upright, sRGB, without alpha.

    `pixels` is (height, width, 3) uint8, RGB, 0..255, row 0 at the top, read-only. It may be smaller
    than `size`, the upright size at full resolution, when the caller asked for fewer pixels.
    `sha256` is of the file's bytes; for arrays and Pillow pictures, of the shape and the pixels.
    """

    pixels: NDArray[np.uint8]
    size: Size
    name: str
    sha256: str
    format: str
    frame_count: int

    @property
    def is_reduced(self) -> bool:
        """Whether `pixels` has fewer pixels than the file."""
        return self.pixels.shape[:2] != (self.size.height, self.size.width)

    def squashed(self, side: int) -> NDArray[np.uint8]:
        """The whole picture as (side, side, 3) uint8 RGB, contiguous; its aspect ratio is not kept."""
        target = Size(side, side)
        small = PIL.Image.fromarray(self.pixels).resize((target.width, target.height), PIL.Image.Resampling.BILINEAR)
        return np.array(small)

    def region(self, box: Box) -> Image:
        """That part of the picture, as a view; name and sha256 stay those of the whole.

        A reduced picture has few pixels to spare: for a region, load with a larger `at_least`.
        """
        height, width = self.pixels.shape[:2]
        part = box.to_pixels(Size(width, height))
        pixels = self.pixels[part.top : part.bottom, part.left : part.right]
        return replace(self, pixels=pixels, size=box.to_pixels(self.size).size)


_RGB: TypeAlias = tuple[int, int, int]
Need: TypeAlias = Size | Callable[[Size], Size]
"""How many pixels a caller needs of the upright picture; or a function that tells it from the full size."""
IN_MEMORY = ("<array>", "<picture>")
"""Names of pictures that came as pixels, so that their hash is of pixels too."""

Source: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | PIL.Image.Image | NDArray[np.uint8] | Image


def load_image(
    source: Source,
    *,
    orientation: int | None = None,
    at_least: Need | None = None,
    pixel_limit: int = DEFAULT_PIXEL_LIMIT,
    background: str = "white",
) -> Image:
    """Decodes a picture: upright, in sRGB, alpha laid on `background`, the first frame of an animation.

    `source` is a path, a file's bytes, a binary file object (read from where it stands), a Pillow
    picture (its current frame), an array (height, width, 3) uint8 RGB (grey and RGBA are understood
    too), or an `Image`, which is returned as it is. Callers' objects are neither changed nor closed.
    `orientation`, 1 to 8 as in EXIF, is used instead of the file's own. `at_least` says how many pixels
    the caller needs on each side of the upright picture: files may then be decoded smaller, never below
    it. `background` is any CSS colour.

    Raises a PictureError when the picture cannot be used, InvalidValueError for the other arguments,
    and MissingExtraError for HEIC without the extra `heif`.
    """
    paper = parse_colour(background)
    _check_arguments(orientation, pixel_limit)
    if isinstance(source, Image):
        return _turned_image(source, orientation or 1)
    if isinstance(source, np.ndarray) and source.shape[2:] == (3,) and orientation in (None, 1):
        # Nothing to decode: one copy, so that the caller may go on writing into the array.
        pixels = _checked_array(source).copy(order="C")
        size = _checked_size(pixels.shape[1], pixels.shape[0], "<array>", pixel_limit)
        return Image(_locked(pixels), size, "<array>", _hash_of(pixels), "", 1)
    return decode(source, orientation=orientation, at_least=at_least, pixel_limit=pixel_limit).image(paper)


def load_picture(
    source: Source, *, orientation: int | None = None, pixel_limit: int = DEFAULT_PIXEL_LIMIT
) -> PIL.Image.Image:
    """The same picture for cutting and saving: a new Pillow picture, upright, sRGB, at full resolution.

    Its mode is RGBA where the source has transparency, otherwise RGB. It carries no metadata. Sources,
    arguments and errors are those of `load_image`.
    """
    picture = decode(source, orientation=orientation, pixel_limit=pixel_limit).picture.copy()
    picture.info = {}  # the old profile must not be saved with the new colours
    return picture


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
    _check_arguments(orientation, pixel_limit)
    if isinstance(source, (np.ndarray, PIL.Image.Image, Image)):
        return Animation((load_picture(source, orientation=orientation, pixel_limit=pixel_limit),), (0,), 0)
    name, data = _read(source)
    kind = _kind_of(data, name)
    frames, durations = [], []
    with _pillow_border(name, kind):
        picture = _reader_of(kind, name)(io.BytesIO(data), "")
        for number in range(_frame_count(picture, kind)):
            _checked_size(picture.width * (number + 1), picture.height, name, pixel_limit)
            picture.seek(number)
            plain, _ = _decode(picture, kind, name, orientation=orientation, at_least=None, pixel_limit=pixel_limit)
            plain = _to_srgb(plain, picture.info.get("icc_profile")).copy()
            plain.info = {}
            frames.append(plain)
            durations.append(int(picture.info.get("duration") or 0))
        loops = int(picture.info.get("loop") or 0)
    return Animation(tuple(frames), tuple(durations), loops)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A picture fit for both analysis and cutting, from one decode.

    `picture` is upright, sRGB, RGB or RGBA, perhaps smaller than `size`, the upright size at full
    resolution. The other fields are those of `Image`; `sha256` is empty for a picture that was in memory.
    """

    picture: PIL.Image.Image
    size: Size
    name: str
    sha256: str
    format: str
    frame_count: int

    def image(self, paper: tuple[int, int, int] = (255, 255, 255)) -> Image:
        """For analysis: alpha laid on a colour."""
        pixels = np.asarray(_on_paper(self.picture, paper))
        sha256 = self.sha256 or _hash_of(pixels)
        return Image(_locked(pixels), self.size, self.name, sha256, self.format, self.frame_count)


def decode(
    source: Source,
    *,
    orientation: int | None = None,
    at_least: Need | None = None,
    pixel_limit: int = DEFAULT_PIXEL_LIMIT,
) -> Decoded:
    """One decode for analysis and cutting. Sources, arguments and errors are those of `load_image`."""
    _check_arguments(orientation, pixel_limit)
    if isinstance(source, Image):
        turned = _turned_image(source, orientation or 1)
        picture = PIL.Image.fromarray(turned.pixels)
        return Decoded(picture, turned.size, turned.name, turned.sha256, turned.format, turned.frame_count)
    if isinstance(source, (np.ndarray, PIL.Image.Image)):
        if isinstance(source, np.ndarray):
            name, picture = "<array>", PIL.Image.fromarray(np.ascontiguousarray(_checked_array(source)))
        else:
            name, picture = str(getattr(source, "filename", "")) or "<picture>", source
        with _pillow_border(name, ""):
            # In memory already: nothing to gain by reducing, and the hash must not depend on `at_least`.
            plain, size = _decode(picture, "", name, orientation=orientation, at_least=None, pixel_limit=pixel_limit)
            plain = _to_srgb(plain, picture.info.get("icc_profile"))
        return Decoded(plain, size, name, "", picture.format or "", 1)

    name, data = _read(source)
    kind = _kind_of(data, name)
    with _pillow_border(name, kind):
        picture = _reader_of(kind, name)(io.BytesIO(data), "")
        plain, size = _decode(picture, kind, name, orientation=orientation, at_least=at_least, pixel_limit=pixel_limit)
        plain = _to_srgb(plain, picture.info.get("icc_profile"))
        frame_count = _frame_count(picture, kind)
    return Decoded(plain, size, name, hashlib.sha256(data).hexdigest(), kind, frame_count)


def _check_arguments(orientation: int | None, pixel_limit: int) -> None:
    if orientation is not None and orientation not in range(1, 9):
        raise InvalidValueError(
            f"expected an EXIF orientation from 1 to 8, got {orientation!r}",
            remedy="1 is upright, 6 is what phones write when held upright",
        )
    if pixel_limit < 1:
        raise InvalidValueError(f"expected a pixel limit of at least 1, got {pixel_limit!r}", remedy="leave it out")


def _locked(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pixels.setflags(write=False)
    return pixels


def _hash_of(pixels: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.data)
    return digest.hexdigest()


def fingerprint(source: Source) -> str:
    """The `sha256` that `load_image` would give, without decoding a file."""
    if isinstance(source, (Image, np.ndarray, PIL.Image.Image)):
        return load_image(source).sha256
    return hashlib.sha256(_read(source)[1]).hexdigest()


def stored_orientation(source: str | os.PathLike[str] | bytes) -> int:
    """The EXIF orientation of a file, 1 to 8: what turns its pixels upright from how they are stored; 1 for none.

    Raises PictureError.
    """
    name, data = _read(source)
    kind = _kind_of(data, name)
    with _pillow_border(name, kind):
        picture = _reader_of(kind, name)(io.BytesIO(data), "")
        if kind == "TIFF":  # loading would turn it
            return _valid_orientation(picture.tag_v2.get(_ORIENTATION_TAG))
        if kind != "JPEG":  # a PNG may carry it behind its pixels
            picture.load()
        return _orientation_of(picture)


def read_once(source: Source) -> Source:
    """The source itself; of a file object its bytes, so that it can be decoded more than once."""
    if hasattr(source, "read") and not isinstance(source, PIL.Image.Image):
        return _read(source)[1]
    return source


# --- reading -----------------------------------------------------------------------------------------


def _read(source: object) -> tuple[str, bytes]:
    """Name and bytes of a path, bytes or a file object."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        name, data = "<bytes>", bytes(source)
    elif isinstance(source, (str, os.PathLike)):
        name = os.fsdecode(source)
        data = _read_path(name)
    elif hasattr(source, "read"):
        given = getattr(source, "name", None)
        name = given if isinstance(given, str) else "<file>"
        data = _read_file(source, name)
    else:
        raise InvalidValueError(
            f"expected a path, bytes, a binary file, an array or a Pillow picture, got {type(source).__name__}",
            remedy="convert it, e.g. with numpy.asarray",
        )
    if not data:
        raise NotAPictureError("is empty (0 bytes)", remedy="copy or download it again", source=name)
    return name, data


def _read_path(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            status = os.fstat(file.fileno())
            # A device such as /dev/zero never ends; a pipe does.
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
                raise PictureNotFoundError("is not a regular file", remedy="give a picture's file", source=name)
            if status.st_size > FILE_LIMIT_BYTES:
                raise PictureTooLargeError(
                    f"has {status.st_size} bytes, more than the {FILE_LIMIT_BYTES} that are read at most",
                    remedy="make it smaller first",
                    source=name,
                )
            return file.read()
    except FileNotFoundError:
        remedy = "download it first, nothing is fetched" if "://" in name else "check the path"
        raise PictureNotFoundError("there is no such file", remedy=remedy, source=name) from None
    except IsADirectoryError:
        raise PictureNotFoundError("is a folder", remedy="give a picture's file", source=name) from None
    except PermissionError:
        remedy = "give a file, not a folder" if os.path.isdir(name) else "ask for the right to read it"
        raise PictureNotFoundError("may not be read", remedy=remedy, source=name) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise PictureNotFoundError(f"cannot be read ({error})", remedy="check the path", source=name) from error


def _read_file(file: Any, name: str) -> bytes:
    if not isinstance(file, io.TextIOBase):
        try:
            data = file.read()
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            raise PictureNotFoundError(
                f"cannot be read ({error})", remedy="open the file for reading, and keep it open", source=name
            ) from error
        if isinstance(data, (bytes, bytearray, memoryview)):
            return bytes(data)
    raise InvalidValueError(
        "expected a file opened in binary mode, got text", remedy="open it with mode 'rb'", source=name
    )


def _checked_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if not shaped or array.dtype != np.uint8 or array.size == 0:
        raise UnsupportedPictureError(
            "expected an array (height, width, 3) of uint8, RGB, at least 1 x 1, "
            f"got shape {array.shape} of {array.dtype}",
            remedy="for values in 0..1 use (array * 255).astype('uint8'); colours go last",
            source="<array>",
        )
    return array


# --- formats -----------------------------------------------------------------------------------------

_READERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "ICO": ("PIL.IcoImagePlugin", "IcoImageFile"),
    "PPM": ("PIL.PpmImagePlugin", "PpmImageFile"),
    "QOI": ("PIL.QoiImagePlugin", "QoiImageFile"),
    "JPEG2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
}
_ANIMATED = {"GIF", "PNG", "WEBP", "AVIF"}

# The first bytes of a file, as patterns; the names outside _READERS are there for a better error.
_SIGNATURES = [
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("WEBP", rb"RIFF....WEBP"),
    ("GIF", rb"GIF8[79]a"),
    ("AVIF", rb"....ftyp(avi[fs]|m[is]f1.{4}(.{4})*?avi[fs])"),
    ("HEIF", rb"....ftyp(he[iv][cmsx]|m[is]f1)"),
    ("TIFF", rb"II[*+]\0|MM\0[*+]"),
    ("BMP", rb"BM"),
    ("ICO", rb"\0\0\x01\0"),
    ("PPM", rb"P[1-6f]\s"),
    ("QOI", rb"qoif"),
    ("JPEG2000", rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n"),
    ("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL "),
    ("Photoshop", rb"8BPS"),
    ("PDF", rb"%PDF"),
    ("PostScript", rb"%!PS|\xc5\xd0\xd3\xc6"),
    ("SVG", rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg"),
    ("video", rb"....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI "),
]
_SIGNATURE = re.compile(b"|".join(b"(?P<k%d>%s)" % (i, p) for i, (_, p) in enumerate(_SIGNATURES)), re.DOTALL)


def _kind_of(data: bytes, name: str) -> str:
    """The format that the first bytes announce, a key of _READERS."""
    match = _SIGNATURE.match(data[:256])
    if match is None:
        raise NotAPictureError(
            f"is not a picture in a format that is read; it begins with {data[:12]!r}",
            remedy="open it in a viewer, and save it as JPEG or PNG if it is a picture",
            source=name,
        )
    kind = next(_SIGNATURES[int(key[1:])][0] for key, text in match.groupdict().items() if text is not None)
    if kind not in _READERS:
        raise UnsupportedPictureError(
            f"is {kind}, which is not read", remedy="save it as JPEG or PNG first", source=name
        )
    return kind


def _reader_of(kind: str, name: str) -> Any:
    """The Pillow class that reads this format, imported when first needed."""
    module, reader = _READERS[kind]
    try:
        return getattr(importlib.import_module(module), reader)
    except ImportError:
        error = MissingExtraError.for_extra("heif", "reading HEIC")
        error.source = name
        raise error from None


# --- the one border to Pillow ------------------------------------------------------------------------


class _Hush(threading.local):
    """Matches every warning of a thread that is inside the border, and none of any other thread."""

    inside = False

    def match(self, _text: str) -> bool:
        return self.inside


_HUSH = _Hush()
_HUSH_FILTER = ("ignore", _HUSH, Warning, None, 0)


@contextmanager
def _pillow_border(name: str, kind: str) -> Iterator[None]:
    """Inside, Pillow may warn and raise as it likes; outside, there are only this package's errors.

    `warnings.catch_warnings` swaps the filters of the whole process and so cannot be used by threads.
    Instead one filter is put in front of the others and left there; it concerns only threads that are
    inside the border at that moment. It goes in again when somebody else's filter came before it.
    """
    filters = cast("list[object]", warnings.filters)
    if not filters or filters[0] is not _HUSH_FILTER:
        filters.insert(0, _HUSH_FILTER)
    _HUSH.inside = True
    try:
        yield
    except EyefirstError:
        raise
    except Exception as error:
        raise _translated(error, name, kind) from error
    finally:
        _HUSH.inside = False


_NOT_OURS = re.compile(
    "unsupported|not supported|unknown|not implemented|not installed|not available|cannot handle", re.I
)


def _translated(error: Exception, name: str, kind: str) -> PictureError:
    words = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, PIL.Image.DecompressionBombError):
        # The readers of TIFF, GIF, WebP and ICO look at Pillow's global limit too, which is not ours to change.
        return PictureTooLargeError(
            f"is too large for Pillow ({words})",
            remedy="make it smaller first, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it",
            source=name,
        )
    if isinstance(error, MemoryError):
        return PictureTooLargeError(f"is too large to decode ({words})", remedy="make it smaller first", source=name)
    if "MAX_TEXT" in words:  # PngImagePlugin.MAX_TEXT_CHUNK or MAX_TEXT_MEMORY
        return PictureTooLargeError(
            "carries a text or a colour profile that is too large to unpack", remedy="save it without", source=name
        )
    if isinstance(error, NotImplementedError) or _NOT_OURS.search(words):
        what = f"is {kind}" if kind else "is a Pillow picture"
        return UnsupportedPictureError(
            f"{what}, but of a kind that is not read ({words})", remedy="save it as JPEG or PNG first", source=name
        )
    if not kind:
        return UnsupportedPictureError(
            f"is a Pillow picture whose pixels cannot be had ({words})",
            remedy="call load() on it while its file is open",
            source=name,
        )
    return TruncatedPictureError(
        f"begins like {kind}, but is damaged or ends early ({words})",
        remedy="copy or download it again",
        source=name,
    )


# --- decoding ----------------------------------------------------------------------------------------


def _decode(
    picture: PIL.Image.Image,
    kind: str,
    name: str,
    *,
    orientation: int | None,
    at_least: Need | None,
    pixel_limit: int,
) -> tuple[PIL.Image.Image, Size]:
    """The upright picture in a plain mode, perhaps reduced, and the upright size of the whole."""
    size = _checked_size(*picture.size, name, pixel_limit)
    if kind == "JPEG":
        turns = [orientation or _orientation_of(picture)]
        if at_least:
            at_least = at_least if isinstance(at_least, Size) else at_least(_turned_size(size, turns[0]))
            needed = _turned_size(at_least, turns[0])
            picture.draft(None, (needed.width, needed.height))
        picture.load()
    elif kind == "TIFF":
        # Pillow turns a TIFF upright by itself while loading, so another orientation begins with undoing that.
        own = _valid_orientation(cast("Any", picture).tag_v2.get(_ORIENTATION_TAG))
        picture.load()
        turns = [_INVERSE.get(own, own), orientation] if orientation else []
    else:
        # A PNG may carry its orientation behind its pixels, an icon its true size inside.
        picture.load()
        size = _checked_size(*picture.size, name, pixel_limit)
        turns = [orientation or _orientation_of(picture)]

    for turn in turns:
        size = _turned_size(size, turn)
    if at_least and not isinstance(at_least, Size):
        at_least = at_least(size)
    if at_least:
        for turn in turns:  # as it is stored
            at_least = _turned_size(at_least, turn)
    plain = _reduced(_to_plain_mode(picture), at_least)
    for turn in turns:
        plain = _turned(plain, turn)
    return plain, size


def _checked_size(width: int, height: int, name: str, pixel_limit: int) -> Size:
    if width < 1 or height < 1:
        raise TruncatedPictureError(
            f"claims to have {width} x {height} pixels", remedy="copy or download it again", source=name
        )
    if width * height > pixel_limit:
        raise PictureTooLargeError(
            f"has {width} x {height} pixels, more than the limit of {pixel_limit}",
            remedy="make it smaller first, or raise pixel_limit if you trust it",
            source=name,
        )
    return Size(width, height)


def _frame_count(picture: PIL.Image.Image, kind: str) -> int:
    try:
        return int(getattr(picture, "n_frames", 1)) if kind in _ANIMATED else 1
    except Exception:  # a later frame is damaged: the first one, which counts, is not
        return 1


_ORIENTATION_TAG = 274
_FIRST_SIDEWAYS = 5  # orientations 5 to 8 exchange width and height
_INVERSE = {6: 8, 8: 6}
_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}


def _valid_orientation(value: object) -> int:
    return value if isinstance(value, int) and value in range(1, 9) else 1


def _orientation_of(picture: PIL.Image.Image) -> int:
    try:
        return _valid_orientation(picture.getexif().get(_ORIENTATION_TAG))
    except Exception:  # broken EXIF is common and does not spoil the pixels
        return 1


def _turned(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def _turned_size(size: Size, orientation: int) -> Size:
    return Size(size.height, size.width) if orientation >= _FIRST_SIDEWAYS else size


def _turned_image(image: Image, orientation: int) -> Image:
    if orientation == 1:
        return image
    pixels = np.asarray(_turned(PIL.Image.fromarray(image.pixels), orientation))
    return replace(image, pixels=_locked(pixels), size=_turned_size(image.size, orientation))


# --- modes and colours -------------------------------------------------------------------------------


def _to_plain_mode(picture: PIL.Image.Image) -> PIL.Image.Image:
    """One of the modes L, LA, RGB, RGBA, CMYK, with 8 bits for each."""
    mode = picture.mode
    if mode.startswith("I") or mode == "F":
        return _to_8_bits(picture)
    if mode in ("La", "RGBa"):
        return picture.convert("LA" if mode == "La" else "RGBA")
    if mode in ("P", "PA"):
        # convert() writes the transparency into the palette of the picture that it converts.
        picture = picture.copy()
    if picture.has_transparency_data:
        key = picture.info.get("transparency")
        if mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
            # A 16-bit PNG: Pillow keeps the high bytes of the pixels, but the whole transparent colour.
            picture = picture.copy()
            picture.info["transparency"] = tuple(value >> 8 for value in key)
        return picture.convert("LA" if mode in ("1", "L", "LA") else "RGBA")
    if mode == "1":
        return picture.convert("L")
    return picture if mode in ("L", "RGB", "CMYK") else picture.convert("RGB")


def _to_8_bits(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Grey with more than 8 bits: the high byte of 16; wider numbers by their range.

    Integers and floats of 32 bits do not say what white is. Up to 255 and up to 65535 they are taken to
    be 8 and 16 bits, floats up to 1 to be shares; anything else is stretched from its least to its most.
    """
    values = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        tags: Any = getattr(picture, "tag_v2", {})
        bits = tags.get(258, (16,))[0]  # TIFF keeps 12 bits in 16
        grey = (values >> max(bits - 8, 0)).astype(np.uint8)
    else:
        values = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
        low, high = float(values.min()), float(values.max())
        tops = (1, 255, 65535) if picture.mode == "F" else (255, 65535)
        top = next((float(top) for top in tops if low >= 0 and high <= top), 0.0)
        if not top:
            values -= low
            top = (high - low) or 1.0
        values *= 255 / top
        grey = (values + 0.5).astype(np.uint8)
    plain = PIL.Image.fromarray(grey)
    key = picture.info.get("transparency")
    if isinstance(key, int):
        alpha = PIL.Image.fromarray(np.where(np.asarray(picture) == key, 0, 255).astype(np.uint8))
        return PIL.Image.merge("LA", (plain, alpha))
    return plain


def _reduced(picture: PIL.Image.Image, at_least: Size | None) -> PIL.Image.Image:
    """Averages whole blocks while both sides stay at REDUCED_TO times what is needed, so that no detail is missed."""
    if at_least is None:
        return picture
    factor = int(min(picture.width / at_least.width, picture.height / at_least.height) / REDUCED_TO)
    return picture.reduce(factor) if factor > 1 else picture


def _to_srgb(picture: PIL.Image.Image, profile: object) -> PIL.Image.Image:
    """From a plain mode to sRGB: RGB, or RGBA where there is alpha."""
    alpha = None
    if picture.mode in ("LA", "RGBA"):
        alpha = picture.getchannel("A")
        picture = picture.getchannel("L") if picture.mode == "LA" else picture.convert("RGB")
    if isinstance(profile, bytes) and 0 < len(profile) <= PROFILE_LIMIT_BYTES:
        if picture.mode == "L" and profile[16:20] == b"RGB ":
            picture = picture.convert("RGB")
        transform = _transform(profile, picture.mode)
        if transform is not None:
            picture = transform.apply(picture)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    if alpha is None:
        return picture
    picture.putalpha(alpha)
    return picture


def _on_paper(picture: PIL.Image.Image, paper: _RGB) -> PIL.Image.Image:
    """RGB, alpha laid on a colour."""
    if picture.mode != "RGBA":
        return picture
    ground = PIL.Image.new("RGB", picture.size, paper)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From this profile to sRGB; None if it is broken, is for another mode, or changes nothing to see.

    Most pictures carry one of a few sRGB profiles. Whether it is one is asked by trying it on a sample
    of colours, once for each profile. The transforms are shared by threads, which LittleCMS allows.
    """
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), _srgb_profile(), mode, "RGB", ImageCms.Intent.PERCEPTUAL
        )
        if mode == "CMYK":
            return transform
        steps = np.linspace(0, 255, 16).astype(np.uint8)
        colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)
        sample = PIL.Image.fromarray(colours if mode == "RGB" else np.ascontiguousarray(colours[..., 0]))
        before, after = np.asarray(sample.convert("RGB"), np.int16), np.asarray(transform.apply(sample), np.int16)
    except Exception:  # a broken profile does not spoil the picture
        return None
    return transform if np.abs(after - before).max() > _INVISIBLE else None


_INVISIBLE = 2  # of 255: what rounding makes of one sRGB profile and another


@lru_cache(maxsize=1)
def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
