"""Where a product ends: by its transparency, else by an even backdrop of any colour, else by the objectness map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFilter

from eyefirst.boxes import label_groups
from eyefirst.geometry import Box, Size
from eyefirst.observations import SaliencyObservation
from eyefirst.tools.matte import SHADOW_COLOUR, is_believed, largest, largest_near, light_and_tint, matte_of

Witness = Literal["alpha", "backdrop", "objectness", "nothing"]

WORK_SIDE = 1024
"""The longer side of the copy in which the product's edges are looked for."""
OPAQUE, SOLID = 24, 128
"""Alpha, 0..255, from which a pixel may belong to the product, and from which it does: soft shadows lie between."""
RING = 0.02
"""Width of the ring along the picture's edges that shows the backdrop, as a share of the shorter side."""
EVEN_SHARE, EVEN_TOLERANCE = 0.85, 20
"""A backdrop is even where so much of the ring lies so near to its model, in levels of 0..255."""
LEAST_RING = 0.5
"""Share of the ring that has to show the backdrop: on the rest the product may be cut off."""
ALIKE = 0.5
"""Overlap (IoU) from which the backdrop's box and the objectness map's are of one thing."""
BACKDROP_TOLERANCE = 26
"""Pixels that differ from an even backdrop by more may belong to the product."""
DARKEST_SHADOW = 0.5
"""A shadow leaves at least this share of the backdrop's light: an opacity of 40 % and its contact with the product."""
SHARP = 14
"""Levels from one pixel to the next, in the small copy, that no soft shadow has."""
MEDIANS = ((4.0, 5), (2.0, 3))
"""Mean step between neighbours on an even backdrop, in levels, from which a median of that side takes the noise."""
MODEL_DEGREES = (2, 2, 3, 4, 4)
"""Degrees of the polynomial that follows the backdrop's light, from one fit to the next."""
MODEL_GRID = 64
MODEL_TOLERANCE = 6
"""Pixels within so many levels of the model belong to the backdrop in the next fit."""
GRID = 64
SPECK = 0.004
"""Groups with less of the product's area than this are dust unless the objectness map knows them."""


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
    towards the corners, do not count. Where what differs from an even backdrop is another thing than the objectness
    map's, as a seam of a white shirt on white, the map is believed. Where nothing tells a product from its
    surroundings the box is the whole picture and the witness is "nothing".
    """
    small = picture.copy()
    small.thumbnail((WORK_SIDE, WORK_SIDE), PillowImage.Resampling.BOX)
    if picture.mode == "RGBA":
        alpha = np.asarray(small.getchannel("A"))
        if alpha.min() < OPAQUE <= alpha.max():
            solid = (alpha >= SOLID) | ((alpha >= OPAQUE) & (_steepness(alpha[..., None]) >= SHARP))
            return Product(_box_of(solid if solid.any() else alpha >= OPAQUE), "alpha")
    plain = small.convert("RGB")
    colours = np.asarray(plain, np.float32)
    backdrop = _backdrop(colours)
    if _is_even(colours, backdrop, objects):
        colours = _without_noise(plain, colours)
        kept = _without_dust(_beside(colours, backdrop), objects)
        if kept.any():
            box, matte = _box_of(kept), matte_of(kept, colours, backdrop)
            if _agree(box, objects.union_box) or is_believed(matte, objects.heat_map.values):
                return Product(box, "backdrop", matte, PillowImage.fromarray(backdrop.round().astype(np.uint8)))
    if objects.union_box is None:
        return Product(Box.whole(), "nothing")
    return Product(objects.union_box, "objectness")


def _without_noise(picture: PillowImage.Image, colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """The colours of a picture on an even backdrop, through a median as large as the noise along its edges asks for."""
    steps = np.abs(_ring(np.diff(colours, axis=1))).clip(0, EVEN_TOLERANCE)
    noise = float(steps.mean()) if steps.size else 0.0  # a picture may be one pixel wide
    side = next((side for least, side in MEDIANS if noise > least), 1)
    return np.asarray(picture.filter(ImageFilter.MedianFilter(side)), np.float32) if side > 1 else colours


def _is_even(colours: NDArray[np.float32], backdrop: NDArray[np.float32], objects: SaliencyObservation) -> bool:
    """Whether the ring along the edges shows the backdrop, wherever the objectness map knows of no product there."""
    values = objects.heat_map.values
    rows, columns = (np.arange(n) * cells // n for n, cells in zip(colours.shape[:2], values.shape, strict=True))
    free = _ring(values[rows[:, None], columns[None]]) < 0.5
    near = np.abs(_ring(colours - backdrop)).max(axis=1) <= EVEN_TOLERANCE
    return bool(free.mean() >= LEAST_RING and near[free].mean() >= EVEN_SHARE)


def _agree(box: Box, known: Box | None) -> bool:
    """Whether a box and the objectness map's are of one thing; yes where the map has none. Each is grown by a cell."""
    if known is None:
        return True
    cell = 1 / GRID
    one, other = (
        Box(max(b.left - cell, 0), max(b.top - cell, 0), min(b.right + cell, 1), min(b.bottom + cell, 1))
        for b in (box, known)
    )
    return one.iou(other) >= ALIKE


