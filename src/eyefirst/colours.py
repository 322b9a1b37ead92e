"""Colours: CSS names, and perceptually uniform maps for drawing heat maps.

The maps are those of Smith, van der Walt and Firing (CC0) and of Nuñez et al. (cividis), given here by
18 evenly spaced anchors and read by linear interpolation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from eyefirst.errors import InvalidValueError

_ANCHORS = {
    "inferno": (
        "0000040a07221e0c45380962510e6c69166e801f6c982766b0315bc63d4dd94d3de9612bf47918fa9407fcb014f8cd37f2ea69fcffa4"
    ),
    "magma": (
        "0000040907201a10423111654a1079621980792282912b81aa337dc23b75d9466bec5860f7725cfc8e64feaa74fec68afde2a3fcfdbf"
    ),
    "viridis": (
        "440154481769472a7a433d843d4e8a355e8d2e6d8e297b8e23898e1f978b21a5852eb37c46c06f65cb5e89d548b0dd2fd8e219fde725"
    ),
    "cividis": (
        "00224e002d681637702e416d3f4c6c4e566c5c616e696b71767676838179928c78a09875afa471bfb06bcfbd62dfca57f0d846fee838"
    ),
    "grey": "000000ffffff",
}
COLORMAPS = tuple(_ANCHORS)


def apply_colormap(values: NDArray[np.floating], name: str) -> NDArray[np.uint8]:
    """Colours (h, w, 3) uint8 RGB for values (h, w) in 0..1."""
    if not isinstance(name, str) or name not in _ANCHORS:
        raise InvalidValueError(
            f"expected a colour map among {', '.join(COLORMAPS)}; got {name!r}", remedy="choose one"
        )
    anchors = np.frombuffer(bytes.fromhex(_ANCHORS[name]), np.uint8).reshape(-1, 3)
    places = np.linspace(0, 255, len(anchors))
    table = np.stack([np.interp(np.arange(256), places, anchors[:, c]) for c in range(3)], axis=1)
    levels = np.clip(np.asarray(values) * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(table.round().astype(np.uint8)[levels])


def parse_colour(text: str) -> tuple[int, int, int]:
    """A CSS colour as RGB, 0..255."""
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except (ValueError, AttributeError, TypeError):
        raise InvalidValueError(
            f"expected a CSS colour, got {text!r}", remedy="use a colour such as 'white' or '#8899aa'"
        ) from None
    return red, green, blue
