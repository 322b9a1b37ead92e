"""Encoding: from a picture or an animation to the bytes of a file."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image as PillowImage

from eyefirst.colours import parse_colour
from eyefirst.errors import InvalidValueError, OutputError
from eyefirst.files.formats import AVIF, GIF, JPEG, QUALITY, WEBP, PictureFormat
from eyefirst.geometry import Size
from eyefirst.image import Animation, Keep, Metadata, bare, loop_option, save_options
from eyefirst.numeric import is_within

OPTIMISED_TO = 250_000
"""Pixels to which a JPEG has Huffman tables of its own: 2 to 5 % of its bytes. A larger one gains 1 % in twice the
time, and 3 % if it were progressive, in five times the time."""


def encode(
    picture: PillowImage.Image | Animation,
    format: PictureFormat,
    *,
    quality: int = QUALITY,
    background: str = "white",
    metadata: Metadata | None = None,
    keep: Keep = "copyright",
    speed: int | None = None,
) -> bytes:
    """Return the file of an sRGB picture, RGB or RGBA, or of an animation.

    quality: of lossy formats. background: the CSS colour that transparency is laid on where the format has none.
    metadata: what goes along of the source's, as far as `keep` says: "copyright" (copyright, artist, credit and
    date), "keep" (all, with the place) or "none". speed: of the AVIF encoder, 0 to 10, where 10 is the fastest. A
    format without animation gets the first frame. Raises OutputError where the format cannot hold the picture, and
    InvalidValueError for what is no picture, a quality out of range, or an unknown colour or `keep`.
    """
    if not isinstance(picture, (PillowImage.Image, Animation)):
        raise InvalidValueError(
            f"expected a Pillow picture or an animation to write, got {type(picture).__name__}",
            remedy="for an array use PIL.Image.fromarray(...), for a file PIL.Image.open(...)",
        )
    if not is_within(quality, 1, 100):
        raise InvalidValueError(f"expected a quality in 1..100, got {quality!r}", remedy=f"{QUALITY} is usual")
    parse_colour(background)
    animation = picture if isinstance(picture, Animation) else Animation((picture,), (0,), 0)
    kept = animation.frames if format.has_frames else animation.frames[:1]
    frames = tuple(bare(frame) if frame.info else frame for frame in kept)
    if not format.has_alpha:
        frames = tuple(on_colour(frame, background) for frame in frames)
    elif format is GIF:
        frames = tuple(map(_hard_edged, frames))
    size = Size(*frames[0].size)
    options: dict[str, Any] = save_options(metadata or Metadata(), format.name, keep, size)
    if format.is_lossy:
        options["quality"] = round(float(quality))  # Pillow takes no other number
    if format is AVIF and speed is not None:
        options["speed"] = speed
    if format is JPEG:
        options["optimize"] = frames[0].width * frames[0].height <= OPTIMISED_TO
    if len(frames) > 1:
        durations = list(animation.durations_ms)
        options |= {"save_all": True, "append_images": frames[1:], "duration": durations}
        options |= loop_option(format.name, animation.plays)
        if format is GIF:
            options["disposal"] = 2  # every frame is whole: nothing of the one before may shine through
    out = io.BytesIO()  # in memory first: Pillow does not notice a full disk when it writes a JPEG itself
    try:
        frames[0].save(out, format.name, **options)
    except (OSError, ValueError, RuntimeError) as error:  # AVIF's encoder raises the last for a side that is too long
        mode = frames[0].mode
        remedy = "choose another size or format" if mode in ("RGB", "RGBA") else f"convert it from {mode} to RGB first"
        raise OutputError(f"{format.name} cannot hold the picture: {error}", remedy=remedy) from error
    is_moving_webp = format is WEBP and len(frames) > 1 and frames[0].mode == "RGBA"
    return _with_alpha_said(out.getvalue()) if is_moving_webp else out.getvalue()


def _with_alpha_said(data: bytes) -> bytes:
    """An animated WebP whose head says that there is transparency.

    libwebp does not where what is visible of every frame is opaque, and readers then fill the rest with black.
    """
    at = 20  # the flags of the chunk VP8X, which is the first one of every animation
    return data[:at] + bytes([data[at] | 0x10]) + data[at + 1 :]


def _hard_edged(picture: PillowImage.Image) -> PillowImage.Image:
    """The picture with pixels that are opaque or clear, for GIF: Pillow makes all opaque that are not quite clear."""
    if picture.mode not in ("RGBA", "LA"):
        return picture
    hard = picture.copy()
    hard.putalpha(picture.getchannel("A").point([0] * 128 + [255] * 128))
    return hard


def on_colour(picture: PillowImage.Image, colour: str) -> PillowImage.Image:
    """Return the picture with its transparency laid on a CSS colour; an opaque one as it is."""
    if picture.mode not in ("RGBA", "LA"):
        return picture
    ground = PillowImage.new("RGB", picture.size, parse_colour(colour))
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground
