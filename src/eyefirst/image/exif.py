"""EXIF: what a block says of its picture, and blocks that keep all of it or a little.

A block is a small TIFF file. One that is kept is changed in place, so that notes of the camera's maker,
which point to places in it, stay whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

HEAD = b"Exif\0\0"
ORIENTATION, DESCRIPTION, ARTIST, COPYRIGHT, CHANGED = 0x112, 0x10E, 0x13B, 0x8298, 0x132
XP_AUTHOR = 0x9C9D
EXIF_PAGE, GPS_PAGE = 0x8769, 0x8825
TAKEN, DIGITIZED, WIDTH, HEIGHT = 0x9003, 0x9004, 0xA002, 0xA003
THUMBNAIL_PLACE, THUMBNAIL_LENGTH, STRIP_PLACES, STRIP_LENGTHS = 0x201, 0x202, 0x111, 0x117
STRUCTURE = {*range(254, 270), 273, *range(277, 282), 284, 288, 289, *range(317, 348), *range(512, 533)}
"""Tags of a TIFF that say how its pixels are stored, or that are blocks of another kind."""
_LENGTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MOST_ENTRIES = 1000
MOST_BYTES = 4 << 20


class Entry(NamedTuple):
    """One tag: its number and type, how many values it has, where they are, and where the entry itself is."""

    tag: int
    type: int
    number: int
    start: int
    place: int


class Block:
    """An EXIF block, taken apart without copying it."""

    def __init__(self, data: bytes) -> None:
        self.data = data.removeprefix(HEAD)
        self.order = ">" if self.data[:2] == b"MM" else "<"

    def pages(self) -> Iterator[tuple[str, int]]:
        """Yield the names and places of the directories: "main", "thumbnail", "exif", "gps"."""
        if self.data[:4] not in (b"II*\0", b"MM\0*"):
            return
        main = self.number_at(4, "I")
        if not main:
            return
        yield "main", main
        for entry in self.entries(main):
            if entry.tag in (EXIF_PAGE, GPS_PAGE) and entry.type in (4, 13):
                yield ("exif" if entry.tag == EXIF_PAGE else "gps"), self.number_at(entry.start, "I")
        following = self.number_at(main + 2 + 12 * self.number_at(main, "H"), "I")
        if following:
            yield "thumbnail", following

    def entries(self, page: int) -> Iterator[Entry]:
        """Yield the entries of a directory whose values lie inside the block."""
        for number in range(min(self.number_at(page, "H"), _MOST_ENTRIES)):
            place = page + 2 + 12 * number
            tag, kind, count = (
                self.number_at(place, "H"),
                self.number_at(place + 2, "H"),
                self.number_at(place + 4, "I"),
            )
            length = _LENGTHS.get(kind, 0) * count
            start = place + 8 if length <= 4 else self.number_at(place + 8, "I")
            if length and start + length <= len(self.data):
                yield Entry(tag, kind, count, start, place)

    @property
    def is_whole(self) -> bool:
        """Say whether it has directories, and all of their entries lie inside it and use no part again and again."""
        pages = list(self.pages())
        counts = [(len(list(self.entries(page))), self.number_at(page, "H")) for _, page in pages]
        long = sum(_LENGTHS[e.type] * e.number for _, page in pages for e in self.entries(page))
        return bool(pages) and all(found == stated > 0 for found, stated in counts) and long <= 2 * len(self.data)

    def value(self, entry: Entry) -> Any:
        """Return text, bytes, a number, or a tuple of numbers."""
        raw = self.data[entry.start : entry.start + _LENGTHS[entry.type] * entry.number]
        if entry.type == 2:
            return text_of(raw)
        if entry.type in (1, 7):
            return raw
        if entry.type in (5, 10):
            pairs = struct.unpack(f"{self.order}{2 * entry.number}{'I' if entry.type == 5 else 'i'}", raw)
            return tuple(top / bottom if bottom else 0.0 for top, bottom in zip(pairs[::2], pairs[1::2], strict=True))
        letter = {3: "H", 4: "I", 8: "h", 9: "i", 13: "I"}.get(entry.type)
        if letter is None:
            return None
        numbers = struct.unpack(f"{self.order}{entry.number}{letter}", raw)
        return numbers[0] if entry.number == 1 else numbers

    def values(self) -> dict[str, dict[int, Any]]:
        """Return values by the name of their directory and their tag, up to MOST_BYTES in all."""
        found: dict[str, dict[int, Any]] = {}
        room = MOST_BYTES
        for name, page in self.pages():
            values = found.setdefault(name, {})
            for entry in self.entries(page):
                length = _LENGTHS[entry.type] * entry.number
                if length <= room:
                    room -= length
                    values[entry.tag] = self.value(entry)
        return found

    def number_at(self, place: int, letter: str) -> int:
        """Read a number in the byte order of the block; 0 behind its end."""
        if place + struct.calcsize(letter) > len(self.data):
            return 0
        number: int = struct.unpack_from(self.order + letter, self.data, place)[0]
        return number


def text_of(raw: bytes) -> str:
    """Decode the text of a tag: UTF-8 as most programs write it, else Latin-1."""
    raw = raw.rstrip(b"\0 ")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return ", ".join(part.strip() for part in text.split("\0") if part.strip())


def coordinates(gps: dict[int, Any]) -> tuple[float, float] | None:
    """Return latitude and longitude in degrees, north and east positive."""
    found = []
    for reference, place, negative in ((1, 2, "S"), (3, 4, "W")):
        parts = gps.get(place)
        if not isinstance(parts, tuple) or len(parts) != 3:
            return None
        degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
        found.append(-degrees if gps.get(reference) == negative else degrees)
    return (found[0], found[1]) if abs(found[0]) <= 90 and abs(found[1]) <= 180 else None


def kept_whole(data: bytes, size_wh: tuple[int, int]) -> bytes:
    """Keep a block for an upright picture of another size: without thumbnail, and with orientation 1.

    b"" for a block that is damaged.
    """
    if not Block(data).is_whole:
        return b""
    try:
        return _kept_whole(data, size_wh)
    except struct.error:
        return b""


def _kept_whole(data: bytes, size_wh: tuple[int, int]) -> bytes:
    block = Block(data)
    changed = bytearray(block.data)
    for name, page in list(block.pages()):
        for entry in block.entries(page):
            number = {ORIENTATION: 1, WIDTH: size_wh[0], HEIGHT: size_wh[1]}.get(entry.tag)
            if number is not None and entry.number == 1 and entry.type in (3, 4):
                head, numbers = ("HHII", (1, number)) if number > 0xFFFF else ("HHIHH", (1, number, 0))
                kind = 4 if number > 0xFFFF else 3
                struct.pack_into(block.order + head, changed, entry.place, entry.tag, kind, *numbers)
        if name == "thumbnail":
            _blank(block, page, changed)
    return HEAD + bytes(changed)


def _blank(block: Block, page: int, changed: bytearray) -> None:
    """Take the thumbnail's directory out of the chain, and zero it and its pixels."""
    numbers = {e.tag: block.value(e) for e in block.entries(page) if e.type in (3, 4)}
    for place_tag, length_tag in ((THUMBNAIL_PLACE, THUMBNAIL_LENGTH), (STRIP_PLACES, STRIP_LENGTHS)):
        places, lengths = numbers.get(place_tag, ()), numbers.get(length_tag, ())
        for place, length in zip(_several(places), _several(lengths), strict=False):
            end = min(place + length, len(changed))
            if place < end:
                changed[place:end] = bytes(end - place)
    count = block.number_at(page, "H")
    end = min(page + 2 + 12 * count + 4, len(changed))
    changed[page:end] = bytes(max(end - page, 0))
    main = block.number_at(4, "I")
    struct.pack_into(block.order + "I", changed, main + 2 + 12 * block.number_at(main, "H"), 0)


