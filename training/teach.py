"""Writes a teacher's maps and features of every picture of a store: `python -m training.teach STORE`.

    teacher.npy   (n, 2, 68, 68) float16: [0] attention density, maximum 1; [1] objectness 0..1
    features.npy  (n, 64, 18, 18) float16: a published network's features, their principal components

Attention is read from those features by `training.readout`, fitted to the fixations of the training side;
objectness is what a network of this project says. Both are means over the picture and its mirror image. A later
training takes the maps where people left no label, mixes a share of them into what few people looked at
(self-training with a noisy student, Xie et al., CVPR 2020), and learns to tell the features
(Romero et al., ICLR 2015). `hints.npy`, where it is there, tells the readouts about faces and text.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from tqdm import tqdm

from eyefirst.network import OnnxNetwork, default_revision
from eyefirst.weight_store import find_weights
from training.backbone import Backbone
from training.datasets.store import FEATURES_FILE, TEACHER_FILE, UNKNOWN_HINT, Store, open_store
from training.evaluate import MEASURED_SETS, attention_figures, shipped_prior_weights
from training.readout import MAP_SIDE, Looked, Readout, ReadoutConfig, fit_crosswise, read

SET_WEIGHTS = {"osie": 3.0, "mit1003": 2.5, "eyecrowd": 2.0, "scene500": 2.0}
"""How often a picture of each set is drawn. More, noisier sets made the readouts worse."""
FOLDS = 3
MOST_COMPONENTS, COMPONENT_SIDE = 64, 18
BATCH = 32

Eyes = Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]]
"""(n, 272, 272, 3) uint8 -> levels of features, the coarsest last."""


def see(eyes: Eyes, store: Store, indices: Sequence[int], mirrored: bool) -> list[NDArray[np.float32]]:
    """Levels of these pictures, hints first: (n, channels, height, width) each."""
    pictures = np.asarray(store.pictures[indices])
    hints = np.zeros((len(indices), 2, MAP_SIDE, MAP_SIDE), np.float32)
    if store.hints is not None:
        stored = np.asarray(store.hints[indices])
        hints = np.where(stored == UNKNOWN_HINT, 0, stored / 254).astype(np.float32)
    hints = hints.reshape(len(indices), 2, MAP_SIDE // 2, 2, MAP_SIDE // 2, 2).mean((3, 5))
    if mirrored:
        return [hints[..., ::-1].copy(), *eyes(pictures[:, :, ::-1])]
    return [hints, *eyes(pictures)]


def looked_at(eyes: Eyes, store: Store) -> tuple[list[int], Looked]:
    """The training pictures with fixations, and what the readouts learn from."""
    names = list(SET_WEIGHTS)
    indices = store.select(*names, held_back=False)
    parts = [
        [see(eyes, store, indices[k : k + BATCH], mirrored) for mirrored in (False, True)]
        for k in tqdm(range(0, len(indices), BATCH), unit="batch", desc="features")
    ]
    features = [
        np.concatenate([np.stack([plain[level], mirrored[level]], 1).astype(np.float16) for plain, mirrored in parts])
        for level in range(len(parts[0][0]))
    ]
    set_names = [store.rows[i].set_name for i in indices]
    return indices, Looked(
        features,
        store.fixation_shares(indices, MAP_SIDE),
        np.array([names.index(name) for name in set_names]),
        np.array([SET_WEIGHTS[name] for name in set_names]),
    )


class Components:
    """Principal components of all levels on one grid, every level weighing alike; total variance 1."""

    def __init__(self, features: Sequence[NDArray[np.float16]]) -> None:
        sample = [np.asarray(level[::3, 0], np.float32) for level in features]
        self._scales = [float(level.std()) + 1e-6 for level in sample]
        stacked = self._stacked(sample).transpose(0, 2, 3, 1).reshape(-1, sum(level.shape[1] for level in sample))
        self._mean = stacked.mean(0)
        values, vectors = np.linalg.eigh(np.cov(stacked - self._mean, rowvar=False))
        kept = slice(-1, -1 - MOST_COMPONENTS, -1)
        self._vectors = vectors[:, kept] / np.sqrt(values[kept].sum())
        self.count = self._vectors.shape[1]
        self.explained = float(values[kept].sum() / values.sum())

    def __call__(self, levels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """(n, count, 18, 18)."""
        centred = self._stacked(levels) - self._mean[:, None, None]
        return np.tensordot(self._vectors, centred, ([0], [1])).transpose(1, 0, 2, 3)

    def _stacked(self, levels: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
        size = (COMPONENT_SIDE, COMPONENT_SIDE)
        parts = []
        for level, scale in zip(levels, self._scales, strict=True):
            x = torch.from_numpy(np.asarray(level, np.float32) / (scale * np.sqrt(level.shape[1])))
            larger = level.shape[-1] > COMPONENT_SIDE
            parts.append(F.adaptive_avg_pool2d(x, size) if larger else F.interpolate(x, size=size, mode="bilinear"))
        return np.asarray(torch.cat(parts, 1))


def teach(store: Store, eyes: Eyes, network: OnnxNetwork, folder: Path, config: ReadoutConfig) -> dict[str, float]:
    """Writes both files; returns how the readouts do on the held-back side."""
    indices, looked = looked_at(eyes, store)
    names = list(SET_WEIGHTS)
    readouts, folds = fit_crosswise(looked, len(names), config, FOLDS)
    components = Components(looked.features[1:])
    print(f"{components.count} components hold {components.explained:.2f} of the variance of the features", flush=True)
    fold_of = dict(zip(indices, folds.tolist(), strict=True))
    shipped = shipped_prior_weights(names)
    total = len(store.rows)
    paths = [folder / name for name in (TEACHER_FILE, FEATURES_FILE)]
    unfinished = [path.with_suffix(".tmp") for path in paths]
    maps = np.lib.format.open_memmap(unfinished[0], "w+", np.float16, (total, 2, MAP_SIDE, MAP_SIDE))
    told = np.lib.format.open_memmap(
        unfinished[1], "w+", np.float16, (total, components.count, COMPONENT_SIDE, COMPONENT_SIDE)
    )
    for start in tqdm(range(0, total, BATCH), unit="batch", desc="labels"):
        part = range(start, min(start + BATCH, total))
        priors = torch.stack(
            [
                torch.tensor([float(name == store.rows[i].set_name) for name in names]) if i in fold_of else shipped
                for i in part
            ]
        )
        logs, objects = [], []
        for mirrored in (False, True):
            levels = see(eyes, store, part, mirrored)
            if not mirrored:
                told[start : part.stop] = components(levels[1:])
            log = _log_density(readouts, levels, priors, [fold_of.get(i) for i in part])
            pictures = np.asarray(store.pictures[part])
            seen = network.predict(np.ascontiguousarray(pictures[:, :, ::-1]) if mirrored else pictures).objectness
            logs.append(log[..., ::-1] if mirrored else log)
            objects.append(seen[..., ::-1] if mirrored else seen)
        density = np.exp(np.mean(logs, axis=0))
        maps[start : part.stop, 0] = density / density.max((1, 2), keepdims=True)
        maps[start : part.stop, 1] = np.mean(objects, axis=0)
    for array in (maps, told):
        array.flush()
    for temporary, path in zip(unfinished, paths, strict=True):
        temporary.rename(path)
    figures: dict[str, float] = {}
    for name in MEASURED_SETS:
        chosen = store.select(name, held_back=True)
        if chosen:
            figures |= attention_figures(store, name, chosen, np.asarray(maps[chosen, 0], np.float32))
    return figures


def _log_density(
    readouts: Sequence[Readout],
    levels: Sequence[NDArray[np.float32]],
    priors: torch.Tensor,
    folds: Sequence[int | None],
) -> NDArray[np.float32]:
    """The readout that did not see a picture speaks for it; for the others all do."""
    logs = np.stack([read(readout, levels, priors) for readout in readouts])
    return np.stack([logs[:, k].mean(0) if fold is None else logs[fold, k] for k, fold in enumerate(folds)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument(
        "--objectness",
        default=default_revision(),
        help="which packaged network says what is a subject (default: the newest)",
    )
    arguments = parser.parse_args()
    store = open_store(arguments.store)
    figures = teach(
        store, Backbone(), OnnxNetwork(find_weights(arguments.objectness)), arguments.store, ReadoutConfig()
    )
    print("  ".join(f"{name} {value:.3f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
