"""Lets a pruned trunk learn the whole one's maps: `python -m training.recover PRUNED WHOLE STORE OUT --minutes 25`.

Decoders and heads, which know those maps, stay as they are. No label is needed, and a few thousand pictures are enough
(Romero et al., ICLR 2015). OUT is written every three minutes, and may be given as PRUNED to go on.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.datasets.store import Store, open_store
from training.evaluate import as_input
from training.networks.saliency_net import SaliencyNet
from training.schedule import cosine
from training.train import TRUNK
from training.weights import load_weights, save_weights

PICTURES, PARTS = 24, 2
"""Of a step, and how many threads share them: set OMP_NUM_THREADS=1."""
WARM_UP_STEPS, WEIGHT_DECAY, AVERAGE_DECAY, LARGEST_GRADIENT = 50, 0.01, 0.99, 1.0
SAVE_MINUTES = 3.0


class Recovery:
    """A trunk on its way back to the maps of the whole one. pictures: draws so many, (n, side, side, 3) uint8."""

    def __init__(
        self, pruned: SaliencyNet, whole: SaliencyNet, pictures: Callable[[int], np.ndarray], rate: float
    ) -> None:
        self.net, self.whole = (copy.deepcopy(n).to(memory_format=torch.channels_last) for n in (pruned, whole))
        self.average = copy.deepcopy(self.net)
        self.pictures, self.rate, self.steps = pictures, rate, 0
        self.learning = [p for name, p in self.net.named_parameters() if name.startswith(TRUNK)]
        groups = [
            {"params": [p for p in self.learning if (p.ndim > 1) == decays], "weight_decay": WEIGHT_DECAY * decays}
            for decays in (True, False)
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=rate)
        self.bfloat16 = torch.cpu._is_avx512_bf16_supported()
        with torch.no_grad():
            maps = self.whole.trunk(self._seen(pictures(2 * PICTURES)))
            self.variances = [m.var((0, 2, 3)).mean() for m in maps]
        self._pool = ThreadPoolExecutor(PARTS)

    def step(self, progress: float) -> Tensor:
        """One update; returns the squared distance of each stage's maps, as a share of their variance."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * min(1.0, (self.steps + 1) / WARM_UP_STEPS) * cosine(progress, floor=0.01)
        done = list(self._pool.map(self._gradients, [self.pictures(PICTURES // PARTS) for _ in range(PARTS)]))
        for p, *gradients in zip(self.learning, *(g for _, g in done), strict=True):
            p.grad = sum(gradients) / PARTS
        torch.nn.utils.clip_grad_norm_(self.learning, LARGEST_GRADIENT)
        self.optimiser.step()
        self.steps += 1
        decay = min(AVERAGE_DECAY, self.steps / (self.steps + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.net.parameters()), weight=1 - decay)
        return torch.stack([distances for distances, _ in done]).mean(0)

    def _gradients(self, pictures: np.ndarray) -> tuple[Tensor, tuple[Tensor, ...]]:
        x = self._seen(pictures)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            with torch.no_grad():
                wanted = self.whole.trunk(x)
            found = self.net.trunk(x)
        distances = [
            (f.float() - w.float()).square().mean() / v for f, w, v in zip(found, wanted, self.variances, strict=True)
        ]
        return torch.stack(distances).detach(), torch.autograd.grad(sum(distances), self.learning)

    def _seen(self, pictures: np.ndarray) -> Tensor:
        return self.whole.normalised(as_input(self.whole, pictures))


def drawn_from(store: Store, seed: int = 1) -> Callable[[int], np.ndarray]:
    """Draws pictures of the training side, half of them as mirror images."""
    random = np.random.default_rng(seed)
    rows = store.training_side

    def draw(count: int) -> np.ndarray:
        pictures = store.pictures[np.sort(random.choice(rows, count, replace=False))]
        return pictures[:, :, ::-1] if random.random() < 0.5 else pictures

    return draw


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m training.recover", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pruned", type=Path, help="what `training.prune` wrote")
    parser.add_argument("whole", type=Path, help="what it was made of")
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path, help=".safetensors to write")
    parser.add_argument("--minutes", type=float, default=25.0, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=5e-4, help="Highest learning rate (default: %(default)s)")
    options = parser.parse_args(arguments)
    draw = drawn_from(open_store(options.store))
    recovery = Recovery(load_weights(options.pruned), load_weights(options.whole), draw, options.rate)
    started, saved = time.monotonic(), 0.0
    while (minutes := (time.monotonic() - started) / 60) < options.minutes:
        distances = recovery.step(minutes / options.minutes)
        if minutes - saved >= SAVE_MINUTES:
            saved = minutes
            save_weights(recovery.average, options.out)
            print(
                f"minute {minutes:5.1f}  step {recovery.steps:5d}  {[round(d, 4) for d in distances.tolist()]}",
                flush=True,
            )
    save_weights(recovery.average, options.out)


if __name__ == "__main__":
    main()
