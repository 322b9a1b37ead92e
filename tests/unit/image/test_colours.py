"""Colour spaces named by numbers. The expected values are what Chromium 140 and later show."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from PIL import ImageDraw

from eyefirst.geometry import Size
from eyefirst.image import load_image, load_picture, matches
from eyefirst.image.containers import boxes, jpeg_segments, png_chunks, primary_properties, riff_chunks
from tests.unit.image.colour_files import AVIF_FILES, PNG_FILES, avif, chart, cicp, gamma, png
from tests.unit.image.pictures import case, encoded, noise


def grey_and_tints(pixels: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """The chart's grey at 64 and 128, and its red and green at 200."""
    return [tuple(int(v) for v in pixels[row, column]) for row, column in ((0, 64), (0, 128), (1, 200), (2, 200))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", [(64, 64, 64), (128, 128, 128), (200, 0, 0), (0, 200, 0)]),
        ("gAMA 1", [(137, 137, 137), (188, 188, 188), (229, 0, 0), (0, 229, 0)]),
        ("gAMA 0.45455", [(64, 64, 64), (128, 128, 128), (200, 0, 0), (0, 200, 0)]),
        ("gAMA 0.5", [(71, 71, 71), (137, 137, 137), (206, 0, 0), (0, 206, 0)]),
        ("gAMA and cHRM of P3", [(62, 62, 62), (129, 129, 129), (220, 0, 0), (0, 205, 0)]),
        ("cHRM alone", [(64, 64, 64), (128, 128, 128), (200, 0, 0), (0, 200, 0)]),
        ("sRGB before gAMA", [(64, 64, 64), (128, 128, 128), (200, 0, 0), (0, 200, 0)]),
        ("cICP before gAMA", [(64, 64, 64), (128, 128, 128), (200, 0, 0), (0, 200, 0)]),
        ("narrow range", [(64, 64, 64), (128, 128, 128), (200, 0, 0), (0, 200, 0)]),
        ("primaries 9", [(64, 64, 64), (128, 128, 128), (250, 0, 0), (0, 211, 0)]),
        ("primaries 12", [(64, 64, 64), (128, 128, 128), (219, 0, 0), (0, 204, 0)]),
        ("transfer 1", [(54, 54, 54), (121, 121, 121), (197, 0, 0), (0, 197, 0)]),
        ("transfer 7", [(81, 81, 81), (141, 141, 141), (206, 0, 0), (0, 206, 0)]),
        ("transfer 8", [(137, 137, 137), (188, 188, 188), (229, 0, 0), (0, 229, 0)]),
        ("transfer 17", [(48, 48, 48), (118, 118, 118), (200, 0, 0), (0, 200, 0)]),
        ("PQ, primaries 9", [(30, 30, 30), (132, 132, 132), (255, 0, 0), (0, 255, 0)]),
        ("PQ, primaries 1", [(30, 30, 30), (132, 132, 132), (255, 0, 0), (0, 255, 0)]),
        ("HLG, primaries 9", [(43, 43, 43), (99, 99, 99), (229, 0, 0), (0, 208, 0)]),
        ("HLG, primaries 1", [(43, 43, 43), (99, 99, 99), (179, 0, 0), (0, 200, 0)]),
        ("PQ of 203 nits", [(44, 44, 44), (181, 181, 181), (255, 0, 0), (0, 255, 0)]),
        ("PQ of 4000 nits", [(30, 30, 30), (132, 132, 132), (255, 0, 0), (0, 245, 0)]),
        ("PQ mastered for 4000 nits", [(30, 30, 30), (132, 132, 132), (255, 0, 0), (0, 245, 0)]),
    ],
)
def test_png(name: str, expected: list[tuple[int, ...]]) -> None:
    np.testing.assert_allclose(grey_and_tints(load_image(PNG_FILES[name]).pixels), expected, atol=2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("primaries 1, transfer 1", [(64, 64, 64), (128, 128, 128), (201, 0, 0), (0, 200, 0)]),
        ("primaries 1, transfer 8", [(137, 137, 137), (188, 188, 188), (230, 0, 0), (0, 229, 0)]),
        ("primaries 12, transfer 13", [(64, 64, 64), (128, 128, 128), (220, 0, 0), (0, 204, 0)]),
        ("primaries 9, transfer 13", [(64, 64, 64), (128, 128, 128), (252, 0, 0), (0, 211, 0)]),
    ],
)
def test_avif(name: str, expected: list[tuple[int, ...]]) -> None:
    np.testing.assert_allclose(grey_and_tints(load_image(AVIF_FILES[name]).pixels[1::4]), expected, atol=2)


def test_avif_with_pq_is_tone_mapped() -> None:
    pixels = load_image(avif(9, 16)).pixels[1::4]
    np.testing.assert_allclose(pixels[0, [64, 128, 160, 192, 255], 0], [30, 132, 213, 255, 255], atol=2)


def test_cases_of_users() -> None:
    for name in ("cicp_p3.png", "p3.avif", "gama1.png"):
        path = case(name)
        with PIL.Image.open(path) as plain:
            stored = np.asarray(plain.convert("RGB")).astype(int)
        shown = load_image(path).pixels.astype(int)
        assert np.abs(shown - stored).max() > 15  # sRGB it is not


