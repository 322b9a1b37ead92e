"""Boxes from drawn face maps."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from eyefirst.errors import NetworkMismatchError
from eyefirst.face_maps import decode_faces

Box = tuple[float, float, float, float]


def drawn(*faces: tuple[Box, float], height: int = 68, width: int = 68) -> NDArray[np.float32]:
    """Face maps with a peak and three weaker cells round about for each box."""
    maps = np.zeros((5, height, width), np.float32)
    maps[1:] = 0.5
    for (left, top, right, bottom), confidence in faces:
        row, column = int((top + bottom) / 2 * height), int((left + right) / 2 * width)
        for down, aside, share in ((0, 0, 1.0), (0, 1, 0.8), (1, 0, 0.7), (1, 1, 0.6)):
            r, c = min(row + down, height - 1), min(column + aside, width - 1)
            x, y = (c + 0.5) / width, (r + 0.5) / height
            maps[:, r, c] = confidence * share, x - left, y - top, right - x, bottom - y
    return maps


def test_boxes_come_back_and_the_most_confident_is_first() -> None:
    small, large = (0.1, 0.2, 0.2, 0.35), (0.4, 0.3, 0.9, 0.95)
    found = decode_faces(drawn((small, 0.7), (large, 0.9)))
    assert [f.confidence for f in found] == pytest.approx([0.9, 0.7])
    for face, expected in zip(found, (large, small), strict=True):
        assert tuple(face.box) == pytest.approx(expected, abs=1e-6)


def test_maps_need_not_be_square() -> None:
    (face,) = decode_faces(drawn(((0.5, 0.25, 0.75, 0.5), 0.8), height=20, width=68))
    assert tuple(face.box) == pytest.approx((0.5, 0.25, 0.75, 0.5), abs=1e-6)


def test_of_two_boxes_round_one_face_the_more_confident_stays() -> None:
    found = decode_faces(drawn(((0.3, 0.3, 0.6, 0.6), 0.6), ((0.36, 0.3, 0.66, 0.6), 0.9)))
    assert [f.confidence for f in found] == pytest.approx([0.9])
    both = decode_faces(drawn(((0.3, 0.3, 0.6, 0.6), 0.6), ((0.36, 0.3, 0.66, 0.6), 0.9)), largest_overlap=0.9)
    assert len(both) == 2


def test_neighbours_that_hardly_overlap_both_stay() -> None:
    assert len(decode_faces(drawn(((0.3, 0.3, 0.5, 0.6), 0.6), ((0.48, 0.3, 0.68, 0.6), 0.9)))) == 2


def test_faces_below_the_least_confidence_are_left_out() -> None:
    maps = drawn(((0.3, 0.3, 0.5, 0.6), 0.35))
    assert decode_faces(maps) == ()
    assert len(decode_faces(maps, least_confidence=0.3)) == 1
    assert decode_faces(np.zeros((5, 68, 68), np.float32)) == ()


def test_boxes_end_at_the_edges_of_the_picture() -> None:
    (face,) = decode_faces(drawn(((-0.1, 0.8, 0.2, 1.2), 0.9)))
    assert (face.box.left, face.box.bottom) == (0.0, 1.0)
    assert face.box.right == pytest.approx(0.2)


def test_a_batch_of_maps_is_refused() -> None:
    with pytest.raises(NetworkMismatchError, match="expected the face maps of one picture"):
        decode_faces(np.zeros((1, 5, 68, 68), np.float32))
