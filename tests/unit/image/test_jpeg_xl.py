"""JPEG XL through the extra `[codecs]`: colours, orientation, metadata, and the JPEG that is in some files."""

from __future__ import annotations

import base64
import contextlib
import io
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.albums.thumbnails import ThumbnailSettings, make_thumbnails
from eyefirst.albums.walk import find_pictures
from eyefirst.errors import MissingExtraError, PictureError, PictureTooLargeError
from eyefirst.geometry import Size
from eyefirst.image import decode, read_metadata, stored_orientation
from eyefirst.image.colour import to_srgb
from eyefirst.image.colour_spaces import PRIMARIES, SRGB, ColourSpace

imagecodecs = pytest.importorskip("imagecodecs", reason="imagecodecs comes with the extra 'codecs'")

LEFT, RIGHT = (200, 50, 50), (50, 50, 200)
SWAPPED = ColourSpace((0.3127, 0.3290, 0.30, 0.60, 0.64, 0.33, 0.15, 0.06), 2.2)
"""Red and green change places, so that a profile that is not used shows."""
FILES = {  # of 8 x 4 pixels, LEFT and RIGHT, by cjxl 0.7
    "animated": (
        "/woYcEEAFhSXBAgIoAIAAHQASxiLFcIJMm8/VBcQASDkWHrqf5K9xR3PwwEAAAAICKBCAABwAEsYixXCCWNchv8CIgCUPMtO+19y"
        "t7rngQAAAAA="
    ),
    "gamma": "/woYcBBQgZaYIggCAQBsAEsYixXCCTJvHV4XCAHgybH01P8kezsIAAAAAA==",
    "p3": "/woYcBCQyY0IAgEAbABLGIsVwgkybx1eFwgB4Mmx9NT/JHs7CAAAAAA=",
    "pq": "/woYcAEE5NEjDgcAAACACAIBAGwASxiLFcIJMm8dXhcIAeDJsfTU/yR7OwgAAAAA",
    "profile": (
        "/woYcBDCb8aA4dvGmtsTYCKYBcCcSrLt5DSvY6E8fRTZpJn4tPVwefMFK6HCK6NEqW05dYXCuoyBExXuSA2rh1PDJGHgBf0B+Go2"
        "X5k8ZcykkTOH/ppgGTJcCGjXSh3A6W0Q0Qt48wAHzUJeQXCxdegLgUv8wH4JoM0htf7ij6N+WNbz6V/TTsWlURDEbQYCAoAwAJIk"
        "bzMAhglgAiCAAAKmCQKCgJgCggiCoCkICoKCiKCgoA2goAhDA4giCorCAIro6ywiCAIBAGwASxiLFcIJMm8dXhcIAeDJsfTU/yR7"
        "OwgAAAAA"
    ),
    "profile, lossy": (
        "/woYcJDCb8aA4dvGmtsTYCKYBcCcSrLt5DSvY6E8fRTZpJn4tPVwefMFK6HCK6NEqW05dYXCuoyBExXuSA2rh1PDJGHgBf0B+Go2"
        "X5k8ZcykkTOH/ppgGTJcCGjXSh3A6W0Q0Qt48wAHzUJeQXCxdegLgUv8wH4JoM0htf7ij6N+WNbz6V/TTsWlURDEbQYCAoAwAJIk"
        "bzMAhglgAiCAAAKmCQKCgJgCggiCoCkICoKCiKCgoA2goAhDA4giCorCAIro6ywiABKIAHgBd1OJAQBQoTLKuMHLuZ4vP3RYTNu4"
        "ztBW2xaWJIqMY5N0AocksRRsXIAAAMEAMHOy5WAArZAC2Y0xNsbIGBljjGKMjGJkjJGRhAAkAPGjrCTHqPacHNiaCNbi9wFSFw=="
    ),
    "turned": (
        "AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAAByanhsY/8KGHALJBSXBAASiABsAY/8KQEAUKEyyrjBy7meLz90WEzb"
        "uM7QVtsWliSKjGOTdAKHJLESbNwYAQwAHmDmEpNrx1FQIQVSG2NsDA7GSFIkY4yMUXNvIwDlb+SO0jiQUCmJRvBVX74CGhw="
    ),
}


def file(name: str) -> bytes:
    return base64.b64decode(FILES[name])


def ends(picture: PillowImage.Image) -> list[tuple[int, ...]]:
    """The colours in the first and the last pixel."""
    pixels = np.asarray(picture)
    return [tuple(map(int, pixels[at, at])) for at in (0, -1)]


