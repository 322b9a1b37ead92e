"""Metadata: read from every block and format, kept, reduced to copyright, or left out."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from eyefirst import errors
from eyefirst.geometry import Size
from eyefirst.image import Metadata, decode, load_picture, open_source, read_metadata, save_options, stored_orientation
from eyefirst.image.exif import Block, coordinates, kept_whole, without_orientation, written
from eyefirst.image.metadata import KEEP, to_exif, to_xmp
from tests.unit.image.pictures import case, encoded, noise

SIZE = Size(80, 60)
FORMATS = ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"]
TEXTS = {0x13B: "Zoë Ünal", 0x8298: "© 2024 Zoë"}
XMP = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" tiff:Orientation="6" photoshop:Credit="AFP &amp; Co"
 exif:GPSLatitude="48,51.504N" exif:GPSLongitude="2,17,40.2W" photoshop:DateCreated="2023-01-02T03:04:05+02:00">
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">xmp rights</rdf:li>
<rdf:li xml:lang="de">Rechte</rdf:li></rdf:Alt></dc:rights>
<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>
<xmp:Thumbnails><rdf:Alt><rdf:li>SECRET</rdf:li></rdf:Alt></xmp:Thumbnails>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def camera_block(order: str = "<", orientation: int = 6, thumbnail: bytes = b"") -> bytes:
    """What a phone writes: texts, orientation, size, place, a maker's note, and a thumbnail."""
    texts = [
        (0x10E, b"a cat\0"),
        (0x13B, "Zoë\0".encode()),
        (0x8298, b"(c) Zo\xeb\0"),
        (0x132, b"2024:06:01 00:00:00\0"),
    ]
    body = bytearray(1200)
    body[:8] = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    free = 400

    def directory(place: int, entries: list[tuple[int, int, int, Any]], following: int = 0) -> None:
        nonlocal free
        struct.pack_into(order + "H", body, place, len(entries))
        for number, (tag, kind, count, value) in enumerate(sorted(entries, key=lambda e: e[0])):
            at = place + 2 + 12 * number
            struct.pack_into(order + "HHI", body, at, tag, kind, count)
            if isinstance(value, bytes) and len(value) > 4:
                struct.pack_into(order + "I", body, at + 8, free)
                body[free : free + len(value)] = value
                free += len(value) + len(value) % 2
            elif isinstance(value, bytes):
                body[at + 8 : at + 8 + len(value)] = value
            else:
                struct.pack_into(order + ("H" if kind == 3 else "I"), body, at + 8, value)
        struct.pack_into(order + "I", body, place + 2 + 12 * len(entries), following)

    def angle(*parts: tuple[int, int]) -> bytes:
        return b"".join(struct.pack(order + "II", *part) for part in parts)

    main: list[tuple[int, int, int, Any]] = [(tag, 2, len(raw), raw) for tag, raw in texts]
    main += [(0x112, 3, 1, orientation), (0x8769, 4, 1, 180), (0x8825, 4, 1, 260)]
    directory(8, main, 330 if thumbnail else 0)
    taken = b"2024:05:31 18:04:59\0"
    directory(180, [(0x9003, 2, 20, taken), (0xA002, 3, 1, 4000), (0xA003, 4, 1, 3000), (0x927C, 7, 8, b"MAKERNOT")])
    north, west = angle((48, 1), (51, 1), (3024, 100)), angle((2, 1), (17, 1), (402, 10))
    directory(260, [(1, 2, 2, b"N\0"), (2, 5, 3, north), (3, 2, 2, b"W\0"), (4, 5, 3, west)])
    if thumbnail:
        directory(330, [(0x103, 3, 1, 6), (0x201, 4, 1, 1200), (0x202, 4, 1, len(thumbnail))])
    return b"Exif\0\0" + bytes(body) + thumbnail


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    data = encoded(noise(SIZE.width, SIZE.height), "JPEG")
    packed = b"".join(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content for marker, content in segments)
    return data[:2] + packed + data[2:]


def xmp_segment(packet: bytes = XMP) -> tuple[int, bytes]:
    return 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet


def iptc(**values: bytes) -> bytes:
    numbers = {"by": 80, "rights": 116, "credit": 110, "source": 115, "date": 55, "time": 60, "caption": 120}
    return b"".join(struct.pack(">BBBH", 0x1C, 2, numbers[k], len(v)) + v for k, v in values.items())


def iptc_segment(records: bytes) -> tuple[int, bytes]:
    other = b"8BIM" + struct.pack(">HBBI", 0x03ED, 0, 0, 3) + b"abc\0"
    return 0xED, b"Photoshop 3.0\0" + other + b"8BIM" + struct.pack(">HBBI", 0x0404, 0, 0, len(records)) + records


