from __future__ import annotations

from fractions import Fraction

import pytest

from eyefirst.errors import InvalidAspectRatioError, InvalidBoxError, InvalidValueError
from eyefirst.geometry import AspectRatio, Box, LowerLeftBox, PixelBox, Point, Size, round_half_up


@pytest.mark.parametrize(("x", "expected"), [(2.5, 3), (-0.5, 0), (0.49, 0), (1.0, 1)])
def test_the_rounding_rule(x: float, expected: int) -> None:
    assert round_half_up(x) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("16:9", Fraction(16, 9)),
        ("4/5", Fraction(4, 5)),
        ("1.91:1", Fraction(191, 100)),
        ("1.5", Fraction(3, 2)),
        (1.5, Fraction(3, 2)),
        (2, Fraction(2)),
        ((1200, 630), Fraction(40, 21)),
        ("1200x630", Fraction(40, 21)),
        (Size(320, 320), Fraction(1)),
        (AspectRatio(Fraction(3, 1)), Fraction(3)),
    ],
)
def test_ratios_are_read_in_every_spelling(given: object, expected: Fraction) -> None:
    assert AspectRatio.parse(given).value == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "0:1",
        "16:0",
        "-1",
        "abc",
        "1:2:3",
        float("nan"),
        float("inf"),
        0,
        -2.0,
        True,
        None,
        "1:100000",
        (1, 2, 3),
        "9" * 100,
    ],
)
def test_what_is_no_ratio_is_refused_in_words(given: object) -> None:
    with pytest.raises(InvalidAspectRatioError, match="expected an aspect ratio"):
        AspectRatio.parse(given)  # type: ignore[arg-type]


def test_the_largest_frame_of_a_ratio() -> None:
    assert AspectRatio.parse("16:9").largest_in(Size(1000, 1000)) == Size(1000, 563)
    assert AspectRatio.parse("9:16").largest_in(Size(1000, 1000)) == Size(563, 1000)
    assert AspectRatio.parse("3:1").largest_in(Size(1, 1)) == Size(1, 1)


def test_boxes_know_their_order_and_their_limits() -> None:
    with pytest.raises(InvalidBoxError, match="left < right"):
        Box(0.5, 0.1, 0.4, 0.9)
    with pytest.raises(InvalidBoxError, match=r"0\.\.1"):
        Box(0.5, 0.1, 1.4, 0.9)
    with pytest.raises(InvalidBoxError, match="whole pixels"):
        PixelBox(0, 0, 1.5, 2)  # type: ignore[arg-type]
    assert Box(-1e-9, 0, 1 + 1e-9, 1) == Box(0, 0, 1, 1)


def test_box_arithmetic() -> None:
    a, b = Box(0, 0, 0.5, 0.5), Box(0.25, 0.25, 0.75, 0.75)
    assert a.union(b) == Box(0, 0, 0.75, 0.75)
    assert a.overlap(b) == pytest.approx(0.0625)
    assert a.iou(b) == pytest.approx(0.0625 / 0.4375)
    assert a.overlap(Box(0.6, 0.6, 0.7, 0.7)) == 0
    assert Box(0.25, 0.25, 0.5, 0.75).expanded(0.5) == Box(0.125, 0, 0.625, 1)
    assert Box(0.5, 0, 1, 1).within(Box(0.5, 0.5, 1, 1)) == Box(0.75, 0.5, 1, 1)


def test_pixels_and_back() -> None:
    box = Box(0.1, 0.2, 0.5, 0.9).to_pixels(Size(100, 50))
    assert box == PixelBox(10, 10, 50, 45)
    assert box.normalized(Size(100, 50)) == Box(0.1, 0.2, 0.5, 0.9)
    assert Box(0.999, 0.999, 1, 1).to_pixels(Size(3, 3)) == PixelBox(2, 2, 3, 3)


def test_vision_counts_from_below() -> None:
    box = Box(0.1, 0.2, 0.5, 0.9)
    flipped = box.lower_left()
    assert (flipped.x, flipped.y) == pytest.approx((0.1, 0.1))
    assert (flipped.width, flipped.height) == pytest.approx((0.4, 0.7))
    back = LowerLeftBox(flipped.x, flipped.y, flipped.width, flipped.height).to_box()
    assert back.iou(box) == pytest.approx(1)
    for no_number in ("x", None, True, float("nan")):
        with pytest.raises(InvalidBoxError, match="as y, got"):
            LowerLeftBox(0.1, no_number, 0.4, 0.7)  # type: ignore[arg-type]
    with pytest.raises(InvalidBoxError):
        LowerLeftBox(0.8, 0.1, 0.4, 0.7).to_box()


@pytest.mark.parametrize("bad", [(0, 5), (5, 0), (1.5, 2), (-1, 3), (True, 3)])
def test_sizes_are_whole_and_positive(bad: tuple[int, int]) -> None:
    with pytest.raises(InvalidValueError):
        Size(*bad)


def test_sizes_are_read_from_text() -> None:
    assert Size.parse("1200x630") == Size(1200, 630) == Size.parse((1200, 630))
    with pytest.raises(InvalidValueError, match="1200x630"):
        Size.parse("big")


def test_points_lie_in_the_picture() -> None:
    with pytest.raises(InvalidValueError):
        Point(1.2, 0.5)
