"""Batches: which pictures, and how each is cut, mirrored and tinted on its way to the network.

Windows are cut and resized by Pillow in worker threads while the network computes; tinting is one
colour matrix per picture on the network's own device. Batch k of a seed is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.datasets.store import Row, Store
from training.evaluate import shipped_prior_weights

GREY = np.array([0.299, 0.587, 0.114])
AHEAD = 4
"""Batches prepared in advance."""
SMALLEST_WINDOW = 0.6
SURE_FACE = 0.5
"""Confidence from which the detector's faces are taught as faces."""
SMALLEST_FACE = 0.03
"""Smaller side of the smallest faces that are taught, as a share of what the network sees."""


@dataclass(frozen=True)
class Batch:
    """Objects first, then attention pictures: n of them, each with both labels, a person's or a teacher's.

    pictures (n, 3, side, side) float 0..255, RGB; masks (n, side / 4, side / 4) in 0..1;
    densities (n, side / 4, side / 4), each summing to 1; how much either counts, mask_weights and
    density_weights (n,): 1 where a person gave it, 0 where there is none.
    prior_weights (n, sets) and windows (n, 4): see `SaliencyNet.prior`.
    faces (n, 6, side / 4, side / 4): see `face_target`.
    """

    pictures: Tensor
    masks: Tensor
    mask_weights: Tensor
    densities: Tensor
    density_weights: Tensor
    prior_weights: Tensor
    windows: Tensor
    faces: Tensor

    def part(self, k: int, of: int) -> Batch:
        """Every `of`-th picture, from the k-th on."""
        return Batch(*(getattr(self, f.name)[k::of] for f in fields(self)))

    def to(self, device: torch.device) -> Batch:
        return Batch(*(getattr(self, f.name).to(device) for f in fields(self)))


@dataclass(frozen=True)
class BatchConfig:
    """How many pictures of what. `object_sets` and `attention_sets` give every set's weight per picture."""

    object_sets: dict[str, float]
    attention_sets: dict[str, float]
    objects: int = 16
    attention: int = 8
    paste_share: float = 0.1
    """Share of the object pictures whose subject is pasted, smaller, onto a picture where nothing stands out."""
    taught_mask_weight: float = 0.5
    taught_density_weight: float = 1.0
    """How much a teacher's map counts beside a person's, where the store holds a teacher's."""
    teacher_share: float = 0.0
    """Share of a teacher's map in the density of a few people's fixations, which alone are soon learned by heart."""
    workers: int = 2


