"""What there is to frame: where people look, what is subject, and the things that belong whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from eyefirst.boxes import SalientObject
from eyefirst.framing.options import DEFAULT_MARGIN, FramingOptions, Prefer
from eyefirst.geometry import Box
from eyefirst.heat_map import HeatMap

Array = NDArray[np.float64]
Kind = Literal["head", "subject", "word"]
KINDS: tuple[Kind, ...] = ("head", "subject", "word")
"""In the order in which they stand in a content's things."""

HEAD_UP, HEAD_SIDEWAYS = 0.25, 0.1
"""A head is the face's box with so much of its height above, and of its width on each side."""
BODY_DOWN, BODY_SIDEWAYS = 1.5, 0.5
"""A body's upper part is so many heights of the face below it, and so many widths to the sides."""
TOP_SHARE, TOP_ROOM = 0.15, 0.04
"""The part of a subject that is kept first where it cannot be whole, and the room above it, as shares of its height:
feet are cut before heads are."""
HEAD_ROOM = 0.3
"""Free space above a head, as a share of its height."""
LEAST_MARGIN = 0.01
"""Free space round anything that is whole, as a share of the picture, beside the margin of its own size."""
MOST_THINGS = 24
"""Of more faces or words the least confident are left to the maps."""
CORNER_HIGH, CORNER_WIDE = 0.1, 0.3
"""The part of a corner in which a signature or a date stands, as shares of the picture's sides."""
CORNER_OBJECTNESS = 0.5
"""A corner that is subject with this probability or more pulls like any other place."""
PREFERRED, NOT_PREFERRED = 2.5, 0.5
"""Factors on the weights of the kind that the caller prefers, and of all others."""
KIND_OF: dict[Prefer, Kind | None] = {"faces": "head", "subjects": "subject", "text": "word", "attention": None}


