"""A product's matte: how much of each pixel is product, where it stands on an even backdrop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFilter, ImageStat

from eyefirst.boxes import label_groups

HOLE = 0.0005
"""Backdrop that the product encloses counts as a hole from this share of the picture's area."""
SHOWS = 0.1
"""Share of a hole in which the backdrop is seen without a shadow. A grey part of the product shows none."""
QUIET = 10
"""Levels by which a backdrop's pixels may differ from its model: noise of the camera and of JPEG."""
SHADOW_COLOUR = 16
"""A shadow has the backdrop's colour, only darker, within so many levels."""
DARK = 64
"""A backdrop shows shadows from this level of its brightest channel on: below it, noise is as dark as a shadow."""
BAND = 7
"""Width in pixels of the band along the product's edge in which the matte is soft."""
SPECK = 3e-4
"""A part of the matte away from its largest part is noise where it is smaller than this share of that part."""
SEEN, SOLID = 0.02, 0.8
"""Alpha, 0..1, from which a cell of the mask counts, and from which it is surely subject."""
AGREEMENT, COVERED, SURE = 0.4, 0.75, 0.8
"""An even backdrop is believed where what stands before it overlaps the objectness map so far (IoU), and covers this
share of the cells that are surely subject: a night is even too, and shines through."""
CELLS = 256
"""Cells along the longer side in which parts of a mask are told apart: nearer ones count as one."""
STRIP = 256
"""Rows that are worked on at a time where each pixel is made by itself, so that memory does not grow with them."""


def matte_of(
    product: NDArray[np.bool_], colours: NDArray[np.float32], backdrop: NDArray[np.float32]
) -> PillowImage.Image:
    """Return the matte as an L picture: 255 inside the product, soft along its edge.

    product: pixels that surely belong to it; what it encloses belongs to it too, except for holes that show the
    backdrop. colours, backdrop: (height, width, 3), the picture and its backdrop without the product.
    """
    off = largest(np.abs(colours - backdrop))
    filled = product.copy()
    half = (slice(None, None, 2), slice(None, None, 2))
    groups = label_groups(~product[half])
    rims = np.concatenate([groups[0], groups[-1], groups[:, 0], groups[:, -1]])
    sizes = np.bincount(groups.ravel())
    shows = np.bincount(groups.ravel(), weights=(off[half] <= 2 * QUIET).ravel()) / np.maximum(sizes, 1)
    free = (sizes > HOLE * groups.size) & (shows > SHOWS)
    free[rims] = True
    free[0] = False
    inside = ~free[groups]
    filled |= np.repeat(np.repeat(inside, 2, 0), 2, 1)[: filled.shape[0], : filled.shape[1]] & (
        np.asarray(_L(inside | product[half]).resize(filled.shape[::-1])) > 127
    )
    grown, shrunk = largest_near(filled, BAND), ~largest_near(~filled, BAND)
    most = largest_near(off.clip(0, 255).astype(np.uint8), BAND)
    soft = ((off - QUIET) / np.maximum(most.astype(np.float32) - QUIET, 1)).clip(0, 1)
    soft = np.where(shrunk, 1, np.where(grown, np.minimum(soft, _near(filled)), 0)).astype(np.float32)
    drop_islands(soft, share=SPECK)
    return PillowImage.fromarray((soft * 255).round().astype(np.uint8))


def is_believed(matte: PillowImage.Image, values: NDArray[np.float32]) -> bool:
    """Return whether the matte of what stands before an even backdrop and the objectness map tell of one subject."""
    rows, columns = values.shape
    coarse = np.asarray(matte.resize((columns, rows), PillowImage.Resampling.BOX), np.float32) / 255
    overlap = np.minimum(coarse, values).sum() / np.maximum(coarse, values).sum()
    sure = values > SURE
    return bool(overlap >= AGREEMENT and (not sure.any() or coarse[sure].mean() >= COVERED))


