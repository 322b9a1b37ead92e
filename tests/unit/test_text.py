from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from typer.testing import CliRunner

import eyefirst
from eyefirst import (
    Box,
    Detection,
    FramingOptions,
    HeatMap,
    ImageRequestHandler,
    TextRecognitionRequest,
    TextRectanglesRequest,
)
from eyefirst.cli import app
from eyefirst.detectors import known_detectors, load_detector, register_detector
from eyefirst.errors import InvalidValueError, MissingExtraError
from eyefirst.geometry import Size
from eyefirst.network import OnnxNetwork
from eyefirst.reading import read, salient_regions
from eyefirst.tools.planning import Kept, plan_from
from tests.make_tiny_network import make_tiny_network


class Page:
    """A detector that knows where the lines are, and sees of each what lies in the region."""

    def __init__(self, lines: Sequence[Box]) -> None:
        self.lines = lines
        self.regions: list[Box] = []

    def detect(self, pixels: NDArray[np.uint8], region: Box) -> list[Detection]:
        self.regions.append(region)
        seen = [line for line in self.lines if line.overlap(region) > 0]
        cut = [
            Box(
                max(b.left, region.left),
                max(b.top, region.top),
                min(b.right, region.right),
                min(b.bottom, region.bottom),
            )
            for b in seen
        ]
        return [Detection(b, "text", 0.9, "whole" if b in self.lines else "cut") for b in cut]


PIXELS = np.zeros((100, 100, 3), np.uint8)


def test_regions_lie_round_what_is_bright_and_do_not_overlap() -> None:
    values = np.zeros((68, 68), np.float32)
    values[10:14, 10:14] = 1
    values[10:12, 18:20] = 0.5  # so near that the grown boxes meet
    values[50:53, 40:60] = 0.6
    values[60, 2] = 0.1  # dull
    regions = salient_regions(HeatMap(values), Size(900, 600))
    assert len(regions) == 2
    assert salient_regions(HeatMap(values), Size(400, 300)) == [Box.whole()]
    assert regions[0].overlap(regions[1]) == 0
    assert regions[0].contains(Box(10 / 68, 10 / 68, 20 / 68, 14 / 68)) or regions[1].contains(
        Box(10 / 68, 10 / 68, 20 / 68, 14 / 68)
    )


def test_a_line_that_a_region_cuts_is_read_whole_and_once() -> None:
    page = Page([Box(0.1, 0.1, 0.6, 0.2), Box(0.7, 0.8, 0.9, 0.9)])
    found = read(PIXELS, [Box(0.05, 0.05, 0.5, 0.4)], page, rest=False)
    assert [d.text for d in found] == ["whole"]
    assert len(page.regions) == 2
    everything = read(PIXELS, [Box(0.05, 0.05, 0.5, 0.4)], page, rest=True)
    assert [d.text for d in everything] == ["whole", "whole"]


@pytest.mark.usefixtures("own_registries")
def test_detectors_enter_by_one_door() -> None:
    page = Page([Box(0.0, 0.4, 0.2, 0.6)])
    with pytest.raises(InvalidValueError, match="expected a detector among text"):
        load_detector("page")
    register_detector("page", lambda: page)
    assert load_detector("page") is page
    assert "page" in known_detectors()
    several: list[Kept] = ["page", ["page"], ["page", Box(0.0, 0.4, 0.1, 0.5)]]
    for must_keep in several:
        plan = eyefirst.plan_crops(np.zeros((100, 300, 3), np.uint8), "1:1", must_keep=must_keep)
        assert Box(0.0, 0.4, 0.2, 0.6) in plan.options.must_keep
        assert plan.frames["1:1"][0].box.left == 0
        assert eyefirst.CropPlan.from_dict(plan.to_dict()).options == plan.options


