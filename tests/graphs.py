"""ONNX files as InsightFace publishes them, of seeded values: the same inputs, outputs, operators and names of weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 11
LEVELS = (8, 16, 32)


class Builder:
    """Nodes and weights as they come; a weight without a name gets a number, as exporters give it."""

    def __init__(self) -> None:
        self.nodes, self.weights, self.made = [], [], 1000

    def name(self) -> str:
        self.made += 1
        return str(self.made)

    def weight(self, values: object, name: str = "") -> str:
        array = np.ascontiguousarray(np.asarray(values))
        self.weights.append(numpy_helper.from_array(array, name or self.name()))
        return self.weights[-1].name

    def node(self, op: str, *inputs: str, to: str = "", **attributes: object) -> str:
        to = to or self.name()
        self.nodes.append(helper.make_node(op, list(inputs), [to], **attributes))
        return to

    def model(self, shape: list, outputs: dict[str, list]) -> bytes:
        sockets = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in outputs.items()]
        source = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "torch-jit-export", [source], sockets, self.weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=6)
        onnx.checker.check_model(made)
        return made.SerializeToString()


def arcface(state_dict: Mapping[str, object]) -> bytes:
    """The export of an IResNet: BatchNorm merged into the convolution before it, the others under their names."""
    held = {name: np.asarray(tensor, dtype=np.float32) for name, tensor in state_dict.items()}
    make = Builder()

    def norm(x: str, name: str) -> str:
        parts = (make.weight(held[f"{name}.{p}"], f"{name}.{p}") for p in ("weight", "bias", *RUNNING))
        return make.node("BatchNormalization", x, *parts, epsilon=1e-5, momentum=0.9)

    def conv(x: str, name: str, after: str, stride: int = 1) -> str:
        weight, (gain, shift) = held[f"{name}.weight"], affine(held, after)
        side = weight.shape[2]
        inputs = make.weight(weight * gain[:, None, None, None]), make.weight(shift)
        return make.node(
            "Conv", x, *inputs, kernel_shape=[side] * 2, strides=[stride] * 2, pads=[side // 2] * 4, group=1
        )

    def prelu(x: str, name: str) -> str:
        return make.node("PRelu", x, make.weight(held[f"{name}.weight"][:, None, None]))

    x = prelu(conv("input.1", "conv1", "bn1"), "prelu")
    stage, block = 1, 0
    while f"layer{stage}.0.bn1.weight" in held:
        name, first = f"layer{stage}.{block}", block == 0
        deep = prelu(conv(norm(x, f"{name}.bn1"), f"{name}.conv1", f"{name}.bn2"), f"{name}.prelu")
        deep = conv(deep, f"{name}.conv2", f"{name}.bn3", 2 if first else 1)
        shortcut = conv(x, f"{name}.downsample.0", f"{name}.downsample.1", 2) if first else x
        x = make.node("Add", deep, shortcut)
        block += 1
        if f"layer{stage}.{block}.bn1.weight" not in held:
            stage, block = stage + 1, 0
    x = make.node("Flatten", norm(x, "bn2"), axis=1)
    fc = (make.weight(held[f"fc.{part}"], f"fc.{part}") for part in ("weight", "bias"))
    x = norm(make.node("Gemm", x, *fc, alpha=1.0, beta=1.0, transB=1), "features")
    make.nodes[-1].output[0] = "683"
    return make.model(["None", 3, 112, 112], {"683": ["None", held["fc.bias"].shape[0]]})


RUNNING = ("running_mean", "running_var")


def affine(held: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    """What a BatchNorm multiplies by and adds."""
    weight, bias, mean, var = (held[f"{name}.{part}"].astype(np.float64) for part in ("weight", "bias", *RUNNING))
    gain = weight / np.sqrt(var + 1e-5)
    return gain.astype(np.float32), (bias - mean * gain).astype(np.float32)


def small_arcface(seed: int = 0) -> bytes:
    """An IResNet of one narrow block a stage: what runs where values do not matter."""
    noise = np.random.RandomState(seed)
    held: dict[str, np.ndarray] = {"conv1.weight": noise.randn(8, 3, 3, 3) / 5}
    norms = ["bn1", "bn2"]
    for stage in range(1, 5):
        name = f"layer{stage}.0"
        held |= {f"{name}.conv{i}.weight": noise.randn(8, 8, 3, 3) / 8 for i in (1, 2)}
        held |= {f"{name}.downsample.0.weight": noise.randn(8, 8, 1, 1) / 3, f"{name}.prelu.weight": np.full(8, 0.25)}
        norms += [f"{name}.{part}" for part in ("bn1", "bn2", "bn3", "downsample.1")]
    held |= {"prelu.weight": np.full(8, 0.25), "fc.weight": noise.randn(512, 392) / 20, "fc.bias": noise.randn(512) / 9}
    for name in [*norms, "features"]:
        width = 512 if name == "features" else 8
        held |= {f"{name}.weight": 1 + noise.rand(width), f"{name}.bias": noise.randn(width) / 5}
        held |= {f"{name}.running_mean": noise.randn(width) / 5, f"{name}.running_var": 0.5 + noise.rand(width)}
    return arcface(held)


def scrfd(seed: int = 0, width: int = 8, doubt: float = 5.0) -> bytes:
    """A small detector with SCRFD's heads and its neck, which is resized by the sizes that it meets.

    Args:
        seed: Of its values.
        width: Channels.
        doubt: How much an anchor is against a face; scores spread by about 2 around minus this, before the sigmoid.
    """
    noise, make = np.random.RandomState(seed), Builder()

    def conv(x: str, out: int, stride: int = 1, name: str = "", spread: float = 1.0, bias: float = 0.0) -> str:
        width_in = 3 if x == "input.1" else width
        weight = noise.randn(out, width_in, 3, 3) * spread * (2 / 9 / width_in) ** 0.5
        inputs = (weight, np.full(out, bias) + noise.randn(out) * 0.1 * spread)
        held = [
            make.weight(part.astype(np.float32), name and f"{name}.{kind}")
            for part, kind in zip(inputs, ("weight", "bias"), strict=True)
        ]
        return make.node("Conv", x, *held, kernel_shape=[3, 3], strides=[stride] * 2, pads=[1] * 4, group=1)

    def grown(x: str, like: str) -> str:
        """``x`` as large as ``like``, by nearest pixels."""
        edges = [make.weight(np.array([n], np.int64)) for n in (0, 2, 4)]
        batch = make.node("Slice", make.node("Shape", x), edges[0], edges[1])
        sides = make.node("Slice", make.node("Shape", like), edges[1], edges[2])
        sizes = make.node("Concat", batch, sides, axis=0)
        none = make.weight(np.zeros(0, np.float32))
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", "mode": "nearest"}
        return make.node("Resize", x, none, none, sizes, **how)

    x = make.node("Relu", conv("input.1", width, 2))
    levels = []
    for level in range(4):
        x = make.node("Relu", conv(x, width, 2))
        levels += [x] * (level > 0)
    for level in (1, 0):
        levels[level] = make.node("Add", levels[level], grown(levels[level + 1], levels[level]))
    outputs: dict[str, list] = {}
    for kind, numbers in (("cls", 1), ("reg", 4), ("kps", 10)):
        for level, stride in enumerate(LEVELS):
            name = f"bbox_head.stride_{kind}.({stride}, {stride})"
            if kind == "cls":
                y = make.node("Sigmoid", conv(levels[level], 2, name=name, spread=6.0, bias=-doubt))
            else:
                bias, spread = (2.5, 1.5) if kind == "reg" else (0.0, 3.0)
                y = conv(levels[level], 2 * numbers, name=name, spread=spread, bias=bias)
                y = make.node("Mul", y, make.weight(np.float32(0.9))) if kind == "reg" else y
            y = make.node("Transpose", y, perm=[0, 2, 3, 1])
            y = make.node("Reshape", y, make.weight(np.array([-1, numbers], np.int64)))
            outputs[y] = [2 * (640 // stride) ** 2, numbers]  # as in the file, though any size runs
    return make.model([1, 3, "?", "?"], outputs)
