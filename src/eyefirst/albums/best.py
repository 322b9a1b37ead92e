"""Near-duplicates, and the best picture of each group: the sharpest subject, with faces that are whole.

Pictures are compared by a difference hash of 128 bits: which of two neighbours is brighter, on a grid of 9 x 9, across
and down (Krawetz, *Kind of Like That*, 2013).
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.albums.walk import Task
from eyefirst.cut import scaled_by
from eyefirst.errors import EyefirstError, InvalidValueError, known_error
from eyefirst.geometry import Box, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import as_seen
from eyefirst.numeric import is_within
from eyefirst.observations import SaliencyObservation

GRID = 9
DISTANCE = 24
"""Bits of 128 by which near-duplicates may differ. Of 200 unlike photos one pair in 10,000 differs by less than 33."""
SIDE = 1280
"""The longer side at which sharpness is compared, in pixels. Smaller pictures are enlarged, and so count as soft."""
BLOCK = 16
"""Side of the blocks in which sharpness is measured, in pixels of that copy."""
QUIET = 0.25
"""Share of the blocks that show noise alone."""
LIGHT, LEAST_LIGHT = 128.0, 32.0
"""The mean level to which the subjects' light is brought before they are compared; and the least level that is brought
to it: in a frame that is darker, noise would be multiplied too."""
EDGE = 0.004
"""A face that is nearer to the picture's edge, as a share of the side, is cut off there."""
SMALLEST_FACE = 0.1
"""Faces lower than this share of the tallest one are bystanders, and may be cut off."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What is compared of one picture.

    picture: its path. sharpness: of the subject, in squared grey levels at equal light, without noise. faces,
    cut_faces: how many there are, and how many of them the picture's edge cuts off.
    """

    picture: str
    size: Size
    sharpness: float
    faces: int
    cut_faces: int

    def order(self) -> tuple[int, float]:
        """Return the key by which shots of one group are sorted, the best first."""
        return self.cut_faces, -self.sharpness

    def to_dict(self) -> dict[str, Any]:
        """Return the shot as JSON values."""
        return {
            "picture": self.picture,
            "size": {"width": self.size.width, "height": self.size.height},
            "sharpness": round(self.sharpness, 1),
            "faces": self.faces,
            "cut_faces": self.cut_faces,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that are nearly alike, the best first."""

    shots: tuple[Shot, ...]

    @property
    def best(self) -> Shot:
        """The first: with the fewest faces cut off, and of those the one with the sharpest subject."""
        return self.shots[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the group as JSON values."""
        return {"best": self.best.picture, "shots": [s.to_dict() for s in self.shots]}


@dataclass(frozen=True, slots=True)
class Looked:
    """A picture that was looked at, or the error that came instead."""

    picture: str
    shot: Shot | None = None
    bits: NDArray[np.uint64] | None = None
    error: EyefirstError | None = None
    warnings: tuple[str, ...] = ()


def look_at_each(
    tasks: Iterable[Task], *, workers: int | None = None, revision: str | None = None
) -> Generator[Looked, None, None]:
    """Yield what is compared of each picture, in order; a picture that cannot be used is a row with its error."""

    def look(task: Task) -> Looked:
        try:
            return _look(task.source, revision)
        except Exception as error:  # a picture that finds a bug of ours must not stop the others
            return Looked(task.source, error=known_error(error))

    with ThreadPoolExecutor(workers or os.cpu_count() or 1, "eyefirst") as pool:
        try:
            yield from pool.map(look, tasks)
        finally:
            pool.shutdown(cancel_futures=True)


def groups_of(looked: Sequence[Looked], *, distance: int = DISTANCE) -> list[Group]:
    """Return the groups of two and more, in the order of their first pictures.

    distance: bits of 128 by which two pictures may differ. Pictures that are like a third one are in one group.
    Raises InvalidValueError.
    """
    if not is_within(distance, 0, 64):
        raise InvalidValueError(f"expected a distance in 0..64, got {distance!r}", remedy=f"{DISTANCE} is usual")
    shots = [one.shot for one in looked if one.shot]
    bits = np.array([one.bits for one in looked if one.shot], np.uint64).reshape(-1, 2)
    leader = np.arange(len(shots))
    for i in range(len(shots) - 1):
        near = np.bitwise_count(bits[i + 1 :] ^ bits[i]).sum(1) <= distance
        for j in np.flatnonzero(near) + i + 1:
            leader[leader == leader[j]] = leader[i]
    found: dict[int, list[Shot]] = {}
    for one, shot in zip(leader, shots, strict=True):
        found.setdefault(int(one), []).append(shot)
    return [Group(tuple(sorted(g, key=Shot.order))) for g in found.values() if len(g) > 1]


def difference_hash(picture: PillowImage.Image) -> NDArray[np.uint64]:
    """Return the 128 bits of a picture as two numbers, (2,) uint64."""
    small = picture.convert("L").resize((GRID, GRID), PillowImage.Resampling.BOX)
    levels = np.asarray(small, np.int16)
    across, down = levels[:8, 1:] > levels[:8, :-1], levels[1:, :8] > levels[:-1, :8]
    return np.packbits(np.concatenate([across.ravel(), down.ravel()])).view(np.uint64)


def subject_sharpness(grey: PillowImage.Image, box: Box) -> float:
    """Return the variance of the Laplacian in the sharper half of a box, without that of noise, in squared levels.

    grey: a picture of mode L. Noise is what the quietest blocks show. The measure (Pech-Pacheco et al., ICPR 2000) is
    taken at one scale for all pictures, and at one mean level in the box: more light makes every step larger, and no
    picture sharper.
    """
    scale = SIDE / max(grey.size)
    size = (max(BLOCK + 2, round(grey.width * scale)), max(BLOCK + 2, round(grey.height * scale)))
    levels = np.asarray(grey.resize(size, PillowImage.Resampling.BICUBIC), np.float32)
    edges = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:] - 4 * levels[1:-1, 1:-1]
    rows, columns = (n // BLOCK for n in edges.shape)
    blocks = (edges[: rows * BLOCK, : columns * BLOCK] ** 2).reshape(rows, BLOCK, columns, BLOCK).mean((1, 3))
    part = box.to_pixels(Size(columns, rows))
    inside = np.sort(blocks[part.top : part.bottom, part.left : part.right], axis=None)
    noise = max(float(np.quantile(blocks, QUIET)), float(np.quantile(inside, QUIET)))
    seen = box.to_pixels(Size(*size))
    light = max(float(levels[seen.top : seen.bottom, seen.left : seen.right].mean()), LEAST_LIGHT)
    return max(float(inside[len(inside) // 2 :].mean()) - noise, 0.0) * (LIGHT / light) ** 2


def _look(source: str, revision: str | None) -> Looked:
    handler = ImageRequestHandler(source, expects=_enough)
    seen = handler.look(revision)
    picture = as_seen(handler.picture(_enough).picture)
    tall = max((f.box.height for f in seen.faces), default=0.0)
    main = [f.box for f in seen.faces if f.box.height >= SMALLEST_FACE * tall]
    subject: SaliencyObservation = seen.objects if seen.objects.salient_objects else seen.attention
    boxes = main or [subject.salient_objects[0].box]
    grey = picture.convert("L")
    sharpness = float(np.mean([subject_sharpness(grey, box) for box in boxes[:3]]))
    cut = sum(min(b.left, b.top, 1 - b.right, 1 - b.bottom) <= EDGE for b in main)
    shot = Shot(source, handler.image.size, sharpness, len(seen.faces), cut)
    return Looked(source, shot, difference_hash(grey), warnings=handler.file_remarks())


def _enough(full: Size) -> Size:
    return scaled_by(SIDE / max(full))(full)
