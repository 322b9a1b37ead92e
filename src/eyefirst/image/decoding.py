"""Decoding: from a source to an upright sRGB picture, perhaps reduced, in one decode."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile

from eyefirst.errors import EyefirstError, InvalidValueError, TruncatedPictureError, UnsupportedPictureError
from eyefirst.geometry import Size
from eyefirst.image import jpeg_xl
from eyefirst.image.codecs import decoded_faster
from eyefirst.image.colour import ground_for, on_paper, to_plain_mode, to_srgb
from eyefirst.image.colour_spaces import stated_space
from eyefirst.image.containers import png_says_more_behind
from eyefirst.image.exif import ORIENTATION
from eyefirst.image.formats import (
    DEFAULT_PIXEL_LIMIT,
    checked_size,
    frame_count,
    kind_of,
    memory_border,
    pillow_border,
    reader_of,
    reduced,
)
from eyefirst.image.jpeg import with_end_marker
from eyefirst.image.orientation import INVERSE, orientation_of, turned, turned_size, valid_orientation
from eyefirst.image.picture import Image
from eyefirst.image.source import Opened, Source, hash_of_pixels, opened_from
from eyefirst.image.tiff import Chosen, Page, choose, first_orientation, read_wide, wide_page

Need: TypeAlias = Size | Callable[[Size], Size]
"""How many pixels a caller needs of the upright picture; or a function that tells it from the full size."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A picture fit for both analysis and cutting, from one decode.

    `picture` is upright, sRGB, RGB or RGBA, perhaps smaller than `size`, the upright size at full
    resolution. `opened` is the source. The other fields are those of `Image`. `is_as_stored` is false
    where the caller gave another orientation than the source's own.
    """

    picture: PIL.Image.Image
    size: Size
    opened: Opened
    format: str
    frame_count: int
    warnings: tuple[str, ...] = ()
    is_as_stored: bool = True

    @property
    def name(self) -> str:
        """Return what errors and plans call the source."""
        return self.opened.name

    @property
    def sha256(self) -> str:
        """Return the hash of the source, found when first asked for."""
        if self.opened.is_in_memory and self.is_as_stored:
            return self.opened.sha256_by(lambda _: hash_of_pixels(np.asarray(self.picture)))
        return self.opened.sha256

    @property
    def is_reduced(self) -> bool:
        """Say whether `picture` has fewer pixels than the source."""
        return self.picture.size != (self.size.width, self.size.height)

    def image(self, paper: tuple[int, int, int] | None = None, *, at_least: Size | None = None) -> Image:
        """Return the picture for analysis: alpha laid on a colour, by default on one that it stands out from.

        at_least: pixels of the upright picture that are enough; it is averaged down as far as they allow.
        """
        picture = reduced(self.picture, at_least)
        if paper is None:
            paper = ground_for(picture)
        pixels = locked(np.asarray(on_paper(picture, paper)))
        return Image(pixels, self.size, self.name, self.sha256, self.format, self.frame_count, self.warnings)


def open_source(source: Source) -> Opened:
    """Open a source, to be decoded as often as needed and read once. Raises InvalidValueError."""
    return opened_from(source, _hash_of_held)


def fingerprint(source: Source) -> str:
    """Return the `sha256` that `load_image` would give, without decoding a file."""
    return open_source(source).sha256


def matches(source: Source, sha256: str, *, decoded: Decoded | None = None) -> bool:
    """Say whether the source is the picture of this hash, in whichever form either of them came.

    A hash is of a file or of pixels. Where it is not the source's own, a file and an `Image` are compared by pixels.
    A Pillow picture is compared by the file that it was opened from, if its pixels are still the file's. decoded: the
    source at full size, where it is at hand, which saves a decode. Raises PictureError.
    """
    opened = open_source(source)
    if opened.sha256 == sha256:
        return True
    if not opened.is_in_memory:
        whole = decoded if decoded and decoded.is_as_stored and not decoded.is_reduced else decode(opened)
        return hash_of_pixels(np.asarray(whole.picture)) == sha256
    if isinstance(opened.held, Image):
        return hash_of_pixels(opened.held.pixels) == sha256
    file = _file_behind(opened)
    if file is None or file.sha256 != sha256:
        return False
    return hash_of_pixels(np.asarray(decode(file).picture)) == opened.sha256


def _file_behind(opened: Opened) -> Opened | None:
    """Open the file that a Pillow picture came from: by its path, or what it was read from, if that is still open."""
    path = getattr(opened.held, "filename", None)
    if isinstance(path, (str, os.PathLike)) and path and os.path.isfile(path):
        return open_source(path)
    data = _whole(opened.file)
    return open_source(data) if data else None


def _whole(file: Any) -> bytes:
    """Read a file from its beginning, and leave it where it stood; b"" where that cannot be done."""
    try:
        place = file.tell()
        try:
            file.seek(0)
            return bytes(file.read())
        finally:
            file.seek(place)
    except (OSError, ValueError, AttributeError):
        return b""


def decode(
    source: Source,
    *,
    orientation: int | None = None,
    at_least: Need | None = None,
    pixel_limit: int = DEFAULT_PIXEL_LIMIT,
) -> Decoded:
    """Decode once for analysis and cutting. Sources, arguments and errors are those of `load_image`."""
    check_arguments(orientation, pixel_limit)
    opened = open_source(source)
    if isinstance(opened.held, Image):
        image = turned_image(opened.held, orientation or 1)
        picture = PIL.Image.fromarray(image.pixels)
        return Decoded(picture, image.size, opened, image.format, image.frame_count, image.warnings)
    if opened.held is not None:
        return _decode_held(opened, orientation, pixel_limit)
    stated = kind_of(opened.data, opened.name)
    chosen = _chosen(opened, stated)
    data, kind, warnings = chosen.data, chosen.kind, chosen.warnings
    if kind == "TIFF" and (page := wide_page(data, opened.name)) is not None:
        plain, size = _decode_wide(data, page, opened.name, orientation or chosen.orientation, at_least, pixel_limit)
        return Decoded(plain, size, opened, kind, 1, warnings, orientation is None)
    while True:
        picture, count = open_picture(data, kind, opened.name)
        turn = orientation
        if not turn and chosen.orientation and _own_orientation(picture, kind) == 1:
            turn = chosen.orientation
        try:
            plain, size = decode_frame(
                picture, kind, opened.name, data, orientation=turn, at_least=at_least, pixel_limit=pixel_limit
            )
        except TruncatedPictureError:
            if kind != "JPEG" or data is not chosen.data or not (data := with_end_marker(chosen.data)):
                raise
            warnings += (_no_end(opened.name),)
        else:
            return Decoded(plain, size, opened, stated, count, warnings, orientation is None)


def _no_end(name: str) -> str:
    return f"{name}: ends without the end marker of a JPEG; its pixels are all there"


def _chosen(opened: Opened, kind: str) -> Chosen:
    """Return what to decode of a file: of a TIFF one of its pages, of some JPEG XL the JPEG in it."""
    if kind == jpeg_xl.KIND:
        return jpeg_xl.choose(opened.data, opened.name)
    return choose(opened.data, opened.name) if kind == "TIFF" else Chosen(opened.data, kind)


def open_picture(data: bytes, kind: str, name: str) -> tuple[PIL.Image.Image, int]:
    """Open a Pillow picture at the first frame that players show, without loading it; count the frames.

    The default image of an APNG that is not one of its frames is passed over.
    """
    reader = reader_of(kind, name)
    with pillow_border(name, kind):
        picture: PIL.Image.Image = reader(io.BytesIO(data), "")
        count = frame_count(picture, kind)
        if kind != "PNG" or count < 2 or not getattr(picture, "default_image", False):
            return picture, count
    try:
        with pillow_border(name, kind):
            picture.seek(1)
    except TruncatedPictureError:  # its frames are damaged: then the default image is what is left
        with pillow_border(name, kind):
            return reader(io.BytesIO(data), ""), 1
    return picture, count - 1


def decode_frame(
    picture: PIL.Image.Image,
    kind: str,
    name: str,
    data: bytes,
    *,
    orientation: int | None,
    at_least: Need | None,
    pixel_limit: int,
) -> tuple[PIL.Image.Image, Size]:
    """Decode the current frame: upright, RGB or RGBA, sRGB, perhaps reduced; and the upright size of the whole.

    kind: the format, "" for a picture that came in memory. data: the bytes that the picture was opened from.
    """
    size = checked_size(*picture.size, name, pixel_limit)
    needed = None
    if kind == "JPEG":
        turns = [orientation or _own_orientation(picture, kind)]
        if at_least:
            needed = _stored(_asked(at_least, turned_size(size, turns[0])), turns)
        _decode_pixels(picture, kind, name, needed)
    elif kind == "TIFF":
        # Pillow turns a TIFF upright by itself while loading, so another orientation begins with undoing that.
        own = _own_orientation(picture, kind)
        _decode_pixels(picture, kind, name)
        turns = [INVERSE.get(own, own), orientation] if orientation else []
    else:
        # A PNG may carry its orientation behind its pixels, an icon its true size inside.
        picture = _decode_pixels(picture, kind, name, data=data)
        size = checked_size(*picture.size, name, pixel_limit)
        turns = [orientation or _own_orientation(picture, kind)]
    for turn in turns:
        size = turned_size(size, turn)
    if at_least and not needed:
        needed = _stored(_asked(at_least, size), turns)
    with pillow_border(name, kind):
        plain = to_plain_mode(picture)
    with memory_border(name):
        plain = reduced(plain, needed)
        for turn in turns:
            plain = turned(plain, turn)
        return to_srgb(plain, stated_space(kind or (picture.format or ""), data, picture.info)), size


def _bytes_behind(picture: PIL.Image.Image) -> bytes:
    """Read the file of a Pillow picture, where it says more than Pillow reads, and is still there."""
    if picture.format not in ("PNG", "AVIF", "HEIF", "TIFF") or not isinstance(picture, ImageFile):
        return b""
    if picture.format == "TIFF" and (not picture.tile or picture.tell()):  # loaded, and perhaps changed since
        return b""
    path = getattr(picture, "filename", "")
    try:
        if isinstance(path, (str, os.PathLike)) and path:
            return open_source(path).data
        return _whole(getattr(picture, "_fp", None) or picture.fp)
    except EyefirstError:
        return b""


def _own_orientation(picture: PIL.Image.Image, kind: str) -> int:
    """Read the orientation of a file; a TIFF must not be loaded yet."""
    if kind == "TIFF":
        return valid_orientation(cast("Any", picture).tag_v2.get(ORIENTATION))
    with pillow_border("", kind):
        return orientation_of(picture)


def _decode_wide(
    data: bytes, page: Page, name: str, orientation: int | None, at_least: Need | None, pixel_limit: int
) -> tuple[PIL.Image.Image, Size]:
    """Do as `decode_frame`, for a page of a TIFF that Pillow does not read right."""
    checked_size(page.width, page.height, name, pixel_limit)
    with memory_border(name):
        picture = read_wide(data, page, name)
    own = valid_orientation(page.first(ORIENTATION, 1))
    return decode_frame(
        picture, "", name, b"", orientation=orientation or own, at_least=at_least, pixel_limit=pixel_limit
    )


def _asked(at_least: Need, size: Size) -> Size:
    return Size.parse(at_least(size) if callable(at_least) else at_least)


def _stored(size: Size, turns: list[int]) -> Size:
    """Turn a size of the upright picture to how its pixels are stored."""
    for turn in turns:
        size = turned_size(size, turn)
    return size


def _decode_pixels(
    picture: PIL.Image.Image, kind: str, name: str, needed: Size | None = None, *, data: bytes = b""
) -> PIL.Image.Image:
    """Decode a frame: the one place that does, so that a test can count. needed: of a JPEG, as it is stored.

    Returns the picture itself, or one of the same pixels and metadata that a faster decoder made from its file.
    """
    with pillow_border(name, kind):
        if needed:
            picture.draft(None, (needed.width, needed.height))
        elif found := decoded_faster(picture, kind, data):
            return found
        picture.load()
        return picture


def stored_orientation(source: Source) -> int:
    """Return the EXIF orientation of a file, 1 to 8: what turns its pixels upright; 1 for none.

    Raises PictureError.
    """
    opened = open_source(source)
    if isinstance(opened.held, PIL.Image.Image):
        return _own_orientation(opened.held, "")
    if opened.held is not None:
        return 1
    kind = kind_of(opened.data, opened.name)
    chosen = _chosen(opened, kind)
    if chosen.kind == "TIFF":
        return valid_orientation(chosen.orientation or first_orientation(chosen.data))
    with pillow_border(opened.name, kind):
        picture = reader_of(chosen.kind, opened.name)(io.BytesIO(chosen.data), "")
        if kind == "PNG" and png_says_more_behind(opened.data):
            picture.load()
    own = _own_orientation(picture, chosen.kind)
    return chosen.orientation if own == 1 and chosen.orientation else own


def check_arguments(orientation: int | None, pixel_limit: int) -> None:
    """Raise InvalidValueError for an orientation or a limit out of range."""
    if orientation is not None and orientation not in range(1, 9):
        raise InvalidValueError(
            f"expected an EXIF orientation from 1 to 8, got {orientation!r}",
            remedy="1 is upright, 6 is what phones write when held upright",
        )
    if pixel_limit < 1:
        raise InvalidValueError(f"expected a pixel limit of at least 1, got {pixel_limit!r}", remedy="leave it out")


def turned_image(image: Image, orientation: int) -> Image:
    """Turn an image as this EXIF orientation asks."""
    if orientation == 1:
        return image
    pixels = np.asarray(turned(PIL.Image.fromarray(image.pixels), orientation))
    return replace(image, pixels=locked(pixels), size=turned_size(image.size, orientation))


def locked(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make the array read-only, and return it."""
    pixels.setflags(write=False)
    return pixels


