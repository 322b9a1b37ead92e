"""Colours, transparency and animations as Chromium shows them, asked of the browser itself."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from eyefirst.image import load_animation, load_image
from tests.server.conftest import chromium
from tests.unit.image.colour_files import AVIF_FILES, PNG_FILES, chart
from tests.unit.image.pictures import case, encoded

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Error, Page, sync_playwright


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        path = chromium() or playwright.chromium.executable_path
        if not os.path.exists(path):
            pytest.skip("no Chromium is here: install one, or run `playwright install chromium`")
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        )
        yield browser.new_page()
        browser.close()


def shown(page: Page, data: bytes, kind: str) -> NDArray[np.uint8]:
    """The pixels that the browser paints; skips the test for a file that this version does not read."""
    address = f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode()}"
    page.set_content(f'<body style="margin:0"><img id="i" style="display:block" src="{address}"></body>')
    try:
        page.evaluate("document.getElementById('i').decode()")
    except Error:
        pytest.skip("this Chromium does not read the file")
    width, height = page.evaluate("[i.naturalWidth, i.naturalHeight]")
    shot = page.screenshot(clip={"x": 0, "y": 0, "width": width, "height": height})
    return np.asarray(PIL.Image.open(io.BytesIO(shot)).convert("RGB"))


def difference(page: Page, data: bytes, kind: str) -> tuple[float, int]:
    ours = load_image(data).pixels.astype(int)
    distance = np.abs(ours - shown(page, data, kind))
    return float(distance.mean()), int(distance.max())


@pytest.mark.parametrize("name", PNG_FILES)
def test_png(name: str, page: Page) -> None:
    mean, most = difference(page, PNG_FILES[name], "png")
    assert mean < 0.5
    assert most <= (14 if "nits" in name else 2)  # beyond 1000 nits Chromium draws the curve by a few points


@pytest.mark.parametrize("name", AVIF_FILES)
def test_avif(name: str, page: Page) -> None:
    mean, most = difference(page, AVIF_FILES[name], "avif")
    assert mean < 0.5
    assert most <= 3


@pytest.mark.parametrize(("name", "kind"), [("p3.avif", "avif"), ("cicp_p3.png", "png"), ("gama1.png", "png")])
def test_cases_of_users(name: str, kind: str, page: Page) -> None:
    mean, most = difference(page, case(name).read_bytes(), kind)
    assert mean < 0.5
    assert most <= 3


PLAYED = """async ([text, type]) => {
  const data = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const decoder = new ImageDecoder({data, type});
  await decoder.tracks.ready; await decoder.completed;
  const track = decoder.tracks.selectedTrack, repeats = track.repetitionCount;
  return [track.frameCount, repeats === Infinity ? 0 : repeats + 1];
}"""


@pytest.mark.parametrize(
    ("kind", "loop"), [("GIF", None), *((k, n) for k in ("GIF", "WEBP", "PNG") for n in (0, 1, 3)), ("AVIF", None)]
)
def test_how_often_an_animation_plays(kind: str, loop: int | None, page: Page, tmp_path: Any) -> None:
    frames = [PIL.Image.fromarray(chart()[:, i : i + 64]) for i in (0, 64, 128)]
    options = {} if loop is None else {"loop": loop}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
    (tmp_path / "empty.html").write_text("<p>")
    page.goto((tmp_path / "empty.html").as_uri())  # ImageDecoder wants a trusted page
    if page.evaluate("typeof ImageDecoder") == "undefined":
        pytest.skip("this Chromium has no ImageDecoder")
    found = page.evaluate(PLAYED, [base64.b64encode(data).decode(), f"image/{kind.lower()}"])
    ours = load_animation(data)
    assert found == [len(ours.frames), ours.plays]
