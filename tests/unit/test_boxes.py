from __future__ import annotations

import numpy as np
import pytest

from eyefirst.boxes import ATTENTION_BAR, attention_box, label_groups, subject_boxes, text_blocks
from eyefirst.geometry import Box
from eyefirst.heat_map import HeatMap

ROWS, COLUMNS = np.mgrid[0:68, 0:68]


def blob(x: float, y: float, spread: float) -> np.ndarray:
    return np.exp(-((COLUMNS - x) ** 2 + (ROWS - y) ** 2) / (2 * spread**2))


def block(*boxes: tuple[int, int, int, int], p: float = 0.95) -> HeatMap:
    values = np.zeros((68, 68), np.float32)
    for left, top, right, bottom in boxes:
        values[top:bottom, left:right] = p
    return HeatMap(values)


def test_attention_gives_one_box_round_the_brightest_place() -> None:
    box = attention_box(HeatMap((0.5 * blob(50, 20, 4)).astype(np.float32)))
    assert box.left < 50.5 / 68 < box.right
    assert box.top < 20.5 / 68 < box.bottom
    assert box.width < 0.35


def test_attention_is_central_on_a_flat_map() -> None:
    box = attention_box(HeatMap((0.05 * blob(33.5, 33.5, 15)).astype(np.float32)))
    assert box.center.x == pytest.approx(0.5, abs=0.01)
    assert box.center.y == pytest.approx(0.5, abs=0.01)
    everything = attention_box(HeatMap(np.full((68, 68), 0.01, np.float32)))
    assert everything == Box.whole()
    assert attention_box(HeatMap(np.zeros((68, 68), np.float32))).area > 0


@pytest.mark.parametrize("seed", range(5))
def test_the_attention_box_is_the_best_of_all_rectangles(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = (random.random((9, 7)) ** 4 * (random.random((9, 7)) > 0.5)).astype(np.float32)
    heat_map = HeatMap(values)
    gains = heat_map.density() - ATTENTION_BAR * heat_map.density().max()
    sums = {
        Box(left / 7, top / 9, right / 7, bottom / 9): gains[top:bottom, left:right].sum()
        for top in range(9)
        for bottom in range(top + 1, 10)
        for left in range(7)
        for right in range(left + 1, 8)
    }
    assert attention_box(heat_map) == max(sums, key=sums.__getitem__)


def test_two_subjects_two_boxes_ranked() -> None:
    found = subject_boxes(block((5, 5, 20, 40), (40, 20, 60, 60), p=0.9))
    assert len(found) == 2
    assert found[0].confidence >= found[1].confidence
    assert found[0].box.iou(Box(40 / 68, 20 / 68, 60 / 68, 60 / 68)) > 0.85


def test_at_most_three_and_specks_are_no_subjects() -> None:
    assert len(subject_boxes(block(*((x, 10, x + 10, 30) for x in (2, 18, 34, 50))))) == 3
    assert subject_boxes(block((30, 30, 32, 32))) == ()


def test_nothing_salient_no_box() -> None:
    assert subject_boxes(HeatMap(np.full((68, 68), 0.05, np.float32))) == ()
    assert subject_boxes(HeatMap(np.full((68, 68), 0.45, np.float32))) == ()


def test_a_whole_picture_of_subject_is_one_box() -> None:
    (found,) = subject_boxes(HeatMap(np.ones((68, 68), np.float32)))
    assert found.box == Box.whole()
    assert found.confidence > 0.95


def test_edges_lie_within_cells_by_their_cover() -> None:
    values = np.zeros((68, 68), np.float32)
    values[20:40, 20:40] = 1
    values[20:40, 19] = 0.25  # a quarter of this column is covered
    (found,) = subject_boxes(HeatMap(values))
    assert found.box.left == pytest.approx(19.75 / 68)
    assert found.box.right == pytest.approx(40 / 68)


def test_a_gap_of_one_cell_does_not_split_a_subject() -> None:
    assert len(subject_boxes(block((10, 10, 30, 20), (10, 21, 30, 40)))) == 1
    assert len(subject_boxes(block((10, 10, 30, 20), (10, 26, 30, 40)))) == 2


def test_groups_touch_by_corners() -> None:
    cells = np.zeros((6, 6), bool)
    cells[0, 0] = cells[1, 1] = cells[4, 4] = cells[4, 5] = True
    labels = label_groups(cells)
    assert labels.max() == 2
    assert labels[0, 0] == labels[1, 1] != labels[4, 4] == labels[4, 5]
    assert label_groups(np.ones((3, 3), bool)).tolist() == [[1] * 3] * 3
    assert label_groups(np.zeros((3, 3), bool)).max() == 0


def test_a_long_winding_group_is_one() -> None:
    cells = np.zeros((68, 68), bool)
    cells[::2] = True
    cells[1::4, -1] = True
    cells[3::4, 0] = True
    assert label_groups(cells).max() == 1


def test_lines_of_text_are_one_block_and_specks_are_none() -> None:
    lines = block((10, 10, 40, 12), (10, 13, 30, 15), (10, 16, 35, 18))
    (found,) = text_blocks(lines)
    assert found.box.iou(Box(10 / 68, 10 / 68, 40 / 68, 18 / 68)) > 0.85
    poster, sign = text_blocks(block((5, 50, 12, 53), (30, 5, 60, 25)))
    assert poster.box.iou(Box(30 / 68, 5 / 68, 60 / 68, 25 / 68)) > 0.9
    assert sign.confidence < poster.confidence
    assert text_blocks(block((5, 5, 6, 7))) == ()
    assert text_blocks(block((5, 5, 40, 10), p=0.4)) == ()
    many = block(*((x, y, x + 6, y + 3) for x in (2, 18, 34, 50) for y in (5, 20, 35, 50)))
    assert len(text_blocks(many)) == 8