def _hash_of_held(opened: Opened) -> str:
    return hash_of_pixels(np.asarray(_decode_held(opened, None, 1 << 62).picture))


def _decode_held(opened: Opened, orientation: int | None, pixel_limit: int) -> Decoded:
    """Decode a Pillow picture or an array; never reduced, because its hash is of all pixels."""
    held = opened.held
    assert held is not None
    assert not isinstance(held, Image)
    picture = held if isinstance(held, PIL.Image.Image) else PIL.Image.fromarray(np.ascontiguousarray(held))
    checked_size(*picture.size, opened.name, pixel_limit)
    warnings: tuple[str, ...] = ()
    data = _bytes_behind(picture)
    if picture.format == "PNG" and data and getattr(picture, "default_image", False) and not picture.tell():
        picture, _ = open_picture(data, "PNG", opened.name)  # as a file: its default image is not a frame
    if picture.format == "TIFF" and data and (page := wide_page(data, opened.name)) is not None:
        own = valid_orientation(page.first(ORIENTATION, 1))
        plain, size = _decode_wide(data, page, opened.name, orientation, None, pixel_limit)
    else:
        try:
            with pillow_border(opened.name, ""):
                picture.load()
        except UnsupportedPictureError:
            file = _file_behind(opened) if picture.format == "JPEG" else None
            ended = with_end_marker(file.data) if file else b""
            if not ended:
                raise
            picture, _ = open_picture(ended, "JPEG", opened.name)
            warnings = (_no_end(opened.name),)
        own = _own_orientation(picture, "")
        plain, size = decode_frame(
            picture, "", opened.name, data, orientation=orientation, at_least=None, pixel_limit=pixel_limit
        )
    return Decoded(plain, size, opened, picture.format or "", 1, warnings, is_as_stored=orientation in (None, own))
