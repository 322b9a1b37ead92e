"""Codecs, quality, signals, and the colours of films from pictures."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from eyefirst.errors import InvalidPlanError, InvalidValueError, OutputError
from eyefirst.films.encoding import EncodeOptions, coding_of
from eyefirst.films.pan import order_by_time, plan_pan, preview, render_pan
from eyefirst.films.pan_plan import PanPlan, frame_rate
from eyefirst.films.reader import VideoReader
from eyefirst.films.writer import VideoWriter
from eyefirst.geometry import Box, Size
from eyefirst.network import OnnxNetwork
from tests.make_clips import make_clip

av: Any = pytest.importorskip("av", reason="PyAV comes with the extra 'video'")


def coded(tmp_path: Path, name: str = "out.mp4", **options: Any) -> tuple[Path, tuple[str, ...]]:
    source = tmp_path / "in.mp4"
    if not source.exists():
        make_clip(source, seconds=1, place=lambda t: [(0.2 + 0.5 * t, 0.5)], sound=False)
    with VideoReader(source) as reader:
        writer = VideoWriter(tmp_path / name, Size(160, 180), 24, like=reader, encode=EncodeOptions(**options))
        with writer:
            for frame in reader.frames():
                writer.write_cut(frame, Box(0, 0, 0.5, 1))
    return tmp_path / name, writer.warnings


def codec_of(path: Path) -> str:
    with av.open(str(path)) as container:
        return str(container.streams.video[0].codec_context.name)


@pytest.mark.parametrize(
    ("codec", "name", "expected"),
    [
        ("auto", "o.mp4", "h264"),
        ("h264", "o.mov", "h264"),
        ("hevc", "o.mp4", "hevc"),
        ("hevc", "o.mkv", "hevc"),
        ("av1", "o.mp4", "libdav1d"),
        ("av1", "o.mkv", "libdav1d"),
    ],
)
def test_codecs(tmp_path: Path, codec: str, name: str, expected: str) -> None:
    path, warnings = coded(tmp_path, name, codec=codec, preset="veryfast")
    assert codec_of(path) in (expected, "av1" if codec == "av1" else expected)
    assert warnings == ()
    with VideoReader(path) as reader:
        frames = [f.pixels() for f in reader.frames()]
    assert len(frames) == 24
    assert (frames[0][90, 50:78, 0] > 150).all()


def test_quality_and_preset_change_the_size_of_the_file(tmp_path: Path) -> None:
    good, usual, poor = (coded(tmp_path, f"{n}.mp4", quality=n)[0].stat().st_size for n in (4, 19, 40))
    assert good > usual > poor
    assert coding_of(EncodeOptions(preset="slow"), None, Size(64, 64)).options["preset"] == "slow"


def test_bad_options_are_refused_in_words() -> None:
    for options, words in (
        ({"codec": "h265"}, "h264, hevc, av1"),
        ({"preset": "quick"}, "ultrafast"),
        ({"quality": 99}, "0..51"),
        ({"quality": -1}, "0..51"),
        ({"chroma": "4:1:1"}, "keep"),
    ):
        with pytest.raises(InvalidValueError, match=words):
            EncodeOptions(**options)


def test_frames_are_coded_in_threads_without_slices(tmp_path: Path) -> None:
    """Slices cost quality, and made the file depend on the number of cores."""
    path, _ = coded(tmp_path)
    with av.open(str(path)) as container:
        packet = next(p for p in container.demux(video=0) if p.size)
    data, slices, at = bytes(packet), 0, 0
    while at + 4 < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        slices += data[at + 4] & 31 in (1, 5)
        at += 4 + size
    assert slices == 1


def test_a_missing_hardware_encoder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyefirst.films.encoding._hardware", lambda _: None)
    path, warnings = coded(tmp_path, hardware=True)
    assert "there is no hardware encoder of h264 here: libx264 is used" in warnings
    assert codec_of(path) == "h264"


def test_what_an_encoder_cannot_do_is_not_blamed_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyefirst.films.encoding.SOFTWARE", {"h264": "mpeg1video"})
    with pytest.raises(OutputError) as raised:
        coded(tmp_path)
    assert "free space" not in str(raised.value)
    assert "choose another --codec" in str(raised.value)


# --- told to end


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_signals_leave_nothing_behind(tmp_path: Path, name: str) -> None:
    make_clip(tmp_path / "in.mp4", seconds=20, sound=False, size=(640, 360))
    code = "import sys; from eyefirst.cli import main; sys.exit(main())"
    words = ["reframe", "in.mp4", "-o", "out.mp4", "--rate", "0.1", "--preset", "veryslow"]
    ran = subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=tmp_path, stderr=subprocess.PIPE, env=os.environ | {"NO_COLOR": "1"}
    )
    part = tmp_path / ".out.mp4.eyefirst-1.part"
    deadline = time.monotonic() + 90
    while not part.exists() and ran.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    ran.send_signal(getattr(signal, name))
    _, words_said = ran.communicate(timeout=60)
    assert ran.returncode == 128 + getattr(signal, name)
    assert words_said.decode().strip() == "eyefirst: interrupted"
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


# --- films from pictures


@pytest.fixture
def red_green(tmp_path: Path) -> Path:
    pixels = np.zeros((360, 640, 3), np.uint8)
    pixels[:, :320] = (220, 30, 30)
    pixels[:, 320:] = (30, 200, 30)
    PillowImage.fromarray(pixels).save(tmp_path / "p.png")
    return tmp_path / "p.png"


def test_a_film_from_pictures_is_bt_709_and_says_so(red_green: Path, tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    plan = plan_pan([str(red_green)], Size(320, 180), frames_per_second="30000/1001", seconds=1, network=tiny_network)
    render_pan(plan, tmp_path / "o.mp4")
    with VideoReader(tmp_path / "o.mp4") as reader:
        tags, frame = reader.info.colours, next(reader.frames())
        assert (tags.primaries, tags.transfer, tags.matrix, tags.range) == (1, 1, 1, 1)
        assert round(float(reader.info.frames_per_second), 2) == 29.97
        pixels = frame.pixels().astype(int)
    assert np.abs(pixels[90, 20] - (220, 30, 30)).max() < 8
    assert np.abs(pixels[90, 300] - (30, 200, 30)).max() < 8


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not here")
def test_ffmpeg_sees_the_same_colours(red_green: Path, tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    plan = plan_pan([str(red_green)], Size(320, 180), seconds=0.5, network=tiny_network)
    render_pan(plan, tmp_path / "o.mp4")
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", tmp_path / "o.mp4", "-frames:v", "1", tmp_path / "shown.png"], check=True
    )
    shown = np.asarray(PillowImage.open(tmp_path / "shown.png").convert("RGB")).astype(int)
    assert np.abs(shown[90, 20] - (220, 30, 30)).max() < 10
    assert np.abs(shown[90, 300] - (30, 200, 30)).max() < 10


def test_rates_are_exact_and_survive_json(red_green: Path, tiny_network: OnnxNetwork) -> None:
    for given, expected in ((29.97, "2997/100"), ("30000/1001", "30000/1001"), (30, 30), ("25", 25)):
        plan = plan_pan([str(red_green)], Size(320, 180), frames_per_second=given, network=tiny_network)
        assert plan.to_dict()["frames_per_second"] == expected
        assert PanPlan.from_dict(plan.to_dict()) == plan
    for bad in (0, -1, 121, "fast", "1/0", float("nan"), float("inf")):
        with pytest.raises(InvalidValueError, match="frames a second"):
            frame_rate(bad)


def test_nonsense_is_refused_in_own_words(red_green: Path, tiny_network: OnnxNetwork) -> None:
    plan = plan_pan([str(red_green)], Size(320, 180), network=tiny_network)
    values = plan.to_dict()
    nonsense: list[Any] = [
        {},
        [],
        None,
        5,
        values | {"moves": 3},
        values | {"moves": [{"keys": 1}]},
        values | {"size": {"width": "x", "height": 2}},
        values | {"frames_per_second": "1/0"},
        values | {"fade_seconds": "a"},
        values | {"left_out": [1]},
        values | {"moves": [values["moves"][0] | {"keys": [{"seconds": 0, "box": {"left": 2}}]}]},
    ]
    for bad in nonsense:
        with pytest.raises(InvalidPlanError):
            PanPlan.from_dict(bad)


def test_a_preview_of_one_column(red_green: Path, tiny_network: OnnxNetwork) -> None:
    plan = plan_pan([str(red_green)], Size(320, 180), network=tiny_network)
    assert preview(plan, columns=1, width=100).size == (112, 68)
    for words in ({"columns": 0}, {"width": 0}, {"columns": -2}):
        with pytest.raises(InvalidValueError, match="at least 1"):
            preview(plan, **words)


def test_order_by_time_of_a_picture_too_large_to_open(tmp_path: Path) -> None:
    """A PNG whose head claims 13500 x 13500 pixels: Pillow refuses to open it; its file's time serves."""
    PillowImage.new("1", (8, 8)).save(tmp_path / "b.png")
    data = bytearray((tmp_path / "b.png").read_bytes())
    import zlib

    data[16:24] = (13500).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "b.png").write_bytes(data)
    PillowImage.new("RGB", (8, 8)).save(tmp_path / "a.png")
    os.utime(tmp_path / "b.png", (10, 10))
    os.utime(tmp_path / "a.png", (20, 20))
    names = [str(tmp_path / n) for n in ("a.png", "b.png", "gone.png")]
    assert order_by_time(names) == [names[2], names[1], names[0]]
