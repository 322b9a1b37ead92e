"""Whole files: no half file under their name, and no part left for ever where a process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eyefirst.albums.prune import prune_results
from eyefirst.files.whole import remove_stale, written_whole

KILLED = (
    "import os, signal, sys; from pathlib import Path; from eyefirst.files.whole import written_whole\n"
    "with written_whole(Path(sys.argv[1])) as first, written_whole(Path(sys.argv[1])) as second:\n"
    "    first.write(b'half'); first.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A file whose two writers were killed."""
    path = tmp_path / "out" / "plans.jsonl"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(parts(path)) == 2
    return path


def parts(path: Path) -> list[str]:
    return sorted(p.name for p in path.parent.glob(".*"))


def test_the_next_writer_removes_what_a_killed_one_left(killed: Path) -> None:
    with written_whole(killed) as out:
        out.write(b"whole")
        assert len(parts(killed)) == 1
    assert killed.read_bytes() == b"whole"
    assert not parts(killed)


def test_a_stranger_s_file_and_a_living_writer_s_part_stay(tmp_path: Path) -> None:
    path = tmp_path / "plans.jsonl"
    strangers = (".plans.jsonl.part", ".plans.jsonl.1a2b3c4d.part", ".other.jsonl.eyefirst-1.part")
    for name in strangers:
        (tmp_path / name).write_bytes(b"a stranger's")
    (tmp_path / ".plans.jsonl.eyefirst-1.part").mkdir()
    with written_whole(path) as first:
        first.write(b"first")
        with written_whole(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert set(parts(path)) == {*strangers, ".plans.jsonl.eyefirst-1.part"}
    assert all((tmp_path / name).read_bytes() == b"a stranger's" for name in strangers)


def test_a_link_in_the_place_of_a_part_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / ".a.json.eyefirst-1.part").symlink_to(tmp_path / "mine")
    with written_whole(tmp_path / "a.json") as out:
        out.write(b"a")
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_pruning_removes_parts_of_files_that_are_not_made_any_more(killed: Path) -> None:
    with written_whole(killed.parent / "sub" / "b.jpg") as out:
        out.write(b"in work")
        prune_results(killed.parent, [])
    assert (killed.parent / "sub" / "b.jpg").read_bytes() == b"in work"
    assert parts(killed) == [".eyefirst.sqlite"]


def test_a_long_name_in_any_script_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("写" * 80 + ".jpg")
    with written_whole(path) as out:
        out.write(b"a")
    assert path.read_bytes() == b"a"


def test_without_locks_files_are_written_whole_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr("eyefirst.files.whole.fcntl.flock", none)
    with written_whole(tmp_path / "a.json") as out:
        out.write(b"a")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    (tmp_path / ".a.json.eyefirst-1.part").touch()
    assert not remove_stale(tmp_path / ".a.json.eyefirst-1.part")
