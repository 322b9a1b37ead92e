"""Faces: from a network's face maps to boxes.

The maps of one picture have the shape (5, height, width), float32 in 0..1. Channel 0 is the confidence that the
centre of a face lies in the cell. Channels 1 to 4 are the distances from the middle of the cell to the left, top,
right and bottom edge of that face. They are shares of the picture's width (left, right) and height (top, bottom).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyefirst.errors import NetworkMismatchError
from eyefirst.geometry import Box
from eyefirst.written import reads_back

LEAST_CONFIDENCE = 0.35
"""From here on a face is given: on held-back pictures the lowest value with a precision of .92."""
LARGEST_OVERLAP = 0.4
"""Intersection over union from which two boxes are taken for one face."""
MOST_FACES = 200
"""Peaks per picture that are looked at, the most confident first."""
_NEAR = np.indices((3, 3)).reshape(2, 9, 1)
"""Steps to a cell and its eight neighbours, in a map that is one cell wider on each side."""


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """A face: its box in 0..1 of the picture, and a confidence in 0..1."""

    box: Box
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Return box and confidence by name, for JSON."""
        return {"box": self.box.to_dict(), "confidence": self.confidence}

    @classmethod
    @reads_back()
    def from_dict(cls, values: Mapping[str, Any]) -> DetectedFace:
        """Read what `to_dict` wrote."""
        return cls(Box.from_dict(values["box"]), float(values["confidence"]))


def decode_faces(
    faces: NDArray[np.floating], *, least_confidence: float = LEAST_CONFIDENCE, largest_overlap: float = LARGEST_OVERLAP
) -> tuple[DetectedFace, ...]:
    """Return the faces in the maps of one picture, (5, height, width), the most confident first.

    A face is a local maximum of the confidence among its eight neighbours. Where boxes overlap by more than
    `largest_overlap` (intersection over union), only the most confident one stays. Raises NetworkMismatchError.
    """
    if faces.ndim != 3 or faces.shape[0] != 5:
        raise NetworkMismatchError(
            f"expected the face maps of one picture, (5, height, width); got an array of {faces.shape}",
            remedy="give one picture's part of `Prediction.faces`",
        )
    boxes = face_boxes(faces, least_confidence)
    kept: list[NDArray[np.float64]] = []
    for box in boxes:
        if not kept or overlaps(box, np.array(kept)).max() <= largest_overlap:
            kept.append(box)
    return tuple(
        DetectedFace(Box(left, top, right, bottom), confidence)
        for left, top, right, bottom, confidence in (map(float, box) for box in kept)
        if left < right and top < bottom
    )


def face_boxes(faces: NDArray[np.floating], least_confidence: float) -> NDArray[np.float64]:
    """Return left, top, right, bottom and confidence of every peak, (n, 5), the most confident first."""
    height, width = faces.shape[1:]
    confidence = np.asarray(faces[0], np.float64)
    rows, columns = np.nonzero(confidence >= least_confidence)
    around = np.pad(confidence, 1)[rows + _NEAR[0], columns + _NEAR[1]]  # (9, n): each cell and its neighbours
    highest = confidence[rows, columns] == around.max(axis=0)
    rows, columns = rows[highest], columns[highest]
    order = np.argsort(-confidence[rows, columns], kind="stable")[:MOST_FACES]
    rows, columns = rows[order], columns[order]
    x, y = (columns + 0.5) / width, (rows + 0.5) / height
    left, top, right, bottom = np.asarray(faces[1:, rows, columns], np.float64)
    edges = np.stack([x - left, y - top, x + right, y + bottom], axis=1).clip(0, 1)
    return np.concatenate([edges, confidence[rows, columns][:, None]], axis=1)


def overlaps(box: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return intersection over union of one box with each of n others; left, top, right, bottom come first."""
    sides = np.minimum(box[2:4], others[:, 2:4]) - np.maximum(box[:2], others[:, :2])
    shared = sides.clip(0).prod(axis=1)
    areas = (box[2:4] - box[:2]).prod() + (others[:, 2:4] - others[:, :2]).prod(axis=1) - shared
    return np.asarray(shared / np.maximum(areas, 1e-12), np.float64)
