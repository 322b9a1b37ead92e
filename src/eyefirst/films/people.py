"""Who is in a shot: faces of its analysed frames, joined to tracks, grown to heads; and the text that stays."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import NamedTuple

from eyefirst.face_maps import LEAST_CONFIDENCE, DetectedFace
from eyefirst.films.sights import Shot, Sight, kept_in
from eyefirst.framing.content import head_of
from eyefirst.geometry import Box

LEAST_HEAD = 0.025
"""Height of a head that counts, as a share of the frame's."""
JUMP, GROWTH = 2.0, 1.6
"""A face goes on with one that is at most so many face widths away, and at most so many times larger or smaller."""
LONGEST_GAP, ONCE_GAP, LONGEST_END = 6, 2, 3
"""Analysed frames in which a face may be unseen and still be taken for there; the same for one that was seen only once;
and after it was seen last."""
LEAVING = 0.5
"""A head that moved so many of its widths when it was seen last, or first, is not taken for there any more, or yet."""
SAME_BODY, BODY_GROWTH = 0.3, 1.3
"""A body goes on with one of this overlap (intersection over union) that is at most so many times wider or narrower."""
PARTNER, LOOKED_AT = 0.3, 0.05
"""A second face counts, if it has this share of the main face's weight and of its time, and of all attention."""
ONE_HEAD = 0.25
"""A faint face that shares so much of the smaller box with a surer one is the same head, found once more."""
SURE = 0.45
"""Confidence that a face reaches at least once; from there nine of ten faces of the public clips are true."""
HIDDEN, REACH = 0.3, 0.8
"""A faint face's head reaches as far aside as its body, by so much of its own width and of the window's at most."""
LOOKED_AT_FACE = 0.035
"""A faint face, as in profile, counts where its confidence times the share of the attention on it reaches this."""
FAINT_JUMP = 0.7
"""A face goes on with any other faint one, if that is so near, in face widths."""
UNSEEN = 0.1
"""What a face counts at which nobody looks, beside its share of the attention."""
LEAST_PRESENCE = 0.25
"""Share of a shot's analysed frames in which its main face is there."""
AT_EDGE = 0.03
"""Share of the frame's width that a body is away from its edge at most, to touch it."""
STAYS_SECONDS = 4.0
"""For so long after somebody left the picture the window waits where that was."""
SOMETHING, SOMETHING_LOOKED_AT = 0.7, 0.2
"""A subject of this confidence, with this share of the attention on it, is something else to see."""
SAME_LINE = 0.5
"""Overlap (intersection over union) from which two boxes are one line of text."""


class TextLine(NamedTuple):
    """A line of text that stays. numbers: of the analysed frames in which it is there."""

    box: Box
    numbers: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class HeadTrack:
    """One person's head over a shot.

    heads: by the number of the analysed frame. weight: how much the person counts. seen: in how many of those frames
    the face itself was found; in the others the body was. bodies: of faint faces, where they are found.
    """

    heads: dict[int, Box]
    weight: float
    seen: int
    bodies: dict[int, Box] = field(default_factory=dict)

    def reaching(self, width: float) -> HeadTrack:
        """Return the track with faint faces' heads as far aside as their bodies reach, where a window has room.

        width: of the window. In profile only a part of the head is found: its back lies beside the face.
        """
        found = {n: _reaching(h, self.bodies[n], width) for n, h in self.heads.items() if n in self.bodies}
        return replace(self, heads={**self.heads, **found})

    def at(self, number: int) -> Box | None:
        """Return the head in an analysed frame: seen, or taken to be between where it was before and after."""
        if number in self.heads:
            return self.heads[number]
        before = max((n for n in self.heads if n < number), default=None)
        after = min((n for n in self.heads if n > number), default=None)
        if before is not None and after is not None:
            if after - before > 2 * LONGEST_GAP:
                return None
            return between(self.heads[before], self.heads[after], (number - before) / (after - before))
        order = sorted(self.heads, reverse=before is not None)
        if not order or abs(order[0] - number) > LONGEST_END:
            return None
        box = self.heads[order[0]]
        if len(order) > 1 and abs(box.center.x - self.heads[order[1]].center.x) > LEAVING * box.width:
            return None
        return box


