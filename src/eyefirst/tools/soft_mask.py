"""From the coarse objectness map to a soft mask at full resolution, with the picture's own edges.

The map is looked at twice, once whole and once close to the subjects, and enlarged by a guided filter (He, Sun and
Tang, *Guided Image Filtering*, TPAMI 2013; made at a small size as in He and Sun, *Fast Guided Filter*, 2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.geometry import Box, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.requests import ObjectnessSaliencyRequest
from eyefirst.tools.matte import drop_islands, strips

WORK_SIDE = 512
"""The longer side at which the filter's coefficients are found, in pixels."""
RADIUS, CONTRAST = 0.02, 1e-4
"""Of the filter: radius as a share of the longer side; variance, of levels in 0..1, that counts as an edge."""
UNSURE = (0.3, 0.7)
"""Between these values a pixel is partly subject; beyond them it is not, or wholly."""
ISLAND, PALE_ISLAND = 0.01, 0.1
"""Shares of the mask's largest part: what another part must have to stay, and what it must have if it is pale."""
CLOSE_MARGIN, CLOSE_AREA = 0.15, 0.75
"""Free space round the subjects in the close look; that look is taken where it covers less of the picture than this."""
CLOSE_SIDE = 272
"""The side of the combined map, in cells."""


def close_map(handler: ImageRequestHandler, revision: str | None = None) -> NDArray[np.float32]:
    """Return the objectness of a picture, (272, 272) float32 in 0..1, finer where its subjects are.

    Where the subjects are small, the network looks at their part alone once more, and both answers are averaged as
    log-odds. The weight of the close look falls to nothing at the borders of its part.
    """
    seen = handler.perform([ObjectnessSaliencyRequest(revision=revision)])[0]
    side = Size(CLOSE_SIDE, CLOSE_SIDE)
    whole = seen.heat_map.resized(side)
    part = seen.union_box.expanded(CLOSE_MARGIN) if seen.union_box else Box.whole()
    if part.area >= CLOSE_AREA:
        return whole
    close = handler.perform([ObjectnessSaliencyRequest(revision=revision, region_of_interest=part)])[0]
    box = part.to_pixels(side)
    inside = (slice(box.top, box.bottom), slice(box.left, box.right))
    down, across = (_ramp(*ends) for ends in ((box.top, box.bottom), (box.left, box.right)))
    weight = 0.5 * down[:, None] * across[None]
    odds = (1 - weight) * _odds(whole[inside]) + weight * _odds(close.heat_map.resized(box.size))
    whole[inside] = 1 / (1 + np.exp(-odds))
    return whole


def _ramp(start: int, stop: int) -> NDArray[np.float32]:
    """1 inside a part, falling to 0 at its ends, except where an end is the picture's own."""
    places, wide = np.arange(start, stop) + 0.5, max((stop - start) * 0.1, 1)
    rising = np.ones(len(places)) if start == 0 else ((places - start) / wide).clip(0, 1)
    falling = np.ones(len(places)) if stop == CLOSE_SIDE else ((stop - places) / wide).clip(0, 1)
    return np.minimum(rising, falling).astype(np.float32)


def _odds(values: NDArray[np.float32]) -> NDArray[np.float32]:
    sure = values.clip(0.002, 0.998)
    return np.log(sure / (1 - sure))


def soft_mask(rough: NDArray[np.float32], picture: PillowImage.Image) -> NDArray[np.float32]:
    """Return a rough map as a mask of the picture's size, (height, width) float32 in 0..1, along the picture's edges.

    Small parts away from the rest are dropped. rough: (rows, columns) float32 in 0..1. picture: upright, RGB or RGBA.
    """
    small = picture.convert("RGB")
    small.thumbnail((WORK_SIDE, WORK_SIDE), PillowImage.Resampling.BOX, reducing_gap=2.0)
    size = Size(*small.size)
    values = np.asarray(PillowImage.fromarray(rough).resize(size.as_tuple, PillowImage.Resampling.BICUBIC))
    guide = np.asarray(small, np.float32) / np.float32(255)
    slopes = _coefficients(guide, values.clip(0, 1), max(2, round(RADIUS * max(size))))
    planes = [PillowImage.fromarray(np.ascontiguousarray(slopes[..., c])) for c in range(4)]
    mask = np.empty((picture.height, picture.width), np.float32)
    low, high = UNSURE
    for left, top, right, bottom in strips(picture):
        colours = np.asarray(picture.crop((left, top, right, bottom)).convert("RGB"), np.float32) / 255
        place = (0, top * size.height / picture.height, size.width, bottom * size.height / picture.height)
        extent = (picture.width, bottom - top)
        *steep, level = (np.asarray(p.resize(extent, PillowImage.Resampling.BILINEAR, place)) for p in planes)
        found = level + sum(s * colours[..., c] for c, s in enumerate(steep))
        share = ((found - low) / (high - low)).clip(0, 1)
        mask[top:bottom] = share * share * (3 - 2 * share)
    drop_islands(mask, share=ISLAND, pale=PALE_ISLAND)
    return mask


def _coefficients(guide: NDArray[np.float32], values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """The local linear model of the values by the guide's three colours: (height, width, 4), slopes and level."""
    mean_guide, mean_values = box_mean(guide, radius), box_mean(values, radius)
    together = box_mean(guide * values[..., None], radius) - mean_guide * mean_values[..., None]
    pairs = [(i, j) for i in range(3) for j in range(i, 3)]
    products = box_mean(np.stack([guide[..., i] * guide[..., j] for i, j in pairs], axis=2), radius)
    spread = np.empty((*values.shape, 3, 3), np.float32)
    for n, (i, j) in enumerate(pairs):
        spread[..., i, j] = spread[..., j, i] = products[..., n] - mean_guide[..., i] * mean_guide[..., j]
    spread += CONTRAST * np.eye(3, dtype=np.float32)
    slopes = np.linalg.solve(spread, together[..., None])[..., 0]
    level = mean_values - (slopes * mean_guide).sum(2)
    return box_mean(np.dstack([slopes, level]), radius)


def box_mean(values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Return the mean over a square of 2 * radius + 1 pixels, cut at the borders: float32 of the same shape."""
    for axis in (0, 1):
        n = values.shape[axis]
        sums = np.cumsum(values, axis=axis, dtype=np.float64)
        sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis=axis)
        stops = np.minimum(np.arange(n) + radius + 1, n)
        starts = np.maximum(np.arange(n) - radius, 0)
        count = (stops - starts).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
        values = ((sums.take(stops, axis) - sums.take(starts, axis)) / count).astype(np.float32)
    return values
