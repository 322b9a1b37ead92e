"""A frame as it is stored: planes of luma and chroma, how they are turned upright, cut, and padded.

A plane is (height, width), uint8 or uint16. Colours are never converted here, so that levels stay what they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.geometry import Box, Size

BLUR_SHARE = 0.04
"""Standard deviation of a blurred ground, as a share of the result's longer side."""
BLUR_SIDE = 256
"""The longer side at which a blurred ground is made, in pixels."""
REACH = 8
"""Pixels beyond a part that an interpolation filter may read."""
TILT = math.tan(math.radians(1))
"""Angles up to one degree count as quarter turns."""
Pixels = TypeVar("Pixels", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Turn:
    """How a stored frame becomes upright: transposed, then mirrored (left to right), then flipped (top to bottom).

    stretch: how much wider than high the display matrix draws a pixel, upright.
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False
    stretch: float = 1.0

    @classmethod
    def from_display_matrix(cls, matrix: Sequence[int]) -> Turn | None:
        """Return the turn of a display matrix: nine integers by rows, as in MP4. None: it is no quarter turn."""
        a, b, c, d = (float(matrix[i]) for i in (0, 1, 3, 4))
        straight, crossed = min(abs(a), abs(d)), min(abs(b), abs(c))
        if straight > 0 and max(abs(b), abs(c)) <= TILT * straight:
            return cls(False, a < 0, d < 0, abs(a / d))
        if crossed > 0 and max(abs(a), abs(d)) <= TILT * crossed:
            return cls(True, c < 0, b < 0, abs(c / b))
        return None

    def upright(self, pixels: NDArray[Pixels]) -> NDArray[Pixels]:
        """Return a view of stored pixels, (height, width, ...), turned upright."""
        if self.transposed:
            pixels = pixels.swapaxes(0, 1)
        return pixels[:: -1 if self.flipped else 1, :: -1 if self.mirrored else 1]

    def turned(self, size: Size) -> Size:
        """Return the upright size of a stored one; the way back is the same."""
        return Size(size.height, size.width) if self.transposed else size


def planes_of(frame: Any) -> list[NDArray[Any]]:
    """Return the planes of a planar frame as views; a write to them changes the frame."""
    dtype = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    step = np.dtype(dtype).itemsize
    return [np.frombuffer(p, dtype).reshape(-1, p.line_size // step)[: p.height, : p.width] for p in frame.planes]


def cut(plane: NDArray[Any], box: Box, size: Size, bits: int) -> NDArray[Any]:
    """Return a part of a plane at a size. box: 0..1 of the plane, edges may lie between pixels.

    A part that begins at whole pixels and has the result's size is copied untouched.
    """
    height, width = plane.shape
    left, top, right, bottom = box.left * width, box.top * height, box.right * width, box.bottom * height
    x, y = round(left), round(top)
    same_size = abs(right - left - size.width) < 0.5 and abs(bottom - top - size.height) < 0.5
    if same_size:
        x, y = min(x, width - size.width), min(y, height - size.height)
        if max(abs(left - x), abs(top - y)) < 0.02:
            return plane[y : y + size.height, x : x + size.width]
        # exactly the result's size, so that only the place is interpolated, never the scale
        left, top = min(max(left, 0.0), width - size.width), min(max(top, 0.0), height - size.height)
        right, bottom = left + size.width, top + size.height
    # only the part that is needed, with what the filter reaches
    x0, y0 = max(int(left) - REACH, 0), max(int(top) - REACH, 0)
    x1, y1 = min(int(right) + REACH + 1, width), min(int(bottom) + REACH + 1, height)
    edges = (left - x0, top - y0, min(right - x0, x1 - x0), min(bottom - y0, y1 - y0))
    return resampled(plane[y0:y1, x0:x1], size, bits, edges)


def resampled(
    plane: NDArray[Any], size: Size, bits: int, edges: tuple[float, float, float, float] | None = None
) -> NDArray[Any]:
    """Return a plane, or the part of it between the edges, at a size."""
    picture = PillowImage.fromarray(np.ascontiguousarray(plane))
    result = np.asarray(picture.resize(size.as_tuple, PillowImage.Resampling.BICUBIC, edges))
    return np.minimum(result, (1 << bits) - 1) if plane.dtype == np.uint16 else result


def padded(
    inner: NDArray[Any], corner: tuple[int, int], size: Size, style: str, *, level: int = 0, bits: int = 8
) -> NDArray[Any]:
    """Return a plane of a size with another one at a corner (left, top), and a ground round it.

    style: "blur" and "extend" make the ground of the inner plane; any other fills it with `level`.
    """
    left, top = corner
    high, wide = inner.shape
    if style == "extend":
        edges = ((top, size.height - top - high), (left, size.width - left - wide))
        return np.pad(inner, edges, mode="edge")
    flat = np.full((size.height, size.width), level, inner.dtype)
    ground = _blurred(inner, size, bits) if style == "blur" else flat
    ground[top : top + high, left : left + wide] = inner
    return ground


def _blurred(inner: NDArray[Any], size: Size, bits: int) -> NDArray[Any]:
    """The inner plane as large as the result, blurred; made small, where a blur is cheap."""
    share = min(BLUR_SIDE / max(size.width, size.height), 1.0)
    small = (max(round(size.width * share), 1), max(round(size.height * share), 1))
    reduced = PillowImage.fromarray(np.ascontiguousarray(inner)).resize(small, PillowImage.Resampling.BILINEAR)
    values = np.asarray(reduced, np.float32)
    spread = BLUR_SHARE * max(small)
    soft = _smooth(_smooth(values, spread).T, spread).T
    large = PillowImage.fromarray(np.ascontiguousarray(soft)).resize(size.as_tuple, PillowImage.Resampling.BICUBIC)
    return np.clip(np.asarray(large) + 0.5, 0, (1 << bits) - 1).astype(inner.dtype)


def _smooth(values: NDArray[np.float32], spread: float) -> NDArray[np.float32]:
    """A Gaussian mean down the columns; the edges go on beyond the picture."""
    reach = max(1, math.ceil(3 * spread))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    wide = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return sum((w * wide[i : i + len(values)] for i, w in enumerate(weights)), np.zeros_like(values))
