"""Films in and out: times, turns, colours, sound."""

from __future__ import annotations

import errno
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageOps

from eyefirst.errors import (
    InvalidValueError,
    MissingExtraError,
    NotAPictureError,
    OutputError,
    PictureNotFoundError,
    TruncatedPictureError,
    UnsupportedPictureError,
)
from eyefirst.films.frames import VideoFrame
from eyefirst.films.planes import Turn
from eyefirst.films.reader import VideoReader
from eyefirst.films.restarts import Restarts
from eyefirst.films.streams import turn_of
from eyefirst.films.tone_mapping import tone_mapped
from eyefirst.films.writer import VideoWriter
from eyefirst.geometry import Box, Size
from tests.make_clips import draw, make_clip

av: Any = pytest.importorskip("av", reason="PyAV comes with the extra 'video'")
CLIPS = Path(__file__).parents[3] / "shared" / "data" / "video"
TALL = Size(100, 180)
RIGHT = Box(220 / 320, 0, 1, 1)


def test_frames_before_a_stream_s_clock_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "in.mp4", seconds=0.5)
    with VideoReader(path) as reader:
        times = [frame.seconds for frame in reader.frames()]
    set_right = Restarts.set_right

    def late_clock(restarts: Restarts, packet: Any) -> None:
        """As over RTSP: the first packets have no times."""
        set_right(restarts, packet)
        if packet.stream.type == "video" and packet.pts is not None and packet.pts * packet.time_base < times[2]:
            packet.pts = packet.dts = None

    monkeypatch.setattr(Restarts, "set_right", late_clock)
    with VideoReader(path) as reader:
        assert [frame.seconds for frame in reader.frames()] == times[2:]
        assert reader.warnings == ()


def cut(source: Path, target: Path, size: Size = TALL, box: Box = RIGHT) -> tuple[str, ...]:
    with VideoReader(source) as reader, VideoWriter(target, size, 25, like=reader) as writer:
        for found in reader.frames_and_packets(writer.carried):
            if isinstance(found, VideoFrame):
                writer.write_cut(found, box)
            else:
                writer.copy(found)
    return writer.warnings


def times_of(path: Path, kind: str) -> list[float]:
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return sorted(float(p.pts * p.time_base) for p in container.demux(stream) if p.pts is not None)


def frames_of(path: Path) -> list[Any]:
    with VideoReader(path) as reader:
        return [f.pixels() for f in reader.frames()]


