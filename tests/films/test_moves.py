"""Where the window should be: rests and even moves, people who leave, and text that cannot be whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from eyefirst.boxes import SalientObject
from eyefirst.films.axis import Axis, Wanted, at_times
from eyefirst.films.moves import LEAST_SPEED, LEAST_WAY, best_moves
from eyefirst.films.path import TrackLimits
from eyefirst.films.people import head_tracks, heads_of, left_at, people_of
from eyefirst.framing.content import head_of
from eyefirst.geometry import Box, Size
from tests.films.test_faint_faces import SHAPE, camera, shot, sight, spread

SHARE, STEP = 0.3, 1 / 3
GRID = np.linspace(0, 1 - SHARE, 101)


def path_of(middle: Callable[[float], float], seconds: float, worth: float = 3.0) -> tuple[np.ndarray, int]:
    """The path for a subject a tenth of the frame wide, and how many moves it has."""
    rows = []
    for t in np.arange(0, seconds + 1e-6, STEP):
        off = np.abs(GRID + SHARE / 2 - middle(float(t)))
        rows.append(worth * np.clip((SHARE / 2 + 0.05 - off) / 0.1, 0, 1) * (1 - 0.2 * off))
    path, knots = best_moves(np.array(rows), GRID, SHARE, STEP, 1.2)
    return path, sum(a.place != b.place for a, b in pairwise(knots))


@pytest.mark.parametrize("speed", [0.05, 0.1, 0.2, 0.3])
def test_what_moves_evenly_is_followed_and_stays_whole(speed: float) -> None:
    seconds = 0.5 / speed
    path, moves = path_of(lambda t: 0.25 + speed * t, seconds)
    times = np.arange(len(path)) * STEP
    assert moves == 1
    assert np.abs(path + SHARE / 2 - 0.25 - speed * times).max() < 0.11  # whole all along


@pytest.mark.parametrize("sway", [0.01, 0.03, 0.05])
def test_what_sways_or_stands_is_held(sway: float) -> None:
    path, moves = path_of(lambda t: 0.5 + sway * np.sin(2 * t), 8)
    assert moves == 0
    assert path + SHARE / 2 == pytest.approx(0.5, abs=0.04)


def test_it_rests_until_something_moves_and_after() -> None:
    path, moves = path_of(lambda t: float(np.interp(t, [4, 6], [0.2, 0.8])), 12)
    assert moves == 1
    assert np.ptp(path[:10]) == pytest.approx(0, abs=1e-9)
    assert np.ptp(path[20:]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("lasts", "moves"), [(0.2, 0), (4.0, 2)])
def test_there_and_back_is_worth_it_only_for_long(lasts: float, moves: int) -> None:
    _, found = path_of(lambda t: 0.75 if 4 < t < 4 + lasts else 0.25, 12, worth=1.0)
    assert found == moves


def test_moves_are_not_small() -> None:
    path, moves = path_of(lambda t: 0.4 + 0.02 * (t > 6), 60, worth=9.0)
    assert moves == 0 or np.ptp(path) >= LEAST_WAY * SHARE - 0.01


@pytest.mark.parametrize("speed", [0.003, 0.005, 0.008, 0.012, 0.03])
def test_moves_are_not_so_slow_that_they_look_like_drift(speed: float) -> None:
    """A subject creeps: the window rests, and moves along now and then."""
    off = [np.abs(GRID + SHARE / 2 - 0.3 - speed * t) for t in np.arange(0, 12, STEP)]
    path, knots = best_moves(np.array([6 * (1 - 200 * o**2) for o in off]), GRID, SHARE, STEP, 1.2)
    for a, b in pairwise(knots):
        way, lasts = abs(b.place - a.place) / SHARE, STEP * (b.number - a.number)
        assert way == pytest.approx(0) or way >= max(LEAST_WAY, LEAST_SPEED * lasts) - 1e-6
    assert np.abs(path + SHARE / 2 - 0.3 - speed * STEP * np.arange(len(path))).max() < SHARE / 3


def test_a_window_moves_however_low_the_limit_of_speed_is() -> None:
    off = [np.abs(GRID + SHARE / 2 - 0.2 - 0.01 * t) for t in np.arange(0, 60, STEP)]
    path, _ = best_moves(np.array([1 - o for o in off]), GRID, SHARE, STEP, 0.05)
    assert np.ptp(path) > SHARE


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("window", [Size(202, 360), Size(288, 360), Size(360, 360)])
def test_the_window_waits_where_somebody_left(window: Size, mirrored: bool) -> None:
    """A man goes out to the right. Then people look at the crowd on the left."""

    def box(left: float, right: float, top: float = 0.2, bottom: float = 0.6) -> Box:
        return Box(1 - right, top, 1 - left, bottom) if mirrored else Box(left, top, right, bottom)

    crowd = (0.7, 0.9) if mirrored else (0.1, 0.3)
    sights = [
        replace(
            sight(n, [(box(0.5 + 0.07 * n, 0.6 + 0.07 * n), 0.9)] if n < 5 else [], crowd if n >= 8 else (0, 1)),
            subjects=(SalientObject(box(min(0.4 + 0.07 * n, 0.85), 1, 0, 1), 0.8),) if n < 8 else (),
            on_subjects=(0.3,) if n < 8 else (),
        )
        for n in range(12)
    ]
    path = camera(window).plan(shot(sights)).path
    for seconds in (3, 3.5, 3.9):
        edge = path.box_at(seconds).left if mirrored else 1 - path.box_at(seconds).right
        assert edge == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(("other", "ends"), [((0.1, 0.4), 7), ((0.8, 1.0), 12)])
def test_waiting_ends_when_something_else_is_there(other: tuple[float, float], ends: int) -> None:
    made = []
    for n in range(12):
        body = Box(0.6, 0.1, 1, 1) if n < 5 else Box(other[0], 0, other[1], 1)
        seen = replace(
            sight(n, [(Box(0.6 + 0.07 * n, 0.2, 0.7 + 0.07 * n, 0.4), 0.9)] if n < 5 else []),
            subjects=(SalientObject(body, 0.9),) if n < 5 or n >= 7 else (),
            on_subjects=(0.5,) if n < 5 or n >= 7 else (),
        )
        made.append(seen)
    seen_shot = shot(made)
    tracks = head_tracks(seen_shot)
    assert sorted(left_at(seen_shot, tracks[0], tracks)) == list(range(5, ends))


def test_who_turns_away_has_not_left() -> None:
    body = SalientObject(Box(0.5, 0, 1, 1), 0.9)
    sights = [
        replace(sight(n, [(Box(0.6, 0.2, 0.7, 0.5), 0.9)] if n < 5 else []), subjects=(body,), on_subjects=(0.8,))
        for n in range(8)
    ]
    seen = shot(sights)
    tracks = head_tracks(seen)
    assert left_at(seen, tracks[0], tracks) == {}


@pytest.mark.parametrize(("line", "clear"), [((0.0, 0.42), True), ((0.05, 0.95), False)])
def test_text_that_cannot_be_whole_is_left_out_or_moves_nothing(line: tuple[float, float], clear: bool) -> None:
    head, text = Box(0.47, 0.2, 0.57, 0.4), Box(line[0], 0.8, line[1], 0.87)
    plain = [sight(n, [(head, 0.9)], (0.3, 0.6)) for n in range(9)]
    path = camera(Size(202, 360)).plan(shot([replace(s, texts=(text,)) for s in plain])).path
    without = camera(Size(202, 360)).plan(shot(plain)).path.box_at(1)
    window = path.box_at(1)
    assert len(path.keys) == 1
    assert window.left <= head_of(head, SHAPE).left and head_of(head, SHAPE).right <= window.right
    if clear:
        assert without.left < line[1] - 0.02
        assert window.left >= line[1] - 0.01  # the box of a line is found a little too wide
    else:
        assert window.left == pytest.approx(without.left, abs=0.01)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("width", [202, 264, 288])
def test_a_name_plate_beside_a_close_head_is_left_out_whole(width: int, mirrored: bool) -> None:
    """The plate ends where the head begins: to leave it out, the head goes to the window's side."""

    def box(left: float, right: float, top: float, bottom: float) -> Box:
        return Box(1 - right, top, 1 - left, bottom) if mirrored else Box(left, top, right, bottom)

    head, plate = box(0.44, 0.57, 0.2, 0.5), box(0.0, 0.41, 0.7, 0.78)
    sights = [replace(sight(n, [(head, 0.9)]), texts=(plate,)) for n in range(9)]
    path = camera(Size(width, 360)).plan(shot(sights)).path
    window = path.box_at(1)
    assert len(path.keys) == 1
    assert window.overlap(head_of(head, SHAPE)) >= 0.97 * head_of(head, SHAPE).area
    assert window.overlap(plate) < 0.01 * plate.width  # the box of a line is found a little too wide


