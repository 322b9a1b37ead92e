"""The page to try eyefirst in the browser, as `make site` builds it, in a real browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage
from skimage import data

import eyefirst
from eyefirst.image.colour_spaces import PRIMARIES, ColourSpace
from tests.server.conftest import browser

__all__ = ["browser"]
ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"
RATIOS = ["16:9", "1:1", "4:5", "9:16"]
ENDED = "#try[data-state=done], #try[data-state=failed]"
LOADS_MS = 180_000  # Python starts in the browser, on a machine that may be busy

if not (SITE / "try" / "parts" / "parts.json").exists():
    pytest.skip("`make test-site` builds the page to try", allow_module_level=True)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """The page. What it asks for goes to this server alone, sends nothing, and begins with the first photo."""
    asked: list[Any] = []
    faults: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = f"http://127.0.0.1:{server.server_port}/"
        found = browser.new_page()
        found.on("pageerror", lambda error: faults.append(str(error)))
        found.on("request", lambda request: asked.extend([request]))
        found.goto(f"{home}try.html")
        assert not [r.url for r in asked if "/parts/" in r.url], "something is loaded before a photo is chosen"
        yield found
        elsewhere = [r.url for r in asked if not r.url.startswith((home, "data:", f"blob:{home}"))]
        sent = [r.url for r in asked if r.method != "GET" or r.post_data]
        assert [r for r in asked if "/parts/" in r.url]
        assert not [*faults, *elsewhere, *sent]
        server.shutdown()


def tried(page: Any, path: Path) -> dict[str, Any]:
    page.set_input_files("#try-file", path)
    page.wait_for_selector(ENDED, timeout=LOADS_MS)
    assert page.text_content("[data-part=problem]") == ""
    return dict(json.loads(page.text_content("[data-part=plan]")))


def test_a_png_gives_the_plan_of_the_package(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "astronaut.png"
    PillowImage.fromarray(data.astronaut()).save(path)
    found, wanted = tried(page, path), eyefirst.plan_crops(path.read_bytes(), RATIOS).to_dict()
    assert found["revision"] == wanted["revision"]
    assert found["picture"]["sha256"] == wanted["picture"]["sha256"]
    for ratio in RATIOS:
        ours, theirs = wanted["frames"][ratio][0], found["frames"][ratio][0]
        assert list(theirs["box"].values()) == pytest.approx(list(ours["box"].values()), abs=1)
        assert (theirs["reason"], theirs["warnings"]) == (ours["reason"], ours["warnings"])
        assert theirs["kept"] == pytest.approx(ours["kept"], abs=0.005)  # 8-bit kernels round in their own ways
    captions = page.locator("#try .view strong").all_text_contents()
    assert captions == ["Where people look first", "Subjects: 1 found", "Faces: 1 found"]
    shown = page.locator("#try .crop").all_text_contents()
    assert [text.startswith(r + wanted["frames"][r][0]["reason"]) for text, r in zip(shown, RATIOS, strict=True)]
    shapes = page.evaluate("[...document.querySelectorAll('.crop img')].map(i => i.naturalWidth / i.naturalHeight)")
    assert shapes == pytest.approx([16 / 9, 1, 4 / 5, 9 / 16], rel=0.01)


def test_a_jpeg_gives_nearly_the_plan_of_the_package(page: Any, photo_path: Path) -> None:
    """Pyodide's Pillow decodes JPEG by libjpeg 9, the wheels of Pillow by libjpeg-turbo."""
    found, wanted = tried(page, photo_path), eyefirst.plan_crops(photo_path.read_bytes(), RATIOS).to_dict()
    for ratio in RATIOS:
        ours, theirs = wanted["frames"][ratio][0]["box"], found["frames"][ratio][0]["box"]
        assert list(theirs.values()) == pytest.approx(list(ours.values()), abs=0.02 * 512)


def test_a_colour_profile_is_left_to_the_browser_and_said(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    profile = ColourSpace(PRIMARIES[12], "sRGB").profile()  # Display P3
    PillowImage.fromarray(data.astronaut()).save(path, icc_profile=profile)
    found, wanted = tried(page, path), eyefirst.plan_crops(path.read_bytes(), RATIOS).to_dict()
    assert "a colour profile other than sRGB. So your browser decoded it." in page.text_content("[data-part=facts]")
    for ratio in RATIOS:
        ours, theirs = wanted["frames"][ratio][0]["box"], found["frames"][ratio][0]["box"]
        assert list(theirs.values()) == pytest.approx(list(ours.values()), abs=0.02 * 512)


def test_what_is_no_picture_is_refused_in_plain_words(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture")
    page.set_input_files("#try-file", path)
    page.wait_for_selector(ENDED, timeout=LOADS_MS)
    problem = page.text_content("[data-part=problem]")
    assert "Your browser cannot decode the file either" in problem
    assert "Traceback" not in problem
