"""Batches: which pictures, and how each is cut, mirrored and tinted on its way to the network.

`Batches.draw` decides everything by chance, and what it decides is the same on every machine. Here Pillow cuts and
resizes in worker threads while the network computes; `training.datasets.on_device` does the same on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.datasets.store import LABEL_SIDE, Row, Store
from training.datasets.targets import face_targets, text_targets
from training.evaluate import shipped_prior_weights

BoxesName = Literal["faces", "text"]
GREY = np.array([0.299, 0.587, 0.114])
AHEAD = 4
"""Batches prepared in advance."""
SMALLEST_WINDOW = 0.6


@dataclass(frozen=True)
class Batch:
    """Objects first, then attention pictures: n of them, each with both labels, a person's or a teacher's.

    pictures (n, 3, side, side) float 0..255, RGB; masks (n, side / 4, side / 4) in 0..1;
    densities (n, side / 4, side / 4), each summing to 1; how much either counts, mask_weights and
    density_weights (n,): 1 where a person gave it, 0 where there is none.
    prior_weights (n, sets) and windows (n, 4): see `SaliencyNet.prior`.
    faces (n, 6, side / 4, side / 4) and text (n, 2, side / 4, side / 4): see `face_targets` and `text_targets`.
    """

    pictures: Tensor
    masks: Tensor
    mask_weights: Tensor
    densities: Tensor
    density_weights: Tensor
    prior_weights: Tensor
    windows: Tensor
    faces: Tensor
    text: Tensor

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


@dataclass(frozen=True)
class Draws:
    """What chance decides of a batch of n pictures.

    indices (n,) in the store; windows (n, 4), see `SaliencyNet.prior`; shrunk (n,), the side to which a window is
    shrunk and enlarged again, or 0; backgrounds (n,), the picture onto which the subject is pasted, or -1; places
    (n, 3), left, top and side of the pasted picture in cells of the labels; colours (n, 3, 4), a matrix and what is
    added; noise (n,), its standard deviation in 0..255, and the seed of it.
    """

    indices: NDArray[np.int64]
    windows: NDArray[np.float32]
    shrunk: NDArray[np.int64]
    backgrounds: NDArray[np.int64]
    places: NDArray[np.int64]
    colours: NDArray[np.float32]
    noise: NDArray[np.float32]
    seed: int


class Batches:
    """Random batches from the training side of a store."""

    def __init__(self, store: Store, config: BatchConfig, prior_sets: tuple[str, ...], seed: int) -> None:
        self.store, self.config, self.prior_sets, self.seed = store, config, prior_sets, seed
        self._objects = _weighted(store, config.object_sets)
        self._looked_at = _weighted(store, config.attention_sets)
        self._nothing = np.array(store.select("nothing", held_back=False), np.int64)
        rows, taught = store.rows, store.teacher is not None
        looked_at = np.array([self._is_looked_at(row) for row in rows])
        self._has_mask = np.array([row.has_mask for row in rows])
        self._has_subject = np.array([row.set_name != "nothing" for row in rows])
        asked = np.zeros(len(rows)) if store.teacher is None else ~np.isnan(store.teacher[:, 0, 0, 0])
        self._mask_weights = np.where(self._has_mask, 1.0, config.taught_mask_weight * taught)
        self._density_weights = np.where(looked_at, 1.0, config.taught_density_weight * asked)
        share = np.where(looked_at, config.teacher_share, 1.0) * asked
        self._shares = np.stack([1 - share, share], 1).astype(np.float32)
        """Of people's density and of the teacher's, (rows, 2)."""
        self._priors = torch.stack([self._prior_weights(row.set_name) for row in rows])
        self._boxes = {n: a for n, a in (("faces", store.faces), ("text", store.text)) if a is not None}
        self._counts = {name: (boxes[:, :, 4] > 0).sum(1) for name, boxes in self._boxes.items()}

    def draw(self, index: int, side: int, smallest_window: float = SMALLEST_WINDOW) -> Draws:
        """What is in the batch of this index; windows have sides of `smallest_window`..1."""
        random, config = np.random.default_rng([self.seed, index]), self.config
        indices = np.concatenate(
            [
                random.choice(among, count, p=weights)
                for (among, weights), count in ((self._objects, config.objects), (self._looked_at, config.attention))
            ]
        )
        n = len(indices)
        pasted = self._has_subject[indices] & (random.random(n) < config.paste_share) & (np.arange(n) < config.objects)
        backgrounds = np.full(n, -1)
        if len(self._nothing):
            backgrounds[pasted] = random.choice(self._nothing, pasted.sum())
        size = np.round(random.uniform(0.3, 1, n) * LABEL_SIDE)
        places = np.stack([*(random.random((2, n)) * (LABEL_SIDE + 1 - size)), size], 1).astype(np.int64)
        shrunk = (side * random.uniform(0.35, 0.8, n)).astype(np.int64) * (random.random(n) < 1 / 6)
        windows = _windows(random, n, smallest_window)
        seed = int(random.integers(2**31))
        return Draws(indices, windows, shrunk, backgrounds, places, _colours(random, n), _noise(random, n), seed)

    def batch(self, index: int, side: int, smallest_window: float = SMALLEST_WINDOW) -> Batch:
        """The batch of this index at this picture side."""
        draws = self.draw(index, side, smallest_window)
        cut = [self._cut(draws, k, side) for k in range(len(draws.indices))]
        pictures, masks, densities = (np.stack(parts) for parts in zip(*cut, strict=True))
        return self._batch(
            draws,
            torch.from_numpy(pictures).permute(0, 3, 1, 2),
            torch.from_numpy(masks),
            torch.from_numpy(densities),
        )

    def boxes(self, name: BoxesName, indices: NDArray[np.int64]) -> Tensor:
        """Faces or text of pictures, (n, k, 5), see `face_targets`."""
        if name not in self._boxes:
            return torch.full((len(indices), 1, 5), torch.nan)
        return torch.from_numpy(np.array(self._boxes[name][indices, : self.most_boxes(name, indices)]))

    def most_boxes(self, name: BoxesName, indices: NDArray[np.int64]) -> int:
        """The largest number of boxes in one of these pictures, at least 1."""
        return max(int(self._counts[name][indices].max()), 1)

    def _batch(self, draws: Draws, pictures: Tensor, masks: Tensor, densities: Tensor) -> Batch:
        """The batch on the device of its pictures (n, 3, side, side); densities are scaled here."""
        device, chosen = pictures.device, draws.indices
        pasted = draws.backgrounds >= 0
        faces, text = self.boxes("faces", chosen), self.boxes("text", chosen)
        for boxes in (faces, text):
            boxes[:, 0, 0].masked_fill_(torch.from_numpy(pasted).to(device), torch.nan)

        def there(values: NDArray[np.floating]) -> Tensor:
            return torch.from_numpy(values.astype(np.float32)).to(device, non_blocking=True)

        windows = there(draws.windows)
        density = densities.clamp(min=0) + 1e-9
        return Batch(
            tinted(pictures, there(draws.colours), draws.noise, draws.seed),
            masks.clamp(0, 1),
            there(self._mask_weights[chosen]),
            density / density.sum((1, 2), keepdim=True),
            there(self._density_weights[chosen] * ~pasted),
            self._priors[torch.from_numpy(chosen)],
            windows,
            face_targets(faces, windows, masks.shape[-1]),
            text_targets(text, windows, masks.shape[-1]),
        )

    def _cut(
        self, draws: Draws, k: int, side: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """Picture, mask and density of one picture, a teacher's where no person gave one that counts."""
        i, window = draws.indices[k], draws.windows[k]
        picture, own = self.store.pictures[i], np.asarray(self.store.labels[i], np.float32)
        taught = None if self.store.teacher is None else np.nan_to_num(np.asarray(self.store.teacher[i], np.float32))
        mask = own[0] if self._has_mask[i] or taught is None else taught[1]
        if draws.backgrounds[k] >= 0:
            picture, mask = _paste(picture, mask, self.store.pictures[draws.backgrounds[k]], draws.places[k])
        densities = (own[1],) if taught is None else (own[1], taught[0])
        density = sum(
            share * _cut_label(d, window, side // 4) / max(d.mean(), 1e-9)
            for share, d in zip(self._shares[i], densities, strict=False)
        )
        return _cut(picture, window, draws.shrunk[k], side), _cut_label(mask, window, side // 4), density

    def _is_looked_at(self, row: Row) -> bool:
        """Whether people's density counts: with a teacher, only in sets that have a prior of their own."""
        return row.has_density and (self.store.teacher is None or row.set_name in self.prior_sets)

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


def tinted(pictures: Tensor, colours: Tensor, noise: NDArray[np.float32], seed: int) -> Tensor:
    """Pictures (n, 3, side, side) in other colours (n, 3, 4), some with noise; 0..255."""
    n, _, height, width = pictures.shape
    flat = torch.baddbmm(colours[:, :, 3:], colours[:, :, :3], pictures.reshape(n, 3, -1).float())
    result = flat.view(n, 3, height, width)
    if len(noisy := np.flatnonzero(noise)):
        generator = torch.Generator(pictures.device).manual_seed(seed)
        added = torch.randn((len(noisy), 3, height, width), device=pictures.device, generator=generator)
        added *= torch.from_numpy(noise[noisy]).to(pictures.device)[:, None, None, None]
        result.index_add_(0, torch.from_numpy(noisy).to(pictures.device), added)
    return result.clamp_(0, 255)


def _weighted(store: Store, sets: dict[str, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    indices = [np.array(store.select(name, held_back=False), np.int64) for name in sets]
    weights = np.concatenate([np.full(len(i), w) for i, w in zip(indices, sets.values(), strict=True)])
    return np.concatenate(indices), weights / weights.sum()


def _windows(random: np.random.Generator, n: int, smallest: float) -> NDArray[np.float32]:
    """Left, top, right, bottom as shares of the picture; sides of `smallest`..1, nearly of its aspect."""
    size = np.minimum(random.uniform(smallest, 1, (n, 1)) * random.uniform(0.88, 1.12, (n, 2)), 1)
    corner = random.random((n, 2)) * (1 - size)
    windows = np.concatenate([corner, corner + size], 1).astype(np.float32)
    mirrored = random.random(n) < 0.5
    windows[mirrored] = windows[mirrored][:, [2, 1, 0, 3]]
    return windows


def _colours(random: np.random.Generator, n: int) -> NDArray[np.float32]:
    """Saturation, contrast, a colour cast and brightness as one 3 x 4 matrix a picture; some are nights."""
    saturation = random.uniform(0.4, 1.5, n) * (random.random(n) > 0.06)
    contrast = random.uniform(0.6, 1.4, n)
    cast = random.uniform(0.88, 1.12, (n, 3, 1))
    matrix = (1 - saturation)[:, None, None] * GREY[None, None] + saturation[:, None, None] * np.eye(3)
    matrix = contrast[:, None, None] * cast * matrix
    offset = 128 * (1 - contrast)[:, None, None] + random.uniform(-35, 35, (n, 1, 1)) + np.zeros((1, 3, 1))
    night = np.where(random.random(n) < 0.08, random.uniform(0.2, 0.6, n), 1)[:, None, None]
    return (np.concatenate([matrix, offset], 2) * night).astype(np.float32)


def _noise(random: np.random.Generator, n: int) -> NDArray[np.float32]:
    return (random.uniform(4, 16, n) * (random.random(n) < 0.12)).astype(np.float32)


def _paste(
    picture: NDArray[np.uint8], mask: NDArray[np.float32], background: NDArray[np.uint8], place: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The subject, smaller, somewhere on a sky or a texture; the new picture and its mask."""
    cover = Image.fromarray(np.round(mask * 255).astype(np.uint8))

    def placed(on: Image.Image, what: Image.Image) -> Image.Image:
        """`what` on `on`, as far as the mask shows it."""
        left, top, small = place * (on.width // LABEL_SIDE)
        what, shown = (part.resize((small, small), Image.Resampling.BILINEAR) for part in (what, cover))
        on.paste(what, (int(left), int(top)), shown)
        return on

    pasted = placed(Image.fromarray(background), Image.fromarray(picture))
    where = placed(Image.new("L", (LABEL_SIDE, LABEL_SIDE)), Image.new("L", cover.size, 255))
    return np.asarray(pasted), np.asarray(where, np.float32) / 255


def _resized(image: Image.Image, window: NDArray[np.floating], side: int) -> Image.Image:
    """A window of `image`, not mirrored, at (side, side)."""
    left, right = sorted(window[[0, 2]] * image.width)
    box = (left, window[1] * image.width, right, window[3] * image.width)
    return image.resize((side, side), Image.Resampling.BILINEAR, tuple(map(float, box)))


def _cut(picture: NDArray[np.uint8], window: NDArray[np.float32], shrunk: int, side: int) -> NDArray[np.uint8]:
    """The window at (side, side), soft where it is `shrunk` first, as small originals are."""
    image = _resized(Image.fromarray(picture), window, shrunk or side)
    return _mirrored(np.asarray(image.resize((side, side), Image.Resampling.BILINEAR) if shrunk else image), window)


def _cut_label(label: NDArray[np.float32], window: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    return _mirrored(np.asarray(_resized(Image.fromarray(label), window, side)), window)


def _mirrored(pixels: NDArray, window: NDArray[np.float32]) -> NDArray:  # type: ignore[type-arg]
    return pixels[:, ::-1] if window[0] > window[2] else pixels
