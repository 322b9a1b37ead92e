"""Makes the weights a training starts from: `python -m training.begin CONFIG WARM OUT`.

The trunk comes from EfficientNet-Lite0 as its authors published it, everything else from WARM, a network of this
project, as far as shapes agree.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from torch import nn

from training.networks.lite import published_weights, take_published
from training.networks.saliency_net import NetConfig, Pyramid, SaliencyNet
from training.train import read_config
from training.weights import load_weights, save_weights


def begin(config: NetConfig, warm: SaliencyNet) -> SaliencyNet:
    """The network with the published trunk, and every other tensor of `warm` that has the same name and shape."""
    if config.hidden:
        raise SystemExit(
            "expected a config without `hidden`, as the published trunk is whole; prune it when it is trained"
        )
    net = SaliencyNet(config)
    own = net.state_dict()
    own.update(
        {
            name: value
            for name, value in warm.state_dict().items()
            if name in own and own[name].shape == value.shape and name not in ("mean", "std")
        }
    )
    net.load_state_dict(own)
    if net.face_decoder is not None and warm.face_decoder is None:
        net.face_decoder = Pyramid(net.lateral[1:], net.smooth[:-1])
    take_published(net.stem, net.stages, published_weights(config.lite_size))
    nn.init.zeros_(net.context.weight)
    nn.init.constant_(net.context.bias, 3.0)  # the gate is open
    return net


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("warm", type=Path, help=".safetensors of an earlier network")
    parser.add_argument("out", type=Path, help=".safetensors to write")
    arguments = parser.parse_args()
    save_weights(begin(read_config(arguments.config)[0], load_weights(arguments.warm)).eval(), arguments.out)


if __name__ == "__main__":
    main()
