"""load_image and load_picture: every way in, every mode, every refusal."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
import sys
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from PIL import ImageCms, PngImagePlugin

from eyefirst import errors
from eyefirst.geometry import Box, Size
from eyefirst.image import Image, load_image, load_picture

WIDTH, HEIGHT = 64, 40
# What has to be done to an upright picture to store it under each orientation.
STORING = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_90,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_270,
}


def four_colours() -> PIL.Image.Image:
    """Red, green, blue and grey quarters: no turn looks like another."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2] = (230, 20, 20)
    pixels[: HEIGHT // 2, WIDTH // 2 :] = (20, 200, 20)
    pixels[HEIGHT // 2 :, : WIDTH // 2] = (20, 20, 220)
    pixels[HEIGHT // 2 :, WIDTH // 2 :] = 128
    return PIL.Image.fromarray(pixels)


def encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    if kind in ("JPEG", "WEBP", "AVIF"):
        options.setdefault("quality", 95)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def exif_with(orientation: int) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[274] = orientation
    return exif


def close_to(pixels: NDArray[np.uint8], expected: NDArray[np.uint8] | PIL.Image.Image, mean: float = 4) -> bool:
    other = np.asarray(expected)
    return pixels.shape == other.shape and float(np.abs(pixels.astype(int) - other.astype(int)).mean()) <= mean


# --- ways in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_gives_the_same_picture_by_every_way_in(kind: str, orientation: int, tmp_path: Path) -> None:
    upright = four_colours()
    stored = upright.transpose(STORING[orientation]) if orientation > 1 else upright
    data = encoded(stored, kind, exif=exif_with(orientation))
    path = tmp_path / "picture"
    path.write_bytes(data)

    ways = [load_image(path), load_image(str(path)), load_image(data), load_image(io.BytesIO(data))]
    with path.open("rb") as file:
        ways.append(load_image(file))
    with PIL.Image.open(path) as lazy:
        ways.append(load_image(lazy))
        ways.append(load_image(lazy))
    for image in ways:
        assert image.size == Size(WIDTH, HEIGHT)
        assert not image.is_reduced
        assert close_to(image.pixels, upright)
        np.testing.assert_array_equal(image.pixels, ways[0].pixels)
    np.testing.assert_array_equal(load_image(np.asarray(stored), orientation=orientation).pixels, np.asarray(upright))
    # Stored under one orientation, told another: what counts is what was told.
    told = load_image(data, orientation=1)
    assert told.size == Size(*stored.size)
    assert close_to(told.pixels, stored)
    assert load_picture(data).size == upright.size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_jpeg_is_turned_too(orientation: int) -> None:
    upright = four_colours().resize((1600, 1000), PIL.Image.Resampling.NEAREST)
    stored = upright.transpose(STORING[orientation]) if orientation > 1 else upright
    image = load_image(encoded(stored, "JPEG", exif=exif_with(orientation)), at_least=Size(400, 100))
    assert image.size == Size(1600, 1000)
    assert image.pixels.shape == (250, 400, 3)
    assert close_to(image.pixels, upright.reduce(4))


def test_what_an_image_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "a picture é.jpg"
    path.write_bytes(encoded(four_colours(), "PNG"))
    image = load_image(path)
    assert image.name == str(path)
    assert image.format == "PNG"  # the bytes count, not the name
    assert image.frame_count == 1
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_image(path.read_bytes()).sha256 == image.sha256
    assert load_image(path, at_least=Size(4, 4)).sha256 == image.sha256
    assert image.pixels.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0, 0] = 1


def test_arrays_and_pillow_pictures_share_a_hash_and_other_shapes_do_not() -> None:
    array = np.asarray(four_colours())
    image = load_image(array)
    assert (image.name, image.format) == ("<array>", "")
    assert image.sha256 == load_image(four_colours()).sha256 == load_image(array[:, :, :], orientation=1).sha256
    assert image.sha256 != load_image(array.reshape(WIDTH, HEIGHT, 3)).sha256


def test_an_array_may_be_changed_afterwards_and_need_not_be_contiguous() -> None:
    array = np.array(four_colours())
    image = load_image(array)
    array[:] = 0
    assert image.pixels.max() == 230
    assert array.flags.writeable
    mirrored = np.asarray(four_colours())[:, ::-1]
    np.testing.assert_array_equal(load_image(mirrored).pixels, mirrored)


def test_grey_and_rgba_arrays() -> None:
    grey = np.full((3, 5), 77, np.uint8)
    assert (load_image(grey).pixels == 77).all()
    rgba = np.zeros((3, 5, 4), np.uint8)
    assert (load_image(rgba).pixels == 255).all()
    assert load_image(rgba, orientation=6).size == Size(3, 5)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((4, 4, 3), "float32"),
        ((4, 4, 3), "uint16"),
        ((3, 4, 4, 3), "uint8"),
        ((4,), "uint8"),
        ((4, 4, 2), "uint8"),
        ((0, 4, 3), "uint8"),
        ((), "uint8"),
        ((3, 40, 40), "uint8"),
    ],
)
def test_other_arrays_are_refused_with_their_shape_and_dtype(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(errors.UnsupportedPictureError) as caught:
        load_image(np.zeros(shape, dtype))
    assert str(shape) in caught.value.reason
    assert dtype in caught.value.reason
    assert caught.value.source == "<array>"


def test_a_file_is_read_from_where_it_stands_and_stays_open() -> None:
    file = io.BytesIO(b"head" + encoded(four_colours(), "PNG"))
    file.seek(4)
    assert load_image(file).size == Size(WIDTH, HEIGHT)
    assert not file.closed


def test_text_files_and_closed_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(four_colours(), "PNG"))
    with path.open() as text, pytest.raises(errors.InvalidValueError, match="binary mode"):
        load_image(text)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidValueError, match="'rb'"):
        load_image(io.StringIO("x"))  # type: ignore[arg-type]
    with path.open("rb") as file:
        pass
    with pytest.raises(errors.PictureNotFoundError, match="closed"):
        load_image(file)


