"""Animations as browsers play them; the values were compared with Chromium's `ImageDecoder`."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import PIL.Image
import pytest

from eyefirst import errors
from eyefirst.geometry import Size
from eyefirst.image import decode, load_animation, load_image, loop_option, matches
from tests.unit.image.pictures import case, encoded, noise

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def frames(count: int = 3) -> list[PIL.Image.Image]:
    return [PIL.Image.new("RGB", (16, 12), COLOURS[i % 3]) for i in range(count)]


def animated(kind: str, **options: Any) -> bytes:
    first, *rest = frames()
    return encoded(first, kind, save_all=True, append_images=rest, **{"duration": 50, **options})


@pytest.mark.parametrize(
    ("kind", "loop", "plays"),
    [
        ("GIF", None, 1),
        ("GIF", 0, 0),
        ("GIF", 1, 2),
        ("GIF", 3, 4),
        ("WEBP", 0, 0),
        ("WEBP", 1, 1),
        ("WEBP", 3, 3),
        ("PNG", 0, 0),
        ("PNG", 1, 1),
        ("PNG", 3, 3),
    ],
)
def test_how_often_an_animation_plays(kind: str, loop: int | None, plays: int) -> None:
    assert load_animation(animated(kind, **({} if loop is None else {"loop": loop}))).plays == plays


@pytest.mark.parametrize("plays", [0, 1, 2, 7, 65535])
@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_loop_options_play_as_often_in_every_format(kind: str, plays: int) -> None:
    assert load_animation(animated(kind, **loop_option(kind, plays))).plays == plays


def test_counts_that_a_format_cannot_hold() -> None:
    assert load_animation(animated("GIF", **loop_option("GIF", 1 << 20))).plays == 65536
    assert load_animation(animated("WEBP", **loop_option("WEBP", 1 << 20))).plays == 65535
    assert loop_option("AVIF", 3) == loop_option("JPEG", 3) == {}


def test_avif_without_an_edit_list_plays_for_ever() -> None:
    assert load_animation(animated("AVIF")).plays == 0


@pytest.mark.parametrize(
    ("repeats", "once", "whole", "plays"), [(1, 150, 450, 3), (0, 150, 150, 1), (1, 150, 0xFFFFFFFF, 0)]
)
def test_the_edit_list_of_an_avif_counts_the_plays(repeats: int, once: int, whole: int, plays: int) -> None:
    from eyefirst.image.animation import _plays_of_avif

    track = b"tkhd" + bytes(4) + bytes(16) + struct.pack(">I", whole) + bytes(8)
    edits = b"elst" + bytes([0, 0, 0, repeats]) + struct.pack(">III", 1, once, 0)
    assert _plays_of_avif(b"ftyp" + track + edits) == plays
    assert _plays_of_avif(b"ftyp" + track + edits[:9]) == 0  # cut off


@pytest.mark.parametrize(
    ("kind", "stated", "shown"),
    [
        ("GIF", 0, 100),
        ("GIF", 10, 100),
        ("GIF", 20, 20),
        ("WEBP", 10, 100),
        ("WEBP", 11, 11),
        ("PNG", 0, 100),
        ("PNG", 40, 40),
        ("AVIF", 50, 50),
    ],
)
def test_frames_without_a_time_are_shown_as_long_as_browsers_do(kind: str, stated: int, shown: int) -> None:
    assert load_animation(animated(kind, duration=stated)).durations_ms == (shown,) * 3


def with_poster() -> bytes:
    poster = PIL.Image.new("RGB", (16, 12), "black")
    return encoded(poster, "PNG", save_all=True, append_images=frames(), default_image=True, duration=50)


def test_the_poster_of_an_apng_is_not_a_frame() -> None:
    animation = load_animation(with_poster())
    assert [f.getpixel((3, 3)) for f in animation.frames] == COLOURS
    assert len(animation.durations_ms) == 3
    still = decode(with_poster())
    assert still.frame_count == 3
    assert still.picture.getpixel((3, 3)) == COLOURS[0]
    assert tuple(load_image(with_poster()).pixels[3, 3]) == COLOURS[0]
    assert load_animation(case("apng_default.png")).frames[0].getpixel((1, 1)) == (240, 240, 240)
    assert len(load_animation(case("apng_default.png")).frames) == 4


def test_a_pillow_picture_of_such_an_apng_is_the_same_picture() -> None:
    with PIL.Image.open(io.BytesIO(with_poster())) as picture:
        image = load_image(picture)
        assert tuple(image.pixels[3, 3]) == COLOURS[0]
        assert picture.tell() == 0
        assert matches(with_poster(), image.sha256)
        picture.seek(2)
        assert tuple(load_image(picture).pixels[3, 3]) == COLOURS[1]


def test_a_gif_that_plays_once() -> None:
    animation = load_animation(case("once.gif"))
    assert (len(animation.frames), animation.plays, animation.durations_ms) == (4, 1, (100,) * 4)


# --- limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_only_frames_that_are_decoded_count(kind: str) -> None:
    data = animated(kind)
    limit = 16 * 12
    assert load_image(data, pixel_limit=limit).frame_count == 3
    assert decode(data, pixel_limit=limit).size == Size(16, 12)
    with pytest.raises(errors.PictureTooLargeError, match="3 frames of 16 x 12 pixels, 576 together"):
        load_animation(data, pixel_limit=3 * limit - 1)
    assert len(load_animation(data, pixel_limit=3 * limit).frames) == 3
    with pytest.raises(errors.PictureTooLargeError, match="has 16 x 12 pixels"):
        load_image(data, pixel_limit=limit - 1)


def test_a_long_gif_is_read_as_a_still_picture() -> None:
    path = case("long_60x1000x1000.gif")
    assert decode(path, pixel_limit=1_000_000).frame_count == 60
    with pytest.raises(errors.PictureTooLargeError, match="60 frames of 1000 x 1000 pixels"):
        load_animation(path, pixel_limit=59_999_999)


# --- damage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_frames_before_the_damage_are_kept(kind: str) -> None:
    pictures = [noise(seed=i) for i in range(4)]
    data = encoded(pictures[0], kind, save_all=True, append_images=pictures[1:], duration=50)
    cut = load_animation(data[: int(len(data) * 0.65)])
    assert 1 <= len(cut.frames) < 4
    assert len(cut.durations_ms) == len(cut.frames)
    whole = load_animation(data)
    np.testing.assert_array_equal(np.asarray(cut.frames[0]), np.asarray(whole.frames[0]))
    assert whole.warnings == ()
    if len(cut.frames) > 1:
        assert "frames can be read" in cut.warnings[0]


def test_a_still_picture_is_an_animation_of_one_frame() -> None:
    animation = load_animation(io.BytesIO(encoded(noise(), "GIF")))
    assert (len(animation.frames), animation.durations_ms, animation.plays) == (1, (0,), 0)
    assert animation.frames[0].info == {}
