"""EasyPortrait's SegFormer as an ONNX file with the published input, output and opset, made of a seeded state dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

import golden
from graphs import RUNNING, Builder

VERSIONS = 8, 18  # of the file's format, and the published opset
STAGES, HEAD = 4, 32
Held = Mapping[str, np.ndarray]


def segformer(state_dict: Mapping[str, object], size: int) -> bytes:
    """The export at one size of picture; how many pictures is free, the logits are a quarter as large."""
    held: Held = {name: np.asarray(tensor, dtype=np.float32) for name, tensor in state_dict.items()}
    make, maps, x, side, finest = Builder(), [], "image", size, size // 4
    for stage in range(STAGES):
        name = f"backbone.layers.{stage}"
        width = len(held[f"{name}.2.weight"])
        stride = 4 if stage == 0 else 2
        x, side = _conv(make, held, x, f"{name}.0.projection", stride), side // stride
        x = _norm(make, held, _tokens(make, x, width), f"{name}.0.norm")
        block = 0
        while f"{name}.1.{block}.norm1.weight" in held:
            x = _block(make, held, x, f"{name}.1.{block}", width, side)
            block += 1
        x = _map(make, _norm(make, held, x, f"{name}.2"), width, side)
        y = _conv_block(make, held, x, f"decode_head.convs.{stage}")
        if stage:
            kept = make.node("Slice", make.node("Shape", y), _ints(make, 0), _ints(make, 2))
            sizes = make.node("Concat", kept, _ints(make, finest, finest), axis=0)
            y = make.node("Resize", y, "", "", sizes, mode="linear", coordinate_transformation_mode="half_pixel")
        maps.append(y)
    x = _conv_block(make, held, make.node("Concat", *maps, axis=1), "decode_head.fusion_conv")
    _conv(make, held, x, "decode_head.conv_seg", to="logits")
    classes = len(held["decode_head.conv_seg.bias"])
    return make.model(["N", 3, size, size], {"logits": ["N", classes, finest, finest]}, "image", VERSIONS)


def _block(make: Builder, held: Held, x: str, name: str, width: int, side: int) -> str:
    seen = x1 = _norm(make, held, x, f"{name}.norm1")
    if f"{name}.attn.sr.weight" in held:
        step = held[f"{name}.attn.sr.weight"].shape[-1]
        seen = _conv(make, held, _map(make, x1, width, side), f"{name}.attn.sr", step, padding=0)
        seen = _norm(make, held, _tokens(make, seen, width), f"{name}.attn.norm")
    weights = np.split(held[f"{name}.attn.attn.in_proj_weight"], 3)
    biases = np.split(held[f"{name}.attn.attn.in_proj_bias"], 3)
    turns = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    parts = []
    for source, weight, bias, turn in zip((x1, seen, seen), weights, biases, turns, strict=True):
        heads = make.node("Reshape", _linear(make, source, weight, bias), _ints(make, 0, -1, width // HEAD, HEAD))
        parts.append(make.node("Transpose", heads, perm=turn))
    looks = make.node("Mul", make.node("MatMul", *parts[:2]), _number(make, HEAD**-0.5))
    looked = make.node("MatMul", make.node("Softmax", looks, axis=3), parts[2])
    joined = make.node("Reshape", make.node("Transpose", looked, perm=[0, 2, 1, 3]), _ints(make, 0, -1, width))
    out = f"{name}.attn.attn.out_proj"
    x = make.node("Add", x, _linear(make, joined, held[f"{out}.weight"], held[f"{out}.bias"]))
    y = _map(make, _norm(make, held, x, f"{name}.norm2"), width, side)
    hidden = held[f"{name}.ffn.layers.1.weight"].shape[0]
    y = _conv(make, held, _conv(make, held, y, f"{name}.ffn.layers.0"), f"{name}.ffn.layers.1", group=hidden)
    half = make.node("Mul", y, _number(make, 0.5))
    curve = make.node("Erf", make.node("Div", y, _number(make, 2**0.5)))
    y = make.node("Mul", half, make.node("Add", curve, _number(make, 1.0)))
    return make.node("Add", x, _tokens(make, _conv(make, held, y, f"{name}.ffn.layers.4"), width))


def _conv(
    make: Builder,
    held: Held,
    x: str,
    name: str,
    stride: int = 1,
    padding: int | None = None,
    group: int = 1,
    to: str = "",
) -> str:
    weight, bias = held[f"{name}.weight"], held[f"{name}.bias"]
    side = weight.shape[-1]
    edge = side // 2 if padding is None else padding
    inputs = make.weight(weight, f"{name}.weight"), make.weight(bias, f"{name}.bias")
    return make.node(
        "Conv", x, *inputs, to=to, kernel_shape=[side] * 2, strides=[stride] * 2, pads=[edge] * 4, group=group
    )


def _conv_block(make: Builder, held: Held, x: str, name: str) -> str:
    """A convolution with the BatchNorm after it merged into it, as exporters do, and ReLU."""
    gain, bias, mean, var = (held[f"{name}.bn.{part}"].astype(np.float64) for part in ("weight", "bias", *RUNNING))
    gain = gain / np.sqrt(var + 1e-5)
    weight = (held[f"{name}.conv.weight"] * gain[:, None, None, None]).astype(np.float32)
    inputs = make.weight(weight), make.weight((bias - mean * gain).astype(np.float32))
    y = make.node("Conv", x, *inputs, kernel_shape=[1, 1], strides=[1, 1], pads=[0] * 4, group=1)
    return make.node("Relu", y)


def _norm(make: Builder, held: Held, x: str, name: str) -> str:
    parts = (make.weight(held[f"{name}.{part}"], f"{name}.{part}") for part in ("weight", "bias"))
    return make.node("LayerNormalization", x, *parts, axis=2, epsilon=1e-6)


def _linear(make: Builder, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
    product = make.node("MatMul", x, make.weight(np.ascontiguousarray(weight.T)))
    return make.node("Add", product, make.weight(bias))


def _tokens(make: Builder, x: str, width: int) -> str:
    return make.node("Transpose", make.node("Reshape", x, _ints(make, 0, width, -1)), perm=[0, 2, 1])


def _map(make: Builder, x: str, width: int, side: int) -> str:
    return make.node("Reshape", make.node("Transpose", x, perm=[0, 2, 1]), _ints(make, 0, width, side, side))


def _ints(make: Builder, *values: int) -> str:
    return make.weight(np.array(values, np.int64))


def _number(make: Builder, value: float) -> str:
    return make.weight(np.array(value, np.float32))


def seeded(kind: str) -> dict[str, object]:
    """The tensors of "fp" or "ps", as they were recorded."""
    layout = golden.FOLDER / f"easyportrait/easyportrait_segformer_b0_{kind}_512.tsv"
    return golden.state_dict(layout, layout.with_suffix(".json"))


def _maker(kind: str, size: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(segformer(seeded(kind), size))

    return make


MAKERS = {
    f"easyportrait/segformer_b0_{kind}_{size}_onnx": _maker(kind, size)
    for kind in ("fp", "ps")
    for size in (224, 384, 512, 1024)
}
