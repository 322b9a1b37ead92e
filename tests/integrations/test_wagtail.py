"""A real Wagtail site, in a process of its own: tests/integrations/wagtail_site.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

pytest.importorskip("wagtail", reason="needs the extra [wagtail]: `make test-stacks` brings it")

ROOT = Path(__file__).parents[2]
FACES = {"right": (880, 590), "turned": (20, 20), "by hand": (880, 20), "uploaded": (40, 500)}
"""Left and top of the face in the upright picture; it is 300 pixels wide and high."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wagtail")


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Any]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tests.integrations.wagtail_site", str(folder)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert "no focal point" not in ran.stderr
    return found


def on_the_face(title: str, point: list[int]) -> bool:
    """Whether a focal area (x, y of its middle, width, height) lies on the face."""
    (left, top), (x, y, width, height) = FACES[title], point
    across = left <= x - width / 2 and x + width / 2 <= left + 300
    return across and top <= y - height / 2 and y + height / 2 <= top + 300


def test_missing_points_are_filled_where_people_look(seen: dict[str, Any]) -> None:
    assert on_the_face("right", seen["after"]["right"])
    assert on_the_face("turned", seen["after"]["turned"])  # in pixels of the upright picture, as Wagtail cuts them
    assert seen["after"]["by hand"] == [300, 300, 50, 50]
    assert "filled 1 'right'" in seen["filled"]["out"][0]
    assert seen["filled"]["out"][-1] == "2 filled, 2 failed, 1 left out"


def test_a_bad_file_is_a_row_and_the_command_ends_with_an_error(seen: dict[str, Any]) -> None:
    broken, gone = seen["filled"]["err"]
    assert "failed 4 'broken'" in broken
    assert "ends early" in broken
    assert "failed 5 'gone'" in gone
    assert "upload it again" in gone
    assert seen["filled"]["failed"] == "2 of 5 pictures failed"
    assert seen["after"]["broken"] == [None] * 4
    assert seen["again"] == {"out": ["1/1 left out 6 'drawing': a drawing, not a photo", "1 left out"]} | WELL


WELL: dict[str, Any] = {"err": [], "failed": ""}


def test_a_dry_run_finds_the_same_and_stores_nothing(seen: dict[str, Any]) -> None:
    assert all(point == [None] * 4 for title, point in seen["after dry"].items() if title != "by hand")
    assert [line.replace("found", "filled") for line in seen["dry"]["out"]] == seen["filled"]["out"]


def test_all_replaces_what_was_set_by_hand(seen: dict[str, Any]) -> None:
    assert on_the_face("by hand", seen["after all"]["by hand"])
    assert seen["after all"]["right"] == seen["after"]["right"]
    assert seen["quiet"] == {"out": []} | WELL


def test_uploads_are_filled_once_the_setting_says_so(seen: dict[str, Any]) -> None:
    assert seen["uploads"]["before"] == [None] * 4
    assert on_the_face("uploaded", seen["uploads"]["uploaded"])
    assert seen["uploads"]["chosen"] == [77] * 4
    assert seen["uploads"]["drawing 2"] == [None] * 4


def test_a_replaced_file_gets_a_new_point_unless_an_editor_set_it(seen: dict[str, Any]) -> None:
    assert on_the_face("by hand", seen["replaced"]["replaced"])  # the same wall
    assert seen["replaced"]["replaced by hand"][:2] == [300, 301]


def test_what_an_editor_sets_meanwhile_stays(seen: dict[str, Any]) -> None:
    assert seen["race"] == [False, [5, 5, 5, 5]]


@pytest.mark.parametrize("title", ["right", "turned"])
@pytest.mark.parametrize("spec", ["fill-300x900", "fill-900x300", "fill-200x200-c100"])
@pytest.mark.usefixtures("seen")
def test_renditions_hold_the_face(folder: Path, title: str, spec: str) -> None:
    """Without a focal point `fill-300x900` shows a bare wall."""
    assert detail(folder / "plain.jpg") < 2
    assert detail(folder / f"{title}_{spec}.jpg") > 15


def detail(path: Path) -> float:
    """How much the pixels of a picture differ: next to nothing on a plain wall."""
    return float(np.asarray(PillowImage.open(path).convert("L"), np.float32).std())
