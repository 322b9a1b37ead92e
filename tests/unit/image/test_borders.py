"""Borders: bars and frames are left out; backdrops, skies and headers are part of the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageOps
from skimage import data

import eyefirst
from eyefirst.geometry import Box
from eyefirst.image import inside_borders

CAT = PillowImage.fromarray(data.chelsea())


def pixels_of(picture: PillowImage.Image, quality: int = 85) -> NDArray[np.uint8]:
    """As a JPEG brings them, with its noise at edges."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return np.asarray(PillowImage.open(out))


@pytest.mark.parametrize("colour", ["black", "white", "#7b2d43"])
@pytest.mark.parametrize("border", [(0, 60, 0, 60), (50, 0, 50, 0), (8, 8, 8, 8), (20, 25, 22, 34)])
def test_borders_are_found_to_two_pixels(border: tuple[int, int, int, int], colour: str) -> None:
    framed = ImageOps.expand(CAT, border, colour)
    found = inside_borders(pixels_of(framed)).to_pixels(eyefirst.Size(*framed.size))
    left, top = border[:2]
    wanted = (left, top, left + CAT.width, top + CAT.height)
    assert np.abs(np.subtract(found.as_tuple, wanted)).max() <= 2
    assert all(inner >= 0 for inner in (found.left - left, found.top - top)), "no line of the border is left"


def test_a_line_inside_the_frame_is_left_out_too() -> None:
    framed = ImageOps.expand(ImageOps.expand(ImageOps.expand(CAT, 6, "black"), 3, "white"), 12, "black")
    found = inside_borders(pixels_of(framed)).to_pixels(eyefirst.Size(*framed.size))
    assert (found.left, found.top) == pytest.approx((21, 21), abs=3)


def product(backdrop: str) -> PillowImage.Image:
    picture = PillowImage.new("RGB", (600, 400), backdrop)
    ImageDraw.Draw(picture).ellipse((200, 60, 420, 340), fill="#b03020")
    return picture


def header() -> PillowImage.Image:
    return ImageOps.expand(CAT, (0, 50, 0, 0), "#202a44")


def sky() -> PillowImage.Image:
    ramp = np.linspace(120, 220, 400).astype(np.uint8)[:, None, None]
    return PillowImage.fromarray(np.broadcast_to(ramp, (400, 600, 3)).copy())


@pytest.mark.parametrize(
    "picture",
    [product("white"), product("black"), header(), sky(), CAT, PillowImage.new("RGB", (64, 64), "grey")],
    ids=["product on white", "on black", "one bar alone", "sky", "no border", "one colour"],
)
def test_what_is_no_border_stays(picture: PillowImage.Image) -> None:
    assert inside_borders(pixels_of(picture)) == Box.whole()


def test_borders_that_leave_nothing_are_none() -> None:
    """Bars inside bars, up to the middle of a narrow picture."""
    columns = np.array([255, 255, 0, 0, 180, 180, 0, 0, 255, 255], np.uint8)
    assert inside_borders(np.broadcast_to(columns[:, None], (20, 10, 3)).copy()) == Box.whole()


@pytest.mark.parametrize("ratio", ["1:1", "16:9", "9:16"])
def test_crops_are_without_borders_unless_the_largest_is_asked_for(ratio: str) -> None:
    framed = ImageOps.expand(CAT, (0, 80), "black")
    (frame,) = eyefirst.plan_crops(framed, ratio).frames[ratio]
    assert frame.box.top >= 80
    assert frame.box.bottom <= framed.height - 80
    assert frame.size.width / frame.size.height == pytest.approx(float(eyefirst.AspectRatio.parse(ratio)), rel=0.02)
    (largest,) = eyefirst.plan_crops(framed, ratio, fit="largest").frames[ratio]
    assert largest.box.size == eyefirst.AspectRatio.parse(ratio).largest_in(eyefirst.Size(*framed.size))
    assert frame.kept == pytest.approx(largest.kept, abs=0.35)


def test_boxes_of_the_caller_stay_where_they_are() -> None:
    framed = ImageOps.expand(CAT, (0, 80), "black")
    corner = Box(0.02, 0.25, 0.12, 0.4)
    plan = eyefirst.plan_crops(framed, "9:16", must_keep=corner)
    (frame,) = plan.frames["9:16"]
    assert frame.box.left <= corner.left * framed.width
    assert frame.box.right >= corner.right * framed.width
    assert plan.options.must_keep == (corner,)