@dataclass
class Batches:
    """Random batches from the training side of a store."""

    store: Store
    config: BatchConfig
    prior_sets: tuple[str, ...]
    seed: int
    _objects: tuple[NDArray[np.int64], NDArray[np.float64]] = field(init=False)
    _looked_at: tuple[NDArray[np.int64], NDArray[np.float64]] = field(init=False)
    _nothing: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._objects = _weighted(self.store, self.config.object_sets)
        self._looked_at = _weighted(self.store, self.config.attention_sets)
        self._nothing = self.store.select("nothing", held_back=False)

    def batch(self, index: int, side: int, smallest_window: float = SMALLEST_WINDOW) -> Batch:
        """The batch of this index at this picture side; windows have sides of `smallest_window`..1."""
        random = np.random.default_rng([self.seed, index])
        objects = random.choice(self._objects[0], self.config.objects, p=self._objects[1])
        looked_at = random.choice(self._looked_at[0], self.config.attention, p=self._looked_at[1])
        chosen = np.concatenate([objects, looked_at])
        pictures, windows, masks, densities, faces = [], [], [], [], []
        pasted = np.zeros(len(chosen), bool)
        for k, i in enumerate(chosen):
            mask, density, picture = *self._labels(i), self.store.pictures[i]
            if k < len(objects) and self._nothing and random.random() < self.config.paste_share and mask.any():
                picture, mask = _paste(picture, mask, self.store.pictures[random.choice(self._nothing)], random)
                pasted[k] = True
            window, mirrored = _window(random, smallest_window), random.random() < 0.5
            pictures.append(_cut(picture, window, mirrored, side, random))
            left, top, right, bottom = window
            windows.append((right, top, left, bottom) if mirrored else window)
            masks.append(_cut_label(mask, window, mirrored, side // 4))
            densities.append(_cut_label(density, window, mirrored, side // 4))
            faces.append(face_target(None if pasted[k] else self._faces(i), windows[-1], side // 4))
        density = np.clip(np.stack(densities), 0, None) + 1e-9
        rows = [self.store.rows[i] for i in chosen]
        config, taught = self.config, self.store.teacher is not None
        mask_weight, density_weight = (
            (config.taught_mask_weight, config.taught_density_weight) if taught else (0.0, 0.0)
        )
        stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        return Batch(
            _tint(stacked, random),
            torch.from_numpy(np.clip(np.stack(masks), 0, 1)),
            torch.tensor([1.0 if row.has_mask else mask_weight for row in rows]),
            torch.from_numpy(density / density.sum((1, 2), keepdims=True)),
            torch.tensor([1.0 if self._is_looked_at(row) else density_weight for row in rows])
            * torch.from_numpy(~pasted),
            torch.stack([self._prior_weights(row.set_name) for row in rows]),
            torch.tensor(windows, dtype=torch.float32),
            torch.from_numpy(np.stack(faces)),
        )

    def _labels(self, i: int) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Mask and density of a picture, the teacher's where no person gave one that counts."""
        row, own = self.store.rows[i], self.store.labels[i]
        if self.store.teacher is None:
            return own[0], own[1]
        density, mask = self.store.teacher[i]
        if self._is_looked_at(row):
            mixed = [np.asarray(own[1], np.float32), np.kron(density, np.ones((2, 2), np.float32))]
            shares = 1 - self.config.teacher_share, self.config.teacher_share
            density = sum(share * d / d.sum() for share, d in zip(shares, mixed, strict=True))
        return own[0] if row.has_mask else mask, density

    def _is_looked_at(self, row: Row) -> bool:
        """Whether people's density counts: with a teacher, only in sets that have a prior of their own."""
        return row.has_density and (self.store.teacher is None or row.set_name in self.prior_sets)

    def _faces(self, i: int) -> NDArray[np.float32] | None:
        """(faces, 5) as in the store, or None where nobody looked for them."""
        if self.store.faces is None or np.isnan(self.store.faces[i, 0, 0]):
            return None
        return np.asarray(self.store.faces[i])

    def _prior_weights(self, set_name: str) -> Tensor:
        """The prior of a set of fixations; for other sets the shipped one, which the teacher's maps carry."""
        if set_name not in self.prior_sets:
            return shipped_prior_weights(self.prior_sets)
        return torch.tensor([float(name == set_name) for name in self.prior_sets])

    def stream(self, first_index: int, side: int, smallest_window: float = SMALLEST_WINDOW) -> Iterator[Batch]:
        """Endless batches of one side, prepared ahead in worker threads. Close it to change the side."""
        pool = ThreadPoolExecutor(self.config.workers)
        waiting: list[Future[Batch]] = []
        try:
            index = first_index
            while True:
                while len(waiting) < AHEAD:
                    waiting.append(pool.submit(self.batch, index, side, smallest_window))
                    index += 1
                yield waiting.pop(0).result()
        finally:
            pool.shutdown(cancel_futures=True)


def face_target(
    faces: NDArray[np.float32] | None, window: tuple[float, float, float, float], side: int
) -> NDArray[np.float32]:
    """(6, side, side): heat, whether the cell counts, and distances to a face's left, top, right and bottom edge.

    `faces` (n, 5) are edges in 0..1 of the whole picture and confidence; None where nobody knows them. `window` is
    what the network sees, left beyond right where it is mirrored. Heat is 1 at a face's centre and falls off as a
    Gaussian. Distances are shares of the window's sides, and 0 everywhere but near a centre. The area of a face that
    is doubtful or too small does not count.
    """
    target = np.zeros((6, side, side), np.float32)
    if faces is None:
        return target
    target[1] = 1
    left, top, right, bottom = window
    faces = faces[faces[:, 4] > 0]
    x = (faces[:, [0, 2]] - left) / (right - left)
    y = (faces[:, [1, 3]] - top) / (bottom - top)
    x.sort(axis=1)
    middles = (np.arange(side, dtype=np.float32) + 0.5) / side
    for (x0, x1), (y0, y1), confidence in zip(x, y, faces[:, 4], strict=True):  # larger ones first
        centre_x, centre_y, width, height = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
        seen = 0 <= centre_x < 1 and 0 <= centre_y < 1
        if not seen or confidence < SURE_FACE or min(width, height) < SMALLEST_FACE:
            inside_x, inside_y = (middles > x0) & (middles < x1), (middles > y0) & (middles < y1)
            target[1][np.ix_(inside_y, inside_x)] = 0
            continue
        column, row = int(centre_x * side), int(centre_y * side)
        spread_x, spread_y = (max(0.12 * size, 0.6 / side) for size in (width, height))
        heat = (
            np.exp(-(((middles - middles[column]) / spread_x) ** 2) / 2)[None]
            * (np.exp(-(((middles - middles[row]) / spread_y) ** 2) / 2)[:, None])
        )
        target[0] = np.maximum(target[0], heat)
        target[:2, row, column] = 1
        near_x = np.abs(middles - middles[column]) <= max(0.15 * width, 0.5 / side)
        near_y = np.abs(middles - middles[row]) <= max(0.15 * height, 0.5 / side)
        near = np.ix_(near_y, near_x)
        distances = np.broadcast_arrays(
            middles[None] - x0, middles[:, None] - y0, x1 - middles[None], y1 - middles[:, None]
        )
        for channel, distance in enumerate(distances, 2):
            target[channel][near] = np.maximum(distance[near], 1e-3)
    return target


def _weighted(store: Store, sets: dict[str, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    indices = [np.array(store.select(name, held_back=False), np.int64) for name in sets]
    weights = np.concatenate([np.full(len(i), w) for i, w in zip(indices, sets.values(), strict=True)])
    return np.concatenate(indices), weights / weights.sum()


def _paste(
    picture: NDArray[np.uint8],
    mask: NDArray[np.float16],
    background: NDArray[np.uint8],
    random: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """The subject at 0.3 to 1 of its size, somewhere on a sky or a texture; the new picture and its mask."""
    scale = random.uniform(0.3, 1)
    left, top = random.uniform(0, 1 - scale, 2)

    def placed(on: Image.Image, what: Image.Image, cover: Image.Image) -> Image.Image:
        """`what` on `on`, as far as `cover` shows it."""
        side = on.width
        small = (round(scale * side),) * 2
        what, cover = (part.resize(small, Image.Resampling.BILINEAR) for part in (what, cover))
        on.paste(what, (round(left * side), round(top * side)), cover)
        return on

    cover = Image.fromarray((mask * 255).astype(np.uint8))
    pasted = placed(Image.fromarray(background), Image.fromarray(picture), cover)
    where = placed(Image.new("L", cover.size), Image.new("L", cover.size, 255), cover)
    return np.asarray(pasted), (np.asarray(where, np.float32) / 255).astype(np.float16)


def _window(random: np.random.Generator, smallest: float) -> tuple[float, float, float, float]:
    """Left, top, right, bottom as shares of the picture; sides of `smallest`..1, nearly of its aspect."""
    width, height = np.minimum(random.uniform(smallest, 1) * random.uniform(0.88, 1.12, 2), 1)
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    return left, top, left + width, top + height


def _cut(
    picture: NDArray[np.uint8],
    window: tuple[float, float, float, float],
    mirrored: bool,
    side: int,
    random: np.random.Generator,
) -> NDArray[np.uint8]:
    """The window at (side, side); one in six is made soft, as small originals are."""
    box = tuple(np.array(window) * picture.shape[0])
    image = Image.fromarray(picture)
    if random.random() < 1 / 6:
        small = int(side * random.uniform(0.35, 0.8))
        image = image.resize((small, small), Image.Resampling.BILINEAR, box)
        box = (0, 0, small, small)
    result = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box))
    return result[:, ::-1] if mirrored else result


def _cut_label(
    label: NDArray[np.float16], window: tuple[float, float, float, float], mirrored: bool, side: int
) -> NDArray[np.float32]:
    box = tuple(np.array(window) * label.shape[0])
    image = Image.fromarray(label.astype(np.float32))
    result = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box))
    return result[:, ::-1] if mirrored else result


def _tint(pictures: Tensor, random: np.random.Generator) -> Tensor:
    """Saturation, contrast, a colour cast and brightness as one 3 x 4 matrix a picture; some nights, some noise."""
    n, _, height, width = pictures.shape
    saturation = random.uniform(0.4, 1.5, n) * (random.random(n) > 0.06)
    contrast = random.uniform(0.6, 1.4, n)
    cast = random.uniform(0.88, 1.12, (n, 3, 1))
    matrix = (1 - saturation)[:, None, None] * GREY[None, None] + saturation[:, None, None] * np.eye(3)
    matrix = contrast[:, None, None] * cast * matrix
    offset = 128 * (1 - contrast)[:, None, None] + random.uniform(-35, 35, (n, 1, 1)) + np.zeros((1, 3, 1))
    night = np.where(random.random(n) < 0.08, random.uniform(0.2, 0.6, n), 1)[:, None, None]
    matrix, offset = matrix * night, offset * night
    flat = pictures.reshape(n, 3, -1).float()
    tinted = torch.baddbmm(torch.from_numpy(offset).float(), torch.from_numpy(matrix).float(), flat)
    tinted = tinted.view(n, 3, height, width)
    for i in np.flatnonzero(random.random(n) < 0.12):
        noise = random.standard_normal((3, height, width), np.float32)
        tinted[i] += float(random.uniform(4, 16)) * torch.from_numpy(noise)
    return tinted.clamp_(0, 255)
