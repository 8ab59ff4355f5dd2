"""What of a graph can be worked out before it runs: constants, and BatchNorm after a convolution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

import torch
from torch import Tensor

from .proto import Node

CONVOLUTIONS = {"Conv": 0, "ConvTranspose": 1}  # the axis of a weight that counts its outputs


def fold_batch_norms(nodes: Iterable[Node], constants: dict[str, Tensor], outputs: Collection[str]) -> list[Node]:
    """The nodes with each BatchNormalization merged into the convolution before it, where it is all that follows.

    Args:
        nodes: In running order.
        constants: Tensors by name; merged weights are added.
        outputs: Of the graph, which stay.
    """
    uses = Counter(name for node in nodes for name in node.inputs) + Counter(outputs)
    makers: dict[str, int] = {}
    folded: list[Node] = []
    for node in nodes:
        at = makers.get(node.inputs[0]) if node.op == "BatchNormalization" else None
        if at is not None and uses[node.inputs[0]] == 1 and _can_merge(folded[at], node, constants):
            folded[at] = _merge(folded[at], node, constants)
            makers[node.outputs[0]] = at
            continue
        makers |= dict.fromkeys(node.outputs, len(folded))
        folded.append(node)
    return folded


def needed(nodes: list[Node], outputs: Iterable[str]) -> list[Node]:
    """The nodes that the outputs depend on."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return kept[::-1]


def _can_merge(conv: Node, norm: Node, constants: dict[str, Tensor]) -> bool:
    held = [name in constants for name in (*conv.inputs[1:], *norm.inputs[1:]) if name]
    return conv.op in CONVOLUTIONS and all(held) and (conv.op == "Conv" or conv.attributes.get("group", 1) == 1)


def _merge(conv: Node, norm: Node, constants: dict[str, Tensor]) -> Node:
    weight = constants[conv.inputs[1]].double()
    scale, shift, mean, var = (constants[name].double() for name in norm.inputs[1:5])
    gain = scale / torch.sqrt(var + norm.attributes.get("epsilon", 1e-5))
    bias = constants[conv.inputs[2]].double() if len(conv.inputs) > 2 and conv.inputs[2] else torch.zeros_like(mean)
    shape = [1] * weight.ndim
    shape[CONVOLUTIONS[conv.op]] = -1
    names = (f"{norm.outputs[0]}.weight", f"{norm.outputs[0]}.bias")
    merged = (weight * gain.reshape(shape), (bias - mean) * gain + shift)
    constants |= {name: tensor.float() for name, tensor in zip(names, merged, strict=True)}
    return Node(conv.op, (conv.inputs[0], *names), norm.outputs[:1], conv.attributes)