def head_tracks(shot: Shot) -> tuple[HeadTrack, ...]:
    """Return the people of a shot, the main one first: large, sure, long there, and looked at.

    Where a face is not found, as in profile, the head moves with its body, as long as that is found.
    """
    tracks: list[_Track] = []
    for number, sight in enumerate(shot.sights):
        faces = _apart([f for f in sight.faces if f.box.height >= LEAST_HEAD])
        attention = [kept_in(sight, head_of(f.box, shot.shape)) for f in faces]
        counts = [
            f.confidence >= LEAST_CONFIDENCE or _is_looked_at(f, a) for f, a in zip(faces, attention, strict=True)
        ]
        pairs = [
            (not counts[f], distance, t, f)
            for t, track in enumerate(tracks)
            for f, face in enumerate(faces)
            if (distance := track.apart(number, face.box, faint=not counts[f])) is not None
        ]
        goes_on: dict[int, int] = {}
        for _, _, t, f in sorted(pairs):
            if t not in goes_on.values() and f not in goes_on:
                goes_on[f] = t
        for f, face in enumerate(faces):
            if f not in goes_on and counts[f]:
                goes_on[f] = len(tracks)
                tracks.append(_Track())
            if f in goes_on:
                tracks[goes_on[f]].see(number, face, attention[f], sight)
        for t, track in enumerate(tracks):
            if t not in goes_on.values():
                track.follow_body(number, sight)
    made = [
        HeadTrack(
            {n: head_of(b, shot.shape) for n, b in t.faces.items()}, t.weight / len(shot.sights), t.seen, t.bodies
        )
        for t in tracks
        if (t.surest >= SURE or t.looked_at >= 2) and (t.seen >= 2 or len(shot.sights) <= 3)
    ]
    return tuple(sorted(made, key=lambda t: -t.weight))


def _reaching(head: Box, body: Box, width: float) -> Box:
    left, right = max(head.left - body.left, 0.0), max(body.right - head.right, 0.0)
    most = min(HIDDEN * head.width, REACH * width - head.width)
    share = min(max(most, 0.0) / max(left + right, 1e-9), 1.0)
    return Box(head.left - share * left, head.top, head.right + share * right, head.bottom)


def _is_looked_at(face: DetectedFace, attention: float) -> bool:
    """Whether the attention on a face's head confirms the face, though it is faint, such as in profile."""
    return face.confidence * attention >= LOOKED_AT_FACE


def _apart(faces: Sequence[DetectedFace]) -> list[DetectedFace]:
    """Return faces without the faint ones that are surer ones once more: of a faint face the network gives several."""
    kept: list[DetectedFace] = []
    for face in sorted(faces, key=lambda f: -f.confidence):
        areas = (face.box.overlap(k.box) / min(face.box.area, k.box.area) for k in kept)
        if face.confidence >= LEAST_CONFIDENCE or max(areas, default=0.0) < ONE_HEAD:
            kept.append(face)
    return kept


