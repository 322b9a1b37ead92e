"""What a path cuts of the people and the text of a shot, and what a platform hides, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from eyefirst.films.path import CameraPath
from eyefirst.films.people import HeadTrack, TextLine, union_at
from eyefirst.films.sights import Shot
from eyefirst.films.wishes import SafeArea
from eyefirst.geometry import Box

WHOLE = 0.97
"""A head, or a line of text, is whole where this share of it is inside."""
TEXT_LOST, HEAD_LOST = 0.05, 0.1
"""Shares of a line of text, and of a shot's frames with its main head, from which a loss is said."""


def people_lost(shot: Shot, path: CameraPath, people: Sequence[HeadTrack]) -> tuple[str, ...]:
    """How often heads that are to be kept are cut."""
    heads = [(s, h) for n, s in enumerate(shot.sights) if (h := union_at(people, n)) is not None]
    cut = [s for s, h in heads if path.box_at(float(s.seconds)).overlap(h) < WHOLE * h.overlap(shot.active)]
    if not heads or len(cut) <= HEAD_LOST * len(heads):
        return ()
    whose = "the main face is" if len(people) == 1 else "one of two faces is"
    window = path.keys[0].box
    if sum(h.width > window.width or h.height > window.height for _, h in heads) > len(heads) / 2:
        return (f"{span(shot)}: {whose} larger than the window; --pad blur keeps it whole",)
    return (f"{span(shot)}: {whose} cut in {round(100 * len(cut) / len(heads))} % of the shot",)


def text_lost(shot: Shot, path: CameraPath, texts: Sequence[TextLine]) -> tuple[str, ...]:
    """Which lines of text are cut."""
    lost = 0.0
    for box, numbers in texts:
        for number in numbers:
            inside = path.box_at(float(shot.sights[number].seconds)).overlap(box) / box.area
            lost = max(lost, 1 - inside)
    if lost <= TEXT_LOST:
        return ()
    return (f"{span(shot)}: up to {round(100 * lost)} % of a line of text is outside; --pad blur keeps it whole",)


def hidden_by_platform(
    shot: Shot,
    path: CameraPath,
    people: Sequence[HeadTrack],
    texts: Sequence[TextLine],
    hidden: SafeArea,
) -> list[str]:
    """What lies in the window, but under a platform's buttons and captions."""
    worst = {"the main face": 0.0, "a line of text": 0.0}
    for number, sight in enumerate(shot.sights):
        window = path.box_at(float(sight.seconds))
        wide, high = window.width, window.height
        safe = Box(
            window.left + hidden.left * wide,
            window.top + hidden.top * high,
            window.right - hidden.right * wide,
            window.bottom - hidden.bottom * high,
        )
        head = union_at(people[:1], number)
        found = [("the main face", head)] if head else []
        found += [("a line of text", box) for box, numbers in texts if number in numbers]
        for what, box in found:
            worst[what] = max(worst[what], (window.overlap(box) - safe.overlap(box)) / box.area)
    return [
        f"{span(shot)}: up to {round(100 * share)} % of {what} is outside of the safe area"
        for what, share in worst.items()
        if share > HEAD_LOST
    ]


def span(shot: Shot) -> str:
    return f"{float(shot.start):.1f}-{float(shot.end):.1f} s"