def drop_islands(mask: NDArray[np.float32], *, share: float, pale: float = 0.0) -> None:
    """Set small parts of a mask that lie away from the rest to 0, in place: (height, width) float32 in 0..1.

    The largest part stays. Another one must have `share` of its sum; and `pale` of it, if it is solid in less than
    half of `share`.
    """
    step = -(-max(mask.shape) // CELLS)
    rows, columns = (np.arange(0, n, step) for n in mask.shape)
    peaks = np.maximum.reduceat(np.maximum.reduceat(mask, rows, axis=0), columns, axis=1)
    sums = np.add.reduceat(np.add.reduceat(mask, rows, axis=0), columns, axis=1)
    groups = label_groups(peaks > SEEN)
    amount = np.bincount(groups.ravel(), sums.ravel())
    solid = np.bincount(groups.ravel(), (sums * (sums >= SOLID * step**2)).ravel())
    amount[0] = 0
    largest_sum = amount.max()
    dropped = (amount < share * largest_sum) | ((amount < pale * largest_sum) & (solid < share / 2 * largest_sum))
    dropped[0] = False
    for row, column in zip(*np.nonzero(dropped[groups]), strict=True):
        mask[rows[row] : rows[row] + step, columns[column] : columns[column] + step] = 0


def _near(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A ramp of two pixels along the edge of a mask: what lies further out is a shadow."""
    blurred = np.asarray(_L(mask).filter(ImageFilter.BoxBlur(1.5)), np.float32) / 255
    return (blurred * 2).clip(0, 1)


def _L(mask: NDArray[np.bool_]) -> PillowImage.Image:  # noqa: N802 - Pillow's name of the mode
    return PillowImage.fromarray(mask.astype(np.uint8) * 255)


def cut_out(
    part: PillowImage.Image, matte: PillowImage.Image, backdrop: PillowImage.Image, *, shadow: bool = False
) -> PillowImage.Image:
    """Return an RGBA picture with a matte, without the backdrop's colour along the edge. All have one size.

    shadow: keep what is darker than the backdrop and has its hue, as black of that opacity.
    """
    result = PillowImage.new("RGBA", part.size)
    for rows in strips(part):
        cut = _cut_out(*(p.crop(rows) for p in (part, matte, backdrop)), shadow=shadow)
        result.paste(cut, rows)
    return result


def shows_shadows(backdrop: PillowImage.Image) -> bool:
    """Return whether a shadow can be told from a backdrop, an RGB picture."""
    return max(ImageStat.Stat(backdrop).median) >= DARK


def strips(picture: PillowImage.Image) -> Iterator[tuple[int, int, int, int]]:
    """Yield the boxes of STRIP rows each that make up a picture, from top to bottom."""
    for top in range(0, picture.height, STRIP):
        yield 0, top, picture.width, min(top + STRIP, picture.height)


def _cut_out(
    part: PillowImage.Image, matte: PillowImage.Image, backdrop: PillowImage.Image, *, shadow: bool
) -> PillowImage.Image:
    share = np.asarray(matte, np.float32)[..., None] / 255
    colours, ground = np.asarray(part.convert("RGB"), np.float32), np.asarray(backdrop, np.float32)
    pure = np.where(share > 0, (colours - (1 - share) * ground) / np.maximum(share, 0.1), colours)
    if shadow:
        dark = (1 - share[..., 0]) * _opacity_of_shadow(colours, ground)
        share = share + dark[..., None]
        pure = np.where(share > 0, pure * (share - dark[..., None]) / np.maximum(share, 1e-3), 0)
        matte = PillowImage.fromarray((share[..., 0] * 255).round().astype(np.uint8))
    result = PillowImage.fromarray(pure.clip(0, 255).round().astype(np.uint8))
    result.putalpha(matte)
    return result


def _opacity_of_shadow(colours: NDArray[np.float32], backdrop: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of the backdrop's light a shadow takes, 0..1: (height, width). Noise and other hues take none."""
    light, tint = light_and_tint(colours, backdrop)
    noise = QUIET / np.maximum(largest(backdrop), 1)
    is_shadow = (tint <= SHADOW_COLOUR) & (largest(backdrop) >= DARK)
    return np.where(is_shadow, ((1 - light - noise / 2) / (1 - noise / 2)).clip(0, 1), 0)


def light_and_tint(
    colours: NDArray[np.float32], backdrop: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how bright a picture is beside its backdrop, and how far it is from the darker backdrop, in levels."""
    light = np.einsum("...c,...c", colours, backdrop) / np.maximum(np.einsum("...c,...c", backdrop, backdrop), 1)
    return light, largest(np.abs(colours - light[..., None] * backdrop))


def largest(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest of the channels, (height, width): faster than a maximum over the short last axis."""
    most = levels[..., 0]
    for channel in range(1, levels.shape[2]):
        most = np.maximum(most, levels[..., channel])
    return most


def largest_near(values: NDArray[Any], side: int) -> NDArray[Any]:
    """Return the largest value within a square of an odd side round each pixel, cut at the borders."""
    for axis in (0, 1):
        reach = [(side // 2, side // 2) if a == axis else (0, 0) for a in (0, 1)]
        values, wide = np.pad(values, reach, mode="edge"), 1
        while wide < side:  # the maximum of two windows is that of a window which they cover together
            step = min(wide, side - wide)
            ends = values.shape[axis] - step
            front, back = (
                np.moveaxis(np.moveaxis(values, axis, 0)[s], 0, axis) for s in (slice(ends), slice(step, None))
            )
            values, wide = np.maximum(front, back), wide + step
    return values