class _Track:
    """A face in the making: where it was seen, or where its body says that it is."""

    def __init__(self) -> None:
        self.faces: dict[int, Box] = {}
        self.bodies: dict[int, Box] = {}
        self.weight, self.surest, self.seen, self.looked_at = 0.0, 0.0, 0, 0
        self._last_seen = -1
        self._body: Box | None = None

    def see(self, number: int, face: DetectedFace, attention: float, sight: Sight) -> None:
        """Add a face that was found. attention: the share of it on the head."""
        box = face.box
        self.faces[number] = box
        self.weight += face.confidence * math.sqrt(box.area) * (UNSEEN + attention)
        self.surest, self.seen, self._last_seen = max(self.surest, face.confidence), self.seen + 1, number
        self.looked_at += _is_looked_at(face, attention)
        bodies = [o.box for o in sight.subjects if o.box.overlap(box) >= 0.5 * box.area]
        self._body = min(bodies, key=lambda b: b.area, default=None)
        if self._body is not None and face.confidence < LEAST_CONFIDENCE:
            self.bodies[number] = self._body

    def follow_body(self, number: int, sight: Sight) -> None:
        """Move the face with its body, where the body is found and the face is not."""
        if (
            self._body is None
            or max(self.faces, default=-2) != number - 1
            or number - self._last_seen > 2 * LONGEST_GAP
        ):
            return
        near = [o.box for o in sight.subjects if o.box.iou(self._body) >= SAME_BODY]
        body = max(near, key=lambda b: b.iou(self._body or b), default=None)
        if body is None or not 1 / BODY_GROWTH <= body.width / self._body.width <= BODY_GROWTH:
            return
        face = self.faces[number - 1]
        across = body.center.x - self._body.center.x
        left = min(max(face.left + across, 0.0), 1 - face.width)
        self.faces[number] = Box(left, face.top, left + face.width, face.bottom)
        self._body = body

    def apart(self, number: int, face: Box, *, faint: bool = False) -> float | None:
        """How many face widths a face is from the end of the track; None, where it cannot be the same face."""
        last = max(self.faces)
        if not 0 < number - last <= (LONGEST_GAP if self.seen > 1 else ONCE_GAP):
            return None
        box = self.faces[last]
        size = max(box.width, face.width)
        distance = math.hypot(box.center.x - face.center.x, box.center.y - face.center.y) / size
        grown = max(box.area, face.area) / max(min(box.area, face.area), 1e-9)
        return distance if distance <= (FAINT_JUMP if faint else JUMP) and grown <= GROWTH**2 else None


def people_of(
    shot: Shot, tracks: Sequence[HeadTrack], fit: Callable[[Sequence[HeadTrack]], bool] = lambda _: True
) -> tuple[HeadTrack, ...]:
    """Return the main person of a shot, and the second one if that counts too; nobody, if no face is there for long.

    tracks: of the shot, as `head_tracks` gives them. fit: whether two people fit into the window. Of several second
    ones the first that fits is taken.
    """
    if not tracks or tracks[0].seen < LEAST_PRESENCE * len(shot.sights):
        return ()
    main = tracks[0]
    pairs = []
    for other in tracks[1:]:
        together = len(set(main.heads) & set(other.heads))
        seen = [kept_in(shot.sights[n], box) for n, box in other.heads.items()]
        large, long = other.weight >= PARTNER * main.weight, together >= PARTNER * len(main.heads)
        if large and long and sum(seen) >= LOOKED_AT * len(seen):
            pairs.append((main, other))
    return next((pair for pair in pairs if fit(pair)), pairs[0] if pairs else (main,))


def heads_of(
    people: Sequence[HeadTrack], frames: int, gone: Container[int] = (), width: float = 0.0
) -> list[tuple[Box | None, ...]]:
    """Return the heads of people in each analysed frame, the main one first.

    gone: where nobody is there any more. width: of the window in which faint faces' heads reach as far as their bodies.
    """
    reaching = [p.reaching(width) for p in people]
    return [tuple(None if n in gone else p.at(n) for p in reaching) for n in range(frames)]


def others_of(tracks: Sequence[HeadTrack], people: Sequence[HeadTrack], frames: int) -> list[list[tuple[Box, float]]]:
    """Return the heads of all but these people in each analysed frame, with their weight against the first one's."""
    rest = [t for t in tracks if t not in people] if people else []
    return [
        [(head, min(t.weight / people[0].weight, 1.0)) for t in rest if (head := t.at(n)) is not None]
        for n in range(frames)
    ]


