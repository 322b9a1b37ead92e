"""Other people's networks: how a picture goes into an ONNX file, and how its outputs become our two maps.

An `OnnxMapping` declares the interface; `network.MappedOnnxNetwork` runs the file. What a network does
not give is filled in: without attention it is the centre prior, drawn to the subjects where there is an
objectness; without objectness there are no subjects, so all zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from eyefirst.errors import InvalidValueError, NetworkMismatchError
from eyefirst.geometry import Size

MAP_SIDE = 68
ATTENTION_CEILING = 64.0
"""An attention of 1.0 means this many times the fixations of an even spread."""
PRIOR_DEVIATION = 0.25
"""Standard deviation of the centre prior, as a share of the side: where people look when nothing stands out."""
PRIOR_FLOOR = 0.1
"""Share of the prior that stays off the subjects. Of 0.05 to 1, those up to 0.2 agreed best with people."""
RANGE_SLACK = 0.02
"""Outputs may leave their range by this much before the mapping counts as wrong."""


@dataclass(frozen=True, slots=True)
class OnnxOutput:
    """One output of a file: one channel, of any height and width, batch first.

    output: its name, or its place in the file's list. activation: what is still to be applied;
    "none" where the values are probabilities (objectness) or proportional to a density (attention),
    "sigmoid" for logits, "softmax" for an attention of logits or of log densities.
    """

    output: str | int
    activation: Literal["none", "sigmoid", "softmax"] = "none"

    def __post_init__(self) -> None:
        if self.activation not in ("none", "sigmoid", "softmax"):
            raise InvalidValueError(
                f"expected the activation 'none', 'sigmoid' or 'softmax', got {self.activation!r}",
                remedy="name what is still to be applied to the file's output",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxMapping:
    """What a file expects and what it answers.

    size: of its input in pixels; pictures are squashed to it. input: its name, or its place in the
    file's list. layout: "nchw" or "nhwc". dtype: a uint8 input takes the bytes as they are; a float32
    one takes (bytes / divisor - mean) / std, where divisor None stands for each picture's own largest
    byte, and mean and std are in the order of `colours`. attention, objectness: its outputs, None for
    what it does not give.
    """

    size: Size
    input: str | int = 0
    layout: Literal["nchw", "nhwc"] = "nchw"
    dtype: Literal["uint8", "float32"] = "float32"
    colours: Literal["rgb", "bgr"] = "rgb"
    divisor: float | None = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    attention: OnnxOutput | None = None
    objectness: OnnxOutput | None = None

    def __post_init__(self) -> None:
        choices = {"layout": ("nchw", "nhwc"), "dtype": ("uint8", "float32"), "colours": ("rgb", "bgr")}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise InvalidValueError(f"expected {name} among {known}, got {getattr(self, name)!r}")
        if self.attention is None and self.objectness is None:
            raise InvalidValueError(
                "the mapping names no output",
                remedy="for example OnnxMapping(size=Size(320, 320), objectness=OnnxOutput(0))",
            )
        if self.objectness is not None and self.objectness.activation == "softmax":
            raise InvalidValueError("a softmax gives no probability of being foreground", remedy="use 'sigmoid'")
        if self.dtype == "uint8" and (any(self.mean) or self.std != (1.0, 1.0, 1.0)):
            raise InvalidValueError("a uint8 input takes the bytes as they are", remedy="leave out mean and std")
        if not all(self.std) or self.divisor == 0:
            raise InvalidValueError("cannot divide by zero", remedy="1 changes nothing")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Of one picture in the file's own layout."""
        height, width = self.size.height, self.size.width
        return (3, height, width) if self.layout == "nchw" else (height, width, 3)

    def tensor(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8] | NDArray[np.float32]:
        """(n, side, side, 3) uint8 RGB as the file takes it, contiguous."""
        height, width = self.size.height, self.size.width
        if pictures.shape[1:3] != (height, width):
            shrunk = [PIL.Image.fromarray(p).resize((width, height), PIL.Image.Resampling.BILINEAR) for p in pictures]
            pictures = np.stack([np.asarray(p) for p in shrunk])
        values: NDArray[np.number] = pictures[..., ::-1] if self.colours == "bgr" else pictures
        if self.dtype == "float32":
            largest = np.maximum(pictures.max(axis=(1, 2, 3), keepdims=True), 1).astype(np.float32)
            scaled = values / (largest if self.divisor is None else np.float32(self.divisor))
            values = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(values if self.layout == "nhwc" else values.transpose(0, 3, 1, 2))

    def attention_map(
        self, output: NDArray[np.floating] | None, objectness: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(n, 68, 68) float32 in 0..1, as `Prediction` has it, from the raw output or from the objectness."""
        prior = centre_prior()
        if output is None or self.attention is None:
            density = prior * (PRIOR_FLOOR + objectness.astype(np.float64))
        else:
            values = _single_channel(output, "attention")
            if self.attention.activation == "softmax":
                values = np.exp(values - values.max(axis=(1, 2), keepdims=True))
            elif self.attention.activation == "sigmoid":
                values = _sigmoid(values)
            if values.min() < -RANGE_SLACK * max(float(values.max()), 0.0):
                raise NetworkMismatchError(
                    f"expected an attention of at least 0, got {values.min():.3g}",
                    remedy="for logits or log densities declare the activation 'softmax'",
                )
            density = area_averaged(np.maximum(values, 0))
            density = np.where(density.sum(axis=(1, 2), keepdims=True) > 0, density, prior)
        relative = density / density.mean(axis=(1, 2), keepdims=True)
        return np.clip(relative / ATTENTION_CEILING, 0, 1).astype(np.float32)

    def objectness_map(self, output: NDArray[np.floating] | None, count: int) -> NDArray[np.float32]:
        """(count, 68, 68) float32 in 0..1 from the raw output; zeros where the file gives none."""
        if output is None or self.objectness is None:
            return np.zeros((count, MAP_SIDE, MAP_SIDE), np.float32)
        values = _single_channel(output, "objectness")
        if self.objectness.activation == "sigmoid":
            values = _sigmoid(values)
        if values.min() < -RANGE_SLACK or values.max() > 1 + RANGE_SLACK:
            raise NetworkMismatchError(
                f"expected an objectness in 0..1, got {values.min():.3g}..{values.max():.3g}",
                remedy="for logits declare the activation 'sigmoid'",
            )
        return np.clip(area_averaged(np.clip(values, 0, 1)), 0, 1).astype(np.float32)


def area_averaged(maps: NDArray[np.floating], side: int = MAP_SIDE) -> NDArray[np.float64]:
    """(n, h, w) to (n, side, side): every cell the mean of the part of the map that it covers."""
    return _averaged_rows(_averaged_rows(maps, side).swapaxes(1, 2), side).swapaxes(1, 2)


def _averaged_rows(maps: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """(n, h, w) to (n, count, w), exact for parts of rows: differences of running sums."""
    n, height, width = maps.shape
    sums = np.zeros((n, height + 1, width))
    np.cumsum(maps, axis=1, out=sums[:, 1:])
    edges = np.arange(count + 1) * height / count
    row = np.minimum(edges.astype(np.intp), height - 1)
    part = (edges - row)[:, None]
    at_edges = sums[:, row] + part * (sums[:, row + 1] - sums[:, row])
    return np.asarray(np.diff(at_edges, axis=1) * (count / height))


def centre_prior() -> NDArray[np.float64]:
    """(68, 68), maximum 1: an upright Gaussian round the picture's centre."""
    at = (np.arange(MAP_SIDE) + 0.5) / MAP_SIDE - 0.5
    along = np.exp(-(at**2) / (2 * PRIOR_DEVIATION**2))
    return np.asarray(np.outer(along, along) / along.max() ** 2)


def _single_channel(output: NDArray[np.floating], name: str) -> NDArray[np.float64]:
    """(n, h, w) float64 from (n, h, w), (n, 1, h, w) or (n, h, w, 1); finite."""
    values = np.asarray(output, np.float64)
    if values.ndim == 4 and 1 in (values.shape[1], values.shape[3]):
        values = values[:, 0] if values.shape[1] == 1 else values[..., 0]
    if values.ndim != 3 or values.size == 0 or not np.isfinite(values).all():
        raise NetworkMismatchError(
            f"expected a finite {name} of shape (n, h, w), (n, 1, h, w) or (n, h, w, 1), got {output.shape}",
            remedy="name another output in the mapping",
        )
    return values


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits to probabilities, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(values / 2)))