def _beside(colours: NDArray[np.float32], backdrop: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels that neither the backdrop nor a soft shadow on it explains: (height, width)."""
    other = largest(np.abs(colours - backdrop)) > BACKDROP_TOLERANCE
    light, tint = light_and_tint(colours, backdrop)
    shadow = (light >= DARKEST_SHADOW) & (light <= 1) & (tint <= SHADOW_COLOUR)
    core = other & ~shadow
    near = largest_near(core, 7)
    return core | (other & ~near & (_steepness(colours) >= SHARP))  # beside the core, the step is the product's own


def _steepness(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """The largest step to a neighbour, of any channel: (height, width)."""
    levels = values.astype(np.float32)
    steep = np.zeros(levels.shape[:2], np.float32)
    down, right = (largest(np.abs(np.diff(levels, axis=axis))) for axis in (0, 1))
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
    coefficients, fitted = np.zeros((1, 3)), 0
    for degree in MODEL_DEGREES:
        terms = _terms(across, down, degree)
        if known.sum() < 4 * terms.shape[1]:
            break
        normal = terms[known].T @ terms[known] + 1e-6 * np.eye(terms.shape[1])
        coefficients, fitted = np.linalg.solve(normal, terms[known].T @ few[known]), degree
        off = few - terms @ coefficients
        known = np.abs(off).max(1) <= max(MODEL_TOLERANCE, 1.5 * float(np.median(np.abs(off[known]).max(1))))
    if not coefficients.any():
        return np.broadcast_to(np.median(_ring(colours), axis=0), colours.shape)
    places = np.linspace(-1 + 1 / MODEL_GRID, 1 - 1 / MODEL_GRID, MODEL_GRID)
    y, x = np.meshgrid(places, places, indexing="ij")
    model = (_terms(x.ravel(), y.ravel(), fitted) @ coefficients).clip(0, 255).reshape(MODEL_GRID, MODEL_GRID, 3)
    planes = [PillowImage.fromarray(model[..., c].astype(np.float32)) for c in range(3)]
    return np.stack([np.asarray(p.resize((width, height), PillowImage.Resampling.BICUBIC)) for p in planes], axis=2)


def _terms(x: NDArray[np.float64], y: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """The terms of a polynomial in two variables: (n, terms)."""
    return np.stack([x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=1)


def _ring(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, ...): the pixels along the edges of a picture or a map of its size."""
    wide = max(1, round(RING * min(values.shape[:2])))
    inside = np.zeros(values.shape[:2], np.bool_)
    inside[wide:-wide, wide:-wide] = True
    return values[~inside]


def _without_dust(mask: NDArray[np.bool_], objects: SaliencyObservation) -> NDArray[np.bool_]:
    """The mask without small groups that the objectness map does not know."""
    rows, columns = ((np.arange(n) * GRID // n) for n in mask.shape)
    places = (rows[:, None] * GRID + columns)[mask]
    cells = np.bincount(places, minlength=GRID * GRID).reshape(GRID, GRID)
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