@pytest.mark.usefixtures("own_registries")
def test_a_reader_is_asked_only_where_the_network_has_no_map_of_text(
    tiny_network: OnnxNetwork, tmp_path: Path, red_square: NDArray[np.uint8]
) -> None:
    page = Page([Box(0.1, 0.1, 0.5, 0.2)])
    register_detector("text", lambda: page)
    options = FramingOptions(prefer="text")
    known = OnnxNetwork(make_tiny_network(tmp_path / "text.onnx", text=True))
    plan_from(ImageRequestHandler(red_square, network=known), "1:1", options=options)
    assert page.regions == []
    plan_from(ImageRequestHandler(red_square, network=tiny_network), "1:1", options=options)
    assert page.regions


@pytest.mark.usefixtures("own_registries")
def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(MissingExtraError, match=r"eyefirst\[text\]; in a clone: pip install '\.\[text\]'"):
        ImageRequestHandler(PIXELS).perform([TextRecognitionRequest()])


# --- the real reader


@pytest.fixture(scope="module")
def sign() -> PillowImage.Image:
    """A sign in front of nothing."""
    pytest.importorskip("rapidocr", reason="rapidocr comes with the extra 'text'")
    picture = PillowImage.new("RGB", (900, 600), "#b7c4cc")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((480, 120, 840, 260), fill="#b3261e")
    draw.text((510, 150), "Bakery", fill="white", font=ImageFont.load_default(76))
    return picture


def test_the_sign_is_read_in_place(sign: PillowImage.Image) -> None:
    seen = ImageRequestHandler(sign).perform([TextRecognitionRequest()])[0]
    assert [t.text for t in seen.texts] == ["Bakery"]
    (text,) = seen.texts
    assert text.box.iou(Box(505 / 900, 155 / 600, 790 / 900, 240 / 600)) > 0.6
    assert text.saliency > 1.5
    assert text.confidence > 0.8
    assert len(text.corners) == 4
    part = ImageRequestHandler(sign).perform([TextRecognitionRequest(region_of_interest=Box(0.4, 0, 1, 1))])[0]
    assert [t.text for t in part.texts] == ["Bakery"]
    assert part.texts[0].box.iou(text.box) > 0.7


def test_the_network_sees_where_the_sign_is(sign: PillowImage.Image) -> None:
    (seen,) = ImageRequestHandler(sign).perform([TextRectanglesRequest()])
    (block,) = seen.salient_objects
    assert block.box.contains(Box(510 / 900, 160 / 600, 790 / 900, 240 / 600))
    assert block.box.iou(Box(480 / 900, 120 / 600, 840 / 900, 260 / 600)) > 0.6, "it is about the board"


def test_a_crop_keeps_the_text_whole(sign: PillowImage.Image, tmp_path: Path) -> None:
    plan = eyefirst.plan_crops(sign, "1:1", must_keep="text")
    (kept,) = plan.options.must_keep
    assert plan.frames["1:1"][0].box.normalized(plan.size).contains(kept)


def test_nothing_is_written_on_a_wall(sign: PillowImage.Image) -> None:
    wall = PillowImage.new("RGB", sign.size, "#b7c4cc")
    seen = ImageRequestHandler(wall).perform([TextRecognitionRequest(rest=True)])[0]
    assert seen.texts == ()
    assert seen.to_dict()["texts"] == []


def test_lines_that_are_not_sure_are_said(tmp_path: Path, own_registries: None) -> None:
    class Reader:
        def detect(self, pixels: NDArray[np.uint8], region: Box) -> list[Detection]:
            return [
                Detection(Box(0.1, 0.1, 0.5, 0.2), "text", 0.95, "EXIT"),
                Detection(Box(0.1, 0.5, 0.5, 0.6), "text", 0.6, "gieRM1"),
            ]

    register_detector("text", Reader)
    PillowImage.new("RGB", (90, 60), "grey").save(tmp_path / "sign.png")

    def run(*words: str) -> tuple[str, str]:
        ran = CliRunner().invoke(app, ["text", str(tmp_path / "sign.png"), *words], prog_name="eyefirst")
        assert ran.exit_code == 0
        return ran.stdout, ran.stderr

    out, said = run()
    assert "0.95  EXIT" in out
    assert "0.60? gieRM1" in out
    assert "1 line is unsure" in said
    out, said = run("--confidence", "0.8")
    assert "EXIT" in out
    assert "gieRM1" not in out
    assert not said
