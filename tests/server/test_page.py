"""The page in a real browser."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage

import eyefirst
from eyefirst import ImageRequestHandler, TextRectanglesRequest
from eyefirst.server.settings import Settings
from tests.server.conftest import READY, Open, Serving


def frame_of(page: Any) -> list[float]:
    """Edges of the frame as it is drawn, in shares of the picture, once it stands still."""
    page.wait_for_timeout(350)
    inner, outer = page.locator("#frame").bounding_box(), page.locator("#canvas").bounding_box()
    left, top = (inner["x"] - outer["x"]) / outer["width"], (inner["y"] - outer["y"]) / outer["height"]
    return [left, top, left + inner["width"] / outer["width"], top + inner["height"] / outer["height"]]


def code(page: Any, tab: str) -> str:
    page.get_by_role("tab", name=tab).click()
    return str(page.locator("#code").text_content())


def slide(page: Any, stop: int) -> None:
    page.locator("#ratio").fill(str(stop))


def test_a_picture_becomes_maps_boxes_and_crops(visit: Open, photo_path: Path) -> None:
    page = visit()
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    plan = eyefirst.plan_crops(photo_path.read_bytes(), ["1:1", "4:5", "3:2", "16:9", "9:16", "3:1"])
    assert page.locator("#boxes .attention").count() == 1
    assert page.locator("#boxes .objectness").count() == len(plan.objects)
    words = page.locator("#shelf figcaption").all_text_contents()
    assert words == [f"{r} keeps {round(100 * f[0].kept)} %" for r, f in plan.frames.items()]
    box = plan.frames["16:9"][0].box.normalized(plan.size)
    assert frame_of(page) == pytest.approx([box.left, box.top, box.right, box.bottom], abs=0.01)
    shown = page.evaluate("[...document.querySelectorAll('.heat')].map(c => getComputedStyle(c).display)")
    assert shown == ["none", "block", "none", "none"]
    page.check("[value=faces]")
    faces = eyefirst.faces(photo_path).faces
    assert page.locator("#boxes .faces:visible").count() == len(faces) == 1
    assert not page.locator("#boxes .attention").is_visible()
    assert page.locator("#heat-faces").is_visible()
    page.check("[value=text_rectangles]")
    (text,) = ImageRequestHandler(photo_path).perform([TextRectanglesRequest()])
    assert page.locator("#boxes .text_rectangles").count() == len(text.salient_objects)
    assert page.locator("#heat-text_rectangles").is_visible()
    many = f"{len(plan.objects)} subject{'s' if len(plan.objects) > 1 else ''}"
    assert page.locator("#status").text_content() == f"astronaut.jpg: {many} and 1 face found"
    page.check("[value=objectness]")
    page.check("[value=mask]")
    assert not page.locator("#boxes").is_visible()
    assert page.locator("#heat-objectness").is_visible()
    page.locator("#opacity").fill("30")
    assert page.evaluate("document.querySelector('#heat-objectness').style.opacity") == "0.3"


def test_the_slider_moves_the_frame_without_asking_again(visit: Open, photo_path: Path) -> None:
    page = visit()
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    shapes = []
    for stop in (0, 15, 30, 60):
        slide(page, stop)
        left, top, right, bottom = frame_of(page)
        shapes.append((right - left) / (bottom - top))
    assert shapes == pytest.approx([1 / 3, 3**-0.5, 1, 3], rel=0.03)
    page.locator("#ratio").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#ratio-name").text_content() == "2.89:1"
    page.get_by_role("button", name="9:16", exact=True).click()
    assert page.locator("#ratio-name").text_content() == "9:16"
    assert not [url for url in asked if "/v1/" in url]


SHOWN = """selector => {
  const edges = document.querySelector(selector)?.getBoundingClientRect();
  return edges?.width ? edges.toJSON() : null;
}"""
"""Where an element is, as soon as it is shown: each plan draws the boxes anew."""


def test_boxes_are_drawn_by_mouse_and_keyboard(visit: Open, photo_path: Path) -> None:
    page = visit()
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    area = page.locator("#canvas").bounding_box()
    page.check("[value=keep]")
    page.mouse.move(area["x"] + 0.02 * area["width"], area["y"] + 0.8 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + 0.2 * area["width"], area["y"] + 0.98 * area["height"], steps=4)
    with page.expect_response(lambda r: "/v1/plan" in r.url):
        page.mouse.up()
    page.wait_for_selector(READY)
    frame = frame_of(page)
    assert frame[0] <= 0.02
    assert frame[3] >= 0.97
    page.check("[value=avoid]")
    with page.expect_response(lambda r: "avoid=" in r.url):
        page.get_by_role("button", name="Add a box").click()
    wish = page.locator(".wish.avoid")
    before = wish.bounding_box()
    with page.expect_response(lambda r: "avoid=" in r.url):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowDown")
    page.wait_for_selector(READY)
    after = page.wait_for_function(SHOWN, arg=".wish.avoid").json_value()
    assert after["x"] > before["x"]
    assert after["height"] > before["height"]
    page.wait_for_selector(READY)
    python = code(page, "Python")
    assert "must_keep=[eyefirst.Box(" in python
    assert "avoid=[eyefirst.Box(" in python
    wish.focus()
    with page.expect_response(lambda r: "/v1/plan" in r.url and "avoid=" not in r.url):
        page.keyboard.press("Delete")
    assert page.locator(".wish").count() == 1
    page.locator("#tightness").fill("100")
    page.wait_for_timeout(300)
    page.wait_for_selector(READY)
    assert "tightness=1" in code(page, "Python")


def test_what_is_copied_works(visit: Open, photo_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    plan = eyefirst.CropPlan.from_json(code(page, "JSON"))
    expected = replace(eyefirst.plan_crops(photo_path.read_bytes(), list(plan.frames)), picture=photo_path.name)
    assert plan.to_dict() == expected.to_dict()
    css = code(page, "CSS")
    assert f"object-position: {plan.frame_position(plan.frames['16:9'][0])};" in css
    page.get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == css
    monkeypatch.chdir(tmp_path)
    shutil.copy(photo_path, tmp_path / photo_path.name)
    exec(code(page, "Python"), {})
    with PillowImage.open(tmp_path / "astronaut_16x9.jpg") as cut:
        assert cut.size == (512, 288)
    assert "/v1/crop?ratio=16:9&format=jpg' \\\n" in code(page, "curl")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert [n for n in archive.namelist() if n.endswith(".jpg")][3] == "16x9.jpg"
        assert json.loads(archive.read("plan.json"))["frames"].keys() == plan.to_dict()["frames"].keys()


def test_the_centre_crop_is_beside_each(visit: Open, photo_path: Path) -> None:
    page = visit()
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    page.check("#compare")
    words = page.locator("#shelf figcaption").all_text_contents()
    seen = eyefirst.attention(photo_path)
    expected = round(100 * seen.heat_map.mass_in(eyefirst.Box(0, 0.21875, 1, 0.78125)))
    assert words[3].endswith(f"centre keeps {expected} %")
    assert page.locator("#centre").is_visible()


def test_errors_say_what_to_do(visit: Open, tmp_path: Path, photo_path: Path) -> None:
    (tmp_path / "letter.jpg").write_text("hello")
    page = visit()
    page.set_input_files("#file", tmp_path / "letter.jpg")
    page.wait_for_selector("#error:not([hidden])")
    text = page.get_by_role("alert").text_content()
    assert "letter.jpg: is not a picture" in text
    assert "save it as JPEG or PNG" in text
    assert page.get_by_role("button", name="Choose a picture").is_visible()
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    assert not page.get_by_role("alert").is_visible()


def test_a_format_that_the_browser_cannot_draw_is_drawn_by_the_service(visit: Open, tmp_path: Path) -> None:
    PillowImage.effect_noise((300, 200), 80).save(tmp_path / "scan.tif")
    page = visit()
    page.set_input_files("#file", tmp_path / "scan.tif")
    page.wait_for_selector(READY)
    assert page.evaluate("document.querySelector('#photo').width") == 300


def test_pictures_are_dropped_and_pasted(visit: Open, photo_path: Path) -> None:
    page = visit()
    out = io.BytesIO()
    PillowImage.effect_noise((64, 64), 80).save(out, "PNG")
    for kind, carrier in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """([kind, carrier, bytes]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], kind + '.png', { type: 'image/png' }));
                const event = new Event(kind, { bubbles: true, cancelable: true });
                Object.defineProperty(event, carrier, { value: data });
                document.body.dispatchEvent(event);
            }""",
            [kind, carrier, list(out.getvalue())],
        )
        page.wait_for_selector(READY)
    assert page.get_by_role("option").count() == 2
    page.get_by_role("option").first.click()
    assert page.get_by_role("option").first.get_attribute("aria-selected") == "true"


def test_a_key_is_asked_for_and_kept_for_the_visit(browser: Any, serving: Serving, photo_path: Path) -> None:
    key = "an-api-key-for-the-tests"
    with serving(Settings(api_keys=(key,))) as (host, port):
        page = browser.new_page()
        page.goto(f"http://{host}:{port}/")
        page.set_input_files("#file", photo_path)
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Use it").click()
        page.wait_for_selector(READY)
        page.close()


def test_every_bad_file_is_named(visit: Open, tmp_path: Path, photo_path: Path) -> None:
    (tmp_path / "words.jpg").write_text("hello")
    (tmp_path / "empty.jpg").write_bytes(b"")
    page = visit()
    page.set_input_files("#file", [tmp_path / "words.jpg", photo_path, tmp_path / "empty.jpg"])
    page.wait_for_selector(READY)
    page.wait_for_selector("#error p:nth-child(2)")
    words = page.locator("#error").inner_text()
    assert "words.jpg" in words and "empty.jpg" in words
    assert "b'" not in words and "pixel_limit" not in words


def test_a_box_on_one_picture_and_then_on_another(visit: Open, photo_path: Path, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(photo_path.read_bytes())
    page = visit()
    page.set_input_files("#file", [tmp_path / "a.jpg", tmp_path / "b.jpg"])
    page.wait_for_selector("body:not(.working) #album button:nth-child(2)")
    page.check("[value=keep]")
    for title in ("a.jpg", "b.jpg"):
        page.evaluate(f"document.querySelector('#album [title=\"{title}\"]').click()")
        page.evaluate("document.querySelector('#add-box').click()")
    page.wait_for_timeout(300)
    page.wait_for_selector(READY)
    for title in ("a.jpg", "b.jpg"):
        page.locator(f"#album [title='{title}']").click()
        assert json.loads(code(page, "JSON"))["options"]["must_keep"], title


def test_one_crop_is_taken_in_a_size_that_was_typed(visit: Open, photo_path: Path) -> None:
    page = visit()
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    for size, expected in (((), (512, 288)), ((300, 100), (300, 100)), ((321, 123), (321, 123))):
        for name, value in zip(("#width", "#height"), size, strict=False):
            page.fill(name, str(value))
            page.locator(name).blur()
        page.wait_for_timeout(300)
        page.wait_for_selector(READY)
        with page.expect_download() as download:
            page.click("#download-one")
        with PillowImage.open(download.value.path()) as found:
            assert found.size == expected
    with page.expect_download() as download:
        page.click("#download")
    with zipfile.ZipFile(download.value.path()) as archive:
        sizes = [PillowImage.open(io.BytesIO(archive.read(n))).size for n in archive.namelist() if n.endswith("jpg")]
    assert max(max(size) for size in sizes) <= 512  # a small picture is not enlarged


def test_a_picture_is_sent_once(visit: Open, photo_path: Path) -> None:
    page = visit()
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "/v1/" in r.url else None)
    page.set_input_files("#file", photo_path)
    page.wait_for_selector(READY)
    page.locator("#tightness").fill("60")
    page.wait_for_timeout(300)
    page.wait_for_selector(READY)
    with page.expect_download():
        page.click("#download-one")
    assert len(asked) >= 4
    assert ["sha256=" in url for url in asked] == [False, *[True] * (len(asked) - 1)]
