"""Metadata: who made a picture, when and where, and how much of that goes along with a crop."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import PIL.Image
from PIL.PngImagePlugin import PngInfo

from eyefirst.errors import EyefirstError, InvalidValueError
from eyefirst.geometry import Size
from eyefirst.image import exif, jpeg_xl
from eyefirst.image.containers import gif_packet, jp2_packet, jpeg_segments, png_chunks, png_texts, riff_chunks
from eyefirst.image.decoding import open_picture, open_source
from eyefirst.image.formats import kind_of, pillow_border
from eyefirst.image.source import Source

Keep: TypeAlias = Literal["keep", "copyright", "none"]
KEEP: tuple[Keep, ...] = ("keep", "copyright", "none")
XMP_LIMIT_BYTES = 1 << 20
"""Longer XMP is neither taken apart nor kept; a JPEG holds 64 kB of it."""
JPEG_SEGMENT_BYTES = 65_000
MOST_THUMBNAILS = 20

_JPEG_XMP, _JPEG_IPTC = b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
_TIFF_XMP, _TIFF_IPTC = 700, 33723
_PNG_XMP = b"XML:com.adobe.xmp"
_PNG_TEXTS = (b"Copyright", b"Author", b"Source", b"Creation Time", b"Description")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says of its picture; "" and None where it says nothing.

    `date` is when it was taken, as EXIF writes it: "2024:05:31 18:04:59". `gps` is latitude and longitude
    in degrees. `exif` and `xmp` are the blocks as they stand in the file.
    """

    copyright: str = ""
    artist: str = ""
    credit: str = ""
    date: str = ""
    description: str = ""
    gps: tuple[float, float] | None = None
    exif: bytes = field(default=b"", repr=False)
    xmp: bytes = field(default=b"", repr=False)

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing that could go along."""
        return self == Metadata()

    def has_of(self, keep: Keep) -> bool:
        """Say whether there is anything of what this word keeps."""
        if keep == "copyright":
            return bool(self.copyright or self.artist or self.credit or self.date)
        return keep == "keep" and not self.is_empty


def read_metadata(source: Source) -> Metadata:
    """Read what EXIF, XMP and IPTC say, in this order; nothing is decoded, and what is broken is passed over.

    Raises PictureError for a file that cannot be read, InvalidValueError for what is no source.
    """
    opened = open_source(source)
    if isinstance(opened.held, PIL.Image.Image):
        info = opened.held.info
        return _merged(_bytes(info.get("exif")), _bytes(info.get("xmp")), b"", {})
    if opened.held is not None:
        return Metadata()
    kind = kind_of(opened.data, opened.name)
    try:
        return _merged(*_blocks(opened.data, kind, opened.name))
    except EyefirstError:  # the decoder will say it, of the pixels
        return Metadata()


def save_options(metadata: Metadata, kind: str, keep: Keep, size: Size) -> dict[str, Any]:
    """Return the options of Pillow's `save` that write metadata into a file of this kind, for a picture of this size.

    keep: "copyright" (copyright, artist, credit, date), "keep" (all, with the place) or "none". In each case
    the orientation is upright, and thumbnails and comments of the file are left out. GIF and BMP hold none.
    """
    block, packet = to_exif(metadata, keep, size), to_xmp(metadata, keep)
    options: dict[str, Any] = {}
    if kind == "TIFF" and (block or packet):
        options["exif"] = _tiff_tags(block, packet)
    elif kind == "PNG":
        if packet:
            texts = PngInfo()
            texts.add_itxt("XML:com.adobe.xmp", packet.decode("utf-8", "replace"))
            options["pnginfo"] = texts
        if block:
            options["exif"] = block
    elif kind in ("JPEG", "WEBP", "AVIF"):
        most = JPEG_SEGMENT_BYTES if kind == "JPEG" else max(len(block), len(packet))
        if block and len(block) > most:
            block = to_exif(metadata, "copyright", size)
        if block:
            options["exif"] = exif.without_orientation(block) if kind == "AVIF" else block
        if packet and len(packet) > most:
            packet = _packet(metadata)
        if packet:
            options["xmp"] = packet
    return options


def to_exif(metadata: Metadata, keep: Keep, size: Size) -> bytes:
    """Return the EXIF block to write, beginning with "Exif"; b"" for none. Raises InvalidValueError."""
    if keep not in KEEP:
        raise InvalidValueError(f"expected {', '.join(KEEP)}; got {keep!r}", remedy="choose one")
    if keep == "none":
        return b""
    if keep == "keep":
        whole = exif.kept_whole(metadata.exif, (size.width, size.height))
        if whole and _rewritten(whole):
            return whole
    texts = {exif.ARTIST: metadata.artist, exif.COPYRIGHT: metadata.copyright}
    if keep == "keep":
        texts[exif.DESCRIPTION] = metadata.description
    texts = {tag: text for tag, text in texts.items() if text}
    return exif.written(texts, metadata.date) if texts or metadata.date else b""


def to_xmp(metadata: Metadata, keep: Keep) -> bytes:
    """Return the XMP packet to write; b"" for none. A packet that is kept has its orientation put right."""
    if keep == "none":
        return b""
    whole = _upright(metadata.xmp) if keep == "keep" and len(metadata.xmp) <= XMP_LIMIT_BYTES else b""
    return whole or _packet(metadata)


# --- finding the blocks ------------------------------------------------------------------------------


def _blocks(data: bytes, kind: str, name: str) -> tuple[bytes, bytes, bytes, dict[bytes, str]]:
    """Find EXIF, XMP and IPTC of a file, and the texts of a PNG."""
    if kind in ("JPEG", "PNG"):
        return _blocks_of_jpeg(data) if kind == "JPEG" else _blocks_of_png(data)
    if kind == "TIFF":
        main = exif.Block(data).values().get("main", {})
        return _rewritten(data), _bytes(main.get(_TIFF_XMP)), _iptc_of_tiff(data, main), {}
    block = packet = b""
    if kind == "WEBP":
        chunks = dict(riff_chunks(data))
        block, packet = chunks.get(b"EXIF", b""), chunks.get(b"XMP ", b"")
    elif kind == jpeg_xl.KIND:
        block, packet = jpeg_xl.metadata_in(data)
    elif kind == "GIF":
        packet = gif_packet(data)
    elif kind in ("AVIF", "HEIF", "JPEG2000"):
        info = open_picture(data, kind, name)[0].info
        block, packet = _bytes(info.get("exif")), _bytes(info.get("xmp")) or jp2_packet(data)
    return block, packet, b"", {}


def _blocks_of_jpeg(data: bytes) -> tuple[bytes, bytes, bytes, dict[bytes, str]]:
    block = packet = records = b""
    for marker, content in jpeg_segments(data):
        if marker == 0xE1 and content.startswith(exif.HEAD):
            block += content if not block else content[len(exif.HEAD) :]
        elif marker == 0xE1 and content.startswith(_JPEG_XMP):
            packet = packet or content[len(_JPEG_XMP) :]
        elif marker == 0xED and content.startswith(_JPEG_IPTC):
            records += content[len(_JPEG_IPTC) :]
    return block, packet, _iptc_of_photoshop(records), {}


def _blocks_of_png(data: bytes) -> tuple[bytes, bytes, bytes, dict[bytes, str]]:
    chunks = dict(chunk for chunk in png_chunks(data) if chunk[0] == b"eXIf")
    texts = png_texts(data, (_PNG_XMP, *_PNG_TEXTS), XMP_LIMIT_BYTES)
    said = {key: exif.text_of(texts.get(key, b"")) for key in _PNG_TEXTS}
    return chunks.get(b"eXIf", b""), texts.get(_PNG_XMP, b""), b"", said


def _iptc_of_photoshop(data: bytes) -> bytes:
    place = 0
    while data[place : place + 4] == b"8BIM" and place + 12 <= len(data):
        number, named = struct.unpack_from(">HB", data, place + 4)
        start = place + 6 + (named + 2) // 2 * 2
        if start + 4 > len(data):
            break
        length = struct.unpack_from(">I", data, start)[0]
        if number == 0x0404:
            return data[start + 4 : start + 4 + length]
        place = start + 4 + length + (length & 1)
    return b""


def _iptc_of_tiff(data: bytes, main: dict[int, Any]) -> bytes:
    stated = main.get(_TIFF_IPTC)
    if isinstance(stated, tuple):  # written as numbers of four bytes
        return struct.pack(exif.Block(data).order + f"{len(stated)}I", *stated)
    return _bytes(stated)


def _bytes(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value) if isinstance(value, (bytes, bytearray)) else b""


# --- what the blocks say -----------------------------------------------------------------------------


def _merged(block: bytes, packet: bytes, records: bytes, texts: dict[bytes, str]) -> Metadata:
    found = [_from_exif(block), _from_xmp(packet), _from_iptc(records), _from_texts(texts)]
    first: dict[str, Any] = {
        name: next((value for part in found if (value := getattr(part, name))), None if name == "gps" else "")
        for name in ("copyright", "artist", "credit", "date", "description", "gps")
    }
    return Metadata(**first, exif=block, xmp=packet)


def _from_exif(block: bytes) -> Metadata:
    values = exif.Block(block).values()
    main, below = values.get("main", {}), values.get("exif", {})
    author = main.get(exif.XP_AUTHOR)
    author = author.decode("utf-16-le", "ignore").rstrip("\0") if isinstance(author, bytes) else ""
    dates = (below.get(exif.TAKEN), below.get(exif.DIGITIZED), main.get(exif.CHANGED))
    return Metadata(
        copyright=_text(main.get(exif.COPYRIGHT)),
        artist=_text(main.get(exif.ARTIST)) or author,
        date=next((date for stated in dates if (date := _date(_text(stated)))), ""),
        description=_text(main.get(exif.DESCRIPTION)),
        gps=exif.coordinates(values.get("gps", {})),
    )


_NAMES = {
    "copyright": ("{http://purl.org/dc/elements/1.1/}rights",),
    "artist": ("{http://purl.org/dc/elements/1.1/}creator", "{http://ns.adobe.com/tiff/1.0/}Artist"),
    "credit": ("{http://ns.adobe.com/photoshop/1.0/}Credit", "{http://ns.adobe.com/photoshop/1.0/}Source"),
    "date": (
        "{http://ns.adobe.com/exif/1.0/}DateTimeOriginal",
        "{http://ns.adobe.com/photoshop/1.0/}DateCreated",
        "{http://ns.adobe.com/xap/1.0/}CreateDate",
    ),
    "description": ("{http://purl.org/dc/elements/1.1/}description",),
}
_GPS = ("{http://ns.adobe.com/exif/1.0/}GPSLatitude", "{http://ns.adobe.com/exif/1.0/}GPSLongitude")


def _from_xmp(packet: bytes) -> Metadata:
    """Read elements and attributes alike. A packet that declares entities is not read: they could grow without end."""
    packet = packet.strip(b"\0 \r\n\t")
    declares = b"<!" in packet.replace(b"<!--", b"").replace(b"<![CDATA[", b"")
    if not packet or len(packet) > XMP_LIMIT_BYTES or declares or b"\0" in packet:
        return Metadata()
    try:
        root = ElementTree.fromstring(packet)
    except (ElementTree.ParseError, ValueError, LookupError):
        return Metadata()
    said: dict[str, str] = {}
    for element in root.iter():
        said |= {name: value for name, value in element.attrib.items() if name not in said}
        if element.tag not in said:
            items = [(e.text or "").strip() for e in element.iter() if e.tag.endswith("}li")] or [
                (element.text or "").strip()
            ]
            many = element.tag == _NAMES["artist"][0]
            said[element.tag] = ", ".join(i for i in items if i) if many else items[0]
    fields: dict[str, Any] = {
        key: next((said[name] for name in names if said.get(name)), "") for key, names in _NAMES.items()
    }
    fields["date"] = _date(fields["date"])
    return replace(Metadata(**fields), gps=_coordinates([said.get(name, "") for name in _GPS]))


def _coordinates(texts: list[str]) -> tuple[float, float] | None:
    """Parse "48,51.5N" and "2,17,40.2E"."""
    found = []
    for text in texts:
        match = re.fullmatch(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])", text.strip())
        if not match:
            return None
        degrees = int(match[1]) + float(match[2]) / 60 + float(match[3] or 0) / 3600
        found.append(-degrees if match[4] in "SW" else degrees)
    return found[0], found[1]


def _from_iptc(records: bytes) -> Metadata:
    said: dict[tuple[int, int], list[bytes]] = {}
    place = 0
    while place + 5 <= len(records) and records[place] == 0x1C:
        record, number, length = struct.unpack_from(">BBH", records, place + 1)
        if length & 0x8000:
            break
        said.setdefault((record, number), []).append(records[place + 5 : place + 5 + length])
        place += 5 + length

    def text(number: int) -> str:
        return ", ".join(exif.text_of(value) for value in said.get((2, number), []))

    date, time = text(55), text(60)
    if re.fullmatch(r"\d{8}", date):
        clock = f"{time[:2]}:{time[2:4]}:{time[4:6]}" if re.match(r"\d{6}", time) else "00:00:00"
        date = f"{date[:4]}:{date[4:6]}:{date[6:]} {clock}"
    return Metadata(text(116), text(80), text(110) or text(115), _date(date), text(120))


def _from_texts(texts: dict[bytes, str]) -> Metadata:
    rights, author, source, created, description = (texts.get(key, "") for key in _PNG_TEXTS)
    return Metadata(rights, author, source, _date(created), description)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _date(text: str) -> str:
    """Convert a date of EXIF or ISO 8601 to how EXIF writes it; "" for anything else."""
    match = re.match(r"(\d{4})[:-](\d\d)[:-](\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?", text)
    if not match or match[1] == "0000":
        return ""
    year, month, day, hour, minute, second = match.groups(default="00")
    return f"{year}:{month}:{day} {hour}:{minute}:{second}"


# --- writing -----------------------------------------------------------------------------------------


def _packet(metadata: Metadata) -> bytes:
    """Write a short packet of copyright, artist, credit and date; b"" where there is none of them."""
    parts = []
    if metadata.copyright:
        text = escape(metadata.copyright)
        parts.append(f'<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:rights>')
    if metadata.artist:
        parts.append(f"<dc:creator><rdf:Seq><rdf:li>{escape(metadata.artist)}</rdf:li></rdf:Seq></dc:creator>")
    if metadata.credit:
        parts.append(f"<photoshop:Credit>{escape(metadata.credit)}</photoshop:Credit>")
    if metadata.date:
        day, _, clock = metadata.date.partition(" ")
        parts.append(f"<photoshop:DateCreated>{day.replace(':', '-')}T{clock}</photoshop:DateCreated>")
    if not parts:
        return b""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">'
        f'{"".join(parts)}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode("utf-8", "replace")


def _upright(packet: bytes) -> bytes:
    """Put the orientation of a packet right, and drop its thumbnails; b"" where they do not end."""
    packet = re.sub(rb'(tiff:Orientation\s*=\s*["\'])\d(["\'])', rb"\g<1>1\2", packet)
    packet = re.sub(rb"(<tiff:Orientation>)\s*\d\s*(</tiff:Orientation>)", rb"\g<1>1\2", packet)
    for _ in range(MOST_THUMBNAILS):
        name_end = packet.find(b":Thumbnails>") + len(b":Thumbnails>")
        opening = packet.rfind(b"<", 0, name_end)
        if opening < 0 or name_end < len(b":Thumbnails>"):
            return packet
        ending = b"</" + packet[opening + 1 : name_end]
        closing = packet.find(ending, name_end)
        if closing < 0:
            return b""
        packet = packet[:opening] + packet[closing + len(ending) :]
    return b""


def _tiff_tags(block: bytes, packet: bytes) -> PIL.Image.Exif:
    """Return what Pillow's writer of TIFF takes."""
    tags = _loaded(block) if block else PIL.Image.Exif()
    if packet:
        tags[_TIFF_XMP] = packet
    return tags


def _rewritten(data: bytes) -> bytes:
    """Write a block, or what a TIFF says beside the structure of its pixels, as Pillow does; b"" where it cannot."""
    try:
        with pillow_border("", "TIFF"):
            tags = _loaded(data)
            return tags.tobytes() if len(tags) else b""
    except EyefirstError:  # broken directories do not spoil the pixels
        return b""


def _loaded(data: bytes) -> PIL.Image.Exif:
    """Load a block or a TIFF as Pillow holds it; texts as bytes, because Pillow writes text as ASCII."""
    tags = PIL.Image.Exif()
    tags.load(data)
    for tag in list(tags):
        if tag in exif.STRUCTURE:
            del tags[tag]
        elif isinstance(value := tags[tag], str):
            tags[tag] = value.encode("latin-1", "replace")
    return tags
