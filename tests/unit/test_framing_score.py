"""Each term of the score, alone, in the case that it exists for: without it another frame would win."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from eyefirst.boxes import SalientObject
from eyefirst.framing import Framer, FramingOptions, Spans, Weights
from eyefirst.framing.content import content_of, head_of
from eyefirst.framing.score import TERMS, grid_terms, room_for, stacked, total
from eyefirst.geometry import AspectRatio, Box, Size
from eyefirst.heat_map import HeatMap

ROWS, COLUMNS = np.mgrid[0:68, 0:68]
SIZE = Size(1200, 800)
SQUARE = AspectRatio.parse("1:1")
WIDE = AspectRatio.parse("3:1")
EVEN = np.full((68, 68), 0.05, np.float32)
NOTHING = Weights(**dict.fromkeys(TERMS, 0.0))
ATTENTION = replace(NOTHING, kept=1.0)


@dataclass(frozen=True)
class Face:
    box: Box
    confidence: float = 0.9


def spot(x: float, y: float, spread: float = 3, height: float = 0.6) -> NDArray[np.float32]:
    return (height * np.exp(-((COLUMNS + 0.5 - 68 * x) ** 2 + (ROWS + 0.5 - 68 * y) ** 2) / (2 * spread**2))).astype(
        np.float32
    )


def masked(*boxes: Box) -> HeatMap:
    values = np.zeros((68, 68), np.float32)
    for b in boxes:
        values[round(b.top * 68) : round(b.bottom * 68), round(b.left * 68) : round(b.right * 68)] = 0.95
    return HeatMap(values)


def best(
    weights: Weights,
    attention: NDArray[np.float32],
    subjects: tuple[Box, ...] = (),
    *,
    ratio: AspectRatio = SQUARE,
    faces: tuple[Face, ...] = (),
    words: tuple[Box, ...] = (),
    options: FramingOptions | None = None,
    brightness: NDArray[np.float32] | None = None,
) -> Box:
    """The largest frame that the weights alone choose, without a second look."""
    objects = tuple(SalientObject(b, 0.9) for b in subjects)
    framer = Framer(
        SIZE,
        HeatMap(attention),
        masked(*subjects),
        objects,
        options,
        faces=faces,
        words=words,
        brightness=None if brightness is None else HeatMap(brightness),
        weights=weights,
    )
    length = ratio.largest_in(SIZE)
    axis = 0 if length.width < SIZE.width else 1
    share = length.width / SIZE.width if axis == 0 else length.height / SIZE.height
    starts = np.linspace(0, 1 - share, 401)
    start = float(starts[framer.score(0 if axis == 0 else 1, Spans(starts, starts + share)).argmax()])
    return Box(start, 0, start + share, 1) if axis == 0 else Box(0, start, 1, start + share)


def holds(frame: Box, box: Box) -> bool:
    return frame.overlap(box) / box.area > 0.95


def cut(frame: Box, box: Box) -> bool:
    return 0.03 < frame.overlap(box) / box.area < 0.97


def test_kept_follows_attention_and_tapers_at_inner_edges() -> None:
    assert best(ATTENTION, EVEN + spot(0.85, 0.5)).right == pytest.approx(1)
    framer = Framer(SIZE, HeatMap(spot(0.5, 0.5, 2)), masked(), (), weights=ATTENTION)
    near_edge, inside = framer.score(0, Spans(np.array([0.47, 0.3]), np.array([0.97, 0.8])))
    assert inside > near_edge
    on_border = framer.score(0, Spans(np.array([0.0]), np.array([1.0])))
    assert on_border[0] == pytest.approx(1)


def test_subject_whole_keeps_a_subject_that_little_attention_is_on() -> None:
    person, attention = Box(0.72, 0.2, 0.95, 0.9), EVEN + spot(0.25, 0.5, 8, 0.06)
    assert best(ATTENTION, attention, (person,)).right < 0.9
    assert holds(best(replace(ATTENTION, subject_whole=0.5), attention, (person,)), person)


def test_subject_cut_leaves_a_second_subject_out_rather_than_cut_it() -> None:
    first, second = Box(0.2, 0.2, 0.45, 0.9), Box(0.66, 0.2, 0.9, 0.9)
    attention = EVEN + spot(0.3, 0.5, 5) + spot(0.7, 0.5, 2, 0.2)
    assert cut(best(ATTENTION, attention, (first, second)), second)
    assert not cut(best(replace(ATTENTION, subject_cut=0.2), attention, (first, second)), second)


def test_head_whole_and_head_cut() -> None:
    face = Face(Box(0.68, 0.3, 0.78, 0.5))
    head = head_of(face.box, SIZE.width / SIZE.height)
    attention = EVEN + spot(0.35, 0.5, 6) + spot(0.7, 0.5, 2, 0.1)
    assert cut(best(ATTENTION, attention, faces=(face,)), head)
    assert not cut(best(replace(ATTENTION, head_cut=0.3), attention, faces=(face,)), head)
    assert holds(best(replace(ATTENTION, head_whole=5.0), attention, faces=(face,)), head)


def test_the_head_of_a_turned_face_is_wider_than_what_shows_of_it() -> None:
    facing, turned = head_of(Box(0.4, 0.4, 0.55, 0.6), 1.0), head_of(Box(0.4, 0.4, 0.5, 0.6), 1.0)
    assert facing.width == pytest.approx(0.19)
    assert turned.width == pytest.approx(0.26)
    assert head_of(Box(0.4, 0.4, 0.45, 0.6), 2.0).width == pytest.approx(0.13)  # the same in a wide picture
    away = Face(Box(0.6, 0.3, 0.65, 0.45))
    attention = EVEN + spot(0.3, 0.5, 6, 0.2) + spot(0.62, 0.4, 2, 0.05)
    whole = best(replace(ATTENTION, head_whole=5.0), attention, faces=(away,))
    assert holds(whole, Box(0.57, 0.3, 0.68, 0.45))


def test_a_body_without_its_head_counts_as_a_cut_head() -> None:
    face = Face(Box(0.45, 0.1, 0.55, 0.25))
    attention = EVEN + spot(0.5, 0.5, 6)
    below = best(ATTENTION, attention, faces=(face,), ratio=WIDE)
    assert below.top > 0.24
    assert best(replace(ATTENTION, head_cut=0.5), attention, faces=(face,), ratio=WIDE).top < 0.1


def test_a_word_is_whole_or_out() -> None:
    word = Box(0.6, 0.4, 0.8, 0.5)
    attention = EVEN + spot(0.35, 0.5, 6) + spot(0.65, 0.45, 2, 0.1)
    assert cut(best(ATTENTION, attention, words=(word,)), word)
    assert not cut(best(replace(ATTENTION, word_cut=0.3), attention, words=(word,)), word)
    assert holds(best(replace(ATTENTION, word_whole=5.0), attention, words=(word,)), word)


@pytest.mark.parametrize("corner", [Box(0.75, 0.92, 0.98, 0.98), Box(0.02, 0.02, 0.25, 0.08)])
def test_a_signature_is_no_word(corner: Box) -> None:
    attention = EVEN + spot(0.5, 0.5, 6)
    strict = replace(ATTENTION, word_whole=5.0, word_cut=5.0)
    assert best(strict, attention, words=(corner,)) == best(strict, attention)
    assert best(strict, attention, words=(Box(0.75, 0.6, 0.98, 0.66),)) != best(strict, attention)


def test_subject_end_shows_the_top_of_what_is_too_tall_and_the_head_of_what_is_too_long() -> None:
    tall, attention = Box(0.4, 0.05, 0.6, 0.98), EVEN + spot(0.5, 0.6, 8, 0.2)
    assert best(ATTENTION, attention, (tall,), ratio=WIDE).top > 0.1
    assert best(replace(ATTENTION, subject_end=2.0), attention, (tall,), ratio=WIDE).top < 0.06
    turtle, seen = Box(0.05, 0.3, 0.85, 0.8), EVEN + spot(0.45, 0.5, 8, 0.2) + spot(0.8, 0.5, 2, 0.3)
    assert best(ATTENTION, seen, (turtle,)).right < 0.86
    assert best(replace(ATTENTION, subject_end=0.5), seen, (turtle,)).right > 0.86


def test_of_a_head_that_is_too_large_the_face_is_seen() -> None:
    face = Face(Box(0.4, 0.3, 0.6, 0.74))
    attention = EVEN + spot(0.5, 0.8, 6, 0.4)
    assert best(ATTENTION, attention, faces=(face,), ratio=WIDE).top > 0.35
    seen = best(replace(ATTENTION, face_seen=5.0), attention, faces=(face,), ratio=WIDE)
    assert seen.top <= 0.3 and seen.bottom >= 0.74


def test_attention_on_a_subject_counts_more() -> None:
    subject = Box(0.85, 0.4, 0.98, 0.6)
    attention = spot(0.1, 0.5, 3, 0.6) + spot(0.9, 0.5, 3, 0.5)
    assert best(ATTENTION, attention).left < 0.1
    assert holds(best(ATTENTION, attention, (subject,)), subject)


def test_edge_tones_leave_a_summit_whole() -> None:
    # the subject is below, and no map knows the summit: from 30 % of the height down to an even plain
    summit = (np.abs(COLUMNS - 20) < (ROWS - 20) / 2) | (ROWS >= 50)
    tones = np.where(summit, 0.2, 0.8).astype(np.float32)
    attention = EVEN + spot(0.5, 0.7, 6, 0.1)
    assert best(ATTENTION, attention, ratio=WIDE, brightness=tones).top > 0.4
    kept = best(replace(ATTENTION, edge_tones=0.1), attention, ratio=WIDE, brightness=tones)
    assert kept.top < 21 / 68 and kept.bottom > 0.7


def test_edge_tones_leave_a_line_of_text_whole() -> None:
    letters = (np.abs(ROWS - 34) < 4) & (COLUMNS >= 20) & (COLUMNS < 60) & (ROWS % 3 > 0)
    tones = np.where(letters, 0.1, 0.8).astype(np.float32)
    attention = EVEN + spot(0.25, 0.5, 8, 0.1)
    assert best(ATTENTION, attention, brightness=tones).right < 0.8
    assert best(replace(ATTENTION, edge_tones=0.1), attention, brightness=tones).right > 59 / 68


def test_contrast_kept_counts_from_top_to_bottom_and_never_from_left_to_right() -> None:
    weights, tones = replace(ATTENTION, contrast_kept=0.1), np.full((68, 68), 0.5, np.float32)
    tones[60:] = 0.9
    assert best(ATTENTION, EVEN, ratio=WIDE, brightness=tones).center.y == pytest.approx(0.5, abs=0.25)
    assert best(weights, EVEN, ratio=WIDE, brightness=tones).bottom == pytest.approx(1, abs=0.01)
    assert best(weights, EVEN, brightness=tones.T) == best(ATTENTION, EVEN)


def test_one_tone_changes_nothing() -> None:
    even, attention = np.full((68, 68), 0.5, np.float32), EVEN + spot(0.3, 0.7, 6, 0.1)
    weights = replace(ATTENTION, edge_tones=1.0, contrast_kept=1.0)
    for ratio in (SQUARE, WIDE):
        assert best(weights, attention, ratio=ratio, brightness=even) == best(ATTENTION, attention, ratio=ratio)


@pytest.mark.parametrize("low", [0.0, 0.4])
def test_tones_of_a_window_are_those_of_its_own_cells(low: float) -> None:
    tones = np.random.default_rng(5).random((68, 68)).astype(np.float32)
    content = content_of(HeatMap(EVEN), HeatMap(0 * EVEN), (), FramingOptions(), brightness=HeatMap(tones))
    across = Spans(np.array([low]), np.array([low + 0.5]))
    down = Spans(np.array([30.5 / 68, 0.6]), np.array([54.5 / 68, 0.9]))
    terms = grid_terms(content, across, down, room_for(content, 0.5, 0.3))
    values = tones.astype(np.float64)

    def covered(start: float, stop: float) -> NDArray[np.float64]:
        return np.clip(np.minimum(np.arange(68) + 1, stop * 68) - np.maximum(np.arange(68), start * 68), 0, 1)

    def spread(line: NDArray[np.float64], share: NDArray[np.float64]) -> float:
        mean = np.average(line, weights=share)
        return float(np.sqrt(np.average((line - mean) ** 2, weights=share)))

    across_them, down_them = covered(low, low + 0.5), covered(30.5 / 68, 54.5 / 68)
    expected = sum(spread(values[row], across_them) for row in (30, 54)) / values.std(1).mean()
    for edge in (low, low + 0.5):
        first, after = divmod(edge * 68 - 0.5, 1)
        if edge > 0:  # between the middles of two columns
            near, far = (spread(values[:, int(first) + i], down_them) for i in (0, 1))
            expected += ((1 - after) * near + after * far) / values.std(0).mean()
    assert terms["edge_tones"][0, 0] == pytest.approx(-expected)
    off = np.abs(values - np.median(values)).sum(1)
    kept = down_them @ off / off.sum()
    assert terms["contrast_kept"][0, 0] == pytest.approx(kept)


def test_objectness_cut_prefers_edges_that_cut_through_less() -> None:
    post, attention = Box(0.26, 0, 0.32, 1), EVEN + spot(0.55, 0.5, 10, 0.1)
    objectness = masked(post)
    length = 2 / 3
    starts = np.linspace(0, 1 - length, 201)
    content = content_of(HeatMap(attention), objectness, (), FramingOptions())
    spans = Spans(starts, starts + length)
    terms = grid_terms(content, spans, Spans.whole(), room_for(content, length, 1.0))
    through = starts[int(terms["objectness_cut"].argmin())]
    assert post.left < through < post.right
    assert best(replace(NOTHING, objectness_cut=1.0), attention, (post,)).left != pytest.approx(through, abs=0.01)


def test_balance_centres_what_is_seen() -> None:
    attention = EVEN * 0 + spot(0.4, 0.5, 2)
    frame = best(replace(ATTENTION, balance=1.0), attention)
    assert frame.center.x == pytest.approx(0.4, abs=0.03)


def test_upper_keeps_the_upper_part_of_an_even_picture() -> None:
    assert best(replace(ATTENTION, upper=1.0), EVEN, ratio=WIDE).center.y < 0.48
    assert best(replace(ATTENTION, centre=1.0), EVEN, ratio=WIDE).center.y == pytest.approx(0.5, abs=0.01)


def test_a_signature_in_a_corner_does_not_pull() -> None:
    signature, subject = spot(0.93, 0.97, 1.5, 0.5), spot(0.25, 0.5, 4, 0.4)
    attention = np.clip(EVEN * 0.2 + signature + subject, 0, 1).astype(np.float32)
    content = content_of(HeatMap(attention), masked(), (), FramingOptions())
    assert content.attention[64:, 60:].sum() < 0.3 * HeatMap(attention).density()[64:, 60:].sum()
    held = content_of(HeatMap(attention), masked(Box(0.85, 0.9, 1, 1)), (), FramingOptions())
    assert held.attention[64:, 60:].sum() > 2 * content.attention[64:, 60:].sum()


def test_margin_leaves_room_at_every_tightness() -> None:
    person, attention = Box(0.3, 0.2, 0.62, 0.9), EVEN + spot(0.2, 0.5, 6)
    weights = replace(ATTENTION, subject_cut=0.5)
    tight, roomy = (best(weights, attention, (person,), options=FramingOptions(margin=m)) for m in (0.0, 0.4))
    assert person.right < tight.right < roomy.right - 0.05


def test_the_score_of_a_grid_is_that_of_its_rows() -> None:
    """Bands and profiles are two ways to one number."""
    random = np.random.default_rng(5)
    attention = HeatMap(random.random((68, 68), np.float32) ** 4)
    subject = SalientObject(Box(0.2, 0.3, 0.5, 0.8), 0.8)
    faces = (Face(Box(0.6, 0.2, 0.7, 0.35)),)
    content = content_of(
        attention, masked(subject.box), (subject,), FramingOptions(), faces, (Box(0.7, 0.7, 0.9, 0.75),)
    )
    fits = room_for(content, 0.6, 0.7)
    across = Spans(np.array([0.1, 0.25]), np.array([0.7, 0.85]))
    down = Spans(np.array([0.05, 0.2, 0.28]), np.array([0.75, 0.9, 0.98]))
    whole = total(stacked(grid_terms(content, across, down, fits)))
    for i in range(3):
        for j in range(2):
            one = grid_terms(
                content,
                Spans(across.starts[j : j + 1], across.stops[j : j + 1]),
                Spans(down.starts[i : i + 1], down.stops[i : i + 1]),
                fits,
            )
            assert whole[i, j] == pytest.approx(float(total(stacked(one))[0, 0]), abs=0.02)
