"""Makes a tiny ONNX network with the real interface, so that the real runtime is tested in milliseconds.

Attention is the brightness of each 4 x 4 cell as a distribution, scaled; objectness is how red it is. The faces that
it finds, if wanted, are the reddest cells, each with edges as far away as it is red. Text is what is red, too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 272


def make_tiny_network(path: Path, revision: str = "tiny_v1", *, faces: bool = False, text: bool = False) -> Path:
    """Writes the network and returns its path."""
    grey = np.full((1, 3, 1, 1), 1 / 3 / 255, np.float32)
    red = np.array([1, -0.5, -0.5], np.float32).reshape(1, 3, 1, 1) / 255
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["channels_first"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["channels_first"], ["cells"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["cells", "grey"], ["bright4"]),
        helper.make_node("Squeeze", ["bright4", "axis"], ["attention"]),
        helper.make_node("Conv", ["cells", "red"], ["red4"]),
        helper.make_node("Clip", ["red4", "zero", "one"], ["clipped"]),
        helper.make_node("Squeeze", ["clipped", "axis"], ["objectness"]),
    ]
    outputs: dict[str, list[str | int | None]] = {"attention": ["n", 68, 68], "objectness": ["n", 68, 68]}
    if faces:
        nodes.append(helper.make_node("Concat", ["clipped"] * 5, ["faces"], axis=1))
        outputs["faces"] = ["n", 5, 68, 68]
    if text:
        nodes.append(helper.make_node("Identity", ["objectness"], ["text"]))
        outputs["text"] = ["n", 68, 68]
    constants: dict[str, np.ndarray] = {
        "grey": grey,
        "red": red,
        "axis": np.array([1], np.int64),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    model.metadata_props.add(key="revision", value=revision)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
