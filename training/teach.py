"""Writes a teacher's maps and features of every picture of a store: `python -m training.teach STORE`.

    teacher.npy   (n, 2, 68, 68) float16: [0] attention density, maximum 1; [1] objectness 0..1
    features.npy  (n, 64, 18, 18) float16: a published network's features, their principal components

Attention is read from those features by `training.readout`, fitted to the fixations of the training side, and
multiplied with what a network of this project says, each to a power: the two go wrong in different places. Objectness
is that network's alone. All are means over the picture and its mirror image. A later training takes the maps where
people left no label, mixes a share of them into what few people looked at (self-training with a noisy student, Xie et
al., CVPR 2020), and learns to tell the features (Romero et al., ICLR 2015). `hints.npy`, where it is there, tells the
readouts about faces and text.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from tqdm import tqdm

from eyefirst.network import OnnxNetwork, default_revision
from eyefirst.weight_store import find_weights
from training.backbone import Backbone
from training.calibrate import is_for_fitting, likeliest
from training.datasets.store import FEATURES_FILE, TEACHER_FILE, UNKNOWN_HINT, Store, open_store
from training.evaluate import MEASURED_SETS, attention_figures, shipped_prior_weights
from training.readout import MAP_SIDE, Looked, Readout, ReadoutConfig, fit_crosswise, read

SET_WEIGHTS = {"osie": 3.0, "mit1003": 2.5, "eyecrowd": 2.0, "scene500": 2.0}
"""How often a picture of each set is drawn. More, noisier sets made the readouts worse."""
FOLDS = 3
MOST_COMPONENTS, COMPONENT_SIDE = 64, 18
LEAST_ATTENTION = 1e-7
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


@dataclass(frozen=True)
class Teacher:
    """Readouts of a published network's features, and a network of this project."""

    eyes: Eyes
    network: OnnxNetwork
    readouts: Sequence[Readout]
    fold_of: Mapping[int, int]
    """Of the pictures that readouts learned from: which one did not see it. It alone speaks for it."""
    components: Components

    def ask(self, store: Store, indices: Sequence[int]) -> tuple[NDArray[np.float32], ...]:
        """Logs of attention (2, n, 68, 68), the readouts' and the network's, not normalised; objectness; features."""
        logs, objects = [], []
        pictures = np.asarray(store.pictures[indices])
        for mirrored in (False, True):
            levels = see(self.eyes, store, indices, mirrored)
            if not mirrored:
                features = self.components(levels[1:])
            said = self.network.predict(np.ascontiguousarray(pictures[:, :, ::-1]) if mirrored else pictures)
            both = np.stack([self._read(store, indices, levels), np.log(said.attention.clip(LEAST_ATTENTION))])
            logs.append(both[..., ::-1] if mirrored else both)
            objects.append(said.objectness[..., ::-1] if mirrored else said.objectness)
        return np.mean(logs, axis=0), np.mean(objects, axis=0), features

    def _read(self, store: Store, indices: Sequence[int], levels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Where people looked, under the prior of the picture's set; elsewhere under that which ships."""
        names = list(SET_WEIGHTS)
        shipped = shipped_prior_weights(names)
        own = [torch.tensor([float(name == store.rows[i].set_name) for name in names]) for i in indices]
        priors = torch.stack([p if i in self.fold_of else shipped for i, p in zip(indices, own, strict=True)])
        logs = np.stack([read(readout, levels, priors) for readout in self.readouts])
        folds = [self.fold_of.get(i) for i in indices]
        return np.stack([logs[:, k].mean(0) if fold is None else logs[fold, k] for k, fold in enumerate(folds)])

    def powers(self, store: Store) -> tuple[float, ...]:
        """Of the readouts' and of the network's attention, under which held-back fixations are likeliest."""
        held_back = store.select(*SET_WEIGHTS, held_back=True)
        chosen = [i for i in held_back if is_for_fitting(store.rows[i])]
        if not chosen:
            return 1.0, 0.0
        parts = [self.ask(store, chosen[k : k + BATCH])[0] for k in range(0, len(chosen), BATCH)]
        logs = torch.from_numpy(np.concatenate(parts, axis=1)).movedim(0, -1)
        return tuple(likeliest(logs, store, chosen, [1.0, 0.0]))


def teach(store: Store, eyes: Eyes, network: OnnxNetwork, folder: Path, config: ReadoutConfig) -> dict[str, float]:
    """Writes both files; returns how the teacher does on the held-back side."""
    indices, looked = looked_at(eyes, store)
    readouts, folds = fit_crosswise(looked, len(SET_WEIGHTS), config, FOLDS)
    components = Components(looked.features[1:])
    print(f"{components.count} components hold {components.explained:.2f} of the variance of the features", flush=True)
    teacher = Teacher(eyes, network, readouts, dict(zip(indices, folds.tolist(), strict=True)), components)
    powers = teacher.powers(store)
    print(f"attention: readouts to the power of {powers[0]:.2f}, network {powers[1]:.2f}", flush=True)
    total = len(store.rows)
    paths = [folder / name for name in (TEACHER_FILE, FEATURES_FILE)]
    unfinished = [path.with_suffix(".tmp") for path in paths]
    maps = np.lib.format.open_memmap(unfinished[0], "w+", np.float16, (total, 2, MAP_SIDE, MAP_SIDE))
    told = np.lib.format.open_memmap(
        unfinished[1], "w+", np.float16, (total, components.count, COMPONENT_SIDE, COMPONENT_SIDE)
    )
    for start in tqdm(range(0, total, BATCH), unit="batch", desc="labels"):
        part = range(start, min(start + BATCH, total))
        logs, maps[start : part.stop, 1], told[start : part.stop] = teacher.ask(store, part)
        log = np.tensordot(powers, logs, 1)
        maps[start : part.stop, 0] = np.exp(log - log.max((1, 2), keepdims=True))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument(
        "--network",
        default=default_revision(),
        help="which packaged network says what is a subject, and shares in attention (default: the newest)",
    )
    arguments = parser.parse_args()
    store = open_store(arguments.store)
    figures = teach(store, Backbone(), OnnxNetwork(find_weights(arguments.network)), arguments.store, ReadoutConfig())
    print("  ".join(f"{name} {value:.3f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