def test_times_sound_subtitles_and_metadata_come_along(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", subtitles=True)
    assert cut(source, tmp_path / "out.mkv") == ()
    for kind in ("video", "audio", "subtitle"):
        assert times_of(tmp_path / "out.mkv", kind) == pytest.approx(times_of(source, kind), abs=0.0011)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.metadata["title"] == "a red square"
        words = container.streams.subtitles[0]
        assert words.language == "eng"
        assert b"hello" in b"".join(bytes(p) for p in container.demux(words))
    assert cut(source, tmp_path / "out.mp4") == ()
    with av.open(str(tmp_path / "out.mp4")) as container:
        words = container.streams.subtitles[0]
        assert (words.codec_context.name, words.language) == ("mov_text", "eng")
        assert b"hello" in b"".join(bytes(p) for p in container.demux(words))
    assert times_of(tmp_path / "out.mp4", "audio") == pytest.approx(times_of(source, "audio"), abs=0.0011)


def test_uneven_times_stay_uneven(tmp_path: Path) -> None:
    times = [Fraction(n, 100) for n in (0, 4, 9, 30, 34, 80, 81, 150)]
    source = make_clip(tmp_path / "in.mp4", times=times, sound=False)
    cut(source, tmp_path / "out.mp4")
    assert times_of(tmp_path / "out.mp4", "video") == pytest.approx([float(t) for t in times], abs=1e-4)
    with VideoReader(source) as reader:
        assert [f.seconds for f in reader.frames()] == times


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_turned_film_is_read_upright(tmp_path: Path, degrees: int) -> None:
    source = make_clip(tmp_path / "in.mp4", turned=degrees, seconds=0.3)
    with VideoReader(source) as reader:
        assert reader.info.size == (Size(320, 180) if degrees == 180 else Size(180, 320))
        frame = next(reader.frames())
        pixels = frame.pixels().astype(int)
    expected = np.rot90(draw([(0.8, 0.5)]).astype(int), degrees // 90)
    assert np.abs(pixels - expected).mean() < 8
    upright = Size(pixels.shape[1], pixels.shape[0])
    cut(source, tmp_path / "out.mp4", upright, Box.whole())
    (first, *_) = frames_of(tmp_path / "out.mp4")
    assert np.abs(first.astype(int) - expected).mean() < 8
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert reader.info.turn == Turn()


@pytest.mark.parametrize(("transfer", "name"), [(16, "pq"), (18, "hlg")])
def test_high_dynamic_range_is_kept_and_looked_at_tone_mapped(tmp_path: Path, transfer: int, name: str) -> None:
    source = make_clip(tmp_path / "in.mp4", transfer=transfer, seconds=0.4, sound=False)
    with VideoReader(source) as reader:
        assert reader.info.transfer == name
        pixels = next(reader.frames()).pixels()
    assert pixels[90, 256, 0] > pixels[90, 20, 0] + 60
    (warning,) = cut(source, tmp_path / "out.mp4")
    assert "10-bit HEVC" in warning
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert reader.info.transfer == name
        assert reader.stream.codec_context.name == "hevc"
        raw = next(reader.frames()).raw
        assert raw.format.name == "yuv420p10le"
    with VideoReader(source) as reader:
        before = next(reader.frames()).raw.to_ndarray(format="yuv420p")[:180, 220:]
    assert np.abs((raw.to_ndarray()[:180] / 4) - before).mean() < 3


def test_reference_white_is_white() -> None:
    pq = round(65535 * 0.5807)  # 203 candelas a square metre, BT.2408
    hlg = round(65535 * 0.75)
    for level, name in ((pq, "pq"), (hlg, "hlg")):
        grey = tone_mapped(np.full((1, 1, 3), level, np.uint16), name)
        assert 160 < grey.min() <= grey.max() < 256
        assert int(grey.max()) - int(grey.min()) < 4
    ramp = tone_mapped(np.repeat(np.linspace(0, 65535, 50).astype(np.uint16)[:, None], 3, 1), "pq")[:, 1]
    assert all(int(a) <= int(b) for a, b in pairwise(ramp))
    assert (ramp[0], ramp[-1]) == (0, 255)


def test_whole_pixels_are_copied_and_fractions_shift(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", seconds=0.3, sound=False)
    with VideoReader(source) as reader:
        expected = next(reader.frames()).pixels().astype(int)[:, 220:]
    cut(source, tmp_path / "whole.mp4")
    cut(source, tmp_path / "half.mp4", TALL, Box(219.5 / 320, 0, 319.5 / 320, 1))
    whole, half = (frames_of(tmp_path / n)[0].astype(int) for n in ("whole.mp4", "half.mp4"))
    assert np.abs(whole - expected).mean() < 3
    edge = (expected[90, :, 0] > 150).argmax()
    assert whole[90, edge, 0] > half[90, edge, 0] + 30


def test_what_is_no_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "cut.mp4").write_bytes(make_clip(tmp_path / "whole.mp4").read_bytes()[:9000])
    for name, kind in (
        ("none.mp4", PictureNotFoundError),
        ("text.mp4", NotAPictureError),
        ("cut.mp4", NotAPictureError),
    ):
        with pytest.raises(kind) as raised:
            VideoReader(tmp_path / name)
        assert name in str(raised.value)
    with pytest.raises(PictureNotFoundError, match="is a folder; name the films"):
        VideoReader(tmp_path)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"eyefirst\[video\]"):
        VideoReader(tmp_path / "whole.mp4")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif", "avif", "bmp", "tif"])
def test_a_still_picture_is_no_film(tmp_path: Path, ending: str) -> None:
    PillowImage.new("RGB", (64, 48), "red").save(tmp_path / f"photo.{ending}")
    with pytest.raises(UnsupportedPictureError, match="is a still picture, not a film; `eyefirst crop`"):
        VideoReader(tmp_path / f"photo.{ending}")


@pytest.mark.parametrize("ending", ["gif", "png", "avif"])
def test_an_animation_is_a_film(tmp_path: Path, ending: str) -> None:
    colours = [PillowImage.new("RGB", (64, 48), c) for c in ("red", "lime", "blue")]
    path = tmp_path / f"moves.{ending}"
    colours[0].save(path, save_all=True, append_images=colours[1:], duration=100)
    with VideoReader(path) as reader:
        frames = [
            (float(f.seconds), int(f.raw.to_ndarray(format="rgb24").mean((0, 1)).argmax())) for f in reader.frames()
        ]
        assert frames == [(0.0, 0), (pytest.approx(0.1), 1), (pytest.approx(0.2), 2)]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_frame_with_exif_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    exif = PillowImage.Exif()
    exif[274] = orientation
    levels = np.zeros((48, 80, 3), np.uint8)
    levels[:24, :40] = 255
    PillowImage.fromarray(levels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    with av.open(str(tmp_path / "turned.jpg")) as container:
        frame = next(container.decode(video=0))
        turn = turn_of(frame)
        assert turn is not None
        upright = turn.upright(frame.to_ndarray(format="rgb24"))
    with PillowImage.open(tmp_path / "turned.jpg") as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    assert upright.shape == expected.shape
    assert np.abs(upright.astype(int) - expected).mean() < 3


def test_a_film_that_breaks_off_ends_there(tmp_path: Path) -> None:
    moving = make_clip(tmp_path / "whole.mkv", seconds=4, sound=False, place=lambda t: [(0.2 + 0.1 * t, 0.5)])
    data = moving.read_bytes()
    (tmp_path / "half.mkv").write_bytes(data[: len(data) * 3 // 4])
    count = len(frames_of(tmp_path / "half.mkv"))
    assert 5 < count < 96
    cut(tmp_path / "half.mkv", tmp_path / "out.mp4")
    assert len(frames_of(tmp_path / "out.mp4")) == count


def test_damage_in_the_middle_is_skipped_and_counted(tmp_path: Path) -> None:
    moving = make_clip(tmp_path / "whole.mkv", seconds=2, sound=False, place=lambda t: [(0.2 + 0.3 * t, 0.5)])
    data = bytearray(moving.read_bytes())
    for at in range(len(data) * 2 // 3, len(data) * 2 // 3 + 400):
        data[at] = 0xFF
    (tmp_path / "bad.mkv").write_bytes(data)
    with VideoReader(tmp_path / "bad.mkv") as reader:
        seconds = [f.seconds for f in reader.frames()]
    assert len(seconds) > 10
    assert all(b > a for a, b in pairwise(seconds))


def test_broken_sound_is_left_out_or_copied_never_a_crash(tmp_path: Path) -> None:
    data = bytearray(make_clip(tmp_path / "in.mp4").read_bytes())
    at = data.index(b"mp4a", data.index(b"stsd"))  # the kind of sound becomes one that nobody knows
    data[at : at + 4] = b"zzzz"
    at = data.index(b"esds", at)
    data[at : at + 4] = b"free"
    (tmp_path / "bad.mp4").write_bytes(data)
    warnings = cut(tmp_path / "bad.mp4", tmp_path / "out.mp4")
    assert len(frames_of(tmp_path / "out.mp4")) == 48
    assert any("audio stream 1" in w for w in warnings)


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4")

    def interrupted() -> None:
        with VideoReader(source) as reader, VideoWriter(tmp_path / "out.mp4", TALL, 25, like=reader) as writer:
            for frame in reader.frames():
                writer.write_cut(frame, RIGHT)
                if frame.seconds > 1:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_a_full_disk_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_clip(tmp_path / "in.mp4", seconds=0.3)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        cut(source, tmp_path / "out.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the film"):
        cut(source, tmp_path / "file" / "out.mp4")


def test_a_frame_at_a_time(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", place=lambda t: [(0.2 + 0.3 * t, 0.5)])
    with VideoReader(source) as reader:
        for wanted in (1.5, 0.2, 0.0, 9.0):
            frame = reader.frame_at(Fraction(wanted))
            assert 0 <= min(wanted, 2.002) - float(frame.seconds) < 0.05
            red = frame.pixels()[90, :, 0] > 150
            assert np.flatnonzero(red).mean() / 320 == pytest.approx(0.2 + 0.3 * float(frame.seconds), abs=0.01)


def test_names_and_sizes_of_films(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="2x2"):
        VideoWriter(tmp_path / "o.mp4", Size(1, 9), 25)
    with VideoWriter(tmp_path / "o.mkv", Size(64, 48), 25) as writer:
        writer.write(PillowImage.new("RGB", (64, 48), "red"))
    assert len(frames_of(tmp_path / "o.mkv")) == 1


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not here")
@pytest.mark.parametrize("name", [p.name for p in sorted(CLIPS.glob("*")) if p.stat().st_size < 2_000_000])
def test_real_clips_keep_their_times(name: str, tmp_path: Path) -> None:
    source = CLIPS / name
    with VideoReader(source) as reader:
        size, start = reader.info.size, float(reader.start)
    if size == Size(1, 1):
        with pytest.raises(InvalidValueError, match="2x2"):
            cut(source, tmp_path / "out.mp4", size, Box.whole())
        return
    wide = Size(size.width // 4 * 2, size.height // 2 * 2)
    cut(source, tmp_path / "out.mp4", wide, Box(0, 0, wide.width / size.width, wide.height / size.height))
    kinds = {"video"} | ({"audio"} if _has_sound(source) else set())
    for kind in kinds:
        assert times_of(tmp_path / "out.mp4", kind) == pytest.approx(
            [t - start for t in times_of(source, kind)], abs=0.0011
        )


def _has_sound(path: Path) -> bool:
    with av.open(str(path)) as container:
        return bool(container.streams.audio)


def test_a_film_without_frames(tmp_path: Path) -> None:
    path = tmp_path / "empty.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises((TruncatedPictureError, NotAPictureError)):
        VideoReader(path)
