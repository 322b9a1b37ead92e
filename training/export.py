"""From a check-point to the file that ships: `python -m training.export WEIGHTS STORE REVISION OUT`.

Takes the averaged weights, folds every batch norm into its convolution, adds the centre prior and the
scaling of attention, writes ONNX, compares it with torch in numbers, quantises it to int8 with
calibration pictures from the training side, and compares again. The file describes itself in its
metadata.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quant_pre_process, quantize_static
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.datasets.store import PICTURE_SIDE, Store, open_store
from training.evaluate import shipped_prior
from training.networks.lite import ScaledConv
from training.networks.saliency_net import FACE_CHANNELS, SaliencyNet
from training.weights import load_weights, save_weights

ATTENTION_CEILING = 64.0
"""An attention of 1.0 means this many times the fixations of an even spread."""
FACES_METADATA = (
    "float32 (n, 5, 68, 68): [0] confidence that the centre of a face lies in the cell; [1] to [4] distance from the "
    "middle of the cell to the face's left, top, right and bottom edge, as shares of the picture's width or height"
)
CALIBRATION_PICTURES = 192
LARGEST_FLOAT_DIFFERENCE = 1e-3
ZERO_LEVEL = 116
"""The byte that stands for zero once the normalisation has gone into the first convolution."""


class Shipped(nn.Module):
    """uint8 (n, 272, 272, 3) RGB in; out, in 0..1: attention, objectness and text (n, 68, 68), faces (n, 5, 68, 68)."""

    def __init__(self, net: SaliencyNet) -> None:
        super().__init__()
        self.net = fused(net)
        normalise_inside(self.net)
        read_fours(self.net)
        self.register_buffer("prior", shipped_prior(net, PICTURE_SIDE // 4).detach())

    @property
    def outputs(self) -> list[str]:
        """The names of what it gives."""
        config = self.net.config
        return ["attention", "objectness", *(["faces"] if config.faces else []), *(["text"] if config.text else [])]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        fours = image.reshape(-1, PICTURE_SIDE, PICTURE_SIDE // 4, 12)
        said = self.net.heads(fours.permute(0, 3, 1, 2).float() - ZERO_LEVEL)
        attention, objectness = self.net.calibrated(said.attention + self.prior, said.objectness)
        density = F.softmax(attention.flatten(1), dim=1)
        relative = density * (density.shape[1] / ATTENTION_CEILING)
        small = (logits.sigmoid() for logits in (said.faces, said.text) if logits is not None)
        return relative.clamp(max=1).view_as(attention), objectness.sigmoid(), *small


def fused(net: SaliencyNet) -> SaliencyNet:
    """A copy in evaluation mode whose batch norms and scales have gone into the convolutions before them."""
    net = copy.deepcopy(net).eval()
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, ScaledConv):
                setattr(module, name, child.plain())
        if isinstance(module, nn.Sequential):
            for i in range(len(module) - 1):
                if isinstance(module[i], nn.Conv2d) and isinstance(module[i + 1], nn.BatchNorm2d):
                    module[i] = fuse_conv_bn_eval(module[i], module[i + 1])
                    module[i + 1] = nn.Identity()
    return net


def normalise_inside(net: SaliencyNet) -> None:
    """Lets the first convolution take bytes less `ZERO_LEVEL`, so that they need no pass of their own.

    Exact but for the outermost row and column, where padding stands for grey rather than for the
    mean colour. Expects a network from `fused`, and changes it.
    """
    first = net.stem[0]
    with torch.no_grad():
        shift = (ZERO_LEVEL - net.mean) / net.std
        first.bias += (first.weight * shift.view(1, 3, 1, 1)).sum((1, 2, 3))
        first.weight /= net.std.view(1, 3, 1, 1)


class SideBySide(nn.Module):
    """(n, 2 c, h, w) -> (n, c, h, 2 w): the two halves of the channels are neighbours; free where channels lie last."""

    def forward(self, x: Tensor) -> Tensor:
        channels, height, width = map(int, x.shape[1:])  # numbers, or the graph would work them out for each picture
        return x.permute(0, 2, 3, 1).reshape(-1, height, 2 * width, channels // 2).permute(0, 3, 1, 2)


def read_fours(net: SaliencyNet) -> None:
    """Lets the first convolution take four pixels side by side as one of 12 channels: (n, 12, side, side / 4).

    It then gives two of its own at once. The same sums, collected in fewer and longer pieces: three channels are too
    few for a processor. Expects a network from `fused`, and changes it.
    """
    first, _, relu = net.stem
    outputs = first.out_channels
    conv = nn.Conv2d(12, 2 * outputs, (3, 2), (2, 1))
    with torch.no_grad():
        # of the eight pixels under the kernel, one output sees those from 3 on, its neighbour those from 5 on
        windows = torch.cat([F.pad(first.weight, (at, 5 - at)) for at in (3, 5)])
        windows = windows.view(2 * outputs, 3, 3, 2, 4)  # colour, y, four, x in the four
        conv.weight.copy_(windows.permute(0, 4, 1, 2, 3).reshape(conv.weight.shape))
        conv.bias.copy_(first.bias.repeat(2))
    net.stem = nn.Sequential(nn.ZeroPad2d((1, 0, 1, 0)), conv, relu, SideBySide())


def fix_resizes(model: onnx.ModelProto) -> None:
    """Gives every Resize its scales as constants: all sizes but the batch's are known."""
    resizes = [node for node in model.graph.node if node.op_type == "Resize"]
    names = [name for node in resizes for name in (node.input[0], node.output[0])]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = ort.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    maps = session.run(names, {"image": np.zeros((1, PICTURE_SIDE, PICTURE_SIDE, 3), np.uint8)})
    shapes = {name: np.array(values.shape[2:]) for name, values in zip(names, maps, strict=True)}
    for node in resizes:
        before, after = shapes[node.input[0]], shapes[node.output[0]]
        scales = onnx.numpy_helper.from_array(np.array([1, 1, *after / before * (1 + 1e-6)], np.float32), node.name)
        model.graph.initializer.append(scales)
        del node.input[1:]
        node.input.extend(["", node.name])
    wanted = {output.name for output in model.graph.output}
    for node in reversed(list(model.graph.node)):  # what made the sizes is needed no more
        if wanted.isdisjoint(node.output):
            model.graph.node.remove(node)
        else:
            wanted.update(node.input)


