"""What an editor would say of a frame: where it cuts, how bad that is, and what it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from eyefirst.framing.content import Array, Content, Kind, Thing
from eyefirst.framing.options import FramingOptions
from eyefirst.framing.spans import ON_BORDER
from eyefirst.geometry import Box, round_half_up

PASSES = 0.3
"""Findings below this severity are not worth a warning."""
ALARMS, CERTAIN = 0.15, 0.45
"""Of frames below this risk an editor sends back hardly any: only findings of at least this severity are said then."""
OUTSIDE, INSIDE = 0.08, 0.93
"""A thing with less than the first share inside is left out; with more than the second it is whole."""
CUT: dict[Kind, float] = {"head": 0.5, "word": 0.4}
"""Severity of a cut head, or of cut text, that nobody looks at."""
BEHEADED = 0.25
"""A body that is inside by this share, below a head that is outside, has lost it: a quarter is a neck and shoulders."""
TOUCH = 0.008
"""A thing this close to an edge, as a share of the picture, touches it."""
LITTLE_KEPT = 0.45
"""Below this share of the attention an editor asks what the crop is about."""
LARGELY = 0.55
"""A subject that is too large for its frame should show at least so much of itself."""
TOP_LOST = 0.02
"""A subject whose box reaches this far beyond an edge, as a share of its own length, is cut there."""
BOTH_SIDES = 0.28
"""A subject that is too wide had better be cut on one side alone; no reason for a warning."""
MAIN_SHARE = 0.15
"""A thing with this share of the attention is one that the picture is about."""
SLICED = 2.5
"""Where an edge runs through what people look at, no box may say so. From this value of `Content.sharp` on it is worth
a warning."""
SLICED_MOST = 0.6
"""The largest severity of that: it says that something is cut, not what."""
RISK = 4.56, 3.07, 5.49
"""Of the curve in `risk_of`: its place, and how much the severity of what is named and of what is not count."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an editor would remark on. severity: 0 is not worth a word, 1 spoils the frame.

    named: whether it says what is cut; else only that something is.
    """

    words: str
    severity: float
    named: bool = True


def findings(
    content: Content, frame: Box, kept: float, shares: Sequence[float], options: FramingOptions
) -> list[Finding]:
    """Everything to remark on, worst first; what is below `PASSES` is worth another look, not a warning.

    kept: share of the attention inside. shares: of every thing, see `shares_inside`.
    """
    found = [
        *_of_things(content, frame, shares, options),
        *_of_constraints(content, frame, options),
        _of_edges(content, frame),
    ]
    if kept < LITTLE_KEPT and not _is_portrait(content, shares, options):
        outside = round_half_up(100 * (1 - kept))
        found.append(Finding(f"{outside} % of what people look at is outside", 0.3 + (LITTLE_KEPT - kept)))
    return sorted(found, key=lambda f: -f.severity)


def remarks(found: Sequence[Finding]) -> list[Finding]:
    """The findings that are worth a warning; what they do not name only where nothing else is said."""
    least = PASSES if risk_of(found) >= ALARMS else CERTAIN
    worth_a_word = [f for f in found if f.severity >= least]
    return [f for f in worth_a_word if f.named] or worth_a_word


def severity_of(found: Sequence[Finding]) -> float:
    """One number for all: 0 without findings; each more adds to the worst one, never beyond 1."""
    passes = 1.0
    for finding in found:
        passes *= 1 - min(finding.severity, 1.0)
    return 1 - passes


def shares_inside(content: Content, frame: Box, kept_objects: Sequence[float]) -> list[float]:
    """Share of every thing inside a frame; of a subject by its mask, or its outline where that loses more."""
    shares = []
    for thing in content.things:
        share = frame.overlap(thing.box) / thing.box.area
        if thing.kind == "subject":
            kept = kept_objects[thing.number - 1]
            share = min(kept, share) if kept > 0.5 else kept
        shares.append(share)
    return shares


def risk_of(found: Sequence[Finding]) -> float:
    """How likely an editor sends a frame back, 0..1: what is named alarms less where the edges cut nothing sharp.

    A logistic curve, fitted to 600 crops of 60 pictures that an editor judged without knowing how they were made.
    """
    edges = max((f.severity for f in found if not f.named), default=0.0)
    return 1 / (1 + exp(RISK[0] - RISK[1] * severity_of([f for f in found if f.named]) - RISK[2] * edges))


def reason_for(content: Content, kept: float, shares: Sequence[float]) -> str:
    """What a frame keeps whole, in a few words."""
    words: list[str] = []
    for kind, one, many in (
        ("head", "face", "faces"),
        ("subject", "subject", "subjects"),
        ("word", "text", "blocks of text"),
    ):
        of_kind = [(t, s) for t, s in zip(content.things, shares, strict=True) if t.kind == kind]
        whole = [t for t, s in of_kind if s >= INSIDE]
        if not of_kind or not whole or (kind == "subject" and words):
            continue
        if len(of_kind) == 1:
            words.append(f"the {one}")
        elif len(whole) == len(of_kind):
            words.append(f"all {len(whole)} {many}")
        elif len(whole) == 1:
            words.append(f"the {one} {_place(whole[0], [t for t, _ in of_kind])}")
        else:
            words.append(f"{len(whole)} of {len(of_kind)} {many}")
    if not words:
        return f"keeps {round_half_up(100 * kept)} % of what people look at"
    return "keeps " + " and ".join(words)


def _place(thing: Thing, others: Sequence[Thing]) -> str:
    """Which of several things of a kind it is."""
    middles = sorted(t.box.center.x for t in others)
    x = thing.box.center.x
    if x == middles[0] and x < middles[-1]:
        return "on the left"
    if x == middles[-1] and x > middles[0]:
        return "on the right"
    return "in the middle" if 0 < middles.index(x) < len(middles) - 1 else f"number {thing.number}"


def _of_things(content: Content, frame: Box, shares: Sequence[float], options: FramingOptions) -> Iterator[Finding]:
    subjects = [t for t in content.things if t.kind == "subject"]
    heads = [t.box for t, s in zip(content.things, shares, strict=True) if t.kind == "head" and s > OUTSIDE]
    best = max((s for t, s in zip(content.things, shares, strict=True) if t.attention >= MAIN_SHARE), default=0.0)
    grown = min(1 / frame.width, 1 / frame.height)  # a smaller frame is judged by what the largest could hold
    room = frame.width * grown + 1e-9, frame.height * grown + 1e-9
    lost = [box for box in options.must_keep if _lost(frame, box)]
    for thing, inside in zip(content.things, shares, strict=True):
        if any(_is_alike(thing.found, box) for box in lost):
            continue  # it is said of the must-keep box
        box, share, fits = thing.box, inside, _fits(thing.box, room)
        if thing.kind == "head" and not fits:  # then the face should be whole
            box = thing.found
            share, fits = frame.overlap(box) / box.area, _fits(box, room)
        if thing.kind == "subject":
            name = "the subject" if len(subjects) == 1 else f"subject {thing.number}"
            yield from _of_subject(thing, share, frame, name, fits, any(thing.box.overlap(h) > 0 for h in heads))
        elif OUTSIDE < share < INSIDE or (share <= OUTSIDE and _is_beheaded(thing, frame)):
            name = "a face" if thing.kind == "head" else "text"
            edge = _worst_edge(box, frame)
            if fits or edge != "top" or thing.kind == "word":
                least = CUT[thing.kind]
                severity = least + min(2 * thing.attention, 0.4) if fits else least - 0.05
                what = "is cut" if share > OUTSIDE else "is cut off"
                yield Finding(f"{name} {what} {_where(box, frame)}", severity * min(1.0, 0.5 + thing.confidence))
        if share <= OUTSIDE and thing.attention >= MAIN_SHARE and best < INSIDE:
            name = {"head": "the main face", "subject": "the main subject", "word": "the main text"}[thing.kind]
            yield Finding(f"{name} is outside", 0.6 + min(thing.attention, 0.4))


def _of_subject(thing: Thing, share: float, frame: Box, name: str, fits: bool, head: bool) -> Iterator[Finding]:
    """A person whose head is whole may be cut below it; other subjects that fit should be whole."""
    weight = thing.confidence * (0.5 + min(2 * thing.attention, 0.5))
    lost = round_half_up(100 * (1 - share))
    where = _where(thing.box, frame)
    if share >= INSIDE and fits:
        touched = _touched(thing.box, frame)
        if touched:
            yield Finding(f"{name} touches the {touched} edge", (0.2 if head else 0.4) * weight)
    elif OUTSIDE < share < INSIDE and fits:
        severity = 0.25 + 0.75 * min(4 * min(share, 1 - share), 1.0)
        if head:
            severity *= 0.3 if _worst_edge(thing.box, frame) == "bottom" else 0.5
        yield Finding(f"{lost} % of {name} is outside, {where}", severity * weight)
    elif OUTSIDE < share < INSIDE:
        beyond = _beyond(thing.box, frame)
        if beyond["top"] > TOP_LOST and not head:
            yield Finding(f"the top of {name} is cut", (0.3 + min(3 * beyond["top"], 0.5)) * weight * thing.top)
        if beyond["left"] > TOP_LOST and beyond["right"] > TOP_LOST and not head:
            yield Finding(f"{name} is cut on both sides", BOTH_SIDES * weight * min(2 * abs(thing.side), 1.0))
        if share < LARGELY and not head:
            yield Finding(f"{lost} % of {name} is outside, {where}", 0.5 * weight)


def _fits(box: Box, room: tuple[float, float]) -> bool:
    """Whether a frame of that width and height can hold a box."""
    return box.width <= room[0] and box.height <= room[1]


def _is_beheaded(thing: Thing, frame: Box) -> bool:
    """Whether a frame shows the body below a head, and not the head."""
    return thing.body is not None and frame.overlap(thing.body) > BEHEADED * thing.body.area


def _is_portrait(content: Content, shares: Sequence[float], options: FramingOptions) -> bool:
    """Whether a portrait was asked for, and the frame shows a face: it is meant to leave out what else is looked at."""
    heads = (share for thing, share in zip(content.things, shares, strict=True) if thing.kind == "head")
    return options.portrait is not None and any(share > OUTSIDE for share in heads)


def _of_constraints(content: Content, frame: Box, options: FramingOptions) -> Iterator[Finding]:
    for i, box in enumerate(options.must_keep, 1):
        if lost := _lost(frame, box):
            name = _name_of(content, box) or f"must-keep box {i}"
            yield Finding(f"{round_half_up(100 * lost)} % of {name} is outside", 0.9)
    for i, box in enumerate(options.avoid, 1):
        inside = frame.overlap(box) / box.area
        if inside > 0.005:
            yield Finding(f"{round_half_up(100 * inside)} % of avoid box {i} is inside", 0.7)


def _name_of(content: Content, box: Box) -> str:
    """A must-keep box in words, where it is that of a face or a line of text; else nothing."""
    thing = next((t for t in content.things if t.kind != "subject" and _is_alike(t.found, box)), None)
    if thing is None:
        return ""
    several = content.things[content.part[thing.kind]]
    if thing.kind == "head":
        return "the face" if len(several) == 1 else f"the face {_place(thing, several)}"
    return "the text" if len(several) == 1 else "a line of text"


def _lost(frame: Box, box: Box) -> float:
    """Share of a must-keep box that is outside; 0 where that is too little to say."""
    lost = 1 - frame.overlap(box) / box.area
    return lost if lost > 0.005 else 0.0


def _is_alike(one: Box, other: Box) -> bool:
    return all(abs(a - b) < 1e-6 for a, b in zip(one, other, strict=True))


def _of_edges(content: Content, frame: Box) -> Finding:
    """The edge inside the picture that cuts most of what people look at, where boxes may say nothing: see `SLICED`."""
    worst, most = "right", 0.0
    for edge, axis, place in (
        ("left", 1, frame.left),
        ("right", 1, frame.right),
        ("top", 0, frame.top),
        ("bottom", 0, frame.bottom),
    ):
        if ON_BORDER < place < 1 - ON_BORDER:
            low, high = (frame.top, frame.bottom) if axis else (frame.left, frame.right)
            cut = float(_along(content.sharp.T if axis else content.sharp, place, low, high).max())
            if cut > most:
                worst, most = edge, cut
    severity = min(PASSES * most / SLICED, SLICED_MOST)
    return Finding(f"what people look at is cut at the {worst} edge", severity, named=False)


def _along(lines: Array, place: float, low: float, high: float) -> Array:
    """A map (lines, cells) along a line, from low to high, each cell the mean of three, (cells,)."""
    count, cells = lines.shape
    at = min(max(place * count - 0.5, 0.0), count - 1.0)
    first = int(at)
    begin, end = int(low * cells), max(int(np.ceil(high * cells)), int(low * cells) + 1)
    padded = np.zeros(end - begin + 2)
    padded[1:-1] = lines[first, begin:end] * (1 - at + first)
    padded[1:-1] += lines[min(first + 1, count - 1), begin:end] * (at - first)
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3)


def _beyond(box: Box, frame: Box) -> dict[str, float]:
    """How far a box reaches beyond each edge of a frame, as a share of its own width or height."""
    return {
        "left": max(frame.left - box.left, 0.0) / box.width,
        "top": max(frame.top - box.top, 0.0) / box.height,
        "right": max(box.right - frame.right, 0.0) / box.width,
        "bottom": max(box.bottom - frame.bottom, 0.0) / box.height,
    }


def _worst_edge(box: Box, frame: Box) -> str:
    """The edge of the frame beyond which most of a box lies."""
    beyond = _beyond(box, frame)
    return max(beyond, key=lambda e: beyond[e])


def _where(box: Box, frame: Box) -> str:
    """The edges at which a box is cut, the less important ones left out."""
    beyond = _beyond(box, frame)
    most = max(beyond.values())
    cut = [edge for edge, share in beyond.items() if share > most / 2]
    return f"at the {' and the '.join(cut)} edge{'s' if len(cut) > 1 else ''}"


def _touched(box: Box, frame: Box) -> str:
    """The edge inside the picture that a box inside the frame touches, or nothing; the bottom may be touched."""
    room = {
        "top": (box.top - frame.top, frame.top > ON_BORDER),
        "left": (box.left - frame.left, frame.left > ON_BORDER),
        "right": (frame.right - box.right, frame.right < 1 - ON_BORDER),
    }
    near = {e: d for e, (d, inner) in room.items() if inner and d < TOUCH}
    return min(near, key=lambda e: near[e]) if near else ""
