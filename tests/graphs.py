"""ONNX files as InsightFace publishes them, with seeded values: its inputs, outputs, operators and names."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from likeness.onnx.proto import write

OPSET, VERSION = 11, 6
FLOAT, INT64 = 1, 7
LEVELS = (8, 16, 32)
RUNNING = ("running_mean", "running_var")


class Builder:
    """Nodes and weights as they come; a weight without a name gets a number, as exporters give it."""

    def __init__(self) -> None:
        self.nodes, self.weights, self.made = [], [], 1000

    def name(self) -> str:
        self.made += 1
        return str(self.made)

    def weight(self, values: np.ndarray, name: str = "") -> str:
        name, kind = name or self.name(), INT64 if values.dtype == np.int64 else FLOAT
        dims = b"".join(write(1, size) for size in values.shape)
        self.weights.append(dims + write(2, kind) + write(8, name.encode()) + write(9, values.tobytes()))
        return name

    def node(self, op: str, *inputs: str, to: str = "", **attributes: float | str | list[int]) -> str:
        to = to or self.name()
        held = b"".join(write(5, attribute(name, value)) for name, value in attributes.items())
        sources = b"".join(write(1, name.encode()) for name in inputs)
        self.nodes.append(sources + write(2, to.encode()) + write(4, op.encode()) + held)
        return to

    def model(
        self,
        shape: list[int | str],
        outputs: dict[str, list[int | str]],
        source: str = "input.1",
        versions: tuple[int, int] = (VERSION, OPSET),
    ) -> bytes:
        """The file; a size that is a word is free."""
        parts = [(1, node) for node in self.nodes] + [(2, b"seeded")] + [(5, weight) for weight in self.weights]
        parts += [(11, socket(source, shape)), *((12, socket(name, sizes)) for name, sizes in outputs.items())]
        graph = b"".join(write(number, part) for number, part in parts)
        return write(1, versions[0]) + write(7, graph) + write(8, write(1, b"") + write(2, versions[1]))


def attribute(name: str, value: float | str | list[int]) -> bytes:
    if isinstance(value, float):
        kind, held = 1, bytes([2 << 3 | 5]) + struct.pack("<f", value)
    elif isinstance(value, int):
        kind, held = 2, write(3, value)
    elif isinstance(value, str):
        kind, held = 3, write(4, value.encode())
    else:
        kind, held = 7, b"".join(write(8, number) for number in value)
    return write(1, name.encode()) + held + write(20, kind)


def socket(name: str, shape: list[int | str]) -> bytes:
    dims = [write(1, size) if isinstance(size, int) else write(2, size.encode()) for size in shape]
    tensor = write(1, FLOAT) + write(2, b"".join(write(1, dim) for dim in dims))
    return write(1, name.encode()) + write(2, write(1, tensor))


def arcface(state_dict: Mapping[str, object]) -> bytes:
    """The export of an IResNet: BatchNorm merged into the convolution before it, the others under their names."""
    held = {name: np.asarray(tensor, dtype=np.float32) for name, tensor in state_dict.items()}
    make = Builder()

    def norm(x: str, name: str, to: str = "") -> str:
        parts = (make.weight(held[f"{name}.{p}"], f"{name}.{p}") for p in ("weight", "bias", *RUNNING))
        return make.node("BatchNormalization", x, *parts, to=to, epsilon=1e-5, momentum=0.9)

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
    out = norm(make.node("Gemm", x, *fc, alpha=1.0, beta=1.0, transB=1), "features", "683")
    return make.model(["None", 3, 112, 112], {out: ["None", len(held["fc.bias"])]})


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
                y = make.node("Mul", y, make.weight(np.array(0.9, np.float32))) if kind == "reg" else y
            y = make.node("Transpose", y, perm=[0, 2, 3, 1])
            y = make.node("Reshape", y, make.weight(np.array([-1, numbers], np.int64)))
            outputs[y] = [2 * (640 // stride) ** 2, numbers]  # as in the file, though any size runs
    return make.model([1, 3, "?", "?"], outputs)


def maker(build: Callable[[int], bytes], seed: int) -> Callable[[Path], None]:
    """What writes a graph of a seed into a file."""

    def make(path: Path) -> None:
        path.write_bytes(build(seed))

    return make


MAKERS = {
    "arcface/w600k_r50": maker(small_arcface, 1),
    "arcface/glintr100": maker(small_arcface, 2),
    "arcface/webface42m_r100": maker(small_arcface, 3),
    "scrfd/10g_bnkps": maker(scrfd, 0),
}