@pytest.mark.parametrize(
    ("seconds", "middle"), [(0, 0.2), (1 / 6, 0.25), (1 / 3, 0.3), (0.5, 0.55), (2 / 3, 0.8), (9, 0.8)]
)
def test_what_counts_at_a_frame_is_what_that_frame_shows(seconds: float, middle: float) -> None:
    """Frames before and after it do not count: so a move begins when what it follows does."""
    sights = [sight(n, []) for n in range(3)]
    worths = [np.array([place]) for place in (0.2, 0.3, 0.8)]
    assert at_times(worths, shot(sights), np.array([seconds]))[0] == pytest.approx(middle)


def test_what_a_caption_that_cannot_be_kept_draws_does_not_count() -> None:
    """Half of the attention lies on a wide caption, and most of that on its right end."""
    on_text = np.asarray(np.stack([spread(0.6, 0.9), spread(0.8, 0.9)]) / 2, np.float32)
    across = np.asarray((spread(0.1, 0.4) + spread(0.6, 0.9)) / 2, np.float32)
    line = Box(0.05, 0.8, 0.95, 0.9)
    plain = [replace(sight(n, []), across=across, texts=(line,)) for n in range(6)]
    drawn = camera(Size(202, 360)).plan(shot([replace(s, on_texts=on_text) for s in plain])).path.box_at(1)
    assert drawn.left < 0.15
    kept = shot([replace(s, on_texts=on_text) for s in plain]).without_text()
    assert kept.sights[0].across == pytest.approx(spread(0.1, 0.4), abs=1e-4)
    assert float(kept.sights[0].across.sum()) == pytest.approx(1, abs=1e-4)


