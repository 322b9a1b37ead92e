"""Teaches attention, above the trunk, from single fixations, as they are: `python -m training.fixate IN STORE OUT`.

All else is trained on densities: fixations blurred, and mostly a teacher's. They are what a small network can learn
from, but people's gaze is sharper. So at the end the likelihood of the fixations themselves is raised by the attention
head, and its decoder where it has one of its own, while the trunk stays: too little to learn 1,842 pictures by heart.
Expects a calibrated network, since gains, surround and prior stay as they are; calibrate again afterwards.
"""

from __future__ import annotations

import argparse
import copy
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.datasets.store import Store, open_store
from training.evaluate import as_input, parts_of
from training.losses import fixation_loss
from training.networks.saliency_net import SaliencyNet
from training.schedule import cosine
from training.weights import load_weights, save_weights

EPOCHS = 8
BATCH = 32
LEARNING_RATE = 5e-4
WEIGHT_DECAY = 0.05
DROPOUT = 0.1


def fixate(net: SaliencyNet, store: Store, epochs: int = EPOCHS) -> SaliencyNet:
    """A copy whose attention has learned from the fixations of the training side, of the sets with priors."""
    result = copy.deepcopy(net).eval()
    decoder = result.attention_decoder
    taught = nn.ModuleList([result.attention_head] if decoder is None else [decoder, result.attention_head])
    sets = net.config.prior_sets
    chosen = [i for name in sets for i in store.select(name, held_back=False)]
    set_numbers = torch.tensor([sets.index(store.rows[i].set_name) for i in chosen]).repeat(2)
    both = ((part, step) for step in (1, -1) for part in parts_of(chosen))  # as they are, then mirrored
    maps = ([level.half() for level in _seen(result, store.pictures[part][:, :, ::step])] for part, step in both)
    seen = [torch.cat(level) for level in zip(*maps, strict=True)]
    side = 2 * seen[0].shape[-1]
    looked = torch.from_numpy(store.fixation_shares(chosen, side))
    looked = torch.cat([looked, looked.flip(2)]).flatten(1)
    priors = net.prior(torch.eye(len(sets)), side).detach()

    optimiser = torch.optim.AdamW(taught.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    random = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    steps = epochs * math.ceil(len(looked) / BATCH)
    step = 0
    for epoch in range(epochs):
        total = 0.0
        for part in torch.randperm(len(looked), generator=random).split(BATCH):
            optimiser.param_groups[0]["lr"] = LEARNING_RATE * cosine(step / steps)
            levels = [F.dropout2d(level[part].float(), DROPOUT) for level in seen]
            logits = result.attention(levels[0] if decoder is None else decoder(levels), side)
            logits = (logits[:, 0] + priors[set_numbers[part]]) * net.config.attention_gain
            loss = fixation_loss(logits.flatten(1), looked[part])
            optimiser.zero_grad()
            loss.mean().backward()
            optimiser.step()
            step += 1
            total += float(loss.detach().sum())
        print(f"epoch {epoch + 1} of {epochs}: {-total / len(looked):.4f} nats a fixation", flush=True)
    return result


@torch.no_grad()
def head_input(net: SaliencyNet, pictures: np.ndarray) -> Tensor:
    """What the attention head sees of (n, side, side, 3) uint8: (n, channels, side / 8, side / 8)."""
    return net.decoded(net.trunk(net.normalised(as_input(net, pictures))))[1]


@torch.no_grad()
def _seen(net: SaliencyNet, pictures: np.ndarray) -> list[Tensor]:
    """What the taught part sees: the trunk's maps at 1/8 and coarser, or where it is the head alone, the head's."""
    if net.attention_decoder is None:
        return [head_input(net, pictures)]
    return net.gated(net.trunk(net.normalised(as_input(net, pictures))))[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="calibrated, .safetensors")
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path, help=".safetensors to write")
    arguments = parser.parse_args()
    save_weights(fixate(load_weights(arguments.weights), open_store(arguments.store)), arguments.out)


if __name__ == "__main__":
    main()
