"""Two plain networks with random weights, to hold the shipped one against: same input, same two maps.

`depthwise` is an encoder of inverted residuals (Sandler et al., CVPR 2018) of about 0.2 GMAC at 272 px;
`dense` is the float32 network of 3 x 3 residual blocks, 32-64-96-160 channels, about 0.75 GMAC, that the
first trials used. Both end at stride 4 through a feature pyramid of 48 channels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 272
DECODER = 48


class Sketch:
    """Grows an ONNX graph convolution by convolution, counting multiply-accumulates."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.macs = 0
        self.shape: dict[str, tuple[int, int]] = {}
        self._random = np.random.default_rng(0)

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """One node with one output; returns the output's name."""
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        self.shape[name] = self.shape.get(inputs[0], (0, 0))
        return name

    def constant(self, value: np.ndarray) -> str:
        """A constant; returns its name."""
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def conv(self, x: str, size: int, outputs: int, *, stride: int = 1, groups: int = 1, relu: bool = True) -> str:
        """A convolution with bias and, if asked, ReLU."""
        channels, side = self.shape[x]
        weights = self._random.normal(0, 0.05, (outputs, channels // groups, size, size)).astype(np.float32)
        pad = size // 2
        y = self.add(
            "Conv",
            [x, self.constant(weights), self.constant(np.zeros(outputs, np.float32))],
            strides=[stride] * 2,
            pads=[pad] * 4,
            group=groups,
        )
        side = -(-side // stride)
        self.shape[y] = (outputs, side)
        self.macs += weights.size * side * side
        return self.add("Relu", [y]) if relu else y

    def upsampled(self, x: str, side: int) -> str:
        """Bilinear up-sampling to a side."""
        channels = self.shape[x][0]
        sizes = self.constant(np.array([1, channels, side, side], np.int64))
        y = self.add("Resize", [x, "", "", sizes], mode="linear", coordinate_transformation_mode="half_pixel")
        self.shape[y] = (channels, side)
        return y

    def pyramid(self, levels: list[str], *, depthwise: bool) -> str:
        """From the levels, finest first, down to one map at the finest side."""
        y = self.conv(levels[-1], 1, DECODER, relu=False)
        for level in levels[-2::-1]:
            lateral = self.conv(level, 1, DECODER, relu=False)
            joined = self.add("Add", [lateral, self.upsampled(y, self.shape[level][1])])
            if depthwise:
                y = self.conv(self.conv(joined, 3, DECODER, groups=DECODER), 1, DECODER)
            else:
                y = self.conv(joined, 3, DECODER)
        return y

    def save(self, features: str, path: Path) -> Path:
        """Closes the graph with two sigmoid maps and writes it."""
        both = self.add("Sigmoid", [self.conv(features, 3, 2, relu=False)])
        self.nodes.append(helper.make_node("Split", [both], ["a4", "o4"], axis=1, num_outputs=2))
        axis = self.constant(np.array([1], np.int64))
        for four, name in (("a4", "attention"), ("o4", "objectness")):
            self.nodes.append(helper.make_node("Squeeze", [four, axis], [name]))
        graph = helper.make_graph(
            self.nodes,
            "reference",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, SIDE, SIDE, 3])],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 68, 68]) for n in ("attention", "objectness")],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        onnx.save(model, str(path))
        return path

    def picture(self) -> str:
        """The input as float, channels first, in about -2..2."""
        x = self.add("Transpose", [self.add("Cast", ["image"], to=TensorProto.FLOAT)], perm=[0, 3, 1, 2])
        x = self.add("Mul", [x, self.constant(np.array(1 / 64, np.float32))])
        self.shape[x] = (3, SIDE)
        return x


def depthwise(path: Path) -> Sketch:
    """Writes the plain depthwise network; the sketch tells its multiply-accumulates."""
    s = Sketch()
    x = s.conv(s.picture(), 3, 16, stride=2)
    levels = []
    for outputs, blocks in ((24, 2), (40, 3), (80, 3), (128, 3)):
        for block in range(blocks):
            inputs, stride = s.shape[x][0], 2 if block == 0 else 1
            wide = s.conv(x, 1, inputs * 3)
            y = s.conv(s.conv(wide, 3, inputs * 3, stride=stride, groups=inputs * 3), 1, outputs, relu=False)
            x = s.add("Add", [y, x]) if stride == 1 else y
        levels.append(x)
    s.save(s.pyramid(levels, depthwise=True), path)
    return s


def dense(path: Path) -> Sketch:
    """Writes the float32 network of the first trials."""
    s = Sketch()
    x = s.conv(s.picture(), 3, 32, stride=2)
    levels = []
    for outputs, blocks in ((32, 1), (64, 2), (96, 3), (160, 3)):
        x = s.conv(x, 3, outputs, stride=2)
        for _ in range(blocks):
            y = s.conv(s.conv(x, 3, outputs), 3, outputs, relu=False)
            x = s.add("Relu", [s.add("Add", [y, x])])
        levels.append(x)
    s.save(s.pyramid(levels, depthwise=False), path)
    return s