def test_a_face_seen_once_does_not_go_on_as_another_much_later() -> None:
    poster, man = Box(0.6, 0.2, 0.66, 0.3), Box(0.5, 0.2, 0.56, 0.3)
    sights = [sight(n, [(poster, 0.9)] if n == 0 else [(man, 0.9)] if n >= 5 else []) for n in range(12)]
    (person,) = head_tracks(shot(sights))
    assert min(person.heads) == 5


@pytest.mark.parametrize("mirrored", [False, True])
def test_of_two_people_the_main_one_is_nearer_to_the_middle(mirrored: bool) -> None:
    """Both heads are whole and have room, and the rest goes to the main person. For a moment they do not both fit."""

    def box(left: float, right: float, top: float, bottom: float) -> Box:
        return Box(1 - right, top, 1 - left, bottom) if mirrored else Box(left, top, right, bottom)

    main, other, away = box(0.5, 0.62, 0.1, 0.35), box(0.2, 0.29, 0.1, 0.32), box(0.06, 0.15, 0.1, 0.32)
    across = (0.4, 0.8) if mirrored else (0.2, 0.6)
    sights = [sight(n, [(main, 0.9), (away if n == 5 else other, 0.8)], across) for n in range(12)]
    made = camera(Size(360, 360)).plan(shot(sights))
    window = made.path.box_at(1)
    assert made.warnings == ()
    for head in (head_of(main, SHAPE), head_of(other, SHAPE)):
        assert window.overlap(head) >= 0.97 * head.area
    assert abs(window.center.x - main.center.x) < abs(window.center.x - other.center.x) - 0.02
    head = head_of(other, SHAPE)
    assert min(head.left - window.left, window.right - head.right) > 0.05 * window.width
    assert made.path.box_at(5 / 3).overlap(head_of(main, SHAPE)) >= 0.97 * head_of(main, SHAPE).area


def test_of_several_second_faces_one_that_fits_is_taken() -> None:
    """The second largest face is too far away; a third one stands beside the main one. No warning then."""
    faces = [(Box(0.6, 0.2, 0.72, 0.5), 0.9), (Box(0.1, 0.2, 0.218, 0.5), 0.9), (Box(0.44, 0.2, 0.556, 0.5), 0.9)]
    seen = shot([sight(n, faces) for n in range(6)])
    plan = camera(Size(252, 360)).plan(seen)
    assert plan.warnings == ()
    window = plan.path.box_at(1)
    assert window.left < 0.44 and window.right > 0.72
    far = people_of(seen, head_tracks(seen))[1]
    assert far.heads[0].center.x == pytest.approx(0.159, abs=0.01)


