"""`Image`: a picture as everything after this folder sees it; and pictures of Pillow without their past."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from eyefirst.geometry import Box, Size


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture as everything after this folder sees it: upright, sRGB, without alpha.

    `pixels` is (height, width, 3) uint8, RGB, 0..255, row 0 at the top, read-only. It may be smaller
    than `size`, the upright size at full resolution, when the caller asked for fewer pixels.
    `warnings` says what was amiss with the file and did not keep it from being read.
    `sha256` is of the file's bytes; for arrays and Pillow pictures, of the shape and the pixels.
    """

    pixels: NDArray[np.uint8]
    size: Size
    name: str
    sha256: str
    format: str
    frame_count: int
    warnings: tuple[str, ...] = ()

    @property
    def is_reduced(self) -> bool:
        """Say whether `pixels` has fewer pixels than the file."""
        return self.pixels.shape[:2] != (self.size.height, self.size.width)

    def squashed(self, side: int) -> NDArray[np.uint8]:
        """Resize the whole picture to (side, side, 3) uint8 RGB, contiguous; its aspect ratio is not kept."""
        target = Size(side, side).as_tuple
        return np.array(PIL.Image.fromarray(self.pixels).resize(target, PIL.Image.Resampling.BILINEAR))

    def region(self, box: Box) -> Image:
        """Return a part of the picture, as a view; name and sha256 stay those of the whole.

        A reduced picture has few pixels to spare: for a region, load with a larger `at_least`.
        """
        height, width = self.pixels.shape[:2]
        part = box.to_pixels(Size(width, height))
        pixels = self.pixels[part.top : part.bottom, part.left : part.right]
        return replace(self, pixels=pixels, size=box.to_pixels(self.size).size)


def bare(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Return a copy without what Pillow remembers of its source, such as a profile: `save` would write it."""
    copy = picture.copy()
    copy.info = {}
    return copy
