"""Trains a network from a config and a store: `python -m training.train CONFIG STORE RUN`.

Stop it at any minute (Ctrl-C, SIGTERM or worse) and give the same command again: it goes on from the
last check-point. Progress is measured in minutes of training rather than steps, so that a budget fits
any machine. `--warm WEIGHTS` starts from averaged weights (.safetensors, or another run's .pt) instead of
from chance.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import shutil
import signal
import sys
import time
import tomllib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.datasets.batches import SMALLEST_WINDOW, Batch, BatchConfig, Batches
from training.datasets.on_device import DeviceBatches
from training.datasets.store import Store, open_store
from training.evaluate import evaluate
from training.losses import attention_loss, face_loss, objectness_loss, text_loss
from training.networks.saliency_net import NetConfig, SaliencyNet, with_attention_decoder
from training.schedule import cosine
from training.weights import load_weights, save_weights

TRUNK = ("stem.", "stages.")
LOSSES = ("objectness", "attention", "centres", "edges", "text")
LATEST = "latest.safetensors"
FACE_CENTRES = 0.3
"""Weight of the loss of faces' centres beside that of their edges, as in CenterNet the other way round."""


@dataclass(frozen=True)
class TrainConfig:
    """When, how long, how hard.

    `sides` lists (share of the budget, picture side from then on, and sides of the smallest windows). What is seen
    through a window looks larger than in the whole picture, which is what the network sees in use: a network
    that is trained on windows does best at a larger side (Touvron et al., NeurIPS 2019), so windows open last.
    """

    budget_minutes: float
    sides: tuple[tuple[float, int, float], ...]
    learning_rate: float = 2e-3
    trunk_learning_rate: float | None = None
    """Of stem and stages, if it is another: what is published already needs less."""
    weight_decay: float = 0.03
    attention_weight: float = 0.35
    face_weight: float = 1.0
    text_weight: float = 0.5
    taught: tuple[str, ...] = ("",)
    """Beginnings of the names of the parameters that learn; all others, and their norms' statistics, stay."""
    parts: int = 1
    """So many parts of a batch are computed at once, each by one thread. Set OMP_NUM_THREADS=1 with two or more."""
    average_decay: float = 0.9985
    warm_up_steps: int = 200
    checkpoint_minutes: float = 3.0
    evaluate_minutes: float = 12.0
    seed: int = 1


def read_config(path: Path) -> tuple[NetConfig, BatchConfig, TrainConfig]:
    """A TOML file with the tables [net], [batch] and [train]; an unknown key is an error."""
    tables = tomllib.loads(path.read_text())
    net = {k: tuple(v) if isinstance(v, list) else v for k, v in tables["net"].items()}
    train = dict(tables["train"])
    train["sides"] = tuple(
        (float(share), int(side), float(*window or [SMALLEST_WINDOW])) for share, side, *window in train["sides"]
    )
    train["taught"] = tuple(train.get("taught", ("",)))
    return NetConfig(**net), BatchConfig(**tables["batch"]), TrainConfig(**train)


