"""Formats: what is read, how much of it, and the one border to Pillow, which decodes.

Formats are told apart by their first bytes and never by their names: JPEG (and MPO, as the JPEG that it
begins with), PNG, WebP, GIF, AVIF, TIFF, BMP, ICO, PPM/PGM/PBM, QOI, JPEG 2000. HEIC needs the extra
`heif`, JPEG XL the extra `codecs`. Formats without a signature (TGA) and those whose reader
starts other programs or draws (EPS, PDF, WMF, SVG) are never tried.

Each reader is called directly instead of through `PIL.Image.open`. So the pixel limit is this call's own
and not Pillow's global `MAX_IMAGE_PIXELS`, and a reader's own words about a damaged header are not lost.
"""

from __future__ import annotations

import importlib
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import PIL.Image
import PIL.TiffImagePlugin

from eyefirst.errors import (
    EyefirstError,
    MissingExtraError,
    NotAPictureError,
    NotEnoughMemoryError,
    PictureError,
    PictureTooLargeError,
    TruncatedPictureError,
    UnsupportedPictureError,
)
from eyefirst.geometry import Size

REDUCED_TO = 1.5
"""Averaging whole blocks keeps at least so many times the pixels that are needed on each side."""

DEFAULT_PIXEL_LIMIT = 250_000_000
"""Width times height that is still decoded: 750 MB as RGB."""

RAW_REMEDY = "develop it to JPEG or TIFF first, or extract its preview"

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
    "JPEG XL": ("eyefirst.image.jpeg_xl", "JpegXlImageFile"),
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
    ("a raw file of a Canon camera", rb"....ftypcrx |II\x1a\0\0\0HEAPCCDR"),
    ("a raw file of an Olympus camera", rb"II(RO|RS)|MMOR"),
    ("a raw file of a Panasonic camera", rb"IIU\0"),
    ("a raw file of a Fujifilm camera", rb"FUJIFILMCCD-RAW"),
    ("a raw file of a Minolta camera", rb"\0MRM"),
    ("a raw file of a Sigma camera", rb"FOVb"),
    ("video", rb"....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI "),
]
_SIGNATURE = re.compile(b"|".join(b"(?P<k%d>%s)" % (i, p) for i, (_, p) in enumerate(_SIGNATURES)), re.DOTALL)


def kind_of(data: bytes, name: str) -> str:
    """Return the format that the first bytes announce, a key of _READERS."""
    match = _SIGNATURE.match(data[:256])
    if match is None:
        raise NotAPictureError(
            f"is not a picture in a format that is read; it begins with {data[:12]!r}",
            remedy="open it in a viewer, and save it as JPEG or PNG if it is a picture",
            source=name,
        )
    kind = next(_SIGNATURES[int(key[1:])][0] for key, text in match.groupdict().items() if text is not None)
    if kind not in _READERS:
        remedy = RAW_REMEDY if kind.startswith("a raw") else "save it as JPEG or PNG first"
        raise UnsupportedPictureError(f"is {kind}, which is not read", remedy=remedy, source=name)
    return kind


def reader_of(kind: str, name: str) -> Any:
    """Return the Pillow class that reads this format, imported when first needed."""
    where, reader = _READERS[kind]
    try:
        module = importlib.import_module(where)
        _quieten(module)
        return getattr(module, reader)
    except ImportError:
        error = MissingExtraError.for_extra("heif", "reading HEIC")
        error.source = name
        raise error from None


# --- the one border to Pillow ------------------------------------------------------------------------


class _Inside(threading.local):
    """Whether this thread is inside the border."""

    depth = 0


_INSIDE = _Inside()


