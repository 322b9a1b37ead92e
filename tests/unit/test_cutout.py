from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFilter
from skimage import data
from typer.testing import CliRunner

import eyefirst
from eyefirst.cli import app
from eyefirst.errors import InvalidValueError, NoSubjectError
from eyefirst.handler import ImageRequestHandler
from eyefirst.tools.cutout import cutout, cutout_all
from eyefirst.tools.matte import drop_islands
from eyefirst.tools.soft_mask import box_mean, close_map, soft_mask


@pytest.fixture(scope="module")
def coffee() -> PillowImage.Image:
    return PillowImage.fromarray(data.coffee()).resize((300, 200))


def disc(shadow: float = 0.0) -> PillowImage.Image:
    """A disc on a light backdrop, with a soft shadow of that opacity to its lower right."""
    picture, mask = PillowImage.new("RGB", (320, 240), (240, 240, 238)), PillowImage.new("L", (320, 240))
    ImageDraw.Draw(mask).ellipse((110, 80, 230, 200), fill=round(255 * shadow))
    picture.paste("black", mask=mask.filter(ImageFilter.GaussianBlur(6)))
    ImageDraw.Draw(picture).ellipse((90, 60, 210, 180), fill="#9c4a2f")
    return picture


def test_a_mean_over_squares_is_cut_at_the_borders() -> None:
    values = np.random.default_rng(1).random((9, 7)).astype(np.float32)
    got = box_mean(values, 2)
    assert got[0, 0] == pytest.approx(values[:3, :3].mean(), rel=1e-5)
    assert got[4, 3] == pytest.approx(values[2:7, 1:6].mean(), rel=1e-5)


def test_the_edge_is_the_picture_s_own() -> None:
    """A coarse map, off by nearly half a cell, snaps to the edge between two colours; at any size, in strips too."""
    for width, height in ((200, 150), (1300, 700)):
        pixels = np.full((height, width, 3), 200, np.uint8)
        edge = round(width * 0.5)
        pixels[:, edge:] = (40, 60, 90)
        rough = np.zeros((68, 68), np.float32)
        rough[:, 33], rough[:, 34:] = 0.4, 1
        mask = soft_mask(rough, PillowImage.fromarray(pixels))
        assert mask.shape == (height, width)
        assert mask[:, edge + 3 :].min() > 0.9
        assert mask[:, : edge - 3].max() < 0.1


def test_islands_are_dropped_and_subjects_hairs_and_holes_stay() -> None:
    """Two subjects, a bead, a hair that is one pixel wide and a hole stay; dust, far or pale, goes."""
    mask = np.zeros((300, 400), np.float32)
    mask[50:150, 50:150], mask[200:240, 300:340], mask[260:280, 20:34] = 1, 0.9, 1
    mask[90:110, 90:110] = 0
    mask[20:50, 100] = 0.3
    kept = mask.copy()
    mask[280:284, 380:384], mask[10:40, 360:390] = 1, 0.4
    drop_islands(mask, share=0.01, pale=0.1)
    np.testing.assert_array_equal(mask, kept)
    flock = np.zeros((300, 400), np.float32)
    flock[10:300:20, 10:400:20] = 0.5
    before = flock.copy()
    drop_islands(flock, share=0.01, pale=0.1)
    np.testing.assert_array_equal(flock, before, "of parts that are alike all stay")


def test_a_photo_is_cut_at_full_size(coffee: PillowImage.Image) -> None:
    cut = cutout(coffee)
    assert (cut.mode, cut.size) == ("RGBA", coffee.size)
    alpha, rough = np.asarray(cut.getchannel("A")) / 255, close_map(eyefirst.ImageRequestHandler(coffee))
    whole = np.asarray(PillowImage.fromarray(rough).resize(coffee.size))
    assert alpha[whole > 0.9].mean() > 0.95
    assert alpha[whole < 0.05].mean() < 0.02
    assert ((alpha > 0) & (alpha < 1)).mean() > 0.005, "the edge is soft"
    same = alpha == 1
    np.testing.assert_array_equal(np.asarray(cut)[same][:, :3], np.asarray(coffee)[same])


def test_backdrops(coffee: PillowImage.Image) -> None:
    alpha = np.asarray(cutout(coffee).getchannel("A"))
    coloured, blurred = (np.asarray(cutout(coffee, backdrop=b), int) for b in ("#0000ff", "blur"))
    assert (coloured[alpha == 0] == (0, 0, 255)).all()
    before = np.asarray(coffee, int)
    assert (blurred[alpha == 255] == before[alpha == 255]).all()
    far = (alpha == 0)[:, 1:] & (alpha == 0)[:, :-1]
    assert np.abs(np.diff(blurred, axis=1))[far].mean() < np.abs(np.diff(before, axis=1))[far].mean() / 2
    with pytest.raises(InvalidValueError):
        cutout(coffee, backdrop="no colour")