class FaceLike(Protocol):
    """A face that a detector found: its box in 0..1 of the picture, and its confidence in 0..1."""

    @property
    def box(self) -> Box: ...

    @property
    def confidence(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Thing:
    """What an editor keeps whole or leaves out.

    box: of a head, a subject or a line of text, in 0..1 of the picture. core: the part that has to be seen where the
    whole is too large: a face without its hair, the top of a subject. attention: the share of it on the box.
    number: its place in the plan's list of subjects or in the caller's list of faces or words, from 1.
    weight: factor on the weights of its kind, from the caller's preference.
    """

    kind: Kind
    number: int
    box: Box
    core: Box
    confidence: float
    attention: float
    weight: float = 1.0
    body: Box | None = None


@dataclass(frozen=True, eq=False)
class Content:
    """One picture as the score sees it.

    attention: (rows, columns) float64 that sums to 1, corners discounted. objectness: (rows, columns) float64, 0..1.
    things: heads, then subjects, then words. masks: (subjects, rows, columns) float64, each sums to 1: where each
    subject is. margin: see FramingOptions. prepared: what the score keeps for each axis.
    """

    attention: Array
    objectness: Array
    things: tuple[Thing, ...] = ()
    masks: Array | None = None
    margin: float = DEFAULT_MARGIN
    prepared: dict[int, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def part(self) -> dict[Kind, slice]:
        """Where the things of each kind stand in `things`."""
        found: dict[Kind, slice] = {}
        start = 0
        for kind in KINDS:
            count = sum(t.kind == kind for t in self.things)
            found[kind] = slice(start, start + count)
            start += count
        return found

    @cached_property
    def boxes(self) -> Array:
        """(things, 4): left, top, right, bottom."""
        return _edges([t.box for t in self.things])

    @cached_property
    def cores(self) -> Array:
        """(things, 4): left, top, right, bottom."""
        return _edges([t.core for t in self.things])

    @cached_property
    def bodies(self) -> Array:
        """(heads, 4): left, top, right, bottom."""
        return _edges([t.body for t in self.things if t.body])

    @cached_property
    def worth(self) -> Array:
        """(2, things): attention and confidence, each times the thing's weight."""
        return np.array([[t.attention * t.weight for t in self.things], [t.confidence * t.weight for t in self.things]])


def _edges(boxes: Sequence[Box]) -> Array:
    return np.array([(b.left, b.top, b.right, b.bottom) for b in boxes], np.float64).reshape(-1, 4)


def content_of(
    attention: HeatMap,
    objectness: HeatMap,
    objects: Sequence[SalientObject],
    options: FramingOptions,
    faces: Sequence[FaceLike] = (),
    words: Sequence[Box] = (),
) -> Content:
    """Prepare once what does not depend on the ratio."""
    factors = factors_of(options.prefer)
    seen = objectness.values.astype(np.float64)
    density = _without_corners(attention.density(), seen)
    things = [
        Thing("head", i, head_of(f.box), _eyes_of(f.box), float(f.confidence), 0.0, factors["head"], body_of(f.box))
        for i, f in _strongest(faces)
    ]
    things += [
        Thing("subject", i, o.box, _top_of(o.box), float(o.confidence), 0.0, factors["subject"])
        for i, o in enumerate(objects, 1)
    ]
    things += [Thing("word", i, b, b, 1.0, 0.0, factors["word"]) for i, b in enumerate(words[:MOST_THINGS], 1)]
    weighed = tuple(replace(t, attention=attention.mass_in(t.box)) for t in things)
    masks = np.stack([_mask_of(seen, o.box) for o in objects]) if objects else None
    return Content(density, seen, weighed, masks, options.margin)


def factors_of(prefer: Prefer | None) -> dict[Kind, float]:
    """Factor on the weights of each kind of thing."""
    if prefer is None:
        return {"head": 1.0, "subject": 1.0, "word": 1.0}
    chosen = KIND_OF[prefer]
    return {k: PREFERRED if k == chosen else NOT_PREFERRED for k in KINDS}


def head_of(face: Box) -> Box:
    """The head round a face, as far as the picture reaches."""
    up, sideways = HEAD_UP * face.height, HEAD_SIDEWAYS * face.width
    return Box(max(face.left - sideways, 0), max(face.top - up, 0), min(face.right + sideways, 1), face.bottom)


def _eyes_of(face: Box) -> Box:
    """From the brows to the nose: what stays where a face is larger than its frame."""
    return Box(face.left, face.top + 0.15 * face.height, face.right, face.top + 0.65 * face.height)


def body_of(face: Box) -> Box:
    """Neck and shoulders below a face, as far as the picture reaches: without the head they look beheaded."""
    left, right = face.left - BODY_SIDEWAYS * face.width, face.right + BODY_SIDEWAYS * face.width
    bottom = min(face.bottom + BODY_DOWN * face.height, 1.0)
    return Box(max(left, 0.0), min(face.bottom, bottom - 1e-3), min(right, 1.0), bottom)


def _top_of(box: Box) -> Box:
    top = max(box.top - TOP_ROOM * box.height, 0.0)
    return Box(box.left, top, box.right, box.top + TOP_SHARE * box.height)


def _strongest(faces: Sequence[FaceLike]) -> list[tuple[int, FaceLike]]:
    numbered = list(enumerate(faces, 1))
    return sorted(numbered, key=lambda f: (-f[1].confidence, f[0]))[:MOST_THINGS]


def _without_corners(density: Array, objectness: Array) -> Array:
    """The density with less in corners that hold no subject: a signature or a date stamp does not pull the frame."""
    rows, columns = density.shape
    y, x = (np.arange(n) + 0.5 for n in (rows, columns))
    high = np.clip(2 - 2 * np.minimum(y, rows - y) / (CORNER_HIGH * rows), 0, 1)
    wide = np.clip(2 - 2 * np.minimum(x, columns - x) / (CORNER_WIDE * columns), 0, 1)
    empty = np.clip(1 - objectness / CORNER_OBJECTNESS, 0, 1)
    kept = density * (1 - high[:, np.newaxis] * wide * empty)
    total = kept.sum()
    return np.asarray(kept / total if total > 0 else density)


def _mask_of(objectness: Array, box: Box) -> Array:
    """The map inside the cells that a box touches, as shares; all of the box alike where the map is empty."""
    rows, columns = objectness.shape
    inside = np.zeros((rows, columns))
    top, bottom = int(box.top * rows), int(np.ceil(box.bottom * rows))
    left, right = int(box.left * columns), int(np.ceil(box.right * columns))
    part = objectness[top:bottom, left:right]
    inside[top:bottom, left:right] = part if part.any() else 1.0
    return inside / inside.sum()
