"""What everybody needs of the page: names, contrast, targets, focus, keys, small screens, few bytes."""

from __future__ import annotations

import time
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage

import eyefirst
from eyefirst.server.settings import Settings
from tests.server.conftest import READY, Open, Serving

CONTRAST = """() => {
  const light = c => { const v = c.map(x => (x /= 255) <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const numbers = s => s.match(/[\\d.]+/g).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > .9) return c.slice(0, 3); } return [255, 255, 255]; };
  return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('#boxes')
    && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
      const a = light(numbers(getComputedStyle(e).color).slice(0, 3)), b = light(ground(e));
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.textContent.slice(0, 30)];
    }).filter(([ratio]) => ratio < 4.5);
}"""
TARGETS = """() => [...document.querySelectorAll('button, label:has(input)')].filter(e => e.checkVisibility())
  .map(e => [e.getBoundingClientRect(), e.id || e.textContent.trim()])
  .filter(([r]) => r.width && Math.min(r.width, r.height) < 44).map(([r, name]) => [name, r.width, r.height])"""


def test_a_picture_of_twelve_megapixels_on_a_narrow_screen_in_the_dark(visit: Open, tmp_path: Path) -> None:
    from skimage import data

    PillowImage.fromarray(data.rocket()).resize((4000, 3000)).save(tmp_path / "large.jpg")
    page = visit(390, 844, color_scheme="dark", has_touch=True, is_mobile=True)
    page.set_input_files("#file", tmp_path / "large.jpg")
    page.wait_for_selector(READY)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.querySelector('#photo').width") == 1600
    assert "4000 \u00d7 2250" in page.locator("#kept").text_content()
    red, *_ = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert red < 60
    page.check("[value=keep]")
    page.get_by_role("button", name="Add a box").tap()
    assert page.locator(".wish.keep").count() == 1


def test_words_and_small_pictures_have_room(visit: Open, photo_path: Path) -> None:
    page = visit(390, 844, reduced_motion="reduce")
    page.set_input_files("#file", [photo_path, photo_path])
    page.wait_for_selector("body:not(.working) #album button:nth-child(2)")
    page.check("[value=all]")
    free = "[...document.querySelectorAll('#album button')].map(b => b.offsetWidth - b.firstChild.offsetWidth)"
    assert page.evaluate(free) == [4, 4]  # the border
    area, words = page.locator("#canvas").bounding_box(), [s.bounding_box() for s in page.locator("#boxes span").all()]
    assert len(words) == page.locator("#boxes > div").count() >= 3
    assert all(one["y"] >= area["y"] for one in words)
    assert all(area["x"] <= one["x"] <= one["x"] + one["width"] <= area["x"] + area["width"] for one in words)
    page.set_viewport_size({"width": 1300, "height": 900})
    page.wait_for_selector("#shelf figcaption span")  # until it is seen; then all edges at once: it may be drawn anew
    edges = "all => all.map(one => one.getBoundingClientRect().toJSON())"
    captions = page.locator("#shelf figcaption span").evaluate_all(edges)
    assert len(captions) > 1
    assert all(b["x"] > a["x"] + a["width"] for a, b in pairwise(captions) if a["y"] == b["y"]), captions


