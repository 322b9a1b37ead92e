"""One trunk and its heads: attention, objectness, faces and text from one picture.

The trunk is EfficientNet-Lite0 from its published weights, which know ImageNet (`training.networks.lite`), or a small
plain network of 3 x 3 convolutions, which knows nothing. The decoder is a feature pyramid (Lin et al., CVPR 2017) that
ends at stride 4; every data set of fixations has a centre prior of its own, as in UNISAL (Droste et al., ECCV 2020).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks import lite

MEAN, STD = [123.7, 116.3, 103.5], [58.4, 57.1, 57.4]
"""Of ImageNet, in 0..255, red first."""
PRIOR_SIDE = 17
SURROUND = 11
"""Cells at 1/8 of the side, a third of the picture each way: how much there is round about."""
FACE_CHANNELS = 5
"""Confidence that a face's centre is here, and how far its left, top, right and bottom edges are from here."""


class Logits(NamedTuple):
    """Attention without any centre prior, objectness and text (n, h, w), and faces (n, 5, h, w), where it has them."""

    attention: Tensor
    objectness: Tensor
    faces: Tensor | None = None
    text: Tensor | None = None


@dataclass(frozen=True)
class NetConfig:
    """Sizes of the network. `channels` and `blocks` are per stage, at 1/4, 1/8, 1/16 and 1/32.

    `decoder` channels run down the pyramid, `finest` of them at 1/4, where they cost most (0: as many).
    With `attention_decoder` attention has a pyramid of its own, down to 1/8; else both heads share one.
    `readout` is the size of each head's last convolution: one output channel wastes most of a vector unit.
    The gains, the surround and the biases are fitted after training, by `training.calibrate`. Attention is the gain
    times (logits, less `attention_surround` times their mean over `SURROUND` cells each way, plus the prior times
    `prior_gain`): labels are blurred, people's fixations are not, and what stands out among much else that does
    draws more of them. Objectness is logits times gain plus bias, text logits plus bias.
    `lite` makes the trunk that of EfficientNet-Lite0, or of Lite`lite_size`; `channels` then names its widths, and
    `blocks` and `stem` count for nothing. `hidden`, if given, is what `training.prune` left of each block's hidden
    channels. `faces` adds the third map; with `face_decoder` it has a pyramid of its own, down to 1/4. `text` adds a
    channel to the head of faces: whether there is text.
    """

    channels: tuple[int, ...] = (32, 64, 112, 192)
    blocks: tuple[int, ...] = (1, 2, 3, 3)
    stem: int = 24
    decoder: int = 48
    finest: int = 0
    attention_decoder: bool = False
    readout: int = 3
    lite: bool = False
    lite_size: int = 0
    hidden: tuple[int, ...] = ()
    faces: bool = False
    face_decoder: bool = False
    text: bool = False
    prior_sets: tuple[str, ...] = ()
    attention_gain: float = 1.0
    attention_surround: float = 0.0
    prior_gain: float = 1.0
    objectness_gain: float = 1.0
    objectness_bias: float = 0.0
    text_bias: float = 0.0

    def uncalibrated(self) -> NetConfig:
        """The same sizes, nothing fitted."""
        return replace(
            self,
            attention_gain=1.0,
            attention_surround=0.0,
            prior_gain=1.0,
            objectness_gain=1.0,
            objectness_bias=0.0,
            text_bias=0.0,
        )


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Block(nn.Module):
    """Two convolutions round a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))
        nn.init.zeros_(self.second[1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


def plain_stages(config: NetConfig) -> nn.ModuleList:
    """Residual stages of 3 x 3 convolutions, each of half the side (He et al., CVPR 2016)."""
    widths = (config.stem, *config.channels)
    return nn.ModuleList(
        nn.Sequential(conv(widths[i], c, stride=2), *(Block(c) for _ in range(config.blocks[i])))
        for i, c in enumerate(config.channels)
    )


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """A map at the size of a finer one."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