# --- reading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_exif_of_every_format(kind: str, order: str) -> None:
    block = camera_block(order)
    options: dict[str, Any] = {"exif": without_orientation(block) if kind == "AVIF" else block}
    found = read_metadata(encoded(noise(), kind, **options))
    assert (found.date, found.description) == ("2024:05:31 18:04:59", "a cat")
    if kind != "TIFF":  # Pillow writes no text that is not ASCII into a TIFF
        assert (found.artist, found.copyright) == ("Zoë", "(c) Zoë")  # as UTF-8 and as Latin-1
    assert found.gps == pytest.approx((48.8584, -2.2945), abs=1e-4)


def test_xmp_alone() -> None:
    expected = Metadata("xmp rights", "Ann, Bob", "AFP & Co", "2023:01:02 03:04:05", "", (48.8584, -2.2945))
    for data in (
        jpeg_with(xmp_segment()),
        encoded(noise(), "WEBP", xmp=XMP),
        encoded(noise(), "AVIF", xmp=XMP),
        png_with(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
        encoded(noise(), "TIFF", tiffinfo={700: XMP}),
    ):
        found = read_metadata(data)
        for name in ("copyright", "artist", "credit", "date"):
            assert getattr(found, name) == getattr(expected, name)
        assert found.gps == pytest.approx(expected.gps, abs=1e-4)


def png_with(name: bytes, content: bytes, *, behind: bool = False) -> bytes:
    data = encoded(noise(), "PNG")
    place = len(data) - 12 if behind else 33
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return data[:place] + chunk + data[place:]


def test_iptc_alone() -> None:
    records = iptc(by=b"Jane", rights="© Jane".encode(), source=b"Reuters", date=b"20240531", time=b"180459+0200")
    found = read_metadata(jpeg_with(iptc_segment(records)))
    assert found == Metadata("© Jane", "Jane", "Reuters", "2024:05:31 18:04:59")
    assert read_metadata(jpeg_with(iptc_segment(iptc(date=b"20240531")))).date == "2024:05:31 00:00:00"


def test_texts_of_png() -> None:
    data = png_with(b"tEXt", b"Copyright\0\xa9 Jane")
    assert read_metadata(data).copyright == "© Jane"
    data = png_with(b"iTXt", "Author\0\0\0\0\0Zoë".encode(), behind=True)
    assert read_metadata(data).artist == "Zoë"


def test_packed_texts_of_png() -> None:
    """P22."""
    rights, author = zlib.compress("© 2024".encode("latin-1")), zlib.compress("Zoë".encode())
    found = read_metadata(png_with(b"zTXt", b"Copyright\0\0" + rights))
    assert found == Metadata(copyright="© 2024")
    found = read_metadata(png_with(b"iTXt", b"Author\0\1\0de\0Autor\0" + author))
    assert found == Metadata(artist="Zoë")
    plain = read_metadata(png_with(b"iTXt", b"Author\0\0\0de\0Autor\0" + "Zoë".encode()))
    assert plain.artist == "Zoë", "and not the keyword in another language"
    packed = png_with(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP))
    assert read_metadata(packed) == read_metadata(jpeg_with(xmp_segment()))
    for broken in (zlib.compress(bytes(1 << 24)), b"broken"):
        assert read_metadata(png_with(b"zTXt", b"Copyright\0\0" + broken)).is_empty


def test_xmp_of_gif_and_jpeg_2000() -> None:
    """P22."""
    expected = read_metadata(jpeg_with(xmp_segment()))
    gif = encoded(noise(), "GIF")
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    assert read_metadata(gif[:-1] + b"\x21\xff\x0bXMP DataXMP" + XMP + trailer + gif[-1:]) == expected
    jp2 = encoded(noise(), "JPEG2000")
    box = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP
    assert read_metadata(jp2 + struct.pack(">I4s", 8 + len(box), b"uuid") + box) == expected
    assert read_metadata(gif).is_empty
    assert read_metadata(jp2).is_empty


def test_exif_comes_before_xmp_and_iptc() -> None:
    segments = [iptc_segment(iptc(by=b"iptc", credit=b"iptc credit", caption=b"iptc caption")), xmp_segment()]
    found = read_metadata(jpeg_with((0xE1, camera_block()), *segments))
    assert (found.artist, found.copyright, found.credit, found.description) == ("Zoë", "(c) Zoë", "AFP & Co", "a cat")


