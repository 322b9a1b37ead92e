"""Formats: what is read, how much of it, and the one border to Pillow, which decodes.

Formats are told apart by their first bytes and never by their names: JPEG (and MPO, as the JPEG that it
begins with), PNG, WebP, GIF, AVIF, TIFF, BMP, ICO, PPM/PGM/PBM, QOI, JPEG 2000, and HEIC with the extra
`heif`. Formats without a signature (TGA) and those whose reader starts other programs or draws (EPS, PDF,
WMF, SVG) are never tried.

Each reader is called directly instead of through `PIL.Image.open`, so that the pixel limit is this
call's own and not Pillow's global `MAX_IMAGE_PIXELS`, and so that a reader's own words about a damaged
header are not lost.
"""

from __future__ import annotations

import importlib
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import PIL.Image

from eyefirst.errors import (
    EyefirstError,
    MissingExtraError,
    NotAPictureError,
    PictureError,
    PictureTooLargeError,
    TruncatedPictureError,
    UnsupportedPictureError,
)
from eyefirst.geometry import Size

REDUCED_TO = 1.5
"""How much larger than needed a picture is that is not a JPEG, before a filter brings it to its size."""

DEFAULT_PIXEL_LIMIT = 250_000_000
"""Width times height that is still decoded: 750 MB as RGB."""

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


def kind_of(data: bytes, name: str) -> str:
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


def reader_of(kind: str, name: str) -> Any:
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
def pillow_border(name: str, kind: str) -> Iterator[None]:
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


# --- limits ------------------------------------------------------------------------------------------


def checked_size(width: int, height: int, name: str, pixel_limit: int) -> Size:
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


def frame_count(picture: PIL.Image.Image, kind: str) -> int:
    try:
        return int(getattr(picture, "n_frames", 1)) if kind in _ANIMATED else 1
    except Exception:  # a later frame is damaged: the first one, which counts, is not
        return 1


def reduced(picture: PIL.Image.Image, at_least: Size | None) -> PIL.Image.Image:
    """Averages whole blocks while both sides stay at REDUCED_TO times what is needed, so that no detail is missed."""
    if at_least is None:
        return picture
    factor = int(min(picture.width / at_least.width, picture.height / at_least.height) / REDUCED_TO)
    return picture.reduce(factor) if factor > 1 else picture


def jpeg_size(full: Size, need: Size) -> Size:
    """Return the size to which `decode` reduces a JPEG of a full size when so many pixels are needed."""
    scale = min(full.width // need.width, full.height // need.height)
    drafted = next(f for f in (8, 4, 2, 1) if scale >= f or f == 1)
    width, height = -(-full.width // drafted), -(-full.height // drafted)
    factor = max(int(min(width / need.width, height / need.height) / REDUCED_TO), 1)
    return Size(-(-width // factor), -(-height // factor))
