"""Portraits: how much of a person a frame shows, and how much air it leaves above, as a photographer would.

Sizes are counted in heights of the face's box, from the brow or hairline to the chin. The eyes lie a little below its
middle's upper edge, and the frame puts them on a line that moves up as more of the person is shown: two fifths of the
frame from the top in a close-up, one third in an upper body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eyefirst.framing.content import Array, Content, FaceLike
from eyefirst.framing.options import FramingOptions, Portrait
from eyefirst.framing.score import grid_terms, room_for, stacked
from eyefirst.framing.search import Places, constraints, of_width
from eyefirst.framing.spans import Spans
from eyefirst.geometry import AspectRatio, Box, Size

EYES = 0.42
"""Where the eyes lie in a face's box, from its top."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One kind of portrait.

    face_heights: the frame's height, in heights of the face. face_widths: the least width, in widths of the face.
    eyes: where the eyes lie in the frame, as a share of its height from the top.
    """

    face_heights: float
    face_widths: float
    eyes: float


SHOTS: dict[Portrait, Shot] = {
    "close-up": Shot(2.2, 1.7, 0.44),
    "head-and-shoulders": Shot(3.8, 3.2, 0.38),
    "upper-body": Shot(6.5, 4.0, 0.32),
}
DISTANCE_COST = 4.0
"""What a frame loses with its distance from where the portrait should lie, in frame lengths."""
REACH = 0.12
"""How far from there a frame may lie, in frame lengths, where that avoids a cut."""
TRIALS = 7


def main_face(faces: Sequence[FaceLike], content: Content) -> FaceLike:
    """The face that the portrait is of: large, sure and looked at."""
    attention = {t.number: t.attention for t in content.things if t.kind == "head"}
    return max(
        enumerate(faces, 1), key=lambda f: f[1].confidence * f[1].box.area ** 0.5 * (0.2 + attention.get(f[0], 0.0))
    )[1]


def portrait_box(face: Box, picture: Size, ratio: AspectRatio, largest: Size, portrait: Portrait) -> tuple[Size, Box]:
    """The size in pixels and the place of the portrait's frame, as far as the picture reaches."""
    shot = SHOTS[portrait]
    high = max(
        shot.face_heights * face.height * picture.height,
        shot.face_widths * face.width * picture.width / float(ratio),
    )
    size = of_width(high * float(ratio), ratio, largest)
    wide, tall = size.width / picture.width, size.height / picture.height
    left = face.center.x - wide / 2
    top = face.top + EYES * face.height - shot.eyes * tall
    left, top = min(max(left, 0.0), 1 - wide), min(max(top, 0.0), 1 - tall)
    return size, Box(left, top, min(left + wide, 1.0), min(top + tall, 1.0))


def portrait_places(
    content: Content,
    picture: Size,
    ratio: AspectRatio,
    largest: Size,
    faces: Sequence[FaceLike],
    options: FramingOptions,
    portrait: Portrait,
) -> Places:
    """Frames at and near the portrait's place."""
    size, box = portrait_box(main_face(faces, content).box, picture, ratio, largest, portrait)
    left = _near(box.left, box.width)
    top = _near(box.top, box.height)
    across, down = Spans(left, np.minimum(left + box.width, 1)), Spans(top, np.minimum(top + box.height, 1))
    terms = stacked(grid_terms(content, across, down, room_for(content, box.width, box.height)))
    distance = ((left - box.left) / box.width) ** 2 + ((top - box.top) / box.height)[:, np.newaxis] ** 2
    return Places(size, left, top, terms, constraints(options, across, down) - DISTANCE_COST * distance)


def _near(place: float, length: float) -> Array:
    reach = REACH * length
    near = np.linspace(place - reach, place + reach, 2 * TRIALS + 1)
    return np.unique(np.clip(np.append(near, place), 0, max(1 - length, 0)))