def as_in(space: ColourSpace) -> list[tuple[int, ...]]:
    stored = PillowImage.new("RGB", (2, 2), LEFT)
    stored.paste(RIGHT, (1, 0, 2, 2))
    return ends(to_srgb(stored, space))


@pytest.mark.parametrize(
    ("name", "space", "tolerance"),
    [
        ("p3", ColourSpace(PRIMARIES[12], "sRGB"), 0),
        ("gamma", ColourSpace(SRGB, 2.0), 0),
        ("pq", ColourSpace(PRIMARIES[9], "PQ"), 1),
        ("profile, lossy", SWAPPED, 12),  # linear light in 8 bits has few dark values
    ],
)
def test_colours_are_converted(name: str, space: ColourSpace, tolerance: int) -> None:
    found = decode(file(name))
    assert found.warnings == ()
    assert found.format == "JPEG XL"
    assert np.abs(np.subtract(ends(found.picture), as_in(space))).max() <= tolerance
    assert as_in(space) != [LEFT, RIGHT]


def test_what_cannot_be_read_is_said() -> None:
    profile, animated = decode(file("profile")), decode(file("animated"))
    assert ends(profile.picture) == [LEFT, RIGHT]
    assert "colour profile cannot be read" in profile.warnings[0]
    assert "first frame" in animated.warnings[0]


def test_orientation() -> None:
    found = decode(file("turned"))
    assert found.size == Size(4, 8)
    assert stored_orientation(file("turned")) == 6
    assert np.abs(np.subtract(ends(found.picture), [LEFT, RIGHT])).max() < 12
    assert decode(file("turned"), orientation=1).size == Size(8, 4)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_depths_and_channels(kind: type, channels: int) -> None:
    """imagecodecs writes 16 bits and floats as light."""
    stored: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (6, 5, channels), np.uint8)
    light = stored / 255
    written: dict[type, NDArray[Any]] = {np.uint8: stored, np.uint16: stored.astype(np.uint16) * 257}
    pixels = written.get(kind, light.astype(np.float32))
    found = decode(imagecodecs.jpegxl_encode(np.squeeze(pixels), lossless=True)).picture
    assert found.mode == ("RGBA" if channels in (2, 4) else "RGB")
    bent = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    colours = stored if kind is np.uint8 else np.round(255 * bent).astype(np.uint8)
    colours = colours[..., :1].repeat(3, 2) if channels < 3 else colours[..., :3]
    assert np.array_equal(np.asarray(found)[..., :3], colours)
    assert np.array_equal(np.asarray(found)[..., 3:], stored[..., 1:] if channels < 3 else stored[..., 3:])


def test_a_file_made_from_a_jpeg_becomes_it_again(tmp_path: Path) -> None:
    exif = PillowImage.Exif()
    exif[0x0112], exif[0x8298] = 6, "Ann"
    out = io.BytesIO()
    noise = PillowImage.fromarray(np.random.default_rng(0).integers(0, 256, (80, 120, 3), np.uint8))
    noise.save(out, "JPEG", exif=exif, icc_profile=SWAPPED.profile())
    made = bytes(imagecodecs.jpegxl_encode_jpeg(out.getvalue()))
    for need in (None, Size(10, 10)):
        one, other = decode(made, at_least=need), decode(out.getvalue(), at_least=need)
        assert one.picture.tobytes() == other.picture.tobytes()
        assert one.size == other.size == Size(80, 120)
    assert read_metadata(made).copyright == "Ann"
    (tmp_path / "a.jxl").write_bytes(made)
    rows = list(make_thumbnails(find_pictures([tmp_path]), tmp_path / "out", ThumbnailSettings(sizes=(Size(16, 16),))))
    assert [row.status for row in rows] == ["made"]


def test_damaged_files_raise_errors_of_pictures_alone() -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (16, 16, 3), np.uint8)
    for data in (file("profile"), file("turned"), bytes(imagecodecs.jpegxl_encode(noise))):
        for length in (2, 5, len(data) // 2):
            with pytest.raises(PictureError):
                decode(data[:length])
        for _ in range(20):
            damaged = bytearray(data)
            damaged[random.integers(2, len(data))] ^= int(random.integers(1, 256))
            for read in (partial(decode, pixel_limit=100_000), read_metadata, stored_orientation):
                with contextlib.suppress(PictureError):
                    read(bytes(damaged))


def test_the_size_is_checked_before_a_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagecodecs, "jpegxl_decode", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(PictureTooLargeError):
        decode(file("p3"), pixel_limit=31)


@pytest.mark.parametrize("name", FILES)
def test_the_extra_is_named_where_it_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingExtraError, match=r"needs the extra 'codecs'.*eyefirst\[codecs\]"):
        decode(file(name))
