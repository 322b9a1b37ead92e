"""A matrix of files: containers and streams made by ffmpeg, cut by eyefirst, checked by ffprobe and by pixels."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyefirst.errors import InvalidPlanError, InvalidValueError
from eyefirst.films.carried import plain_text
from eyefirst.films.encoding import EncodeOptions
from eyefirst.films.frames import VideoFrame
from eyefirst.films.planes import Turn
from eyefirst.films.reader import VideoReader
from eyefirst.films.reframe import plan_reframe, reframe, render_reframe
from eyefirst.films.reframe_plan import ReframePlan, ffmpeg_commands, ffmpeg_filter
from eyefirst.films.shots import watch
from eyefirst.films.sights import Footage, Shot
from eyefirst.films.writer import VideoWriter
from eyefirst.geometry import Box, Size
from eyefirst.network import OnnxNetwork
from tests.make_clips import make_clip

av: Any = pytest.importorskip("av", reason="PyAV comes with the extra 'video'")
CASES = Path(__file__).parents[3] / "shared" / "cases" / "films"
needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg, which makes the files, is not here")
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the collected files are not here")
HALVES = "color=red:s=160x120:r=25:d=1[a];color=blue:s=160x120:r=25:d=1[b];[a][b]hstack"
"""Red on the left, blue on the right."""
TONE = "sine=frequency=440:sample_rate=48000:duration=1"


def ffmpeg(*words: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True, capture_output=True)


def make(path: Path, *words: str, picture: str = HALVES, sound: str | None = None) -> Path:
    """A film of ffmpeg's own sources."""
    inputs = ["-f", "lavfi", "-i", picture]
    if sound:
        inputs += ["-f", "lavfi", "-i", sound]
    coded = [] if "-c:v" in words else ["-c:v", "libx264", "-pix_fmt", "yuv420p"]
    ffmpeg(*inputs, *coded, *words, path)
    return path


def probe(path: Path) -> dict[str, Any]:
    ran = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-show_chapters", "-of", "json", str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(json.loads(ran.stdout))


def cut(source: Path, target: Path, box: Box | None = None, encode: EncodeOptions | None = None) -> tuple[str, ...]:
    """The whole film, or a part of it."""
    with VideoReader(source) as reader:
        part = box or Box.whole()
        size = reader.info.display_size
        wanted = Size(round(size.width * part.width / 2) * 2, round(size.height * part.height / 2) * 2)
        with VideoWriter(target, wanted, reader.info.frames_per_second, like=reader, encode=encode) as writer:
            for found in reader.frames_and_packets(writer.carried):
                if isinstance(found, VideoFrame):
                    writer.write_cut(found, part)
                else:
                    writer.copy(found)
        return (*reader.warnings, *writer.warnings)


def pixels_of(path: Path) -> list[np.ndarray[Any, Any]]:
    with VideoReader(path) as reader:
        return [f.pixels().astype(int) for f in reader.frames()]


def times_of(path: Path) -> list[float]:
    with VideoReader(path) as reader:
        return [float(f.seconds) for f in reader.frames()]