def test_a_profile_comes_before_gamma_and_the_numbers_before_a_profile() -> None:
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with PIL.Image.open(io.BytesIO(encoded(PIL.Image.fromarray(chart()), "PNG", icc_profile=srgb))) as picture:
        plain = encoded(picture, "PNG", icc_profile=srgb)
    place = plain.find(b"iCCP") - 4
    for added, same in ((gamma(1), True), (cicp(12, 13), False)):
        data = plain[:place] + added + plain[place:]
        assert np.array_equal(load_image(data).pixels, chart()) == same


@pytest.mark.parametrize("name", ["gAMA 1", "primaries 12", "PQ, primaries 9"])
def test_a_pillow_picture_has_the_colours_of_its_file(name: str, tmp_path: Path) -> None:
    data = PNG_FILES[name]
    path = tmp_path / "a.png"
    path.write_bytes(data)
    expected = load_image(data).pixels
    with PIL.Image.open(path) as lazy, PIL.Image.open(io.BytesIO(data)) as from_bytes:
        np.testing.assert_array_equal(load_image(lazy).pixels, expected)
        np.testing.assert_array_equal(load_image(from_bytes).pixels, expected)
        assert matches(path, load_image(lazy).sha256)
        lazy.load()
        np.testing.assert_array_equal(load_image(lazy).pixels, expected)


def test_grey_alpha_and_palette_take_the_same_way() -> None:
    dark = png(gamma(1))
    grey = PIL.Image.fromarray(chart()[:1, :, 0])
    for picture in (grey, grey.convert("LA"), grey.convert("RGBA"), grey.convert("P")):
        plain = encoded(picture, "PNG")
        place = 8 + 25  # behind IHDR
        image = load_image(plain[:place] + gamma(1) + plain[place:])
        np.testing.assert_array_equal(image.pixels[0], load_image(dark).pixels[0])


def test_alpha_is_left_alone_by_tone_mapping() -> None:
    picture = PIL.Image.fromarray(chart()).convert("RGBA")
    picture.putalpha(77)
    plain = encoded(picture, "PNG")
    kept = load_picture(plain[:33] + cicp(9, 16) + plain[33:])
    assert kept.mode == "RGBA"
    assert kept.getchannel("A").getextrema() == (77, 77)
    np.testing.assert_allclose(np.asarray(kept)[0, 128, :3], 132, atol=1)


@pytest.mark.parametrize(
    "values", [(0,) * 8, (0.3, 0.3) * 4, (0.3127, 0, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06), (21474.0,) * 8]
)
def test_impossible_chromaticities_do_no_harm(values: tuple[float, ...]) -> None:
    from tests.unit.image.colour_files import chromaticities

    image = load_image(png(gamma(1) + chromaticities(values)))
    assert image.size == Size(256, 8)


def test_damaged_containers_are_gone_through_quietly() -> None:
    files = [png(cicp(9, 16)), avif(9, 16), encoded(noise(), "JPEG"), encoded(noise(), "WEBP")]
    rng = np.random.default_rng(5)
    for data in files:
        for _ in range(200):
            damaged = bytearray(data[: rng.integers(1, len(data))])
            for place in rng.integers(0, min(len(damaged), 300), 4):
                damaged[place] = rng.integers(0, 256)
            for walk in (png_chunks, jpeg_segments, riff_chunks, boxes, primary_properties):
                assert len(list(walk(bytes(damaged)))) < len(damaged)
    assert primary_properties(struct.pack(">I4s", 8, b"meta")) == []


# --- the ground of transparent pictures ---------------------------------------------------------------


def shape(colour: tuple[int, int, int], edge: tuple[int, int, int] | None = None) -> PIL.Image.Image:
    """A disc on transparency, perhaps with a rim of another colour; the hidden colour is red."""
    picture = PIL.Image.new("RGBA", (300, 200), (255, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 40, 160, 140), fill=(*(edge or colour), 255))
    draw.ellipse((70, 50, 150, 130), fill=(*colour, 255))
    return picture


@pytest.mark.parametrize(
    ("picture", "ground"),
    [
        (shape((255, 255, 255)), 0),
        (shape((225, 230, 220)), 0),
        (shape((0, 0, 0)), 255),
        (shape((128, 128, 128)), 255),
        (shape((200, 30, 30)), 255),
        (shape((255, 255, 255), edge=(20, 20, 20)), 255),
        (shape((20, 20, 20), edge=(255, 255, 255)), 0),
        (PIL.Image.new("RGBA", (40, 30), (255, 255, 255, 0)), 255),
        (PIL.Image.new("LA", (40, 30), (255, 255)), 255),
    ],
)
@pytest.mark.parametrize("at_least", [None, Size(60, 40)])
def test_a_transparent_picture_stands_out_from_its_ground(
    picture: PIL.Image.Image, ground: int, at_least: Size | None
) -> None:
    image = load_image(encoded(picture, "PNG"), at_least=at_least)
    assert tuple(image.pixels[0, 0]) == (ground,) * 3
    assert load_image(encoded(picture, "PNG"), background="#010203").pixels[0, 0].max() in (3, 255)
    in_memory = load_image(picture)
    np.testing.assert_array_equal(in_memory.pixels, load_image(encoded(picture, "PNG")).pixels)
    if picture.mode == "RGBA":
        np.testing.assert_array_equal(np.asarray(load_picture(picture)), np.asarray(picture))  # cutting keeps alpha


def test_a_white_logo_is_seen() -> None:
    assert tuple(load_image(case("white_logo.png")).pixels[0, 0]) == (0, 0, 0)
    assert tuple(load_image(case("s13_transparent.png")).pixels[0, 0]) == (255, 255, 255)
