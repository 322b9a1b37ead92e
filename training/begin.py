"""Makes the weights a training starts from: `python -m training.begin CONFIG STORE WARM OUT`.

The decoder comes from WARM, a network of this project, the trunk from EfficientNet-Lite0. Where the config wants a
plain beginning of the trunk, that comes from WARM too, and learns to say what the published stem and first blocks say:
the squared distance of their 24 channels at 1/4, on the store's pictures, whatever they show.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.datasets.store import Store, open_store
from training.networks.lite import STAGES, PublishedEntry, published_weights, take_stem
from training.networks.saliency_net import NetConfig, Pyramid, SaliencyNet
from training.schedule import cosine
from training.train import read_config
from training.weights import load_weights, save_weights

SIDE, BATCH = 160, 16
LEARNING_RATE = 2e-3


def begin(config: NetConfig, warm: SaliencyNet) -> SaliencyNet:
    """The network with the published blocks, and every tensor of `warm` that has the same name and shape elsewhere.

    Blocks that `warm` has learned from the published ones are not taken.
    """
    net = SaliencyNet(config)
    own = net.state_dict()
    ours = {n: v for n, v in warm.state_dict().items() if n in own and own[n].shape == v.shape}
    for name in ("mean", "std"):
        ours.pop(name, None)
    own.update(ours)
    net.load_state_dict(own)
    if net.face_decoder is not None and warm.face_decoder is None:
        net.face_decoder = Pyramid(net.lateral[1:], net.smooth[:-1])
    published = published_weights()
    stages = ((0, STAGES[0][0]), *STAGES) if config.published_entry else (None, *STAGES)
    for numbers, blocks in zip(stages, net.stages, strict=True):
        for number, block in zip(range(*numbers or (0,)), blocks, strict=False):
            block.take(published, number)
    if config.published_entry:
        take_stem(net.stem, published)
    nn.init.zeros_(net.context.weight)
    nn.init.constant_(net.context.bias, 3.0)
    return net


def learn_entry(net: SaliencyNet, store: Store, minutes: float) -> float:
    """Fits stem, first stage and entry; returns the share of the published channels' variance that is missed."""
    published = PublishedEntry(published_weights()).eval().requires_grad_(False)
    published.to(memory_format=torch.channels_last)
    net.to(memory_format=torch.channels_last).train()
    taught = nn.ModuleList([net.stem, net.stages[0], net.entry])
    optimiser = torch.optim.AdamW(taught.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    chosen = np.array([i for i, row in enumerate(store.rows) if not row.held_back])
    random = np.random.default_rng(1)
    started, missed, step = time.monotonic(), 1.0, 0
    while (spent := (time.monotonic() - started) / 60) < minutes:
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * cosine(spent / minutes) * min(1.0, (step + 1) / 20)
        pictures = _cut(store, random.choice(chosen, BATCH), random)
        told = published(pictures)
        error = F.mse_loss(net.entry(net.stages[0](net.stem(net.normalised(pictures)))), told) / told.var()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        missed += (float(error.detach()) - missed) * max(0.02, 1 / (step + 1))
        step += 1
        if step % 50 == 0:
            print(f"step {step}: {missed:.3f} of the variance missed", flush=True)
    return missed


def _cut(store: Store, chosen: np.ndarray, random: np.random.Generator) -> Tensor:
    """Squares of the pictures, at their own scale; brightness and contrast vary."""
    left, top = random.integers(0, store.pictures.shape[1] - SIDE + 1, 2)
    pictures = np.stack([store.pictures[i][top : top + SIDE, left : left + SIDE] for i in chosen])
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
    gain, bias = (
        torch.from_numpy(random.uniform(*ends, (len(x), 1, 1, 1))).float() for ends in ((0.6, 1.4), (-35, 35))
    )
    return ((x - 128) * gain + 128 + bias).clamp(0, 255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("warm", type=Path, help=".safetensors of an earlier network")
    parser.add_argument("out", type=Path, help=".safetensors to write")
    parser.add_argument("--minutes", type=float, default=3.0, help="Time for fitting the entry (default: 3)")
    arguments = parser.parse_args()
    net = begin(read_config(arguments.config)[0], load_weights(arguments.warm))
    if net.entry is not None:
        missed = learn_entry(net, open_store(arguments.store), arguments.minutes)
        print(f"the entry misses {missed:.3f} of the variance of the published channels")
    save_weights(net.eval(), arguments.out)


if __name__ == "__main__":
    main()
