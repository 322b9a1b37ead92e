"""What there is to see in a frame: attention, subjects, faces, lines of text that stay, and bars round the picture."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.boxes import SalientObject
from eyefirst.face_maps import DetectedFace
from eyefirst.films.frames import VideoInfo
from eyefirst.geometry import Box, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.network import Network
from eyefirst.tools.camera_guidance import salient_sharpness

LOOK_SIDE = 512
"""The longer side of frames that are looked at, in pixels."""
SOFT_SHARPNESS = 18.0
"""Sharpness (see `salient_sharpness`) that halves a frame's score."""
FLAT = 6.0
"""Grey levels of standard deviation below which a frame counts as blank."""
DARK, EVEN = 12.0, 3.0
"""A line of a bar is no brighter than this on average, and no more uneven, in grey levels."""
LEAST_BAR, MOST_BAR, LOPSIDED = 0.015, 0.42, 2.0
"""Shares of a side that a bar takes; one bar of a pair is at most so many times wider than the other."""
FAINTEST = 0.12
"""Confidence from which faces are noted. Those below `eyefirst.face_maps.LEAST_CONFIDENCE` need further evidence."""
STROKE = 48
"""Grey levels by which a letter's edge differs from its ground."""
DENSE = 0.16
"""Share of pixels in a line of text that are edges of letters."""
LOWEST_LINE, HIGHEST_LINE = 0.02, 0.14
"""Heights of lines of text, as shares of the frame's height."""
SHORTEST_LINE = 0.08
"""Width of a line of text, as a share of the frame's width."""
MOST_ON_TEXT = 0.8
"""Share of the attention on lines of text that is left out of account at most."""
STAYS = 0.6
"""Share of its edges that a line has in common with the frame before."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What there was to see in one analysed frame.

    seconds: its time, from the film's start. across, down: the attention map's sums over columns and over rows,
    (68,) float32, each adding up to 1; from the left, from the top. subjects: boxes in 0..1 of the upright
    frame, with confidences. on_subjects: the share of the attention on each. score: how much there is to
    see, 0..1. sharpness: of the salient part, in squared grey levels. contrast: standard deviation of the frame's
    grey levels; a frame that is fading out has little. faces: with confidences, the faint ones too (see `FAINTEST`);
    none where the network has no face maps. texts: lines of text that stay where they are, such as captions and name
    plates. on_texts: the parts of across and down that lie on them, (2, 68) float32, or None without such lines.
    active: the frame without bars.
    """

    seconds: Fraction
    across: NDArray[np.float32]
    down: NDArray[np.float32]
    subjects: tuple[SalientObject, ...]
    on_subjects: tuple[float, ...]
    score: float
    sharpness: float
    contrast: float
    faces: tuple[DetectedFace, ...] = ()
    texts: tuple[Box, ...] = ()
    on_texts: NDArray[np.float32] | None = None
    active: Box = field(default_factory=Box.whole)


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """Frames between two cuts. start, end: seconds, end exclusive. sights: its analysed frames, at least one.

    shape: width / height of the frame as it is shown. dissolved: whether it begins in the middle of a dissolve.
    """

    start: Fraction
    end: Fraction
    sights: tuple[Sight, ...]
    shape: float
    dissolved: bool = False

    @property
    def seconds(self) -> float:
        """How long it is."""
        return float(self.end - self.start)

    @property
    def active(self) -> Box:
        """The frame without the bars that are there in all of the shot."""
        clear = [s.active for s in self.sights if s.contrast >= FLAT]
        return reduce(Box.union, clear) if clear else Box.whole()

    def without_text(self) -> Shot:
        """Return the shot as if nobody looked at its lines of text; nor at their share of the attention on subjects."""
        return replace(self, sights=tuple(_without_text(s) for s in self.sights))

    @property
    def best(self) -> Sight:
        """The frame with the most to see."""
        return max(self.sights, key=lambda s: s.score)

    @property
    def score(self) -> float:
        """How much there is to see, 0..1: its better half's mean."""
        ranked = sorted((s.score for s in self.sights), reverse=True)
        return float(np.mean(ranked[: (len(ranked) + 1) // 2]))


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """A film that was watched once. seconds: its length. rate: analysed frames a second. warnings: plain words."""

    video: VideoInfo
    seconds: Fraction
    frame_count: int
    rate: float
    revision: str
    shots: tuple[Shot, ...]
    warnings: tuple[str, ...] = ()

    def shot_at(self, seconds: Fraction) -> int:
        """Which shot a time belongs to."""
        return max(bisect_right([s.start for s in self.shots], seconds) - 1, 0)


class Looker:
    """Looks at frames of one film, in order. Not for several threads at once."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._edges: NDArray[np.bool_] | None = None

    def look(self, seconds: Fraction, pixels: NDArray[np.uint8]) -> Sight:
        """Return what there is to see in a frame. pixels: upright sRGB, at most LOOK_SIDE a side."""
        grey = np.asarray(PillowImage.fromarray(pixels).convert("L"), np.float32)
        contrast = float(grey.std())
        active = active_part(grey) if contrast >= FLAT else Box.whole()
        edges = _edges(grey)
        texts = lines_of_text(edges, self._edges, active) if contrast >= FLAT else ()
        self._edges = edges
        part = active.to_pixels(Size(pixels.shape[1], pixels.shape[0]))
        inner = np.ascontiguousarray(pixels[part.top : part.bottom, part.left : part.right])
        handler = ImageRequestHandler(inner, network=self._network)
        seen = handler.look(least_confidence=FAINTEST)
        attention, objects = seen.attention, seen.objects
        density = attention.heat_map.density()
        sharpness = salient_sharpness(PillowImage.fromarray(inner).convert("L"), attention, objects)
        spread = -float((density * np.log(np.maximum(density, 1e-12))).sum()) / np.log(density.size)
        strongest = max((s.confidence for s in objects.salient_objects), default=0.0)
        interest = 0.6 * strongest + 0.4 * min(4 * (1 - spread), 1.0)
        subjects = tuple(SalientObject(s.box.within(active), s.confidence) for s in objects.salient_objects)
        return Sight(
            seconds,
            _spread_over(density.sum(0), active.left, active.right),
            _spread_over(density.sum(1), active.top, active.bottom),
            subjects,
            tuple(attention.heat_map.mass_in(s.box) for s in objects.salient_objects),
            0.0 if contrast < FLAT else interest * sharpness / (sharpness + SOFT_SHARPNESS),
            sharpness,
            contrast,
            tuple(DetectedFace(f.box.within(active), f.confidence) for f in seen.faces),
            texts,
            _on_texts(density, texts, active),
            active,
        )


def _on_texts(density: NDArray[np.floating], texts: Sequence[Box], active: Box) -> NDArray[np.float32] | None:
    """The attention on lines of text, over columns and over rows of the whole frame. density: of the active part."""
    if not texts:
        return None
    rows, columns = ((np.arange(n) + 0.5) / n for n in density.shape)
    x, y = active.left + columns * active.width, active.top + rows * active.height
    mask = np.zeros(density.shape, bool)
    for box in texts:
        mask |= ((y >= box.top) & (y <= box.bottom))[:, None] & ((x >= box.left) & (x <= box.right))[None]
    lines = np.where(mask, density, 0)
    return np.stack(
        [_spread_over(lines.sum(0), active.left, active.right), _spread_over(lines.sum(1), active.top, active.bottom)]
    )


def _without_text(sight: Sight) -> Sight:
    if sight.on_texts is None:
        return sight
    rest = 1 - min(float(sight.on_texts[0].sum()), MOST_ON_TEXT)
    across, down = (np.maximum(a - t, 0) for a, t in zip((sight.across, sight.down), sight.on_texts, strict=True))
    across, down = across / max(float(across.sum()), 1e-9), down / max(float(down.sum()), 1e-9)
    return replace(sight, across=across, down=down, on_subjects=tuple(min(o / rest, 1.0) for o in sight.on_subjects))


def active_part(grey: NDArray[np.float32]) -> Box:
    """Return the part of a frame without dark, even bars above and below, or left and right; 0..1."""
    top, bottom = _bars(grey)
    left, right = _bars(grey[round(top * grey.shape[0]) : round((1 - bottom) * grey.shape[0])].T)
    return Box(left, top, 1 - right, 1 - bottom)


def _bars(lines: NDArray[np.float32]) -> tuple[float, float]:
    """Shares of the rows that are bars, at the beginning and at the end; none where only one side has one."""
    count = len(lines)
    is_bar = (lines.mean(1) <= DARK) & (lines.std(1) <= EVEN)
    if is_bar.all():
        return 0.0, 0.0
    first, last = int(np.argmin(is_bar)), int(np.argmin(is_bar[::-1]))
    low, high = sorted((first, last))
    if low < LEAST_BAR * count or high > MOST_BAR * count or high > LOPSIDED * low:
        return 0.0, 0.0
    return min((first + 1) / count, MOST_BAR), min((last + 1) / count, MOST_BAR)  # a line is lost to blurred edges


def _edges(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where brightness changes as sharply as at a letter's edge, from left to right."""
    edges = np.zeros(grey.shape, bool)
    edges[:, 1:-1] = np.abs(grey[:, 2:] - grey[:, :-2]) > STROKE
    return edges


def lines_of_text(edges: NDArray[np.bool_], before: NDArray[np.bool_] | None, active: Box) -> tuple[Box, ...]:
    """Return lines of text that are in this frame and in the one before, 0..1 of the frame.

    edges, before: of frames of one size, (height, width). A line is a row of dense edges, wider than high, with
    little above and below it.
    """
    if before is None or before.shape != edges.shape:
        return ()
    height, width = edges.shape
    same = edges & _grown(before)
    wide = max(3, round(0.03 * width))
    density = _running_mean(same.astype(np.float32), wide)
    boxes: list[Box] = []
    dense = density > DENSE
    rows = dense.sum(1) >= SHORTEST_LINE * width
    for top, bottom in _runs(rows):
        if not LOWEST_LINE * height <= bottom - top <= HIGHEST_LINE * height:
            continue
        if not (active.top * height - 1 <= top and bottom <= active.bottom * height + 1):
            continue
        columns = dense[top:bottom].mean(0) > 0.35
        for left, right in _runs(_closed(columns, wide)):
            if right - left < max(SHORTEST_LINE * width, 1.8 * (bottom - top)):
                continue
            part = edges[top:bottom, left:right]
            stays = same[top:bottom, left:right].sum() / max(part.sum(), 1)
            margin = max(2, (bottom - top) // 3)
            around = np.concatenate(
                [edges[max(top - margin, 0) : top, left:right], edges[bottom : bottom + margin, left:right]]
            )
            if stays < STAYS or (around.size and around.mean() > 0.4 * part.mean()):
                continue
            boxes.append(Box(left / width, top / height, right / width, bottom / height))
    return tuple(boxes)


def _grown(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Edges and the pixels left and right of them: compression moves them a little."""
    result = edges.copy()
    result[:, 1:] |= edges[:, :-1]
    result[:, :-1] |= edges[:, 1:]
    return result


def _running_mean(values: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """The mean along each row over so many places round every place."""
    sums = np.cumsum(np.concatenate([np.zeros_like(values[:, :1]), values], 1), 1)
    places = np.arange(values.shape[1])
    low, high = np.maximum(places - length // 2, 0), np.minimum(places + length // 2 + 1, values.shape[1])
    return np.asarray((sums[:, high] - sums[:, low]) / (high - low), np.float32)


def _closed(flags: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
    """Flags with gaps up to a length filled: the spaces between words."""
    result = flags.copy()
    for start, end in _runs(~flags):
        if end - start <= gap and start > 0 and end < len(flags):
            result[start:end] = True
    return result


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Begin and end of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _spread_over(sums: NDArray[np.floating], start: float, end: float) -> NDArray[np.float32]:
    """Sums over the cells of a part, as sums over as many cells of the whole frame."""
    if (start, end) == (0.0, 1.0):
        return np.asarray(sums, np.float32)
    count = len(sums)
    table = np.concatenate([[0.0], np.cumsum(sums, dtype=np.float64)])
    inner = np.linspace(start, end, count + 1)
    return np.diff(np.interp(np.linspace(0, 1, count + 1), inner, table)).astype(np.float32)


def _share(sums: NDArray[np.float32], start: float, end: float) -> float:
    table = np.concatenate([[0.0], np.cumsum(sums, dtype=np.float64)])
    edges = np.linspace(0, 1, len(table))
    return float(np.interp(end, edges, table) - np.interp(start, edges, table))


def kept_in(sight: Sight, box: Box) -> float:
    """Share of a frame's attention inside a box, 0..1; exact where the box spans the frame one way."""
    return _share(sight.across, box.left, box.right) * _share(sight.down, box.top, box.bottom)
