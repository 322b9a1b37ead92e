"""Quick figures on the held-back side while training runs; `benchmarks/quality` prints the full table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from training.datasets.store import Store
from training.metrics import CROP_RATIOS, MaskScores, best_corner, cc, fixed_ratio_kept, nss
from training.networks.saliency_net import SaliencyNet

MEASURED_SETS = ("osie", "mit1003", "eyecrowd", "scene500")
PRIOR_SETS = ("osie", "mit1003")
"""The shipped prior is the mean of these sets' priors."""


def shipped_prior(net: SaliencyNet, side: int) -> Tensor:
    """(1, side, side) log prior that the exported network carries."""
    return net.prior(shipped_prior_weights(net.config.prior_sets)[None].to(net.mean.device), side)


def shipped_prior_weights(prior_sets: Sequence[str]) -> Tensor:
    """(sets,), summing to 1."""
    weights = torch.tensor([float(name in PRIOR_SETS) for name in prior_sets])
    return weights / weights.sum()


def as_input(net: SaliencyNet, pictures: np.ndarray) -> Tensor:
    """(n, side, side, 3) uint8 -> what the network takes."""
    x = torch.from_numpy(np.array(pictures)).to(net.mean.device).permute(0, 3, 1, 2).float()
    return x.contiguous(memory_format=torch.channels_last)


def parts_of(indices: list[int]) -> list[list[int]]:
    """So many pictures at once as fit any memory."""
    return [indices[k : k + 16] for k in range(0, len(indices), 16)]


@torch.no_grad()
def predict(net: SaliencyNet, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 272, 272, 3) uint8 -> attention densities and objectness, both (n, 68, 68) float32."""
    net.eval()
    attention, objectness = (maps.float() for maps in net(as_input(net, pictures)))
    attention, objectness = net.calibrated(attention + shipped_prior(net, attention.shape[-1]), objectness)
    density = attention.flatten(1).softmax(1).view_as(attention)
    return density.cpu().numpy(), objectness.sigmoid().cpu().numpy()


def evaluate(net: SaliencyNet, store: Store, most_per_set: int = 200) -> dict[str, float]:
    """Names like `osie.nss`, `osie.gap`, `DUTS-TR.max_f`, `nothing.peak` to figures."""
    figures: dict[str, float] = {}
    for name in MEASURED_SETS:
        chosen = store.select(name, held_back=True)[:most_per_set]
        if chosen:
            figures |= attention_figures(store, name, chosen, _predict_all(net, store, chosen)[0])
    gaps = [value for name, value in figures.items() if name.endswith(".gap")]
    if gaps:
        figures["mean.gap"] = float(np.mean(gaps))
    chosen = store.select("DUTS-TR", held_back=True)[: 2 * most_per_set]
    scores = MaskScores.empty()
    for i, o in zip(chosen, _predict_all(net, store, chosen)[1], strict=True):
        mask = np.asarray(store.labels[i, 0]) > 0.5
        scores.add(o.repeat(2, 0).repeat(2, 1), mask)
    if chosen:
        figures["DUTS-TR.max_f"], figures["DUTS-TR.mae"] = scores.max_f, scores.mae
    chosen = store.select("nothing", held_back=True)[:most_per_set]
    if chosen:
        peaks = np.sort(_predict_all(net, store, chosen)[1].reshape(len(chosen), -1), axis=1)[:, -46]
        figures["nothing.lit"] = float((peaks > 0.5).mean())
    return figures


def attention_figures(store: Store, name: str, chosen: list[int], attention: np.ndarray) -> dict[str, float]:
    """NSS, CC and gap closed of one set's maps (n, 68, 68), under the set's name."""
    points = [store.rows[i].fixations.points() for i in chosen]  # type: ignore[union-attr]
    aspects = [store.rows[i].aspect for i in chosen]
    truths = store.densities(chosen)
    windows = [
        (p, r, [best_corner(a, r, ratio) for ratio in CROP_RATIOS])
        for a, p, r in zip(attention, points, aspects, strict=True)
    ]
    return {
        f"{name}.nss": float(np.mean([nss(a, p) for a, p in zip(attention, points, strict=True)])),
        f"{name}.cc": float(np.mean([cc(a, t) for a, t in zip(attention, truths, strict=True)])),
        f"{name}.gap": fixed_ratio_kept(windows).gap_closed,
    }


def _predict_all(net: SaliencyNet, store: Store, indices: list[int]) -> tuple[np.ndarray, np.ndarray]:
    parts = [predict(net, store.pictures[part]) for part in parts_of(indices)]
    if not parts:
        return np.empty((0, 0, 0)), np.empty((0, 0, 0))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
