"""Attention read from frozen features: the teacher's half that is ours.

As in DeepGaze II (Kuemmerer et al., ICCV 2017): features of a network that was trained to name things, and a
few convolutions that learn which of them draw the eye, from single fixations, by their likelihood. Readouts are fitted
crosswise: each leaves out one fold of the pictures, and labels that fold, so that no label repeats what its own
readout learned by heart. All other pictures get the mean of all readouts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from training.losses import fixation_loss
from training.networks.saliency_net import centre_prior, less_surround
from training.schedule import cosine

GRID = 36
MAP_SIDE = 68


@dataclass(frozen=True)
class ReadoutConfig:
    width: int = 96
    dropout: float = 0.5
    steps: int = 800
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    average_decay: float = 0.99


@dataclass(frozen=True)
class Looked:
    """Pictures with fixations, n of them, each as it is and mirrored.

    features: one (n, 2, channels, height, width) float16 array a level, the coarsest last, [:, 1] mirrored;
    shares (n, 68, 68) of its fixations in each cell of the picture as it is; set_numbers (n,), which centre prior;
    weights (n,), how often each is drawn.
    """

    features: Sequence[NDArray[np.float16]]
    shares: NDArray[np.float32]
    set_numbers: NDArray[np.int64]
    weights: NDArray[np.float64]


class Readout(nn.Module):
    """Levels of features -> attention logits (n, 68, 68), with the centre prior mixed as `prior_weights` say."""

    def __init__(self, config: ReadoutConfig, features: Sequence[NDArray[np.float16]], sets: int) -> None:
        super().__init__()
        width = config.width
        self.levels = nn.ModuleList(_Level(level, width, config.dropout) for level in features)
        self.context = nn.Linear(features[-1].shape[2], width)
        self.norm = nn.GroupNorm(1, width)
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.drop = nn.Dropout2d(config.dropout)
        self.out = nn.Conv2d(width, 1, 1)
        self.surround = nn.Parameter(torch.tensor(0.3))
        self.priors = nn.Parameter(centre_prior().repeat(sets, 1, 1))

    def forward(self, levels: Sequence[Tensor], prior_weights: Tensor) -> Tensor:
        y = sum(level(x) for level, x in zip(self.levels, levels, strict=True))
        coarsest = self.levels[-1].standardised(levels[-1])
        y = F.relu(self.norm(y + self.context(coarsest.mean((2, 3)))[:, :, None, None]))
        y = self.drop(F.relu(self.first(y)))
        y = less_surround(self.out(y + F.relu(self.second(y))), self.surround)
        prior = torch.einsum("ns,shw->nhw", prior_weights, self.priors)[:, None]
        maps = (F.interpolate(m, size=(MAP_SIDE, MAP_SIDE), mode="bilinear") for m in (y, prior))
        return sum(maps)[:, 0]  # type: ignore[no-any-return]


class _Level(nn.Module):
    """One level of features, standardised, narrowed, and brought to the common grid."""

    def __init__(self, sample: NDArray[np.float16], width: int, dropout: float) -> None:
        super().__init__()
        some = sample[::7, 0].astype(np.float32)
        self.register_buffer("mean", torch.from_numpy(some.mean((0, 2, 3)))[:, None, None])
        self.register_buffer("std", torch.from_numpy(some.std((0, 2, 3)))[:, None, None] + 1e-3)
        self.drop = nn.Dropout2d(dropout)
        self.narrow = nn.Conv2d(some.shape[1], width, 1)

    def standardised(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.narrow(self.drop(self.standardised(x))), size=(GRID, GRID), mode="bilinear")


def fit(looked: Looked, chosen: NDArray[np.int64], sets: int, config: ReadoutConfig, seed: int) -> Readout:
    """A readout that learned from the chosen pictures; its running average."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    readout = Readout(config, looked.features, sets)
    average = {name: value.clone() for name, value in readout.state_dict().items()}
    optimiser = torch.optim.AdamW(readout.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    odds = looked.weights[chosen] / looked.weights[chosen].sum()
    for step in range(config.steps):
        rate = min(1.0, (step + 1) / 50) * cosine(step / config.steps, floor=0.02)
        optimiser.param_groups[0]["lr"] = config.learning_rate * rate
        drawn = random.choice(chosen, config.batch, p=odds)
        mirrored = random.integers(0, 2, config.batch)
        shares = looked.shares[drawn].copy()
        shares[mirrored == 1] = shares[mirrored == 1, :, ::-1]
        levels = [torch.from_numpy(level[drawn, mirrored].astype(np.float32)) for level in looked.features]
        prior_weights = F.one_hot(torch.from_numpy(looked.set_numbers[drawn]), sets).float()
        with torch.autocast("cpu", torch.bfloat16):
            logits = readout(levels, prior_weights)
        loss = fixation_loss(logits.float().flatten(1), torch.from_numpy(shares).flatten(1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for name, value in readout.state_dict().items():
                average[name].lerp_(value, 1 - config.average_decay)
    readout.load_state_dict(average)
    return readout.eval()


def fit_crosswise(
    looked: Looked, sets: int, config: ReadoutConfig, folds: int
) -> tuple[list[Readout], NDArray[np.int64]]:
    """One readout a fold, and the fold (n,) of every picture: the one whose readout did not see it."""
    fold = np.random.default_rng(0).permutation(len(looked.shares)) % folds
    readouts = []
    for k in range(folds):
        print(f"readout {k + 1} of {folds}", flush=True)
        readouts.append(fit(looked, np.flatnonzero(fold != k), sets, config, seed=k))
    return readouts, fold


@torch.no_grad()
def read(readout: Readout, levels: Sequence[NDArray[np.floating]], prior_weights: Tensor) -> NDArray[np.float32]:
    """Log densities (n, 68, 68)."""
    logits = readout([torch.from_numpy(level.astype(np.float32)) for level in levels], prior_weights)
    return np.asarray(logits.flatten(1).log_softmax(1).view_as(logits))
