"""The frame on the page, placed by hand: drag, corners, wheel, keys; saved as a plan that the command renders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

from eyefirst.cli import app
from eyefirst.plan import CropPlan
from tests.server.conftest import READY, Open


@pytest.fixture
def page(visit: Open, photo_path: Path) -> Any:
    found = visit(reduced_motion="reduce")
    found.set_input_files("#file", photo_path)
    found.wait_for_selector(READY)
    found.check("[value=frame]")
    return found


def plan_of(page: Any) -> CropPlan:
    page.get_by_role("tab", name="JSON").click()
    return CropPlan.from_json(page.locator("#code").text_content())


def box_of(page: Any, ratio: str = "16:9") -> tuple[int, int, int, int]:
    left, top, right, bottom = plan_of(page).frames[ratio][0].box
    return left, top, right, bottom


def drag(page: Any, start: tuple[float, float], by: tuple[float, float]) -> None:
    """From a place in shares of the frame, by shares of the picture."""
    frame, picture = page.locator("#frame").bounding_box(), page.locator("#canvas").bounding_box()
    x, y = frame["x"] + start[0] * frame["width"], frame["y"] + start[1] * frame["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0] * picture["width"], y + by[1] * picture["height"], steps=3)
    page.mouse.up()


def test_a_frame_is_dragged_zoomed_saved_and_reset(page: Any, photo_path: Path, tmp_path: Path) -> None:
    planned = box_of(page)
    assert not page.locator("#reset").is_visible()
    drag(page, (0.5, 0.5), (0, 0.1))
    moved = box_of(page)
    assert (moved[0], moved[2]) == (0, 512)
    assert moved[1] == pytest.approx(planned[1] + 51, abs=2) and moved[3] - moved[1] == 288
    drag(page, (0.999, 0.999), (-0.5, -0.5))  # the corner across from it stays
    small = box_of(page)
    assert small[:2] == pytest.approx(moved[:2], abs=1)
    assert small[2] == pytest.approx(256, abs=3) and small[3] - small[1] == round((small[2] - small[0]) * 9 / 16)
    area = page.locator("#canvas").bounding_box()
    across = page.locator("#frame").bounding_box()["width"]
    page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
    page.mouse.wheel(0, -300)
    page.wait_for_function("across => document.querySelector('#frame').offsetWidth < across - 5", arg=across)
    nearer = box_of(page)
    assert nearer[2] - nearer[0] < small[2] - small[0]
    assert sum(nearer[::2]) == pytest.approx(sum(small[::2]), abs=2)
    plan = plan_of(page)
    frame = plan.frames["16:9"][0]
    assert frame.reason == "placed by hand" and 0 < frame.kept < 1 and len(frame.kept_objects) == len(plan.objects)
    assert f"Keeps {round(100 * frame.kept)} %" in page.locator("#kept").text_content()
    with page.expect_download() as download:
        page.click("#download-one")
    with PillowImage.open(download.value.path()) as found:
        assert found.size == tuple(frame.size)
    with page.expect_download() as download:
        page.click("#save-plan")
    assert download.value.suggested_filename == "astronaut.plan.json"
    saved = tmp_path / "astronaut.plan.json"
    download.value.save_as(saved)
    (tmp_path / photo_path.name).write_bytes(photo_path.read_bytes())
    result = CliRunner().invoke(app, ["render", str(saved), "-o", str(tmp_path / "out"), "--format", "png"])
    assert result.exit_code == 0, result.output
    with PillowImage.open(tmp_path / "out" / "astronaut_16x9.png") as cut, PillowImage.open(photo_path) as whole:
        assert cut.tobytes() == whole.convert("RGB").crop(nearer).tobytes()
    page.click("#reset")
    assert box_of(page) == planned
    assert json.loads(page.locator("#code").text_content())["frames"]["16:9"][0]["reason"] != "placed by hand"


def test_a_frame_is_placed_by_keyboard(page: Any) -> None:
    page.locator("#frame").focus()
    for key in ("-", "-", "Shift+ArrowLeft", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    zoomed = box_of(page)
    width = zoomed[2] - zoomed[0]
    assert width == pytest.approx(512 / 1.06**3, abs=2)
    assert zoomed[0] == pytest.approx((512 - width) / 2 + 0.02 * 512, abs=2)
    assert "Frame 16:9" in page.locator("#frame").get_attribute("aria-label")
    page.locator("#frame").focus()
    for _ in range(12):
        page.keyboard.press("+")
    assert box_of(page)[::2] == (0, 512)  # no larger than the picture
    page.locator("#frame").focus()
    page.keyboard.press("Escape")
    assert not page.locator("#reset").is_visible()
    page.check("[value=look]")
    assert page.locator("#frame").get_attribute("aria-hidden") == "true"


def test_each_shape_and_picture_has_its_own_frame(page: Any, photo_path: Path) -> None:
    planned = box_of(page, "1:1"), box_of(page, "4:5")
    page.get_by_role("button", name="4:5", exact=True).click()
    page.click("#smaller")
    assert (box_of(page, "1:1"), box_of(page, "4:5") == planned[1]) == (planned[0], False)
    assert "render_plan" in (page.get_by_role("tab", name="Python").click(), page.locator("#code").text_content())[1]
    page.set_input_files("#file", photo_path)
    page.wait_for_selector("#album button:nth-child(2)")
    page.wait_for_selector(READY)
    assert box_of(page, "4:5") == planned[1]
    page.locator("#album button").first.click()
    assert box_of(page, "4:5") != planned[1]
