from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFilter
from skimage import data

from eyefirst.errors import InvalidValueError, MissingExtraError
from eyefirst.geometry import Size
from eyefirst.tools.crop import objects
from eyefirst.tools.enhance import blur_background, candidates, desaturate_background, enhance

pytest.importorskip("cv2", reason="OpenCV comes with the extra 'camera'")


@pytest.fixture(scope="module")
def coffee() -> PillowImage.Image:
    return PillowImage.fromarray(data.coffee())


@pytest.fixture(scope="module")
def sure(coffee: PillowImage.Image) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the subject surely is, and surely is not."""
    objectness = objects(coffee).heat_map.resized(Size(*coffee.size))
    return objectness > 0.9, objectness < 0.03


def kinds(picture: PillowImage.Image) -> set[str]:
    return {c.kind for c in candidates(picture)}


def test_a_good_picture_has_nothing_to_improve(coffee: PillowImage.Image) -> None:
    assert not {"soft_subject", "dark_subject", "blown_background"} & kinds(coffee)


def test_what_is_wrong_is_named(coffee: PillowImage.Image, sure: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> None:
    _, rest = sure
    assert "soft_subject" in kinds(coffee.filter(ImageFilter.GaussianBlur(3)))
    pixels = np.asarray(coffee)
    assert "dark_subject" in kinds(PillowImage.fromarray((pixels * 0.25).astype(np.uint8)))
    blown = pixels.copy()
    rows = np.arange(len(pixels))[:, None]
    blown[rest & (rows < len(pixels) * 0.6)] = 255
    assert "blown_background" in kinds(PillowImage.fromarray(blown))
    for found in candidates(coffee.filter(ImageFilter.GaussianBlur(3))):
        assert found.reason
        assert set(found.to_dict()) == {"kind", "measure", "threshold", "reason"}


def test_the_background_is_blurred_and_the_subject_is_not(
    coffee: PillowImage.Image, sure: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> None:
    before, after = (np.asarray(p, np.int16) for p in (coffee, blur_background(coffee)))
    subject, rest = sure
    assert np.abs(after - before)[subject].mean() < 2
    detail = [np.abs(np.diff(p, axis=1)).mean(2)[:, :][rest[:, 1:]].mean() for p in (before, after)]
    assert detail[1] < detail[0] / 2


def test_the_background_loses_its_colour_and_the_subject_keeps_it(
    coffee: PillowImage.Image, sure: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> None:
    before, after = (np.asarray(p, np.int16) for p in (coffee, desaturate_background(coffee)))
    subject, rest = sure
    spread = np.ptp(after, axis=2)
    assert spread[rest].mean() < 6
    assert spread[subject].mean() > 0.9 * np.ptp(before, axis=2)[subject].mean()
    half = np.asarray(desaturate_background(coffee, strength=0.5), np.int16)
    assert spread[rest].mean() < np.ptp(half, axis=2)[rest].mean() < np.ptp(before, axis=2)[rest].mean()


def test_light_and_sharpness_go_to_the_subject(
    coffee: PillowImage.Image, sure: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> None:
    dark = PillowImage.fromarray((np.asarray(coffee) * 0.3).astype(np.uint8))
    before, after = (np.asarray(p, np.float32).mean(2) for p in (dark, enhance(dark, sharpen=0, light=0.8)))
    subject, rest = sure
    assert after[subject].mean() > 1.2 * before[subject].mean()
    assert after[rest].mean() < 1.1 * before[rest].mean() + 1
    soft = coffee.filter(ImageFilter.GaussianBlur(1.5))
    crisp = enhance(soft, sharpen=1.5, light=0)
    detail = [np.abs(np.diff(np.asarray(p, np.float32).mean(2), axis=1))[subject[:, 1:]].mean() for p in (soft, crisp)]
    assert detail[1] > 1.1 * detail[0]


def test_nothing_asked_nothing_changed(coffee: PillowImage.Image) -> None:
    assert np.array_equal(np.asarray(enhance(coffee, sharpen=0, light=0)), np.asarray(coffee))


def test_transparency_is_kept(tmp_path: Path) -> None:
    clear = PillowImage.fromarray(data.coffee()).convert("RGBA")
    clear.putalpha(120)
    clear.save(tmp_path / "clear.png")
    assert desaturate_background(str(tmp_path / "clear.png")).getchannel("A").getextrema() == (120, 120)


def test_bad_words(coffee: PillowImage.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidValueError, match="sharpen"):
        enhance(coffee, sharpen=-1)
    with pytest.raises(InvalidValueError, match="background"):
        enhance(coffee, background="red")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"eyefirst\[camera\]"):
        blur_background(coffee)
