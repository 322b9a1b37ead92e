"""Arrays: one is a picture, or an error says what makes it one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyefirst.errors import UnsupportedPictureError

MOST_CHANNELS = 32
"""A last axis longer than this is not taken for channels."""


def checked_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the array itself, if it is (height, width), (height, width, 3) or (height, width, 4) of uint8.

    Raises UnsupportedPictureError, with the code that makes this very array a picture where code does it.
    """
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if shaped and array.dtype == np.uint8 and array.size > 0:
        return array
    raise UnsupportedPictureError(
        f"expected an array (height, width, 3) of uint8, RGB, at least 1 x 1, got shape {array.shape} of {array.dtype}",
        remedy=_remedy(array, shaped),
        source="<array>",
    )


def _remedy(array: NDArray[Any], shaped: bool) -> str:
    kind = array.dtype.kind
    cases = [
        (array.size == 0, "it holds no pixels; check where it was cut or read"),
        (kind in "OSUV", "it holds no numbers; give one picture at a time, in a loop"),
        (kind not in "buif", "give real numbers: use abs(array)"),
    ]
    for case, remedy in cases:
        if case:
            return remedy
    return _remedy_for_values(array) if shaped else _remedy_for_shape(array.shape)


def _remedy_for_values(array: NDArray[Any]) -> str:
    kind, low, high = array.dtype.kind, float(array.min()), float(array.max())
    finite = bool(np.isfinite(low) and np.isfinite(high))
    shift = max(int(high).bit_length() - 8, 0) if finite else 0
    cases = [
        (kind == "b", "it holds truth values: use array.astype('uint8') * 255"),
        (not finite, "it holds NaN or infinity: first use numpy.nan_to_num(array, posinf=0, neginf=0)"),
        (kind == "f" and low >= 0 and high <= 1, "for values in 0..1 use (array * 255).round().astype('uint8')"),
        (low >= 0 and high <= 255, "its values are in 0..255 already: use array.astype('uint8')"),
        (
            kind in "iu" and low >= 0 and high <= 65535,
            f"for values of {shift + 8} bits use (array >> {shift}).astype('uint8')",
        ),
    ]
    for case, remedy in cases:
        if case:
            return remedy
    return "bring its values to 0..255: use numpy.interp(array, (array.min(), array.max()), (0, 255)).astype('uint8')"


def _remedy_for_shape(shape: tuple[int, ...]) -> str:
    axes, first, last = len(shape), shape[0] if shape else 0, shape[-1] if shape else 0
    cases = [
        (axes == 4, "it is a batch; give one picture of it: use array[0]"),
        (axes == 1, "if it holds the bytes of a file, use array.tobytes()"),
        (axes != 3, "reshape it to (height, width, 3)"),
        (last == 1, "grey has two axes: use array[..., 0]"),
        (last == 2, "grey with alpha is given as RGBA: use array[..., [0, 0, 0, 1]]"),
        (last <= MOST_CHANNELS and first > 4, "give three of its channels: use array[..., :3]"),
        (first in (3, 4), "colours go last: use numpy.moveaxis(array, 0, -1)"),
    ]
    for case, remedy in cases:
        if case:
            return remedy
    return "it is a stack of grey pictures; give one of them: use array[0]"
