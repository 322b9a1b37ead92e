"""Teaches the head of attention from single fixations, as they are: `python -m training.fixate IN STORE OUT`.

All else is trained on densities: fixations blurred, and mostly a teacher's. They are what a small network can learn
from, but people's gaze is sharper. So at the end the likelihood of the fixations themselves (as in DeepGaze II,
Kuemmerer et al., ICCV 2017) is raised by the attention head alone, two convolutions, while the trunk
stays: too little to learn 1,842 pictures by heart. Expects a calibrated network, since gains, surround and prior
stay as they are; calibrate again afterwards.
"""

from __future__ import annotations

import argparse
import copy
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.datasets.store import Store, open_store
from training.networks.saliency_net import SaliencyNet
from training.weights import load_weights, save_weights

EPOCHS = 8
BATCH = 32
LEARNING_RATE = 5e-4
WEIGHT_DECAY = 0.05
DROPOUT = 0.1


def fixate(net: SaliencyNet, store: Store, epochs: int = EPOCHS) -> SaliencyNet:
    """A copy whose attention head has learned from the fixations of the training side, of the sets with priors."""
    result = copy.deepcopy(net).eval()
    sets = net.config.prior_sets
    chosen = [i for name in sets for i in store.select(name, held_back=False)]
    set_numbers = torch.tensor([sets.index(store.rows[i].set_name) for i in chosen]).repeat(2)
    seen = torch.cat([_seen(result, store, chosen, mirrored) for mirrored in (False, True)])
    looked = fixation_shares(store, chosen, 2 * seen.shape[-1])
    looked = torch.cat([looked, looked.flip(2)]).flatten(1)
    priors = F.interpolate(net.priors.detach()[:, None], size=2 * seen.shape[-1], mode="bilinear")[:, 0]
    priors = priors * net.config.prior_gain

    head = result.attention_head
    optimiser = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    random = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    steps = epochs * math.ceil(len(seen) / BATCH)
    step = 0
    for epoch in range(epochs):
        total = 0.0
        for part in torch.randperm(len(seen), generator=random).split(BATCH):
            optimiser.param_groups[0]["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / steps)) / 2
            logits = result.attention(F.dropout2d(seen[part].float(), DROPOUT), priors.shape[-1])
            logits = (logits[:, 0] + priors[set_numbers[part]]) * net.config.attention_gain
            loss = -(looked[part] * logits.flatten(1).log_softmax(1)).sum(1)
            optimiser.zero_grad()
            loss.mean().backward()
            optimiser.step()
            step += 1
            total += float(loss.detach().sum())
        print(f"epoch {epoch + 1} of {epochs}: {-total / len(seen):.4f} nats a fixation", flush=True)
    return result


def fixation_shares(store: Store, chosen: list[int], side: int) -> Tensor:
    """The share of its fixations in each cell of a picture: (n, side, side), each summing to 1."""
    shares = np.zeros((len(chosen), side, side), np.float32)
    for share, row in zip(shares, (store.rows[i] for i in chosen), strict=True):
        assert row.fixations is not None
        x, y = np.clip((row.fixations.points() * side).astype(int), 0, side - 1).T
        np.add.at(share, (y, x), 1 / len(x))
    return torch.from_numpy(shares)


@torch.no_grad()
def _seen(net: SaliencyNet, store: Store, chosen: list[int], mirrored: bool) -> Tensor:
    """What the attention head sees of the pictures: (n, channels, side / 8, side / 8) float16."""
    parts = []
    for start in range(0, len(chosen), 16):
        pictures = np.array(store.pictures[chosen[start : start + 16]])
        x = torch.from_numpy(pictures[:, :, ::-1].copy() if mirrored else pictures).permute(0, 3, 1, 2).float()
        x = ((x - net.mean) / net.std).contiguous(memory_format=torch.channels_last)
        parts.append(net.decoded(net.trunk(x))[1].half())
    return torch.cat(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="calibrated, .safetensors")
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path, help=".safetensors to write")
    arguments = parser.parse_args()
    save_weights(fixate(load_weights(arguments.weights), open_store(arguments.store)), arguments.out)


if __name__ == "__main__":
    main()
