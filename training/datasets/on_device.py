"""The batches of `training.datasets.batches`, cut on the device that trains; the store's arrays lie in its memory.

Threads with Pillow feed some hundred pictures a second and core; a GPU asks for thousands. Resizing by Pillow's
bilinear filter is linear, so the window, the mirror, the softening and the place of a pasted subject are one matrix
along each axis, and a batch is two products.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.datasets.batches import SMALLEST_WINDOW, Batch, BatchConfig, Batches, BoxesName, Draws
from training.datasets.store import LABEL_SIDE, PICTURE_SIDE, Store

LOADED_AT_ONCE = 1024


class DeviceBatches(Batches):
    """`Batches`, made where the network is: 6 GB of memory for 16,500 pictures."""

    def __init__(
        self, store: Store, config: BatchConfig, prior_sets: tuple[str, ...], seed: int, device: torch.device
    ) -> None:
        super().__init__(store, config, prior_sets, seed)
        self.device = device
        self._pixels, self._labels = (_loaded(array, device) for array in (store.pictures, store.labels))
        self._teacher = None if store.teacher is None else _loaded(store.teacher, device)
        self._loaded_boxes = {name: _loaded(boxes, device) for name, boxes in self._boxes.items()}
        self._priors = self._priors.to(device)
        self._pixel_type = torch.float16 if device.type == "cuda" else torch.float32

    def batch(self, index: int, side: int, smallest_window: float = SMALLEST_WINDOW) -> Batch:
        draws = self.draw(index, side, smallest_window)
        chosen, windows = self._here(draws.indices), self._here(draws.windows)
        pictures = self._pixels[chosen].movedim(-1, 1).to(self._pixel_type)
        own = self._labels[chosen].float()
        masks, densities, small = own[:, :1], own[:, 1:], side // 4
        taught = None
        if self._teacher is not None:
            taught = self._teacher[chosen].float().nan_to_num()
            from_people = self._here(self._has_mask[draws.indices])[:, None, None, None]
            masks = torch.where(from_people, masks, taught[:, 1:].repeat_interleave(2, 2).repeat_interleave(2, 3))
        pasted = np.flatnonzero(draws.backgrounds >= 0)
        if len(pasted):
            which = self._here(pasted)
            background = self._pixels[self._here(draws.backgrounds[pasted])].movedim(-1, 1).to(self._pixel_type)
            pictures[which], masks[which] = self._pasted(
                pictures[which], masks[which], background, self._here(draws.places[pasted])
            )
        on_labels = self._matrices(windows, LABEL_SIDE, small)
        cut = _product(densities, on_labels) / densities.mean((1, 2, 3), keepdim=True).clamp(min=1e-9)
        if taught is not None:
            also = taught[:, :1]
            scale = also.mean((1, 2, 3), keepdim=True).clamp(min=1e-9)
            also = _product(also, self._matrices(windows, also.shape[-1], small)) / scale
            shares = self._here(self._shares[draws.indices])[:, :, None, None]
            cut = shares[:, :1] * cut + shares[:, 1:] * also
        return self._batch(
            draws,
            _product(pictures, self._window_matrices(draws, windows, side)),
            _product(masks, on_labels)[:, 0],
            cut[:, 0],
        )

    def boxes(self, name: BoxesName, indices: NDArray[np.int64]) -> Tensor:
        if name not in self._loaded_boxes:
            return super().boxes(name, indices).to(self.device)
        return self._loaded_boxes[name][self._here(indices)][:, : self.most_boxes(name, indices)].clone()

    def stream(self, first_index: int, side: int, smallest_window: float = SMALLEST_WINDOW) -> Iterator[Batch]:
        """Endless batches of one side. The device works on earlier orders meanwhile, so nothing is prepared ahead."""
        index = first_index
        while True:
            yield self.batch(index, side, smallest_window)
            index += 1

    def _here(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values).to(self.device, non_blocking=True)

    def _matrices(self, windows: Tensor, source: int, side: int) -> tuple[Tensor, Tensor]:
        """Along y and x, each (n, side, source)."""
        left, top, right, bottom = (windows * source).T
        shape = (side, source)
        return resampling(top, bottom, side, source, shape), resampling(left, right, side, source, shape)

    def _window_matrices(self, draws: Draws, windows: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """`_matrices` of the pictures; where they are softened, those of both steps in one."""
        whole = self._matrices(windows, PICTURE_SIDE, side)
        which = np.flatnonzero(draws.shrunk)
        if len(which):
            shrunk, rows = self._here(draws.shrunk[which]), self._here(which)
            left, top, right, bottom = (windows[rows] * PICTURE_SIDE).T
            most = int(draws.shrunk.max())
            again = resampling(torch.zeros_like(top), shrunk.float(), side, shrunk, (side, most))
            for matrix, start, end in zip(whole, (top, left), (bottom, right), strict=True):
                matrix[rows] = again @ resampling(start, end, shrunk, PICTURE_SIDE, (most, PICTURE_SIDE))
        return whole

    def _pasted(self, pictures: Tensor, masks: Tensor, backgrounds: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Subjects at their places (n, 3) on the backgrounds, and their masks."""
        left, top, size = places.T

        def placed(values: Tensor, side: int) -> Tensor:
            k, source = side // LABEL_SIDE, values.shape[-1]
            ends = torch.zeros_like(size).float(), torch.full_like(size, source).float()
            matrix = resampling(*ends, size * k, source, (side, source))
            rows = torch.arange(side, device=self.device)
            return _product(values, tuple(_shifted(matrix, start * k, rows) for start in (top, left)))

        cover = placed(masks, PICTURE_SIDE).to(pictures.dtype)
        pictures = cover * placed(pictures, PICTURE_SIDE) + (1 - cover) * backgrounds
        return pictures, placed(masks, LABEL_SIDE)


