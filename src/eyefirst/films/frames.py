"""What a film says about itself, and one decoded frame of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.films.planes import Turn
from eyefirst.films.tone_mapping import tone_mapped
from eyefirst.geometry import Size

TALLEST_601 = 720
"""Films of less height without a word about their colours are taken for BT.601, as players do."""


class Scale(Protocol):
    """Converts a stored frame to packed pixels of a size."""

    def __call__(self, frame: VideoFrame, size: Size, format: str, interpolation: str) -> NDArray[Any]:
        """Return the pixels, (height, width, 3), of FFmpeg's format."""


@dataclass(frozen=True, slots=True)
class ColourTags:
    """What a film says about its colours, in FFmpeg's numbers (ITU-T H.273); 2 and range 0: nothing is said."""

    primaries: int
    transfer: int
    matrix: int
    range: int

    @property
    def is_full_range(self) -> bool:
        """Whether black is 0, not 16."""
        return self.range == 2


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a film says about itself.

    size: upright, in stored pixels. turn: from a stored frame to the upright one. pixel_aspect: width of a pixel by
    its height, upright. frames_per_second: the average. seconds, frame_count: as the file says, None where it does
    not. transfer: "sdr", "pq" or "hlg". bits: of one sample. chroma: "4:2:0", "4:2:2", "4:4:4", "grey" or "rgb".
    has_alpha: whether frames may be transparent; see `VideoFrame.is_transparent`. has_sound: whether there is a sound
    track.
    """

    name: str
    size: Size
    turn: Turn
    pixel_aspect: Fraction
    frames_per_second: Fraction
    seconds: Fraction | None
    frame_count: int | None
    transfer: str
    has_alpha: bool
    bits: int
    chroma: str
    colours: ColourTags
    has_sound: bool = False

    @property
    def expected_frames(self) -> int | None:
        """How many frames to expect, for a progress bar; None where nothing tells."""
        if self.frame_count:
            return self.frame_count
        return round(self.seconds * self.frames_per_second) if self.seconds else None

    @property
    def display_size(self) -> Size:
        """The upright size in square pixels: the short side grows, so that no detail is lost."""
        if self.pixel_aspect >= 1:
            return Size(max(1, round(self.size.width * self.pixel_aspect)), self.size.height)
        return Size(self.size.width, max(1, round(self.size.height / self.pixel_aspect)))


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One decoded frame. seconds: from the film's start. raw: PyAV's own, as stored. scale: the reader's."""

    seconds: Fraction
    raw: Any
    info: VideoInfo
    scale: Scale

    def pixels(self, size: Size | None = None) -> NDArray[np.uint8]:
        """Return upright sRGB, (height, width, 3) uint8, of the film's size or squashed to another.

        High dynamic range is tone-mapped.
        """
        info = self.info
        stored = info.turn.turned(size or info.size)
        hdr = info.transfer != "sdr"
        pixels = self.scale(self, stored, "rgb48le" if hdr else "rgb24", "BILINEAR")
        if hdr:
            pixels = tone_mapped(pixels, info.transfer)
        return np.ascontiguousarray(info.turn.upright(pixels))

    @property
    def is_transparent(self) -> bool:
        """Whether any pixel is transparent; True too where the file says so, and its decoder gives no transparency."""
        if not self.info.has_alpha:
            return False
        if not may_be_transparent(self.raw.format):
            return True
        return int(self.raw.reformat(format="rgba").to_ndarray()[..., 3].min()) < 255

    def rough(self, side: int) -> NDArray[np.uint8]:
        """Return the frame squashed to (side, side, 3) uint8 BGR the fast way, as it is stored: to find cuts."""
        return self.scale(self, Size(side, side), "bgr24", "FAST_BILINEAR")

    def picture(self) -> PillowImage.Image:
        """Return the upright frame for looking at: full resolution, sRGB, square pixels."""
        picture = PillowImage.fromarray(self.pixels())
        size = self.info.display_size.as_tuple
        return picture if picture.size == size else picture.resize(size, PillowImage.Resampling.BICUBIC)


def source_matrix(info: VideoInfo) -> str | None:
    """Return swscale's name of the matrix of a film that does not name it; None: the frames name it."""
    if info.colours.matrix != 2 or info.chroma == "rgb":
        return None
    return "ITU601" if min(info.size.width, info.size.height) < TALLEST_601 else "ITU709"


def may_be_transparent(format: Any) -> bool:
    """Return whether a PyAV pixel format has an alpha channel, or a palette, which may have transparent colours."""
    return format.has_palette or any(c.is_alpha for c in format.components)


def chroma_of(format: Any) -> str:
    """Return how a PyAV pixel format keeps its colours, as `VideoInfo.chroma` says it."""
    if format.is_rgb or format.has_palette:
        return "rgb"
    if len(format.components) < 3:
        return "grey"
    wide, high = format.chroma_width(16), format.chroma_height(16)
    return {(8, 8): "4:2:0", (8, 16): "4:2:2", (16, 16): "4:4:4"}.get((wide, high), "4:2:0")
