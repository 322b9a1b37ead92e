"""Films whose subject's place is known at every moment: a real cat's face over a blurred real photo."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFilter
from skimage import data
from sklearn.datasets import load_sample_image

from eyefirst.films.writer import VideoWriter
from eyefirst.geometry import Box, Size

SIZE = Size(640, 360)
RATE = 24
SUBJECT_SIDE = 130
BAR = (0.46, 0.62)
"""Where the bar stands that hides the subject, in shares of the width."""
Places = Callable[[float], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A film. places: where the subjects' middles are across at a time, in 0..1. cuts: when the ground changes."""

    name: str
    seconds: float
    places: Places
    cuts: tuple[float, ...] = ()
    bar: bool = False

    def subjects_at(self, seconds: float) -> list[Box]:
        """The boxes round the subjects; behind the bar they are still there."""
        wide, high = SUBJECT_SIDE / SIZE.width, SUBJECT_SIDE / SIZE.height
        return [
            Box(max(x - wide / 2, 0), 0.5 - high / 2, min(x + wide / 2, 1), 0.5 + high / 2)
            for x in self.places(seconds)
        ]


SCENES = (
    Scene("still", 4, lambda _: [0.78]),
    Scene("moving", 6, lambda t: [0.15 + 0.7 * t / 6]),
    Scene("to and fro", 8, lambda t: [0.5 + 0.32 * math.sin(2 * math.pi * t / 8)]),
    Scene("two subjects", 6, lambda t: [0.2 + 0.01 * math.sin(3 * t), 0.8 + 0.01 * math.cos(4 * t)]),
    Scene("cuts", 6, lambda t: [(0.2, 0.8, 0.4)[min(int(t / 2), 2)]], cuts=(2.0, 4.0)),
    Scene("occlusion", 6, lambda t: [0.2 + 0.6 * t / 6], bar=True),
)


def film(scene: Scene, path: Path) -> Path:
    """Writes a scene."""
    grounds = [_ground(name) for name in ("china.jpg", "flower.jpg")]
    cat, mask = _cat()
    with VideoWriter(path, SIZE, RATE) as writer:
        for number in range(round(scene.seconds * RATE)):
            time = number / RATE
            picture = grounds[sum(time >= c for c in scene.cuts) % 2].copy()
            for x in scene.places(time):
                corner = round(x * SIZE.width - SUBJECT_SIDE / 2), (SIZE.height - SUBJECT_SIDE) // 2
                picture.paste(cat, corner, mask)
            if scene.bar:
                edges = (round(BAR[0] * SIZE.width), 0, round(BAR[1] * SIZE.width), SIZE.height)
                ImageDraw.Draw(picture).rectangle(edges, fill="#43484a")
            writer.write(picture)
    return path


def _ground(name: str) -> PillowImage.Image:
    picture = PillowImage.fromarray(load_sample_image(name)).resize((SIZE.width, SIZE.height))
    return picture.filter(ImageFilter.GaussianBlur(9)).point(lambda v: 40 + v // 3)


def _cat() -> tuple[PillowImage.Image, PillowImage.Image]:
    side = SUBJECT_SIDE
    face = PillowImage.fromarray(np.asarray(data.chelsea())[10:270, 90:350]).resize((side, side))
    mask = PillowImage.new("L", (4 * side, 4 * side))
    ImageDraw.Draw(mask).ellipse((4, 4, 4 * side - 4, 4 * side - 4), fill=255)
    return face, mask.resize((side, side), PillowImage.Resampling.LANCZOS)