def write_float(net: SaliencyNet, path: Path) -> None:
    """The network in float32, any batch size."""
    shipped = Shipped(net)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            shipped,
            (torch.zeros(1, PICTURE_SIDE, PICTURE_SIDE, 3, dtype=torch.uint8),),
            str(path),
            input_names=["image"],
            output_names=shipped.outputs,
            dynamic_axes={name: {0: "n"} for name in ("image", *shipped.outputs)},
            opset_version=18,
            dynamo=False,
        )
    model = onnx.load(str(path))
    fix_resizes(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def write_int8(float_path: Path, path: Path, pictures: np.ndarray) -> None:
    """Static quantisation: uint8 activations, int8 weights per channel.

    The last convolutions stay in float, and so does what follows them: one channel costs no time, and 256 steps for
    logits would be coarse.
    """
    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(str(float_path), str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(str(prepared)).graph
    weights = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    convs = [node for node in graph.node if node.op_type == "Conv"]
    last = [node.name for node in convs if len(weights[node.input[1]]) in {1, FACE_CHANNELS, FACE_CHANNELS + 1}]
    steps = {
        weight: [
            {"axis": 0, "scale": step, "zero_point": np.array(0, np.int8)} for step in weight_steps(weights[weight])
        ]
        for weight in (node.input[1] for node in convs if node.name not in last)
    }
    quantize_static(
        str(prepared),
        str(path),
        _Calibration(pictures),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "Add", "Relu", "Clip", "Resize"],
        nodes_to_exclude=[*last, *_names_after(graph, last)],
        extra_options={"TensorQuantOverrides": steps},
    )
    prepared.unlink()
    feed_bytes(path)


def _names_after(graph: onnx.GraphProto, names: Sequence[str]) -> list[str]:
    """Of the nodes that read, directly or not, what the named ones give; a graph lists its nodes in that order."""
    given = {output for node in graph.node if node.name in names for output in node.output}
    found = []
    for node in graph.node:
        if not given.isdisjoint(node.input):
            given.update(node.output)
            found.append(node.name)
    return found


def feed_bytes(path: Path) -> None:
    """Lets the quantised first convolution read the picture's bytes as they are: cast, subtract and quantise go."""
    model = onnx.load(str(path))
    graph = model.graph
    maker = {output: node for node in graph.node for output in node.output}
    for quantise in [n for n in graph.node if n.op_type == "QuantizeLinear"]:
        subtract = maker.get(quantise.input[0])
        if subtract is None or subtract.op_type != "Sub" or maker[subtract.input[0]].op_type != "Cast":
            continue
        cast = maker[subtract.input[0]]
        for dequantise in graph.node:
            if dequantise.op_type == "DequantizeLinear" and dequantise.input[0] == quantise.output[0]:
                dequantise.input[0] = cast.input[0]
        for name, value in ((quantise.input[1], np.float32(1)), (quantise.input[2], np.uint8(ZERO_LEVEL))):
            constant = next(i for i in graph.initializer if i.name == name)
            constant.CopyFrom(onnx.numpy_helper.from_array(np.array(value), name))
        for node in (quantise, subtract, cast):
            graph.node.remove(node)
        used = {name for node in graph.node for name in node.input}
        for constant in [i for i in graph.initializer if i.name not in used]:
            graph.initializer.remove(constant)
        onnx.checker.check_model(model)
        onnx.save(model, str(path))
        return
    raise SystemExit("found no quantised picture to replace by its bytes; was the network exported otherwise?")


def weight_steps(weight: np.ndarray) -> np.ndarray:
    """The finest step of int8 for each output channel at which no sum overflows: (out, in, h, w) -> (out,) float32.

    Processors without VNNI add the products of two neighbours in 16 bits: 255 times both weights has to be below
    32,768. Halving all weights, as is usual, is safe too, but twice as coarse as most channels need. A
    depthwise convolution has no neighbours. A channel of next to no weight gets no finer step than its bias can bear.
    """
    neighbours = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
    most = np.abs(neighbours).max(1)
    if weight.shape[1] > 1:
        for part in (neighbours.clip(min=0), -neighbours.clip(max=0)):
            most = np.maximum(most, (part[:, 1:] + part[:, :-1]).max(1))
    return (np.maximum(most, 1e-4 * most.max()) / 127).astype(np.float32)


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pictures: np.ndarray) -> None:
        self._pictures: Iterator[np.ndarray] = iter(pictures[:, None])

    def get_next(self) -> dict[str, np.ndarray] | None:
        picture = next(self._pictures, None)
        return None if picture is None else {"image": picture}


