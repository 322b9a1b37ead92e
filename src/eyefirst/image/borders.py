"""Even borders round a picture: the black bars of a film still, a photographer's white frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eyefirst.geometry import Box

EVEN = 6.0
"""Levels that the colours of a border's pixels spread at most, as a standard deviation: JPEG's noise is less."""
LEAST, MOST = 0.01, 0.3
"""A border's width, as a share of the picture's side."""
ALIKE = 12.0
"""Levels by which the borders on opposite sides differ at most."""
STEP = 16.0
"""Levels by which what is inside differs from the border."""
STRAIGHT = 0.6
"""Share of the pixels along a border that differ from it at once: a product on white has no border."""
LOPSIDED = 2.0
"""Borders on opposite sides differ in width by this factor at most."""
SOFT = 6
"""Lines over which a border's edge may be blurred, as a JPEG blurs colours."""
SAMPLES = 256
"""About so many pixels of a line are looked at."""
FIRST_LINES = 16
"""Lines that are looked at first; then twice as many, and so on."""
DEEPER = 2
"""A frame may be drawn round a frame, so many times."""


def inside_borders(pixels: NDArray[np.uint8]) -> Box:
    """Return the part of a picture inside its borders, in 0..1; the whole picture where there are none.

    pixels: (height, width, 3) uint8, RGB. A border is even, ends in a straight line, and stands on two opposite sides.
    One more line of pixels is left out on each side that has one, since edges are soft.
    """
    height, width = pixels.shape[:2]
    top, bottom, left, right = 0, height, 0, width
    for depth in range(1 + DEEPER):
        part = pixels[top:bottom, left:right]
        above, below = _widths(part, height, depth)
        before, after = _widths(part.swapaxes(0, 1), width, depth)
        if not (above or before):
            break
        top, bottom, left, right = top + above, bottom - below, left + before, right - after
    if bottom - top < (1 - 2 * MOST) * height or right - left < (1 - 2 * MOST) * width:
        return Box.whole()
    return Box(left / width, top / height, right / width, bottom / height)


def _widths(lines: NDArray[np.uint8], side: int, depth: int) -> tuple[int, int]:
    """Lines of the border at the beginning and at the end; 0 and 0 where there is none.

    side: of the whole picture. depth: how many borders lie round this part; inner ones may be thin lines.
    """
    most = int(MOST * side)
    first, last = _width(lines, most), _width(lines[::-1], most)
    low, high = sorted((first, last))
    if low < (1 if depth else max(LEAST * side, 2)) or high > LOPSIDED * low:
        return 0, 0
    if np.abs(_colours(lines[:1])[0] - _colours(lines[-1:])[0]).max() > ALIKE:
        return 0, 0
    return first + 1, last + 1


def _width(lines: NDArray[np.uint8], most: int) -> int:
    """How many lines belong to the border at the beginning; 0 where it is uneven, too wide, or ends ragged."""
    if min(lines.shape[:2]) < 4:
        return 0
    colour, spread = _colours(lines[:1])
    if spread[0] > EVEN:
        return 0
    first, last, step = 1, min(most, len(lines) - 2), FIRST_LINES
    while first < last:  # most pictures that begin evenly go on unevenly soon
        colours, spread = _colours(lines[first : min(first + step, last)])
        ends = (np.abs(colours - colour).max(1) > EVEN) | (spread > EVEN)
        if ends.any():
            first += int(ends.argmax())
            break
        first, step = first + step, 2 * step
    else:
        return 0
    edge = lines[first : first + SOFT].astype(np.float32)
    inside = (np.abs(edge - colour).max(2) > STEP).mean(1) >= STRAIGHT
    return first + int(inside.argmax()) if inside.any() else 0


def _colours(lines: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each line the mean colour, (n, 3), and the largest standard deviation of its channels, (n,)."""
    some = lines[:, :: max(1, lines.shape[1] // SAMPLES)].swapaxes(1, 2).astype(np.float32, order="C")
    return some.mean(2), some.std(2).max(1)
