"""What there is to frame: where people look, what is subject, and the things that belong whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, Protocol

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
HEAD_WIDTH, FACE_WIDTH = 2.0, 1.4
"""A head is at least the first times its face's height wide, less the second times its face's width: of a face that
is turned away less shows, and more of the head lies beside it."""
BODY_DOWN, BODY_SIDEWAYS = 1.5, 0.5
"""A body's upper part is so many heights of the face below it, and so many widths to the sides."""
END_SHARE, END_ROOM = 0.15, 0.04
"""A subject's top and sides, and the room beyond them, as shares of its length."""
TOP_SEEN = 1.5
"""A top that people look at as much as at the rest of the subject counts in full; the tip of a fin does not."""
HEAD_ROOM = 0.15
"""Free space above a head, as a share of its height."""
LEAST_MARGIN = 0.015
"""Free space round anything that is whole, as a share of the picture, beside the margin of its own size."""
MAIN_HEAD = 8.0
"""Cutting a head costs so much more times the attention on it: who a picture is about should not lose it."""
LEAST_WORTH = 0.5
"""What the main subject is worth beside the attention on it, times its confidence."""
MOST_THINGS = 24
"""Of more faces or words the least confident are left to the maps."""
CORNER_HIGH, CORNER_WIDE = 0.1, 0.3
"""The part of a corner in which a signature or a date stands, as shares of the picture's sides."""
CORNER_OBJECTNESS = 0.5
"""A corner that is subject with this probability or more pulls like any other place."""
SUBJECT_PULL = 0.4
"""Attention on a subject counts so much more than attention on what lies round it."""
UNKNOWN = 0.35
"""People look at much that no network knows as a subject."""
LEAST_SPREAD = 1e-3
"""Brightness that spreads less, on a scale of 0 to 1, is one tone."""
LEAST_REST = 0.6
"""Text counts by the share of the attention that is not on heads; beside a large face, below this, not at all."""
PREFERRED, NOT_PREFERRED = 2.5, 0.5
"""Factors on the weights of the kind that the caller prefers, and of all others."""
LEAST_ATTENTION = 0.05
"""Added to the attention on things of the preferred kind before they are compared: a face in a corner counts too."""
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

    number: its place in the plan's list of subjects or in the caller's list of faces or words, from 1.
    found: the box of a face, a subject or a line of text, in 0..1 of the picture. box: of all that belongs to it,
    which is a face's head; else the same. attention: the share of it on the box.
    weight: factor on the weights of its kind, from the caller's preference. body: below a head, see `body_of`.
    top, side: of a subject, how much people look at its top, 0..1, and how much more at its right side than at its
    left, -1..1.
    """

    kind: Kind
    number: int
    found: Box
    box: Box
    confidence: float
    attention: float
    weight: float = 1.0
    body: Box | None = None
    top: float = 0.0
    side: float = 0.0


@dataclass(frozen=True, eq=False)
class Content:
    """One picture as the score sees it.

    attention: (rows, columns) float64 that sums to 1, subjects counted more and corners less.
    objectness: (rows, columns) float64, 0..1. things: heads, then subjects, then words.
    masks: (subjects, rows, columns) float64, each sums to 1: where each subject is. margin: see FramingOptions.
    brightness: (rows, columns) float64, 0..1, where the caller has it.
    """

    attention: Array
    objectness: Array
    things: tuple[Thing, ...] = ()
    masks: Array | None = None
    margin: float = DEFAULT_MARGIN
    brightness: Array | None = None

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
    def sharp(self) -> Array:
        """What is seen to be cut where an edge runs through it, (rows, columns).

        That is the attention, as a multiple of its mean, times the probability of a subject plus `UNKNOWN`.
        """
        return self.attention * (self.objectness + UNKNOWN) * self.attention.size

    @cached_property
    def boxes(self) -> Array:
        """(4, things, 1): left, top, right, bottom."""
        return self.extents[:, : len(self.things)]

    @cached_property
    def ends(self) -> Array:
        """(2, 3, things, 1): along x and y, from where to where the part lies that is seen first, and its worth, 0..1.

        Of a head that is the face; of a subject the top, and the side that people look at.
        """
        found = np.zeros((2, 3, len(self.things), 1))
        for i, thing in enumerate(self.things):
            box, worth = thing.found, (1.0, 1.0)
            if thing.kind != "head":
                box, worth = _end_of(box, thing.side), (abs(thing.side), thing.top)
            found[:, :, i, 0] = (box.left, box.right, worth[0]), (box.top, box.bottom, worth[1])
        return found

    @cached_property
    def extents(self) -> Array:
        """(4, things + heads, 1): left, top, right, bottom of things, and then of the bodies below heads."""
        edges = [tuple(box) for box in (*(t.box for t in self.things), *(t.body for t in self.things if t.body))]
        return np.array(edges, np.float64).reshape(-1, 4).T[..., np.newaxis]

    @cached_property
    def margins(self) -> Array:
        """(4, things, 1): free space that each thing keeps to the left, top, right and bottom."""
        lengths = np.tile(self.boxes[2:] - self.boxes[:2], (2, 1, 1))
        margins = self.margin * lengths + LEAST_MARGIN
        heads = self.part["head"]
        margins[1, heads] = np.maximum(margins[1, heads], HEAD_ROOM * lengths[1, heads])
        return margins

    @cached_property
    def contrast(self) -> Array | None:
        """Share of the picture's contrast in each row, (rows,): how far each tone is from the median."""
        if self.brightness is None:
            return None
        contrast = np.abs(self.brightness - np.median(self.brightness)).sum(1)
        return np.asarray(contrast / max(contrast.sum(), LEAST_SPREAD))

    @cached_property
    def tones(self) -> tuple[Array, float, float] | None:
        """The brightness and its square, (2, rows, columns); and its usual spread along a column and along a row."""
        if self.brightness is None:
            return None
        along_column, along_row = (max(float(self.brightness.std(axis).mean()), LEAST_SPREAD) for axis in (0, 1))
        return np.stack([self.brightness, self.brightness**2]), along_column, along_row

    @cached_property
    def worth(self) -> Array:
        """(3, things, 1, 1): what each is worth whole, what cutting it costs, and its part of what the caller prefers.

        All before the weights of the score. The main subject is worth something even where attention is spread evenly.
        """
        whole = [t.attention for t in self.things]
        subjects = range(len(self.things))[self.part["subject"]]
        if subjects:
            main = max(subjects, key=lambda i: self.things[i].attention)
            whole[main] += LEAST_WORTH * self.things[main].confidence
        weights = np.array([t.weight for t in self.things])
        cut = np.array([t.confidence * (1 + MAIN_HEAD * t.attention * (t.kind == "head")) for t in self.things])
        preferred = [t.confidence * (LEAST_ATTENTION + t.attention) if t.weight > 1 else 0.0 for t in self.things]
        worth = [np.array(whole) * weights, cut * weights, np.array(preferred) / (sum(preferred) or 1)]
        return np.array(worth)[..., np.newaxis, np.newaxis]


