"""TIFF: pages, raw files, and samples that Pillow misreads; the files are written by tifffile."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from numpy.typing import NDArray

from eyefirst import errors
from eyefirst.geometry import Size
from eyefirst.image import decode, load_animation, load_image, load_picture, matches, stored_orientation
from eyefirst.image.tiff import choose
from tests.unit.image.pictures import case, encoded, noise

tifffile = pytest.importorskip("tifffile")

HEIGHT, WIDTH = 48, 64
DOWN, RIGHT = np.mgrid[0:HEIGHT, 0:WIDTH]
RAMPS = np.stack((RIGHT / (WIDTH - 1), DOWN / (HEIGHT - 1), (RIGHT + DOWN) / (WIDTH + HEIGHT - 2)), axis=-1)
GREY = RAMPS[..., 0]
ALPHA = RAMPS[..., 1]
TOPS = {"uint8": 255, "uint16": 65535, "uint32": 2**32 - 1, "int16": 32767, "int8": 127}


def tiff(values: NDArray[Any], dtype: str, **options: Any) -> bytes:
    """Values of 0..1 in a TIFF of this kind of number; in planes where the options say so."""
    stored = values * TOPS.get(dtype, 1.0)
    stored = (stored.round() if dtype in TOPS else stored).astype(dtype)
    if options.get("planarconfig") == "separate":
        stored = np.moveaxis(stored, 2, 0)
    file = io.BytesIO()
    tifffile.imwrite(file, stored, **options)
    return file.getvalue()


def is_the_picture(data: bytes, expected: NDArray[Any]) -> bool:
    pixels = np.asarray(load_picture(data)).astype(int)
    if expected.ndim == 2:
        expected = np.stack([expected] * 3, axis=-1)
    return pixels.shape == expected.shape and bool(np.abs(pixels - expected * 255).mean() < 1.5)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_colours(planarconfig: str, dtype: str, byteorder: str, compression: str | None) -> None:
    options = {"planarconfig": planarconfig, "byteorder": byteorder, "compression": compression}
    assert is_the_picture(tiff(RAMPS, dtype, photometric="rgb", **options), RAMPS)
    rgba = np.dstack((RAMPS, ALPHA))
    assert is_the_picture(tiff(rgba, dtype, photometric="rgb", extrasamples=["unassalpha"], **options), rgba)
    cmyk = np.dstack((1 - RAMPS, 0 * GREY))
    assert is_the_picture(tiff(cmyk, dtype, photometric="separated", **options), RAMPS)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int8", "int16", "float16", "float32", "float64"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_grey(photometric: str, dtype: str, byteorder: str, compression: str | None) -> None:
    data = tiff(GREY, dtype, photometric=photometric, byteorder=byteorder, compression=compression)
    assert is_the_picture(data, 1 - GREY if photometric == "miniswhite" else GREY)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_with_alpha(dtype: str, byteorder: str) -> None:
    both = np.dstack((GREY, ALPHA))
    options = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}
    data = tiff(both, dtype, byteorder=byteorder, **options)
    assert is_the_picture(data, np.dstack((GREY, GREY, GREY, ALPHA)))


@pytest.mark.parametrize(
    "options", [{"tile": (16, 16)}, {"rowsperstrip": 7}, {"compression": "zlib", "predictor": True}, {"bigtiff": True}]
)
def test_planes_in_strips_tiles_and_with_differences(options: dict[str, Any]) -> None:
    data = tiff(RAMPS, "uint16", photometric="rgb", planarconfig="separate", **options)
    assert is_the_picture(data, RAMPS)
    assert is_the_picture(tiff(GREY, "uint16", photometric="miniswhite", **options), 1 - GREY)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(errors.PictureError):
            load_image(data[: int(len(data) * share)])


def test_a_wide_page_is_turned_reduced_limited_and_has_its_profile(tmp_path: Path) -> None:
    big = np.kron(RAMPS, np.ones((8, 8, 1)))
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    turned = [(274, "H", 1, 6, True)]
    options = {"photometric": "rgb", "planarconfig": "separate", "extratags": turned, "iccprofile": profile}
    data = tiff(big, "uint16", **options)
    assert stored_orientation(data) == 6
    image = load_image(data, at_least=Size(50, 50))
    assert image.size == Size(HEIGHT * 8, WIDTH * 8)
    assert image.is_reduced
    whole = load_image(data)
    np.testing.assert_allclose(whole.pixels, np.rot90(big, -1) * 255, atol=2)
    np.testing.assert_array_equal(load_image(data, orientation=1).pixels, np.rot90(whole.pixels))
    with pytest.raises(errors.PictureTooLargeError, match="512 x 384"):
        load_image(data, pixel_limit=1000)
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    with PIL.Image.open(path) as lazy:
        np.testing.assert_array_equal(load_image(lazy).pixels, whole.pixels)
        assert matches(path, load_image(lazy).sha256)
        assert matches(lazy, whole.sha256)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["uint32", "float16", "float32", "float64"])
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_colours_of_many_bits(planarconfig: str, dtype: str, byteorder: str, compression: str | None) -> None:
    options = {"planarconfig": planarconfig, "byteorder": byteorder, "compression": compression}
    assert is_the_picture(tiff(RAMPS, dtype, photometric="rgb", **options), RAMPS)
    rgba = np.dstack((RAMPS, ALPHA))
    assert is_the_picture(tiff(rgba, dtype, photometric="rgb", extrasamples=["unassalpha"], **options), rgba)


def said_to_be_compressed(data: bytes, compression: int) -> bytes:
    """The file with another number of a compression."""
    short = "<H" if data[:2] == b"II" else ">H"
    entry = struct.pack(short, 259) + struct.pack(short, 3)
    place = data.index(entry) + 8
    return data[:place] + struct.pack(short, compression) + data[place + 2 :]


def test_compressed_numbers_that_nobody_reads_right_are_refused() -> None:
    data = tiff(GREY, "float32", photometric="minisblack", byteorder=">", compression="zlib")
    for refused in (said_to_be_compressed(data, 5), pages((SMALL, 0), byteorder=">", bigtiff=True)):
        with pytest.raises(errors.UnsupportedPictureError, match="big-endian"):
            load_image(refused)
    for dtype, words in (
        ("uint32", "unsigned numbers of 32 bits"),
        ("int8", "[( ]signed numbers of 8 bits"),
        ("int16", "[( ]signed numbers of 16 bits"),
    ):
        data = tiff(GREY, dtype, photometric="minisblack", compression="zlib")
        with pytest.raises(errors.UnsupportedPictureError, match=words):
            load_image(said_to_be_compressed(data, 5))


@pytest.mark.parametrize(
    ("number", "name"), [(34712, "JPEG 2000"), (50002, "JPEG XL"), (50001, "WebP"), (34933, "PNG"), (4711, "4711")]
)
def test_a_compression_that_is_not_read_is_named(
    number: int, name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """P16. Of WebP libtiff would print words of its own."""
    data = said_to_be_compressed(tiff(RAMPS, "uint8", photometric="rgb", compression="zlib"), number)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(errors.UnsupportedPictureError, match=f"compressed by.*{name}"):
        load_image(tmp_path / "a.tif")
    assert not capfd.readouterr().err


# --- pages -------------------------------------------------------------------------------------------


def pages(*given: tuple[PIL.Image.Image, int], subifds: int = 0, **options: Any) -> bytes:
    """Pages with their subfile types; the last so many are below the first."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, **options) as writer:
        for number, (picture, kind) in enumerate(given):
            below = {"subifds": subifds} if number == 0 and subifds else {}
            writer.write(np.asarray(picture), photometric="rgb", subfiletype=kind, metadata=None, **below)
    return file.getvalue()


