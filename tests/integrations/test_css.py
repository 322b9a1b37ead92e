"""What a real browser shows of a picture that CSS crops."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

import eyefirst
from tests.server.conftest import chromium

api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, photo_path: Path) -> Iterator[Any]:
    """The example's page, in a browser."""
    folder = tmp_path_factory.mktemp("css")
    (folder / "a photo.jpg").write_bytes(photo_path.read_bytes())
    command = [sys.executable, str(ROOT / "examples" / "object_position.py"), "a photo.jpg", "page.html"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    with api.sync_playwright() as playwright:
        path = chromium() or playwright.chromium.executable_path
        if not os.path.exists(path):
            pytest.skip("no Chromium is here: install one, or run `playwright install chromium`")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        found = browser.new_page(viewport={"width": 1000, "height": 700})
        found.goto((folder / "page.html").as_uri())
        yield found
        browser.close()


def shown(page: Any, number: int) -> PillowImage.Image:
    """The pixels of an image element."""
    return PillowImage.open(io.BytesIO(page.locator("img").nth(number).screenshot())).convert("RGB")


def apart(one: PillowImage.Image, other: PillowImage.Image) -> float:
    """Mean of what the pixels differ by, 0..255."""
    other = other.resize(one.size, PillowImage.Resampling.LANCZOS)
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other.convert("RGB"), np.int16)).mean())


@pytest.mark.parametrize(("number", "ratio"), list(enumerate(["1:1", "16:9", "9:16", "3:1"])))
def test_a_planned_ratio_shows_the_planned_frame(page: Any, photo_path: Path, number: int, ratio: str) -> None:
    picture = shown(page, number)
    assert picture.width / picture.height == pytest.approx(float(eyefirst.AspectRatio.parse(ratio)), rel=0.02)
    frame = eyefirst.crop(photo_path, ratio)
    assert apart(picture, frame) < 10  # an element ends at whole pixels of the screen, two of the photo's
    if ratio != "1:1":
        size = frame.size
        left, top = (512 - size[0]) // 2, (512 - size[1]) // 2
        centre = PillowImage.open(photo_path).crop((left, top, left + size[0], top + size[1]))
        assert apart(picture, centre) > 2 * apart(picture, frame)


def test_any_other_shape_is_held_where_people_look(page: Any, photo_path: Path) -> None:
    plan = eyefirst.plan_crops(photo_path, "1:1")
    for viewport in ((900, 700), (500, 1600)):
        page.set_viewport_size({"width": viewport[0], "height": viewport[1]})
        picture = shown(page, 4)
        scale = max(picture.width, picture.height) / 512
        left, top = plan.anchor.x * (512 - picture.width / scale), plan.anchor.y * (512 - picture.height / scale)
        cut = PillowImage.open(photo_path).crop(
            (round(left), round(top), round(left + picture.width / scale), round(top + picture.height / scale))
        )
        assert apart(picture, cut) < 6
        box = plan.attention_box
        assert left <= 512 * box.left
        assert left + picture.width / scale >= 512 * box.right
        assert top <= 512 * box.top
        assert top + picture.height / scale >= 512 * box.bottom
