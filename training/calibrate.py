"""Fits what trained logits have to be multiplied by to mean what they say: `python -m training.calibrate IN STORE OUT`.

Six numbers (Guo et al., "On calibration of modern neural networks", ICML 2017): gains of attention and of its
centre prior, and how much of its surround is taken off, by the likelihood of people's fixations; a gain and a bias
for objectness, by that of masks, and then as sharp as it is calibrated (Gneiting, Balabdaoui and Raftery,
"Probabilistic forecasts, calibration and sharpness", JRSS B 2007): likelihood alone is led by the few pictures whose
subject is another than the network thinks; a bias for text, under which as many cells are found as there are. They
are fitted on one half of the held-back pictures, by a hash of the id; which half, decides `is_for_fitting`, so that
figures can be taken from the other.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.datasets.store import Row, Store, open_store
from training.datasets.targets import text_targets_of
from training.evaluate import MEASURED_SETS, PEOPLE_SETS, as_input, parts_of, shipped_prior
from training.fixate import head_input
from training.losses import fixation_loss
from training.metrics import COVERED, PROBABILITY_EDGES, Reliability
from training.networks.saliency_net import NetConfig, SaliencyNet
from training.weights import load_weights, save_weights

MASK_SETS = ("DUTS-TR", "CCP", "human290", "DAVIS", "nothing")
MOST = 400
"""Pictures a set, at most."""
AS_CALIBRATED = 0.006
"""So much more expected calibration error than that of the likeliest line counts as none: the whole stays below .01."""
SHARPEST = 1.3
"""The most that the likeliest line's slope is multiplied by."""


def is_for_fitting(row: Row) -> bool:
    """Whether a held-back picture belongs to the half that the numbers are fitted on."""
    return hashlib.sha256(f"calibrate/{row.id}".encode()).digest()[0] % 2 == 0


def calibrate(net: SaliencyNet, store: Store, most: int = MOST) -> SaliencyNet:
    """The network with gains and bias of its own. Sets that the store lacks are left out."""
    fitting = [i for i, row in enumerate(store.rows) if row.held_back and is_for_fitting(row)]
    looked_at = [_first(store, fitting, name, most) for name in MEASURED_SETS]
    masked = [_first(store, fitting, name, most) for name in MASK_SETS]
    bare = with_config(net, net.config.uncalibrated())
    attention = attention_numbers(bare, store, [i for part in looked_at for i in part])
    slope, bias = objectness_line(bare, store, [i for part in masked for i in part])
    text = text_bias(bare, store, [i for i in fitting if store.rows[i].set_name in (*MEASURED_SETS, *PEOPLE_SETS)])
    return with_config(
        net, replace(bare.config, **attention, objectness_gain=slope, objectness_bias=bias, text_bias=text)
    )


def with_config(net: SaliencyNet, config: NetConfig) -> SaliencyNet:
    """The same weights under another config of the same sizes."""
    result = SaliencyNet(config).eval()
    result.load_state_dict(net.state_dict())
    return result


def _first(store: Store, indices: list[int], name: str, most: int) -> list[int]:
    return [i for i in indices if store.rows[i].set_name == name][:most]


@torch.no_grad()
def attention_numbers(net: SaliencyNet, store: Store, chosen: list[int]) -> dict[str, float]:
    """The numbers of the config under which the fixations are likeliest."""
    if not chosen:
        return {}
    less = with_config(net, replace(net.config, attention_surround=1.0))
    seen = torch.cat([head_input(net, store.pictures[part]) for part in parts_of(chosen)])
    side = 2 * seen.shape[-1]
    centre, rest = (n.attention(seen, side)[:, 0] for n in (net, less))
    maps = torch.stack([centre, rest - centre, shipped_prior(net, side).expand_as(centre)], dim=-1)
    gain, surround, prior_gain = likeliest(maps, store, chosen, [1.0, 0.0, 1.0])
    if gain <= 0:  # a network that has learned nothing yet
        return {}
    numbers = {"attention_gain": gain, "attention_surround": surround / gain, "prior_gain": prior_gain / gain}
    return {name: round(value, 3) for name, value in numbers.items()}


@torch.no_grad()
def objectness_line(net: SaliencyNet, store: Store, chosen: list[int]) -> tuple[float, float]:
    """Gain and bias: those of the least cross-entropy (Platt scaling), then the sharpest that are as calibrated."""
    if not chosen:
        return 1.0, 0.0
    values, targets = [], []
    for part in parts_of(chosen):
        values.append(net(as_input(net, store.pictures[part])).objectness.flatten())
        masks = torch.from_numpy(np.asarray(store.labels[part][:, 0], np.float32))
        targets.append(F.avg_pool2d(masks[:, None], 2).flatten())
    x, y = torch.cat(values), torch.cat(targets)
    slope, bias = fitted(lambda w: F.binary_cross_entropy_with_logits(x * w[0] + w[1], y), [1.0, 0.0])
    logits = x * slope + bias
    enough = calibration_error(logits.sigmoid(), y) + AS_CALIBRATED
    factor = next(f for f in np.arange(SHARPEST, 0, -0.01) if calibration_error((logits * f).sigmoid(), y) <= enough)
    return round(slope * factor, 3), round(bias * factor, 3)


@torch.no_grad()
def text_bias(net: SaliencyNet, store: Store, chosen: list[int]) -> float:
    """What is added to the logits of text so that as many cells are found as there are."""
    if not chosen or store.text is None or not net.config.text:
        return 0.0
    logits, there = [], 0
    for part in parts_of(chosen):
        text = net(as_input(net, store.pictures[part])).text
        assert text is not None
        covered, counts = text_targets_of(store.text[part], text.shape[-1]).unbind(1)
        logits.append(text[counts > 0])
        there += int((covered >= COVERED).sum())
    return round(-float(torch.cat(logits).topk(there).values[-1]), 3) if there else 0.0


def calibration_error(predicted: Tensor, observed: Tensor) -> float:
    """Expected calibration error over ten bins."""
    reliability = Reliability(PROBABILITY_EDGES)
    reliability.add(predicted.numpy(), observed.numpy())
    return reliability.error


def likeliest(maps: Tensor, store: Store, chosen: list[int], start: list[float]) -> list[float]:
    """The weights of k logit maps (n, side, side, k) under whose sum the chosen pictures' fixations are likeliest."""
    looked = torch.from_numpy(store.fixation_shares(chosen, maps.shape[1])).flatten(1)
    cells = maps.flatten(1, 2)
    return fitted(lambda w: fixation_loss(cells @ w, looked).mean(), start)


@torch.enable_grad()
def fitted(loss: Callable[[Tensor], Tensor], start: list[float]) -> list[float]:
    """The numbers of the least loss, which must be convex."""
    numbers = torch.tensor(start, requires_grad=True)
    optimiser = torch.optim.LBFGS([numbers], max_iter=60, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        optimiser.zero_grad()
        value = loss(numbers)
        value.backward()
        return value

    optimiser.step(step)
    return [float(n) for n in numbers.detach()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help=".safetensors, or a check-point (.pt)")
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path, help=".safetensors to write")
    arguments = parser.parse_args()
    net = calibrate(load_weights(arguments.weights), open_store(arguments.store))
    c = net.config
    print(
        f"attention x {c.attention_gain}, surround x {c.attention_surround}, prior x {c.prior_gain}, "
        f"objectness x {c.objectness_gain} {c.objectness_bias:+}"
    )
    save_weights(net, arguments.out)


if __name__ == "__main__":
    main()