@pytest.mark.parametrize("source", [None, 3, {"a": 1}, [1, 2]])
def test_other_things_are_refused(source: object) -> None:
    with pytest.raises(errors.InvalidValueError, match="expected a path"):
        load_image(source)  # type: ignore[arg-type]


def test_an_image_is_returned_as_it_is_or_turned() -> None:
    image = load_image(four_colours())
    assert load_image(image) is image
    turned = load_image(image, orientation=6)
    assert turned.size == Size(HEIGHT, WIDTH)
    np.testing.assert_array_equal(turned.pixels, np.rot90(image.pixels, -1))


def test_pillow_pictures_are_neither_changed_nor_closed(tmp_path: Path) -> None:
    path = tmp_path / "picture.gif"
    frames = [PIL.Image.new("P", (8, 6), colour) for colour in range(3)]
    for frame in frames:
        frame.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with PIL.Image.open(path) as gif:
        gif.seek(1)
        image = load_image(gif)
        assert gif.tell() == 1
        assert tuple(image.pixels[0, 0]) == (0, 255, 0)
        assert image.name == str(path)
        gif.seek(2)
    palette = four_colours().quantize(4)
    palette.info["transparency"] = 0
    before = palette.tobytes(), palette.getpalette("RGBA"), dict(palette.info), palette.mode
    load_image(palette)
    load_picture(palette)
    assert (palette.tobytes(), palette.getpalette("RGBA"), dict(palette.info), palette.mode) == before


def test_closed_pillow_pictures_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(four_colours(), "PNG"))
    with PIL.Image.open(path) as picture:
        pass
    with pytest.raises(errors.UnsupportedPictureError, match="cannot be had"):
        load_image(picture)


# --- size and reduction ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_at_least_reduces_files_and_never_below(kind: str) -> None:
    big = four_colours().resize((1200, 900), PIL.Image.Resampling.NEAREST)
    image = load_image(encoded(big, kind), at_least=Size(100, 100))
    height, width = image.pixels.shape[:2]
    assert image.is_reduced
    assert image.size == Size(1200, 900)
    assert 100 <= height < 900
    assert 100 <= width < 1200
    assert close_to(image.squashed(16), load_image(big).squashed(16))
    assert not load_image(encoded(big, kind), at_least=Size(1000, 800)).is_reduced


