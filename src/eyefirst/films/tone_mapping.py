"""High dynamic range and bytes: PQ and HLG to sRGB for looking at, and an sRGB colour to the levels of a film."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HDR_TRANSFERS = {16: "pq", 18: "hlg"}
"""FFmpeg's numbers of SMPTE ST 2084 and ARIB STD-B67, the curves of high dynamic range (ITU-R BT.2100)."""
PQ_WHITE, HLG_WHITE = 203 / 10_000, 0.265
"""Reference white of BT.2408, as a share of each curve's peak light. It becomes the white of sRGB."""
LUMA_WEIGHTS = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}
"""Weights of red and blue in luma, by FFmpeg's number of the matrix: BT.709, BT.2020. Others count as BT.601."""
BT_601 = (0.299, 0.114)


def tone_mapped(values: NDArray[np.uint16], transfer: str) -> NDArray[np.uint8]:
    """Return sixteen-bit BT.2020 of a curve ("pq" or "hlg") as sRGB bytes; any shape that ends in 3.

    Light is scaled so that reference white is white, and converted to the primaries of BT.709. What is brighter is
    rolled off (Reinhard et al., SIGGRAPH 2002, with a white point of eight times reference white).
    """
    levels = np.arange(65536, dtype=np.float64) / 65535
    if transfer == "pq":
        root = levels ** (1 / 78.84375)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125) / PQ_WHITE
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - c) / a) + b) / 12) / HLG_WHITE
    linear = light.astype(np.float32)[values]
    to_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)
    linear = np.maximum(linear @ to_709.T, 0)
    linear = linear * (1 + linear / 64) / (1 + linear) * 65 / 33  # 1 stays near 1 and 8 and more become white
    linear = np.clip(linear * 0.75, 0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (coded * 255 + 0.5).astype(np.uint8)


def coded_colour(
    colour: tuple[int, int, int], *, transfer: str, matrix: int, is_full_range: bool, bits: int
) -> tuple[int, int, int]:
    """Return an sRGB colour as levels of luma and the two chromas, as a film codes them.

    transfer: "sdr", "pq" or "hlg"; white is reference white there. matrix: FFmpeg's number.
    """
    values = np.array(colour, np.float64) / 255
    if transfer != "sdr":
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
        light = np.clip(to_2020 @ linear, 0, 1)
        if transfer == "pq":
            power = (light * PQ_WHITE) ** 0.1593017578125
            values = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
        else:
            scene = light * HLG_WHITE
            values = np.where(
                scene <= 1 / 12,
                np.sqrt(3 * scene),
                0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073,
            )
    red, blue = LUMA_WEIGHTS.get(matrix, BT_601)
    luma = red * values[0] + (1 - red - blue) * values[1] + blue * values[2]
    chromas = ((values[2] - luma) / (2 * (1 - blue)), (values[0] - luma) / (2 * (1 - red)))
    unit = 1 << (bits - 8)
    most = (1 << bits) - 1
    if is_full_range:
        levels = [luma * most, *(c * most + 128 * unit for c in chromas)]
    else:
        levels = [(16 + 219 * luma) * unit, *((128 + 224 * c) * unit for c in chromas)]
    y, u, v = (min(max(round(float(v)), 0), most) for v in levels)
    return y, u, v