def _several(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def without_orientation(data: bytes) -> bytes:
    """Return the block without its entry for the orientation."""
    block = Block(data)
    changed = bytearray(block.data)
    main = next((page for name, page in block.pages() if name == "main"), 0)
    entry = next((e for e in block.entries(main) if e.tag == ORIENTATION), None) if main else None
    if entry is None:
        return HEAD + block.data
    count = block.number_at(main, "H")
    end = main + 2 + 12 * count + 4
    changed[entry.place : end - 12] = changed[entry.place + 12 : end]
    changed[end - 12 : end] = bytes(12)
    changed[main : main + 2] = struct.pack(block.order + "H", count - 1)
    return HEAD + bytes(changed)


def written(texts: dict[int, str], taken: str) -> bytes:
    """Write a new block of an upright picture: these texts by their tags, and when it was taken."""
    main: list[tuple[int, int, int, bytes]] = [(ORIENTATION, 3, 1, struct.pack("<HH", 1, 0))]
    for tag, text in texts.items():
        raw = text.encode() + b"\0"
        main.append((tag, 2, len(raw), raw))
    if taken:
        main.append((EXIF_PAGE, 4, 1, b""))
    start = 8 + 2 + 12 * len(main) + 4
    below = start + sum(len(raw) + (len(raw) & 1) for _, _, _, raw in main if len(raw) > 4)
    directory = body = b""
    for tag, kind, count, raw in sorted(main):
        value = raw.ljust(4, b"\0")
        if tag == EXIF_PAGE:
            value = struct.pack("<I", below)
        elif len(raw) > 4:
            value = struct.pack("<I", start + len(body))
            body += raw + bytes(len(raw) & 1)
        directory += struct.pack("<HHI", tag, kind, count) + value
    block = b"II*\0" + struct.pack("<IH", 8, len(main)) + directory + bytes(4) + body
    if taken:
        raw = taken.encode("ascii", "replace") + b"\0"
        block += struct.pack("<HHHII", 1, TAKEN, 2, len(raw), below + 18) + bytes(4) + raw
    return HEAD + block