@pytest.mark.parametrize("size", [(12000, 3), (3, 12000), (1, 1), (5000, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_extreme_shapes(size: tuple[int, int], kind: str) -> None:
    image = load_image(encoded(PIL.Image.new("RGB", size, "teal"), kind), at_least=Size(272, 272))
    assert image.size == Size(*size)
    assert image.squashed(272).shape == (272, 272, 3)


def test_squashed_is_pillows_resize_and_contiguous() -> None:
    image = load_image(four_colours())
    small = image.squashed(16)
    assert small.flags.c_contiguous
    assert small.flags.writeable
    np.testing.assert_array_equal(small, np.asarray(four_colours().resize((16, 16), PIL.Image.Resampling.BILINEAR)))
    with pytest.raises(errors.InvalidValueError):
        image.squashed(0)


def test_region() -> None:
    image = load_image(four_colours())
    part = image.region(Box(0.5, 0, 1, 0.5))
    assert part.size == Size(WIDTH // 2, HEIGHT // 2)
    assert (part.pixels == (20, 200, 20)).all()
    assert part.squashed(8).shape == (8, 8, 3)
    assert (part.name, part.sha256) == (image.name, image.sha256)
    big = encoded(four_colours().resize((1600, 1000), PIL.Image.Resampling.NEAREST), "JPEG")
    reduced = load_image(big, at_least=Size(200, 100)).region(Box(0, 0, 0.25, 0.5))
    assert reduced.size == Size(400, 500)
    assert reduced.is_reduced


def test_the_pixel_limit_is_read_from_the_header() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        data = encoded(four_colours(), kind)
        with pytest.raises(errors.PictureTooLargeError, match="64 x 40") as caught:
            load_image(data[: len(data) - 8] if kind in ("JPEG", "PNG") else data, pixel_limit=WIDTH * HEIGHT - 1)
        assert caught.value.source == "<bytes>"
        load_image(data, pixel_limit=WIDTH * HEIGHT)
    with pytest.raises(errors.PictureTooLargeError):
        load_image(np.asarray(four_colours()), pixel_limit=10)
    with pytest.raises(errors.InvalidValueError):
        load_image(four_colours(), pixel_limit=0)


def test_pillows_own_limit_neither_counts_nor_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    for kind in ("JPEG", "PNG", "BMP", "QOI"):
        load_image(encoded(four_colours(), kind))
    with pytest.raises(errors.PictureTooLargeError, match="MAX_IMAGE_PIXELS"):
        load_image(encoded(four_colours(), "TIFF"))  # this reader insists
    assert PIL.Image.MAX_IMAGE_PIXELS == 10


def test_an_icon_hiding_a_larger_picture_is_refused() -> None:
    inside = encoded(four_colours(), "PNG")
    entry = struct.pack("<BBBBHHII", 8, 8, 0, 0, 1, 32, len(inside), 22)
    icon = struct.pack("<HHH", 0, 1, 1) + entry + inside
    assert load_image(icon).size == Size(WIDTH, HEIGHT)
    with pytest.raises(errors.PictureTooLargeError):
        load_image(icon, pixel_limit=100)


@pytest.mark.parametrize("orientation", [0, 9, -1, "6", 1.5])
def test_bad_orientations_are_refused(orientation: Any) -> None:
    with pytest.raises(errors.InvalidValueError, match="1 to 8"):
        load_image(four_colours(), orientation=orientation)


# --- modes, alpha, colours ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]
)
def test_modes_of_pillow_pictures(mode: str) -> None:
    grey = PIL.Image.new("L", (6, 4), 255)
    picture = (
        grey.convert("RGB").convert(mode) if mode not in ("La", "RGBa") else grey.convert(mode[:-1] + "A").convert(mode)
    )
    image = load_image(picture)
    assert image.pixels.shape == (4, 6, 3)
    assert image.pixels.min() >= 253
    assert load_picture(picture).mode == ("RGB" if picture.mode not in ("LA", "La", "PA", "RGBA", "RGBa") else "RGBA")


def test_lab() -> None:
    lab = four_colours().convert("LAB")
    assert close_to(load_image(lab).pixels, four_colours(), mean=6)
    assert close_to(load_image(encoded(lab, "TIFF")).pixels, four_colours(), mean=6)


@pytest.mark.parametrize("mode", ["YCbCr", "CMYK"])
def test_tiff_in_other_colour_spaces(mode: str) -> None:
    assert close_to(load_image(encoded(four_colours().convert(mode), "TIFF")).pixels, four_colours())


def test_cmyk_jpeg() -> None:
    picture = PIL.Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    assert close_to(load_image(encoded(picture, "JPEG")).pixels, np.full((32, 32, 3), (0, 255, 255), np.uint8))


def test_alpha_is_laid_on_the_background() -> None:
    picture = PIL.Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 255, 255))
    picture.putpixel((2, 0), (0, 0, 0, 128))
    data = encoded(picture, "PNG")
    np.testing.assert_array_equal(load_image(data).pixels[0], [(255, 255, 255), (0, 0, 255), (127, 127, 127)])
    np.testing.assert_array_equal(
        load_image(data, background="hsl(0, 100%, 50%)").pixels[0], [(255, 0, 0), (0, 0, 255), (127, 0, 0)]
    )
    with pytest.raises(errors.InvalidValueError, match="CSS colour"):
        load_image(data, background="nonsense")
    kept = load_picture(data)
    assert kept.mode == "RGBA"
    assert kept.getpixel((2, 0)) == (0, 0, 0, 128)


def test_a_hidden_colour_does_not_bleed_when_reduced() -> None:
    pixels = np.zeros((400, 400, 4), np.uint8)
    pixels[..., 0] = 255  # red, wholly transparent
    pixels[::2, :, 1:] = 255
    pixels[::2, :, 0] = 0  # cyan, opaque, every other row
    image = load_image(encoded(PIL.Image.fromarray(pixels), "PNG"), at_least=Size(50, 50), background="cyan")
    assert image.is_reduced
    assert image.pixels[..., 0].max() <= 1


def test_palettes_with_transparency() -> None:
    picture = PIL.Image.new("P", (2, 1), 0)
    picture.putpalette([200, 0, 0, 0, 0, 200])
    picture.putpixel((1, 0), 1)
    for transparency, first in ((0, (0, 128, 0)), (b"\x00\xff", (0, 128, 0)), (1, (200, 0, 0))):
        data = encoded(picture, "PNG", transparency=transparency)
        assert tuple(load_image(data, background="green").pixels[0, 0]) == first
    gif = encoded(picture, "GIF", transparency=0)
    np.testing.assert_array_equal(load_image(gif, background="green").pixels[0], [(0, 128, 0), (0, 0, 200)])


@pytest.mark.parametrize(("mode", "key"), [("L", 40), ("RGB", (40, 40, 40)), ("1", 0)])
def test_transparent_colours(mode: str, key: Any) -> None:
    picture = PIL.Image.new(mode, (2, 1), key)
    picture.putpixel((1, 0), 255 if mode != "RGB" else (255, 0, 0))
    image = load_image(encoded(picture, "PNG", transparency=key), background="lime")
    assert tuple(image.pixels[0, 0]) == (0, 255, 0)
    assert image.pixels[0, 1, 0] == 255


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_does_not_clip(kind: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(2, axis=0)
    picture = PIL.Image.fromarray(ramp)
    image = load_image(encoded(picture, kind))
    np.testing.assert_array_equal(image.pixels[0, :, 1], np.arange(256))
    np.testing.assert_array_equal(load_image(picture).pixels, image.pixels)


def test_16_bit_grey_with_a_transparent_value() -> None:
    picture = PIL.Image.fromarray(np.array([[1000, 60000]], np.uint16))
    picture.info["transparency"] = 1000
    np.testing.assert_array_equal(load_image(picture, background="red").pixels[0], [(255, 0, 0), (234, 234, 234)])


def test_12_bit_tiff_reaches_white() -> None:
    samples = bytes([0xFF, 0xF0, 0x00])  # 4095, 0
    tags = [(256, 2), (257, 1), (258, 12), (259, 1), (262, 1), (273, 122), (277, 1), (278, 1), (279, 3)]
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags)
    data = b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 0)
    image = load_image(data.ljust(122, b"\0") + samples)
    np.testing.assert_array_equal(image.pixels[0, :, 0], [255, 0])


