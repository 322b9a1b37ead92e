"""From a path, bytes, a file object, an array or a Pillow picture to one kind of picture: upright sRGB.

The files, in the order in which a picture passes through them; each imports only from those above it:

    picture.py        what comes out: `Image`; a copy without what is remembered of a source
    arrays.py         an array as a picture, or what makes it one
    source.py         what goes in: `Opened` holds the bytes or the pixels, the name and the hash
    formats.py        which formats are read, the limits, and the one border to Pillow
    exif.py           EXIF blocks, taken apart and written
    orientation.py    upright
    containers.py     the named parts of a file
    tiff.py           the page of a TIFF that is its picture; raw files; samples that Pillow misreads
    colour_spaces.py  what a file says of its colours by numbers
    colour.py         any mode and profile to sRGB with 8 bits a channel; alpha
    jpeg.py           a JPEG without its end marker
    jpeg_xl.py        JPEG XL: its header, and how its pixels are had
    codecs.py         faster decoders, where the extra is installed
    decoding.py       `decode`: one decode for analysis and cutting
    borders.py        the part of a picture inside its bars or frame
    animation.py      all frames, their times, how often they play
    thumbhash.py      a picture in 25 bytes
    metadata.py       who made the picture, when and where, and what of that goes along

Nothing is fetched from the network.
"""

from __future__ import annotations

import numpy as np
import PIL.Image

from eyefirst.colours import parse_colour
from eyefirst.image.animation import Animation, load_animation, loop_option
from eyefirst.image.borders import inside_borders
from eyefirst.image.colour import as_seen
from eyefirst.image.decoding import (
    Decoded,
    Need,
    check_arguments,
    decode,
    fingerprint,
    locked,
    matches,
    open_source,
    stored_orientation,
)
from eyefirst.image.formats import DEFAULT_PIXEL_LIMIT, checked_size, jpeg_size, kind_of, reduced
from eyefirst.image.metadata import KEEP, Keep, Metadata, read_metadata, save_options
from eyefirst.image.picture import Image, bare
from eyefirst.image.source import IN_MEMORY, Opened, Source, hash_of_pixels
from eyefirst.image.thumbhash import thumbhash

__all__ = [
    "DEFAULT_PIXEL_LIMIT",
    "IN_MEMORY",
    "KEEP",
    "Animation",
    "Decoded",
    "Image",
    "Keep",
    "Metadata",
    "Need",
    "Opened",
    "Source",
    "as_seen",
    "bare",
    "decode",
    "fingerprint",
    "inside_borders",
    "jpeg_size",
    "kind_of",
    "load_animation",
    "load_image",
    "load_picture",
    "loop_option",
    "matches",
    "open_source",
    "read_metadata",
    "reduced",
    "save_options",
    "stored_orientation",
    "thumbhash",
]


def load_image(
    source: Source,
    *,
    orientation: int | None = None,
    at_least: Need | None = None,
    pixel_limit: int = DEFAULT_PIXEL_LIMIT,
    background: str | None = None,
) -> Image:
    """Decode a picture for analysis: upright, in sRGB, without alpha, the first frame of an animation.

    `source` is a path, a file's bytes, a binary file object (read from where it stands), or a Pillow
    picture (its current frame). It may also be an array (height, width, 3) uint8 RGB (grey and RGBA are
    understood too), or an `Opened` source. An `Image` is returned as it is. Callers' objects are neither
    changed nor closed. `orientation`, 1 to 8 as in EXIF, is used instead of the file's own. `at_least`
    says how many pixels the caller needs on each side of the upright picture: files may then be decoded
    smaller, never below it. `background`, any CSS colour, is laid behind what is transparent; by default
    it is white, or black where the edges of the picture would be lost on white.

    Raises a PictureError when the picture cannot be used, InvalidValueError for the other arguments,
    and MissingExtraError for HEIC without the extra `heif` and JPEG XL without the extra `codecs`.
    """
    paper = None if background is None else parse_colour(background)
    if isinstance(source, Image) and orientation in (None, 1):
        return source
    opened = open_source(source)
    if isinstance(opened.held, np.ndarray) and opened.held.shape[2:] == (3,) and orientation in (None, 1):
        # Nothing to decode: one copy, so that the caller may go on writing into the array.
        check_arguments(orientation, pixel_limit)
        pixels = opened.held.copy(order="C")
        size = checked_size(pixels.shape[1], pixels.shape[0], opened.name, pixel_limit)
        return Image(locked(pixels), size, opened.name, opened.sha256_by(lambda _: hash_of_pixels(pixels)), "", 1)
    return decode(opened, orientation=orientation, at_least=at_least, pixel_limit=pixel_limit).image(paper)


def load_picture(
    source: Source, *, orientation: int | None = None, pixel_limit: int = DEFAULT_PIXEL_LIMIT
) -> PIL.Image.Image:
    """Decode a picture for cutting and saving: a new Pillow picture, upright, sRGB, at full resolution.

    Its mode is RGBA where the source has transparency, otherwise RGB. It carries no metadata. Sources,
    arguments and errors are those of `load_image`.
    """
    return bare(decode(source, orientation=orientation, pixel_limit=pixel_limit).picture)