def content_of(
    attention: HeatMap,
    objectness: HeatMap,
    objects: Sequence[SalientObject],
    options: FramingOptions,
    faces: Sequence[FaceLike] = (),
    words: Sequence[Box] = (),
    brightness: HeatMap | None = None,
    *,
    shape: float = 1.0,
) -> Content:
    """Prepare once what does not depend on the ratio. shape: the picture's width / height."""
    factors = factors_of(options.prefer)
    seen = objectness.values.astype(np.float64)
    density = _pull_of(attention.density(), seen)
    heads = [(i, f, head_of(f.box, shape)) for i, f in _strongest(faces)]
    things = [
        Thing(
            "head",
            i,
            f.box,
            head,
            float(f.confidence),
            mass_in(attention.table, head),
            factors["head"],
            body_of(f.box),
        )
        for i, f, head in heads
    ]
    for i, o in enumerate(objects, 1):
        mass = mass_in(attention.table, o.box)
        top, side = _looks_at_ends(attention.table, o.box, mass)
        if any(_holds(o.box, head) for _, _, head in heads):
            top = 0.0  # the head says more
        things.append(
            Thing("subject", i, o.box, o.box, float(o.confidence), mass, factors["subject"], top=top, side=side)
        )
    on_heads = sum(t.attention for t in things if t.kind == "head")
    counts = 1.0 if options.prefer == "text" else 1 - min(on_heads, 1.0)
    for i, box in enumerate(words[:MOST_THINGS], 1):
        if box in options.must_keep or (counts >= LEAST_REST and not _is_signature(box)):
            things.append(Thing("word", i, box, box, counts, mass_in(attention.table, box), factors["word"]))
    masks = np.stack([_mask_of(seen, o.box) for o in objects]) if objects else None
    tones = None if brightness is None else brightness.values.astype(np.float64)
    return Content(density, seen, tuple(things), masks, options.margin, tones)


def mass_in(table: Array, box: Box) -> float:
    """Sum inside a box, from a summed-area table, (rows + 1, columns + 1), exact for parts of cells."""
    return float(masses_in(table, box))


def masses_in(tables: Array, box: Box) -> Array:
    """Sums inside a box, from summed-area tables of one shape, (..., rows + 1, columns + 1)."""
    rows, down = _ends_in(box.top, box.bottom, tables.shape[-2] - 1)
    columns, across = _ends_in(box.left, box.right, tables.shape[-1] - 1)
    corners = tables[..., np.array(rows)[:, np.newaxis], columns]
    return np.asarray(np.array(down) @ corners @ across)


