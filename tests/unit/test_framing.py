from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import pytest

from eyefirst.boxes import SalientObject, subject_boxes
from eyefirst.errors import InvalidValueError
from eyefirst.framing import ANCHOR_LENGTHS, NEAR_COPY_IOU, Framer, FramingOptions, Placement, Spans
from eyefirst.framing.search import REFINED, Search, between, even_windows, fits_of, places_of_sizes
from eyefirst.geometry import AspectRatio, Box, Point, Size
from eyefirst.heat_map import HeatMap

ROWS, COLUMNS = np.mgrid[0:68, 0:68]
EMPTY = HeatMap(np.zeros((68, 68), np.float32))


def spot(x: float, y: float, spread: float = 3, height: float = 0.6) -> np.ndarray:
    """A bump of attention at x, y in 0..1."""
    return (height * np.exp(-((COLUMNS + 0.5 - 68 * x) ** 2 + (ROWS + 0.5 - 68 * y) ** 2) / (2 * spread**2))).astype(
        np.float32
    )


def subjects(*boxes: Box) -> HeatMap:
    values = np.zeros((68, 68), np.float32)
    for b in boxes:
        values[round(b.top * 68) : round(b.bottom * 68), round(b.left * 68) : round(b.right * 68)] = 0.95
    return HeatMap(values)


def framer(
    attention: np.ndarray, *boxes: Box, size: Size | None = None, options: FramingOptions | None = None
) -> Framer:
    objectness = subjects(*boxes) if boxes else EMPTY
    return Framer(size or Size(1200, 800), HeatMap(attention), objectness, subject_boxes(objectness), options)


def ratio(text: str) -> AspectRatio:
    return AspectRatio.parse(text)


def test_the_frame_goes_where_people_look() -> None:
    (left,) = framer(spot(0.1, 0.5)).frames(ratio("1:1"))
    (right,) = framer(spot(0.9, 0.5)).frames(ratio("1:1"))
    assert left.box.left == 0
    assert left.box.size == Size(800, 800)
    assert right.box.right == 1200
    assert left.kept > 0.98


def test_nothing_to_see_means_the_centre() -> None:
    (frame,) = framer(np.full((68, 68), 0.01, np.float32)).frames(ratio("1:1"))
    assert frame.box.left == 200


def test_the_search_is_exact() -> None:
    """No place on a fine grid beats the found frame."""
    random = np.random.default_rng(3)
    slides: tuple[tuple[str, Literal[0, 1]], ...] = (("1:1", 0), ("9:16", 0), ("3:1", 1))
    for text, axis in slides:
        one = Framer(Size(1200, 800), HeatMap(random.random((68, 68), np.float32) ** 8), EMPTY, ())
        (frame,) = one.frames(ratio(text), 1)
        length = frame.box.width / 1200 if axis == 0 else frame.box.height / 800
        starts = np.linspace(0, 1 - length, 2001)
        best = one.score(axis, Spans(starts, starts + length)).max()
        assert frame.score >= best - 2e-3


def test_the_search_looks_on_both_sides_of_the_best_place() -> None:
    places = np.array([0.0, 0.1, 0.2])
    for best, low, high in ((0.0, 0.0, 0.1), (0.1, 0.0, 0.2), (0.2, 0.1, 0.2)):
        found = between(places, best, 0.3).starts
        assert (found.min(), found.max()) == (low, high)
        assert np.diff(found).max() <= 0.1 / REFINED + 1e-9


def test_sizes_that_are_scored_together_get_the_scores_that_each_gets_alone() -> None:
    person = Box(0.3, 0.2, 0.62, 0.9)
    content, picture = framer(spot(0.3, 0.4), person).content, Size(600, 400)
    fits = fits_of(content, picture, Size(400, 225))
    search = Search(content, picture, Size(400, 225), fits, FramingOptions())
    sizes = Size(370, 208), Size(340, 191)
    for size, places in zip(sizes, places_of_sizes(search, sizes), strict=True):
        assert places.terms.any()
        assert places.terms == pytest.approx(replace(search, size=size).places.terms, abs=1e-12)


def test_windows_of_a_size_are_prepared_once_whatever_the_picture() -> None:
    first, second = (framer(attention) for attention in (spot(0.3, 0.4), spot(0.7, 0.4)))
    before = even_windows.cache_info().misses
    first.frames(ratio("1:1"))
    made = even_windows.cache_info().misses
    second.frames(ratio("1:1"))
    assert even_windows.cache_info().misses == made <= before + 2


