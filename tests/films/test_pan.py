from __future__ import annotations

import json
import sys
import wave
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import ImageFilter
from skimage import data

from eyefirst.errors import (
    InvalidPlanError,
    InvalidValueError,
    MissingExtraError,
    NotAPictureError,
    PictureError,
    PictureNotFoundError,
)
from eyefirst.films.pan import film_frames, frame_count, order_by_time, plan_pan, preview, render_pan
from eyefirst.films.pan_plan import Move, PanPlan
from eyefirst.films.path import KeyFrame, SpeedLimits, between, eased, seconds_needed
from eyefirst.films.sound import read_sound
from eyefirst.films.writer import VideoWriter, even
from eyefirst.geometry import Box, Size

FILM = Size(160, 90)


@st.composite
def frames(draw: Callable[[st.SearchStrategy[float]], float]) -> Box:
    """Frames of one ratio inside a picture."""
    width = draw(st.floats(0.1, 1))
    height = width * 0.7
    left, top = draw(st.floats(0, 1)) * (1 - width), draw(st.floats(0, 1)) * (1 - height)
    return Box(left, top, min(left + width, 1.0), min(top + height, 1.0))


@settings(deadline=None)
@given(frames(), frames(), st.floats(0, 1))
def test_a_path_stays_inside_and_keeps_its_ratio(start: Box, end: Box, share: float) -> None:
    box = between(start, end, share)
    assert min(box.left, box.top) >= -1e-9
    assert max(box.right, box.bottom) <= 1 + 1e-9
    assert box.height / box.width == pytest.approx(0.7, rel=1e-6)


@settings(deadline=None)
@given(frames(), frames())
def test_speed_limits_hold(start: Box, end: Box) -> None:
    limits = SpeedLimits()
    seconds = max(seconds_needed(start, end, limits), 0.1)
    steps = [between(start, end, i / 200) for i in range(201)]
    for a, b in pairwise(steps):
        across = np.hypot(b.center.x - a.center.x, b.center.y - a.center.y) / a.width
        assert across / (seconds / 200) < limits.pan * 1.1 + 1e-6
        assert abs(np.log2(b.width / a.width)) / (seconds / 200) < limits.zoom * 1.05 + 1e-6


def test_moves_start_and_end_at_rest() -> None:
    assert (eased(0), eased(1)) == (0, 1)
    assert eased(0.01) < 1e-4
    assert between(Box(0, 0, 1, 1), Box(0.25, 0.25, 0.75, 0.75), 0.5).width == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("times", [(0.0,), (0.5, 1.0), (0.0, 0.0), (0.0, 2.0, 1.0)])
def test_key_frames_rise_from_0(times: tuple[float, ...]) -> None:
    with pytest.raises(InvalidPlanError):
        Move("a.jpg", "", Size(9, 9), tuple(KeyFrame(t, Box.whole()) for t in times), "")


# --- an album


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album")
    PillowImage.fromarray(data.coffee()).save(folder / "b.png")
    PillowImage.fromarray(data.coffee()).resize((500, 334)).save(folder / "again.jpg", quality=70)
    PillowImage.fromarray(data.chelsea()).save(folder / "c.png")
    PillowImage.fromarray(data.astronaut()).filter(ImageFilter.GaussianBlur(6)).save(folder / "soft.png")
    (folder / "no.jpg").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def plan(album: Path) -> PanPlan:
    names = ("b.png", "c.png", "no.jpg")
    return plan_pan([str(album / n) for n in names], FILM, frames_per_second=8, seconds=1.5, fade_seconds=0.5)


def test_a_plan_shows_what_it_can_and_says_what_it_cannot(plan: PanPlan) -> None:
    assert [Path(m.picture).name for m in plan.moves] == ["b.png", "c.png"]
    (out,) = plan.left_out
    assert Path(out.picture).name == "no.jpg"
    assert "not a picture" in out.reason
    assert out.code == "not_a_picture"
    assert plan.starts == (0.0, plan.moves[0].seconds - 0.5)
    for move in plan.moves:
        assert move.seconds >= 1.5
        for key in move.keys:
            pixels = (key.box.width * move.size.width, key.box.height * move.size.height)
            assert pixels[0] / pixels[1] == pytest.approx(16 / 9, rel=1e-3)


def test_a_plan_survives_json(plan: PanPlan) -> None:
    again = PanPlan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again.to_dict() == plan.to_dict()
    stretched = json.loads(json.dumps(plan.to_dict()))
    stretched["moves"][0]["keys"][0]["box"] = {"left": 0, "top": 0, "right": 0.3, "bottom": 1}
    with pytest.raises(InvalidPlanError, match="key frame at 0 s"):
        PanPlan.from_dict(stretched)
    for broken in (
        {},
        plan.to_dict() | {"schema": "other"},
        plan.to_dict() | {"moves": [{}]},
        plan.to_dict() | {"moves": []},
    ):
        with pytest.raises(InvalidPlanError):
            PanPlan.from_dict(broken)


def test_the_best_leave_out_copies_and_soft_pictures(album: Path) -> None:
    paths = [str(album / n) for n in ("again.jpg", "b.png", "c.png", "soft.png")]
    best = plan_pan(paths, FILM, best=2, seconds=1)
    reasons = {Path(o.picture).name: o.reason for o in best.left_out}
    assert reasons["soft.png"] == "soft where people look"
    twin = "b.png" if "again.jpg" in reasons else "again.jpg"
    (name,) = set(reasons) - {"soft.png"}
    assert reasons[name] == f"nearly the same as {twin}"