LARGE, SMALL = noise(320, 240, seed=4), noise(96, 64, seed=5)


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
@pytest.mark.parametrize("subifds", [0, 1])
def test_a_first_page_that_is_a_preview_gives_way(subifds: int, options: dict[str, Any]) -> None:
    data = pages((SMALL, 1), (LARGE, 0), subifds=subifds, **options)
    found = decode(data)
    np.testing.assert_array_equal(np.asarray(found.picture), np.asarray(LARGE))
    assert "320 x 240" in found.warnings[0]
    assert load_animation(data).warnings == found.warnings


@pytest.mark.parametrize(
    "given",
    [
        [(SMALL, 0), (LARGE, 0)],
        [(SMALL, 0), (LARGE, 1)],
        [(SMALL, 1)],
        [(SMALL, 2), (LARGE, 2)],
        [(SMALL, 1), (LARGE, 1)],
    ],
)
def test_other_first_pages_are_the_picture(given: list[tuple[PIL.Image.Image, int]]) -> None:
    found = decode(pages(*given))
    np.testing.assert_array_equal(np.asarray(found.picture), np.asarray(SMALL))
    assert found.warnings == ()


def test_cases_of_users() -> None:
    assert decode(case("preview_first.tif")).size == Size(256, 170)
    assert decode(case("raw_like.dng")).size == Size(256, 170)
    grey = load_image(case("gray16_miniswhite.tif")).pixels
    planes = load_image(case("planar16_raw.tif")).pixels
    assert np.corrcoef(grey.mean(axis=2).ravel(), planes.mean(axis=2).ravel())[0, 1] > 0.9  # both are of one cat


# --- raw files ---------------------------------------------------------------------------------------