@dataclass(frozen=True, slots=True)
class PublishedNetwork:
    """A file that others publish: where it is, what it has to be, and how it is mapped.

    url: https. sha256: in hex. bytes: of the file. licence: as its authors state it.
    """

    url: str
    sha256: str
    bytes: int
    licence: str
    mapping: OnnxMapping


_RELEASES = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"
_U2NET_MAPPING = OnnxMapping(
    size=Size(320, 320),
    divisor=None,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    objectness=OnnxOutput(0),
)

PUBLISHED = {
    "u2netp": PublishedNetwork(
        _RELEASES + "u2netp.onnx",
        "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        4_574_861,
        "Apache-2.0",
        _U2NET_MAPPING,
    ),
    "u2net": PublishedNetwork(
        _RELEASES + "u2net.onnx",
        "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
        175_997_641,
        "Apache-2.0",
        _U2NET_MAPPING,
    ),
    "isnet-general-use": PublishedNetwork(
        _RELEASES + "isnet-general-use.onnx",
        "60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
        178_648_008,
        "Apache-2.0",
        OnnxMapping(size=Size(1024, 1024), mean=(0.5, 0.5, 0.5), objectness=OnnxOutput(0)),
    ),
}
"""Networks whose interface is known from their authors' own code. Nothing here is ever fetched unasked."""
