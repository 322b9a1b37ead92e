"""ThumbHash: a picture in about 25 bytes, for a page to show while the picture itself is on its way."""

from __future__ import annotations

import base64
import math

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from eyefirst.geometry import round_half_up

SIDE = 100
"""Longest side in pixels of what is looked at."""


def thumbhash(picture: PIL.Image.Image) -> str:
    """Return the ThumbHash of an RGB or RGBA picture, in base64: 24 to 36 characters.

    Any decoder of ThumbHash draws it as a blurred picture with about the same ratio and average colour. The method
    is Evan Wallace's (https://evanw.github.io/thumbhash): cosine transforms of luminance, two colour differences and
    alpha, in 4 bits a coefficient.
    """
    small = picture.convert("RGBA")
    small.thumbnail((SIDE, SIDE), PIL.Image.Resampling.BILINEAR)
    width, height = small.size
    pixels = np.asarray(small, np.float64) / 255
    alpha = pixels[..., 3:]
    average = (pixels[..., :3] * alpha).sum((0, 1)) / max(alpha.sum(), 1e-9)
    red, green, blue = np.moveaxis(average * (1 - alpha) + pixels[..., :3] * alpha, -1, 0)
    has_alpha, longer = bool(alpha.min() < 1), max(width, height)
    across, down = (max(1, round_half_up((5 if has_alpha else 7) * side / longer)) for side in (width, height))
    luminance = _cosines((red + green + blue) / 3, max(3, across), max(3, down))
    yellow = _cosines((red + green) / 2 - blue, 3, 3)
    redness = _cosines(red - green, 3, 3)
    is_wide = width > height
    head = round_half_up(63 * luminance[0]) | round_half_up(31.5 + 31.5 * yellow[0]) << 6
    head |= round_half_up(31.5 + 31.5 * redness[0]) << 12 | round_half_up(31 * luminance[1]) << 18 | has_alpha << 23
    more = (
        (down if is_wide else across)
        | round_half_up(63 * yellow[1]) << 3
        | round_half_up(63 * redness[1]) << 9
        | is_wide << 15
    )
    found = bytearray(head.to_bytes(3, "little") + more.to_bytes(2, "little"))
    nibbles = [*luminance[2], *yellow[2], *redness[2]]
    if has_alpha:
        opacity = _cosines(alpha[..., 0], 5, 5)
        found.append(round_half_up(15 * opacity[0]) | round_half_up(15 * opacity[1]) << 4)
        nibbles += opacity[2]
    nibbles += [0] * (len(nibbles) % 2)
    found += bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return base64.b64encode(found).decode()


def _cosines(channel: NDArray[np.float64], across: int, down: int) -> tuple[float, float, list[int]]:
    """Mean of a channel, the largest of its other coefficients, and these in 0..15 as shares of that."""
    height, width = channel.shape
    columns = np.cos(math.pi / width * np.outer(np.arange(across), np.arange(width) + 0.5))
    rows = np.cos(math.pi / height * np.outer(np.arange(down), np.arange(height) + 0.5))
    all_of_them = rows @ channel @ columns.T / (width * height)
    wanted = [
        float(all_of_them[y, x])
        for y in range(down)
        for x in range(across)
        if (x or y) and x * down < across * (down - y)
    ]
    scale = max(map(abs, wanted))
    return (
        float(all_of_them[0, 0]),
        scale,
        [round_half_up(15 * (0.5 + 0.5 * f / scale if scale else f)) for f in wanted],
    )
