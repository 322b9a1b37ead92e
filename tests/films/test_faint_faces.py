"""Faces in profile, quick pictures, and dissolves: what the camera makes of drawn analysed frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from eyefirst.boxes import SalientObject
from eyefirst.face_maps import DetectedFace
from eyefirst.films.frames import ColourTags, VideoInfo
from eyefirst.films.joins import joined
from eyefirst.films.path import TrackLimits
from eyefirst.films.people import head_tracks, heads_of, people_of
from eyefirst.films.planes import Turn
from eyefirst.films.shot_camera import Camera
from eyefirst.films.shots import watch
from eyefirst.films.sights import Shot, Sight
from eyefirst.films.writer import VideoWriter
from eyefirst.framing.content import head_of
from eyefirst.geometry import Box, Size
from eyefirst.network import OnnxNetwork

pytest.importorskip("av", reason="PyAV comes with the extra 'video'")
FRAME, SQUARE = Size(640, 360), Size(360, 360)
PROFILE = Box(0.6, 0.3, 0.75, 0.7)
SHAPE = 16 / 9


def spread(low: float, high: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Attention between two places, even."""
    cells = (np.arange(68) + 0.5) / 68
    inside = ((cells > low) & (cells < high)).astype(np.float32) + np.float32(1e-6)
    return np.asarray(inside / inside.sum(), np.float32)


def sight(number: int, faces: Sequence[tuple[Box, float]], across: tuple[float, float] = (0, 1)) -> Sight:
    """Faces with confidences; attention between two places across, and even from top to bottom."""
    found = tuple(DetectedFace(box, confidence) for box, confidence in faces)
    return Sight(Fraction(number, 3), spread(*across), spread(0, 1), (), (), 0.5, 20, 40, found)


def shot(sights: Sequence[Sight], start: int = 0, *, dissolved: bool = False) -> Shot:
    end = Fraction(start) + Fraction(len(sights), 3)
    moved = tuple(replace(s, seconds=s.seconds + start) for s in sights)
    return Shot(Fraction(start), end, moved, SHAPE, dissolved)


def camera(window: Size = SQUARE) -> Camera:
    video = VideoInfo(
        "f.mp4", FRAME, Turn(), Fraction(1), Fraction(24), None, None, "sdr", False, 8, "4:2:0",
        ColourTags(2, 2, 2, 0),
    )  # fmt: skip
    return Camera(video, window, window, 0, (), None, TrackLimits())


@pytest.mark.parametrize(("looked_at", "count"), [((0.6, 0.75), 1), ((0.1, 0.3), 0)])
def test_a_faint_face_leads_where_people_look_at_it(looked_at: tuple[float, float], count: int) -> None:
    seen = shot([sight(n, [(PROFILE, 0.2)], looked_at) for n in range(5)])
    assert len(people_of(seen, head_tracks(seen))) == count


@pytest.mark.parametrize("beside", [Box(0.64, 0.35, 0.8, 0.75), Box(0.67, 0.45, 0.85, 0.8)])
def test_one_faint_face_with_several_boxes_is_one_person(beside: Box) -> None:
    seen = shot([sight(n, [(PROFILE, 0.2), (beside, 0.19)], (0.6, 0.8)) for n in range(5)])
    (person,) = head_tracks(seen)
    assert sorted(person.heads) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("far", "seen"), [(0.03, 4), (0.3, 3)])
def test_a_face_that_turns_away_goes_on_as_a_faint_one_nearby(far: float, seen: int) -> None:
    moved = Box(PROFILE.left + far - 0.2, PROFILE.top, PROFILE.right + far - 0.2, PROFILE.bottom)
    still = Box(PROFILE.left - 0.2, PROFILE.top, PROFILE.right - 0.2, PROFILE.bottom)
    sights = [sight(n, [(still, 0.8)], (0.9, 1)) for n in range(3)] + [sight(3, [(moved, 0.15)], (0.9, 1))]
    (person,) = head_tracks(shot(sights))
    assert person.seen == seen


@pytest.mark.parametrize(("size", "last"), [(0.5, 4), (0.7, 5)])
def test_a_face_does_not_go_on_as_one_half_as_large(size: float, last: int) -> None:
    """Somebody leaves the picture, and a smaller face is seen behind the place where he was."""
    near = Box(0.4, 0.3, 0.6, 0.7)
    behind = Box(0.45, 0.4, 0.45 + 0.2 * size, 0.4 + 0.4 * size)
    (person,) = head_tracks(shot([sight(n, [(near if n < 5 else behind, 0.9)]) for n in range(6)]))
    assert max(person.heads) == last