def describe(path: Path, metadata: dict[str, str]) -> None:
    """Writes what the file is into the file."""
    model = onnx.load(str(path))
    del model.metadata_props[:]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))


def run_onnx(path: Path, pictures: np.ndarray) -> dict[str, np.ndarray]:
    """All outputs for (n, 272, 272, 3) uint8, one picture at a time as in use."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    outputs = [session.run(names, {"image": p[None]}) for p in pictures]
    return {name: np.concatenate(maps) for name, maps in zip(names, zip(*outputs, strict=True), strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="a check-point (.pt) or averaged weights (.safetensors)")
    parser.add_argument("store", type=Path)
    parser.add_argument("revision", help="such as saliency_v18")
    parser.add_argument("out", type=Path, help="folder to write model.onnx, REVISION.safetensors and export.json to")
    parser.add_argument("--float", action="store_true", help="ship float32 instead of int8")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    export(
        load_weights(arguments.weights),
        open_store(arguments.store),
        arguments.revision,
        arguments.out,
        int8=not arguments.float,
    )


def export(net: SaliencyNet, store: Store, revision: str, out: Path, *, int8: bool) -> None:
    """Writes model.onnx, the weights that a later training can start from, and what was compared."""
    out.mkdir(parents=True, exist_ok=True)
    training = store.training_side
    chosen = np.sort(np.random.default_rng(0).choice(training, min(CALIBRATION_PICTURES, len(training)), replace=False))
    pictures = np.array(store.pictures[chosen])
    float_path, path = out / "float.onnx", out / "model.onnx"
    write_float(net, float_path)
    with torch.no_grad():
        expected = [t.numpy() for t in Shipped(net)(torch.from_numpy(np.array(pictures[:16])))]
    found = run_onnx(float_path, pictures[:16])
    differences = {name: float(np.abs(a - found[name]).max()) for name, a in zip(found, expected, strict=True)}
    print("largest difference of onnxruntime float32 from torch:", differences)
    if max(differences.values()) > LARGEST_FLOAT_DIFFERENCE:
        raise SystemExit(f"expected at most {LARGEST_FLOAT_DIFFERENCE}; the export is wrong, nothing was shipped")
    report: dict[str, object] = {"float_against_torch": differences}
    if int8:
        write_int8(float_path, path, pictures)
        quantised = run_onnx(path, pictures[:64])
        floats = run_onnx(float_path, pictures[:64])
        report["int8_against_float_mean"] = {n: float(np.abs(quantised[n] - floats[n]).mean()) for n in floats}
        print("mean difference of int8 from float32:", report["int8_against_float_mean"])
    else:
        path.write_bytes(float_path.read_bytes())
    describe(
        path,
        {
            "revision": revision,
            "input": f"image: uint8 (n, {PICTURE_SIDE}, {PICTURE_SIDE}, 3), sRGB, whole picture squashed to the square",
            "attention": f"float32 (n, 68, 68): fixation density relative to an even spread, / {ATTENTION_CEILING:g}",
            "objectness": "float32 (n, 68, 68): probability that the cell is foreground subject",
            **({"faces": FACES_METADATA} if net.config.faces else {}),
            **({"text": "float32 (n, 68, 68): probability that the cell is text"} if net.config.text else {}),
            "precision": "int8" if int8 else "float32",
            "licence": "Apache-2.0; trained on research data sets; see the card for their terms",
        },
    )
    float_path.unlink()
    save_weights(net, out / f"{revision}.safetensors", revision=revision)
    report["bytes"] = path.stat().st_size
    report["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (out / "export.json").write_text(json.dumps(report, indent=2))
    print(f"{path}: {report['bytes']} bytes, sha256 {report['sha256']}")


if __name__ == "__main__":
    main()
