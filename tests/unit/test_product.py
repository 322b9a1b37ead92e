from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFilter

from eyefirst.albums.catalogue import ProductSettings, lay_out
from eyefirst.albums.thumbnails import ThumbnailSettings, cut_one, make_thumbnails
from eyefirst.albums.walk import find_pictures
from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Size
from eyefirst.tools.crop import objects
from eyefirst.tools.product import find_product

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


@pytest.mark.parametrize(
    ("backdrop", "colour", "said"),
    [("white", "#eeeeee", True), ("white", "#9c4a2f", False), ("keep", "#eeeeee", False)],
)
def test_a_product_in_the_colour_of_its_backdrop_is_said(backdrop: str, colour: str, *, said: bool) -> None:
    picture = vase((0xD8, 0xD8, 0xD8), colour)
    ImageDraw.Draw(picture).ellipse((340, 220, 370, 250), fill="#333333")
    words: list[str] = []
    settings = ThumbnailSettings(sizes=(Size(100, 100),), product=ProductSettings(backdrop=backdrop))
    cut_one(picture, settings, say=words.append)
    assert any("has the product's colour" in word for word in words) == said
    box = find_product(picture, objects(picture)).box.to_pixels(Size(640, 480))
    np.testing.assert_allclose((box.left, box.top, box.right, box.bottom), PLACE, atol=8)  # not the dark spot's


def test_backdrops() -> None:
    clear, white = vase((0, 0, 0, 0)), vase((255, 255, 255))
    product = find_product(clear, objects(clear))
    assert lay_out(clear, product, Size(100, 100)).mode == "RGBA"
    coloured = lay_out(clear, product, Size(100, 100), ProductSettings(backdrop="#204060"))
    assert coloured.getpixel((1, 1)) == (0x20, 0x40, 0x60)
    kept = lay_out(white, find_product(white, objects(white)), Size(100, 50))
    assert kept.getpixel((1, 1)) == (255, 255, 255)


def test_a_clear_picture_stays_clear_though_it_shows_nothing() -> None:
    picture = PillowImage.new("RGBA", (200, 100))
    laid = lay_out(picture, find_product(picture, objects(picture)), Size(80, 80))
    assert laid.mode == "RGBA"
    assert laid.getchannel("A").getextrema() == (0, 0)


def test_the_backdrop_goes_on_without_the_product_s_colour() -> None:
    picture = PillowImage.new("RGB", (640, 400), "white")
    ImageDraw.Draw(picture).rectangle((200, 100, 439, 391), fill="#9c2a2f")  # 8 pixels above the edge
    laid = np.asarray(lay_out(picture, find_product(picture, objects(picture)), Size(400, 400)))
    assert laid[392:].min() == 255


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


# --- shadows, light that falls off, and other backdrops


def scene(shadow: float = 0.0, soft: int = 10, vignette: float = 0.0, colour: str = "#9c4a2f") -> PillowImage.Image:
    """A vase on a light backdrop, with a soft shadow of that opacity and light that falls off by that share."""
    ground = PillowImage.new("RGB", (640, 480), (246, 246, 244))
    mask = PillowImage.new("L", ground.size)
    ImageDraw.Draw(mask).ellipse([v + 12 for v in PLACE], fill=round(255 * shadow))
    ground.paste("black", mask=mask.filter(ImageFilter.GaussianBlur(soft)))
    ImageDraw.Draw(ground).ellipse(PLACE, fill=colour)
    y, x = np.mgrid[-1:1:480j, -1:1:640j]
    light = 1 - vignette * (x * x + y * y)[..., None] / 2
    return PillowImage.fromarray((np.asarray(ground) * light).round().astype(np.uint8))


@pytest.mark.parametrize("colour", ["#9c4a2f", "#777777", "#204090"])
@pytest.mark.parametrize(
    ("shadow", "soft", "vignette"),
    [(0.05, 10, 0), (0.2, 10, 0), (0.4, 10, 0), (0.4, 20, 0), (0, 10, 0.3), (0, 10, 0.6), (0.3, 12, 0.4)],
)
def test_shadows_and_vignettes_leave_the_margins_equal(shadow: float, soft: int, vignette: float, colour: str) -> None:
    picture = scene(shadow, soft, vignette, colour)
    found = find_product(picture, objects(picture))
    assert found.witness == "backdrop"
    box = found.box.to_pixels(Size(640, 480))
    np.testing.assert_allclose((box.left, box.top, box.right, box.bottom), PLACE, atol=4)


