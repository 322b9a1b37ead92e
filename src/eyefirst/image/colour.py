"""Colour: from any mode and profile to sRGB with 8 bits a channel, and alpha laid on a ground."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
from PIL import ImageCms, ImageFilter

from eyefirst.image.colour_spaces import ColourSpace
from eyefirst.image.tiff import to_bytes_by_range

PROFILE_LIMIT_BYTES = 4 << 20
"""A longer colour profile counts as broken; the largest printers' profiles have about 3 MB."""

_RGB: TypeAlias = tuple[int, int, int]


def to_plain_mode(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Convert to one of the modes L, LA, RGB, RGBA, CMYK, with 8 bits a channel."""
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
    """Convert grey of more than 8 bits: take the high byte of 16, and scale wider numbers by their range.

    Integers and floats of 32 bits do not say what white is. Up to 255 and up to 65535 they are taken to
    be 8 and 16 bits, floats up to 1 to be shares; anything else is stretched from its least to its most.
    """
    values = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        tags: Any = getattr(picture, "tag_v2", {})
        bits = tags.get(258, (16,))[0]  # TIFF keeps 12 bits in 16
        grey = (values >> max(bits - 8, 0)).astype(np.uint8)
    else:
        grey = to_bytes_by_range(values, (1, 255, 65535) if picture.mode == "F" else (255, 65535))
    if getattr(picture, "tag_v2", {}).get(262) == 0:  # white is zero, which Pillow heeds for 8 bits alone
        grey = 255 - grey
    plain = PIL.Image.fromarray(grey)
    key = picture.info.get("transparency")
    if isinstance(key, int):
        alpha = PIL.Image.fromarray(np.where(np.asarray(picture) == key, 0, 255).astype(np.uint8))
        return PIL.Image.merge("LA", (plain, alpha))
    return plain


def to_srgb(picture: PIL.Image.Image, stated: ColourSpace | bytes | None) -> PIL.Image.Image:
    """Convert a plain mode to sRGB: RGB, or RGBA where there is alpha. stated: its colour space or profile."""
    alpha = None
    if picture.mode in ("LA", "RGBA"):
        alpha = picture.getchannel("A")
        picture = picture.getchannel("L") if picture.mode == "LA" else picture.convert("RGB")
    if isinstance(stated, ColourSpace) and stated.is_hdr and picture.mode != "CMYK":
        picture = stated.tone_mapped(picture.convert("RGB"))
    elif stated is not None:
        picture = _by_profile(picture, stated.profile() if isinstance(stated, ColourSpace) else stated)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    if alpha is None:
        return picture
    picture.putalpha(alpha)
    return picture


def _by_profile(picture: PIL.Image.Image, profile: bytes) -> PIL.Image.Image:
    if not 0 < len(profile) <= PROFILE_LIMIT_BYTES:
        return picture
    if picture.mode == "L" and profile[16:20] == b"RGB ":
        picture = picture.convert("RGB")
    transform = _transform(profile, picture.mode)
    return picture if transform is None else transform.apply(picture)


WHITE, BLACK = (255, 255, 255), (0, 0, 0)
EDGE_SIDE = 256
"""The edges of transparency are looked at in a picture of this side."""
LOST_ON_WHITE = 64
"""Mean difference from white, of 255, below which the edges of a picture are lost on it."""


def ground_for(picture: PIL.Image.Image) -> _RGB:
    """Choose what to lay behind a transparent picture for analysis: white, or black where white hides its edges.

    What counts is the brightness of the visible pixels beside transparent ones: that is where the outline is.
    """
    if picture.mode != "RGBA":
        return WHITE
    small = picture.reduce(max(max(picture.size) // EDGE_SIDE, 1))
    alpha = np.asarray(small.getchannel("A"), np.float32) / 255
    if alpha.min() > 0.9:
        return WHITE
    most = PIL.Image.fromarray((alpha * 255).astype(np.uint8)).filter(ImageFilter.MinFilter(5))
    beside = alpha * (1 - np.asarray(most, np.float32) / 255)
    if beside.sum() <= 0:
        return WHITE
    brightness = np.asarray(small.convert("RGB").convert("L"), np.float32)
    from_white = float((beside * (255 - brightness)).sum() / beside.sum())
    return BLACK if from_white < LOST_ON_WHITE else WHITE


def on_paper(picture: PIL.Image.Image, paper: _RGB) -> PIL.Image.Image:
    """Lay alpha on a colour; return RGB."""
    if picture.mode != "RGBA":
        return picture
    ground = PIL.Image.new("RGB", picture.size, paper)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def as_seen(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Return a picture in RGB, with its transparency on the ground of `ground_for`: no hidden colour shows."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    clear = picture.convert("RGBA")
    return on_paper(clear, ground_for(clear))


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the transform from a profile to sRGB; None if it is broken, is for another mode, or changes nothing.

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
