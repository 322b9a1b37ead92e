from __future__ import annotations

import errno
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from typer.testing import CliRunner

import eyefirst
from eyefirst.albums.journal import AlbumRow
from eyefirst.albums.plans import doubtful_crops, plan_album
from eyefirst.albums.walk import Task, find_pictures
from eyefirst.albums.watch import watched
from eyefirst.cli import app
from eyefirst.detectors import Detection, register_detector
from eyefirst.errors import EyefirstError, InvalidValueError, OutputError
from eyefirst.geometry import AspectRatio, Box
from eyefirst.image import load_picture
from eyefirst.plan import CropPlan
from eyefirst.tools.crop import render_plan
from eyefirst.tools.planning import PlanOrder, plan_crops

SETTINGS = PlanOrder(ratios=(AspectRatio.parse("1:1"), AspectRatio.parse("16:9")))


@pytest.fixture
def album(tmp_path: Path, photo_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    photo = load_picture(photo_path)
    photo.save(folder / "a.jpg")
    photo.transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT).save(folder / "b.jpg")
    (folder / "bad.jpg").write_bytes(b"not a picture")
    return folder


def test_plans_are_lines_and_what_plan_crops_says(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "plans.jsonl"
    rows = list(plan_album(find_pictures([album]), out, SETTINGS, workers=2))
    assert [r.status for r in rows] == ["made", "made", "failed"]
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert "error" in lines[2]
    plan = CropPlan.from_dict(lines[0])
    assert plan.to_dict() == plan_crops(str(album / "a.jpg"), ["1:1", "16:9"]).to_dict()
    assert render_plan(plan, album / "a.jpg")["1:1"][0].width > 0


def test_a_second_run_plans_only_what_changed(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "plans.jsonl"
    list(plan_album(find_pictures([album]), out, SETTINGS))
    before = out.read_text().splitlines()
    PillowImage.new("RGB", (90, 60), "teal").save(album / "b.jpg")
    rows = list(plan_album(find_pictures([album]), out, SETTINGS))
    assert [r.status for r in rows] == ["kept", "made", "failed"]
    after = out.read_text().splitlines()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_all_commands_keep_what_detectors_find(
    album: Path, monkeypatch: pytest.MonkeyPatch, own_registries: None
) -> None:
    """A detector's finds, named in the options, frame alike in `crop`, `plan` and `thumbnails`."""
    monkeypatch.chdir(album)
    corner = Detection(Box(0.9, 0.05, 0.98, 0.2), "corner", 1.0)

    class Corner:
        def detect(self, pixels: NDArray[np.uint8], region: Box) -> list[Detection]:
            return [corner]

    register_detector("corner", Corner)
    options = ("-a", "9:16", "--must-keep", "corner", "--must-keep", "faces", "--avoid", "0,0.9,1,1")

    def run(*words: str) -> list[dict[str, Any]]:
        ran = CliRunner().invoke(app, [*words, *options], prog_name="eyefirst")
        assert ran.exit_code == 0, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]

    (plain,) = run("crop", "a.jpg", "--json")
    (planned,) = run("plan", "a.jpg", "-o", "plans.jsonl", "--jsonl")
    (made,) = run("thumbnails", "a.jpg", "-o", "out", "-w", "90", "--jsonl")
    assert plain["options"]["must_keep"][0] == corner.box.to_dict()
    assert plain["frames"] == planned["plan"]["frames"] == made["plan"]["frames"]
    assert plain["options"] == planned["plan"]["options"] == made["plan"]["options"]
    frame = eyefirst.CropPlan.from_dict(plain).frames["9:16"][0]
    assert frame.box.normalized(eyefirst.load_image("a.jpg").size).contains(corner.box)


def test_stopping_leaves_the_former_file_and_no_other(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "plans.jsonl"
    former = '{"error": {}, "picture": "former.jpg"}\n'
    out.write_text(former)
    rows = plan_album(find_pictures([album]), out, SETTINGS, workers=1)
    next(rows)
    rows.close()
    assert out.read_text() == former
    assert not list(tmp_path.glob(".*part"))
    assert next(plan_album(find_pictures([album]), out, SETTINGS)).status == "kept"


def test_bad_settings_and_places_are_refused(album: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError):
        PlanOrder(ratios=())
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        list(plan_album(find_pictures([album]), tmp_path / "file" / "plans.jsonl", SETTINGS))


def test_a_watched_folder_gives_what_is_there_and_what_comes(album: Path, photo_path: Path) -> None:
    rounds: list[list[Task]] = []

    def watch() -> None:
        for tasks in watched([album], outside=album / "thumbs"):
            rounds.append(tasks)
            if len(rounds) == 2:
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not rounds and time.monotonic() < deadline:
        time.sleep(0.05)
    (album / "notes.txt").write_text("no picture")
    (album / "thumbs").mkdir()
    (album / "thumbs" / "x.jpg").write_bytes(photo_path.read_bytes())
    (album / "new.jpg").write_bytes(photo_path.read_bytes())
    thread.join(20)
    assert [Path(t.source).name for t in rounds[0]] == ["a.jpg", "b.jpg", "bad.jpg"]
    assert [t.target for t in rounds[1]] == ["new"]


def test_only_folders_are_watched(photo_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="folders"):
        next(watched([photo_path]))


def test_folders_that_the_system_does_not_watch_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Iterator[object]:
        raise OSError(errno.ENOSPC, "OS file watch limit reached")
        yield

    monkeypatch.setattr("watchfiles.watch", refuse)
    monkeypatch.setattr("eyefirst.albums.watch.POLL_MS", 1)
    with pytest.raises(EyefirstError, match="watch limit reached"):
        next(watched([tmp_path]))


def test_doubtful_crops_are_those_with_warnings(album: Path) -> None:
    plan = plan_crops(str(album / "a.jpg"), ["1:1", "16:9"]).to_dict()
    plan["frames"]["1:1"][0] |= {"severity": 0.7, "warnings": ["a face is cut at the left edge"]}
    plan["frames"]["16:9"][0] |= {"severity": 0.0, "warnings": []}
    (crop,) = doubtful_crops(AlbumRow(picture="a.jpg", status="made", plan=plan))
    assert str(crop) == "0.70  a.jpg  1:1  a face is cut at the left edge"
    assert doubtful_crops(AlbumRow(picture="bad.jpg", status="failed")) == []
