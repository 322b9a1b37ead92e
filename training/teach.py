"""Asks larger networks where people look: `python -m training.teach STORE LARGE WEIGHTS@SIDE...`.

What they say replaces attention in STORE's teacher.npy (see `training.label`). A network sees a picture at its SIDE.
The answer is the product of the networks' densities, each to a power; the powers are those under which the fixations
of one half of the held-back pictures are likeliest (`training.calibrate.is_for_fitting`), as a mixture of networks of
unlike origin errs less than each (DeepGaze IIE: Linardos et al., ICCV 2021).

Pictures that people looked at come first, from LARGE (see `training.datasets.larger`), each with its mirror image. The
others follow in random order, from STORE, every second network asked in the mirror. Stop it when you like: a picture
not reached is not a number, and a training takes no attention from it. The same command goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from training.calibrate import is_for_fitting, likeliest
from training.datasets.store import TEACHER_FILE, Store, open_store
from training.evaluate import as_input, parts_of, predict_input
from training.networks.saliency_net import SaliencyNet
from training.weights import load_weights

ASKED_FILE = "asked.json"
"""Beside teacher.npy: which networks it comes from, and their powers."""


class Teacher(NamedTuple):
    """A calibrated network and the side of the pictures that it sees."""

    name: str
    net: SaliencyNet
    side: int

    @torch.no_grad()
    def log_densities(self, pictures: np.ndarray, mirrored: bool) -> Tensor:
        """(n, any side, any side, 3) uint8 -> (n, 68, 68), of the pictures as they are given."""
        x = as_input(self.net, pictures[:, :, ::-1] if mirrored else pictures)
        x = F.interpolate(x, (self.side, self.side), mode="bilinear", antialias=True)
        said = predict_input(self.net, x.contiguous(memory_format=torch.channels_last))
        density = torch.from_numpy(said.attention).log()
        return density.flip(2) if mirrored else density


def both_ways(teachers: Sequence[Teacher], pictures: np.ndarray) -> Tensor:
    """(n, 68, 68, teachers): means over a picture and its mirror image."""
    ways = [[t.log_densities(pictures, mirrored) for t in teachers] for mirrored in (False, True)]
    return torch.stack([(plain + mirror) / 2 for plain, mirror in zip(*ways, strict=True)], -1)


def one_way(teachers: Sequence[Teacher], pictures: np.ndarray) -> Tensor:
    """(n, 68, 68, teachers): every second teacher sees the mirror image."""
    return torch.stack([t.log_densities(pictures, bool(k % 2)) for k, t in enumerate(teachers)], -1)


def powers(teachers: Sequence[Teacher], large: Store) -> list[float]:
    """Under which the fixations of the fitting half are likeliest."""
    chosen = [i for i, row in enumerate(large.rows) if row.held_back and is_for_fitting(row)]
    maps = torch.cat([both_ways(teachers, large.pictures[part]) for part in tqdm(parts_of(chosen), unit="batch")])
    return [round(p, 3) for p in likeliest(maps, large, chosen, [1 / maps.shape[-1]] * maps.shape[-1])]


def teach(store: Path, large: Path, teachers: Sequence[Teacher]) -> None:
    """Fills teacher.npy's attention."""
    known, enlarged = open_store(store), open_store(large)
    maps, asked = np.load(store / TEACHER_FILE, mmap_mode="r+"), store / ASKED_FILE
    names = [t.name for t in teachers]
    before = json.loads(asked.read_text()) if asked.exists() else {}
    if list(before) != names:
        before = dict(zip(names, powers(teachers, enlarged), strict=True))
        maps[:, 0] = np.nan
        asked.write_text(json.dumps(before))
    print("powers:", ", ".join(f"{name} {power}" for name, power in before.items()), flush=True)
    weights = torch.tensor(list(before.values()))
    places = {row.key: i for i, row in enumerate(enlarged.rows)}
    missing = np.flatnonzero(np.isnan(maps[:, 0, 0, 0]))
    seen_larger = {i: places.get(known.rows[i].key) for i in missing.tolist()}
    first = [i for i in missing.tolist() if seen_larger[i] is not None]
    others = [i for i in np.random.default_rng(0).permutation(missing).tolist() if seen_larger[i] is None]
    for part in tqdm(parts_of(first) + parts_of(others), unit="batch"):
        if seen_larger[part[0]] is None:
            said = one_way(teachers, known.pictures[part])
        else:
            said = both_ways(teachers, enlarged.pictures[[seen_larger[i] for i in part]])
        density = (said @ weights).flatten(1).softmax(1)
        maps[part, 0] = (density / density.amax(1, keepdim=True)).view(-1, *maps.shape[2:]).numpy()
    maps.flush()


def _teacher(text: str) -> Teacher:
    name, _, side = text.rpartition("@")
    if not side.isdecimal() or int(side) % 16 or not name:
        raise argparse.ArgumentTypeError(f"expected WEIGHTS@SIDE with a side that is a multiple of 16, got {text}")
    return Teacher(text, load_weights(Path(name)), int(side))


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("large", type=Path)
    parser.add_argument("teachers", type=_teacher, nargs="+", metavar="WEIGHTS@SIDE")
    arguments = parser.parse_args(given)
    teach(arguments.store, arguments.large, arguments.teachers)


if __name__ == "__main__":
    main()
