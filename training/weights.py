"""Averaged weights as safetensors: what a later training starts warm from, and what export reads.

A check-point holds the optimiser as well and is for this machine's own use; this file is what is kept.
Tensors of more than one dimension are stored in float16, vectors (batch norm's among them, whose
statistics reach thousands) in float32. The network's config travels in the metadata.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from training.networks.saliency_net import NetConfig, SaliencyNet

FORMER_HEADS = ("hint_head.", "feature_heads.")
"""Heads that helped to train networks up to saliency_v8 and were never exported."""


def save_weights(net: SaliencyNet, path: Path, **about: str) -> None:
    """Writes the network and what is said about it; 6.6 MB for saliency_v1."""
    state = {
        name: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
        for name, value in net.state_dict().items()
    }
    save_file(state, path, {"net_config": json.dumps(asdict(net.config)), **about})


def load_weights(path: Path) -> SaliencyNet:
    """The network of a safetensors file, or the averaged network of a check-point (.pt)."""
    if path.suffix == ".pt":
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        config, state = checkpoint["net_config"], checkpoint["average"]
    else:
        with safe_open(path, "pt") as file:
            config = json.loads(file.metadata()["net_config"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    known = {field.name for field in fields(NetConfig)}
    config = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items() if k in known}
    net = SaliencyNet(NetConfig(**config))
    state = {n: v for n, v in state.items() if not n.startswith(FORMER_HEADS)}
    net.load_state_dict({n: v.float() if v.dtype == torch.float16 else v for n, v in state.items()})
    return net.eval()
