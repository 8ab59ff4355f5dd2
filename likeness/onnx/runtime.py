"""The onnxruntime engine: a graph in a session of onnxruntime, on the device that is asked for and no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor

from .graph import Graph
from .proto import DTYPES

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}  # by torch's device types
THREADS: ContextVar[int] = ContextVar("threads", default=0)  # of a session that is made; 0: onnxruntime's choice


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Sessions that are made meanwhile compute on so many threads."""
    token = THREADS.set(count)
    try:
        yield
    finally:
        THREADS.reset(token)


def provider_for(device: str) -> str:
    """The execution provider that serves a torch device.

    Raises:
        RuntimeError: onnxruntime is not installed, or has none for it; says what to install.
    """
    other = "or set engine to auto or torch."
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeError(
            "Expected onnxruntime for the engine onnxruntime, it is not installed: "
            f"pip install onnxruntime (onnxruntime-gpu for CUDA), {other}"
        ) from error
    kind = torch.device(device).type
    offered = onnxruntime.get_available_providers()
    if kind not in PROVIDERS:
        raise RuntimeError(f"Expected a device among {', '.join(PROVIDERS)} for onnxruntime, got {device}: {other}")
    if PROVIDERS[kind] not in offered:
        raise RuntimeError(
            f"Expected an onnxruntime with {PROVIDERS[kind]} for {device}, got {', '.join(offered)}: "
            f"pip install onnxruntime-gpu in place of onnxruntime, {other}"
        )
    return PROVIDERS[kind]


class Session:
    """A graph in onnxruntime.

    Raises:
        RuntimeError: There is no provider for the device, or it fails to start.
    """

    def __init__(self, graph: Graph, device: str) -> None:
        self.provider, self.device = provider_for(device), torch.device(device)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = THREADS.get()
        # Threads that spin long after a run slow the torch network that follows two- to threefold; threads that stop at
        # once, or before a small network's run is over, wait for each other and cost some 5 %. 1.23 knows no time.
        older = tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 32)
        stop = ("session.force_spinning_stop", "1") if older else ("session.intra_op.spin_duration_us", "2000")
        options.add_session_config_entry(*stop)
        where = {} if self.provider == PROVIDERS["cpu"] else {"device_id": torch.device(device).index or 0}
        self.session = onnxruntime.InferenceSession(graph.data, options, providers=[(self.provider, where)])
        if self.provider not in self.session.get_providers():  # it then runs on the CPU
            raise RuntimeError(
                f"Expected onnxruntime to start {self.provider} on {device}, it did not: check that its CUDA and cuDNN "
                "are those that onnxruntime-gpu asks for, or set engine to auto or torch."
            )
        self.inputs = [(socket.name, DTYPES[socket.element]) for socket in graph.proto.inputs]

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        feeds = {
            name: np.ascontiguousarray(tensor.detach().to("cpu", dtype).numpy())
            for (name, dtype), tensor in zip(self.inputs, inputs, strict=True)
        }
        return [torch.from_numpy(value) for value in self.session.run(None, feeds)]