def raw(
    preview: bytes | None, *, width: int = 3000, height: int = 2000, orientation: int = 1, dng: bool = True
) -> bytes:
    """What a camera writes: a small page, a mosaic of the sensor, and perhaps a preview as a JPEG."""
    entries = [(254, 4, 1), (256, 4, 96), (257, 4, 64), (259, 3, 7), (262, 3, 6), (274, 3, orientation)]
    if preview:
        entries += [(513, 4, 4000), (514, 4, len(preview))]
    entries += [(330, 4, 1000)]
    if dng:
        entries += [(50706, 1, 0x0401)]
    sensor = [(254, 4, 0), (256, 4, 3000), (257, 4, 2000), (259, 3, 7), (262, 3, 32803)]
    data = bytearray(4000)
    data[:8] = b"II*\0" + struct.pack("<I", 8)
    for place, tags in ((8, entries), (1000, sensor)):
        packed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
        block = struct.pack("<H", len(tags)) + packed + bytes(4)
        data[place : place + len(block)] = block
    return bytes(data) + (preview or b"")


@pytest.mark.parametrize("dng", [True, False])
def test_the_preview_of_a_raw_file_is_read_and_said_so(dng: bool) -> None:
    picture = noise(1200, 800)
    found = decode(raw(encoded(picture, "JPEG", quality=95), dng=dng))
    assert found.size == Size(1200, 800)
    assert "raw file" in found.warnings[0]
    assert "1200 x 800" in found.warnings[0]
    assert np.abs(np.asarray(found.picture).astype(int) - np.asarray(picture)).mean() < 4


def test_the_preview_of_a_raw_file_is_turned_once() -> None:
    exif = PIL.Image.Exif()
    exif[274] = 6
    for options in ({}, {"exif": exif}):
        data = raw(encoded(noise(1200, 800), "JPEG", **options), orientation=6)
        assert stored_orientation(data) == 6
        assert decode(data).size == Size(800, 1200)
        assert decode(data, orientation=1).size == Size(1200, 800)
        assert decode(data, at_least=Size(90, 90)).is_reduced


@pytest.mark.parametrize("preview", [None, encoded(SMALL, "JPEG")])
def test_a_raw_file_without_a_large_preview_is_refused(preview: bytes | None) -> None:
    with pytest.raises(errors.UnsupportedPictureError, match="raw file of a camera") as caught:
        load_image(raw(preview))
    assert "preview" in caught.value.remedy


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\0\0\x18ftypcrx \0\0\0\x01", "Canon"),
        (b"II\x1a\0\0\0HEAPCCDR", "Canon"),
        (b"IIRO\x08\0\0\0", "Olympus"),
        (b"IIRS\x08\0\0\0", "Olympus"),
        (b"MMOR\0\0\0\x08", "Olympus"),
        (b"IIU\0\x18\0\0\0", "Panasonic"),
        (b"FUJIFILMCCD-RAW 0201FF", "Fujifilm"),
        (b"\0MRM\0\0\0\0", "Minolta"),
        (b"FOVb\0\0\0\0", "Sigma"),
    ],
)
def test_other_raw_files_are_called_so(data: bytes, words: str) -> None:
    with pytest.raises(errors.UnsupportedPictureError, match=words) as caught:
        load_image(data.ljust(64, b"\0"))
    assert "preview" in caught.value.remedy


def test_a_file_that_is_made_to_take_long_does_not() -> None:
    page = struct.pack("<H", 3) + struct.pack("<HHII", 256, 4, 1, 9) + struct.pack("<HHII", 257, 4, 1, 9)
    page += struct.pack("<HHII", 273, 4, 4_000_000, 9000)  # as many strips as there is room for
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number in range(150):
        data += page + struct.pack("<I", 8 + (number + 1) * (len(page) + 4))
    data += bytes(16_010_000 - len(data))
    start = time.monotonic()
    assert choose(bytes(data), "a").warnings == ()
    assert time.monotonic() - start < 1


def test_damaged_files_raise_nothing_else() -> None:
    files = [raw(encoded(noise(1200, 800), "JPEG")), pages((SMALL, 1), (LARGE, 0))]
    files += [tiff(RAMPS, "uint16", photometric="rgb", planarconfig="separate", tile=(16, 16))]
    files += [tiff(GREY, "float32", photometric="miniswhite", compression="zlib")]
    rng = np.random.default_rng(8)
    for data in files:
        for _ in range(80):
            damaged = np.frombuffer(data, np.uint8).copy()
            damaged[rng.integers(0, min(len(data), 400), 4)] = rng.integers(0, 256, 4)
            try:
                load_image(damaged.tobytes(), pixel_limit=3_000_000)
            except errors.EyefirstError as error:
                if not (error.reason and error.remedy and error.source):
                    raise
