"""Trains on a machine that is lent for some minutes, from files carried there.

    python -m training.gpu receive CARRIED WORK  # takes the files of a pack, as often as some arrive
    python -m training.gpu run WORK OUT --warm begin.safetensors

WORK is a folder of the machine that stays between the commands, OUT the folder that is brought back. Every file in
OUT is at most 16 MB. Both commands may be stopped at any time and given again: they go on where they were.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from training.datasets.store import INDEX_FILE, open_store
from training.pack import missing, unpack
from training.train import LATEST, Run, batches_for, measure, read_config, train
from training.weights import load_weights, save_weights

CONFIG = Path(__file__).parent / "configs" / "saliency_gpu.toml"
LOG = "log.jsonl"


def receive(carried: Path, work: Path) -> None:
    """Copies the files of a pack, and weights, into WORK; makes the store when the pack is whole."""
    pack = work / "pack"
    pack.mkdir(parents=True, exist_ok=True)
    came = sorted([*carried.glob("pack-*.zip"), *carried.glob("*.safetensors")])
    if not came:
        raise SystemExit(f"expected pack-*.zip in {carried}, found none; make them with `python -m training.pack pack`")
    for path in came:
        unfinished = pack / f"{path.name}.tmp"
        shutil.copy(path, unfinished)
        unfinished.rename(pack / path.name)
    files = ", ".join(path.name for path in came)
    if lacking := missing(pack):
        print(f"received {files}; {lacking}", flush=True)
        return
    started = time.monotonic()
    count = unpack(pack, work / "store")
    print(f"received {files}; {count} pictures unpacked in {time.monotonic() - started:.0f} s", flush=True)


def run(config: Path, work: Path, out: Path, warm: Path | None, minutes: float | None, most: int) -> None:
    """Trains for the minutes of the config, or `minutes`, and measures on the held-back pictures."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"second {time.monotonic() - started:5.0f}  {text}", flush=True)

    out.mkdir(parents=True, exist_ok=True)
    (work / "run").mkdir(parents=True, exist_ok=True)
    if not (work / "store" / INDEX_FILE).exists():
        say(f"{unpack(work / 'pack', work / 'store')} pictures unpacked")
    net_config, batch_config, train_config = read_config(config)
    if minutes is not None:
        train_config = replace(train_config, budget_minutes=minutes)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    going = Run(net_config, train_config, device)
    checkpoint = work / "run" / "checkpoint.pt"
    if checkpoint.exists():
        going.load(checkpoint)
        say(f"going on at minute {going.minutes:.1f}, step {going.steps}")
    elif warm is not None:
        going.start_from(load_weights(warm if warm.exists() else work / "pack" / warm))
    store = open_store(work / "store")
    batches = batches_for(device, store, batch_config, net_config.prior_sets, train_config.seed)
    say(f"{len(store.rows)} pictures are ready; training on {device}")
    first, begun = going.steps, going.minutes
    try:
        if going.progress < 1:
            train(going, batches, checkpoint, out / LOG, store, most)
        else:  # it was stopped while it measured
            save_weights(going.average, out / LATEST)
            measure(going, out / LOG, store, most)
    finally:
        going.save(checkpoint)
    steps, seconds = going.steps - first, max((going.minutes - begun) * 60, 1e-6)
    each = batch_config.objects + batch_config.attention
    say(f"{steps} steps, {steps * each / seconds:.0f} pictures a second; {LATEST} and {LOG} are in {out}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m training.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    step = steps.add_parser("receive", help="take files of a pack")
    step.add_argument("carried", type=Path, help="folder with pack-*.zip, or some of them, and weights to start from")
    step.add_argument("work", type=Path, help="folder that stays between the commands; 6 GB")
    step = steps.add_parser("run", help="train and measure")
    step.add_argument("work", type=Path, help="the same folder")
    step.add_argument("out", type=Path, help="folder for weights and log")
    step.add_argument("--config", type=Path, default=CONFIG, help=f"(default: {CONFIG.name})")
    step.add_argument("--warm", type=Path, help="weights to start from: a path, or the name of a received file")
    step.add_argument("--minutes", type=float, help="minutes of training (default: the config's)")
    step.add_argument("--most", type=int, default=300, help="pictures of every set to measure at most (default: 300)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if options.step == "receive":
        receive(options.carried, options.work)
    else:
        run(options.config, options.work, options.out, options.warm, options.minutes, options.most)


if __name__ == "__main__":
    main()