def tones_in(path: Path) -> list[float]:
    """How loud each tenth of a second of the sound is, as ffmpeg plays it."""
    ran = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a:0", "-f", "f32le", "-ac", "1", "-ar", "8000", "-"],
        check=True,
        capture_output=True,
    )
    wave = np.frombuffer(ran.stdout, np.float32)
    return [float(np.abs(w).mean()) for w in np.array_split(wave, max(1, len(wave) // 800))]


def red_is_left(pixels: np.ndarray[Any, Any]) -> bool:
    middle = pixels[pixels.shape[0] // 2]
    third = len(middle) // 3
    return bool(middle[:third, 0].mean() > 150 and middle[-third:, 2].mean() > 150)


# --- opened once to look, once to write


def test_a_film_is_opened_twice_at_most(tmp_path: Path, tiny_network: OnnxNetwork, monkeypatch: Any) -> None:
    source = make_clip(tmp_path / "in.mp4", seconds=1)
    opened: list[str] = []
    real = av.open

    def counted(file: Any, *words: Any, **options: Any) -> Any:
        opened.append(str(file))
        return real(file, *words, **options)

    monkeypatch.setattr(av, "open", counted)
    reframe(source, tmp_path / "out.mp4", "9:16", network=tiny_network)
    assert opened.count(str(source)) == 2


# --- how a frame is turned


@needs_ffmpeg
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [(), ("hflip",), ("vflip",)])
def test_every_display_matrix_is_upright(tmp_path: Path, degrees: int, mirror: tuple[str, ...]) -> None:
    """Eight turns of one picture, as a matrix and as pixels."""
    plain = make(tmp_path / "plain.mp4", "-t", "0.2", picture="testsrc=s=160x120:r=25")
    turned = tmp_path / "turned.mp4"
    with av.open(str(plain)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(degrees, hflip="hflip" in mirror, vflip="vflip" in mirror)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    ffmpeg("-i", turned, "-frames:v", "1", tmp_path / "shown.png")  # ffmpeg turns it upright itself
    with av.open(str(tmp_path / "shown.png")) as picture:
        shown = next(picture.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    cut(turned, tmp_path / "out.mp4")
    first = pixels_of(tmp_path / "out.mp4")[0]
    assert first.shape == shown.shape
    assert np.abs(first - shown).mean() < 8
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert reader.info.turn == Turn()


def test_a_matrix_that_stretches_and_one_at_an_angle() -> None:
    one, two = 1 << 16, 2 << 16
    assert Turn.from_display_matrix([two, 0, 0, 0, one, 0, 0, 0, 1]) == Turn(stretch=2)
    assert Turn.from_display_matrix([46341, 46341, 0, -46341, 46341, 0, 0, 0, 1]) is None
    assert Turn.from_display_matrix([0] * 9) is None


@needs_cases
@pytest.mark.parametrize("name", ["mirrored_hflip.mp4", "mirrored_transpose.mp4"])
def test_mirrored_films_are_written_as_players_show_them(tmp_path: Path, name: str) -> None:
    cut(CASES / name, tmp_path / "out.mp4")
    ffmpeg("-i", CASES / name, "-frames:v", "1", tmp_path / "shown.png")
    with av.open(str(tmp_path / "shown.png")) as picture:
        shown = next(picture.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert np.abs(pixels_of(tmp_path / "out.mp4")[0] - shown).mean() < 8


# --- times


@needs_ffmpeg
@pytest.mark.parametrize(("kind", "target"), [("ts", "mp4"), ("ts", "mkv"), ("mkv", "mp4"), ("mp4", "mkv")])
def test_times_that_start_late_start_at_0(tmp_path: Path, kind: str, target: str) -> None:
    source = make(tmp_path / f"in.{kind}", "-output_ts_offset", "600", "-c:a", "aac", sound=TONE)
    cut(source, tmp_path / f"out.{target}")
    made = probe(tmp_path / f"out.{target}")
    assert float(made["format"]["duration"]) < 1.2
    assert float(made["format"]["start_time"]) == pytest.approx(0, abs=0.05)
    assert len(times_of(tmp_path / f"out.{target}")) == 25


@needs_ffmpeg
@pytest.mark.parametrize(("target", "later"), [("mp4", "0"), ("mkv", "0"), ("mp4", "1000")])
def test_times_that_start_anew_go_on(tmp_path: Path, target: str, later: str) -> None:
    parts = [
        make(tmp_path / f"{c}.ts", "-c:a", "aac", *shift, picture=f"color={c}:s=160x120:r=25:d=1", sound=TONE)
        for c, shift in (("red", ()), ("blue", ("-output_ts_offset", later)))
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(p.read_bytes() for p in parts))
    warnings = cut(joined, tmp_path / f"out.{target}")
    assert any("times start anew at 1.0" in w for w in warnings)
    frames, times = pixels_of(tmp_path / f"out.{target}"), times_of(tmp_path / f"out.{target}")
    assert len(frames) == 50
    assert frames[0][..., 0].mean() > 150
    assert frames[-1][..., 2].mean() > 150
    assert times[-1] == pytest.approx(1.97, abs=0.1)
    loud = tones_in(tmp_path / f"out.{target}")
    assert len(loud) == pytest.approx(20, abs=1)
    assert min(loud[1:-2]) > 0.02


@needs_ffmpeg
def test_a_size_that_changes_midway_is_fitted_in(tmp_path: Path) -> None:
    parts = [
        make(tmp_path / f"{c}.ts", *shift, picture=f"color={c}:s={size}:r=25:d=1")
        for c, size, shift in (("red", "320x240", ()), ("blue", "160x240", ("-output_ts_offset", "1")))
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(p.read_bytes() for p in parts))
    (warning,) = [w for w in cut(joined, tmp_path / "out.mp4") if "size" in w]
    assert "from 320x240 to 160x240" in warning
    last = pixels_of(tmp_path / "out.mp4")[-1]
    assert last[120, 160, 2] > 150  # not stretched: bars at the sides
    assert last[120, 40].max() < 40
    assert last[120, 280].max() < 40


@needs_ffmpeg
@pytest.mark.parametrize("target", ["mp4", "mov", "mkv"])
def test_what_an_edit_list_hides_stays_hidden(tmp_path: Path, target: str) -> None:
    """A second of noise and red is cut away from two seconds without coding anew."""
    picture = "color=red:s=160x120:r=25:d=1[a];color=blue:s=160x120:r=25:d=1[b];[a][b]concat"
    sound = "aevalsrc='if(lt(t,1),0.8*sin(2764*t),0)':s=48000:d=2"
    whole = make(tmp_path / "whole.mp4", "-g", "50", "-c:a", "aac", picture=picture, sound=sound)
    trimmed = tmp_path / "trimmed.mp4"
    ffmpeg("-ss", "1.2", "-i", whole, "-c", "copy", trimmed)
    cut(trimmed, tmp_path / f"out.{target}")
    frames = pixels_of(tmp_path / f"out.{target}")
    assert len(frames) == 20
    assert all(f[..., 2].mean() > 150 for f in frames)
    assert max(tones_in(tmp_path / f"out.{target}")) < 0.05


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["h264", "m2v"])
def test_a_file_without_times_is_planned_by_frame_numbers(tmp_path: Path, tiny_network: OnnxNetwork, kind: str) -> None:
    words = {"h264": ["-bsf:v", "filter_units=remove_types=6", "-f", "h264"], "m2v": ["-c:v", "mpeg2video", "-bf", "2"]}
    source = make(tmp_path / f"in.{kind}", *words[kind])
    made = reframe(source, tmp_path / "out.mp4", "1:1", network=tiny_network)
    assert made.frames == 25
    assert any("no times" in w for w in made.warnings)
    times = times_of(tmp_path / "out.mp4")
    assert times == pytest.approx([i / 25 for i in range(25)], abs=0.001)


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["avi", "flv", "mpg", "webm", "mov", "m4v", "asf"])
def test_other_containers_keep_every_frame(tmp_path: Path, kind: str) -> None:
    codecs = {"mpg": ["-c:v", "mpeg2video"], "webm": ["-c:v", "libvpx", "-cpu-used", "8"]}
    source = make(tmp_path / f"in.{kind}", *codecs.get(kind, []), sound=TONE if kind != "webm" else None)
    cut(source, tmp_path / "out.mp4")
    frames = pixels_of(tmp_path / "out.mp4")
    assert len(frames) == 25
    assert red_is_left(frames[5])
    assert np.diff(times_of(tmp_path / "out.mp4")) == pytest.approx(0.04, abs=0.002)
    if kind != "webm":
        assert min(tones_in(tmp_path / "out.mp4")[1:-2]) > 0.02


# --- sound, subtitles, metadata


@needs_ffmpeg
@pytest.mark.parametrize(
    ("codec", "kind", "target", "expected"),
    [
        ("pcm_s16le", "mkv", "mp4", "aac"),
        ("pcm_s16le", "avi", "mp4", "aac"),
        ("pcm_s24le", "mov", "mp4", "aac"),
        ("pcm_s16le", "mkv", "mov", "pcm_s16le"),
        ("pcm_mulaw", "mov", "mkv", "pcm_s16le"),
        ("pcm_alaw", "mov", "mkv", "pcm_s16le"),
        ("pcm_mulaw", "avi", "mp4", "aac"),
        ("wmav2", "wmv", "mp4", "aac"),
        ("wmav2", "avi", "mp4", "aac"),
        ("flac", "mkv", "mp4", "flac"),
        ("libopus", "mkv", "mp4", "opus"),
        ("ac3", "mkv", "mp4", "ac3"),
        ("libmp3lame", "mkv", "mov", "mp3"),
    ],
)
def test_sound_that_cannot_be_held_is_coded_anew(
    tmp_path: Path, codec: str, kind: str, target: str, expected: str
) -> None:
    try:
        source = make(tmp_path / f"in.{kind}", "-c:a", codec, "-strict", "-2", sound=TONE)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this ffmpeg cannot make it: {error.stderr[-200:]!r}")
    warnings = cut(source, tmp_path / f"out.{target}")
    (sound,) = [s for s in probe(tmp_path / f"out.{target}")["streams"] if s["codec_type"] == "audio"]
    assert sound["codec_name"] == expected
    kept = {"libopus": "opus", "libmp3lame": "mp3"}.get(codec, codec) == expected
    assert (not kept) == any("coded anew" in w for w in warnings)
    assert not any("damaged" in w for w in warnings)
    loud = tones_in(tmp_path / f"out.{target}")
    assert len(loud) == pytest.approx(10, abs=1)
    assert min(loud[1:-2]) > 0.02


@needs_ffmpeg
def test_it_is_said_where_channels_of_sound_are_lost(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mov", "-c:a", "pcm_s16le", "-ac", "16", sound=TONE)
    (said,) = cut(source, tmp_path / "out.mp4")
    assert "(pcm_s16le) is coded anew as aac, and its 16 channels become 2, as .mp4 cannot hold it" in said
    (sound,) = [s for s in probe(tmp_path / "out.mp4")["streams"] if s["codec_type"] == "audio"]
    assert sound["channels"] == 2
    assert min(tones_in(tmp_path / "out.mp4")[1:-2]) > 0.005


def test_marks_of_subtitles_are_left_out() -> None:
    assert plain_text(rb"{\an8}<i>up</i> {a set}", "subrip") == "up {a set}"
    assert plain_text(rb"0,0,Default,,0,0,0,,{\an8}{note}up\Ndown", "ass") == "up\ndown"


@needs_ffmpeg
@pytest.mark.parametrize("target", ["mp4", "mov", "mkv"])
def test_flags_languages_subtitles_chapters_and_tags_are_kept(tmp_path: Path, target: str) -> None:
    (tmp_path / "s.srt").write_text("1\n00:00:00,200 --> 00:00:00,700\n<i>Grüße</i>\n")
    chapters = ";FFMETADATA1\ntitle=My talk\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=one\n"
    (tmp_path / "c.txt").write_text(chapters + "[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=two\n")
    source = tmp_path / "in.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", HALVES, "-f", "lavfi", "-i", TONE, "-i", tmp_path / "s.srt", "-i", tmp_path / "c.txt"),
        *("-map", "0:v", "-map", "1:a", "-map", "1:a", "-map", "1:a", "-map", "2", "-map_metadata", "3"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-c:s", "srt"),
        *("-disposition:a:0", "0", "-disposition:a:1", "default", "-disposition:a:2", "comment"),
        *("-disposition:v:0", "default", "-disposition:s:0", "forced"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", "-metadata:s:s:0", "language=fra"),
        source,
    )
    warnings = cut(source, tmp_path / f"out.{target}")
    lost = ("audio stream 3 are not carried over: comment", "subtitle stream 4 are not carried over: forced")
    assert warnings == (tuple(f"flags of {words}" for words in lost) if target == "mov" else ())
    made = probe(tmp_path / f"out.{target}")
    assert made["streams"][0]["disposition"]["default"] == 1
    sounds = [s for s in made["streams"] if s["codec_type"] == "audio"]
    assert [s["disposition"]["default"] for s in sounds] == [0, 1, 0]
    if target != "mov":  # QuickTime has no flag for a commentary
        assert [s["disposition"]["comment"] for s in sounds] == [0, 0, 1]
    assert [s["tags"].get("language") for s in sounds[:2]] == ["eng", "ger" if target == "mov" else "deu"]
    (words,) = [s for s in made["streams"] if s["codec_type"] == "subtitle"]
    assert words["codec_name"] == ("subrip" if target == "mkv" else "mov_text")
    assert words["disposition"]["forced"] == (target != "mov")
    assert words["tags"]["language"] in ("fra", "fre")  # one language by two codes
    ffmpeg("-i", tmp_path / f"out.{target}", "-map", "0:s", tmp_path / "again.srt")
    text = (tmp_path / "again.srt").read_text()
    assert "Grüße" in text
    assert "00:00:00,2" in text
    assert "00:00:00,7" in text
    assert [c["tags"]["title"] for c in made["chapters"]] == ["one", "two"]
    assert made["format"]["tags"]["title"] == "My talk"


@needs_ffmpeg
def test_subtitles_of_mp4_and_styled_ones_reach_mkv(tmp_path: Path) -> None:
    (tmp_path / "s.srt").write_text("1\n00:00:00,200 --> 00:00:00,700\nhello\n")
    for codec, kind, target in (("mov_text", "mp4", "mkv"), ("ass", "mkv", "mp4")):
        source = tmp_path / f"{codec}.{kind}"
        ffmpeg("-f", "lavfi", "-i", HALVES, "-i", tmp_path / "s.srt", "-c:v", "libx264", "-c:s", codec, source)
        warnings = cut(source, tmp_path / f"{codec}_out.{target}")
        assert ("styles" in " ".join(warnings)) == (codec == "ass")
        ffmpeg("-i", tmp_path / f"{codec}_out.{target}", "-map", "0:s", tmp_path / "again.srt")
        assert (tmp_path / "again.srt").read_text().split("\n")[2] == "hello"


@needs_ffmpeg
@pytest.mark.parametrize("target", ["mp4", "mov", "mkv"])
def test_apple_s_keys_and_unusual_tags_are_kept(tmp_path: Path, target: str) -> None:
    tags = {"com.apple.quicktime.make": "Apple", "com.apple.quicktime.location.ISO6709": "+48.1+011.5/", "title": "Hi"}
    words = [w for k, v in tags.items() for w in ("-metadata", f"{k}={v}")]
    source = make(tmp_path / "in.mov", "-movflags", "use_metadata_tags", *words)
    warnings = cut(source, tmp_path / f"out.{target}")
    found = {k.lower(): v for k, v in probe(tmp_path / f"out.{target}")["format"]["tags"].items()}
    for key, value in tags.items():
        assert found.get(key.lower()) == value or any(key in w for w in warnings)
    assert found["title"] == "Hi"


# --- levels and colours


def levels(path: Path) -> np.ndarray[Any, Any]:
    """Luma of the first frame, as it is stored."""
    with VideoReader(path) as reader:
        raw = next(reader.frames()).raw
        high = raw.format.components[0].bits > 8
        plane = np.frombuffer(raw.planes[0], np.uint16 if high else np.uint8)
        return plane.reshape(raw.height, -1)[:, : raw.width].astype(int)


def watched(path: Path, network: OnnxNetwork) -> Footage:
    return watch(path, network=network)


@needs_ffmpeg
@pytest.mark.parametrize("pad", ["black", "white", "blur", "extend"])
@pytest.mark.parametrize("kind", ["full", "hdr", "limited", "10-bit"])
def test_padding_keeps_levels(tmp_path: Path, tiny_network: OnnxNetwork, pad: str, kind: str) -> None:
    """The same levels inside as without padding, and black and white as the film codes them."""
    ramp = "nullsrc=s=320x120:r=10:d=0.3,format={},geq=lum='{}*X/319':cb={}:cr={}"
    coded = {
        "full": (["-pix_fmt", "yuvj420p", "-color_range", "pc"], ramp.format("yuv420p", 255, 128, 128), 0, 255),
        "limited": ([], ramp.format("yuv420p", 235, 128, 128), 16, 235),
        "10-bit": (["-pix_fmt", "yuv420p10le"], ramp.format("yuv420p10le", 940, 512, 512), 64, 940),
        "hdr": (
            ["-pix_fmt", "yuv420p10le", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"],
            ramp.format("yuv420p10le", 940, 512, 512),
            64,
            573,  # reference white of BT.2408: 58 % of the signal
        ),
    }
    words, picture, black, white = coded[kind]
    source = tmp_path / "in.mkv"
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "ffv1", *words, source)
    footage = watched(source, tiny_network)
    plan = plan_reframe(footage, "9:16", must_keep=["0.05,0,0.95,1"], pad=pad, size="180x320")
    assert plan.shots[0].kind == "pad"
    render_reframe(plan, tmp_path / "out.mkv")
    made, before = levels(tmp_path / "out.mkv"), levels(source)
    box, middle = plan.box_at(0), made[160]
    inside = before[60, round(box.left * 320) : round(box.right * 320)]
    expected = np.interp(np.linspace(0, len(inside) - 1, 180), np.arange(len(inside)), inside)
    scale = 4 if before.max() > 255 else 1
    assert np.abs(middle[8:-8] - expected[8:-8]).mean() < 3 * scale
    if pad in ("black", "white"):
        assert np.median(made[4]) == pytest.approx({"black": black, "white": white}[pad], abs=3 * scale)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("words", "expected", "said"),
    [
        (("-pix_fmt", "yuv422p"), "yuv422p", "4:2:2 is kept"),
        (("-pix_fmt", "yuv420p10le"), "yuv420p10le", "10 bits are kept"),
        (("-pix_fmt", "yuv422p10le"), "yuv422p10le", "10 bits are kept"),
        (("-pix_fmt", "yuv444p"), "yuv444p", "4:4:4 is kept"),
        (("-pix_fmt", "gray"), "yuvj420p", ""),
        (("-pix_fmt", "yuvj420p"), "yuvj420p", ""),
        (("-c:v", "libx264rgb", "-pix_fmt", "rgb24"), "yuv420p", "RGB"),
        (("-c:v", "ffv1", "-pix_fmt", "gbrp10le"), "yuv420p10le", "10 bits are kept, as HEVC"),
        (("-c:v", "ffv1", "-pix_fmt", "gbrp12le"), "yuv420p10le", "12 bits become 10"),
        (("-c:v", "ffv1", "-pix_fmt", "yuv411p"), "yuv420p", ""),
        (("-c:v", "ffv1", "-pix_fmt", "yuv420p12le"), "yuv420p10le", "12 bits become 10"),
    ],
)
def test_bits_and_chroma_are_kept_or_said(tmp_path: Path, words: tuple[str, ...], expected: str, said: str) -> None:
    source = make(tmp_path / "in.mkv", *words, *(() if "-c:v" in words else ("-c:v", "libx264")))
    warnings = " ".join(cut(source, tmp_path / "out.mp4"))
    assert said in warnings
    (film,) = probe(tmp_path / "out.mp4")["streams"]
    assert film["pix_fmt"] == expected
    frames, before = pixels_of(tmp_path / "out.mp4"), pixels_of(source)
    assert np.abs(frames[3] - before[3]).mean() < 6
    if "rgb24" in words:
        assert (film["color_space"], film["color_range"]) == ("bt709", "tv")


@needs_ffmpeg
@pytest.mark.parametrize("bits", ["10", "12"])
def test_h264_is_written_in_8_bits(tmp_path: Path, bits: str) -> None:
    """Few players know H.264's profiles of more bits."""
    source = make(tmp_path / "in.mkv", "-c:v", "ffv1", "-pix_fmt", f"yuv420p{bits}le")
    warnings = cut(source, tmp_path / "out.mp4", encode=EncodeOptions(codec="h264"))
    assert warnings == (f"{bits} bits become 8",)
    (film,) = probe(tmp_path / "out.mp4")["streams"]
    assert (film["codec_name"], film["profile"], film["pix_fmt"]) == ("h264", "High", "yuv420p")
    assert np.abs(pixels_of(tmp_path / "out.mp4")[3] - pixels_of(source)[3]).mean() < 3


@needs_ffmpeg
@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.gif", ("-c:v", "gif")),
        ("a.mov", ("-c:v", "png", "-pix_fmt", "rgba")),
        ("a.mkv", ("-c:v", "ffv1", "-pix_fmt", "yuva420p")),
    ],
)
def test_transparency_is_said_where_a_pixel_is_transparent(
    tmp_path: Path, name: str, words: tuple[str, ...], clear: bool
) -> None:
    picture = "testsrc2=s=64x48:r=5:d=0.4,format=rgba"
    if clear:
        picture += ",geq=r=r(X\\,Y):g=g(X\\,Y):b=b(X\\,Y):a=255*gt(X\\,8)"
    if name == "a.gif":
        picture += ",split[a][b];[a]palettegen[p];[b][p]paletteuse"
    warnings = cut(make(tmp_path / name, *words, picture=picture), tmp_path / "out.mp4")
    assert ("transparency is not carried over" in warnings) == clear


@needs_ffmpeg
def test_interlaced_films_are_deinterlaced(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    moving = "testsrc2=s=320x240:r=50:d=1,tinterlace=interleave_top,setfield=tff"
    source = make(tmp_path / "in.mkv", "-flags", "+ildct+ilme", "-x264opts", "tff=1", picture=moving)
    warnings = cut(source, tmp_path / "out.mp4")
    assert any("interlaced" in w for w in warnings)
    assert len(times_of(tmp_path / "out.mp4")) == 25

    def combed(path: Path) -> float:
        """How much more a row differs from its neighbours than from the next but one."""
        with av.open(str(path)) as container:
            grey = [f.to_ndarray(format="gray").astype(int) for f in container.decode(video=0)][12]
        return float(np.abs(np.diff(grey, axis=0)).mean() / np.abs(grey[2:] - grey[:-2]).mean())

    assert combed(source) > 1.3 * combed(tmp_path / "out.mp4")
    plan = plan_reframe(source, "1:1", network=tiny_network)
    (tmp_path / "path.cmd").write_text(ffmpeg_commands(plan))
    ffmpeg("-i", source, "-vf", ffmpeg_filter(plan, str(tmp_path / "path.cmd")), tmp_path / "theirs.mp4")
    assert combed(source) > 1.3 * combed(tmp_path / "theirs.mp4")
    assert np.diff(times_of(tmp_path / "out.mp4")) == pytest.approx(0.04, abs=0.001)


@needs_ffmpeg
def test_colours_are_the_same_with_and_without_words_about_them(tmp_path: Path) -> None:
    for tags in ((), ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")):
        source = make(tmp_path / "in.mkv", *tags, picture="testsrc=s=320x240:r=5:d=0.4")
        cut(source, tmp_path / "out.mp4")
        before, after = (probe(p)["streams"][0] for p in (source, tmp_path / "out.mp4"))
        assert before.get("color_space") == after.get("color_space")
        assert np.abs(levels(source) - levels(tmp_path / "out.mp4")).mean() < 2


# --- shapes


@needs_ffmpeg
def test_anamorphic_films_are_written_in_square_pixels(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    """A circle stays a circle: 180 stored pixels stand for 320."""
    circle = "color=black:s=180x180:r=10:d=0.5,format=gray,geq=lum='if(lt(hypot((X-90)*16/9,Y-90),70),235,16)'"
    source = make(tmp_path / "in.mp4", "-vf", "setsar=16/9", picture=circle)
    footage = watched(source, tiny_network)
    for size, expected in ((None, Size(180, 180)), ("240x240", Size(240, 240)), ("90x160", Size(90, 160))):
        ratio = "9:16" if size == "90x160" else "1:1"
        made = render_reframe(plan_reframe(footage, ratio, size=size), tmp_path / "out.mp4")
        with VideoReader(made.path) as reader:
            assert (reader.info.size, reader.info.pixel_aspect) == (expected, Fraction(1))
            white = next(reader.frames()).pixels()[..., 1] > 120
        if ratio == "1:1":
            assert white.any(0).sum() == pytest.approx(white.any(1).sum(), abs=3)


def test_a_size_of_another_ratio_is_refused(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    footage = watched(make_clip(tmp_path / "in.mp4", seconds=0.5), tiny_network)
    with pytest.raises(InvalidValueError, match="use 608x1080, or the ratio 1:1"):
        plan_reframe(footage, "9:16", size="1080x1080")
    for good in ("1080x1920", "406x720", "405x720", "608x1080"):
        assert plan_reframe(footage, "9:16", size=good).size.width % 2 == 0


def test_an_edited_key_frame_of_another_ratio_is_refused(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    plan = plan_reframe(watched(make_clip(tmp_path / "in.mp4", seconds=0.5), tiny_network), "9:16")
    values = plan.to_dict()
    values["shots"][0]["keys"][0]["box"] |= {"top": 0.3, "bottom": 0.6}
    with pytest.raises(InvalidPlanError, match="shot 1's key frame at 0 s is 100x54 pixels; expected the ratio"):
        ReframePlan.from_dict(values)


@needs_cases
def test_the_edited_plan_that_stretched_is_refused() -> None:
    with pytest.raises(InvalidPlanError, match="key frame at 6 s"):
        ReframePlan.from_dict(json.loads((CASES / "edit_ratio.json").read_text()))


# --- ffmpeg follows the path


@needs_ffmpeg
def test_ffmpeg_goes_the_same_way(tmp_path: Path) -> None:
    """The written commands, run by ffmpeg, against our own film: 30 dB and better."""
    from eyefirst.films.path import CameraPath, KeyFrame
    from eyefirst.films.reframe_plan import ShotPath
    from eyefirst.geometry import AspectRatio

    source = make(tmp_path / "in.mp4", "-crf", "10", picture="mandelbrot=s=640x360:r=25:maxiter=200,trim=duration=2")
    with VideoReader(source) as reader:
        assert isinstance(reader.info.size, Size)
    wide = 202 / 640
    keys = tuple(KeyFrame(t, Box(x, 0, x + wide, 1)) for t, x in ((0.0, 0.1), (2.0, 0.6)))
    shot = ShotPath(Fraction(0), Fraction(2), "pan", CameraPath(keys), 0.0, 0.0)
    plan = ReframePlan(
        str(source),
        Size(640, 360),
        Fraction(1),
        Fraction(2),
        AspectRatio.parse("9:16"),
        Size(202, 360),
        None,
        "r",
        (shot,),
    )
    commands = tmp_path / "it's a, [b]; c:d\\e.cmd"
    commands.write_text(ffmpeg_commands(plan))
    ffmpeg("-i", source, "-vf", ffmpeg_filter(plan, str(commands)), "-crf", "10", tmp_path / "theirs.mp4")
    render_reframe(plan, tmp_path / "ours.mp4")
    ours, theirs = pixels_of(tmp_path / "ours.mp4"), pixels_of(tmp_path / "theirs.mp4")
    assert len(ours) == len(theirs) == 50
    error = np.mean([((a - b) ** 2).mean() for a, b in zip(ours, theirs, strict=True)])
    assert 10 * np.log10(255**2 / error) > 30


def test_a_shot_is_a_shot(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    """Plans, shots and what they hold are equal after a round trip through JSON."""
    plan = plan_reframe(watched(make_clip(tmp_path / "in.mp4", seconds=1), tiny_network), "9:16")
    assert isinstance(watched(tmp_path / "in.mp4", tiny_network).shots[0], Shot)
    assert ReframePlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
