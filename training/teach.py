"""Writes what trained networks see in every picture of a store: `python -m training.teach WEIGHTS... STORE`.

    teacher.npy  (n, 2, 68, 68) float16: [0] attention density with the shipped prior, maximum 1; [1] objectness

Means over the networks, over the picture and its mirror image: of log densities for attention. A later
training takes these maps where people left no label, attention for the pictures with masks, objectness for
those with fixations, and mixes a share of them into what people looked at (self-training with a noisy student,
Xie et al., CVPR 2020).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from training.datasets.store import TEACHER_FILE, open_store
from training.evaluate import predict
from training.weights import load_weights

BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+", help=".safetensors, or check-points (.pt)")
    parser.add_argument("store", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    nets = [
        load_weights(path).to(arguments.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for path in arguments.weights
    ]
    pictures = open_store(arguments.store).pictures
    path = arguments.store / TEACHER_FILE
    unfinished = path.with_suffix(".tmp")
    maps = np.lib.format.open_memmap(unfinished, "w+", np.float16, (len(pictures), 2, 68, 68))
    for start in tqdm(range(0, len(pictures), BATCH), unit="batch"):
        part = np.asarray(pictures[start : start + BATCH])
        with torch.autocast(arguments.device, torch.bfloat16):
            seen = [predict(net, part) for net in nets]
            mirrored = [predict(net, part[:, :, ::-1]) for net in nets]
        seen += [(attention[:, :, ::-1], objectness[:, :, ::-1]) for attention, objectness in mirrored]
        attention = np.exp(np.mean([np.log(a + 1e-12) for a, _ in seen], axis=0))
        objectness = np.mean([o for _, o in seen], axis=0)
        maps[start : start + BATCH, 0] = attention / attention.max((1, 2), keepdims=True)
        maps[start : start + BATCH, 1] = objectness
    maps.flush()
    unfinished.rename(path)


if __name__ == "__main__":
    main()
