"""One chart of colours under many statements of what its numbers mean."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from tests.unit.image.pictures import encoded

TINTS = ((1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0.5, 0), (0.5, 0.5, 1), (0.2, 0.8, 0.4))
SRGB = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def chart() -> NDArray[np.uint8]:
    """A row of 256 values for each tint."""
    values = np.arange(256)[None, :, None] * np.array(TINTS)[:, None, :]
    return values.round().astype(np.uint8)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(chunks: bytes = b"", pixels: NDArray[np.uint8] | None = None) -> bytes:
    """The chart as a PNG with these chunks before its pixels."""
    pixels = chart() if pixels is None else pixels
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0)
    ends = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + ends


def cicp(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, matrix, full_range]))


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100000)))


def chromaticities(values: tuple[float, ...]) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100000) for value in values)))


def light_level(nits: int) -> bytes:
    return chunk(b"cLLI", struct.pack(">II", nits * 10000, 100 * 10000))


def mastered(nits: int) -> bytes:
    places = [round(v * 50000) for v in (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329)]
    return chunk(b"mDCV", struct.pack(">8HII", *places, nits * 10000, 50))


def avif(primaries: int, transfer: int) -> bytes:
    """The chart as an AVIF with these numbers in its nclx box."""
    picture = PIL.Image.fromarray(chart().repeat(4, axis=0))
    data = bytearray(encoded(picture, "AVIF", quality=100, subsampling="4:4:4"))
    place = data.find(b"colrnclx") + 8
    data[place : place + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(data)


SRGB_CHUNK = chunk(b"sRGB", b"\0")
PNG_FILES = {
    "plain": png(),
    "gAMA 1": png(gamma(1)),
    "gAMA 0.45455": png(gamma(0.45455)),
    "gAMA 0.5": png(gamma(0.5)),
    "gAMA 0": png(gamma(0)),
    "gAMA and cHRM": png(gamma(0.45455) + chromaticities(SRGB)),
    "gAMA and cHRM of P3": png(gamma(0.45455) + chromaticities(P3)),
    "cHRM alone": png(chromaticities(P3)),
    "sRGB before gAMA": png(gamma(1) + SRGB_CHUNK),
    "cICP before gAMA": png(gamma(1) + cicp(1, 13)),
    "narrow range": png(cicp(12, 13, 0, 0)),
    **{f"primaries {p}": png(cicp(p, 13)) for p in (2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22)},
    **{f"transfer {t}": png(cicp(1, t)) for t in (1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17)},
    **{f"PQ, primaries {p}": png(cicp(p, 16)) for p in (1, 9, 12)},
    **{f"HLG, primaries {p}": png(cicp(p, 18)) for p in (1, 9, 12)},
    **{f"PQ of {n} nits": png(cicp(9, 16) + light_level(n)) for n in (203, 400, 1000, 4000, 10000)},
    "PQ mastered for 4000 nits": png(cicp(9, 16) + mastered(4000)),
    "HLG of 400 nits": png(cicp(9, 18) + light_level(400)),
}
AVIF_FILES = {
    f"primaries {p}, transfer {t}": avif(p, t)
    for p, t in [*((1, t) for t in (1, 2, 4, 5, 6, 7, 8, 13, 14, 15, 17)), *((p, 13) for p in (5, 6, 9, 11, 12, 22))]
}