class _QuietWarnings:
    """Stands in for the module `warnings` inside Pillow's modules; drops what is said inside the border.

    `warnings.catch_warnings` and new filters change the whole process, so threads cannot use them, and
    with a filter "error" a warning about a comment in EXIF would end the decode.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    @staticmethod
    def warn(
        message: Any, category: type[Warning] | None = None, stacklevel: int = 1, source: Any = None, **options: Any
    ) -> None:
        if not _INSIDE.depth:
            warnings.warn(message, category, stacklevel + 1, source, **options)


_QUIET = _QuietWarnings()


def _quieten(module: Any) -> None:
    if getattr(module, "warnings", None) is warnings:
        module.warnings = _QUIET


_quieten(PIL.Image)
_quieten(PIL.TiffImagePlugin)  # it reads EXIF for all formats


@contextmanager
def pillow_border(name: str, kind: str) -> Iterator[None]:
    """Let Pillow warn and raise as it likes inside; outside, there are only this package's errors.

    Only Pillow's own calls belong inside: no caller's function and no work of ours, whose faults would
    be taken for the file's.
    """
    _INSIDE.depth += 1
    try:
        yield
    except (EyefirstError, Warning):
        raise
    except Exception as error:
        raise _translated(error, name, kind) from error
    finally:
        _INSIDE.depth -= 1


@contextmanager
def memory_border(name: str) -> Iterator[None]:
    """Translate the end of memory while pixels are converted: it is the fault of the process, not of the file."""
    try:
        yield
    except EyefirstError:
        raise
    except MemoryError as error:
        raise _no_memory(name) from error


def _no_memory(name: str) -> NotEnoughMemoryError:
    return NotEnoughMemoryError(
        "cannot be decoded, because the process has no memory left",
        remedy="work on fewer pictures at once, or make this one smaller first",
        source=name,
    )


_NOT_OURS = re.compile(
    "unsupported|not supported|unknown|not implemented|not installed|not available|cannot handle", re.I
)


_MEMORY = re.compile("out of memory|memory allocation|cannot allocate", re.I)


def _translated(error: Exception, name: str, kind: str) -> PictureError:
    words = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, PIL.Image.DecompressionBombError):
        # The readers of TIFF, GIF, WebP and ICO look at Pillow's global limit too, which is not ours to change.
        return PictureTooLargeError(
            f"is too large for Pillow ({words})",
            remedy="make it smaller first, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it",
            source=name,
        )
    if isinstance(error, MemoryError) or _MEMORY.search(words):
        return _no_memory(name)
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
    what = "ends early: a part of its pixels is missing" if "truncated" in words else "is damaged or ends early"
    return TruncatedPictureError(
        f"begins like {kind}, but {what} ({words})", remedy="copy or download it again", source=name
    )


# --- limits ------------------------------------------------------------------------------------------


def checked_size(width: int, height: int, name: str, pixel_limit: int, frames: int = 1) -> Size:
    """Return the size, if so many frames of it are within the limit. Raises PictureError."""
    if width < 1 or height < 1:
        raise TruncatedPictureError(
            f"claims to have {width} x {height} pixels", remedy="copy or download it again", source=name
        )
    if width * height * frames > pixel_limit:
        what = f"{width} x {height} pixels"
        if frames > 1:
            what = f"{frames} frames of {what}, {width * height * frames} together"
        raise PictureTooLargeError(
            f"has {what}, more than the limit of {pixel_limit}",
            remedy="make it smaller first, or in Python raise pixel_limit if you trust it",
            source=name,
        )
    return Size(width, height)


def frame_count(picture: PIL.Image.Image, kind: str) -> int:
    """Count the frames of an animation; 1 for a still picture. Called inside `pillow_border`."""
    try:
        return int(getattr(picture, "n_frames", 1)) if kind in _ANIMATED else 1
    except MemoryError:
        raise
    except Exception:  # a later frame is damaged: the first one, which counts, is not
        return 1


def reduced(picture: PIL.Image.Image, at_least: Size | None) -> PIL.Image.Image:
    """Average whole blocks while both sides stay at REDUCED_TO times what is needed, so that no detail is missed."""
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
