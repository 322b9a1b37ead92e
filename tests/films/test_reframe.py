"""Shots, camera paths and reframed films, on films whose subject is known."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from eyefirst.errors import InvalidPlanError, InvalidValueError, MissingExtraError, OutputError, UnsupportedPictureError
from eyefirst.files.outputs import write_picture
from eyefirst.films.fcpxml import fcpxml_of, plan_of_fcpxml
from eyefirst.films.path import CameraPath, KeyFrame, TrackLimits, smooth_track
from eyefirst.films.reader import VideoReader
from eyefirst.films.reframe import draft, plan_reframe, reframe, render_reframe, strip
from eyefirst.films.reframe_plan import MustKeep, ReframePlan, ffmpeg_commands, ffmpeg_filter
from eyefirst.films.shots import cover, preview, rank_shots, shots_to_dict, timecode, watch
from eyefirst.films.sights import Footage
from eyefirst.films.timeline import plan_of, timeline_of
from eyefirst.geometry import Box, Size
from eyefirst.network import OnnxNetwork, Prediction
from tests.make_clips import SIDE, WIDTH, make_clip

av: Any = pytest.importorskip("av", reason="PyAV comes with the extra 'video'")
CLIPS = Path(__file__).parents[3] / "shared" / "data" / "video"
HALF = SIDE / WIDTH / 2
Where = Callable[[float], Sequence[tuple[float, float]]]


def crossing(t: float) -> Sequence[tuple[float, float]]:
    return [(0.12 + 0.76 * min(t / 6, 1), 0.5)]


def with_cut(t: float) -> Sequence[tuple[float, float]]:
    return [(0.2 if t < 2 else 0.8, 0.5)]


def pair(_: float) -> Sequence[tuple[float, float]]:
    return [(0.15, 0.5), (0.85, 0.5)]


Make = Callable[..., Footage]


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, tiny_network: OnnxNetwork) -> Make:
    """A film, watched by a network that sees brightness and redness; each made once."""
    made: dict[str, Footage] = {}

    def make(name: str, place: Where, **options: Any) -> Footage:
        if name not in made:
            path = make_clip(tmp_path_factory.mktemp("film") / f"{name}.mp4", place=place, **options)
            made[name] = watch(path, network=tiny_network)
        return made[name]

    return make


def cuts(t: float) -> int:
    return 30 if t < 2 else 110


def inside(plan: ReframePlan, place: Where, seconds: float) -> float:
    """How often a subject is fully inside."""
    times = np.arange(0, seconds, 0.05)
    good = [any(_holds(plan.box_at(float(t)), x) for x, _ in place(float(t))) for t in times]
    return float(np.mean(good))


def _holds(box: Box, x: float) -> bool:
    return box.left <= x - HALF + 0.01 and box.right >= x + HALF - 0.01


# --- shots


def test_shots_begin_where_the_film_cuts(filmed: Make) -> None:
    footage = filmed("cut", with_cut, seconds=4, ground=cuts)
    assert len(footage.shots) == 2
    assert float(footage.shots[1].start) == pytest.approx(2, abs=0.05)
    assert footage.shots[0].end == footage.shots[1].start
    assert footage.frame_count == 96
    for shot in footage.shots:
        assert shot.sights[0].seconds == shot.start  # looked at at every shot change
    assert 10 <= sum(len(s.sights) for s in footage.shots) <= 15
    assert footage.shot_at(Fraction(1)) == 0
    assert footage.shot_at(Fraction(3)) == 1


@pytest.mark.parametrize(("place", "looks"), [(lambda _: [(0.8, 0.5)], 1), (crossing, 13)])
def test_what_has_not_moved_is_not_looked_at_again(
    place: Where, looks: int, tmp_path: Path, tiny_network: OnnxNetwork
) -> None:
    class Counting:
        revision, input_side, seen = tiny_network.revision, tiny_network.input_side, 0

        def predict(self, pictures: np.ndarray) -> Prediction:
            self.seen += len(pictures)
            return tiny_network.predict(pictures)

    counting = Counting()
    (shot,) = watch(make_clip(tmp_path / "film.mp4", place=place, seconds=4), network=counting).shots
    assert counting.seen == looks
    times = [float(s.seconds) for s in shot.sights]
    assert times == pytest.approx([*(i / 3 for i in range(12)), 4 - 1 / 24], abs=0.05)  # and its last frame


def test_a_moving_subject_is_one_shot(filmed: Make) -> None:
    assert len(filmed("crossing", crossing, seconds=6).shots) == 1


def test_shots_are_ranked_by_what_there_is_to_see(filmed: Make) -> None:
    def only_later(t: float) -> Sequence[tuple[float, float]]:
        return [(0.5, 0.5)] if t >= 2 else []

    footage = filmed("later", only_later, seconds=4, ground=lambda t: 110 if t < 2 else 30)
    ranked = rank_shots(footage)
    assert [r.number for r in ranked] == [2, 1]
    assert ranked[0].score > ranked[1].score
    picture = cover(footage)
    assert picture.size == (320, 180)
    assert np.asarray(picture)[90, 160, 0] > 150
    values = shots_to_dict(footage, ranked)
    json.dumps(values)
    assert [s["number"] for s in values["shots"]] == [1, 2]
    assert values["shots"][1]["start_timecode"].startswith("00:00:0")


def test_a_detector_raises_what_it_finds(filmed: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    footage = filmed("cut", with_cut, seconds=4, ground=cuts)

    class LeftOnly:
        def detect(self, pixels: Any, region: Box) -> tuple[Any, ...]:
            red = np.flatnonzero((pixels[90, :, 0] > 200) & (pixels[90, :, 1] < 90))
            return (object(),) if red.mean() < 160 else ()

    monkeypatch.setattr("eyefirst.films.shots.load_detector", lambda _: LeftOnly())
    first, second = rank_shots(footage, detector="left")
    assert (first.number, first.found, second.found) == (1, 1, 0)


def test_a_preview_lasts_as_long_as_asked(filmed: Make, tmp_path: Path) -> None:
    footage = filmed("cut", with_cut, seconds=4, ground=cuts)
    write_picture(preview(footage, seconds=2, width=96), tmp_path / "p.webp")
    with PillowImage.open(tmp_path / "p.webp") as picture:
        assert getattr(picture, "n_frames", 1) > 1
        assert picture.size == (96, 54)
    animation = preview(footage, seconds=2, width=96)
    assert sum(animation.durations_ms) == pytest.approx(2000, abs=150)
    with pytest.raises(InvalidValueError):
        preview(footage, seconds=0)


def test_time_codes() -> None:
    assert timecode(Fraction(3723) + Fraction(1, 2)) == "01:02:03.500"
    assert timecode(59.9996) == "00:01:00.000"


# --- the camera


def test_a_still_subject_is_held_on_whole_pixels(filmed: Make) -> None:
    plan = plan_reframe(filmed("still", lambda _: [(0.8, 0.5)]), "9:16")
    (shot,) = plan.shots
    assert shot.kind == "hold"
    assert plan.size == Size(100, 180)
    left = shot.path.keys[0].box.left * WIDTH
    assert left == pytest.approx(round(left), abs=1e-6)
    assert inside(plan, lambda _: [(0.8, 0.5)], 2) == 1
    assert shot.kept > shot.kept_by_centre


def test_a_crossing_subject_is_followed_within_the_limits(filmed: Make) -> None:
    plan = plan_reframe(filmed("crossing", crossing, seconds=6), "9:16")
    (shot,) = plan.shots
    assert shot.kind in ("pan", "track")
    assert inside(plan, crossing, 6) > 0.9
    limits = TrackLimits()
    step = 1 / 30
    share = plan.box_at(0).width
    lefts = np.array([plan.box_at(t).left for t in np.arange(0, 6, step)]) / share
    assert np.abs(np.diff(lefts)).max() / step <= limits.speed * 1.01
    assert np.abs(np.diff(lefts, 2)).max() / step**2 <= limits.acceleration * 1.05


def test_slow_limits_are_kept_and_cost_sight(filmed: Make) -> None:
    limits = TrackLimits(speed=0.1, acceleration=0.1)
    plan = plan_reframe(filmed("crossing", crossing, seconds=6), "9:16", limits=limits)
    lefts = np.array([plan.box_at(t).left for t in np.arange(0, 6, 0.05)]) / plan.box_at(0).width
    assert np.abs(np.diff(lefts)).max() / 0.05 <= 0.101
    assert inside(plan, crossing, 6) < 0.8


def test_the_camera_cuts_where_the_film_cuts(filmed: Make) -> None:
    plan = plan_reframe(filmed("cut", with_cut, seconds=4, ground=cuts), "9:16")
    assert [s.kind for s in plan.shots] == ["hold", "hold"]
    assert inside(plan, with_cut, 4) > 0.97


def test_near_equal_subjects_do_not_make_it_flicker(filmed: Make) -> None:
    def trembling(t: float) -> Sequence[tuple[float, float]]:
        return [(0.15, 0.5 + 0.02 * math.sin(9 * t)), (0.85, 0.5 + 0.02 * math.cos(7 * t))]

    plan = plan_reframe(filmed("trembling", trembling, seconds=4), "9:16")
    assert plan.shots[0].kind == "hold"
    assert inside(plan, trembling, 4) == 1
    assert "two subjects do not fit" in " ".join(plan.shots[0].warnings)


def test_a_short_occlusion_does_not_lose_the_subject(filmed: Make) -> None:
    def hidden(t: float) -> Sequence[tuple[float, float]]:
        return [] if 1.5 < t < 2.2 else [(0.8, 0.5)]

    plan = plan_reframe(filmed("hidden", hidden, seconds=4), "9:16")
    assert inside(plan, lambda _: [(0.8, 0.5)], 4) == 1


def test_two_subjects_are_padded_if_asked(filmed: Make, tmp_path: Path) -> None:
    plan = plan_reframe(filmed("pair", pair), "9:16", pad="blur")
    (shot,) = plan.shots
    assert shot.kind == "pad"
    box = shot.path.keys[0].box
    assert box.left < 0.15 - HALF
    assert box.right > 0.85 + HALF
    made = render_reframe(plan, tmp_path / "out.mp4")
    with VideoReader(made.path) as reader:
        assert reader.info.size == plan.size == Size(100, 180)
        pixels = next(reader.frames()).pixels()
    red = (pixels[..., 0] > 150) & (pixels[..., 1] < 110)
    assert red[90, :50].any()
    assert red[90, 50:].any()


def test_a_must_keep_region_holds_for_its_time(filmed: Make) -> None:
    footage = filmed("still4", lambda _: [(0.8, 0.5)], seconds=6)
    plan = plan_reframe(footage, "9:16", must_keep=["0,0.4,0.2,0.6@0:00-0:02"])
    assert plan.box_at(0.5).left <= 0.01
    assert plan.box_at(5.5).right >= 0.8 + HALF - 0.01
    lost = plan_reframe(footage, "9:16", must_keep=[(0.0, 0.0, 0.9, 1.0)])
    assert "of must-keep region 1 lost" in lost.shots[0].warnings[0]
    padded = plan_reframe(footage, "9:16", must_keep=[(0.0, 0.0, 0.9, 1.0)], pad="black")
    assert padded.shots[0].kind == "pad"
    assert padded.shots[0].warnings == ()


def test_tightness_changes_the_size_for_the_shot_alone(filmed: Make) -> None:
    footage = filmed("still", lambda _: [(0.8, 0.5)])
    plan = plan_reframe(footage, "9:16", tightness=1)
    assert any("is enlarged up to" in w for w in plan.warnings)
    box = plan.box_at(0)
    assert box.height < 0.8
    assert box.height * 180 / (box.width * 320) == pytest.approx(16 / 9, rel=0.02)
    assert plan.box_at(1.5) == box
    assert plan.size == Size(100, 180)


def test_it_is_said_where_a_size_enlarges_the_film(filmed: Make) -> None:
    footage = filmed("still", lambda _: [(0.8, 0.5)])
    assert plan_reframe(footage, "1:1", size="220x220").warnings == footage.warnings
    plan = plan_reframe(footage, "1:1", size="360x360")
    assert plan.enlarged == pytest.approx(2)
    assert plan.warnings == (*footage.warnings, "360x360: the film is enlarged up to 2.0 times, so it looks soft")


def test_sides_are_even_and_no_window_is_a_line(filmed: Make) -> None:
    footage = filmed("still", lambda _: [(0.8, 0.5)])
    plan = plan_reframe(footage, "9:16", size="91x161")
    assert plan.size == Size(90, 160)
    assert plan.warnings == (*footage.warnings, "91x161 becomes 90x160: the sides of a film are even")
    with pytest.raises(InvalidValueError, match="a window of the ratio 1000:1 is narrower than 2 pixels"):
        plan_reframe(footage, "1000:1")
    assert plan_reframe(footage, "160:1").size == Size(320, 2)


def test_wide_from_tall_moves_up_and_down(filmed: Make) -> None:
    def rising(t: float) -> Sequence[tuple[float, float]]:
        return [(0.5, 0.85 - 0.7 * min(t / 4, 1))]

    footage = filmed("rising", rising, seconds=4, size=(180, 320))
    plan = plan_reframe(footage, "16:9")
    assert plan.shots[0].kind != "hold"
    for t in np.arange(0.2, 3.8, 0.1):
        box, y = plan.box_at(float(t)), rising(float(t))[0][1]
        assert box.top <= y <= box.bottom


# --- the path as data


def test_a_plan_survives_json(filmed: Make) -> None:
    for name, place in (("crossing", crossing), ("pair", pair)):
        plan = plan_reframe(filmed(name, place), "9:16", pad="blur")
        again = ReframePlan.from_dict(json.loads(json.dumps(plan.to_dict())))
        assert again.to_dict() == plan.to_dict()
        assert again.box_at(1.0).left == pytest.approx(plan.box_at(1.0).left, abs=1e-5)
    values = plan.to_dict()
    for broken in (
        {},
        values | {"schema": "x"},
        values | {"shots": []},
        values | {"shots": [{}]},
        values | {"size": {"width": 3, "height": 4}},
        values | {"pad": "nocolour"},
        values | {"shots": [values["shots"][0] | {"kind": "zoom"}]},
    ):
        with pytest.raises(InvalidPlanError):
            ReframePlan.from_dict(broken)


def test_ffmpeg_s_own_filters_go_the_same_way(filmed: Make, tmp_path: Path) -> None:
    plan = plan_reframe(filmed("crossing", crossing, seconds=6), "9:16")
    commands = tmp_path / "path.cmd"
    commands.write_text(ffmpeg_commands(plan))
    send, crop = ffmpeg_filter(plan, str(commands)).split(",")
    with VideoReader(plan.video) as reader:
        graph = av.filter.Graph()
        chain = [
            graph.add_buffer(template=reader.stream),
            graph.add("sendcmd", send.partition("=")[2]),
            graph.add("crop", crop.partition("=")[2]),
            graph.add("buffersink"),
        ]
        for a, b in pairwise(chain):
            a.link_to(b)
        graph.configure()
        for frame in reader.frames():
            graph.push(frame.raw)
            cut = graph.pull().to_ndarray(format="rgb24")
            left = round(plan.box_at(frame.seconds).left * WIDTH)
            expected = frame.pixels()[:, left : left + plan.size.width]
            assert cut.shape == expected.shape
            red_cut, red = ((p[90, :, 0] > 150).nonzero()[0] for p in (cut, expected))
            assert abs(red_cut.mean() - red.mean()) <= 2.5  # chroma is cut at even pixels
    with pytest.raises(InvalidPlanError, match="padding"):
        ffmpeg_commands(plan_reframe(filmed("pair", pair), "9:16", pad="blur"))


def test_a_strip_shows_the_window(filmed: Make) -> None:
    plan = plan_reframe(filmed("still", lambda _: [(0.8, 0.5)]), "9:16")
    picture = np.asarray(strip(plan, every_seconds=1, columns=2, height=90).convert("RGB")).astype(int)
    yellow = (picture[..., 0] > 220) & (picture[..., 1] > 180) & (picture[..., 2] < 120)
    assert yellow.sum() > 2 * 90


def test_spans_are_read() -> None:
    assert MustKeep.parse("0,0,1,1") == MustKeep(Box.whole())
    assert MustKeep.parse("0,0,1,1@1:05-1:12.5") == MustKeep(Box.whole(), 65, 72.5)
    assert MustKeep.parse("0,0,1,1@5-") == MustKeep(Box.whole(), 5)
    for bad in ("0,0,1,1@7", "0,0,1,1@7-5", "0,0,1,1@a-b", "0,0,2,1"):
        with pytest.raises(InvalidValueError):
            MustKeep.parse(bad)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=40), st.floats(0.2, 3))
def test_a_track_stays_in_the_picture_and_within_limits(wanted: list[float], room: float) -> None:
    middle = np.array(wanted) * room
    limits = TrackLimits(speed=0.5, acceleration=1.0)
    step = 1 / 3
    places = smooth_track(middle, middle, room, step, limits)
    assert places.min() >= 0
    assert places.max() <= room
    assert np.abs(np.diff(places)).max(initial=0) <= limits.speed * step + 1e-5
    assert np.abs(np.diff(places, 2)).max(initial=0) <= limits.acceleration * step**2 + 1e-5


def test_long_tracks_are_solved_in_pieces_without_a_seam() -> None:
    middle = 1 + np.sin(np.arange(1000) / 40)
    places = smooth_track(middle - 0.05, middle + 0.05, 2.0, 1 / 3, TrackLimits())
    assert len(places) == 1000
    assert np.abs(places - middle).max() < 0.2
    assert np.abs(np.diff(places, 2)).max() <= 1.2 / 9 + 1e-4


def test_a_track_does_not_swing_back_where_it_is_told_where_to_go() -> None:
    """The calmest track takes a run-up before a move and swings out after it; on a screen that is a lurch."""
    wanted = np.interp(np.arange(13), [4, 8], [0.2, 0.7])
    free, told = (
        smooth_track(wanted - 0.02, wanted + 0.02, 1.0, 1 / 3, TrackLimits(), ways=ways) for ways in (None, np.ones(12))
    )
    assert np.diff(free).min() < -0.005
    assert np.diff(told).min() > -1e-5
    assert np.abs(told - wanted).max() < 0.06


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.booleans())
def test_long_tracks_are_found_whatever_way_they_go(seed: int, quick: bool) -> None:
    random = np.random.default_rng(seed)
    knots = np.cumsum(random.integers(1, 6 if quick else 30, 400))
    wanted = np.interp(np.arange(900), knots, random.uniform(0, 2, 400))
    ways = np.sign(np.diff(wanted))
    track = smooth_track(wanted, wanted, 2.0, 1 / 3, TrackLimits(speed=0.5, acceleration=1.0), ways=ways)
    assert (np.diff(track) * ways).min() > -1e-5


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 0.6), min_size=2, max_size=12), st.floats(0, 1))
def test_a_spline_lies_between_its_key_frames(lefts: list[float], share: float) -> None:
    path = CameraPath(tuple(KeyFrame(float(i), Box(x, 0, x + 0.4, 1)) for i, x in enumerate(lefts)), "track")
    box = path.box_at(share * (len(lefts) - 1))
    assert min(lefts) - 1e-9 <= box.left <= max(lefts) + 1e-9
    assert box.width == pytest.approx(0.4)
    assert path.box_at(0).left == pytest.approx(lefts[0])
    assert path.box_at(len(lefts) - 1).left == pytest.approx(lefts[-1])


def test_paths_that_make_no_sense() -> None:
    box = Box.whole()
    for keys, kind in (((), "move"), ((KeyFrame(1, box), KeyFrame(1, box)), "move")):
        with pytest.raises(InvalidPlanError):
            CameraPath(keys, kind)  # type: ignore[arg-type]
    with pytest.raises(InvalidPlanError, match="evenly"):
        CameraPath((KeyFrame(0, box), KeyFrame(1, box), KeyFrame(5, box)), "track")
    with pytest.raises(InvalidValueError):
        TrackLimits(speed=0)


# --- the film


def test_a_film_is_reframed_in_one_line(filmed: Make, tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    source = filmed("crossing", crossing, seconds=6).video.name
    counted: list[int] = []
    made = reframe(source, tmp_path / "out.mp4", "9:16", network=tiny_network, progress=lambda: counted.append(1))
    assert made.frames == len(counted) == 144
    with VideoReader(source) as before, VideoReader(made.path) as after:
        assert after.info.size == Size(100, 180)
        assert [s.type for s in after.container.streams] == ["video", "audio"]
        for one, other in zip(before.frames(), after.frames(), strict=True):
            assert float(one.seconds) == pytest.approx(float(other.seconds), abs=1e-4)
            red = (other.pixels()[90, :, 0] > 150).nonzero()[0]
            expected = (crossing(float(one.seconds))[0][0] - made.plan.box_at(one.seconds).left) * WIDTH
            if 30 < expected < 70:
                assert red.mean() == pytest.approx(expected, abs=2.5)


def test_what_is_refused(
    filmed: Make, tmp_path: Path, tiny_network: OnnxNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    footage = filmed("still", lambda _: [(0.8, 0.5)])
    plan = plan_reframe(footage, "1:1")
    with pytest.raises(OutputError, match="would replace"):
        render_reframe(plan, plan.video)
    with pytest.raises(InvalidPlanError, match="is not the film"):
        render_reframe(plan, tmp_path / "o.mp4", source=make_clip(tmp_path / "other.mp4", size=(200, 100), seconds=0.3))
    with pytest.raises(InvalidValueError, match=r"end in \.mp4"):
        reframe(plan.video, tmp_path / "o.gif", network=tiny_network)
    with pytest.raises(InvalidValueError, match="rate"):
        watch(plan.video, rate=0)
    for options in ({"tightness": 2}, {"pad": "nocolour"}, {"must_keep": ["1,2"]}, {"size": "big"}):
        with pytest.raises(InvalidValueError):
            plan_reframe(footage, "9:16", **options)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"eyefirst\[video\]"):
        watch(plan.video, network=tiny_network)


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not here")
def test_real_clips_are_reframed(tmp_path: Path) -> None:
    singer = CLIPS / "face_recognition__short_hamilton_clip.mp4"
    plan = plan_reframe(singer, "9:16")
    assert len(plan.shots) >= 4
    assert plan.kept > plan.kept_by_centre
    one = watch(CLIPS / "moviepy__video-with-dash-.mp4")
    assert len(one.shots) == 1
    with pytest.raises(UnsupportedPictureError, match="2x2"):
        plan_reframe(one, "9:16")
    turned = plan_reframe(CLIPS / "moviepy__fire2.mp4", "1:1")
    assert render_reframe(turned, tmp_path / "out.mp4").frames == 25
    unknown = plan_reframe(CLIPS / "moviepy__no_duration.webm", "4:5")
    assert unknown.seconds == pytest.approx(4.9, abs=0.2)


# --- what an editor wants


@pytest.mark.parametrize(("place", "left"), [("left", 0.0), ("centre", 0.34), ("0.4", 0.24), ("right", 0.68)])
def test_the_window_of_one_shot_is_where_the_editor_wants_it(filmed: Make, place: str, left: float) -> None:
    footage = filmed("cut", with_cut, seconds=4, ground=cuts)
    plan = plan_reframe(footage, "9:16", shots=[f"2={place}"])
    assert plan.shots[0] == plan_reframe(footage, "9:16").shots[0]
    assert plan.shots[1].kind == "hold"
    assert plan.box_at(3).left == pytest.approx(left, abs=0.01)
    assert plan.box_at(3).width == plan.box_at(1).width


@pytest.mark.parametrize("wish", ["2", "2=middle", "2=1.5", "0=left", "3=left", "1=face"])
def test_wishes_that_cannot_be_met_are_refused(filmed: Make, wish: str) -> None:
    with pytest.raises(InvalidValueError):
        plan_reframe(filmed("cut", with_cut, seconds=4, ground=cuts), "9:16", shots=[wish])
    with pytest.raises(InvalidValueError, match="shot 1 has no face;"):
        plan_reframe(filmed("cut", with_cut, seconds=4, ground=cuts), "9:16", shots=["1=face2"])
    with pytest.raises(InvalidValueError, match="tiktok"):
        plan_reframe(filmed("cut", with_cut, seconds=4, ground=cuts), "9:16", safe_area="myspace")


def test_a_draft_shows_all_of_the_film_with_the_window(filmed: Make, tmp_path: Path) -> None:
    footage = filmed("cut", with_cut, seconds=4, ground=cuts)
    plan = plan_reframe(footage, "9:16")
    with VideoReader(draft(plan, tmp_path / "small.mp4", height=90)) as reader:
        frames = list(reader.frames())
    assert reader.info.size == Size(160, 90)
    assert len(frames) == footage.frame_count
    pixels = frames[-10].pixels().astype(int)
    box = plan.box_at(3.6)
    yellow = pixels[45, :, 0] - pixels[45, :, 2] > 60
    assert yellow[[round(box.left * 160), round(box.right * 160) - 1]].all()


# --- timelines


def test_a_timeline_holds_the_plan_and_gives_it_back_edited(filmed: Make) -> None:
    otio: Any = pytest.importorskip("opentimelineio", reason="OpenTimelineIO comes with the extra 'otio'")
    plan = plan_reframe(filmed("cut", with_cut, seconds=4, ground=cuts), "9:16")
    text = timeline_of(plan, Fraction(24))
    assert plan_of(text) == plan
    timeline = otio.adapters.read_from_string(text, "otio_json")
    first, second = timeline.find_clips()
    assert timeline.duration().to_seconds() == pytest.approx(4, abs=0.01)
    assert first.media_reference.target_url == plan.video
    step = otio.opentime.RationalTime(12, 24)  # the cut goes half a second back
    first.source_range = otio.opentime.TimeRange(first.source_range.start_time, first.source_range.duration - step)
    moved = plan.shots[1].path.keys[0].box.left
    second.source_range = otio.opentime.TimeRange(
        second.source_range.start_time - step, second.source_range.duration + step
    )
    edited = plan_of(otio.adapters.write_to_string(timeline, "otio_json"))
    assert [float(s.start) for s in edited.shots] == pytest.approx([0, 1.5], abs=0.01)
    assert edited.box_at(1.6).left == pytest.approx(moved)
    second.effects.clear()
    with pytest.raises(InvalidPlanError, match="no window"):
        plan_of(otio.adapters.write_to_string(timeline, "otio_json"))
    for text in ("{}", "nothing", otio.adapters.write_to_string(otio.schema.Timeline("x"), "otio_json")):
        with pytest.raises(InvalidPlanError):
            plan_of(text)


CHILDREN = {
    "fcpxml": "resources library",
    "resources": "format format asset",
    "asset": "media-rep",
    "library": "event",
    "event": "project",
    "project": "sequence",
    "sequence": "spine metadata",
    "asset-clip": "adjust-conform adjust-transform metadata",
    "param": "keyframeAnimation",
    "metadata": "md",
}
"""The children of elements in the order that the DTD of FCPXML 1.10 demands."""


def fcpxml(plan: ReframePlan) -> tuple[str, ElementTree.Element]:
    with VideoReader(plan.video) as reader:
        text = fcpxml_of(plan, reader.info)
    root = ElementTree.fromstring(text)
    for element in root.iter():
        if element.tag in CHILDREN:
            assert [child.tag for child in element] == CHILDREN[element.tag].split()
    names = {e.get("id") for e in root.iter() if e.get("id")}
    assert names >= {e.get(key) for e in root.iter() for key in ("ref", "format") if e.get(key)}
    return text, root


def test_fcpxml_moves_clips_as_the_window_goes(filmed: Make) -> None:
    plan = plan_reframe(filmed("crossing", crossing, seconds=6), "9:16")
    text, root = fcpxml(plan)
    assert plan_of_fcpxml(text) == plan
    (clip,) = root.iter("asset-clip")
    transform = clip.find("adjust-transform")
    assert transform is not None and transform.get("scale") == "1 1"
    keys = list(clip.iter("keyframe"))
    assert len(keys) == 30  # every fifth of 144 frames, and the last one
    for key in keys:
        x, y = map(float, key.attrib["value"].split())
        # the clip fills the project, so it is 320 / 180 times as wide as the project is high; right is less of it
        middle = 0.5 - x / 100 * 180 / 320
        seconds = Fraction(key.attrib["time"].removesuffix("s"))
        assert middle == pytest.approx(plan.box_at(seconds).center.x, abs=0.001)
        assert y == 0
        assert seconds * Fraction(24000, 1001) % 1 == 0


def test_fcpxml_enlarges_tight_windows_and_gives_moved_cuts_back(filmed: Make) -> None:
    plan = plan_reframe(filmed("cut", with_cut, seconds=4, ground=cuts), "1:1", tightness=1.0)
    text, root = fcpxml(plan)
    first, second = root.iter("asset-clip")
    for clip, shot in ((first, plan.shots[0]), (second, plan.shots[1])):
        box, transform = shot.path.keys[0].box, clip.find("adjust-transform")
        assert transform is not None
        scale = float(transform.attrib["scale"].split()[0])
        assert scale == pytest.approx(1 / box.height, rel=0.01)
        x, y = map(float, transform.attrib["position"].split())
        assert x == pytest.approx(100 * scale * (0.5 - box.center.x) * 320 / 180, abs=0.5)
        assert y == pytest.approx(100 * scale * (box.center.y - 0.5), abs=0.5)
    first.set("duration", "36/24s")
    second.set("start", "36/24s")
    second.set("duration", "60/24s")
    edited = plan_of_fcpxml(ElementTree.tostring(root, encoding="unicode"))
    assert [s.start for s in edited.shots] == [0, Fraction(3, 2)]
    second.set("start", "40/24s")
    with pytest.raises(InvalidPlanError, match="do not follow"):
        plan_of_fcpxml(ElementTree.tostring(root, encoding="unicode"))
    second[:] = []
    for text in (
        "{}",
        "<fcpxml/>",
        "<fcpxml><sequence><spine/></sequence></fcpxml>",
        ElementTree.tostring(root).decode(),
    ):
        with pytest.raises(InvalidPlanError):
            plan_of_fcpxml(text)
