"""Fits what trained logits have to be multiplied by to mean what they say: `python -m training.calibrate IN STORE OUT`.

Three numbers (Guo et al., "On calibration of modern neural networks", ICML 2017): a gain for attention, by
the likelihood of people's fixations; a gain and a bias for objectness, by that of masks. They are fitted
on one half of the held-back pictures, by a hash of the id; which half, decides `is_for_fitting`, so that figures
can be taken from the other.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.datasets.store import Row, Store, open_store
from training.evaluate import MEASURED_SETS, shipped_prior
from training.networks.saliency_net import SaliencyNet
from training.weights import load_weights, save_weights

MASK_SETS = ("DUTS-TR", "CCP", "human290", "DAVIS", "nothing")
MOST = 400
"""Pictures a set, at most."""


def is_for_fitting(row: Row) -> bool:
    """Whether a held-back picture belongs to the half that the three numbers are fitted on."""
    return hashlib.sha256(f"calibrate/{row.id}".encode()).digest()[0] % 2 == 0


@torch.no_grad()
def logits(net: SaliencyNet, pictures: np.ndarray) -> tuple[Tensor, Tensor]:
    """Attention with the shipped prior, and objectness, before any calibration: (n, 68, 68) each."""
    x = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float()
    attention, objectness = net(x.contiguous(memory_format=torch.channels_last))
    return attention + shipped_prior(net, attention.shape[-1]), objectness


def calibrate(net: SaliencyNet, store: Store, most: int = MOST) -> SaliencyNet:
    """The network with gains and bias of its own. Sets that the store lacks are left out."""
    fitting = [i for i, row in enumerate(store.rows) if row.held_back and is_for_fitting(row)]
    looked_at = [_first(store, fitting, name, most) for name in MEASURED_SETS]
    masked = [_first(store, fitting, name, most) for name in MASK_SETS]
    gain = _attention_gain(net, store, [i for part in looked_at for i in part])
    slope, bias = _objectness_line(net, store, [i for part in masked for i in part])
    result = SaliencyNet(
        replace(net.config, attention_gain=gain, objectness_gain=slope, objectness_bias=bias),
    ).eval()
    result.load_state_dict(net.state_dict())
    return result


def _first(store: Store, indices: list[int], name: str, most: int) -> list[int]:
    return [i for i in indices if store.rows[i].set_name == name][:most]


def _attention_gain(net: SaliencyNet, store: Store, chosen: list[int]) -> float:
    """Among gains from 0.5 to 2, the one under which the fixations are likeliest."""
    if not chosen:
        return 1.0
    gains = torch.linspace(0.5, 2, 61)
    likelihoods = torch.zeros(len(gains))
    for start in range(0, len(chosen), 16):
        part = chosen[start : start + 16]
        attention = logits(net, store.pictures[part])[0].flatten(1)
        for row, values in zip((store.rows[i] for i in part), attention, strict=True):
            assert row.fixations is not None
            cells = np.clip((row.fixations.points() * 68).astype(int), 0, 67)
            at = values[torch.from_numpy(cells[:, 1] * 68 + cells[:, 0])]
            total = torch.logsumexp(gains[:, None] * values[None], dim=1)
            likelihoods += gains * at.mean() - total
    return round(float(gains[likelihoods.argmax()]), 3)


def _objectness_line(net: SaliencyNet, store: Store, chosen: list[int]) -> tuple[float, float]:
    """Gain and bias of the least cross-entropy (Platt scaling)."""
    if not chosen:
        return 1.0, 0.0
    values, targets = [], []
    for start in range(0, len(chosen), 16):
        part = chosen[start : start + 16]
        values.append(logits(net, store.pictures[part])[1].flatten())
        masks = torch.from_numpy(np.asarray(store.labels[part][:, 0], np.float32))
        targets.append(F.avg_pool2d(masks[:, None], 2).flatten())
    x, y = torch.cat(values), torch.cat(targets)
    line = torch.tensor([1.0, 0.0], requires_grad=True)
    optimiser = torch.optim.LBFGS([line], max_iter=60)

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(x * line[0] + line[1], y)
        value.backward()
        return value

    optimiser.step(loss)
    return round(float(line[0].detach()), 3), round(float(line[1].detach()), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help=".safetensors, or a check-point (.pt)")
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path, help=".safetensors to write")
    arguments = parser.parse_args()
    net = calibrate(load_weights(arguments.weights), open_store(arguments.store))
    c = net.config
    print(f"attention x {c.attention_gain}, objectness x {c.objectness_gain} {c.objectness_bias:+}")
    save_weights(net, arguments.out)


if __name__ == "__main__":
    main()