@pytest.mark.parametrize("noise", [2, 3, 6, 10])
@pytest.mark.parametrize("shadow", [0, 0.2, 0.4])
def test_noise_is_not_the_product(shadow: float, noise: float) -> None:
    clean = np.asarray(scene(shadow, colour="#9c4a2f"), float) * 0.9
    noisy = clean + np.random.default_rng(0).normal(0, noise, clean.shape)
    picture = PillowImage.fromarray(noisy.clip(0, 255).round().astype(np.uint8))
    found = find_product(picture, objects(picture))
    assert found.witness == "backdrop"
    box = found.box.to_pixels(Size(640, 480))
    np.testing.assert_allclose((box.left, box.top, box.right, box.bottom), PLACE, atol=4)


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (1, 1), (2, 2)])
def test_a_picture_may_be_a_line(size: tuple[int, int]) -> None:
    picture = PillowImage.new("RGB", size, "white")
    assert find_product(picture, objects(picture)).witness


def test_a_soft_shadow_in_transparency_does_not_count() -> None:
    picture = PillowImage.new("RGBA", (640, 480))
    shadow = PillowImage.new("L", picture.size)
    ImageDraw.Draw(shadow).ellipse([v + 15 for v in PLACE], fill=102)
    picture.putalpha(shadow.filter(ImageFilter.GaussianBlur(8)))
    ImageDraw.Draw(picture).ellipse(PLACE, fill="#9c4a2f")
    box = find_product(picture, objects(picture)).box.to_pixels(Size(640, 480))
    np.testing.assert_allclose((box.left, box.top, box.right, box.bottom), PLACE, atol=4)


def test_another_backdrop_replaces_the_picture_s_own() -> None:
    picture = scene(shadow=0.3, vignette=0.3)
    ImageDraw.Draw(picture).ellipse((345, 200, 375, 320), fill=(235, 235, 233))  # a hole that shows the backdrop
    found = find_product(picture, objects(picture))
    canvas = lay_out(picture, found, Size(400, 400), ProductSettings(margin=0.1, backdrop="#0000ff"))
    pixels = np.asarray(canvas, int)
    for point in ((5, 5), (395, 395), (200, 20), (330, 370)):
        assert canvas.getpixel(point) == (0, 0, 255)
    assert pixels[200, 200, 2] > 200, "the hole shows the new backdrop"
    assert pixels[200, 150, 0] > 100, "the product stays"
    assert not ((pixels[..., 0] > 180) & (pixels[..., 1] > 180)).any(), "nothing of the old backdrop is left"
    clear = lay_out(picture, found, Size(400, 400), ProductSettings(backdrop="transparent"))
    alpha = np.asarray(clear.getchannel("A"))
    assert alpha[5, 5] == 0
    assert alpha[200, 150] == 255
    assert ((alpha > 20) & (alpha < 235)).any(), "its edge is soft"


def test_a_product_that_is_cut_off_stays_at_that_edge() -> None:
    picture = PillowImage.new("RGB", (640, 480), "white")
    ImageDraw.Draw(picture).rectangle((360, 240, 640, 480), fill="#9c4a2f")
    found = find_product(picture, objects(picture))
    canvas = np.asarray(lay_out(picture, found, Size(300, 300), ProductSettings(margin=0.1)))
    mask = canvas[..., 2] < 128
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert (rows[-1], columns[-1]) == (299, 299)
    assert columns[0] == pytest.approx(30, abs=1)
    assert found.witness == "backdrop"  # by the part of the ring that shows it


def test_an_enlarged_product_is_said(tmp_path: Path) -> None:
    picture = PillowImage.new("RGB", (640, 480), "white")
    ImageDraw.Draw(picture).rectangle((100, 100, 140, 140), fill="black")
    picture.save(tmp_path / "tiny.png")
    settings = ThumbnailSettings(sizes=(Size(400, 400),), product=ProductSettings())
    (row,) = make_thumbnails(find_pictures([tmp_path / "tiny.png"]), tmp_path / "out", settings)
    assert "enlarged 8" in row.warnings[0]


@pytest.mark.parametrize(
    ("backdrop", "format", "is_said"), [("white", "jpg", True), ("black", "jpg", False), ("transparent", "png", False)]
)
def test_a_white_product_on_white_is_said(tmp_path: Path, backdrop: str, format: str, is_said: bool) -> None:
    picture = PillowImage.new("RGBA", (320, 240), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((60, 60, 260, 180), fill="white")
    picture.save(tmp_path / "logo.png")
    settings = ThumbnailSettings(sizes=(Size(64, 64),), format=format, product=ProductSettings(backdrop=backdrop))
    (row,) = make_thumbnails(find_pictures([tmp_path / "logo.png"]), tmp_path / "out", settings)
    assert any("nothing is seen" in w for w in row.warnings) == is_said
