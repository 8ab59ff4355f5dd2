"""The torch engine: a graph executed as a module, its weights under whoever manages the module's memory."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .fold import fold_batch_norms, needed
from .graph import Graph
from .operators import OPERATORS
from .operators.kinds import unsupported
from .proto import Node


@dataclass(frozen=True)
class Step:
    """One operator, ready to run."""

    run: Callable[..., Any]
    args: tuple[Any, ...]  # as they are given, but for:
    reads: tuple[tuple[int, str], ...]  # which of them are tensors, by name
    counts: tuple[tuple[int, str], ...]  # which of those are to be plain numbers, and of what kind
    outputs: tuple[str, ...]
    done: tuple[str, ...] = ()  # tensors that nobody reads afterwards


class Network(nn.Module):
    """A graph in torch.

    All its floats are of one type, its weights'; ``half()`` changes it. It computes on ``device`` even where its
    weights lie elsewhere, as a memory manager may leave them; shapes are computed on the CPU.

    Raises:
        NotImplementedError: It has an operator that is not known here; names it.
    """

    def __init__(self, graph: Graph, device: str) -> None:
        super().__init__()
        proto = graph.proto
        self.device = torch.device(device)
        # Is shown each tensor by name as it comes, and may give another in its place.
        self.watch: Callable[[str, Tensor], Tensor | None] | None = None
        self.inputs, self.outputs = graph.inputs, graph.outputs
        _check_operators(proto.nodes)
        stored = {name: weight.tensor() for name, weight in proto.initializers.items()}
        constants = {name: _one_float_type(tensor, torch.float32) for name, tensor in stored.items()}
        nodes = _fold_constants(needed(list(proto.nodes), self.outputs), constants, proto.opset)
        nodes = fold_batch_norms(nodes, constants, self.outputs)
        steps = [_step(node, constants, proto.opset) for node in nodes]
        read = dict.fromkeys(name for step in steps for _, name in step.reads)
        held = [name for name in (*read, *self.outputs) if name in constants]
        self.names = tuple(dict.fromkeys(name for name in held if constants[name].is_floating_point()))
        self.weights = nn.ParameterList(nn.Parameter(constants[name], requires_grad=False) for name in self.names)
        # Indices, sizes and masks stay on the CPU, where shapes are computed.
        self.integers = {name: constants[name] for name in held if not constants[name].is_floating_point()}
        self.steps = _release(steps, keep={*self.names, *self.integers, *self.outputs})

    @property
    def dtype(self) -> torch.dtype:
        return self.weights[0].dtype if len(self.weights) else torch.float32

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        dtype, away = self.dtype, self.device.type != "cpu"
        values: dict[str, Tensor] = dict(zip(self.names, self.weights, strict=True))
        values |= self.integers
        for name, tensor in zip(self.inputs, inputs, strict=True):
            values[name] = _one_float_type(tensor.to(self.device), dtype)
        for step in self.steps:
            args = list(step.args)
            for at, name in step.reads:
                args[at] = values[name]
            for at, kind in step.counts:
                args[at] = _numbers(args[at], kind)
            if away:
                args = self._gather(args)
            results = _results(step, args, dtype)
            if self.watch is not None:
                seen = {name: self.watch(name, x) for name, x in results.items() if x.is_floating_point()}
                results |= {name: x for name, x in seen.items() if x is not None}
            values |= results
            for name in step.done:
                values.pop(name, None)
        return [values[name] for name in self.outputs]

    def _gather(self, args: list[Any]) -> list[Any]:
        """Brings an operator's tensors to the device, unless it only computes a shape."""
        tensors = [x for x in args if isinstance(x, Tensor)]
        if not any(x.device.type == self.device.type or x.is_floating_point() for x in tensors):
            return args
        return [x.to(self.device) if isinstance(x, Tensor) else x for x in args]


def _check_operators(nodes: tuple[Node, ...]) -> None:
    missing = {node.op for node in nodes if node.op not in OPERATORS or node.domain not in ("", "ai.onnx")}
    if missing:
        raise unsupported(", ".join(sorted(missing)))


def _fold_constants(nodes: list[Node], constants: dict[str, Tensor], opset: int) -> list[Node]:
    """The nodes that depend on an input; what the others make is added to the constants."""
    left = []
    for node in nodes:
        if all(name in constants for name in node.inputs if name):
            step = _step(node, constants, opset)
            args = list(step.args)
            for at, name in step.reads:
                args[at] = constants[name]
            constants |= _results(step, args, torch.float32)
        else:
            left.append(node)
    return left


def _results(step: Step, args: list[Any], dtype: torch.dtype) -> dict[str, Tensor]:
    results = step.run(*args)
    many = results if isinstance(results, list | tuple) else (results,)
    # Some of ONNX's outputs are for training only, and are not made here.
    return {name: _one_float_type(x, dtype) for name, x in zip(step.outputs, many, strict=False)}


def _step(node: Node, constants: dict[str, Tensor], opset: int) -> Step:
    run = OPERATORS[node.op]
    try:
        parameters = dict(inspect.signature(run).parameters)
    except ValueError:  # torch's own functions have none: tensors only
        parameters = {}
    given = {"opset": opset, "outputs": len(node.outputs)}
    options = {**node.attributes, **{name: value for name, value in given.items() if name in parameters}}
    if strange := [name for name in node.attributes if name not in parameters]:
        raise unsupported(f"{node.op} with the attribute {', '.join(strange)}")
    if options:
        run = functools.partial(run, **options)
    args: list[Any] = [None] * len(node.inputs)
    reads, counts = [], []
    positional = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    for at, name in enumerate(node.inputs):
        parameter = positional[at] if at < len(positional) else None
        kind = str(parameter.annotation).split()[0] if parameter else ""
        if not name:
            args[at] = parameter.default if parameter else None
        elif kind in ("Ints", "Floats", "Scalar") and name in constants:
            args[at] = _numbers(constants[name], kind)
        else:
            reads.append((at, name))
            if kind in ("Ints", "Floats", "Scalar"):
                counts.append((at, kind))
    return Step(run, tuple(args), tuple(reads), tuple(counts), node.outputs)


def _numbers(tensor: Tensor, kind: str) -> Any:
    return tensor.item() if kind == "Scalar" else tensor.flatten().tolist()


def _release(steps: list[Step], keep: set[str]) -> list[Step]:
    """The steps, each letting go what is read for the last time."""
    released, seen = [], set(keep)
    for step in reversed(steps):
        names = {name for _, name in step.reads} | set(step.outputs)
        released.append(Step(step.run, step.args, step.reads, step.counts, step.outputs, tuple(names - seen)))
        seen |= names
    return released[::-1]


def _one_float_type(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() and tensor.dtype != dtype else tensor
