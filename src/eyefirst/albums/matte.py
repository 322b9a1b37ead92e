"""A product's matte: how much of each pixel is product, where it stands on an even backdrop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFilter

from eyefirst.boxes import label_groups

HOLE = 0.0005
"""Backdrop that the product encloses counts as a hole from this share of the picture's area."""
SHOWS = 0.1
"""Share of a hole in which the backdrop is seen without a shadow. A grey part of the product shows none."""
QUIET = 10
"""Levels by which a backdrop's pixels may differ from its model: noise of the camera and of JPEG."""
BAND = 7
"""Width in pixels of the band along the product's edge in which the matte is soft."""


def matte_of(
    product: NDArray[np.bool_], colours: NDArray[np.float32], backdrop: NDArray[np.float32]
) -> PillowImage.Image:
    """Return the matte as an L picture: 255 inside the product, soft along its edge.

    product: pixels that surely belong to it; what it encloses belongs to it too, except for holes that show the
    backdrop. colours, backdrop: (height, width, 3), the picture and its backdrop without the product.
    """
    off = np.abs(colours - backdrop).max(axis=2)
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
    solid = _L(filled)
    grown, shrunk = solid.filter(ImageFilter.MaxFilter(BAND)), solid.filter(ImageFilter.MinFilter(BAND))
    most = np.asarray(PillowImage.fromarray(off.clip(0, 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(BAND)))
    soft = ((off - QUIET) / np.maximum(most.astype(np.float32) - QUIET, 1)).clip(0, 1)
    soft = np.where(np.asarray(shrunk) > 0, 1, np.where(np.asarray(grown) > 0, np.minimum(soft, _near(filled)), 0))
    return PillowImage.fromarray((soft * 255).round().astype(np.uint8))


def _near(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A ramp of two pixels along the edge of a mask: what lies further out is a shadow."""
    blurred = np.asarray(_L(mask).filter(ImageFilter.BoxBlur(1.5)), np.float32) / 255
    return (blurred * 2).clip(0, 1)


def _L(mask: NDArray[np.bool_]) -> PillowImage.Image:  # noqa: N802 - Pillow's name of the mode
    return PillowImage.fromarray(mask.astype(np.uint8) * 255)


def cut_out(part: PillowImage.Image, matte: PillowImage.Image, backdrop: PillowImage.Image) -> PillowImage.Image:
    """Return an RGBA picture with a matte, without the backdrop's colour along the edge. All have one size."""
    share = np.asarray(matte, np.float32)[..., None] / 255
    colours, ground = np.asarray(part.convert("RGB"), np.float32), np.asarray(backdrop, np.float32)
    pure = np.where(share > 0, (colours - (1 - share) * ground) / np.maximum(share, 0.1), colours)
    result = PillowImage.fromarray(pure.clip(0, 255).round().astype(np.uint8))
    result.putalpha(matte)
    return result
