from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as PillowImage

from eyefirst.drawing import draw_view
from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Box, Size
from eyefirst.heat_map import HeatMap


def bump(x: int, y: int, height: float = 0.8) -> HeatMap:
    values = np.zeros((68, 68), np.float32)
    values[y, x] = height
    return HeatMap(values)


def test_density_sums_to_one_also_where_nothing_is() -> None:
    assert bump(3, 5).density().sum() == pytest.approx(1)
    assert HeatMap(np.zeros((68, 68), np.float32)).density().sum() == pytest.approx(1)


def test_the_peak_counts_from_the_top_left() -> None:
    peak = bump(60, 5).peak()
    assert (peak.x, peak.y) == pytest.approx((60.5 / 68, 5.5 / 68))


def test_mass_counts_parts_of_cells() -> None:
    heat_map = bump(0, 0)
    assert heat_map.mass_in(Box(0, 0, 0.5 / 68, 1)) == pytest.approx(0.5)
    assert heat_map.mass_in(Box(0, 0, 0.5 / 68, 0.5 / 68)) == pytest.approx(0.25)
    assert heat_map.mass_in(Box.whole()) == pytest.approx(1)


def test_mass_agrees_with_plain_sums() -> None:
    random = np.random.default_rng(0)
    heat_map = HeatMap(random.random((68, 68), np.float32))
    density = heat_map.density()
    for _ in range(20):
        x0, x1 = np.sort(random.choice(69, 2, replace=False))
        y0, y1 = np.sort(random.choice(69, 2, replace=False))
        box = Box(x0 / 68, y0 / 68, x1 / 68, y1 / 68)
        assert heat_map.mass_in(box) == pytest.approx(density[y0:y1, x0:x1].sum())


def test_center_in_a_box() -> None:
    values = np.zeros((68, 68), np.float32)
    values[10, 10], values[10, 20], values[60, 60] = 0.5, 0.5, 1
    center = HeatMap(values).center_in(Box(0, 0, 0.5, 0.5))
    assert (center.x, center.y) == pytest.approx((15.5 / 68, 10.5 / 68))
    assert HeatMap(np.zeros((68, 68), np.float32)).center_in(Box(0, 0, 0.5, 0.5)) == Box(0, 0, 0.5, 0.5).center


def test_resizing_is_smooth_and_stays_in_range() -> None:
    big = bump(34, 34, 1.0).resized(Size(300, 200))
    assert big.shape == (200, 300)
    assert big.dtype == np.float32
    assert 0 <= big.min() <= big.max() <= 1
    assert np.abs(np.diff(big, axis=1)).max() < 0.5


@pytest.mark.parametrize(
    "values", [np.full((68, 68), np.nan), np.full((68, 68), 1.5), np.zeros(68), np.full((2, 2), -0.1)]
)
def test_values_are_checked_once_when_made(values: np.ndarray) -> None:
    with pytest.raises(InvalidValueError, match=r"0\.\.1"):
        HeatMap(values)


def test_a_heat_map_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        bump(1, 1).values[0, 0] = 1


def test_the_overlay_colours_the_hot_and_spares_the_cold() -> None:
    picture = PillowImage.new("RGB", (136, 136), (0, 0, 255))
    drawn = np.asarray(bump(60, 8).overlay(picture, colormap="inferno"))
    assert tuple(drawn[130, 5]) == (0, 0, 255)
    assert drawn[17, 121, 0] > 120
    with pytest.raises(InvalidValueError, match="colour map among"):
        bump(1, 1).overlay(picture, colormap="jet")
    with pytest.raises(InvalidValueError, match="opacity"):
        bump(1, 1).overlay(picture, opacity=2)


def test_no_hidden_colour_of_a_clear_picture_is_drawn_on() -> None:
    heat_map = HeatMap(np.zeros((2, 2), np.float32))
    for logo, ground in (("black", 255), ("white", 0)):
        picture = PillowImage.new("RGBA", (60, 60), (255, 0, 255, 0))  # magenta that nobody sees
        picture.paste(logo, (20, 20, 40, 40))
        for drawn in (heat_map.overlay(picture), draw_view(picture, heat_map, [], view="boxes")):
            assert drawn.getpixel((2, 2)) == (ground,) * 3
            assert drawn.getpixel((30, 30)) == (255 - ground,) * 3


def test_a_region_is_the_map_of_a_part() -> None:
    part = bump(30, 40).region(Box(0.25, 0.25, 0.75, 0.75))
    assert part.values.shape == bump(30, 40).values.shape
    assert part.peak().within(Box(0.25, 0.25, 0.75, 0.75)).x == pytest.approx(bump(30, 40).peak().x, abs=0.02)
    assert bump(30, 40).region(Box.whole()) == bump(30, 40)
