"""Catalogue pictures: one product, centred on a canvas, with the same margins across a whole set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageFilter

from eyefirst.colours import parse_colour
from eyefirst.cut import Picture
from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Size
from eyefirst.image import Animation
from eyefirst.numeric import is_within
from eyefirst.tools.matte import cut_out
from eyefirst.tools.product import OPAQUE, Product

MARGIN = 0.08
"""Default of the free space on the tighter axis, as a share of the canvas's shorter side."""
SOFTNESS = 0.03
"""Radius of the blur of a backdrop that goes on beyond the picture, as a share of the canvas's longer side."""
EDGE = 0.002
"""A product that is nearer to the picture's edge, as a share of its side, is cut off there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSettings:
    """How products are laid out.

    margin: free space on the tighter axis, as a share of the canvas's shorter side, 0..0.45. backdrop:
    what lies behind: "keep" (the picture's own), "transparent", or a CSS colour. shadow: keep a soft shadow where an
    even backdrop is replaced.
    """

    margin: float = MARGIN
    backdrop: str = "keep"
    shadow: bool = False

    def __post_init__(self) -> None:
        if not is_within(self.margin, 0, 0.45):
            raise InvalidValueError(
                f"expected a margin in 0..0.45, got {self.margin!r}",
                remedy=f"{MARGIN} leaves {MARGIN:.0%} on the tighter axis",
            )
        if self.backdrop not in ("keep", "transparent"):
            parse_colour(self.backdrop)


def lay_out(picture: Picture, product: Product, size: Size, settings: ProductSettings | None = None) -> Picture:
    """Return the product in the middle of a canvas of exactly `size`, as large as the margin allows.

    Every frame of an animation is laid out alike.
    """
    settings = settings or ProductSettings()
    if isinstance(picture, Animation):
        return replace(picture, frames=tuple(_lay_out(f, product, size, settings) for f in picture.frames))
    return _lay_out(picture, product, size, settings)


def enlargement(picture: Size, product: Product, size: Size, settings: ProductSettings) -> float:
    """Return how many times larger than in the picture the product is laid out."""
    return _placed(picture, product, size, settings)[0]


def _placed(
    picture: Size, product: Product, size: Size, settings: ProductSettings
) -> tuple[float, tuple[float, float]]:
    """The scale, and the place in the picture of the canvas's upper left corner.

    A product that the picture's edge cuts off stays at that edge of the canvas.
    """
    edge = settings.margin * min(size.width, size.height)
    ends = (product.box.left, product.box.right), (product.box.top, product.box.bottom)
    can_be_cut = product.witness == "backdrop"
    cut = [(can_be_cut and a <= EDGE, can_be_cut and b >= 1 - EDGE) for a, b in ends]
    room = [n - edge * (not c[0]) - edge * (not c[1]) for n, c in zip(size.as_tuple, cut, strict=True)]
    pixels = [(a * n, b * n) for (a, b), n in zip(ends, picture.as_tuple, strict=True)]
    scale = min(r / (b - a) for r, (a, b) in zip(room, pixels, strict=True))
    corner = []
    for (a, b), (at_start, at_end), n in zip(pixels, cut, size.as_tuple, strict=True):
        shown = n / scale
        corner.append(a if at_start > at_end else b - shown if at_end > at_start else (a + b - shown) / 2)
    return scale, (corner[0], corner[1])


def _lay_out(picture: PillowImage.Image, product: Product, size: Size, settings: ProductSettings) -> PillowImage.Image:
    scale, (x, y) = _placed(Size(*picture.size), product, size, settings)
    x_end, y_end = min(x + size.width / scale, picture.width), min(y + size.height / scale, picture.height)
    shown = (max(x, 0), max(y, 0), x_end, y_end)
    extent = (max(round((x_end - shown[0]) * scale), 1), max(round((y_end - shown[1]) * scale), 1))
    part = picture.convert("RGBA").resize(extent, PillowImage.Resampling.LANCZOS, shown, reducing_gap=3.0)
    if settings.backdrop != "keep" and product.matte and product.backdrop:
        x_share, y_share = product.matte.width / picture.width, product.matte.height / picture.height
        place = (shown[0] * x_share, shown[1] * y_share, shown[2] * x_share, shown[3] * y_share)
        matte = product.matte.resize(extent, PillowImage.Resampling.BICUBIC, place)
        ground = product.backdrop.resize(extent, PillowImage.Resampling.BILINEAR, place)
        part = cut_out(part, matte, ground, shadow=settings.shadow)
    left_edge, top_edge = round((shown[0] - x) * scale), round((shown[1] - y) * scale)
    least: Any = picture.getchannel("A").getextrema()[0] if picture.mode == "RGBA" else OPAQUE
    clear = settings.backdrop == "transparent" or (settings.backdrop == "keep" and least < OPAQUE)
    if clear:
        canvas = PillowImage.new("RGBA", (size.width, size.height), (255, 255, 255, 0))
    elif settings.backdrop == "keep":
        canvas = _continued(part, (left_edge, top_edge), size)
    else:
        canvas = PillowImage.new("RGBA", (size.width, size.height), (*parse_colour(settings.backdrop), 255))
    canvas.alpha_composite(part, (left_edge, top_edge))
    return canvas if clear else canvas.convert("RGB")


def _continued(part: PillowImage.Image, place: tuple[int, int], size: Size) -> PillowImage.Image:
    """A canvas on which the backdrop of a picture's part goes on from its edges, softly.

    Each edge is blurred along itself alone: a product near to it must not shine through.
    """
    (left, top), (width, height) = place, part.size
    beyond = ((top, max(size.height - top - height, 0)), (left, max(size.width - left - width, 0)), (0, 0))
    picture = part.convert("RGB")
    pixels, radius = np.array(picture), SOFTNESS * max(size.width, size.height)
    for row in (0, height - 1):
        pixels[row] = picture.crop((0, row, width, row + 1)).filter(ImageFilter.GaussianBlur((radius, 0)))
    for column in (0, width - 1):
        line = picture.crop((column, 0, column + 1, height)).filter(ImageFilter.GaussianBlur((0, radius)))
        pixels[:, column] = np.asarray(line)[:, 0]
    ground = PillowImage.fromarray(np.pad(pixels, beyond, mode="edge"))
    return ground.crop((0, 0, size.width, size.height)).convert("RGBA")
