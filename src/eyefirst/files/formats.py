"""The formats that pictures are written in, known by their file extension or refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eyefirst.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """A format that can be written.

    name: Pillow's, such as "JPEG". media_type: for HTTP. has_alpha, has_frames: whether it can hold
    transparency and an animation. is_lossy: whether it takes a quality from 1 to 100. has_metadata: whether it can
    hold copyright and the like.
    """

    name: str
    extension: str
    media_type: str
    has_alpha: bool = True
    has_frames: bool = False
    is_lossy: bool = False
    has_metadata: bool = True


JPEG = PictureFormat("JPEG", "jpg", "image/jpeg", has_alpha=False, is_lossy=True)
PNG = PictureFormat("PNG", "png", "image/png", has_frames=True)
WEBP = PictureFormat("WEBP", "webp", "image/webp", has_frames=True, is_lossy=True)
AVIF = PictureFormat("AVIF", "avif", "image/avif", has_frames=True, is_lossy=True)
GIF = PictureFormat("GIF", "gif", "image/gif", has_frames=True, has_metadata=False)
TIFF = PictureFormat("TIFF", "tif", "image/tiff")
BMP = PictureFormat("BMP", "bmp", "image/bmp", has_alpha=False, has_metadata=False)
FORMATS = (JPEG, PNG, WEBP, AVIF, GIF, TIFF, BMP)
SPELLINGS = {f.extension: f for f in FORMATS} | {"jpeg": JPEG, "jpe": JPEG, "tiff": TIFF}
"""Every extension that names a format, in lower case and without its dot."""
KNOWN = ", ".join(f.extension for f in FORMATS)
MEDIA_TYPES = tuple(f.media_type for f in FORMATS)
QUALITY = 88
"""The default quality of lossy formats, 1 to 100."""
THUMBNAIL_QUALITY = 85
"""That of thumbnails: there are many, and small ones show less."""
ENHANCED_QUALITY = 92
"""That of enhanced pictures, which take the place of their sources."""


def format_named(extension: str) -> PictureFormat:
    """Return the format of an extension such as "webp" or ".JPG". Raises InvalidValueError."""
    found = SPELLINGS.get(extension.lower().removeprefix("."))
    if found is None:
        raise InvalidValueError(f"cannot write the format {extension!r}", remedy=f"use one of {KNOWN}")
    return found


def format_of(path: Path) -> PictureFormat:
    """Return the format that a file's extension names. Raises InvalidValueError."""
    found = SPELLINGS.get(path.suffix.lower().removeprefix("."))
    if found is None:
        ending = f"ending in {path.suffix!r}" if path.suffix else "without an extension"
        raise InvalidValueError(f"cannot write a picture {ending}", remedy=f"use one of {KNOWN}", source=str(path))
    return found


def check_quality(format: PictureFormat | None, quality: int | None, option: str = "--quality") -> None:
    """Raise InvalidValueError where a quality was asked for, and the named format takes none.

    option: what the user knows it by.
    """
    if format and not format.is_lossy and quality is not None:
        raise InvalidValueError(
            f"{format.name} takes no quality, so {option} would have no effect",
            remedy="leave it out, or name the format jpg, webp or avif",
        )


def check_metadata(format: PictureFormat | None, keep: str) -> None:
    """Raise InvalidValueError where all metadata is to be kept, and the named format holds none."""
    if keep == "keep" and format and not format.has_metadata:
        raise InvalidValueError(
            f"{format.name} holds no metadata, so --metadata keep would have no effect",
            remedy="leave it out, or name another format",
        )


def metadata_lost(format: PictureFormat) -> str:
    """Return what is said where a picture with metadata is written in a format that holds none."""
    return f"{format.name} holds no metadata, so copyright, artist, credit and date are left out"


def first_frame_only(format: PictureFormat, count: int) -> str:
    """Return what is said where an animation of so many frames is written in a format that holds none."""
    return f"{format.name} holds no animation, so the first of {count} frames is kept"


def plays_for_ever(format: PictureFormat, plays: int) -> str:
    """Return what is said where an animation that ends after so many plays is written as AVIF; "" elsewhere."""
    if format is not AVIF or not plays:
        return ""
    return f"the AVIF plays for ever, the animation {'once' if plays == 1 else f'{plays} times'}"


def format_for(*, source: str, has_alpha: bool, is_animated: bool, keep: bool = False) -> PictureFormat:
    """Return the format of a result for which nobody named one.

    source: the name of the format that was read. keep: prefer that format where it holds the result. An animation
    becomes WebP, a still with transparency keeps its format where that holds transparency or else becomes PNG, and
    any other still becomes JPEG.
    """
    own = next((f for f in FORMATS if f.name == source), None)
    if keep and own and (own.has_alpha or not has_alpha) and (own.has_frames or not is_animated):
        return own
    if is_animated:
        return WEBP
    if has_alpha:
        return own if own and own.has_alpha and own is not GIF else PNG
    return JPEG
