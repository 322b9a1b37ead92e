"""Catalogue pictures: one product, centred on a canvas, with the same margins across a whole set.

Where the product ends is read from the best witness at hand: transparency, then an even backdrop (white,
dark or any colour), then the objectness map.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFilter

from eyefirst.albums.matte import cut_out, matte_of
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
OPAQUE, SOLID = 24, 128
"""Alpha, 0..255, from which a pixel may belong to the product, and from which it does: soft shadows lie between."""
RING = 0.02
"""Width of the ring along the picture's edges that shows the backdrop, as a share of the shorter side."""
EVEN_SHARE, EVEN_TOLERANCE = 0.85, 20
"""A backdrop is even where so much of the ring lies so near to its model, in levels of 0..255."""
BACKDROP_TOLERANCE = 26
"""Pixels that differ from an even backdrop by more may belong to the product."""
DARKEST_SHADOW = 0.5
"""A shadow leaves at least this share of the backdrop's light: an opacity of 40 % and its contact with the product."""
SHADOW_COLOUR = 16
"""A shadow has the backdrop's colour, only darker, within so many levels."""
SHARP = 14
"""Levels from one pixel to the next, in the small copy, that no soft shadow has."""
MODEL_DEGREES = (2, 2, 3, 4, 4)
"""Degrees of the polynomial that follows the backdrop's light, from one fit to the next."""
MODEL_GRID = 64
MODEL_TOLERANCE = 6
"""Pixels within so many levels of the model belong to the backdrop in the next fit."""
SOFTNESS = 0.03
"""Radius of the blur of a backdrop that goes on beyond the picture, as a share of the canvas's longer side."""
EDGE = 0.002
"""A product that is nearer to the picture's edge, as a share of its side, is cut off there."""
GRID = 64
SPECK = 0.004
"""Groups with less of the product's area than this are dust unless the objectness map knows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSettings:
    """How products are laid out.

    margin: free space on the tighter axis, as a share of the canvas's shorter side, 0..0.45. backdrop:
    what lies behind: "keep" (the picture's own), "transparent", or a CSS colour. An even backdrop is replaced;
    any other is kept, and goes on only where the picture ends.
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
    """Where the product is, and who says so.

    matte: where the witness is "backdrop", how much of each pixel is product, as an L picture of any size. backdrop:
    what lies behind it, as an RGB picture of the same extent.
    """

    box: Box
    witness: Witness
    matte: PillowImage.Image | None = field(default=None, compare=False, repr=False)
    backdrop: PillowImage.Image | None = field(default=None, compare=False, repr=False)


def find_product(picture: PillowImage.Image, objects: SaliencyObservation) -> Product:
    """Return the smallest box round the product of an upright RGB or RGBA picture.

    objects: the picture's objectness observation. Soft shadows up to an opacity of 40 %, and light that falls off
    towards the corners, do not count. Where nothing tells a product from its surroundings the box is the whole
    picture and the witness is "nothing".
    """
    small = picture.copy()
    small.thumbnail((WORK_SIDE, WORK_SIDE), PillowImage.Resampling.BOX)
    if picture.mode == "RGBA":
        alpha = np.asarray(small.getchannel("A"))
        if alpha.min() < OPAQUE <= alpha.max():
            solid = (alpha >= SOLID) | ((alpha >= OPAQUE) & (_steepness(alpha[..., None]) >= SHARP))
            return Product(_box_of(solid if solid.any() else alpha >= OPAQUE), "alpha")
    colours = np.asarray(small.convert("RGB"), np.float32)
    backdrop = _backdrop(colours)
    if (np.abs(_ring(colours - backdrop)).max(axis=1) <= EVEN_TOLERANCE).mean() >= EVEN_SHARE:
        kept = _without_dust(_beside(colours, backdrop), objects)
        if kept.any():
            ground = PillowImage.fromarray(backdrop.round().astype(np.uint8))
            return Product(_box_of(kept), "backdrop", matte_of(kept, colours, backdrop), ground)
    if objects.union_box is None:
        return Product(Box.whole(), "nothing")
    return Product(objects.union_box, "objectness")


def _beside(colours: NDArray[np.float32], backdrop: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels that neither the backdrop nor a soft shadow on it explains: (height, width)."""
    other = np.abs(colours - backdrop).max(axis=2) > BACKDROP_TOLERANCE
    light = (colours * backdrop).sum(2) / np.maximum((backdrop * backdrop).sum(2), 1)
    tint = np.abs(colours - light[..., None] * backdrop).max(axis=2)
    shadow = (light >= DARKEST_SHADOW) & (light <= 1) & (tint <= SHADOW_COLOUR)
    core = other & ~shadow
    near = np.asarray(PillowImage.fromarray(core).convert("L").filter(ImageFilter.MaxFilter(7))) > 0
    return core | (other & ~near & (_steepness(colours) >= SHARP))  # beside the core, the step is the product's own


def _steepness(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """The largest step to a neighbour, of any channel: (height, width)."""
    levels = values.astype(np.float32)
    steep = np.zeros(levels.shape[:2], np.float32)
    down, right = np.abs(np.diff(levels, axis=0)).max(2), np.abs(np.diff(levels, axis=1)).max(2)
    for part, step in ((steep[:-1], down), (steep[1:], down), (steep[:, :-1], right), (steep[:, 1:], right)):
        np.maximum(part, step, out=part)
    return steep


def _backdrop(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """The backdrop as it would be without the product: (height, width, 3), smooth, from the ring inwards."""
    height, width = colours.shape[:2]
    step = max(1, min(height, width) // 96)
    rows, columns = (np.arange(0, n, step) * 2 / n - 1 for n in (height, width))
    few, across, down = (
        v.reshape(-1, *v.shape[2:]) for v in (colours[::step, ::step], *np.meshgrid(columns, rows, indexing="xy"))
    )
    wide = max(1, round(RING * min(colours.shape[:2]))) / min(height, width) * 4
    known = (np.abs(across) > 1 - wide) | (np.abs(down) > 1 - wide)
    whole = np.broadcast_to(np.median(few[known], axis=0), few.shape)
    known &= np.abs(few - whole).max(1) <= 3 * EVEN_TOLERANCE
    coefficients = np.zeros((1, 3))
    degree = 0
    for degree in MODEL_DEGREES:
        terms = _terms(across, down, degree)
        if known.sum() < 4 * terms.shape[1]:
            break
        normal = terms[known].T @ terms[known] + 1e-6 * np.eye(terms.shape[1])
        coefficients = np.linalg.solve(normal, terms[known].T @ few[known])
        off = few - terms @ coefficients
        known = np.abs(off).max(1) <= max(MODEL_TOLERANCE, 1.5 * float(np.median(np.abs(off[known]).max(1))))
    if not coefficients.any():
        return np.broadcast_to(np.median(_ring(colours), axis=0), colours.shape)
    degree = next(d for d in range(5) if (d + 1) * (d + 2) // 2 == len(coefficients))
    y, x = np.meshgrid(*(np.linspace(-1 + 1 / n, 1 - 1 / n, n) for n in (MODEL_GRID, MODEL_GRID)), indexing="ij")
    model = (_terms(x.ravel(), y.ravel(), degree) @ coefficients).clip(0, 255).reshape(MODEL_GRID, MODEL_GRID, 3)
    planes = [PillowImage.fromarray(model[..., c].astype(np.float32)) for c in range(3)]
    return np.stack([np.asarray(p.resize((width, height), PillowImage.Resampling.BICUBIC)) for p in planes], axis=2)


def _terms(x: NDArray[np.float64], y: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """The terms of a polynomial in two variables: (n, terms)."""
    return np.stack([x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=1)


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
        part = cut_out(part, matte, product.backdrop.resize(extent, PillowImage.Resampling.BILINEAR, place))
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


def _ring(colours: NDArray[np.float32]) -> NDArray[np.float32]:
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
