"""Containers: the named parts of a file, found without decoding it.

Each function goes through bytes that nobody vouches for: it ends where the structure does and raises nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator
from typing import NamedTuple

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""What the box of JPEG 2000 begins with that holds XMP."""


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of every chunk of a PNG; those of IDAT and fdAT without their content."""
    place = 8
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        pixels = name in (b"IDAT", b"fdAT")
        yield name, b"" if pixels else data[place + 8 : place + 8 + length]
        place += 12 + length


def png_texts(data: bytes, keys: Collection[bytes], most: int) -> dict[bytes, bytes]:
    """Return the first text of each of these keywords in a PNG, unpacked; none of more than so many bytes."""
    found: dict[bytes, bytes] = {}
    for name, content in png_chunks(data):
        key, _, text = content.partition(b"\0")
        if name not in (b"tEXt", b"zTXt", b"iTXt") or key not in keys or key in found:
            continue
        is_packed = name == b"zTXt"
        if is_packed:  # the number of the way comes before
            text = text[1:]
        elif name == b"iTXt":  # so do whether it is packed, the way, the language, and the keyword in that language
            is_packed, text = text[:1] == b"\1", text[2:].split(b"\0", 2)[-1]
        if is_packed:
            text = _inflated(text, most)
        if 0 < len(text) <= most:
            found[key] = text
    return found


def _inflated(packed: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, most + 1)
    except zlib.error:
        return b""


def gif_packet(data: bytes) -> bytes:
    """Return the XMP packet of a GIF; b"" for none. It stands as it is, with a trailer that readers of blocks skip."""
    start = data.find(b"\x21\xff\x0bXMP DataXMP")
    end = data.find(b"\x01\xff\xfe\xfd", start)
    return data[start + 14 : end] if 0 <= start < end else b""


def png_says_more_behind(data: bytes) -> bool:
    """Say whether a PNG has metadata behind its pixels, which Pillow reads only as it decodes them."""
    names = [name for name, _ in png_chunks(data)]
    behind = names[names.index(b"IDAT") :] if b"IDAT" in names else []
    return any(name in (b"eXIf", b"iTXt", b"tEXt", b"zTXt") for name in behind)


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of every segment of a JPEG before its pixels."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if marker in (0xDA, 0xD9):
            return
        length = struct.unpack_from(">H", data, place + 2)[0]
        yield marker, data[place + 4 : place + 2 + length]
        place += 2 + max(length, 2)


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of every chunk of a WebP."""
    place = 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        yield name, data[place + 8 : place + 8 + length]
        place += 8 + length + (length & 1)


class Box(NamedTuple):
    """A box of an ISO base media file: its name, and where its content begins and ends."""

    name: bytes
    start: int
    end: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes of an AVIF or HEIC file, or those inside a box."""
    end = len(data) if end is None else min(end, len(data))
    while start + 8 <= end:
        length, name = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= end:
            length = struct.unpack_from(">Q", data, start + 8)[0]
            head = 16
        stop = end if length == 0 else start + length
        if stop < start + head:
            return
        yield Box(name, start + head, min(stop, end))
        start = stop


def jp2_packet(data: bytes) -> bytes:
    """Return the XMP packet of a JPEG 2000 file; b"" for none."""
    places = [(box.start, box.end) for box in boxes(data) if box.name == b"uuid"]
    return next((data[start + 16 : end] for start, end in places if data[start : start + 16] == XMP_UUID), b"")


def primary_properties(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return name and content of the properties of the main picture of an AVIF or HEIC file."""
    try:
        return _primary_properties(data)
    except (struct.error, LookupError, StopIteration):
        return []


def _primary_properties(data: bytes) -> list[tuple[bytes, bytes]]:
    meta = next(box for box in boxes(data) if box.name == b"meta")
    inside = {box.name: box for box in boxes(data, meta.start + 4, meta.end)}
    pitm, iprp = inside[b"pitm"], inside[b"iprp"]
    primary = struct.unpack_from(">I" if data[pitm.start] else ">H", data, pitm.start + 4)[0]
    parts = list(boxes(data, iprp.start, iprp.end))
    ipco = next(box for box in parts if box.name == b"ipco")
    properties = [(box.name, data[box.start : box.end]) for box in boxes(data, ipco.start, ipco.end)]
    for ipma in (box for box in parts if box.name == b"ipma"):
        numbers = _associations(data, ipma).get(primary)
        if numbers is not None:
            return [properties[number - 1] for number in numbers if 0 < number <= len(properties)]
    return []


def _associations(data: bytes, ipma: Box) -> dict[int, list[int]]:
    """Return the numbers of the properties of each item, from 1."""
    version, wide = data[ipma.start], data[ipma.start + 3] & 1
    count = struct.unpack_from(">I", data, ipma.start + 4)[0]
    place, found = ipma.start + 8, {}
    for _ in range(count):
        if place >= ipma.end:
            break
        item = struct.unpack_from(">H" if version < 1 else ">I", data, place)[0]
        place += 2 if version < 1 else 4
        size = data[place]
        place += 1
        numbers = struct.unpack_from(f">{size}{'H' if wide else 'B'}", data, place)
        found[item] = [number & (0x7FFF if wide else 0x7F) for number in numbers]
        place += size * (2 if wide else 1)
    return found
