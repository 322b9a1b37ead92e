from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageDraw

from eyefirst.albums.product import ProductSettings, find_product, lay_out
from eyefirst.albums.thumbnails import ThumbnailSettings, make_thumbnails
from eyefirst.albums.walk import find_pictures
from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Size
from eyefirst.tools.crop import objects

PLACE = (300, 120, 420, 400)


def vase(ground: tuple[int, ...], colour: str = "#9c4a2f") -> PillowImage.Image:
    """A vase, off centre, on an even ground."""
    picture = PillowImage.new("RGBA" if len(ground) == 4 else "RGB", (640, 480), ground)
    draw = ImageDraw.Draw(picture)
    draw.ellipse(PLACE, fill=colour)
    return picture


@pytest.mark.parametrize(
    ("ground", "witness"),
    [((255, 255, 255), "backdrop"), ((18, 20, 24), "backdrop"), ((0, 0, 0, 0), "alpha")],
    ids=["white", "dark", "transparent"],
)
def test_the_product_is_centred_with_equal_margins(ground: tuple[int, ...], witness: str) -> None:
    picture = vase(ground)
    product = find_product(picture, objects(picture))
    assert product.witness == witness
    found = product.box.to_pixels(Size(640, 480))
    np.testing.assert_allclose((found.left, found.top, found.right, found.bottom), PLACE, atol=2)
    for size in (Size(400, 400), Size(300, 500), Size(600, 300)):
        canvas = lay_out(picture, product, size, ProductSettings(margin=0.1, backdrop="white"))
        assert canvas.size == (size.width, size.height)
        mask = np.asarray(canvas.convert("RGB"), int)[..., 0] - np.asarray(canvas.convert("RGB"), int)[..., 2] > 40
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        free = (columns[0], size.width - 1 - columns[-1], rows[0], size.height - 1 - rows[-1])
        assert abs(free[0] - free[1]) <= 3
        assert abs(free[2] - free[3]) <= 3
        assert min(free) == pytest.approx(0.1 * min(size.width, size.height), abs=3)


def test_backdrops() -> None:
    clear, white = vase((0, 0, 0, 0)), vase((255, 255, 255))
    product = find_product(clear, objects(clear))
    assert lay_out(clear, product, Size(100, 100)).mode == "RGBA"
    coloured = lay_out(clear, product, Size(100, 100), ProductSettings(backdrop="#204060"))
    assert coloured.getpixel((1, 1)) == (0x20, 0x40, 0x60)
    kept = lay_out(white, find_product(white, objects(white)), Size(100, 50))
    assert kept.getpixel((1, 1)) == (255, 255, 255)


def test_dust_on_the_backdrop_is_not_the_product() -> None:
    picture = vase((255, 255, 255))
    ImageDraw.Draw(picture).rectangle((20, 20, 24, 23), fill="black")
    found = find_product(picture, objects(picture)).box.to_pixels(Size(640, 480))
    assert found.left > 290


def test_a_picture_of_nothing_stays_whole() -> None:
    picture = PillowImage.new("RGB", (200, 100), "#cccccc")
    product = find_product(picture, objects(picture))
    assert product.witness == "nothing"
    assert lay_out(picture, product, Size(80, 80)).size == (80, 80)


@pytest.mark.parametrize("wrong", [{"margin": 0.6}, {"margin": -0.1}, {"backdrop": "no colour"}])
def test_bad_settings(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidValueError):
        ProductSettings(**wrong)  # type: ignore[arg-type]


def test_a_catalogue(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    vase((255, 255, 255)).save(tmp_path / "in" / "a.png")
    vase((0, 0, 0, 0)).save(tmp_path / "in" / "b.png")
    settings = ThumbnailSettings(sizes=(Size(120, 120),), format="webp", product=ProductSettings())
    rows = list(make_thumbnails(find_pictures([tmp_path / "in"]), tmp_path / "out", settings))
    assert [r.status for r in rows] == ["made", "made"]
    for row in rows:
        with PillowImage.open(row.files[0]) as made:
            assert made.size == (120, 120)
