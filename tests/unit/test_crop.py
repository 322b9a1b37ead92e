"""The one-liners: a picture in, a picture out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

import eyefirst
from eyefirst.cut import cut_frame, cut_frames
from eyefirst.errors import InvalidPlanError, InvalidValueError, OutputError
from eyefirst.files.outputs import write_picture
from eyefirst.framing import Frame
from eyefirst.geometry import PixelBox, Size
from eyefirst.image import load_animation, load_picture
from eyefirst.network import OnnxNetwork
from eyefirst.tools.crop import render_animation


def test_crop_cuts_what_the_plan_says(photo_path: Path) -> None:
    plan = eyefirst.plan_crops(photo_path, "16:9")
    box = plan.frames["16:9"][0].box
    expected = np.asarray(load_picture(photo_path))[box.top : box.bottom, box.left : box.right]
    np.testing.assert_array_equal(np.asarray(eyefirst.crop(photo_path, "16:9")), expected)
    assert expected.shape == (288, 512, 3)


def test_crop_takes_a_file_object(photo_path: Path) -> None:
    assert eyefirst.crop(io.BytesIO(photo_path.read_bytes()), "1:2").size == (256, 512)


def test_thumbnails_have_exactly_their_size(photo_path: Path) -> None:
    assert eyefirst.thumbnail(photo_path, (320, 180)).size == (320, 180)
    assert eyefirst.thumbnail(photo_path, "33x77").size == (33, 77)


def test_transparency_survives(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    picture = PillowImage.new("RGBA", (300, 200), (0, 0, 0, 0))
    picture.paste((255, 30, 30, 255), (200, 50, 280, 150))
    picture.save(tmp_path / "p.png")
    cut = eyefirst.crop(tmp_path / "p.png", "1:1", network=tiny_network)
    assert cut.mode == "RGBA"
    assert cut.getpixel((0, 0))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize(("pad", "corner"), [("#00ff00", (0, 255, 0)), ("blur", None), ("extend", (30, 30, 30))])
def test_padding_fills_what_is_missing(
    pad: str, corner: tuple[int, int, int] | None, red_square: NDArray[np.uint8], tiny_network: OnnxNetwork
) -> None:
    keep = [eyefirst.Box(0, 0.2, 1, 0.8)]
    cut = eyefirst.crop(red_square, "1:1", must_keep=keep, margin=0, pad=pad, network=tiny_network)
    assert cut.size == (400, 400)
    if corner:
        assert cut.getpixel((0, 0)) == corner
    with pytest.raises(InvalidValueError, match="CSS colour"):
        eyefirst.crop(red_square, "1:1", must_keep=keep, margin=0, pad="nocolour", network=tiny_network)


def test_the_articles_two_recipes(photo_path: Path) -> None:
    looked_at = eyefirst.crop_to(photo_path, "attention")
    union, best = eyefirst.crop_to(photo_path, "union"), eyefirst.crop_to(photo_path, "best", margin=0.1)
    assert looked_at.size[0] < 512
    assert union.size[0] * union.size[1] >= best.size[0] * best.size[1] * 0.6
    with pytest.raises(InvalidValueError, match="'attention', 'best' or 'union'"):
        eyefirst.crop_to(photo_path, "face")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="more than the limit of 250,000,000"):
        eyefirst.crop_to(photo_path, "best", size="90000x90000")


def test_a_saved_plan_renders_without_the_network(photo_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = eyefirst.plan_crops(photo_path, ["1:1", "3:1"], alternatives=2).to_json()

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("eyefirst.handler.load_network", refuse)
    rendered = eyefirst.render_plan(eyefirst.CropPlan.from_json(text), photo_path, size=(90, 30))
    assert rendered["3:1"][0].size == (90, 30)
    with pytest.raises(InvalidPlanError, match="512x512"):
        eyefirst.render_plan(eyefirst.CropPlan.from_json(text), PillowImage.new("RGB", (64, 64)))


def test_one_line_for_each_kind_of_saliency(photo_path: Path) -> None:
    assert len(eyefirst.attention(photo_path).salient_objects) == 1
    assert eyefirst.objects(photo_path).heat_map.values.shape == (68, 68)


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_an_animation_keeps_all_frames_under_one_box(kind: str, tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    frames = []
    for i in range(5):
        pixels = np.full((100, 200, 3), 30, np.uint8)
        pixels[30:70, 120 + 5 * i : 160 + 5 * i] = (250, 40, 40)
        frames.append(PillowImage.fromarray(pixels))
    path = tmp_path / f"moving.{kind}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[40, 50, 60, 70, 80], loop=3)
    plan = eyefirst.plan_crops(path, "1:1", network=tiny_network)
    box = plan.frames["1:1"][0].box
    (cut,) = render_animation(plan, path)["1:1"]
    assert [f.size for f in cut.frames] == [(100, 100)] * 5
    for before, after in zip(frames, cut.frames, strict=True):
        expected = np.asarray(before.crop((box.left, box.top, box.right, box.bottom)), np.int16)
        assert np.abs(np.asarray(after.convert("RGB"), np.int16) - expected).mean() < 6  # palettes and losses
    write_picture(cut, tmp_path / f"out.{kind}")
    again = load_animation(tmp_path / f"out.{kind}")
    assert again.durations_ms == cut.durations_ms == (40, 50, 60, 70, 80)
    assert again.plays == cut.plays
    write_picture(cut, tmp_path / "still.jpg")
    assert load_animation(tmp_path / "still.jpg").durations_ms == (0,)


def test_another_picture_than_the_planned_one_is_refused(photo_path: Path, tmp_path: Path) -> None:
    plan = eyefirst.plan_crops(photo_path, "1:1")
    other = tmp_path / "other.png"
    load_picture(photo_path).transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT).save(other)
    with pytest.raises(InvalidPlanError, match="not the picture that was planned"):
        eyefirst.render_plan(plan, other)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "gif", "tiff", "bmp"])
def test_a_disk_that_fills_up_leaves_no_half_picture(tmp_path: Path, kind: str) -> None:
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))  # no file may grow further
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            write_picture(PillowImage.fromarray(noise), tmp_path / f"noise.{kind}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_width_is_averaged_from_a_multiple_that_is_not_enlarged() -> None:
    picture = PillowImage.fromarray(np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8))
    frame, other = (Frame(PixelBox(0, 0, right, 120), 1.0, (), 1.0) for right in (120, 160))
    wanted = [(frame, Size(n, n)) for n in (15, 60, 120, 240, 25)] + [(other, Size(30, 30))]
    smallest, half, whole, enlarged, odd, elsewhere = cut_frames(picture, wanted, planned=Size(160, 120))
    assert whole.tobytes() == picture.crop((0, 0, 120, 120)).tobytes()
    assert half.tobytes() == whole.reduce(2).tobytes()
    assert smallest.tobytes() == half.reduce(4).tobytes()
    for made, (frame, size) in ((enlarged, wanted[3]), (odd, wanted[4]), (elsewhere, wanted[5])):
        assert made.tobytes() == cut_frame(picture, frame, planned=Size(160, 120), size=size).tobytes()