def test_every_control_has_a_name_and_shows_its_focus(visit: Open, photo_path: Path) -> None:
    page = visit()
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    nameless = page.evaluate(
        """[...document.querySelectorAll('button, input:not([hidden]), canvas[role], [tabindex="0"]')]
            .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length
                || e.closest('[aria-hidden=true]'))).map(e => e.outerHTML)"""
    )
    assert nameless == []
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert {"choose", "opacity", "ratio", "copy", "compare", "download", "tightness"} <= seen


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (390, "light"), (1300, "light")])
def test_words_are_legible_and_targets_large(visit: Open, photo_path: Path, scheme: str, width: int) -> None:
    page = visit(width, 844, color_scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    page.set_input_files("#file", [photo_path, photo_path])
    page.wait_for_selector(READY)
    page.check("[value=all]")
    page.wait_for_timeout(500)
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    if width < 520:
        assert page.evaluate(TARGETS) == []
        picture = page.locator("#stage").bounding_box()
        assert all(picture["y"] < box["y"] for box in (t.bounding_box() for t in page.locator(".toolbar").all()))
    else:
        assert page.locator("#shelf figure").first.bounding_box()["y"] < 844 - 60


def test_focus_stays_where_it_was(visit: Open, photo_path: Path) -> None:
    page = visit()
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    page.locator("#shelf button[value='4:5']").focus()
    page.keyboard.press("Enter")
    assert page.locator("#ratio-name").text_content() == "4:5"
    assert page.evaluate("document.activeElement.value") == "4:5"


def test_the_album_is_used_by_keyboard(visit: Open, photo_path: Path, tmp_path: Path) -> None:
    names = ["a.jpg", "b.jpg", "c.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(photo_path.read_bytes())
    page = visit()
    page.set_input_files("#file", [tmp_path / name for name in names])
    page.wait_for_selector("body:not(.working) #album button:nth-child(3)")
    selected = page.locator("#album [aria-selected=true]")
    selected.focus()
    for key, name in (("ArrowRight", "b.jpg"), ("End", "c.jpg"), ("ArrowRight", "c.jpg"), ("Home", "a.jpg")):
        page.keyboard.press(key)
        assert selected.get_attribute("title") == name
        assert page.evaluate("document.activeElement.title") == name
    page.keyboard.press("Delete")
    assert selected.get_attribute("title") == "b.jpg"
    page.locator("#remove").click()
    page.locator("#remove").click()
    assert page.locator("#choose-first").is_visible()
    assert page.evaluate("document.activeElement.id") == "choose-first"


PAGE_BYTES = 60_000
"""Of everything that the browser fetches before there is a picture."""


def test_the_page_is_small(visit: Open) -> None:
    page = visit()
    page.wait_for_load_state("networkidle")
    entries = "[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]"
    sizes = dict(page.evaluate(f"{entries}.map(e => [new URL(e.name).pathname, e.transferSize])"))
    assert {"/", "/page/page.js", "/page/frame.js", "/page/sample.jpg"} <= set(sizes)
    assert 0 < sum(sizes.values()) < PAGE_BYTES, sizes


def test_the_page_is_painted_before_anything_else_comes(browser: Any, serving: Serving) -> None:
    with serving(Settings(workers=1)) as (host, port):
        page = browser.new_page()
        asked: list[str] = []
        page.route("**/page/*", lambda route: asked.append(route.request.url))  # and never answered
        page.goto(f"http://{host}:{port}/", wait_until="commit")
        painted, until = "performance.getEntriesByName('first-contentful-paint').length", time.monotonic() + 20
        while not page.evaluate(painted) and time.monotonic() < until:
            time.sleep(0.02)
        assert page.evaluate(painted) == 1
        assert page.evaluate("getComputedStyle(document.querySelector('.work')).display") == "none"  # so says the style
        assert page.locator("#choose-first").is_visible()
        assert any(url.endswith("page.js") for url in asked)
        page.close()


def test_axe_finds_nothing_in_any_state(visit: Open, photo_path: Path, tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe comes with axe-playwright-python")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text()
    page = visit(reduced_motion="reduce")
    page.evaluate(f"{script};0")
    found: dict[str, Any] = {}

    def look(state: str) -> None:
        result = page.evaluate("axe.run({resultTypes: ['violations']})")
        assert len(result["passes"]) > 10
        found[state] = [(v["id"], [n["target"] for n in v["nodes"]]) for v in result["violations"]]

    look("empty")
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    look("one photo")
    page.check("[value=frame]")
    page.click("#smaller")
    look("frame")
    page.check("[value=keep]")
    page.click("#add-box")
    page.check("#compare")
    (tmp_path / "letter.jpg").write_text("hello")
    page.set_input_files("#file", [photo_path, tmp_path / "letter.jpg"])
    page.wait_for_selector("#error:not([hidden])")
    page.wait_for_selector(READY)
    look("boxes, album, error")
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    look("the same on a phone in the dark")
    assert not any(found.values()), found


def test_the_invitation_shows_crops_as_they_are_planned(visit: Open) -> None:
    sample = (files("eyefirst.server") / "page" / "sample.jpg").read_bytes()
    plan = eyefirst.plan_crops(sample, ["1:1", "9:16", "16:9"])
    page = visit()
    for name, ratio in (("square", "1:1"), ("tall", "9:16"), ("wide", "16:9")):
        shown = page.evaluate(f"getComputedStyle(document.querySelector('.after .{name}')).objectPosition")
        expected = plan.frame_position(plan.frames[ratio][0])
        assert [float(p.strip("%")) for p in shown.split()] == pytest.approx(
            [float(p.strip("%")) for p in expected.split()], abs=5
        )