def _ends_in(low: float, high: float, cells: int) -> tuple[list[int], list[float]]:
    """Entries of sums along an axis that are read for the sum from low to high, and how much each counts."""
    low, high = low * cells, high * cells
    first, last = min(int(low), cells - 1), min(int(high), cells - 1)
    return [first, first + 1, last, last + 1], [low - first - 1, first - low, 1 - high + last, high - last]


def factors_of(prefer: Prefer | None) -> dict[Kind, float]:
    """Factor on the weights of each kind of thing."""
    if prefer is None:
        return {"head": 1.0, "subject": 1.0, "word": 1.0}
    chosen = KIND_OF[prefer]
    return {k: PREFERRED if k == chosen else NOT_PREFERRED for k in KINDS}


def head_of(face: Box, shape: float) -> Box:
    """The head round a face, as far as the picture reaches. shape: the picture's width / height."""
    up = HEAD_UP * face.height
    sideways = max(HEAD_SIDEWAYS * face.width, (HEAD_WIDTH * face.height / shape - (1 + FACE_WIDTH) * face.width) / 2)
    return Box(max(face.left - sideways, 0), max(face.top - up, 0), min(face.right + sideways, 1), face.bottom)


def body_of(face: Box) -> Box:
    """Neck and shoulders below a face, as far as the picture reaches: without the head they look beheaded."""
    left, right = face.left - BODY_SIDEWAYS * face.width, face.right + BODY_SIDEWAYS * face.width
    bottom = min(face.bottom + BODY_DOWN * face.height, 1.0)
    return Box(max(left, 0.0), min(face.bottom, bottom - 1e-3), min(right, 1.0), bottom)


def _looks_at_ends(table: Array, box: Box, mass: float) -> tuple[float, float]:
    """Top and side of a subject, as in Thing. table: summed-area table of the attention. mass: of that on the box."""
    down, across = END_SHARE * box.height, END_SHARE * box.width
    top = mass_in(table, Box(box.left, box.top, box.right, box.top + down)) / max(mass, 1e-9)
    left = mass_in(table, Box(box.left, box.top, box.left + across, box.bottom))
    right = mass_in(table, Box(box.right - across, box.top, box.right, box.bottom))
    return min(TOP_SEEN * top / END_SHARE, 1.0), (right - left) / max(left + right, 1e-9)


def _end_of(box: Box, side: float) -> Box:
    """The corner of a subject where its top meets the side that people look at, with the room beyond."""
    part, room = END_SHARE * box.width, END_ROOM * box.width
    left, right = (box.right - part, box.right + room) if side > 0 else (box.left - room, box.left + part)
    top, bottom = box.top - END_ROOM * box.height, box.top + END_SHARE * box.height
    return Box(max(left, 0.0), max(top, 0.0), min(right, 1.0), min(bottom, 1.0))


def _holds(box: Box, head: Box) -> bool:
    middle = head.center
    return box.left <= middle.x <= box.right and box.top <= middle.y <= box.bottom


def _strongest(faces: Sequence[FaceLike]) -> list[tuple[int, FaceLike]]:
    numbered = list(enumerate(faces, 1))
    return sorted(numbered, key=lambda f: (-f[1].confidence, f[0]))[:MOST_THINGS]


def _pull_of(density: Array, objectness: Array) -> Array:
    """The density with more on subjects, and less in corners that hold none: a signature does not pull the frame."""
    empty = np.maximum(1 - objectness / CORNER_OBJECTNESS, 0)
    kept = density * (1 + SUBJECT_PULL * objectness) * (1 - _corners(*density.shape) * empty)
    total = kept.sum()
    return np.asarray(kept / total if total > 0 else density)


def _is_signature(box: Box) -> bool:
    """Whether a line of text lies in a corner, as a signature or a date does."""
    high, wide = CORNER_HIGH, CORNER_WIDE
    return (box.bottom <= high or box.top >= 1 - high) and (box.right <= wide or box.left >= 1 - wide)


@lru_cache(maxsize=8)
def _corners(rows: int, columns: int) -> Array:
    """How much each cell belongs to a corner of the picture, (rows, columns), 0..1."""
    y, x = (np.arange(n) + 0.5 for n in (rows, columns))
    high = np.clip(2 - 2 * np.minimum(y, rows - y) / (CORNER_HIGH * rows), 0, 1)
    wide = np.clip(2 - 2 * np.minimum(x, columns - x) / (CORNER_WIDE * columns), 0, 1)
    return np.asarray(high[:, np.newaxis] * wide)


def _mask_of(objectness: Array, box: Box) -> Array:
    """The map inside the cells that a box touches, as shares; all of the box alike where the map is empty."""
    rows, columns = objectness.shape
    inside = np.zeros((rows, columns))
    top, bottom = int(box.top * rows), int(np.ceil(box.bottom * rows))
    left, right = int(box.left * columns), int(np.ceil(box.right * columns))
    part = objectness[top:bottom, left:right]
    inside[top:bottom, left:right] = part if part.any() else 1.0
    return inside / inside.sum()