def png_16_bit_rgb(values: NDArray[np.uint16], *, chunks: bytes = b"") -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunks
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_16_bit_rgb_png() -> None:
    values = np.array([[(65535, 0, 32768), (1000, 60000, 257)]], np.uint16)
    np.testing.assert_array_equal(load_image(png_16_bit_rgb(values)).pixels[0], [(255, 0, 128), (3, 234, 1)])
    key = chunk(b"tRNS", struct.pack(">HHH", 65535, 0, 32768))
    image = load_image(png_16_bit_rgb(values, chunks=key), background="white")
    np.testing.assert_array_equal(image.pixels[0], [(255, 255, 255), (3, 234, 1)])


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("I", [0, 255, 100], [0, 255, 100]),
        ("I", [0, 65535, 32768], [0, 255, 128]),
        ("I", [-100, 100, 0], [0, 255, 128]),
        ("F", [0, 1, 0.5], [0, 255, 128]),
        ("F", [0, 255, 100], [0, 255, 100]),
        ("F", [-1, 1, 0], [0, 255, 128]),
        ("F", [float("nan"), 1, float("inf")], [0, 255, 0]),
        ("F", [1e9, 1e9, 1e9], [0, 0, 0]),
    ],
)
def test_wide_numbers(mode: str, values: list[float], expected: list[int]) -> None:
    array = np.array([values], np.int32 if mode == "I" else np.float32)
    picture = PIL.Image.fromarray(array)
    assert picture.mode == mode
    np.testing.assert_allclose(load_image(picture).pixels[0, :, 0], expected, atol=1)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def with_swapped_red_and_green() -> bytes:
    """A profile in which what is stored as red is green."""
    profile = bytearray(SRGB)
    places = {}
    for i in range(struct.unpack(">I", profile[128:132])[0]):
        name, offset, length = struct.unpack(">4sII", profile[132 + 12 * i : 144 + 12 * i])
        places[name] = slice(offset, offset + length)
    profile[places[b"rXYZ"]], profile[places[b"gXYZ"]] = profile[places[b"gXYZ"]], profile[places[b"rXYZ"]]
    return bytes(profile)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_profiles_are_converted_to_srgb(kind: str) -> None:
    swapped = PIL.Image.merge("RGB", [four_colours().split()[i] for i in (1, 0, 2)])
    data = encoded(swapped, kind, icc_profile=with_swapped_red_and_green())
    assert close_to(load_image(data).pixels, four_colours())
    picture = load_picture(data)
    assert close_to(np.asarray(picture), four_colours())
    assert "icc_profile" not in picture.info


