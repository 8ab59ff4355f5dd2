"""Published ONNX graphs behind one face, ``Model``, whatever engine runs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Graph:
    """An ONNX file as read, not yet running."""

    data: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    names: frozenset[str]  # of inputs, outputs and weights: what a system is recognised by

    def open(self, *inputs: str) -> Graph:
        """The same graph, its named inputs free in batch, height and width."""
        return self


def read(path: str | Path) -> Graph:
    """Read a graph from an .onnx file."""
    import onnxruntime

    data = Path(path).read_bytes()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    inputs = tuple(socket.name for socket in session.get_inputs())
    outputs = tuple(socket.name for socket in session.get_outputs())
    return Graph(data, inputs, outputs, frozenset(inputs + outputs))


class Model(nn.Module):
    """A graph that runs: tensors in by the order of its inputs, tensors out by name, on the CPU."""

    def __init__(self, graph: Graph, engine: str = "auto", device: str = "cpu") -> None:
        super().__init__()
        if engine == "torch":
            raise ValueError("Expected the engine auto or onnxruntime, got torch, which is not written yet.")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.graph, self.engine = graph, "onnxruntime"
        self.session = onnxruntime.InferenceSession(graph.data, options, providers=["CPUExecutionProvider"])
        self.provider = self.session.get_providers()[0]

    def describe(self) -> str:
        """What runs it, for people: "onnxruntime, CPUExecutionProvider"."""
        return f"{self.engine}, {self.provider}"

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        feeds = {name: np.ascontiguousarray(x.cpu().numpy()) for name, x in zip(self.graph.inputs, inputs, strict=True)}
        values = self.session.run(None, feeds)
        return {name: torch.from_numpy(value) for name, value in zip(self.graph.outputs, values, strict=True)}
