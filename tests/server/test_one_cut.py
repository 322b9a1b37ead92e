"""One plan, one size, one format: equal pixels, whichever way the cut is asked for."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from skimage import data
from typer.testing import CliRunner

import eyefirst
from eyefirst.albums.thumbnails import ThumbnailSettings, cut_one
from eyefirst.cli import app
from eyefirst.files.encode import encode
from eyefirst.files.formats import format_named
from eyefirst.framing import FramingOptions
from eyefirst.geometry import Size
from eyefirst.image import Animation, load_animation
from eyefirst.server.settings import Settings
from eyefirst.tools.crop import crops_of, planned_handler
from tests.server.conftest import Serving, connected

RATIO = "16:9"
HOW = [("", ""), ("160x90", ""), ("64x36", "blur"), ("160x90", "extend"), ("", "#336699"), ("160x90", "#336699")]
"""Sizes and paddings."""


def animation() -> list[PillowImage.Image]:
    cat = PillowImage.fromarray(data.chelsea()).resize((300, 200))
    return [cat, cat.transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT), cat.rotate(10)]


def write_all(folder: Path) -> None:
    """A picture of every kind that takes another way through a decoder."""
    photo = PillowImage.fromarray(data.astronaut()).resize((1400, 1100))
    photo.save(folder / "photo.jpg", quality=90)
    exif = PillowImage.Exif()
    exif[274] = 6
    photo.save(folder / "turned.jpg", exif=exif, quality=90)
    photo.convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    clear = photo.resize((700, 550)).convert("RGBA")
    clear.putalpha(PillowImage.linear_gradient("L").resize(clear.size))
    clear.save(folder / "alpha.png")
    first, *others = animation()
    first.save(folder / "moves.gif", save_all=True, append_images=others, duration=80, loop=0)
    first.save(folder / "moves.png", save_all=True, append_images=others, duration=80, loop=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("one_cut")
    write_all(path)
    return path


@pytest.fixture(scope="module")
def client(folder: Path, serving: Serving) -> Iterator[httpx.Client]:
    with connected(serving, Settings(root=folder)) as found:
        yield found


def pixels_of(file: bytes | Path) -> list[NDArray[np.uint8]]:
    return [np.asarray(frame) for frame in load_animation(file).frames]


def stills_of(picture: PillowImage.Image | Animation) -> list[NDArray[np.uint8]]:
    """The pixels after a round trip through the format, as those of the files are."""
    return pixels_of(encode(picture, format_named("png")))


@pytest.mark.parametrize("name", ["photo.jpg", "turned.jpg", "cmyk.jpg", "alpha.png", "moves.gif", "moves.png"])
@pytest.mark.parametrize(("size", "pad"), HOW)
def test_every_way_in_cuts_the_same_pixels(
    name: str, size: str, pad: str, folder: Path, tmp_path: Path, client: httpx.Client
) -> None:
    source = folder / name
    words = [str(source), "--ratio", RATIO, "--format", "png"]
    words += ["--pad", pad, "--must-keep", "0.1,0,0.9,1"] if pad else []
    words += ["--size", size] if size else []
    plan = eyefirst.plan_crops(source, RATIO, pad=pad or None, must_keep=[(0.1, 0, 0.9, 1)] if pad else ())
    if pad:
        assert plan.frames[RATIO][0].padding

    made = crops_of(plan, planned_handler(plan, str(source), size=size or None), size=size or None)
    expected = stills_of(made[0].picture)
    assert len(expected) == (3 if "moves" in name else 1)
    ways: dict[str, list[NDArray[np.uint8]]] = {}

    rendered = eyefirst.render_plan(plan, source, size=size or None)[RATIO][0]
    ways["render_plan"] = stills_of(rendered)
    with PillowImage.open(source) as opened:
        if not size:  # its pixels are there already: a JPEG is not decoded at a reduced size, so a resized cut differs
            ways["render_plan of an open file"] = stills_of(
                eyefirst.render_plan(plan, opened, size=size or None)[RATIO][0]
            )
    runner = CliRunner()
    assert runner.invoke(app, ["crop", *words, "-o", str(tmp_path / "crop.png")]).exit_code == 0
    ways["crop"] = pixels_of(tmp_path / "crop.png")
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_dict()))
    given = ["render", str(tmp_path / "plan.json"), "-o", str(tmp_path / "rendered.png")]
    assert runner.invoke(app, [*given, *(["--size", size] if size else [])]).exit_code == 0
    ways["render"] = pixels_of(tmp_path / "rendered.png")
    query = {"ratio": RATIO, "format": "png", "size": size, "pad": pad}
    query |= {"must_keep": "0.1,0,0.9,1"} if pad else {}
    answer = client.post("/v1/crop", params=query, content=source.read_bytes())
    assert answer.status_code == 200, answer.text
    ways["POST"] = pixels_of(answer.content)
    options = f"ratio={RATIO},format=png" + (f",size={size}" if size else "")
    options += f",pad={pad.replace('#', '%23')},must_keep=0.1_0_0.9_1" if pad else ""
    answer = client.get(f"/v1/image/unsigned/{options}/{name}")
    assert answer.status_code == 200, answer.text
    ways["GET"] = pixels_of(answer.content)
    if size:
        framing = FramingOptions(pad=pad or None, must_keep=plan.options.must_keep)
        settings = ThumbnailSettings(sizes=(Size.parse(size),), format="png", options=framing)
        ways["thumbnails"] = stills_of(cut_one(str(source), settings)[0][0])

    for way, frames in ways.items():
        wanted = expected[:1] if way.startswith("render_plan") else expected
        assert len(frames) == len(wanted), way
        for found, one in zip(frames, wanted, strict=True):
            np.testing.assert_array_equal(found, one, err_msg=way)


def test_a_plan_made_from_a_picture_in_memory_serves_its_file(folder: Path) -> None:
    """P7: with a size and without."""
    with PillowImage.open(folder / "photo.jpg") as opened:
        plan = eyefirst.plan_crops(opened, RATIO)
    for size in (None, (160, 90)):
        assert eyefirst.render_plan(plan, folder / "photo.jpg", size=size)[RATIO][0].size[0] == (160 if size else 1400)
    with pytest.raises(eyefirst.EyefirstError, match="planned"):
        eyefirst.render_plan(plan, folder / "turned.jpg")


def test_the_command_writes_jpeg_on_the_stated_colour(folder: Path, client: httpx.Client) -> None:
    """P6: the same over HTTP."""
    query = {"ratio": "1:1", "size": "90x90", "format": "jpg", "background": "#ff0000"}
    answer = client.post("/v1/crop", params=query, content=(folder / "alpha.png").read_bytes())
    assert answer.headers["content-type"] == "image/jpeg"
    red, green, blue = PillowImage.open(io.BytesIO(answer.content)).getpixel((45, 2))  # type: ignore[misc]
    assert red > 240 and green < 20 and blue < 20
    unnamed = client.post("/v1/crop", params={"ratio": "1:1"}, content=(folder / "alpha.png").read_bytes())
    assert unnamed.headers["content-type"] == "image/png"