def pyramid(levels: Sequence[Tensor], lateral: nn.ModuleList, smooth: nn.ModuleList) -> Tensor:
    """From the coarsest map down to the finest, whose size the result has."""
    y = lateral[-1](levels[-1])
    for level, to_side, after in zip(levels[-2::-1], lateral[-2::-1], smooth, strict=True):
        y = after(to_side(level) + enlarged(y, level))
    return y


class Pyramid(nn.Module):
    """A `pyramid` of its own, which begins as a copy of the given layers."""

    def __init__(self, lateral: nn.ModuleList, smooth: nn.ModuleList) -> None:
        super().__init__()
        self.lateral, self.smooth = copy.deepcopy(lateral), copy.deepcopy(smooth)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        return pyramid(levels, self.lateral, self.smooth)


class SaliencyNet(nn.Module):
    """(n, 3, side, side) float RGB in 0..255 -> `Logits`, maps of a quarter of the side."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        c, d = config.channels, config.decoder
        mean, std = (lite.MEAN, lite.STD) if config.lite else (MEAN, STD)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        if config.lite:
            self.stem = lite.stem(*config.hidden[:1])
            self.stages = nn.ModuleList(lite.stages(config.lite_size, config.hidden))
        else:
            self.stem, self.stages = conv(3, config.stem, stride=2), plain_stages(config)
        self.context = nn.Linear(c[-1], c[-1])
        finest, r = config.finest or d, config.readout
        self.lateral = nn.ModuleList(nn.Conv2d(c[i], d if i else finest, 1) for i in range(len(c)))
        self.narrow = nn.Conv2d(d, finest, 1) if config.finest else nn.Identity()
        self.smooth = nn.ModuleList([*(conv(d, d) for _ in c[2:]), conv(finest, finest)])
        self.attention_decoder = Pyramid(self.lateral[1:], self.smooth[:-1]) if config.attention_decoder else None
        self.objectness_head = nn.Sequential(conv(finest, d // 2), nn.Conv2d(d // 2, 1, r, 1, r // 2))
        self.attention_head = nn.Sequential(conv(d, d), nn.Conv2d(d, 1, r, 1, r // 2))
        self.face_head = None
        self.face_decoder = self.face_lateral = self.face_narrow = self.face_smooth = None
        if config.face_decoder:
            self.face_decoder = Pyramid(self.lateral[1:], self.smooth[:-1])
            self.face_lateral, self.face_narrow = nn.Conv2d(c[0], finest, 1), nn.Conv2d(d, finest, 1)
            self.face_smooth = conv(finest, finest)
        if config.faces:
            self.face_head = nn.Sequential(conv(finest, d // 2), nn.Conv2d(d // 2, FACE_CHANNELS + config.text, 1))
            nn.init.constant_(self.face_head[-1].bias, -3.0)  # faces are few, and small
        self.priors = nn.Parameter(centre_prior().repeat(max(len(config.prior_sets), 1), 1, 1))

    def trunk(self, x: Tensor) -> list[Tensor]:
        """The stages' maps of a normalised picture, at strides 4, 8, 16 and 32."""
        x = self.stem(x)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return levels

    def gated(self, levels: list[Tensor]) -> list[Tensor]:
        """The trunk's maps, the coarsest weighed by what the whole picture holds."""
        gate = torch.sigmoid(self.context(levels[-1].mean((2, 3))))[:, :, None, None]
        return [*levels[:-1], levels[-1] * gate]

    def decoded(self, levels: list[Tensor]) -> tuple[Tensor, Tensor]:
        """What the heads read of the trunk's maps: at 1/4 for objectness, at 1/8 for attention."""
        finest, *coarser = self.gated(levels)
        eighth = pyramid(coarser, self.lateral[1:], self.smooth[:-1])
        quarter = self.smooth[-1](self.lateral[0](finest) + enlarged(self.narrow(eighth), finest))
        return quarter, eighth if self.attention_decoder is None else self.attention_decoder(coarser)

    def forward(self, x: Tensor) -> Logits:
        """Logits of pictures."""
        return self.heads(self.normalised(x))

    def normalised(self, x: Tensor) -> Tensor:
        """0..255 to what the trunk takes."""
        return (x - self.mean) / self.std

    def heads(self, x: Tensor) -> Logits:
        """`forward` on a picture that is normalised already."""
        levels = self.trunk(x)
        quarter, eighth = self.decoded(levels)
        attention, objectness = self.attention(eighth, quarter.shape[-1])[:, 0], self.objectness_head(quarter)[:, 0]
        if self.face_head is None:
            return Logits(attention, objectness)
        found = self.face_head(self.seen_for_faces(levels, quarter))
        text = found[:, FACE_CHANNELS] + self.config.text_bias if self.config.text else None
        return Logits(attention, objectness, found[:, :FACE_CHANNELS], text)

    def seen_for_faces(self, levels: list[Tensor], quarter: Tensor) -> Tensor:
        """What the face head reads: the shared decoder's map at 1/4, or that of a decoder of its own."""
        if self.face_decoder is None:
            return quarter
        finest, *coarser = self.gated(levels)
        eighth = self.face_narrow(self.face_decoder(coarser))
        return self.face_smooth(self.face_lateral(finest) + enlarged(eighth, finest))

    def attention(self, eighth: Tensor, side: int) -> Tensor:
        """The decoder's map at 1/8 -> attention logits (n, 1, side, side) without any centre prior."""
        logits = self.attention_head(eighth)
        if surround := self.config.attention_surround:
            logits = less_surround(logits, surround)
        return F.interpolate(logits, size=(side, side), mode="bilinear", align_corners=False)

    def calibrated(self, attention: Tensor, objectness: Tensor) -> tuple[Tensor, Tensor]:
        """Logits that mean what they say; attention with its prior already added."""
        c = self.config
        return attention * c.attention_gain, objectness * c.objectness_gain + c.objectness_bias

    def prior(self, weights: Tensor, side: int, windows: Tensor | None = None) -> Tensor:
        """Mixes the sets' priors: weights (n, sets) -> (n, side, side), to be added to attention logits.

        A prior belongs to the whole picture. `windows` (n, 4), left, top, right, bottom as shares of it, give
        the part that a network sees; left beyond right where it is mirrored.
        """
        mixed = torch.einsum("ns,shw->nhw", weights, self.priors)[:, None] * self.config.prior_gain
        if windows is None:
            return F.interpolate(mixed, size=(side, side), mode="bilinear", align_corners=False)[:, 0]
        return cut(mixed, windows, side)[:, 0]