def test_a_subject_that_fits_is_not_cut_in_half() -> None:
    person = Box(0.55, 0.1, 0.85, 0.95)
    attention = spot(0.45, 0.3, 3, 0.08) + spot(0.62, 0.2, 3)
    (frame,) = framer(attention, person).frames(ratio("9:16"))
    assert frame.kept_objects[0] > 0.97
    assert not frame.warnings


def test_one_whole_subject_beats_two_halves() -> None:
    left, right = Box(0.05, 0.2, 0.35, 0.8), Box(0.65, 0.2, 0.95, 0.8)
    attention = spot(0.2, 0.5) + spot(0.8, 0.5) + spot(0.5, 0.5, 6, 0.03)
    (frame,) = framer(attention, left, right).frames(ratio("9:16"))
    assert sorted(round(k) for k in frame.kept_objects) == [0, 1]
    assert max(frame.kept_objects) > 0.97
    assert not frame.warnings  # an editor passes a subject that is left out as a whole


def test_losses_are_said_in_plain_words() -> None:
    (frame,) = framer(spot(0.5, 0.5), Box(0, 0.3, 1, 0.7)).frames(ratio("9:16"))
    assert frame.warnings == ("63 % of the subject is outside, at the left and the right edges",)
    assert 0.3 <= frame.severity < 1


def test_alternatives_are_ranked_and_no_copies() -> None:
    attention = spot(0.15, 0.5) + spot(0.85, 0.5, height=0.4)
    frames = framer(attention).frames(ratio("1:1"), 3)
    assert len(frames) == 3
    for i, a in enumerate(frames):
        for b in frames[i + 1 :]:
            assert a.box.normalized(Size(1200, 800)).iou(b.box.normalized(Size(1200, 800))) <= NEAR_COPY_IOU + 0.01
    assert frames[0].box.left == 0
    assert frames[1].score >= frames[2].score


@pytest.mark.parametrize("text", ["1:1", "16:9", "9:16", "3:1", "4/5", "1.91"])
def test_tightness_goes_from_the_largest_frame_to_the_salient_box(text: str) -> None:
    person = Box(0.4, 0.4, 0.6, 0.7)
    areas = []
    for tightness in (0.0, 0.5, 1.0):
        (frame,) = framer(spot(0.5, 0.5), person, options=FramingOptions(tightness=tightness)).frames(ratio(text))
        areas.append(frame.box.width * frame.box.height)
        assert frame.kept_objects[0] > 0.97
        assert frame.box.width / frame.box.height == pytest.approx(float(ratio(text)), rel=0.02)
    assert areas[0] > areas[1] > areas[2]


def test_must_keep_wins_over_everything() -> None:
    options = FramingOptions(must_keep=(Box(0.9, 0.4, 0.98, 0.6),))
    (frame,) = framer(spot(0.1, 0.5), Box(0.05, 0.3, 0.2, 0.7), options=options).frames(ratio("1:1"))
    assert frame.box.normalized(Size(1200, 800)).contains(options.must_keep[0])


def test_a_must_keep_that_cannot_fit_is_said() -> None:
    options = FramingOptions(must_keep=(Box(0, 0.4, 1, 0.6),))
    (frame,) = framer(spot(0.5, 0.5), options=options).frames(ratio("1:1"))
    assert frame.warnings == ("33 % of must-keep box 1 is outside",)


def test_avoid_pushes_the_frame_away() -> None:
    options = FramingOptions(avoid=(Box(0, 0, 0.3, 1),))
    (frame,) = framer(spot(0.2, 0.5), options=options).frames(ratio("1:1"))
    assert frame.box.left / 1200 >= 0.3


def test_padding_keeps_what_cannot_fit() -> None:
    options = FramingOptions(pad="white", must_keep=(Box(0, 0.4, 1, 0.6),), margin=0)
    (frame,) = framer(spot(0.5, 0.5), options=options).frames(ratio("1:1"))
    assert frame.padding is not None
    assert frame.size == Size(1200, 1200)
    assert frame.box.size == Size(1200, 800)
    assert frame.padding.top == frame.padding.bottom == 200
    assert not frame.warnings