def test_a_case_of_users_and_other_sources() -> None:
    path = case("copyright.jpg")
    assert read_metadata(path) == read_metadata(path.read_bytes()) == read_metadata(open_source(path))
    assert (read_metadata(path).artist, read_metadata(path).copyright) == ("Jane Doe", "(c) Jane Doe")
    with PIL.Image.open(path) as picture:
        assert read_metadata(picture).artist == "Jane Doe"


def test_sources_without_metadata() -> None:
    for source in (encoded(noise(), "GIF"), encoded(noise(), "BMP"), np.asarray(noise()), noise()):
        assert read_metadata(source).is_empty
        assert save_options(read_metadata(source), "JPEG", "keep", SIZE) == {}


# --- writing -----------------------------------------------------------------------------------------

WHOLE = jpeg_with((0xE1, camera_block(thumbnail=b"\xff\xd8THUMBNAIL")), xmp_segment(), (0xFE, b"a secret comment"))


def again(kind: str, keep: Any, source: bytes = WHOLE) -> bytes:
    picture = load_picture(source)
    size = Size(picture.width, picture.height)
    return encoded(picture, kind, **save_options(read_metadata(source), kind, keep, size))


@pytest.mark.parametrize("kind", FORMATS)
def test_copyright_is_kept_and_no_more(kind: str) -> None:
    data = again(kind, "copyright")
    found = read_metadata(data)
    assert (found.copyright, found.artist, found.credit) == ("(c) Zoë", "Zoë", "AFP & Co")
    assert (found.date, found.gps, found.description) == ("2024:05:31 18:04:59", None, "")
    for secret in (b"MAKERNOT", b"THUMBNAIL", b"SECRET", b"secret", b"a cat", b"GPS"):
        assert secret not in data
    assert stored_orientation(data) == 1


@pytest.mark.parametrize("kind", FORMATS)
def test_all_is_kept(kind: str) -> None:
    data = again(kind, "keep")
    found = read_metadata(data)
    assert (found.copyright, found.artist, found.credit) == ("(c) Zoë", "Zoë", "AFP & Co")
    assert (found.date, found.description) == ("2024:05:31 18:04:59", "a cat")
    assert found.gps == pytest.approx((48.8584, -2.2945), abs=1e-4)
    assert b"MAKERNOT" in data
    for secret in (b"THUMBNAIL", b"SECRET", b"secret"):
        assert secret not in data
    assert stored_orientation(data) == 1
    assert decode(data).size == Size(60, 80)  # it was upright already
    below = Block(found.exif).values()["exif"]
    assert (below[0xA002], below[0xA003]) == (60, 80)


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_is_kept(kind: str) -> None:
    found = read_metadata(again(kind, "none"))
    assert found.artist == found.copyright == found.credit == found.date == ""
    assert found.gps is None


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_formats_that_hold_none(kind: str) -> None:
    for keep in KEEP:
        assert save_options(read_metadata(WHOLE), kind, keep, SIZE) == {}