def test_a_shadow_is_dropped_or_kept() -> None:
    dropped, kept = cutout(disc(0.3)), cutout(disc(0.3), shadow=True)
    in_shadow, on_disc, beside = (212, 160), (150, 120), (20, 20)
    assert dropped.getpixel(in_shadow)[3] < 10  # type: ignore[index]
    red, green, blue, opacity = kept.getpixel(in_shadow)  # type: ignore[misc]
    assert max(red, green, blue) < 20
    assert opacity == pytest.approx(0.27 * 255, abs=20)
    for cut in (dropped, kept):
        assert cut.getpixel(on_disc) == (0x9C, 0x4A, 0x2F, 255)
        assert cut.getpixel(beside)[3] == 0  # type: ignore[index]
    white = cutout(disc(0.3), backdrop="white", shadow=True).getpixel(in_shadow)
    assert white[0] == pytest.approx(255 * 0.73, abs=20)  # type: ignore[index]


def test_noise_on_a_dark_backdrop_is_no_shadow() -> None:
    rng, said = np.random.default_rng(0), list[str]()
    pixels = np.broadcast_to(np.clip(rng.normal(22, 5, (240, 300, 1)), 0, 255).astype(np.uint8), (240, 300, 3)).copy()
    picture = PillowImage.fromarray(pixels)
    ImageDraw.Draw(picture).ellipse((100, 60, 200, 180), fill="#9c4a2f")
    handler = ImageRequestHandler(picture)
    alpha = np.asarray(cutout_all(handler, shadow=True, animated=False, say=said.append).getchannel("A"))
    assert alpha[:50].max() == 0
    assert said == ["the backdrop is not even or is dark, so no shadow can be told from it"]


def test_transparency_is_the_edge_and_animations_stay() -> None:
    clear = disc().convert("RGBA")
    mask = PillowImage.new("L", clear.size)
    ImageDraw.Draw(mask).ellipse((90, 60, 210, 180), fill=255)
    clear.putalpha(mask)
    assert np.array_equal(np.asarray(cutout(clear)), np.asarray(clear))
    clear.paste((255, 0, 255, 0), (0, 0, 40, 240))  # magenta that nobody sees
    assert cutout(clear, backdrop="blur").getpixel((5, 5)) == (255, 255, 255)


def test_nothing_stands_out() -> None:
    with pytest.raises(NoSubjectError, match="nothing stands out"):
        cutout(PillowImage.new("RGB", (64, 64), "grey"))


def test_what_cannot_be_done_is_said(coffee: PillowImage.Image) -> None:
    said: list[str] = []
    out = io.BytesIO()
    coffee.save(out, "GIF", save_all=True, append_images=[coffee.rotate(1)], duration=90)
    cutout_all(eyefirst.ImageRequestHandler(out.getvalue()), shadow=True, say=said.append)  # once for all frames
    assert said == ["the backdrop is not even or is dark, so no shadow can be told from it"]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    disc(0.2).save("shop.jpg", quality=95)
    frames = [disc(), disc(0.2)]
    frames[0].save("two.gif", save_all=True, append_images=frames[1:])

    def run(*words: str) -> tuple[int, str]:
        ran = CliRunner().invoke(app, ["cutout", *words], prog_name="eyefirst")
        return ran.exit_code, ran.stdout + ran.stderr

    assert run("shop.jpg", "-o", "cut/") == (0, "cut/shop_cutout.png\n")
    with PillowImage.open("cut/shop_cutout.png") as made:
        assert (made.mode, made.size) == ("RGBA", (320, 240))
    assert run("two.gif", "-o", "two.webp")[0] == 0
    with PillowImage.open("two.webp") as made:
        assert made.n_frames == 2  # type: ignore[attr-defined]
    assert run("shop.jpg", "--backdrop", "white", "--shadow", "-o", "white.jpg")[0] == 0
    for wrong in (("-o", "x.jpg"), ("-o", "c/", "--format", "jpg"), ("--backdrop", "nope", "-o", "c/")):
        assert run("shop.jpg", *wrong)[0] == 2
    assert run("shop.jpg", "--backdrop", "blur", "--shadow", "-o", "c/")[0] == 2
    PillowImage.new("RGB", (64, 64), "grey").save("grey.png")
    code, said = run("grey.png", "-o", "c/")
    assert code == 1
    assert "nothing stands out" in said
