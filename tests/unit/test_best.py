from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageEnhance, ImageFilter
from skimage import data
from typer.testing import CliRunner

from eyefirst.albums.best import DISTANCE, Group, Shot, difference_hash, groups_of, subject_sharpness
from eyefirst.cli import app
from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Box, Size


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bursts of three, one picture that stands alone, one that is none."""
    folder = tmp_path_factory.mktemp("album")
    rng = np.random.default_rng(0)
    for name, pixels in (("cat", data.chelsea()), ("cup", data.coffee())):
        sharp = PillowImage.fromarray(pixels)
        sharp.crop((8, 4, *sharp.size)).filter(ImageFilter.GaussianBlur(1)).save(folder / f"{name}_1.jpg", quality=92)
        sharp.save(folder / f"{name}_2.jpg", quality=92)
        soft = np.asarray(sharp.filter(ImageFilter.GaussianBlur(1.5)), float)
        noisy = (soft + rng.normal(0, 4, soft.shape)).clip(0, 255).astype(np.uint8)
        PillowImage.fromarray(noisy).save(folder / f"{name}_3.jpg", quality=92)
    PillowImage.fromarray(data.rocket()).save(folder / "rocket.jpg")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_alike_is_near_and_unlike_is_far() -> None:
    cat, rocket = (PillowImage.fromarray(p) for p in (data.chelsea(), data.rocket()))

    def bits(a: PillowImage.Image, b: PillowImage.Image) -> int:
        return int(np.bitwise_count(difference_hash(a) ^ difference_hash(b)).sum())

    assert bits(cat, cat.resize((150, 100))) <= 5
    assert bits(cat, cat.crop((8, 4, *cat.size))) <= DISTANCE
    assert bits(cat, rocket) > 33
    assert bits(cat, cat.transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT)) > DISTANCE


def test_sharpness_falls_with_blur_and_enlarging_and_does_not_rise_with_noise() -> None:
    grey = PillowImage.fromarray(data.camera())
    box = Box(0.3, 0.1, 0.7, 0.7)
    sharp = subject_sharpness(grey, box)
    for worse in (grey.filter(ImageFilter.GaussianBlur(1)), grey.resize((256, 256))):
        assert subject_sharpness(worse, box) < sharp / 1.5
    soft = np.asarray(grey.filter(ImageFilter.GaussianBlur(1)), float)
    noisy = (soft + np.random.default_rng(0).normal(0, 4, soft.shape)).clip(0, 255).astype(np.uint8)
    assert subject_sharpness(PillowImage.fromarray(noisy), box) < sharp
    assert subject_sharpness(PillowImage.new("L", (40, 5)), Box.whole()) == 0


@pytest.mark.parametrize("times", [0.5, 0.8, 1.2])
def test_more_light_makes_no_picture_sharper(times: float) -> None:
    grey, box = PillowImage.fromarray(data.camera()), Box(0.3, 0.1, 0.7, 0.7)
    lit = ImageEnhance.Brightness(grey).enhance(times)
    assert subject_sharpness(lit, box) == pytest.approx(subject_sharpness(grey, box), rel=0.1)


def test_groups_need_a_distance_in_range() -> None:
    assert groups_of([]) == []
    with pytest.raises(InvalidValueError):
        groups_of([], distance=65)


def test_a_face_that_is_cut_off_counts_more_than_sharpness() -> None:
    cut = Shot("a.jpg", Size(4, 3), 900.0, 2, 1)
    whole = Shot("b.jpg", Size(4, 3), 500.0, 2, 0)
    assert Group(tuple(sorted([cut, whole], key=Shot.order))).best is whole


def test_the_command(album: Path) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        ran = CliRunner().invoke(app, ["best", str(album), *words], prog_name="eyefirst")
        return ran.exit_code, ran.stdout, ran.stderr

    code, out, said = run("--json")
    assert code == 1, "one picture is none"
    assert "broken.jpg" in said
    assert "groups: 2; pictures that are like no other: 1" in said
    rows = [json.loads(line) for line in out.splitlines()]
    assert [Path(r["best"]).name for r in rows] == ["cat_2.jpg", "cup_2.jpg"]
    assert [len(r["shots"]) for r in rows] == [3, 3]
    _, out, _ = run("--csv")
    assert out.splitlines()[0] == "group,rank,picture,width,height,sharpness,faces,cut_faces"
    assert len(out.splitlines()) == 7
    assert run("--csv", "--json")[0] == 2
    _, out, _ = run("--paths")
    kept = [Path(line).name for line in out.splitlines()]
    assert {"cat_2.jpg", "cup_2.jpg"} < set(kept)
    assert len(kept) == 3, "the best of two groups, and the picture that is like no other"
    assert run("--csv", "--paths")[0] == run("--json", "--paths")[0] == 2
    _, out, _ = run()
    assert out.startswith("group 1: 3 pictures\n  best ")
