"""Takes channels out of a trunk: `python -m training.prune WEIGHTS STORE OUT --lost 0.012`.

Of the hidden channels of each block those go that the others can stand in for. Least squares on pictures of the
training side tell which: the one whose loss costs least goes first, and the block's last convolution is fitted anew to
what is left (Hassibi and Stork, NIPS 1992). Blocks are fitted one after the other to what the whole network gives
there, so that later ones make up for earlier ones (He, Zhang and Sun, ICCV 2017). `training.recover` goes on from here.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.datasets.store import Store, open_store
from training.evaluate import as_input, parts_of
from training.networks.lite import InvertedBlock, ScaledConv
from training.networks.saliency_net import SaliencyNet
from training.weights import load_weights, save_weights

PICTURES = 400
MULTIPLE = 16
"""Of channels that stay: vector units take so many at once, and depthwise convolutions are slow on a rest."""
RIDGE = 1e-6
"""Added to the channels' variances, as a share of their mean: some channels are always zero."""


@dataclass(frozen=True)
class Sums:
    """Over all places of some maps.

    h, y: of hidden channels, and of what the last convolution has to give. hh, hy: of their products. out, outs: of the
    block's output, and of its squares.
    """

    count: int
    h: Tensor
    y: Tensor
    hh: Tensor
    hy: Tensor
    out: Tensor
    outs: Tensor

    @classmethod
    def of(cls, *maps: Tensor) -> Sums:
        """Of hidden channels, of what the last convolution has to give, and of the output: (n, channels, h, w) each."""
        h, y, out = (m.transpose(0, 1).flatten(1).double() for m in maps)
        return cls(h.shape[1], h.sum(1), y.sum(1), h @ h.T, h @ y.T, out.sum(1), (out * out).sum(1))

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def covariances(self) -> tuple[Tensor, Tensor]:
        """Of the hidden channels with each other, and with what is wanted."""
        own = self.hh / self.count - torch.outer(self.h, self.h) / self.count**2
        own += RIDGE * own.diagonal().mean() * torch.eye(len(own), dtype=own.dtype)
        return own, self.hy / self.count - torch.outer(self.h, self.y) / self.count**2

    def fit(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (outputs, kept) and bias (outputs,) that give best what is wanted."""
        own, shared = self.covariances()
        weight = torch.linalg.solve(own[kept][:, kept], shared[kept]).T
        return weight, (self.y - weight @ self.h[kept]) / self.count


def channels_to_keep(sums: Sums, lost: float) -> Tensor:
    """Their numbers. lost: the share of the output's variance that may go."""
    own, shared = sums.covariances()
    inverse = torch.linalg.inv(own)
    weights = inverse @ shared
    left = lost * float((sums.outs / sums.count - (sums.out / sums.count) ** 2).sum())
    kept = torch.ones(len(own), dtype=torch.bool)
    gone: list[int] = []
    while True:
        costs = (weights**2).sum(1) / inverse.diagonal()
        least = int(torch.where(kept, costs, torch.inf).argmin())
        left -= float(costs[least])
        if left < 0:
            break
        row = inverse[least] / inverse[least, least]
        weights -= torch.outer(row, weights[least])
        inverse -= torch.outer(row, inverse[least])
        inverse[least, least] = 1.0  # the rest of its row is zero now
        kept[least] = False
        gone.append(least)
    kept[gone[len(gone) - len(gone) % MULTIPLE :]] = True
    return kept.nonzero()[:, 0]


@torch.no_grad()
def prune(net: SaliencyNet, pictures: Sequence[np.ndarray], lost: float) -> SaliencyNet:
    """The network with fewer channels. pictures: (n, side, side, 3) uint8 each. lost: see `channels_to_keep`."""
    small = copy.deepcopy(net)
    blocks, whole = (list(chain.from_iterable(n.stages)) for n in (small, net))
    for number, block in enumerate(blocks):
        sums = None
        for part in pictures:
            x = y = net.normalised(as_input(net, part))
            x, y = small.stem(x), net.stem(y)
            for one, other in zip(blocks[:number], whole, strict=False):
                x, y = one(x), other(y)
            y = whole[number](y)
            found = Sums.of(block.hidden(x), y - x if block.shortcut else y, y)
            sums = found if sums is None else sums + found
        kept = channels_to_keep(sums, lost)
        narrow(block, kept, *sums.fit(kept))
        if block.expand is None:
            small.stem[0] = narrowed(small.stem[0], kept)
        print(f"block {number}: {len(kept)} of {len(sums.h)} channels", flush=True)
    hidden = tuple(block.project.in_channels for block in blocks)
    print(f"hidden = {list(hidden)}")
    result = SaliencyNet(replace(net.config.uncalibrated(), hidden=hidden)).eval()
    result.load_state_dict(small.state_dict())
    return result


def narrow(block: InvertedBlock, kept: Tensor, weight: Tensor, bias: Tensor) -> None:
    """Takes hidden channels out of a block. weight, bias: of its last convolution."""
    if block.expand is not None:
        block.expand = narrowed(block.expand, kept)
    block.depthwise = narrowed(block.depthwise, kept)
    project = ScaledConv(len(kept), block.project.out_channels, 1)
    project.scale.copy_(block.project.scale)
    project.weight.copy_(weight[:, :, None, None] / project.scale)
    project.bias.copy_(bias)
    block.project = project


def narrowed(conv: ScaledConv, kept: Tensor) -> ScaledConv:
    """A convolution with some of its outputs; of a depthwise one also the inputs."""
    depthwise = conv.groups > 1
    result = ScaledConv(
        len(kept) if depthwise else conv.in_channels,
        len(kept),
        conv.kernel_size[0],
        conv.stride[0],
        groups=len(kept) if depthwise else 1,
    )
    result.load_state_dict({name: value[kept] for name, value in conv.state_dict().items()})
    return result


def some_pictures(store: Store, count: int) -> list[np.ndarray]:
    """So many pictures from the training side, in parts."""
    chosen = np.random.default_rng(0).permutation(store.training_side)[:count].tolist()
    return [store.pictures[part] for part in parts_of(chosen)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m training.prune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help=".safetensors, or a check-point")
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path, help=".safetensors to write")
    parser.add_argument(
        "--lost", type=float, default=0.01, help="Share of the variance that a block may lose (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    pictures = some_pictures(open_store(options.store), PICTURES)
    save_weights(prune(load_weights(options.weights), pictures, options.lost), options.out)


if __name__ == "__main__":
    main()