def test_a_profile_leaves_alpha_alone() -> None:
    picture = PIL.Image.new("RGBA", (4, 4), (0, 255, 0, 0))
    picture.putpixel((0, 0), (0, 255, 0, 255))
    image = load_image(encoded(picture, "PNG", icc_profile=with_swapped_red_and_green()), background="#102030")
    assert close_to(image.pixels[:1, :1], np.array([[(255, 0, 0)]], np.uint8))
    assert tuple(image.pixels[1, 1]) == (0x10, 0x20, 0x30)


@pytest.mark.parametrize("profile", [SRGB, b"broken", SRGB[:300], b"\0" * 5_000_000, SRGB[:16] + b"CMYK" + SRGB[20:]])
def test_srgb_and_broken_profiles_change_nothing(profile: bytes) -> None:
    picture = four_colours()
    picture.info["icc_profile"] = profile
    np.testing.assert_array_equal(load_image(picture).pixels, np.asarray(four_colours()))
    picture.info.clear()
    grey = picture.convert("L")
    grey.info["icc_profile"] = profile
    np.testing.assert_array_equal(load_image(grey).pixels[..., 0], np.asarray(grey))


def test_srgb_pictures_skip_the_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(four_colours(), "PNG", icc_profile=SRGB)
    load_image(data)  # asks once whether this profile is sRGB

    def never(*_: object) -> None:
        raise AssertionError("converted")

    monkeypatch.setattr(ImageCms.ImageCmsTransform, "apply", never)
    load_image(data)


# --- animations and other formats --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_animations_give_the_first_frame(kind: str) -> None:
    frames = [PIL.Image.new("RGB", (32, 16), colour) for colour in ("red", "lime", "blue")]
    options = {"quality": 95} if kind == "AVIF" else {"lossless": True} if kind == "WEBP" else {}
    image = load_image(encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options))
    assert image.frame_count == 3
    assert image.format == kind
    assert close_to(image.pixels, frames[0])