@pytest.mark.parametrize("source", ["PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("kind", FORMATS)
def test_from_each_format_to_each(source: str, kind: str) -> None:
    block = written(TEXTS, "2024:05:31 18:04:59")
    first = encoded(noise(), source, **save_options(Metadata(exif=block), source, "keep", SIZE))
    for keep in ("copyright", "keep"):
        found = read_metadata(again(kind, keep, first))
        assert (found.artist, found.copyright) == ("Zoë Ünal", "© 2024 Zoë")
        assert found.date == "2024:05:31 18:04:59"


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(errors.InvalidValueError, match="keep, copyright, none"):
        save_options(Metadata(), "JPEG", "all", SIZE)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_block_is_not_written_again(kind: str) -> None:
    for place, wrong in ((8, b"\xff"), (10 + 4, b"\xff\xff"), (8 + 2 + 2, b"\x63"), (0, b"XX")):
        block = bytearray(camera_block())
        block[6 + place : 6 + place + len(wrong)] = wrong
        options = save_options(Metadata(artist="Zoë", exif=bytes(block)), kind, "keep", SIZE)
        assert read_metadata(encoded(noise(), kind, **options)).artist == "Zoë"


def test_blocks_too_long_for_a_jpeg_give_way_to_short_ones() -> None:
    long = Metadata(artist="Zoë", credit="AFP", exif=camera_block() + bytes(70_000), xmp=XMP + b" " * 70_000)
    options = save_options(long, "JPEG", "keep", SIZE)
    assert len(options["exif"]) < 1000
    assert len(options["xmp"]) < 2000
    assert read_metadata(encoded(noise(), "JPEG", **options)).credit == "AFP"
    assert len(save_options(long, "WEBP", "keep", SIZE)["exif"]) > 70_000


def test_marks_that_mean_something_in_xml() -> None:
    odd = Metadata(copyright='<b> & "c"', artist="]]>", credit="a\x00b")
    assert read_metadata(encoded(noise(), "WEBP", xmp=to_xmp(odd, "copyright"))).artist in ("]]>", "")


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_exiftool_reads_the_same(tmp_path: Path) -> None:
    for kind in FORMATS:
        for keep in ("copyright", "keep"):
            (tmp_path / f"{keep}.{kind.lower()}").write_bytes(again(kind, keep))
    command = ["exiftool", "-json", "-n", "-G1", str(tmp_path)]
    files = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(files) == 10
    for said in files:
        assert said["IFD0:Artist"] == "Zoë"
        assert said["XMP-photoshop:Credit"] == "AFP & Co"
        assert said["ExifIFD:DateTimeOriginal"] == "2024:05:31 18:04:59"
        assert said.get("IFD0:Orientation", 1) == 1
        assert ("GPS:GPSLatitude" in said) == ("/keep." in said["SourceFile"])
        assert "ExifTool:Warning" not in said or "MakerNotes" in said["ExifTool:Warning"]


# --- broken blocks -----------------------------------------------------------------------------------


def walk_exif(data: bytes) -> None:
    values = Block(data).values()
    coordinates(values.get("gps", {}))
    kept_whole(data, (10, 10))
    without_orientation(data)


@pytest.mark.parametrize(
    ("whole", "walk"),
    [
        (camera_block(thumbnail=b"\xff\xd8THUMBNAIL"), walk_exif),
        (WHOLE, read_metadata),
        (jpeg_with(iptc_segment(iptc(by=b"Jane", date=b"20240531"))), read_metadata),
        (encoded(noise(), "TIFF", exif=camera_block()), read_metadata),
        (encoded(noise(), "WEBP", exif=camera_block(), xmp=XMP), read_metadata),
    ],
)
def test_broken_blocks_are_passed_over(whole: bytes, walk: Callable[[bytes], Any]) -> None:
    rng = np.random.default_rng(11)
    for _ in range(150):
        damaged = bytearray(whole[: rng.integers(20, len(whole))] if rng.random() < 0.4 else whole)
        for place in rng.integers(0, min(len(damaged), 1400), 6):
            damaged[place] = rng.integers(0, 256)
        try:
            found = walk(bytes(damaged))
        except errors.PictureError:
            continue
        if isinstance(found, Metadata):
            for keep in KEEP:
                save_options(found, "JPEG", keep, SIZE)


def test_entities_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb">]><x xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:rights>&b;</dc:rights></x>'
    assert read_metadata(jpeg_with(xmp_segment(bomb))).copyright == ""
    assert read_metadata(jpeg_with(xmp_segment(bomb.decode().encode("utf-16")))).copyright == ""


def test_blocks_that_are_made_to_take_long_do_not() -> None:
    start = time.monotonic()
    for packet in (
        XMP.replace(b"<xmp:Thumbnails>", b"<xmp:Thumbnails>" * 50_000),
        XMP.replace(b"</rdf:Description>", b"<xmp:Thumbnails></xmp:Thumbnails>" * 20_000 + b"</rdf:Description>"),
        XMP.replace(b"</xmp:Thumbnails>", b""),
    ):
        assert b"Thumbnails" not in to_xmp(Metadata(artist="Zoë", xmp=packet), "keep")
    whole = bytearray(b"II*\0" + struct.pack("<IH", 8, 900))
    for _ in range(900):  # each of these claims all the rest of the block
        whole += struct.pack("<HHII", 0x10E, 7, 30_000_000, 20_000)
    whole += bytes(30_020_000 - len(whole))
    assert not Block(bytes(whole)).is_whole
    assert Block(bytes(whole)).values() == {"main": {}}
    assert time.monotonic() - start < 5


def test_the_orientation_of_a_png_is_found_without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    before = encoded(noise(), "PNG", exif=camera_block())
    behind = png_with(b"eXIf", camera_block()[6:], behind=True)
    assert stored_orientation(behind) == 6

    def never(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", never)
    assert stored_orientation(before) == 6


def test_exif_that_is_written_is_read_by_pillow() -> None:
    block = to_exif(Metadata(copyright="c", artist="Jane Doe", date="2024:05:31 18:04:59"), "copyright", SIZE)
    tags = PIL.Image.Exif()
    tags.load(block)
    assert (tags[0x112], tags[0x13B], tags[0x8298]) == (1, "Jane Doe", "c")
    assert tags.get_ifd(0x8769)[0x9003] == "2024:05:31 18:04:59"
    assert PIL.Image.open(io.BytesIO(encoded(noise(), "JPEG", exif=block))).getexif()[0x112] == 1