def test_what_is_left_out_is_said_before_nothing_is_left(album: Path, tmp_path: Path) -> None:
    said: list[str] = []
    paths = [str(album / "no.jpg"), str(tmp_path / "gone.jpg")]
    with pytest.raises(PictureError, match="none of 2 pictures can be used"):
        plan_pan(paths, FILM, say=said.append)
    assert [line.split(";")[0] for line in said] == [
        f"{paths[0]}: left out: is not a picture in a format that is read",
        f"{paths[1]}: left out: there is no such file",
    ]


def test_order_by_time(album: Path, tmp_path: Path) -> None:
    for name, taken in (("late.jpg", "2024:05:02 10:00:00"), ("early.jpg", "2001:01:01 00:00:00")):
        exif = PillowImage.Exif()
        exif[306] = taken
        PillowImage.new("RGB", (8, 8)).save(tmp_path / name, exif=exif)
    paths = [str(tmp_path / "late.jpg"), str(album / "b.png"), str(tmp_path / "early.jpg")]
    assert order_by_time(paths) == [paths[2], paths[0], paths[1]]


def test_frames_begin_with_the_planned_frame(plan: PanPlan) -> None:
    shown = list(film_frames(plan))
    assert len(shown) == frame_count(plan)
    assert {f.size for f in shown} == {(160, 90)}
    with PillowImage.open(plan.moves[0].picture) as picture:
        box = plan.moves[0].keys[0].box.to_pixels(Size(*picture.size))
        expected = picture.convert("RGB").crop((box.left, box.top, box.right, box.bottom)).resize((160, 90))
    assert np.abs(np.asarray(shown[0], int) - np.asarray(expected, int)).mean() < 6
    steps = [np.abs(np.asarray(a, int) - np.asarray(b, int)).mean() for a, b in pairwise(shown)]
    assert max(steps) < 45  # cross-faded: nothing jumps
    assert preview(plan).width > 900


def test_a_changed_picture_is_refused(plan: PanPlan, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    PillowImage.new("RGB", (600, 400)).save(other)
    values = plan.to_dict()
    values["moves"][0]["picture"] = str(other)
    with pytest.raises(InvalidPlanError, match="is not the picture"):
        next(film_frames(PanPlan.from_dict(values)))


def test_bad_words(album: Path) -> None:
    paths = [str(album / "b.png")]
    with pytest.raises(InvalidValueError, match="seconds"):
        plan_pan(paths, FILM, seconds=0)
    with pytest.raises(InvalidValueError, match="at least 1 picture"):
        plan_pan(paths, FILM, best=0)
    with pytest.raises(PictureNotFoundError, match="there are no pictures"):
        plan_pan([], FILM)
    with pytest.raises(NotAPictureError, match=r"no\.jpg"):
        plan_pan([str(album / "no.jpg")], FILM)
    with pytest.raises(InvalidValueError):
        SpeedLimits(pan=0)
    assert even(Size(641, 361)) == Size(640, 360)


def test_it_is_said_where_a_picture_is_too_small(album: Path) -> None:
    small = str(album / "c.png")  # 451 x 300
    assert plan_pan([small], Size(640, 360), seconds=1).warnings == ()
    lost: list[str] = []
    assert plan_pan([small], Size(641, 360), seconds=1, say=lost.append).size == Size(640, 360)
    assert lost == ["641x360 becomes 640x360: the sides of a film are even"]
    (said,) = plan_pan([small], Size(1280, 720), seconds=1).warnings
    assert said == f"{small}: enlarged up to 2.8 times for 1280x720, so it looks soft"


# --- the film itself


def test_the_film_holds_what_was_planned(plan: PanPlan, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV comes with the extra 'video'")
    with wave.open(str(tmp_path / "beep.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(22050)
        sound.writeframes((np.sin(np.arange(22050) / 10) * 9000).astype(np.int16).tobytes())
    film = tmp_path / "new" / "film.mp4"
    render_pan(plan, film, sound=str(tmp_path / "beep.wav"))
    with av.open(str(film)) as container:
        assert {s.type for s in container.streams} == {"video", "audio"}
        decoded = [f.to_image() for f in container.decode(video=0)]
    assert len(decoded) == frame_count(plan)
    assert decoded[0].size == (160, 90)
    first = next(film_frames(plan))
    assert np.abs(np.asarray(decoded[0], int) - np.asarray(first, int)).mean() < 8
    heard = read_sound(str(film), 1.0)
    assert np.abs(heard[:, 4800:24000]).mean() > 0.02
    assert [p.name for p in film.parent.iterdir()] == ["film.mp4"]


def test_a_broken_off_film_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV comes with the extra 'video'")

    def film() -> None:
        with VideoWriter(tmp_path / "film.mp4", FILM, 8) as writer:
            writer.write(PillowImage.new("RGB", (160, 90)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_film_and_no_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av", reason="PyAV comes with the extra 'video'")
    with pytest.raises(InvalidValueError, match=r"end in \.mp4"):
        VideoWriter(tmp_path / "film.gif", FILM, 8)
    (tmp_path / "no.mp3").write_text("no sound")
    with pytest.raises(InvalidValueError, match="cannot be read as sound"):
        read_sound(str(tmp_path / "no.mp3"), 1)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"eyefirst\[video\]"):
        VideoWriter(tmp_path / "film.mp4", FILM, 8)