class Run:
    """A network on its way: weights, their running average, the optimiser, and the minutes spent."""

    def __init__(self, net_config: NetConfig, config: TrainConfig, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device = config, device
        self.net = SaliencyNet(net_config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for name, p in self.net.named_parameters():
            p.requires_grad_(name.startswith(config.taught))
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            _groups(self.net, config), lr=config.learning_rate, fused=device.type == "cuda"
        )
        self._pool = ThreadPoolExecutor(config.parts)
        self.bfloat16 = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()
        self.minutes = 0.0
        self.steps = 0

    @property
    def progress(self) -> float:
        return min(self.minutes / self.config.budget_minutes, 1.0)

    @property
    def stage(self) -> tuple[int, float]:
        """The sides of the pictures, and of the smallest windows."""
        return [(side, window) for share, side, window in self.config.sides if share <= self.progress][-1]

    def step(self, batch: Batch) -> Tensor:
        """One update; returns the losses of objectness, attention, and faces' centres and edges.

        They stay on the device: reading them would wait for it.
        """
        rate = self.config.learning_rate * min(1.0, (self.steps + 1) / self.config.warm_up_steps)
        rate *= cosine(self.progress, floor=0.01)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.net.eval()
        for name, module in self.net.named_modules():
            if name.startswith(self.config.taught):
                module.train()
        learning = [p for p in self.net.parameters() if p.requires_grad]
        count = self.config.parts
        if count == 1:
            done = [self._gradients(batch)]
        else:
            done = list(self._pool.map(self._gradients, [batch.part(k, count) for k in range(count)]))
        for p, *gradients in zip(learning, *(g for _, g in done), strict=True):
            p.grad = gradients[0] if count == 1 else sum(gradients) / count
        torch.nn.utils.clip_grad_norm_(learning, 2.0)
        self.optimiser.step()
        self.steps += 1
        decay = min(self.config.average_decay, self.steps / (self.steps + 10))
        pairs = list(zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True))
        with torch.no_grad():
            for floating, update in ((True, partial(torch._foreach_lerp_, weight=1 - decay)), (False, _copy)):
                update(*zip(*(pair for pair in pairs if pair[0].is_floating_point() == floating), strict=True))
        return torch.stack([losses for losses, _ in done]).mean(0)

    def _gradients(self, batch: Batch) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The losses of a batch, and the gradients of their weighted sum."""
        pictures = batch.pictures.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            said = self.net(pictures)
        prior = self.net.prior(batch.prior_weights, said.attention.shape[-1], batch.windows)
        loss_objectness = _mean(objectness_loss(said.objectness.float(), batch.masks), batch.mask_weights)
        loss_attention = _mean(attention_loss(said.attention.float() + prior, batch.densities), batch.density_weights)
        loss = loss_objectness + self.config.attention_weight * loss_attention
        parts = [loss_objectness, loss_attention]
        if said.faces is not None:
            where, edges = face_loss(said.faces.float(), batch.faces)
            loss = loss + self.config.face_weight * (FACE_CENTRES * where + edges)
            parts += [where, edges]
        if said.text is not None:
            parts.append(text_loss(said.text.float(), batch.text))
            loss = loss + self.config.text_weight * parts[-1]
        gradients = torch.autograd.grad(loss, [p for p in self.net.parameters() if p.requires_grad])
        return torch.stack(parts).detach(), gradients

    def start_from(self, net: SaliencyNet) -> None:
        """Takes over the weights; where a layer is wider or narrower here, as far as it fits, which is told."""
        if self.net.config.attention_decoder and not net.config.attention_decoder:
            net = with_attention_decoder(net)
        own, given = self.net.state_dict(), net.state_dict()
        unlike = sorted(
            {n.rpartition(".")[0] or n for n, v in own.items() if n not in given or given[n].shape != v.shape}
        )
        if len(unlike) > len(own) / 4:
            raise SystemExit(f"expected weights of nearly {self.net.config}, got {net.config}; name another file")
        if unlike:
            print(f"in part from chance: {', '.join(unlike)}", flush=True)
        for name in own.keys() & given.keys():
            if own[name].ndim == given[name].ndim:
                shared = tuple(slice(min(pair)) for pair in zip(own[name].shape, given[name].shape, strict=True))
                own[name][shared] = given[name][shared]
        if self.net.face_decoder is not None and net.face_decoder is None:  # it begins as the shared one
            for part, layers in (("lateral", net.lateral[1:]), ("smooth", net.smooth[:-1])):
                own.update({f"face_decoder.{part}.{n}": v for n, v in layers.state_dict().items()})
        self.net.load_state_dict(own)
        self.average.load_state_dict(own)

    def save(self, path: Path) -> None:
        """Writes a temporary name and renames it: a kill leaves the former check-point whole."""
        state = {
            "net_config": asdict(self.net.config),
            "train_config": asdict(self.config),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [self.optimiser.state_dict()],
            "minutes": self.minutes,
            "steps": self.steps,
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, path)

    def load(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimisers"][0])
        self.minutes, self.steps = state["minutes"], state["steps"]


def _groups(net: SaliencyNet, config: TrainConfig) -> list[dict[str, Any]]:
    """Parameters by learning rate, and by whether they decay: vectors and single numbers do not."""
    groups = []
    for in_trunk in (False, True):
        share = (config.trunk_learning_rate or config.learning_rate) / config.learning_rate if in_trunk else 1.0
        own = [p for n, p in net.named_parameters() if p.requires_grad and n.startswith(TRUNK) == in_trunk]
        for decay, wanted in ((config.weight_decay, True), (0.0, False)):
            members = [p for p in own if (p.ndim > 1) == wanted]
            groups.append({"params": members, "weight_decay": decay, "share": share})
    return groups


def _copy(kept: Sequence[Tensor], new: Sequence[Tensor]) -> None:
    for one, other in zip(kept, new, strict=True):
        one.copy_(other)


def _mean(losses: Tensor, weights: Tensor) -> Tensor:
    return (losses * weights).sum() / weights.sum().clamp(min=1e-6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("store", type=Path, help="folder made by `python -m training.datasets.store`")
    parser.add_argument("run", type=Path, help="folder for check-points and the log; outside of git")
    parser.add_argument(
        "--warm", type=Path, help="averaged weights to start from: .safetensors, or a check-point (.pt)"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    net_config, batch_config, config = read_config(arguments.config)
    device = torch.device(arguments.device)
    store = open_store(arguments.store)
    arguments.run.mkdir(parents=True, exist_ok=True)
    checkpoint = arguments.run / "checkpoint.pt"
    run = Run(net_config, config, device)
    if checkpoint.exists():
        run.load(checkpoint)
        print(f"going on from {checkpoint} at minute {run.minutes:.1f}, step {run.steps}", flush=True)
    elif arguments.warm:
        run.start_from(load_weights(arguments.warm))
    batches = batches_for(device, store, batch_config, net_config.prior_sets, config.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        train(run, batches, checkpoint, arguments.run / "log.jsonl", store)
    finally:
        run.save(checkpoint)


def batches_for(
    device: torch.device, store: Store, config: BatchConfig, prior_sets: tuple[str, ...], seed: int
) -> Batches:
    """Batches cut where the network is: by threads for a processor, on the device itself elsewhere."""
    if device.type == "cpu":
        return Batches(store, config, prior_sets, seed)
    return DeviceBatches(store, config, prior_sets, seed, device)


def train(run: Run, batches: Batches, checkpoint: Path, log: Path, store: Store, most_per_set: int = 150) -> None:
    """Steps until the budget is spent, saving and measuring on the way.

    The averaged weights of the last check-point lie beside the log as `latest.safetensors`.
    """
    saved = measured = run.minutes
    losses: deque[Tensor] = deque(maxlen=200)
    while run.progress < 1:
        stage = run.stage
        with closing(batches.stream(run.steps, *stage)) as stream:
            while run.stage == stage and run.progress < 1:
                started = time.monotonic()
                losses.append(run.step(next(stream).to(run.device)))
                run.minutes += (time.monotonic() - started) / 60
                if run.minutes - saved >= run.config.checkpoint_minutes:
                    saved = run.minutes
                    run.save(checkpoint)
                    save_weights(run.average, log.with_name(LATEST))
                    recent = zip(LOSSES, torch.stack(list(losses)).mean(0).tolist(), strict=False)
                    print(
                        f"minute {run.minutes:6.1f}  step {run.steps:6d}  side {stage[0]}  ",
                        "  ".join(f"{name} {value:.4f}" for name, value in recent),
                        flush=True,
                    )
                if run.minutes - measured >= run.config.evaluate_minutes or run.progress >= 1:
                    measured = run.minutes
                    snapshot = checkpoint.with_name(f"minute_{run.minutes:03.0f}.safetensors")
                    save_weights(run.average, snapshot)
                    shutil.copy(snapshot, log.with_name(LATEST))
                    measure(run, log, store, most_per_set)


def measure(run: Run, log: Path, store: Store, most_per_set: int) -> None:
    """Adds a line with figures to the log."""
    row = {"minute": run.minutes, "step": run.steps, **evaluate(run.average, store, most_per_set)}
    with log.open("a") as out:
        out.write(json.dumps(row) + "\n")
    print("  ".join(f"{k} {v:.3f}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