def left_at(shot: Shot, person: HeadTrack, tracks: Sequence[HeadTrack]) -> dict[int, Box]:
    """Return where somebody left the picture, left or right, for the analysed frames after that: a part at its edge.

    It is what is still seen of the body there, or what was last. It ends when something else is there to be seen.
    """
    last = max(person.heads)
    head, active, sights = person.heads[last], shot.active, shot.sights
    before = person.heads.get(last - 1, head)
    ahead = head.center.x - before.center.x
    body = _largest([o.box for o in sights[last].subjects if o.box.overlap(head) >= 0.5 * head.area])
    edge = body or head
    leaves_right = edge.right > active.right - AT_EDGE or head.right + max(ahead, 0.0) > active.right
    leaves_left = edge.left < active.left + AT_EDGE or head.left + min(ahead, 0.0) < active.left
    if leaves_right == leaves_left:
        return {}

    def is_there(box: Box) -> bool:
        return box.right > active.right - AT_EDGE if leaves_right else box.left < active.left + AT_EDGE

    gone: dict[int, Box] = {}
    part, has_left = edge, False
    others = [t for t in tracks if t is not person and t.weight >= PARTNER * person.weight]
    for number in range(last + 1, len(sights)):
        sight = sights[number]
        found = list(zip(sight.subjects, sight.on_subjects, strict=True))
        rest = _largest([o.box for o, _ in found if is_there(o.box)])
        if rest is None and any(o.confidence >= SOMETHING and share >= SOMETHING_LOOKED_AT for o, share in found):
            break
        if float(sight.seconds - sights[last].seconds) > STAYS_SECONDS or any(number in t.heads for t in others):
            break
        part, taken = rest or part, person.at(number)
        if not has_left and taken is not None and rest is not None and rest.overlap(taken) >= 0.5 * taken.area:
            gone.clear()  # turned away, and still there
            continue
        has_left = has_left or taken is None or rest is not None
        gone[number] = part
    return gone if has_left else {}


def _largest(boxes: Sequence[Box]) -> Box | None:
    return max(boxes, key=lambda b: b.area, default=None)


def texts_of(shot: Shot) -> tuple[TextLine, ...]:
    """Return the lines of text that stay in a shot."""
    lines: list[tuple[list[Box], set[int]]] = []
    for number, sight in enumerate(shot.sights):
        for box in sight.texts:
            same = next((line for line in lines if line[0][-1].iou(box) >= SAME_LINE), None)
            if same is None:
                lines.append(([box], {number}))
            else:
                same[0].append(box)
                same[1].add(number)
    least = max(2, 0.2 * len(shot.sights))
    found = []
    for boxes, numbers in lines:
        if len(numbers) >= least:
            # there from the frame before, which only shows it for the first time
            found.append(TextLine(reduce(Box.union, boxes), frozenset({*numbers, max(min(numbers) - 1, 0)})))
    return tuple(found)


def union_at(tracks: Sequence[HeadTrack], number: int) -> Box | None:
    """Return the box round all heads of an analysed frame."""
    heads = [h for t in tracks if (h := t.at(number)) is not None]
    return reduce(Box.union, heads) if heads else None


def widest(tracks: Sequence[HeadTrack], sights: Sequence[Sight]) -> tuple[float, float]:
    """Return the width and height that heads need together, in nine frames of ten."""
    boxes = [b for n in range(len(sights)) if (b := union_at(tracks, n)) is not None]
    if not boxes:
        return 0.0, 0.0
    place = min(int(0.9 * len(boxes)), len(boxes) - 1)
    return sorted(b.width for b in boxes)[place], sorted(b.height for b in boxes)[place]


def between(one: Box, other: Box, share: float) -> Box:
    """Return the box after a share (0..1) of the way from one to another, on which its edges move evenly."""
    edges = ((b.left, b.top, b.right, b.bottom) for b in (one, other))
    return Box(*((1 - share) * a + share * b for a, b in zip(*edges, strict=True)))
