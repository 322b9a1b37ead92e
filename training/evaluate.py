"""Quick figures on the held-back side: `python -m training.evaluate STORE WEIGHTS...`, and while training runs.

WEIGHTS is a check-point (.pt), averaged weights (.safetensors) or an exported network (.onnx). All held-back pictures
are asked, in one run for all the files. `benchmarks/quality` prints the full table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eyefirst.face_maps import decode_faces
from eyefirst.network import OnnxNetwork
from training.datasets.store import LABEL_SIDE, Store, open_store
from training.datasets.targets import text_targets_of
from training.metrics import CROP_RATIOS, FaceScores, MaskScores, TextScores, best_corner, cc, fixed_ratio_kept, nss
from training.networks.saliency_net import SaliencyNet
from training.weights import load_weights

MAP_SIDE = LABEL_SIDE // 2
MEASURED_SETS = ("osie", "mit1003", "eyecrowd", "scene500")
MASKED_SETS = ("DUTS-TR", "ECSSD")
PEOPLE_SETS = ("human290", "CCP", "FCDB", "taskview492")
"""Where faces and text are looked for too."""
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
def predict(net: SaliencyNet, pictures: np.ndarray) -> Maps:
    """What a network says of (n, side, side, 3) uint8 pictures, attention and objectness on the labels' grid."""
    return predict_input(net, as_input(net, pictures))


@torch.no_grad()
def predict_input(net: SaliencyNet, x: Tensor) -> Maps:
    """The same of what `as_input` gives."""
    net.eval()
    said = net(x)
    prior = shipped_prior(net, said.attention.shape[-1])
    attention, objectness = net.calibrated(said.attention + prior, said.objectness)
    density = on_grid(attention.flatten(1).softmax(1).view_as(attention))
    density /= density.sum((1, 2), keepdim=True)
    small = (None if logits is None else logits.sigmoid().cpu().numpy() for logits in (said.faces, said.text))
    return Maps(density.cpu().numpy(), on_grid(objectness.sigmoid()).cpu().numpy(), *small)


def on_grid(maps: Tensor) -> Tensor:
    """(n, any side, any side) -> (n, 68, 68), each cell the mean of what it covers."""
    return F.adaptive_avg_pool2d(maps, MAP_SIDE)


class Maps(NamedTuple):
    """Float32: attention densities and objectness, (n, 68, 68); faces (n, 5, 68, 68) and text where it has them."""

    attention: np.ndarray
    objectness: np.ndarray
    faces: np.ndarray | None = None
    text: np.ndarray | None = None


Predictor = Callable[[np.ndarray], Maps]
"""(n, side, side, 3) uint8 -> maps."""


def evaluate(net: SaliencyNet, store: Store, most_per_set: int = 150) -> dict[str, float]:
    """Names like `osie.nss`, `osie.gap`, `DUTS-TR.max_f`, `nothing.lit`, `faces.recall` to figures."""
    return figures_of(partial(predict, net), store, most_per_set)


def figures_of(predictor: Predictor, store: Store, most_per_set: int | None) -> dict[str, float]:
    """`evaluate` for whatever gives maps. `ECSSD`, where the store has it, is for looking, not for choosing."""
    figures: dict[str, float] = {}
    scores, text = FaceScores(), TextScores()

    def asked(name: str) -> tuple[list[int], Maps]:
        chosen = store.select(name, held_back=True)[:most_per_set]
        maps = _predict_all(predictor, store, chosen)
        if maps.faces is not None and store.faces is not None:
            for i, faces in zip(chosen, maps.faces, strict=True):
                truth = np.asarray(store.faces[i])
                if not np.isnan(truth[0, 0]):
                    scores.add(_boxes(faces), truth[truth[:, 4] > 0], store.rows[i].aspect)
        if maps.text is not None and store.text is not None:
            truth = text_targets_of(store.text[chosen], MAP_SIDE).numpy()
            for said, target in zip(maps.text, truth, strict=True):
                text.add(said, target)
        return chosen, maps

    for name in MEASURED_SETS:
        chosen, maps = asked(name)
        if chosen:
            figures |= attention_figures(store, name, chosen, maps.attention)
    gaps = [value for name, value in figures.items() if name.endswith(".gap")]
    if gaps:
        figures["mean.gap"] = float(np.mean(gaps))
    for name in MASKED_SETS:
        chosen, maps = asked(name)
        masks = MaskScores.empty()
        for i, o in zip(chosen, maps.objectness, strict=True):
            masks.add(o.repeat(2, 0).repeat(2, 1), np.asarray(store.labels[i, 0]) > 0.5)
        if chosen:
            figures[f"{name}.max_f"], figures[f"{name}.mae"] = masks.max_f, masks.mae
    chosen, maps = asked("nothing")
    if chosen:
        peaks = np.sort(maps.objectness.reshape(len(chosen), -1), axis=1)[:, -46]
        figures["nothing.lit"] = float((peaks > 0.5).mean())
        if maps.faces is not None:
            figures["nothing.faces"] = float(np.mean([len(_boxes(faces)) > 0 for faces in maps.faces]))
    for name in PEOPLE_SETS:
        asked(name)
    if scores.there:
        figures["faces.recall"], figures["faces.precision"] = scores.recall, scores.precision
        figures["faces.there"] = scores.there
    if text.there:
        figures["text.recall"], figures["text.precision"] = text.recall, text.precision
    return figures


def _boxes(faces: np.ndarray) -> np.ndarray:
    """(n, 5)."""
    found = decode_faces(faces)
    return np.array([(*f.box, f.confidence) for f in found]).reshape(-1, 5)


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


def _predict_all(predictor: Predictor, store: Store, indices: list[int]) -> Maps:
    parts = [predictor(store.pictures[part]) for part in parts_of(indices)]
    if not parts:
        return Maps(np.empty((0, 68, 68)), np.empty((0, 68, 68)))
    return Maps(*(None if maps[0] is None else np.concatenate(maps) for maps in zip(*parts, strict=True)))


def _exported(network: OnnxNetwork, pictures: np.ndarray) -> Maps:
    said = network.predict(np.ascontiguousarray(pictures))
    return Maps(said.attention, said.objectness, said.faces, said.text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--most", type=int, help="At most so many pictures of every set (default: all)")
    arguments = parser.parse_args()
    store = open_store(arguments.store)
    for path in arguments.weights:
        exported = path.suffix == ".onnx"
        predictor = partial(_exported, OnnxNetwork(path)) if exported else partial(predict, load_weights(path))
        figures = figures_of(predictor, store, arguments.most)
        print(path, "  ".join(f"{name} {value:.4g}" for name, value in figures.items()), sep="\n", flush=True)


if __name__ == "__main__":
    main()