def with_attention_decoder(net: SaliencyNet) -> SaliencyNet:
    """The same network, but that attention has a decoder of its own, which does as the shared one did."""
    result = SaliencyNet(replace(net.config, attention_decoder=True)).eval()
    result.load_state_dict(net.state_dict(), strict=False)
    result.attention_decoder = Pyramid(result.lateral[1:], result.smooth[:-1])
    return result


def less_surround(logits: Tensor, share: Tensor | float) -> Tensor:
    """Attention logits (n, 1, h, w) at about 1/8 of the side, less a share of their mean over `SURROUND` cells."""
    return logits - share * F.avg_pool2d(logits, SURROUND, 1, SURROUND // 2, count_include_pad=False)


def cut(maps: Tensor, windows: Tensor, side: int) -> Tensor:
    """The windows (see `SaliencyNet.prior`) of maps (n, channels, h, w), as (n, channels, side, side)."""
    steps = (torch.arange(side, device=windows.device) + 0.5) / side
    left, top, right, bottom = windows.T[:, :, None]
    x, y = ((start + (end - start) * steps) * 2 - 1 for start, end in ((left, right), (top, bottom)))
    grid = torch.stack([x[:, None].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], dim=-1)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def centre_prior() -> Tensor:
    """Where a prior starts: log density of a Gaussian with a quarter of the side as deviation."""
    centres = (torch.arange(PRIOR_SIDE) + 0.5) / PRIOR_SIDE - 0.5
    return -(centres[:, None] ** 2 + centres[None] ** 2)[None] / (2 * 0.25**2)
