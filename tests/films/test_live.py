"""Films that are cut while they come."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from eyefirst.errors import PictureNotFoundError
from eyefirst.films.frames import VideoFrame
from eyefirst.films.live import LOOK_AHEAD, live_windows, watch_live
from eyefirst.films.path import TrackLimits
from eyefirst.films.reader import VideoReader
from eyefirst.geometry import Size
from eyefirst.network import OnnxNetwork
from tests.make_clips import make_clip

pytest.importorskip("av", reason="PyAV comes with the extra 'video'")


def there_and_cut(t: float) -> Sequence[tuple[float, float]]:
    return [(0.2 + 0.4 * min(t / 4, 1) if t < 4 else 0.85, 0.5)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("live") / "film.mp4"
    return make_clip(path, place=there_and_cut, seconds=6, ground=lambda t: 30 if t < 4 else 110)


def test_frames_go_out_two_seconds_after_they_came(clip: Path, tiny_network: OnnxNetwork) -> None:
    came: list[VideoFrame] = []

    def frames(reader: VideoReader) -> object:
        for frame in reader.frames():
            came.append(frame)
            yield frame

    with VideoReader(clip) as reader:
        got = []
        for frame, box in live_windows(frames(reader), reader.info, network=tiny_network):  # type: ignore[arg-type]
            got.append((float(frame.seconds), box))
            assert came[-1].seconds - frame.seconds <= LOOK_AHEAD + 1 / reader.info.frames_per_second
    assert [t for t, _ in got] == [float(f.seconds) for f in came]
    good = [box.left <= there_and_cut(t)[0][0] <= box.right for t, box in got]
    assert np.mean(good) >= 0.95
    lefts, times = np.array([b.left for _, b in got]), np.array([t for t, _ in got])
    speeds = np.abs(np.diff(lefts) / np.diff(times)) / got[0][1].width
    assert (speeds > TrackLimits().speed * 1.05).sum() <= 1  # the cut alone jumps
    assert np.abs(np.diff(lefts)).argmax() == pytest.approx(4 * 24, abs=2)


def test_a_pipe_goes_in_and_out(tiny_network: OnnxNetwork, tmp_path: Path) -> None:
    short = make_clip(tmp_path / "short.mkv", seconds=1)
    watch_live(short, tmp_path / "out.mkv", "1:1", network=tiny_network)
    with VideoReader(tmp_path / "out.mkv") as reader:
        assert reader.info.size == Size(180, 180)
        assert len(list(reader.frames())) == 24
    for nothing in (tmp_path, tmp_path / "none.mp4"):
        with pytest.raises(PictureNotFoundError):
            watch_live(nothing, tmp_path / "none.mkv", network=tiny_network)
    command = [sys.executable, "-m", "eyefirst", "watch", "-", "-o", "-", "--ratio", "1:1"]
    ran = subprocess.run(command, input=short.read_bytes(), capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    (tmp_path / "piped.mkv").write_bytes(ran.stdout)
    with VideoReader(tmp_path / "piped.mkv") as reader:
        assert len(list(reader.frames())) == 24
