"""Averages weights of one run: `python -m training.mix OUT WEIGHTS=SHARE WEIGHTS=SHARE ...`.

Minutes of a run that went different ways lie in one basin, and between them the loss is no higher
(Izmailov et al., UAI 2018; Wortsman et al., ICML 2022): an early minute's attention and a late one's
objectness end in one network. Shares are scaled to add up to 1; gains and biases of `training.calibrate` are
left out, as they have to be fitted anew. What begins with one of `--last` is the last network's alone, so that it may
have a map there that the others lack.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from training.networks.saliency_net import SaliencyNet
from training.weights import load_weights, save_weights


def mix(nets: Sequence[tuple[SaliencyNet, float]], last: tuple[str, ...] = ()) -> SaliencyNet:
    """The weighted mean of networks of the same sizes, batch norm's statistics included.

    last: beginnings of the names of tensors that come from the last network, of whatever shape elsewhere.
    """
    total = sum(share for _, share in nets)
    bare = [net.config.uncalibrated() for net, _ in nets]
    shapes = [{n: v.shape for n, v in net.state_dict().items() if not n.startswith(last)} for net, _ in nets]
    if any(known != shapes[-1] for known in shapes):
        raise SystemExit(f"expected networks of the same sizes, got {bare}; mix minutes of one run")
    states: list[tuple[Mapping[str, torch.Tensor], float]] = [(net.state_dict(), share / total) for net, share in nets]
    result = SaliencyNet(bare[-1]).eval()
    result.load_state_dict(
        {
            name: sum(share * state[name] for state, share in states)
            if value.is_floating_point() and not name.startswith(last)
            else value
            for name, value in states[-1][0].items()
        }
    )
    return result


def _part(text: str) -> tuple[Path, float]:
    name, _, share = text.rpartition("=")
    try:
        value = float(share)
    except ValueError:
        value = 0.0
    if not name or not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected WEIGHTS=SHARE with a share above 0, got {text}")
    return Path(name), value


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m training.mix", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help=".safetensors to write")
    parser.add_argument("parts", type=_part, nargs="+", metavar="WEIGHTS=SHARE", help=".safetensors, or check-points")
    parser.add_argument("--last", nargs="+", default=[], metavar="NAME", help="beginnings of tensors' names")
    options = parser.parse_args(arguments)
    nets = [(load_weights(path), share) for path, share in options.parts]
    save_weights(mix(nets, tuple(options.last)), options.out)


if __name__ == "__main__":
    main()
