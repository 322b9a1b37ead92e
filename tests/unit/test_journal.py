"""The journal of an album, attacked: what it says is there, and the second run ends as one undisturbed run does."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image as PillowImage

from eyefirst.albums import prune
from eyefirst.albums.journal import AlbumRow
from eyefirst.albums.manifest import write_manifest
from eyefirst.albums.plans import plan_album
from eyefirst.albums.prune import prune_results
from eyefirst.albums.thumbnails import ThumbnailSettings, make_thumbnails, sizes_of
from eyefirst.albums.walk import find_pictures
from eyefirst.albums.watch import watched
from eyefirst.errors import InvalidValueError, OutputError, PictureNotFoundError
from eyefirst.files.ledger import LEDGER, Ledger, Stamp
from eyefirst.files.whole import Part
from eyefirst.geometry import AspectRatio, Size
from eyefirst.image import load_picture
from eyefirst.tools.planning import PlanOrder

SMALL = ThumbnailSettings(sizes=(Size(32, 32), Size(48, 24)), format="png")
RED, BLUE = (200, 30, 30), (30, 30, 200)


def photo(path: Path, colour: tuple[int, int, int], seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 40, (60, 80, 3), np.uint8)
    PillowImage.fromarray(noise + np.array(colour, np.uint8)).save(path)
    return path


def run(album: Path, out: Path, settings: ThumbnailSettings = SMALL, *, overwrite: bool = False) -> list[AlbumRow]:
    tasks = find_pictures([album], outside=out)
    return list(make_thumbnails(tasks, out, settings, workers=2, overwrite=overwrite))


def statuses(rows: list[AlbumRow]) -> list[str]:
    return [row.status for row in rows]


def colour_of(path: str | Path) -> str:
    red, _, blue = np.asarray(load_picture(path)).mean((0, 1))
    return "red" if red > blue else "blue"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the ledger's, by its name below the folder."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(LEDGER))
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


# --- a target is what its row says


def test_two_albums_with_one_name_do_not_take_each_other_s_files(tmp_path: Path) -> None:
    photo(tmp_path / "cam1" / "IMG_1.jpg", RED)
    photo(tmp_path / "cam2" / "IMG_1.jpg", BLUE)
    for _ in range(2):
        for camera, colour in (("cam1", "red"), ("cam2", "blue")):
            (row,) = run(tmp_path / camera, tmp_path / "t")
            assert {colour_of(f) for f in row.files} == {colour}
    assert len(list((tmp_path / "t").glob("*.png"))) == 4


def test_options_that_change_and_change_back_are_followed(tmp_path: Path) -> None:
    photo(tmp_path / "a" / "p.jpg", RED)
    low, high = (ThumbnailSettings(sizes=(Size(32, 32),), quality=q) for q in (20, 90))
    (first,) = run(tmp_path / "a", tmp_path / "t", low)
    small = Path(first.files[0]).read_bytes()
    assert statuses(run(tmp_path / "a", tmp_path / "t", high)) == ["made"]
    assert statuses(run(tmp_path / "a", tmp_path / "t", low)) == ["made"]
    assert Path(first.files[0]).read_bytes() == small
    assert statuses(run(tmp_path / "a", tmp_path / "t", low)) == ["kept"]


@pytest.mark.parametrize("harm", ["emptied", "removed", "moved away and back"])
def test_a_thumbnail_that_is_harmed_is_made_anew(tmp_path: Path, harm: str) -> None:
    photo(tmp_path / "a" / "p.jpg", RED)
    (row,) = run(tmp_path / "a", tmp_path / "t")
    target = Path(row.files[1])
    before = target.read_bytes()
    if harm == "emptied":
        target.write_bytes(b"")
    elif harm == "removed":
        target.unlink()
    else:
        shutil.copy(target, tmp_path / "x")
        shutil.move(tmp_path / "x", target)
    assert statuses(run(tmp_path / "a", tmp_path / "t")) == ["kept" if harm.startswith("moved") else "made"]
    assert target.read_bytes() == before


def test_a_picture_replaced_by_one_of_the_same_length_and_time_is_found_out(tmp_path: Path) -> None:
    path = photo(tmp_path / "a" / "p.bmp", RED)
    run(tmp_path / "a", tmp_path / "t")
    status = os.stat(path)
    photo(path, BLUE)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    (row,) = run(tmp_path / "a", tmp_path / "t")
    assert row.status == "made"
    assert colour_of(row.files[0]) == "blue"


def test_a_row_of_another_run_s_files_is_not_kept(tmp_path: Path) -> None:
    """Another process wrote the files of a target after the row was noted."""
    photo(tmp_path / "a" / "p.jpg", RED)
    (row,) = run(tmp_path / "a", tmp_path / "t")
    ledger = Ledger(tmp_path / "t")
    ledger.write(Path(row.files[0]), b"what another process made with other options")
    ledger.close()
    assert statuses(run(tmp_path / "a", tmp_path / "t")) == ["made"]
    load_picture(row.files[0])


# --- what is not ours


def test_what_the_user_has_is_never_replaced_unasked(tmp_path: Path) -> None:
    photo(tmp_path / "own" / "p.jpg", RED)
    theirs = photo(tmp_path / "own" / "p_32x32.png", BLUE).read_bytes()
    for _ in range(2):
        rows = {Path(r.picture).name: r for r in run(tmp_path / "own", tmp_path / "own")}
        assert rows["p.jpg"].status == "failed"
        assert "--overwrite" in (rows["p.jpg"].error or {})["remedy"]
        assert (tmp_path / "own" / "p_32x32.png").read_bytes() == theirs
        assert not (tmp_path / "own" / "p_48x24.png").exists(), "nothing is made where not all can be"
    alone = find_pictures([tmp_path / "own" / "p.jpg"])
    assert statuses(list(make_thumbnails(alone, tmp_path / "own", SMALL, overwrite=True))) == ["made"]


def test_own_results_are_no_input_wherever_they_lie(tmp_path: Path) -> None:
    album = tmp_path / "al"
    photo(album / "p.jpg", RED)
    photo(album / "sub" / "q.jpg", BLUE)
    for out in (album, album / "thumbs", album / "other" / "deep"):
        for _ in range(2):
            assert sorted(Path(r.picture).name for r in run(album, out)) == ["p.jpg", "q.jpg"]
    shutil.copytree(album, tmp_path / "copied")
    assert len(find_pictures([tmp_path / "copied"])) == 2, "a copy of the album has the results in it too"


@pytest.mark.parametrize("name", ["x.jpg", "cat.png", "plans", "plans.txt", "plans.csv"])
def test_plans_go_to_json_alone(tmp_path: Path, name: str) -> None:
    photo(tmp_path / "cat.jpg", RED)
    with pytest.raises(InvalidValueError, match=r"\.jsonl"):
        list(plan_album(find_pictures([tmp_path]), tmp_path / name, PlanOrder(ratios=(AspectRatio.parse("1:1"),))))


def test_a_file_of_another_kind_is_never_replaced_by_plans(tmp_path: Path) -> None:
    photo(tmp_path / "cat.jpg", RED)
    settings = PlanOrder(ratios=(AspectRatio.parse("1:1"),))
    out = tmp_path / "package.json"
    for theirs in ('{"name": "my shop"}', "[1, 2]", "words", '{\n  "picture": 1\n}'):
        out.write_text(theirs)
        with pytest.raises(OutputError, match="something else than plans"):
            list(plan_album(find_pictures([tmp_path]), out, settings))
        assert out.read_text() == theirs
    list(plan_album(find_pictures([tmp_path]), out, settings, overwrite=True))
    assert statuses(list(plan_album(find_pictures([tmp_path]), out, settings))) == ["kept"]
    assert "frames" in json.loads(out.read_text())


def test_two_files_of_plans_in_one_folder_have_their_own_rows(tmp_path: Path) -> None:
    photo(tmp_path / "cat.jpg", RED)
    wide, square = (PlanOrder(ratios=(AspectRatio.parse(r),)) for r in ("16:9", "1:1"))
    for status in ("made", "kept"):
        for name, settings in (("wide.jsonl", wide), ("square.jsonl", square)):
            rows = list(plan_album(find_pictures([tmp_path]), tmp_path / name, settings))
            assert statuses(rows) == [status]
    assert [p.name for p in tmp_path.glob("*.sqlite")] == [LEDGER]


# --- names


def odd_names() -> Iterator[tuple[str, bytes]]:
    yield "not UTF-8", b"caf\xe9.jpg"
    yield "a line break", b"two\nlines.jpg"
    yield "quotes", b'it\'s "so" <b>.jpg'
    yield "only odd bytes", b"\xff\xfe.jpg"
    yield "as long as can be", b"a" * 251 + b".jpg"
    yield "long, of two bytes a letter", "\u0436".encode() * 125 + b".jpg"


@pytest.mark.parametrize("name", [pytest.param(n, id=i) for i, n in odd_names()])
def test_an_odd_name_is_a_row_like_any_other(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "a").mkdir()
    good = photo(tmp_path / "a" / "good.jpg", RED)
    try:
        shutil.copy(good, tmp_path / "a" / os.fsdecode(name))
    except OSError:
        pytest.skip("this file system wants names to be text")
    for status in ("made", "kept"):
        rows = run(tmp_path / "a", tmp_path / "t")
        assert statuses(rows) == [status, status]
        for row in rows:
            json.dumps(row.to_dict()).encode("ascii")
            assert all(map(os.path.exists, row.files))
        plans = plan_album(
            find_pictures([tmp_path / "a"]), tmp_path / "p.jsonl", PlanOrder(ratios=(AspectRatio.parse("1:1"),))
        )
        assert statuses(list(plans)) == [status, status]
        assert len((tmp_path / "p.jsonl").read_bytes().splitlines()) == 2


def test_a_name_stays_when_a_neighbour_comes_and_goes(tmp_path: Path) -> None:
    photo(tmp_path / "a" / "x.jpg", RED)
    (alone,) = run(tmp_path / "a", tmp_path / "t")
    photo(tmp_path / "a" / "x.png", BLUE)
    first, second = run(tmp_path / "a", tmp_path / "t")
    assert (first.status, first.files) == ("kept", alone.files)
    assert {colour_of(f) for f in second.files} == {"blue"}
    (tmp_path / "a" / "x.jpg").unlink()
    (row,) = run(tmp_path / "a", tmp_path / "t")
    assert (row.status, row.files) == ("kept", second.files)
    photo(tmp_path / "a" / "x.webp", RED)
    _, third = run(tmp_path / "a", tmp_path / "t")
    assert {colour_of(f) for f in third.files} == {"red"}


def test_names_that_some_file_system_takes_for_one_are_told_apart(tmp_path: Path) -> None:
    for number, name in enumerate(["\u00e9.jpg", "e\u0301.jpg", "E\u0301.jpg", "\u00c9.png", "\ufb01.jpg", "fi.jpg"]):
        photo(tmp_path / "a" / name, RED, number)
    for number in (1, 2):
        photo(tmp_path / "a" / f"{'long ' * 49}{number}.jpg", BLUE, number)
    tasks = find_pictures([tmp_path / "a"])
    made = {Path(f).name for row in run(tmp_path / "a", tmp_path / "t") for f in row.files}
    assert len(made) == 2 * len(tasks)
    assert statuses(run(tmp_path / "a", tmp_path / "t")) == ["kept"] * len(tasks)


def test_folders_with_dots_keep_their_names(tmp_path: Path) -> None:
    for name in ("2024.01/x.jpg", "2024.01/x.png", "2024.01/a.b.jpg"):
        photo(tmp_path / "a" / name, RED)
    targets = [task.target for task in find_pictures([tmp_path / "a"])]
    assert targets == [f"2024.01{os.sep}{n}" for n in ("a.b", "x-jpg", "x-png")]


# --- harm


def test_a_damaged_journal_is_one_clear_error(tmp_path: Path) -> None:
    photo(tmp_path / "a" / "p.jpg", RED)
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / LEDGER).write_bytes(b"nothing that SQLite knows, and long enough for a header" * 40)
    with pytest.raises(OutputError, match="remove this file"):
        run(tmp_path / "a", tmp_path / "t")
    (tmp_path / "t" / LEDGER).unlink()
    assert statuses(run(tmp_path / "a", tmp_path / "t")) == ["made"]


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Ledger(tmp_path / "t").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "t" / LEDGER)) as db:
        db.execute("PRAGMA user_version = 99")
    photo(tmp_path / "a" / "p.jpg", RED)
    with pytest.raises(OutputError, match="newer"):
        run(tmp_path / "a", tmp_path / "t")


def test_a_journal_of_an_older_version_is_made_anew_and_nothing_is_lost(tmp_path: Path) -> None:
    photo(tmp_path / "a" / "p.jpg", RED)
    out = tmp_path / "t"
    theirs = photo(out / "q_32x32.png", BLUE)
    ours = photo(out / "p_32x32.png", BLUE)
    with contextlib.closing(sqlite3.connect(out / LEDGER)) as db, db:
        db.execute(
            "CREATE TABLE made (source TEXT, settings TEXT, target TEXT, mtime_ns INTEGER, length INTEGER,"
            " sha256 TEXT, files TEXT, plan TEXT, PRIMARY KEY (source, settings))"
        )
        row = (str(tmp_path / "a" / "p.jpg"), "s", "p", 1, 1, "x", '["p_32x32.png", "p_48x24.png"]', "{}")
        db.execute("INSERT INTO made VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    assert statuses(run(tmp_path / "a", out)) == ["made"]
    assert colour_of(ours) == "red"
    photo(tmp_path / "a" / "q.jpg", RED)
    assert statuses(run(tmp_path / "a", out)) == ["kept", "failed"]
    assert colour_of(theirs) == "blue"


def test_an_unreadable_touched_picture_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = photo(tmp_path / "a" / "p.jpg", RED)
    photo(tmp_path / "a" / "q.jpg", BLUE)
    run(tmp_path / "a", tmp_path / "t")
    os.utime(path, (1, 1))

    def unreadable(source: str) -> str:
        raise PictureNotFoundError("cannot be read: Permission denied", remedy="check it", source=source)

    monkeypatch.setattr("eyefirst.albums.journal.fingerprint", unreadable)
    monkeypatch.setattr("eyefirst.albums.thumbnails.open_source", unreadable)
    assert statuses(run(tmp_path / "a", tmp_path / "t")) == ["failed", "kept"]


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes there")
def test_a_pipe_in_an_album_is_no_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.jpg")
    said: list[str] = []
    assert find_pictures([tmp_path], say=said.append) == []
    assert any("pipe" in text for text in said)
    (row,) = make_thumbnails(find_pictures([tmp_path / "p.jpg"]), tmp_path / "t", SMALL)
    assert "pipe" in (row.error or {})["reason"], "one that is named is a row, and is not waited for"


def test_a_folder_that_disappears_is_said_and_made_again(tmp_path: Path) -> None:
    for number in range(12):
        photo(tmp_path / "a" / f"p{number:02}.jpg", RED, number)
    run(tmp_path / "a", tmp_path / "whole")
    out = tmp_path / "t"
    rows = make_thumbnails(find_pictures([tmp_path / "a"]), out, SMALL, workers=1)
    next(rows)
    shutil.rmtree(out)
    with contextlib.suppress(OutputError):
        assert any("removed or replaced" in (row.error or {}).get("reason", "") for row in rows)
    run(tmp_path / "a", out)
    assert contents(out) == contents(tmp_path / "whole")


def test_sources_that_disappear_are_rows(tmp_path: Path) -> None:
    for number in range(4):
        photo(tmp_path / "a" / f"p{number}.jpg", RED, number)
    tasks = find_pictures([tmp_path / "a"])
    shutil.rmtree(tmp_path / "a")
    assert statuses(list(make_thumbnails(tasks, tmp_path / "t", SMALL))) == ["failed"] * 4


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    paths = [photo(tmp_path / "a" / f"p{n}.jpg", RED, n) for n in range(3)]
    run(tmp_path / "a", tmp_path / "t")
    before = contents(tmp_path / "t")
    for path, when in zip(paths, (0, 4_000_000_000, 1), strict=True):
        os.utime(path, (when, when))
    for path in (tmp_path / "t").glob("*.png"):
        os.utime(path, (4_000_000_000, 4_000_000_000))
    assert statuses(run(tmp_path / "a", tmp_path / "t")) == ["kept"] * 3
    photo(paths[0], BLUE)
    os.utime(paths[0], (1, 1))
    assert statuses(run(tmp_path / "a", tmp_path / "t")) == ["made", "kept", "kept"]
    after = contents(tmp_path / "t")
    assert [n for n in after if after[n] != before[n]] == [n for n in after if n.startswith("p0")]


# --- several at once, and killed

COMMAND = (
    "import sys; from eyefirst.albums.thumbnails import *; from eyefirst.albums.walk import find_pictures\n"
    "settings = ThumbnailSettings(sizes=('32x32', '48x24'), format='png')\n"
    "rows = make_thumbnails(find_pictures([sys.argv[1]]), sys.argv[2], settings, workers=2)\n"
    "sys.exit(any(row.status == 'failed' for row in rows))\n"
)


def started(album: Path, out: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", COMMAND, str(album), str(out)], env=environment)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for number in range(16):
        photo(tmp_path / "album" / f"sub{number % 3}" / f"p{number:02}.jpg", RED if number % 2 else BLUE, number)
    return tmp_path / "album"


def test_two_processes_share_a_folder(album: Path, tmp_path: Path) -> None:
    run(album, tmp_path / "whole")
    both = [started(album, tmp_path / "t") for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert contents(tmp_path / "t") == contents(tmp_path / "whole")
    assert set(statuses(run(album, tmp_path / "t"))) == {"kept"}


def test_two_threads_with_other_options_leave_what_the_rows_say(album: Path, tmp_path: Path) -> None:
    kinds = [ThumbnailSettings(sizes=SMALL.sizes, quality=q) for q in (15, 95)]
    threads = [threading.Thread(target=run, args=(album, tmp_path / "t", kind)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    run(album, tmp_path / "t", kinds[0])
    run(album, tmp_path / "whole", kinds[0])
    assert contents(tmp_path / "t") == contents(tmp_path / "whole")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_kills_at_any_moment_lose_nothing(album: Path, tmp_path: Path) -> None:
    run(album, tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    random = np.random.default_rng(int(os.environ.get("EYEFIRST_KILL_SEED", "1")))
    out = tmp_path / "t"
    for _ in range(int(os.environ.get("EYEFIRST_KILLS", "4"))):
        process = started(album, out)
        deadline = time.monotonic() + 20
        wanted = random.integers(0, 2 * 16)
        while process.poll() is None and time.monotonic() < deadline:
            if out.exists() and sum(1 for _ in out.rglob("*.png")) >= wanted:
                break
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if random.random() < 0.3:
            for path in list(out.rglob("p*.png"))[::3]:
                path.unlink()
    assert "failed" not in statuses(run(album, out))
    assert contents(out) == whole, "the second run removes the parts that the killed one left"


def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third write finds no room, half of its bytes written; later there is room again."""
    for number in range(6):
        photo(tmp_path / "a" / f"p{number}.jpg", RED, number)
    run(tmp_path / "a", tmp_path / "whole")
    real, count = Part.__init__, iter(range(10_000))

    def full(part: Part, target: Path) -> None:
        real(part, target)
        file = part.file
        if next(count) % 3:
            return

        def write(data: bytes) -> int:
            type(file).write(file, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        part.file = mock.MagicMock(wraps=file, closed=False)
        part.file.write.side_effect = write

    with monkeypatch.context() as patched:
        patched.setattr(Part, "__init__", full)
        rows = run(tmp_path / "a", tmp_path / "t")
    assert {"made", "failed"} == set(statuses(rows))
    assert all("No space left" in str(row.error) for row in rows if row.status == "failed")
    assert not list((tmp_path / "t").rglob("*.part"))
    assert "failed" not in statuses(run(tmp_path / "a", tmp_path / "t"))
    assert contents(tmp_path / "t") == contents(tmp_path / "whole")


# --- watching


def rounds_of(folder: Path, change: Callable[[], object], wanted: str, out: Path | None = None) -> list[str]:
    """The names of the pictures that come after a change, until the wanted one is among them or time is up."""
    begun, found, done = threading.Event(), list[str](), threading.Event()

    def watch() -> None:
        for tasks in watched([folder], outside=out):
            if begun.is_set():
                found.extend(Path(task.source).name for task in tasks)
            begun.set()
            if wanted in found or done.is_set():
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    assert begun.wait(20)
    change()
    thread.join(20)
    done.set()
    return found


@pytest.mark.parametrize("way", ["moved", "copied", "nested", "not UTF-8", "replaced", "root comes back"])
def test_watching_sees_whatever_comes(tmp_path: Path, way: str) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    source = photo(tmp_path / "trip" / "day" / "new.jpg", RED)
    name = "new.jpg"

    def change() -> None:
        nonlocal name
        if way == "moved":
            shutil.move(tmp_path / "trip", uploads / "trip")
        elif way == "copied":
            shutil.copytree(tmp_path / "trip", uploads / "trip")
        elif way == "nested":
            (uploads / "a" / "b" / "c").mkdir(parents=True)
            shutil.copy(source, uploads / "a" / "b" / "c" / name)
        elif way == "replaced":
            os.replace(photo(tmp_path / "other.jpg", BLUE), uploads / name)
        elif way == "root comes back":
            shutil.rmtree(uploads)
            time.sleep(0.7)
            shutil.copytree(tmp_path / "trip", uploads)
        else:
            shutil.copy(source, uploads / name)

    if way == "not UTF-8":
        name = os.fsdecode(b"n\xe9w.jpg")
    if way == "replaced":
        shutil.copy(source, uploads / name)
    assert name in rounds_of(uploads, change, name)


def test_watching_a_folder_that_holds_its_own_results_ends_with_the_pictures(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg", RED)
    rounds = []
    begun = time.monotonic()
    for tasks in watched([tmp_path], outside=tmp_path):
        list(make_thumbnails(tasks, tmp_path, SMALL))
        rounds.append([Path(task.source).name for task in tasks])
        if len(rounds) == 1:
            threading.Timer(4, lambda: photo(tmp_path / "b.jpg", BLUE)).start()
        if rounds[-1] == ["b.jpg"] or time.monotonic() - begun > 30:
            break
    assert rounds == [["a.jpg"], ["b.jpg"]]


# --- what a walk leaves out


def test_a_walk_says_what_it_leaves_out(tmp_path: Path) -> None:
    for name in ("a.CR2", "b.nef", "c.NEF", "d.psd"):
        (tmp_path / "raw" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "raw" / name).touch()
    (tmp_path / "empty").mkdir()
    said: list[str] = []
    assert find_pictures([tmp_path / "raw", tmp_path / "empty"], say=said.append) == []
    words = "\n".join(said)
    assert "left out raw files (1 .cr2, 2 .nef)" in words
    assert "1 .psd" in words
    assert f"{tmp_path / 'empty'}: holds no pictures" in words
    photo(tmp_path / "good" / "p.jpg", RED)
    run(tmp_path / "good", tmp_path / "good")
    said.clear()
    find_pictures([tmp_path / "good"], say=said.append)
    assert "results of eyefirst: 2" in "\n".join(said)


def test_a_stamp_of_nothing_is_none(tmp_path: Path) -> None:
    assert Stamp.of(tmp_path / "nothing") is None


# --- orphans, and sets for a site


def test_pruning_takes_orphans_and_nothing_else(tmp_path: Path) -> None:
    for name in ("p.jpg", "sub/q.jpg", "sub/r.jpg"):
        photo(tmp_path / "a" / name, RED)
    out = tmp_path / "t"
    theirs = photo(out / "sub" / "theirs.png", BLUE)
    run(tmp_path / "a", out)
    edited = out / "sub" / "r_32x32.png"
    edited.write_bytes(edited.read_bytes() + b"edited by hand")
    assert prune_results(out, [tmp_path / "a"]) == []
    (tmp_path / "a" / "sub" / "r.jpg").unlink()
    (tmp_path / "a" / "p.jpg").unlink()
    removed = sorted(str(p.relative_to(out)) for p in prune_results(out, [tmp_path / "a"]))
    assert removed == ["p_32x32.png", "p_48x24.png", f"sub{os.sep}r_48x24.png"]
    assert edited.exists()
    assert theirs.exists()
    shutil.rmtree(tmp_path / "a")
    assert prune_results(out, [tmp_path / "a"]) == [], "a drive that is not mounted takes nothing along"
    (tmp_path / "a").mkdir()
    assert prune_results(out, [tmp_path / "a"]) == [], "its mount point may be left, and is empty"
    photo(tmp_path / "a" / "new.jpg", RED)
    assert [p.name for p in prune_results(out, [tmp_path / "a"])] == ["q_32x32.png", "q_48x24.png"]


def test_pruning_takes_the_sizes_of_earlier_options(tmp_path: Path) -> None:
    photo(tmp_path / "a" / "p.jpg", RED)
    run(tmp_path / "a", tmp_path / "t")
    run(tmp_path / "a", tmp_path / "t", ThumbnailSettings(sizes=(Size(48, 24),), format="png"))
    assert [p.name for p in prune_results(tmp_path / "t", [])] == ["p_32x32.png"]


def test_pruning_leaves_what_another_process_makes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo(tmp_path / "a" / "p.jpg", RED)
    run(tmp_path / "a", tmp_path / "t")
    real = prune._is_gone

    def meanwhile(picture: str, roots: Sequence[str]) -> bool:
        run(tmp_path / "a", tmp_path / "t", ThumbnailSettings(sizes=(Size(40, 40),), format="png"))
        return real(picture, roots)

    monkeypatch.setattr(prune, "_is_gone", meanwhile)
    assert sorted(p.name for p in prune_results(tmp_path / "t", [])) == ["p_32x32.png", "p_48x24.png"]
    assert list(contents(tmp_path / "t")) == ["p_40x40.png"]


def test_a_responsive_set_shows_one_frame_per_ratio(tmp_path: Path) -> None:
    photo(tmp_path / "a" / "p q.jpg", RED)
    sizes = sizes_of([], ["1:1", "16:9", "1.91:1"], [30, 61])
    ratios = tuple(AspectRatio.parse(r) for r in ("1:1", "16:9", "1.91:1"))
    settings = ThumbnailSettings(sizes=sizes, ratios=ratios, name="{ratio}/{stem}-{width}.{ext}")
    rows = make_thumbnails(find_pictures([tmp_path / "a"]), tmp_path / "t", settings)
    (row,) = write_manifest(rows, tmp_path / "t" / "m.json", settings)
    assert set((row.plan or {})["frames"]) == {"1:1", "16:9", "191:100"}
    (entry,) = json.loads((tmp_path / "t" / "m.json").read_text())["pictures"]
    wide = entry["sets"]["16:9"]
    assert wide["srcset"] == "16x9/p%20q-30.jpg 30w, 16x9/p%20q-61.jpg 61w"
    assert [(f["width"], f["height"]) for f in wide["files"]] == [(30, 17), (61, 34)]
    with pytest.raises(InvalidValueError, match="width"):
        sizes_of([], ["1:1"], [])
    with pytest.raises(InvalidValueError, match="one name"):
        ThumbnailSettings(sizes=sizes, name="{stem}.{ext}")
    before = (tmp_path / "t" / "m.json").read_text()
    for gone in ([tmp_path / "not mounted"], []):
        list(
            write_manifest(
                make_thumbnails(find_pictures(gone), tmp_path / "t", settings), tmp_path / "t" / "m.json", settings
            )
        )
    assert (tmp_path / "t" / "m.json").read_text() == before, "a run that gives nothing leaves the manifest"
    (tmp_path / "theirs.json").write_text("{}")
    with pytest.raises(OutputError, match="no manifest"):
        write_manifest(iter(()), tmp_path / "theirs.json", settings)  # type: ignore[arg-type]