def test_a_gif_that_breaks_off_after_its_first_frame_is_read() -> None:
    frames = [PIL.Image.effect_noise((32, 16), 50 + i) for i in range(3)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert load_image(data[: len(data) * 2 // 3]).size == Size(32, 16)


@pytest.mark.parametrize("kind", ["BMP", "PPM", "QOI", "JPEG2000", "ICO", "AVIF"])
def test_other_formats(kind: str) -> None:
    if kind == "QOI":
        pytest.importorskip("PIL.QoiImagePlugin")
    options = {"sizes": [(WIDTH, HEIGHT)]} if kind == "ICO" else {}
    image = load_image(encoded(four_colours(), kind, **options))
    assert image.format == kind
    assert close_to(image.pixels, four_colours())


def test_mpo_is_read_as_the_jpeg_that_it_begins_with() -> None:
    image = load_image(encoded(four_colours(), "MPO", save_all=True, append_images=[four_colours()]))
    assert (image.format, image.frame_count) == ("JPEG", 1)


def test_heic() -> None:
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(four_colours()).save(file, quality=95)
    image = load_image(file.getvalue())
    assert image.format == "HEIF"
    assert close_to(image.pixels, four_colours(), mean=6)


def test_heic_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(errors.MissingExtraError, match=r"eyefirst\[heif\]") as caught:
        load_image(b"\0\0\0\x18ftypheic" + bytes(40))
    assert caught.value.source == "<bytes>"


# --- refusals ----------------------------------------------------------------------------------------


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(errors.NotAPictureError, match="empty"):
        load_image(tmp_path / "empty.jpg")
    with pytest.raises(errors.PictureNotFoundError, match="no such file") as caught:
        load_image(tmp_path / "absent.jpg")
    assert caught.value.source.endswith("absent.jpg")
    with pytest.raises(errors.PictureNotFoundError, match="folder"):
        load_image(tmp_path)
    with pytest.raises(errors.PictureNotFoundError, match="cannot be read"):
        load_image("a\0b")
    with pytest.raises(errors.PictureNotFoundError, match="download it first"):
        load_image("https://example.org/a.jpg")
    with pytest.raises(errors.NotAPictureError, match="empty"):
        load_image(b"")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs a device that never ends")
def test_a_device_is_refused() -> None:
    with pytest.raises(errors.PictureNotFoundError, match="regular file"):
        load_image("/dev/zero")


def test_a_link_to_itself_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with pytest.raises(errors.PictureNotFoundError) as refused:
        load_image(tmp_path / "loop.jpg")
    assert str(refused.value).count("loop.jpg") == 1
    assert "Errno" not in str(refused.value)


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(errors.PictureNotFoundError, match="may not be read"):
        load_image("some.jpg")


def test_files_that_are_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("eyefirst.image.source.FILE_LIMIT_BYTES", 10)
    (tmp_path / "long.jpg").write_bytes(bytes(11))
    with pytest.raises(errors.PictureTooLargeError, match="11 bytes"):
        load_image(tmp_path / "long.jpg")


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"hello", errors.NotAPictureError, "begins with b'hello'"),
        (b"<!DOCTYPE html><html>", errors.NotAPictureError, "DOCTYPE"),
        (b"\xff\xd8", errors.NotAPictureError, "begins with"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", errors.UnsupportedPictureError, "PostScript"),
        (b"%PDF-1.7", errors.UnsupportedPictureError, "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', errors.UnsupportedPictureError, "SVG"),
        (b"8BPS\0\1", errors.UnsupportedPictureError, "Photoshop"),
        (b"\xff\x0a\xfa\x1f", errors.TruncatedPictureError, "JPEG XL"),
        (b"\0\0\0\x20ftypisom" + bytes(20), errors.UnsupportedPictureError, "video"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", errors.TruncatedPictureError, "JPEG"),
        (b"\x89PNG\r\n\x1a\n", errors.TruncatedPictureError, "PNG"),
        (b"GIF89a", errors.TruncatedPictureError, "GIF"),
        (b"\0\0\0\x18ftypavif" + bytes(30), errors.TruncatedPictureError, "AVIF"),
        (b"BM" + b"\xff" * 60, errors.PictureError, "BMP"),
    ],
)
def test_bytes_that_are_not_pictures(data: bytes, error: type[errors.PictureError], words: str) -> None:
    with pytest.raises(error) as caught:
        load_image(data)
    assert words in caught.value.reason
    assert caught.value.remedy
    assert caught.value.source == "<bytes>"
    assert pickle.loads(pickle.dumps(caught.value)).reason == caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("at_least", [None, Size(8, 8)])
def test_truncated_files_are_refused(kind: str, at_least: Size | None) -> None:
    noise = PIL.Image.merge("RGB", [PIL.Image.effect_noise((128, 96), 60) for _ in range(3)])
    data = encoded(noise, kind)
    for share in (0.3, 0.7, 0.95):
        with pytest.raises(errors.PictureError):
            load_image(data[: int(len(data) * share)], at_least=at_least)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "ICO", "AVIF", "JPEG2000", "MPO"])
def test_damaged_bytes_never_raise_anything_else(kind: str) -> None:
    data = (
        encoded(four_colours(), kind, exif=exif_with(6)) if kind in ("JPEG", "WEBP") else encoded(four_colours(), kind)
    )
    rng = np.random.default_rng(7)
    for _ in range(60):
        damaged = np.frombuffer(data, np.uint8).copy()
        places = rng.integers(0, min(len(data), 400), rng.integers(1, 6))
        damaged[places] = rng.integers(0, 256, len(places))
        try:
            image = load_image(damaged.tobytes(), pixel_limit=1_000_000)
        except errors.EyefirstError as error:
            if not (error.reason and error.remedy and error.source):
                raise
        else:
            assert image.pixels.shape == (image.size.height, image.size.width, 3)


def test_text_that_unpacks_to_megabytes_is_refused() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("bomb", "x" * 3_000_000, zip=True)
    with pytest.raises(errors.PictureTooLargeError, match="too large to unpack"):
        load_image(encoded(four_colours(), "PNG", pnginfo=text))


@pytest.mark.parametrize("failure", [MemoryError(), RecursionError("deep"), KeyError("x"), OverflowError("big")])
def test_whatever_pillow_raises_is_translated(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    monkeypatch.setattr("eyefirst.image.codecs._decoder_of", lambda _: None)  # as without the extra [codecs]
    expected = errors.PictureTooLargeError if isinstance(failure, MemoryError) else errors.TruncatedPictureError
    with pytest.raises(expected) as caught:
        load_image(encoded(four_colours(), "PNG"))
    assert caught.value.__cause__ is failure


# --- warnings ----------------------------------------------------------------------------------------

BROKEN_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01"


def test_pillows_warnings_stay_inside_and_everybody_elses_do_not() -> None:
    data = encoded(four_colours(), "JPEG", exif=BROKEN_EXIF)
    with pytest.warns(UserWarning, match="EXIF"), PIL.Image.open(io.BytesIO(data)) as picture:
        picture.getexif()
    failures: list[BaseException] = []

    def load() -> None:
        try:
            for _ in range(20):
                assert load_image(data).size == Size(WIDTH, HEIGHT)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        with pytest.raises(UserWarning, match="mine"):
            warnings.warn("mine", stacklevel=1)
    for thread in threads:
        thread.join()
    assert not failures


def test_threads_get_the_same_picture() -> None:
    sources = [
        encoded(four_colours(), kind, **({} if kind == "GIF" else {"icc_profile": with_swapped_red_and_green()}))
        for kind in ("JPEG", "PNG", "GIF", "TIFF")
    ]
    expected = [load_image(source).pixels for source in sources]
    seen: list[list[Image]] = []
    threads = [
        threading.Thread(target=lambda: seen.append([load_image(source) for source in sources])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    for images in seen:
        for image, pixels in zip(images, expected, strict=True):
            np.testing.assert_array_equal(image.pixels, pixels)


# --- load_picture ------------------------------------------------------------------------------------


def test_load_picture_is_a_new_plain_picture() -> None:
    source = four_colours()
    source.info["icc_profile"] = SRGB
    picture = load_picture(source)
    assert picture is not source
    assert picture.info == {}
    assert source.info
    picture.putpixel((0, 0), (1, 2, 3))
    assert source.getpixel((0, 0)) == (230, 20, 20)
    assert load_picture(load_image(source), orientation=6).size == (HEIGHT, WIDTH)
    with pytest.raises(errors.PictureTooLargeError):
        load_picture(source, pixel_limit=5)


@pytest.mark.parametrize("need", [(100, 100), "100x100", lambda _: (100, 100)], ids=["pair", "text", "function"])
def test_what_is_needed_may_be_any_size(photo_path: Path, need: Any) -> None:
    pixels = load_image(photo_path, at_least=need).pixels
    np.testing.assert_array_equal(pixels, load_image(photo_path, at_least=Size(100, 100)).pixels)
    with pytest.raises(errors.InvalidValueError, match="expected a size"):
        load_image(photo_path, at_least=lambda _: (1, 2, 3))  # type: ignore[arg-type]
