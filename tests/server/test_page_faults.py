"""The page where things go otherwise: removals and errors in between, late answers, sizes that are typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage

from tests.server.conftest import READY, Open

DELAYED = """const ask = window.fetch; window.delays = {};
window.fetch = async (address, options) => {
  for (const [part, time] of Object.entries(window.delays))
    if (address.includes(part)) await new Promise(done => setTimeout(done, time));
  return ask(address, options);
};"""
"""Answers to addresses that hold a text come later, by so many milliseconds."""
FOCUSED = "document.activeElement.id || document.activeElement.value || document.activeElement.tagName"


@pytest.fixture
def pictures(tmp_path: Path, photo_path: Path) -> Path:
    """A folder with pictures, a text, and another text of the same name."""
    with PillowImage.open(photo_path) as photo:
        photo.crop((0, 0, 450, 300)).save(tmp_path / "wide.png")
    for name in ("one.jpg", "two.jpg"):
        shutil.copy(photo_path, tmp_path / name)
    for folder in ("d1", "d2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "bad.jpg").write_text("no picture" if folder == "d1" else "")
    return tmp_path


def ready(page: Any) -> None:
    page.wait_for_timeout(300)
    page.wait_for_selector(READY)


def type_size(page: Any, width: str, height: str) -> None:
    for name, value in (("#width", width), ("#height", height)):
        page.fill(name, value)
        page.locator(name).blur()


def downloaded(page: Any) -> tuple[int, int]:
    with page.expect_download() as download:
        page.click("#download-one")
    with PillowImage.open(download.value.path()) as found:
        return found.size


def test_a_picture_that_was_removed_says_nothing_more(visit: Open, pictures: Path) -> None:
    page = visit()
    page.evaluate(DELAYED)
    page.set_input_files("#file", [pictures / "one.jpg", pictures / "two.jpg"])
    page.wait_for_selector("body:not(.working) #album button:nth-child(2)")
    page.evaluate("window.delays = { '/v1/plan': 800 }")
    page.set_input_files("#file", pictures / "d1" / "bad.jpg")
    page.wait_for_selector("#album button:nth-child(3)")
    page.click("#remove")
    page.wait_for_timeout(1200)
    ready(page)
    names = page.eval_on_selector_all("#album button", "all => all.map(b => b.title)")
    assert names == ["one.jpg", "two.jpg"]
    assert not page.get_by_role("alert").is_visible()


def test_the_newest_plan_is_shown(visit: Open, pictures: Path) -> None:
    page = visit()
    page.evaluate(DELAYED)
    page.evaluate("window.delays = { '/v1/saliency': 1500 }")
    page.set_input_files("#file", pictures / "one.jpg")
    with page.expect_response(lambda r: "tightness=1" in r.url):
        page.locator("#tightness").fill("100")
    page.wait_for_timeout(1500)
    ready(page)
    page.get_by_role("tab", name="JSON").click()
    assert json.loads(page.locator("#code").text_content())["options"]["tightness"] == 1


def test_errors_of_two_files_with_one_name_are_both_shown(visit: Open, pictures: Path) -> None:
    page = visit()
    page.set_input_files("#file", [pictures / "d1" / "bad.jpg", pictures / "d2" / "bad.jpg"])
    page.wait_for_selector("#error p:nth-child(2)")
    words = page.locator("#error p").all_text_contents()
    assert len(set(words)) == 2 and all(one.startswith("bad.jpg: ") for one in words)


def test_one_side_of_a_size_is_enough(visit: Open, pictures: Path) -> None:
    page = visit()
    page.set_input_files("#file", pictures / "wide.png")
    ready(page)
    for width, height, expected in (("200", "", (200, 113)), ("", "90", (160, 90)), ("", "", (450, 253))):
        type_size(page, width, height)
        assert downloaded(page) == expected
    type_size(page, "20000", "")
    page.click("#download-one")
    assert page.evaluate(FOCUSED) == "width"  # the browser says there what is wrong
    assert not page.locator("#width").evaluate("input => input.checkValidity()")


def test_a_size_is_enlarged_with_a_word(visit: Open, pictures: Path) -> None:
    page = visit()
    page.set_input_files("#file", pictures / "wide.png")
    ready(page)
    type_size(page, "640", "480")
    words = page.locator("#warnings li").all_text_contents()[-1]
    assert words == "640 \u00d7 480 is larger than the frame of 400 \u00d7 300 pixels"
    assert downloaded(page) == (640, 480)
    type_size(page, "320", "240")
    assert "is larger" not in page.locator("#warnings").text_content()


def test_a_size_is_waited_for_and_forgotten_for_another_picture(visit: Open, pictures: Path) -> None:
    page = visit()
    page.set_input_files("#file", [pictures / "one.jpg", pictures / "wide.png"])
    page.wait_for_selector("body:not(.working) #album button:nth-child(2)")
    page.fill("#width", "331")
    page.fill("#height", "100")
    assert downloaded(page) == (331, 100)  # without a wait for its plan
    page.locator("#album [title='wide.png']").click()
    assert page.input_value("#width") == page.input_value("#height") == ""
    assert page.locator("#ratio-name").text_content() == "16:9"
    assert downloaded(page) == (450, 253)


def test_a_shape_that_is_refused_leaves_the_one_before(visit: Open, pictures: Path) -> None:
    page = visit()
    page.set_input_files("#file", pictures / "wide.png")
    ready(page)
    type_size(page, "5000", "1")
    page.wait_for_selector("#error:not([hidden])")
    assert page.input_value("#width") == page.input_value("#height") == ""
    assert downloaded(page) == (450, 253)
    with page.expect_response(lambda r: "/v1/plan" in r.url) as answer:
        page.locator("#tightness").fill("50")
    assert answer.value.status == 200


def test_the_focus_stays_at_the_tools(visit: Open, pictures: Path) -> None:
    page = visit()
    page.set_input_files("#file", pictures / "one.jpg")
    ready(page)
    for tool, expected in (("keep", "add-box"), ("look", "look")):
        page.check("[value=keep]")
        page.get_by_role("button", name="Add a box").click()
        page.check(f"[value={tool}]")
        page.locator("#clear-boxes").focus()
        page.keyboard.press("Enter")
        assert page.evaluate(FOCUSED) == expected


def test_what_is_copied_of_a_transparent_picture_works(
    visit: Open, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = PillowImage.new("RGBA", (300, 200), (0, 0, 0, 0))
    picture.paste("red", (100, 50, 200, 150))
    picture.save(pictures / "logo.png")
    page = visit()
    page.set_input_files("#file", pictures / "logo.png")
    ready(page)
    page.get_by_role("tab", name="Python").click()
    monkeypatch.chdir(pictures)
    exec(page.locator("#code").text_content(), {})
    with PillowImage.open("logo_16x9.jpg") as found:
        assert (found.format, found.getpixel((1, 1))) == ("JPEG", (255, 255, 255))
    page.get_by_role("tab", name="curl").click()
    assert "/v1/crop?ratio=16:9&format=jpg'" in page.locator("#code").text_content()
