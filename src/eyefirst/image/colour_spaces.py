"""Colour spaces that a file names by numbers instead of carrying a profile: CICP, gAMA and cHRM.

What is made of them is what Chromium shows. A space with an ordinary transfer function becomes an ICC
profile, which then takes the same way as any other. PQ and HLG are mapped to the range of a screen by
the curve of SMPTE ST 2094-50 for a picture without gain curves of its own: up to the white of paper
(203 nits) brightness is halved if the picture reaches 1000 nits or more; above, it is bent into the
other half.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from eyefirst.image.containers import png_chunks, primary_properties

Chromaticities: TypeAlias = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue."""
Transfer: TypeAlias = float | Literal["sRGB", "240M", "428", "PQ", "HLG"]
"""A power, or the name of a curve."""
_Floats: TypeAlias = NDArray[np.float64]

SRGB: Chromaticities = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
PRIMARIES: dict[int, Chromaticities] = {  # by their numbers in ITU-T H.273
    1: SRGB,
    2: SRGB,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (0.3127, 0.3290, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    10: (1 / 3, 1 / 3, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (0.3127, 0.3290, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
TRANSFERS: dict[int, Transfer] = {
    **dict.fromkeys((1, 6, 11, 14, 15), 2.4),  # as BT.1886 shows them
    2: "sRGB",
    4: 2.2,
    5: 2.8,
    7: "240M",
    8: 1.0,
    13: "sRGB",
    16: "PQ",
    17: "428",
    18: "HLG",
}
AVIF_TRANSFERS: dict[int, Transfer] = {**TRANSFERS, **dict.fromkeys((1, 6, 11, 14, 15), "sRGB")}
"""Encoders write the number of video for what is sRGB, so browsers show it as sRGB."""

PAPER_NITS = 203.0
PEAK_NITS = 1000.0
"""The brightest value, where the file does not say it."""
ROWS_PIXELS = 1 << 18
GAIN_STEPS = 1 << 14
PLAIN_GAMMA = 0.45455
"""A gAMA of this value without cHRM means sRGB."""


@dataclass(frozen=True)
class ColourSpace:
    """Primaries and a transfer function; `peak_nits` is the brightest value of PQ and HLG."""

    chromaticities: Chromaticities
    transfer: Transfer
    peak_nits: float = PEAK_NITS

    @property
    def is_srgb(self) -> bool:
        """Say whether nothing needs to be converted."""
        return self.transfer == "sRGB" and self.chromaticities == SRGB

    @property
    def is_hdr(self) -> bool:
        """Say whether values are brighter than a screen's white, so that no ICC profile can hold the space."""
        return self.transfer in ("PQ", "HLG")

    def profile(self) -> bytes:
        """Return the space as an ICC profile."""
        return _profile(self.chromaticities, self.transfer)

    def tone_mapped(self, picture: PIL.Image.Image) -> PIL.Image.Image:
        """Convert an RGB picture to sRGB, some rows at a time, because light takes four times the memory."""
        pixels = np.asarray(picture)
        result = np.empty_like(pixels)
        rows = max(ROWS_PIXELS // picture.width, 1)
        for top in range(0, picture.height, rows):
            result[top : top + rows] = _mapped(pixels[top : top + rows], self)
        return PIL.Image.fromarray(result)

    @cached_property
    def to_xyz(self) -> _Floats:
        """Return the matrix from linear RGB to XYZ; white has Y = 1."""
        white, *primaries = (_xyz(*self.chromaticities[i : i + 2]) for i in range(0, 8, 2))
        columns = np.stack(primaries, axis=1)
        return np.asarray(columns * np.linalg.solve(columns, white))


def stated_space(kind: str, data: bytes, info: dict[Any, Any]) -> ColourSpace | bytes | None:
    """Return the colour space or ICC profile that a file states; None for sRGB. info: Pillow's of the picture.

    Of several statements the one counts that the PNG specification and browsers put first.
    """
    profile = info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) and profile else None
    space: ColourSpace | None = None
    if kind == "PNG":
        space = _from_png(data)
        if space is None and profile is None and "srgb" not in info:
            space = _from_gamma(info.get("gamma"), info.get("chromaticity"))
    elif kind in ("AVIF", "HEIF") and profile is None:
        space = _from_boxes(data)
    elif kind == "JPEG XL":
        space = info.get("colour_space")
    if space is None:
        return profile
    return None if space.is_srgb else space


def _from_png(data: bytes) -> ColourSpace | None:
    cicp, peak, mastered = b"", 0.0, 0.0
    for name, content in png_chunks(data):
        if name == b"IDAT":
            break
        if name == b"cICP" and len(content) == 4:
            cicp = content
        elif name == b"cLLI" and len(content) == 8:
            peak = struct.unpack(">I", content[:4])[0] / 10000
        elif name == b"mDCV" and len(content) == 24:
            mastered = struct.unpack(">I", content[16:20])[0] / 10000
    if not cicp:
        return None
    primaries, transfer, matrix, full_range = cicp
    if matrix or not full_range:
        return None
    return _from_numbers(primaries, TRANSFERS.get(transfer, "sRGB"), peak or mastered)


def _from_boxes(data: bytes) -> ColourSpace | None:
    numbers, peak, mastered = None, 0.0, 0.0
    for name, content in primary_properties(data):
        if name == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
            numbers = struct.unpack(">HH", content[4:8])
        elif name == b"clli" and len(content) >= 2:
            peak = float(struct.unpack(">H", content[:2])[0])
        elif name == b"mdcv" and len(content) >= 20:
            mastered = struct.unpack(">I", content[16:20])[0] / 10000
    if numbers is None:
        return None
    return _from_numbers(numbers[0], AVIF_TRANSFERS.get(numbers[1], "sRGB"), peak or mastered)


def _from_numbers(primaries: int, transfer: Transfer, peak: float) -> ColourSpace:
    return ColourSpace(PRIMARIES.get(primaries, SRGB), transfer, max(peak, PAPER_NITS) if peak else PEAK_NITS)


def _from_gamma(gamma: Any, chromaticities: Any) -> ColourSpace | None:
    """Read gAMA, perhaps with cHRM, as Pillow gives them; cHRM alone says nothing."""
    if not isinstance(gamma, float) or not 0.01 < gamma < 100:
        return None
    if not isinstance(chromaticities, tuple) or len(chromaticities) != 8:
        return None if abs(gamma - PLAIN_GAMMA) < 0.00001 else ColourSpace(SRGB, 1 / gamma)
    space = ColourSpace(tuple(float(c) for c in chromaticities), 1 / gamma)  # type: ignore[arg-type]
    try:
        whole = np.isfinite(space.to_xyz).all() and abs(np.linalg.det(space.to_xyz)) > 1e-6
    except (np.linalg.LinAlgError, ZeroDivisionError):
        whole = False
    return space if whole else ColourSpace(SRGB, 1 / gamma)


# --- curves and matrices -----------------------------------------------------------------------------


def _xyz(x: float, y: float) -> _Floats:
    return np.array([x / y, 1.0, (1 - x - y) / y]) if y else np.array([x, y, 1 - x - y])


def linear(values: _Floats, transfer: Transfer = "sRGB") -> _Floats:
    """Return light for stored values in 0..1, of the same shape; for PQ in units of paper white."""
    if transfer == "sRGB":
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    if transfer == "240M":
        return np.where(values < 0.0912, values / 4, ((values + 0.1115) / 1.1115) ** (1 / 0.45))
    if transfer == "428":
        return np.minimum(values**2.6 * 52.37 / 48, 1)
    if transfer == "PQ":
        bent = values ** (32 / 2523)
        share = np.maximum(bent - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * bent)
        return np.asarray(share ** (16384 / 2610) * 10000 / PAPER_NITS)
    if transfer == "HLG":
        scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        return np.asarray(scene)
    return np.asarray(values**transfer)


def srgb_encoded(light: NDArray[Any]) -> NDArray[Any]:
    """Return stored values of sRGB, 0..1, for light that is clipped to 0..1; of the same shape and dtype."""
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


_ENCODED = (srgb_encoded(np.linspace(0, 1, 1 << 16)) * 255 + 0.5).astype(np.uint8)

BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D50 = np.array([0.9642, 1.0, 0.8249])


def _adapted(to_xyz: _Floats) -> _Floats:
    """Adapt the matrix to white at D50, as ICC profiles have it."""
    cones = BRADFORD @ to_xyz.sum(axis=1)
    return np.asarray(np.linalg.inv(BRADFORD) @ np.diag(BRADFORD @ D50 / cones) @ BRADFORD @ to_xyz)


@lru_cache(maxsize=16)
def _profile(chromaticities: Chromaticities, transfer: Transfer) -> bytes:
    """Build a matrix profile of version 2 with a table of 256 values, one for each that a picture can have."""
    matrix = _adapted(ColourSpace(chromaticities, transfer).to_xyz)
    table = (linear(np.arange(256) / 255, transfer) * 65535).round().astype(">u2").tobytes()
    name = b"eyefirst\0"
    tags = [
        ([b"desc"], b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78)),
        ([b"cprt"], b"text" + bytes(4) + b"CC0\0"),
        ([b"wtpt"], _xyz_tag(D50)),
        *(([channel + b"XYZ"], _xyz_tag(matrix[:, i])) for i, channel in enumerate((b"r", b"g", b"b"))),
        ([b"rTRC", b"gTRC", b"bTRC"], b"curv" + bytes(4) + struct.pack(">I", 256) + table),
    ]
    entries, body = [], b""
    start = 128 + 4 + 12 * sum(len(names) for names, _ in tags)
    for names, content in tags:
        padded = content.ljust(-(-len(content) // 4) * 4, b"\0")
        entries += [struct.pack(">4sII", tag, start + len(body), len(content)) for tag in names]
        body += padded
    head = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(body), b"", 0x02400000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp"
    )
    head = head.ljust(68, b"\0") + _xyz_tag(D50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(entries)) + b"".join(entries) + body


def _xyz_tag(xyz: _Floats) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">iii", *(round(float(v) * 65536) for v in xyz))


# --- from the range of PQ and HLG to that of a screen ------------------------------------------------

KNEE_BEND = 0.65
HLG_NITS = 1000.0
HLG_GAMMA = 1.2


def _mapped(pixels: NDArray[np.uint8], space: ColourSpace) -> NDArray[np.uint8]:
    """Convert rows of RGB in PQ or HLG to sRGB. The gain follows the largest channel in Rec. 2020."""
    table = linear(np.arange(256) / 255, space.transfer).astype(np.float32)
    light = table[pixels.reshape(-1, 3)]
    if space.transfer == "HLG":
        brightness = light @ space.to_xyz[1].astype(np.float32)
        light *= (brightness ** (HLG_GAMMA - 1) * (HLG_NITS / PAPER_NITS))[:, None]
    wide = ColourSpace(PRIMARIES[9], 1.0)
    if space.chromaticities != wide.chromaticities:
        light = light @ _between(space, wide)
    if space.peak_nits > PAPER_NITS:
        light *= _gains(light.max(axis=1), space.peak_nits)[:, None]
    light = light @ _between(wide, ColourSpace(SRGB, 1.0))
    steps = (light.clip(0, 1) * (len(_ENCODED) - 1) + 0.5).astype(np.uint16)
    return _ENCODED[steps].reshape(pixels.shape)


def _between(one: ColourSpace, other: ColourSpace) -> NDArray[np.float32]:
    """Return the matrix from one linear RGB to another, for rows of colours."""
    matrix = np.linalg.inv(_adapted(other.to_xyz)) @ _adapted(one.to_xyz)
    return np.asarray(matrix.T, np.float32)


def _gains(brightest: NDArray[np.float32], peak_nits: float) -> NDArray[np.float32]:
    """Return the gain of colours by their largest channels; from a table, because the curve is slow."""
    peak = peak_nits / PAPER_NITS
    table = _gain_curve(np.linspace(0, peak, GAIN_STEPS), peak).astype(np.float32)
    beyond = np.maximum(brightest / np.float32(peak), 1)
    places = (brightest / beyond * np.float32((GAIN_STEPS - 1) / peak) + 0.5).astype(np.uint16)
    return np.asarray(table[places] / beyond)


def _gain_curve(brightest: _Floats, peak: float) -> _Floats:
    """Compute the gain, in units of paper white; above it, the curve is a quadratic Bezier that ends at 1."""
    white = 1 - 0.5 * min(math.log(peak) / math.log(PEAK_NITS / PAPER_NITS), 1)
    middle_x = 1 - KNEE_BEND + KNEE_BEND / white
    middle_y = (1 - KNEE_BEND) * white + KNEE_BEND
    above = brightest.clip(1, peak)
    a, b = 1 - 2 * middle_x + peak, 2 * (middle_x - 1)
    t = (-b + np.sqrt(b * b + 4 * a * (above - 1))) / (2 * a) if abs(a) > 1e-9 else (above - 1) / b
    bent = white + 2 * (middle_y - white) * t + (white - 2 * middle_y + 1) * t * t
    return np.where(brightest <= 1, white, bent / np.maximum(brightest, 1))
