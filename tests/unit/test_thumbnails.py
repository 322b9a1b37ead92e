from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import _imaging
from typer.testing import CliRunner

from eyefirst.albums.journal import AlbumRow
from eyefirst.albums.thumbnails import ThumbnailSettings, cut_one, make_one, make_thumbnails
from eyefirst.albums.walk import find_pictures
from eyefirst.cli import app
from eyefirst.cli.batch import show_rows
from eyefirst.errors import InvalidValueError, OutputError
from eyefirst.files.ledger import LEDGER
from eyefirst.framing import FramingOptions
from eyefirst.geometry import Box, Size
from eyefirst.image import load_animation, load_picture

TWO_SIZES = ThumbnailSettings(sizes=(Size(64, 64), Size(96, 40)), format="webp")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Six pictures in two folders, one of which is broken."""
    folder = tmp_path / "album"
    (folder / "sub").mkdir(parents=True)
    random = np.random.default_rng(0)
    for i in range(5):
        pixels = random.integers(0, 255, (30, 40, 3), np.uint8)
        picture = PillowImage.fromarray(pixels).resize((800, 600))
        picture.save(folder / ("sub" if i > 2 else ".") / f"p{i}.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def run(album: Path, out: Path, settings: ThumbnailSettings = TWO_SIZES) -> list[AlbumRow]:
    return list(make_thumbnails(find_pictures([album]), out, settings, workers=2))


def test_every_picture_is_a_row_and_every_size_a_file(album: Path, tmp_path: Path) -> None:
    rows = run(album, tmp_path / "out")
    assert [r.status for r in rows] == ["failed", "made", "made", "made", "made", "made"]
    assert rows[0].error is not None
    assert "broken.jpg" in rows[0].error["source"]
    made = [r for r in rows if r.status == "made"]
    for row in made:
        sizes = [load_picture(f).size for f in row.files]
        assert sizes == [(64, 64), (96, 40)]
        assert row.plan is not None
        assert row.plan["picture"]["name"] == row.picture
    assert (tmp_path / "out" / "sub" / "p3_64x64.webp").exists()
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_second_run_does_only_what_is_missing_or_changed(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = {r.picture: r for r in run(album, out)}
    os.unlink(out / "p0_64x64.webp")
    PillowImage.new("RGB", (300, 200), "teal").save(album / "p1.jpg")
    os.utime(album / "p2.jpg", (1, 1))  # touched, not changed
    second = {Path(r.picture).name: r for r in run(album, out)}
    assert {name: r.status for name, r in second.items()} == {
        "broken.jpg": "failed",
        "p0.jpg": "made",
        "p1.jpg": "made",
        "p2.jpg": "kept",
        "p3.jpg": "kept",
        "p4.jpg": "kept",
    }
    assert second["p3.jpg"].plan == first[str(album / "sub" / "p3.jpg")].plan
    other = ThumbnailSettings(sizes=TWO_SIZES.sizes, format="webp", quality=50)
    assert [r.status for r in run(album, out, other)].count("made") == 5


def test_the_folder_of_the_thumbnails_is_no_source(album: Path) -> None:
    out = album / "thumbs"
    first = [r.status for r in make_thumbnails(find_pictures([album], outside=out), out, TWO_SIZES)]
    again = [r.status for r in make_thumbnails(find_pictures([album], outside=out), out, TWO_SIZES)]
    assert first.count("made") == again.count("kept") == 5
    assert len(again) == 6
    assert find_pictures([out], outside=out) == []  # own results are no input


def test_animations_stay_animations_where_the_format_can(tmp_path: Path) -> None:
    frames = [PillowImage.new("RGB", (60, 40), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=2)
    for format, count in (("webp", 3), ("gif", 3), ("jpg", 1)):
        settings = ThumbnailSettings(sizes=(Size(20, 20),), format=format)
        (path,), _ = make_one(str(tmp_path / "a.gif"), tmp_path / "out", settings)
        made = load_animation(path)
        assert len(made.frames) == count
        assert {f.size for f in made.frames} == {(20, 20)}
        if count == 3:
            assert made.durations_ms == (100, 200, 300)
            assert made.plays == 3  # a GIF counts the repeats
    said: list[str] = []
    cut_one(str(tmp_path / "a.gif"), ThumbnailSettings(sizes=(Size(20, 20),)), say=said.append)
    assert said == ["JPEG holds no animation, so the first of 3 frames is kept"]


def test_names_never_collide(tmp_path: Path) -> None:
    names = ["a.jpg", "a.png", "A.webp", "b.jpg", "a-jpg.gif"]
    for name in names:
        (tmp_path / name).touch()
    targets = [t.target for t in find_pictures([tmp_path])]
    assert len({t.casefold() for t in targets}) == len(names)
    assert "b" in targets
    again = [t.target for t in find_pictures([tmp_path / "a.png", tmp_path / "a.jpg", tmp_path / "a.png"])]
    assert again == ["a-png", "a-jpg"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name in (".git/x.jpg", ".y.jpg", "z.jpg"):
        (tmp_path / name).touch()
    assert [t.target for t in find_pictures([tmp_path])] == ["z"]


def test_closing_the_rows_stops_and_loses_nothing(album: Path, tmp_path: Path) -> None:
    rows = make_thumbnails(find_pictures([album]), tmp_path / "out", TWO_SIZES, workers=1)
    next(rows)
    next(rows)
    rows.close()
    assert not list((tmp_path / "out").rglob("*.part"))
    assert {r.status for r in run(album, tmp_path / "out")} == {"failed", "made", "kept"}


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_memory_of_pixels_is_kept_while_an_album_is_worked_on(album: Path, tmp_path: Path) -> None:
    before = _imaging.get_blocks_max()
    one, other = (make_thumbnails(find_pictures([album]), tmp_path / n, TWO_SIZES, workers=2) for n in "ab")
    next(one), next(other)
    assert _imaging.get_blocks_max() == before + 8
    one.close()
    assert _imaging.get_blocks_max() == before + 4
    other.close()
    assert _imaging.get_blocks_max() == before


def test_kill_9_leaves_no_half_file(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for i in range(30):
        (album / f"more{i}.jpg").write_bytes((album / "p0.jpg").read_bytes())
    command = [sys.executable, "-m", "eyefirst", "thumbnails", str(album), "-o", str(out), "-s", "64x64"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while len(list(out.glob("*.jpg"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for path in out.rglob("*.jpg"):
        if not path.name.startswith("."):
            load_picture(path)
    settings = ThumbnailSettings(sizes=(Size(64, 64),))
    statuses = [r.status for r in run(album, out, settings)]
    assert statuses.count("failed") == 1
    assert statuses.count("made") + statuses.count("kept") == 35


def test_a_tight_frame_gets_all_the_pixels_there_are(photo_path: Path, tmp_path: Path) -> None:
    big = tmp_path / "big.jpg"
    load_picture(photo_path).resize((4096, 4096)).save(big)
    keep = (Box(0.4, 0.1, 0.5, 0.2),)
    settings = ThumbnailSettings(
        sizes=(Size(400, 400),), format="png", options=FramingOptions(tightness=1, must_keep=keep)
    )
    (path,), plan = make_one(big, tmp_path / "t", settings)
    box = plan.frames["1:1"][0].box
    assert box.width < 600
    expected = load_picture(big).crop((box.left, box.top, box.right, box.bottom)).resize((400, 400))
    difference = np.abs(np.asarray(load_picture(path), np.int16) - np.asarray(expected, np.int16))
    assert difference.mean() < 3


@pytest.mark.parametrize("bad", [{"sizes": ()}, {"sizes": (Size(1, 1),), "format": "psd"}])
def test_settings_are_checked_when_made(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidValueError):
        ThumbnailSettings(**bad)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_used_is_one_clear_error(album: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be"):
        list(make_thumbnails(find_pictures([album]), tmp_path / "file", TWO_SIZES))


def test_the_journal_lies_beside_the_thumbnails(album: Path, tmp_path: Path) -> None:
    run(album, tmp_path / "out")
    assert (tmp_path / "out" / LEDGER).exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--margin", "0.1"],
        ["--backdrop", "white"],
        ["--product", "--tightness", "0.5"],
        ["--product", "--pad", "blur"],
        ["--product", "--prefer", "faces"],
        ["--product", "--must-keep", "0,0,1,1"],
        ["--product", "--backdrop", "transparent", "--format", "jpg"],
        ["--ratio", "1:1"],
        ["--width", "100"],
        ["--jsonl", "--csv"],
        ["--format", "png", "--quality", "50"],
        ["--watch", "--prune"],
        ["--name", "{stem}.jpg"],
    ],
)
def test_options_without_effect_are_refused(options: list[str], album: Path, tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["thumbnails", str(album), "-o", str(tmp_path / "out"), "-s", "20x20", *options])
    assert ran.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_rows_come_as_a_table(album: Path, tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["thumbnails", str(album), "-o", str(tmp_path / "out"), "-s", "20x20", "--csv"])
    head, *rows = csv.reader(ran.stdout.splitlines())
    assert head[:4] == ["picture", "status", "seconds", "files"]
    assert [row[1] for row in rows] == ["failed", "made", "made", "made", "made", "made"]
    assert all(Path(row[3]).exists() for row in rows[1:])


def test_a_table_has_one_head_however_often_pictures_come(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = [[task] for task in find_pictures([album])[-2:]]
    monkeypatch.setattr("eyefirst.albums.watch.watched", lambda *_, **__: iter(batches))
    words = ["thumbnails", str(album), "-o", str(tmp_path / "out"), "-s", "20x20", "--csv", "--watch"]
    _, *rows = csv.reader(CliRunner().invoke(app, words).stdout.splitlines())
    assert [row[1] for row in rows] == ["made", "made"]


def test_a_crop_that_is_enlarged_is_said() -> None:
    said: list[str] = []
    settings = ThumbnailSettings(sizes=(Size(60, 60), Size(33, 33)))
    cut_one(PillowImage.effect_noise((40, 30), 40).convert("RGB"), settings, say=said.append)
    assert said == ["60x60: the crop is enlarged 2.0 times, so it looks soft"]


@pytest.mark.parametrize("framed", [True, False])
def test_a_table_repeats_warnings_of_frames_only_where_results_show_them(
    capsys: pytest.CaptureFixture[str], *, framed: bool
) -> None:
    plan = {"frames": {"1:1": [{"warnings": ["a face is cut at the top edge"]}]}}
    rows = (row for row in [AlbumRow("a.jpg", "made", ("a_20x20.jpg",), plan, warnings=("enlarged",))])
    show_rows(rows, 1, "thumbnails", jsonl=False, csv=True, framed=framed)
    head, row = csv.reader(capsys.readouterr().out.splitlines())
    expected = "enlarged; 1:1: a face is cut at the top edge" if framed else "enlarged"
    assert row[head.index("warnings")] == expected


def test_help_shows_no_escapes() -> None:
    assert "\\b" not in CliRunner().invoke(app, ["thumbnails", "--help"]).stdout
