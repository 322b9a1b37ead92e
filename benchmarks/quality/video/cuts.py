"""Known cuts, found by eyefirst and by PySceneDetect with its defaults: python -m benchmarks.quality.video.cuts.

Scenes are moving windows on real photos, held by an unsteady hand, with noise. Between them the film cuts, also
between overlapping parts of one photo; it dissolves, or fades through black. Flashes are no cuts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from skimage import data
from sklearn.datasets import load_sample_image

from eyefirst.films.cuts import CutFinder

RATE = 25
SIDE = 64
KINDS = ("cut", "like", "dissolve", "fade")
SLACK = {"cut": 0, "like": 0, "dissolve": 8, "fade": 12}
"""Frames that an answer may be off."""
Frame = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Film:
    """Frames, and where it truly cuts: number and kind."""

    frames: tuple[Frame, ...]
    cuts: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Found and missed cuts by kind, and false ones."""

    found: dict[str, int]
    of: dict[str, int]
    false: int

    @property
    def recall(self) -> float:
        """Of all kinds together."""
        return sum(self.found.values()) / max(sum(self.of.values()), 1)


def film(seed: int, shots: int = 12) -> Film:
    """A film of random shots."""
    random = np.random.default_rng(seed)
    photos = _photos()
    frames: list[NDArray[np.float32]] = []
    cuts: list[tuple[int, str]] = []
    at = int(random.integers(len(photos)))
    place = random.uniform(0.1, 0.5, 2)
    kind = "cut"
    for number in range(shots):
        length = int(random.integers(25, 70))
        speed = random.uniform(-0.006, 0.006, 2) * random.integers(0, 2)
        shaking, noise = random.uniform(0, 0.004), random.uniform(0, 6)
        light = random.uniform(0.25, 1) if random.random() < 0.3 else 1.0
        shot = [_view(photos[at], place + speed * i + random.normal(0, shaking, 2)) * light for i in range(length)]
        shot = [f + random.normal(0, noise, f.shape).astype(np.float32) for f in shot]
        if random.random() < 0.35:  # a flash of one to three frames
            first, count = int(random.integers(8, length - 8)), int(random.integers(1, 4))
            for i in range(first, first + count):
                shot[i] = shot[i] * 0.3 + 180
        if number == 0:
            frames += shot
        else:
            frames = _joined(frames, shot, kind, cuts, random)
        if random.random() < 0.25:
            place = np.clip(place + random.choice([-1, 1], 2) * random.uniform(0.12, 0.2, 2), 0.02, 0.58)
            kind = "like"
        else:
            at = (at + int(random.integers(1, len(photos)))) % len(photos)
            place = random.uniform(0.1, 0.5, 2)
            kind = ("cut", "dissolve", "fade")[int(random.integers(3))]
    return Film(tuple(np.clip(f, 0, 255).astype(np.uint8) for f in frames), tuple(cuts))


def _joined(
    before: list[NDArray[np.float32]],
    after: list[NDArray[np.float32]],
    kind: str,
    cuts: list[tuple[int, str]],
    random: np.random.Generator,
) -> list[NDArray[np.float32]]:
    if kind in ("cut", "like"):
        cuts.append((len(before), kind))
        return before + after
    length = int(random.integers(10, 22))
    shares = [(i + 1) / (length + 1) for i in range(length)]
    if kind == "dissolve":
        mixed = [(1 - s) * a + s * b for s, a, b in zip(shares, before[-length:], after[:length], strict=True)]
        cuts.append((len(before) - length // 2, kind))
        return before[:-length] + mixed + after[length:]
    out = [(1 - s) * a for s, a in zip(shares, before[-length:], strict=True)]
    into = [s * b for s, b in zip(shares, after[:length], strict=True)]
    cuts.append((len(before), kind))
    return before[:-length] + out + into + after[length:]


def _view(photo: PillowImage.Image, place: NDArray[np.float64]) -> NDArray[np.float32]:
    x, y = (float(min(max(p, 0), 0.6)) for p in place)
    edges = (x * photo.width, y * photo.height, (x + 0.4) * photo.width, (y + 0.4) * photo.height)
    return np.asarray(photo.resize((SIDE, SIDE), PillowImage.Resampling.BILINEAR, edges), np.float32)


def _photos() -> list[PillowImage.Image]:
    arrays = [load_sample_image("china.jpg"), load_sample_image("flower.jpg")]
    arrays += [getattr(data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")]
    return [PillowImage.fromarray(np.asarray(a)[..., :3]).resize((512, 512)) for a in arrays]


def found_by_eyefirst(film: Film) -> list[int]:
    """Return the first frames of shots."""
    finder = CutFinder(RATE, round(0.4 * RATE))
    return sorted([*(c for f in film.frames for c in finder.see(f)), *finder.end()])


def found_by_scenedetect(name: str) -> Callable[[Film], list[int]]:
    """Return a finder that runs one of PySceneDetect's detectors with its defaults."""
    import scenedetect  # noqa: PLC0415 - a rival that need not be here

    def find(film: Film) -> list[int]:
        detector = getattr(scenedetect, name)()
        return [
            c.frame_num
            for i, f in enumerate(film.frames)
            for c in detector.process_frame(scenedetect.FrameTimecode(i, RATE), f)
        ]

    return find


def score(films: Sequence[Film], find: Callable[[Film], list[int]]) -> Score:
    """Return how many true cuts are found, and how many found ones are true."""
    of, found, false = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0), 0
    for one in films:
        left = find(one)
        for number, kind in one.cuts:
            of[kind] += 1
            near = [c for c in left if abs(c - number) <= SLACK[kind]]
            if near:
                found[kind] += 1
                left.remove(min(near, key=lambda c: abs(c - number)))
        false += len(left)
    return Score(found, of, false)


def lines(count: int) -> Iterator[str]:
    """Return the table."""
    films = [film(seed) for seed in range(count)]
    yield "finder | recall | " + " | ".join(KINDS) + " | false"
    finders: list[tuple[str, Callable[[Film], list[int]]]] = [("eyefirst", found_by_eyefirst)]
    try:
        finders += [(n, found_by_scenedetect(n)) for n in ("AdaptiveDetector", "ContentDetector")]
    except ImportError:
        yield "PySceneDetect is not installed"
    for name, find in finders:
        s = score(films, find)
        parts = " | ".join(f"{s.found[k]}/{s.of[k]}" for k in KINDS)
        yield f"{name} | {s.recall:.3f} | {parts} | {s.false}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.quality.video.cuts")
    parser.add_argument("--films", type=int, default=8)
    for line in lines(parser.parse_args().films):
        print(line)
