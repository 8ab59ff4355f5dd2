"""Published ONNX graphs behind one face, ``Model``, whatever engine runs them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .graph import Graph, read
from .network import Network
from .runtime import Session, threads

__all__ = ["Graph", "Model", "read", "threads"]


class Model(nn.Module):
    """A graph that runs: tensors in by the order of its inputs, tensors out by name, where the first one came from.

    Args:
        graph: As ``read`` gives it.
        engine: "onnxruntime"; "torch", whose weights are this module's; or "auto": onnxruntime where it is installed
            with a provider for the device, else torch. Neither ever falls back to the CPU.
        device: Where it computes, as torch calls it.

    Raises:
        ValueError: The engine is none of these, or the file is damaged.
        RuntimeError: onnxruntime was asked for and cannot serve the device; says what to install.
        NotImplementedError: The torch engine lacks an operator.
    """

    def __init__(self, graph: Graph, engine: str = "auto", device: str = "cpu") -> None:
        super().__init__()
        if engine not in ENGINES:
            raise ValueError(f"Expected an engine among {', '.join(ENGINES)}, got {engine}.")
        self.sockets, self.outputs = graph.proto.inputs, graph.outputs
        self.fingerprint = graph.fingerprint()  # names the weights by their values
        self.runner = ENGINES[engine](graph, device)

    @property
    def engine(self) -> str:
        """What runs it: "onnxruntime" or "torch"."""
        return "onnxruntime" if isinstance(self.runner, Session) else "torch"

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.runner.device

    @property
    def provider(self) -> str:
        """Onnxruntime's name for where it computes; in torch the device's."""
        return self.runner.provider if isinstance(self.runner, Session) else str(self.device)

    def describe(self) -> str:
        """Engine and provider for people: "onnxruntime, CPUExecutionProvider"."""
        return f"{self.engine}, {self.provider}"

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        """The outputs by name; floats come as float32.

        Args:
            inputs: By the order of the graph's inputs, on any device, of any float type.

        Raises:
            ValueError: Their number or shapes are not the graph's.
        """
        self._check(inputs)
        device = inputs[0].device
        results = zip(self.outputs, self.runner(*inputs), strict=True)
        return {name: x.to(device, torch.float32 if x.is_floating_point() else x.dtype) for name, x in results}

    def _check(self, inputs: tuple[Tensor, ...]) -> None:
        if len(inputs) != len(self.sockets):
            raise ValueError(f"Expected {len(self.sockets)} inputs, got {len(inputs)}.")
        for socket, x in zip(self.sockets, inputs, strict=True):
            wanted = x.shape if socket.shape is None else socket.shape
            if len(wanted) != x.ndim or any(n not in (None, got) for n, got in zip(wanted, x.shape, strict=True)):
                shape = ", ".join("any" if n is None else str(n) for n in wanted)
                raise ValueError(f"Expected {socket.name} of shape ({shape}), got {tuple(x.shape)}.")


def _auto(graph: Graph, device: str) -> Session | Network:
    try:
        return Session(graph, device)
    except RuntimeError:  # no onnxruntime for this device: torch has one
        return Network(graph, device)


ENGINES: dict[str, Callable[[Graph, str], Session | Network]] = {
    "auto": _auto,
    "onnxruntime": Session,
    "torch": Network,
}
