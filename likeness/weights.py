"""Recognise a published checkpoint and build its network, weights included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from . import onnx

StateDict = Mapping[str, Tensor]


class UnsupportedCheckpointError(ValueError):
    """No known system has this state dict."""


@dataclass(frozen=True)
class System:
    """A published system: how its checkpoints look and which network they fill."""

    name: str  # also names its module, manifest, test and recorded layouts
    keys: tuple[str, ...]  # tensors that all its official checkpoints have and no other system's do
    hparams: Callable[[StateDict], dict[str, Any]]  # the network's arguments, read off tensor shapes
    network: type[nn.Module]
    unused: tuple[str, ...] = ()  # how the names of tensors begin that the network leaves: of training, of others


@dataclass(frozen=True)
class OnnxSystem:
    """A published system whose official file is an ONNX graph."""

    name: str  # also names its module, manifest and test
    keys: tuple[str, ...]  # inputs, outputs or tensors that all its official graphs have and no other system's do
    network: Callable[[onnx.Model], nn.Module]  # the verb's module, around the running graph
    dynamic: tuple[str, ...] = ()  # inputs whose fixed batch, height and width are opened; see ``onnx.Graph.open``


def build_onnx(
    graph: onnx.Graph, systems: Iterable[System | OnnxSystem], engine: str = "auto", device: str = "cpu"
) -> nn.Module:
    """Build the module that runs a published ONNX graph.

    Args:
        graph: As ``onnx.read`` gives it.
        systems: The candidates.
        engine: "auto", "onnxruntime" or "torch"; see ``onnx.Model``.
        device: Where it is to run.

    Raises:
        UnsupportedCheckpointError: No candidate recognises the graph.
    """
    candidates = [system for system in systems if isinstance(system, OnnxSystem)]
    for system in candidates:
        if all(key in graph.names for key in system.keys):
            break
    else:
        names = ", ".join(system.name for system in candidates) or "any known ONNX system"
        raise UnsupportedCheckpointError(f"Not a graph of {names}: its outputs are {', '.join(graph.outputs)}.")
    return system.network(onnx.Model(graph.open(*system.dynamic), engine, device)).eval()


def build(state_dict: StateDict, systems: Iterable[System | OnnxSystem]) -> nn.Module:
    """Build the network that a checkpoint belongs to.

    The network is made on the meta device and takes over the checkpoint's own tensors, so nothing is
    initialised in vain or allocated twice. It runs in float32, its weights without gradients.

    Args:
        state_dict: Tensors by name, as published; left unchanged.
        systems: The candidates, for example ``likeness.embed.SYSTEMS``.

    Raises:
        UnsupportedCheckpointError: No candidate recognises the checkpoint.
    """
    candidates = [system for system in systems if isinstance(system, System)]
    for system in candidates:
        if all(key in state_dict for key in system.keys):
            break
    else:
        names = ", ".join(dict.fromkeys(system.name for system in candidates))
        first = ", ".join(list(state_dict)[:3])
        raise UnsupportedCheckpointError(
            f"Not a checkpoint of {names}: it holds {len(state_dict)} tensors, the first are {first}."
        )
    with torch.device("meta"):
        network = system.network(**system.hparams(state_dict))
    used = {name: tensor for name, tensor in state_dict.items() if not name.startswith(system.unused)}
    network.load_state_dict(used, strict=True, assign=True)
    computed = [name for name, buffer in network.named_buffers() if buffer.is_meta and name not in used]
    if computed:
        raise RuntimeError(f"{system.name} computes {computed[0]} in its constructor; compute it in forward.")
    return network.float().eval().requires_grad_(False)


def join(parts: Mapping[str, StateDict]) -> dict[str, Tensor]:
    """The state dict of a system that is published in several files.

    Args:
        parts: The tensors of each file by the file's part, which goes before their names; "" leaves them as they are.

    Raises:
        UnsupportedCheckpointError: Two files hold one name.
    """
    joined: dict[str, Tensor] = {}
    for part, tensors in parts.items():
        named = {f"{part}.{name}" if part else name: tensor for name, tensor in tensors.items()}
        if both := joined.keys() & named.keys():
            raise UnsupportedCheckpointError(f"Expected files that share no tensor, got {min(both)} twice.")
        joined |= named
    return joined


def read_text(path: str) -> dict[str, Tensor]:
    """A text file as a tensor ``text`` of its bytes, so that a vocabulary is joined like any other part.

    Raises:
        UnsupportedCheckpointError: It is no text.
    """
    with open(path, "rb") as file:
        held = file.read()
    if not held or b"\0" in held:
        raise UnsupportedCheckpointError(f"Expected a text, got {'nothing' if not held else 'other bytes'} in {path}.")
    return {"text": torch.frombuffer(bytearray(held), dtype=torch.uint8)}


def count(state_dict: StateDict, prefix: str) -> int:
    """How many numbered children a module has: 3 if the keys are ``{prefix}.0.`` to ``{prefix}.2.``."""
    start = len(prefix) + 1
    return 1 + max((int(k[start:].split(".", 1)[0]) for k in state_dict if k.startswith(prefix + ".")), default=-1)