def test_padding_is_not_used_where_all_fits() -> None:
    options = FramingOptions(pad="white")
    (frame,) = framer(spot(0.5, 0.5), Box(0.4, 0.4, 0.6, 0.6), options=options).frames(ratio("1:1"))
    assert frame.padding is None


@pytest.mark.parametrize("size", [Size(1, 1), Size(1, 5000), Size(12000, 3), Size(2, 3)])
@pytest.mark.parametrize("text", ["1:1", "16:9", "1:1000"])
def test_extreme_pictures_have_frames(size: Size, text: str) -> None:
    (frame,) = framer(spot(0.3, 0.3), size=size).frames(ratio(text))
    assert 0 <= frame.box.left < frame.box.right <= size.width
    assert 0 <= frame.box.top < frame.box.bottom <= size.height


@pytest.mark.parametrize("bad", [{"tightness": 2}, {"tightness": -0.1}, {"margin": -1}, {"margin": "much"}])
def test_options_are_checked_when_made(bad: dict[str, float]) -> None:
    with pytest.raises(InvalidValueError, match="expected"):
        FramingOptions(**bad)  # type: ignore[arg-type]


def test_given_objects_need_not_come_from_the_map() -> None:
    """Boxes may come from any detector, also where the map is empty."""
    given = (SalientObject(Box(0.7, 0.2, 0.9, 0.8), 0.9),)
    (frame,) = Framer(Size(1200, 800), HeatMap(spot(0.5, 0.5)), EMPTY, given).frames(ratio("9:16"))
    assert 0 <= frame.kept_objects[0] <= 1


def kept_by(attention: np.ndarray, point: Point, placement: Placement, text: str) -> float:
    """Share of the attention in the largest frame that a tool would cut at a point."""
    size = ratio(text).largest_in(Size(1200, 800))
    width, height = size.width / 1200, size.height / 800
    if placement == "share":
        left, top = point.x * (1 - width), point.y * (1 - height)
    else:
        left = min(max(point.x - width / 2, 0), 1 - width)
        top = min(max(point.y - height / 2, 0), 1 - height)
    return HeatMap(attention).mass_in(Box(left, top, left + width, top + height))


@pytest.mark.parametrize("placement", ["share", "centre"])
def test_the_anchor_serves_all_ratios_better_than_any_point_on_a_grid(placement: Placement) -> None:
    attention = spot(0.85, 0.3, 4) + spot(0.55, 0.8, 6, 0.3)
    ratios = [f"{round(1200 * share)}:800" for share in ANCHOR_LENGTHS]
    ratios += [f"1200:{round(800 * share)}" for share in ANCHOR_LENGTHS]

    def total(point: Point) -> float:
        return sum(kept_by(attention, point, placement, text) for text in ratios)

    best = total(framer(attention).anchor(placement))
    assert (
        best >= max(total(Point(x / 20, y / 20)) for x in range(21) for y in range(21)) - 0.1
    )  # it weighs more than attention
    assert best > total(Point(0.5, 0.5)) + 1


def test_an_anchor_holds_a_whole_subject() -> None:
    attention = np.full((68, 68), 0.01, np.float32)
    even = framer(attention).anchor("share")
    assert even.x == 0.5
    assert 0.3 <= even.y <= 0.5  # people cut below rather than above
    held = framer(attention, Box(0.7, 0.1, 0.95, 0.4)).anchor("share")
    assert held.x > 0.6
    assert held.y < 0.4


def test_a_flipped_picture_has_a_flipped_anchor() -> None:
    attention = spot(0.8, 0.3)
    for placement in get_args(Placement):
        straight, flipped = framer(attention).anchor(placement), framer(attention[:, ::-1]).anchor(placement)
        assert flipped.x == pytest.approx(1 - straight.x)
        assert flipped.y == pytest.approx(straight.y)


def test_of_a_subject_that_cannot_be_whole_the_top_is_kept() -> None:
    standing = Box(0.4, 0.1, 0.6, 0.95)
    wide = ratio("3:1")
    (frame,) = framer(spot(0.5, 0.4, 8), standing).frames(wide)
    (without,) = framer(spot(0.5, 0.4, 8)).frames(wide)
    assert frame.box.top < without.box.top - 4
    assert frame.kept > without.kept - 0.03