@pytest.mark.parametrize(("apart", "both"), [(0.24, True), (0.36, False)])
def test_two_people_are_kept_with_room_or_the_main_one_alone(apart: float, both: bool) -> None:
    """A window of 0.45: heads that just fit would stand at its edges. Who is not kept is said."""
    main, other = Box(0.58, 0.1, 0.64, 0.25), Box(0.58 - apart, 0.1, 0.63 - apart, 0.23)
    sights = [replace(sight(n, [(main, 0.9), (other, 0.8)], (0.18, 0.8)), down=spread(0.1, 0.4)) for n in range(9)]
    plan = camera(Size(288, 360)).plan(shot(sights))
    window, head = plan.path.box_at(1), head_of(main, SHAPE)
    assert (window.overlap(other) > 0.97 * other.area) == both
    assert min(head.left - window.left, window.right - head.right) > 0.05 * window.width
    assert any("two faces do not fit" in w for w in plan.warnings) != both


def test_a_pan_goes_one_way_only() -> None:
    """A man stands, walks on, and stands: the window begins and ends at rest, and never swings back."""
    walk = np.interp(np.arange(24), [8, 14], [0.15, 0.75])
    sights = [sight(n, [(Box(x, 0.2, x + 0.1, 0.4), 0.9)], (x, x + 0.1)) for n, x in enumerate(walk)]
    path = camera(Size(202, 360)).plan(shot(sights)).path
    lefts = np.array([path.box_at(t).left for t in np.arange(0, 7.9, 0.04)])
    assert np.diff(lefts).min() > -1e-5
    assert lefts[-1] - lefts[0] == pytest.approx(0.6, abs=0.08)


def test_a_calm_path_rests_where_the_path_that_is_wanted_rests() -> None:
    walk = np.interp(np.arange(24), [8, 14], [0.15, 0.75])
    seen = shot([sight(n, [(Box(x, 0.2, x + 0.1, 0.4), 0.9)], (x, x + 0.1)) for n, x in enumerate(walk)])
    axis = Axis(seen, Wanted(heads_of(head_tracks(seen), 24)), TrackLimits(), 0.3, (0.0, 1.0), False, 640)
    times = np.linspace(0, 8, 25)
    grid, worths = axis._worths_over(times)
    wanted, knots = axis._wanted_path(grid, worths, times)
    calm = axis._calmed(wanted, grid, worths, times)
    ends = [k.number for k in knots]
    assert np.abs(calm - wanted)[: ends[1]].max() < 1e-3
    assert np.abs(calm - wanted)[ends[-2] + 1 :].max() < 1e-3


def test_a_subject_has_room_at_the_windows_edge() -> None:
    """People stand at the left; what else is looked at lies on the right, and reaches farther than the window."""
    body = Box(0.05, 0.5, 0.25, 1)
    plain = replace(sight(0, [], (0.05, 0.7)), subjects=(SalientObject(body, 0.8),), on_subjects=(0.3,))
    made = camera().plan(shot([replace(plain, seconds=plain.seconds + n) for n in range(4)])).path.box_at(0)
    assert body.left - made.left > 0.015 * made.width and made.right > 0.5


def test_between_two_looks_a_head_is_where_it_has_moved_to() -> None:
    """It moves by its own width and more from look to look: the window that is worth most moves evenly with it."""
    sights = [sight(n, [(Box(0.2 + 0.15 * n, 0.2, 0.3 + 0.15 * n, 0.4), 0.9)]) for n in range(3)]
    seen = shot(sights)
    wanted = Wanted(heads_of(head_tracks(seen), 3))
    axis = Axis(seen, wanted, TrackLimits(), 0.2, (0.0, 1.0), False, 640)
    times = np.linspace(0, float(sights[-1].seconds), 9)
    grid, worths = axis._worths_over(times)
    assert grid[worths.argmax(1)] + 0.1 == pytest.approx(0.25 + 0.0375 * np.arange(9), abs=0.015)