def resampling(
    starts: Tensor, ends: Tensor, count: int | Tensor, source: int | Tensor, shape: tuple[int, int]
) -> Tensor:
    """The matrices (n, *shape) of Pillow's bilinear resize along one axis.

    Each of the n turns starts..ends, in pixels of `source`, into `count` pixels, mirrored where the start is the
    larger one. Its first `count` rows and `source` columns are used; the others are 0.
    """
    count, source = (v if isinstance(v, Tensor) else torch.full_like(starts, v) for v in (count, source))
    rows, pixels = (torch.arange(length, device=starts.device) for length in shape)
    scale = (ends - starts) / count
    middles = starts[:, None] + (rows + 0.5) * scale[:, None]
    away = (pixels + 0.5 - middles[..., None]).abs() / scale.abs().clamp(min=1)[:, None, None]
    weights = (1 - away).clamp(min=0) * (pixels < source[:, None])[:, None]
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)
    return weights * (rows < count[:, None])[..., None]


def _shifted(matrices: Tensor, by: Tensor, rows: Tensor) -> Tensor:
    """Matrices (n, rows, columns) with their rows further down by (n,), zeros above."""
    from_row = rows - by[:, None]
    moved = matrices.gather(1, from_row.clamp(min=0)[..., None].expand_as(matrices))
    return moved * (from_row >= 0)[..., None]


def _product(maps: Tensor, matrices: tuple[Tensor, ...]) -> Tensor:
    """Maps (n, channels, h, w) resized along y and x."""
    along_y, along_x = (matrix.to(maps.dtype)[:, None] for matrix in matrices)
    return along_y @ maps @ along_x.mT


def _loaded(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """An array of the store on the device, a part at a time."""
    result = torch.empty(array.shape, dtype=torch.from_numpy(np.array(array[:1])).dtype, device=device)
    for start in range(0, len(array), LOADED_AT_ONCE):
        part = slice(start, start + LOADED_AT_ONCE)
        result[part] = torch.from_numpy(np.array(array[part]))
    return result
