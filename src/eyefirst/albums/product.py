"""Catalogue pictures: one product, centred on a canvas, with the same margins across a whole set.

Where the product ends is read from the best witness at hand: transparency, then an even backdrop (white,
dark or any colour), then the objectness map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFilter

from eyefirst.boxes import label_groups
from eyefirst.colours import parse_colour
from eyefirst.cut import Picture
from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Box, Size
from eyefirst.image import Animation
from eyefirst.observations import SaliencyObservation

Witness = Literal["alpha", "backdrop", "objectness", "nothing"]

WORK_SIDE = 1024
"""The longer side of the copy in which the product's edges are looked for."""
OPAQUE = 24
"""Alpha, 0..255, from which a pixel belongs to the product; soft shadows stay below."""
RING = 0.02
"""Width of the ring along the picture's edges that shows the backdrop, as a share of the shorter side."""
EVEN_SHARE, EVEN_TOLERANCE = 0.85, 20
"""A backdrop is even where so much of the ring lies so near to its median colour, in levels of 0..255."""
BACKDROP_TOLERANCE = 26
"""Pixels that differ from an even backdrop by more belong to the product."""
SOFTNESS = 0.03
"""Radius of the blur of a backdrop that goes on beyond the picture, as a share of the canvas's longer side."""
GRID = 64
SPECK = 0.004
"""Groups with less of the product's area than this are dust unless the objectness map knows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSettings:
    """How products are laid out.

    margin: free space on the tighter axis, as a share of the canvas's shorter side, 0..0.45. backdrop: the
    canvas's colour where the picture has none: "keep" (the picture's own), "transparent", or a CSS colour.
    """

    margin: float = 0.08
    backdrop: str = "keep"

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 0.45:
            raise InvalidValueError(
                f"expected a margin in 0..0.45, got {self.margin!r}", remedy="0.08 leaves 8 % on the tighter axis"
            )
        if self.backdrop not in ("keep", "transparent"):
            parse_colour(self.backdrop)


@dataclass(frozen=True, slots=True)
class Product:
    """Where the product is, and who says so."""

    box: Box
    witness: Witness


def find_product(picture: PillowImage.Image, objects: SaliencyObservation) -> Product:
    """The smallest box round the product of an upright RGB or RGBA picture.

    objects: the picture's objectness observation. Where nothing tells a product from its surroundings
    the box is the whole picture and the witness is "nothing".
    """
    small = picture.copy()
    small.thumbnail((WORK_SIDE, WORK_SIDE), PillowImage.Resampling.BOX)
    colours = np.asarray(small.convert("RGB"), np.int16)
    ring = _ring(colours)
    backdrop = np.median(ring, axis=0)
    if picture.mode == "RGBA":
        alpha = np.asarray(small.getchannel("A"))
        if alpha.min() < OPAQUE <= alpha.max():
            return Product(_box_of(alpha >= OPAQUE), "alpha")
    if (np.abs(ring - backdrop).max(axis=1) <= EVEN_TOLERANCE).mean() >= EVEN_SHARE:
        other = np.abs(colours - backdrop).max(axis=2) > BACKDROP_TOLERANCE
        kept = _without_dust(other, objects)
        if kept.any():
            return Product(_box_of(kept), "backdrop")
    if objects.union_box is None:
        return Product(Box.whole(), "nothing")
    return Product(objects.union_box, "objectness")


def lay_out(picture: Picture, product: Product, size: Size, settings: ProductSettings | None = None) -> Picture:
    """Return the product in the middle of a canvas of exactly `size`, as large as the margin allows.

    Every frame of an animation is laid out alike.
    """
    settings = settings or ProductSettings()
    if isinstance(picture, Animation):
        return replace(picture, frames=tuple(_lay_out(f, product, size, settings) for f in picture.frames))
    return _lay_out(picture, product, size, settings)


def _lay_out(picture: PillowImage.Image, product: Product, size: Size, settings: ProductSettings) -> PillowImage.Image:
    edge = settings.margin * min(size.width, size.height)
    left, right = product.box.left * picture.width, product.box.right * picture.width
    top, bottom = product.box.top * picture.height, product.box.bottom * picture.height
    scale = min((size.width - 2 * edge) / (right - left), (size.height - 2 * edge) / (bottom - top))
    x, y = (left + right) / 2 - size.width / scale / 2, (top + bottom) / 2 - size.height / scale / 2
    x_end, y_end = min(x + size.width / scale, picture.width), min(y + size.height / scale, picture.height)
    shown = (max(x, 0), max(y, 0), x_end, y_end)
    extent = (max(round((x_end - shown[0]) * scale), 1), max(round((y_end - shown[1]) * scale), 1))
    part = picture.convert("RGBA").resize(extent, PillowImage.Resampling.LANCZOS, shown, reducing_gap=3.0)
    left_edge, top_edge = round((shown[0] - x) * scale), round((shown[1] - y) * scale)
    clear = settings.backdrop == "transparent" or (settings.backdrop == "keep" and product.witness == "alpha")
    if clear:
        canvas = PillowImage.new("RGBA", (size.width, size.height), (255, 255, 255, 0))
    elif settings.backdrop == "keep":
        canvas = _continued(part, (left_edge, top_edge), size)
    else:
        canvas = PillowImage.new("RGBA", (size.width, size.height), (*parse_colour(settings.backdrop), 255))
    canvas.alpha_composite(part, (left_edge, top_edge))
    return canvas if clear else canvas.convert("RGB")


def _continued(part: PillowImage.Image, place: tuple[int, int], size: Size) -> PillowImage.Image:
    """A canvas on which the backdrop of a picture's part goes on from its edges, softly."""
    (left, top), (width, height) = place, part.size
    beyond = ((top, max(size.height - top - height, 0)), (left, max(size.width - left - width, 0)), (0, 0))
    ground = PillowImage.fromarray(np.pad(np.asarray(part.convert("RGB")), beyond, mode="edge"))
    blurred = ground.filter(ImageFilter.GaussianBlur(SOFTNESS * max(ground.size)))
    return blurred.crop((0, 0, size.width, size.height)).convert("RGBA")


def _ring(colours: NDArray[np.int16]) -> NDArray[np.int16]:
    """(n, 3): the pixels along the picture's edges."""
    wide = max(1, round(RING * min(colours.shape[:2])))
    inside = np.zeros(colours.shape[:2], np.bool_)
    inside[wide:-wide, wide:-wide] = True
    return colours[~inside]


def _without_dust(mask: NDArray[np.bool_], objects: SaliencyObservation) -> NDArray[np.bool_]:
    """The mask without small groups that the objectness map does not know."""
    rows, columns = ((np.arange(n) * GRID // n) for n in mask.shape)
    cells = np.zeros((GRID, GRID))
    np.add.at(cells, (rows[:, None], columns[None]), mask)
    groups = label_groups(cells > 0)
    known = objects.heat_map.resized(Size(GRID, GRID)) > 0.3
    keep = np.zeros(groups.max() + 1, np.bool_)
    for group in range(1, len(keep)):
        area = cells[groups == group].sum() / mask.sum()
        keep[group] = area > SPECK or bool(known[groups == group].any())
    return mask & keep[groups][rows[:, None], columns[None]]


def _box_of(mask: NDArray[np.bool_]) -> Box:
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return Box(columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