def test_the_head_of_a_turned_face_is_wider_than_what_shows_of_it() -> None:
    """By one rule for pictures and films: by the shape of the face in pixels, not by how sure it is."""
    sights = [sight(n, [(PROFILE, 0.9 if n else 0.2)], (0.6, 0.75)) for n in range(5)]
    (person,) = head_tracks(shot(sights))
    assert [head.width for head in person.heads.values()] == pytest.approx([0.24] * 5)
    (wider,) = head_tracks(replace(shot(sights), shape=1.0))
    assert wider.heads[0].width > 0.3


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("confidence", "window", "reach"), [(0.2, 0.56, 0.3), (0.2, 0.2, 0.0), (0.9, 0.56, 0.0)])
def test_the_back_of_a_faint_profile_reaches_to_its_body(
    mirrored: bool, confidence: float, window: float, reach: float
) -> None:
    """The face looks away from its body; where the window has no room beside the head, the face is what counts."""
    face, body = Box(0.4, 0.2, 0.55, 0.5), Box(0.39, 0, 0.9, 1)
    if mirrored:
        face, body = (Box(1 - b.right, b.top, 1 - b.left, b.bottom) for b in (face, body))
    plain = sight(0, [(face, confidence)], (face.left, face.right))
    seen = replace(plain, subjects=(SalientObject(body, 0.9),), on_subjects=(0.9,))
    tracks = head_tracks(shot([replace(seen, seconds=seen.seconds + n) for n in range(5)]))
    head = head_of(face, SHAPE)
    for (found,) in heads_of(tracks, 5, width=window):
        assert found is not None
        front, back = head.left - found.left, found.right - head.right
        if mirrored:
            front, back = back, front
        assert back == pytest.approx(reach * head.width, abs=0.01)
        assert front == pytest.approx(0, abs=0.01)


def test_a_face_that_is_hidden_for_a_while_is_not_taken_for_overlooked() -> None:
    """While a van hides it, people look at the other side."""
    face = Box(0.8, 0.2, 0.9, 0.4)
    there = (0, 1, 7)
    sights = [sight(n, [(face, 0.9)], (0.75, 0.95)) if n in there else sight(n, [], (0.0, 0.2)) for n in range(12)]
    box = camera().plan(shot(sights)).path.box_at(1)
    assert face.overlap(box) == pytest.approx(face.area)


def test_a_head_that_reaches_into_a_bar_is_not_said_to_be_cut() -> None:
    active = Box(0, 0.15, 1, 0.85)
    sights = [replace(sight(n, [(Box(0.4, 0.15, 0.6, 0.5), 0.9)]), active=active) for n in range(5)]
    plan = camera(Size(252, 252)).plan(shot(sights))
    assert plan.path.box_at(1).top == pytest.approx(0.15, abs=0.01)
    assert plan.warnings == ()


@pytest.mark.parametrize(
    ("place", "dissolved", "one_window"), [(0.33, True, True), (0.33, False, False), (0.45, True, False)]
)
def test_a_dissolve_between_still_windows_is_seen_through_one_window(
    place: float, dissolved: bool, one_window: bool
) -> None:
    shots = (
        shot([sight(n, [(Box(0.25, 0.1, 0.35, 0.3), 0.9)]) for n in range(6)]),
        shot([sight(n, [(Box(place - 0.05, 0.1, place + 0.05, 0.3), 0.9)]) for n in range(6)], 2, dissolved=dissolved),
    )
    planned = tuple(camera().plan(s) for s in shots)
    assert planned[0].path.keys[0].box != planned[1].path.keys[0].box
    before, after = joined(shots, planned, FRAME)
    windows = [p.path.keys[0].box for p in (before, after)]
    assert (windows[0] == windows[1]) == one_window
    for window, face in zip(windows, (0.3, place), strict=True):
        assert window.left < face - 0.05 < face + 0.05 < window.right
        assert window.left * FRAME.width == pytest.approx(round(window.left * FRAME.width))  # cut without interpolation
    assert before.path.keys[0].seconds == 0 and after.path.keys[0].seconds == 2


def test_quick_pictures_are_looked_at_twice_as_often(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    """A bar stands still for two seconds, and runs across the frame in the two seconds after."""
    with VideoWriter(tmp_path / "f.mp4", Size(64, 36), 24) as writer:
        for number in range(96):
            pixels = np.full((36, 64, 3), 40, np.uint8)
            left = 0 if number < 48 else number - 48
            pixels[:, left : left + 16] = (210, 200, 90)
            writer.write(PillowImage.fromarray(pixels))
    footage = watch(tmp_path / "f.mp4", network=tiny_network)
    times = [float(s.seconds) for made in footage.shots for s in made.sights]
    calm, quick = sum(t < 1.99 for t in times), sum(t >= 1.99 for t in times)
    assert 6 <= calm <= 7
    assert 11 <= quick <= 13


@pytest.mark.parametrize(("looked_at", "is_kept"), [((0.6, 0.85), False), ((0.0, 0.3), True)])
def test_a_face_on_a_poster_leads_where_people_look_at_it(looked_at: tuple[float, float], is_kept: bool) -> None:
    poster = Box(0.05, 0.2, 0.12, 0.35)
    box = camera().plan(shot([sight(n, [(poster, 0.9)], looked_at) for n in range(6)])).path.box_at(1)
    assert (poster.overlap(box) > 0.9 * poster.area) == is_kept
    assert box.left <= looked_at[0] and looked_at[1] <= box.right
