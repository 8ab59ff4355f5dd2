"""An ONNX file as read: what it is called, what shapes it has, and which of them can be opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..fingerprint import fingerprint
from .proto import Proto, Shape, Socket, fields, parse, write

# Fields of ModelProto and GraphProto in onnx/onnx.proto.
GRAPH = 7
INPUT, OUTPUT, VALUE_INFO = 11, 12, 13
CHANNELS = (1, 3, 4)  # grey, RGB, RGBA


@dataclass(frozen=True, eq=False)
class Graph:
    """An ONNX file as read, not yet running."""

    data: bytes
    proto: Proto

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(socket.name for socket in self.proto.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(socket.name for socket in self.proto.outputs)

    @property
    def names(self) -> frozenset[str]:
        """Names of inputs, outputs and weights: what a system is recognised by."""
        return frozenset(self.shapes)

    @property
    def shapes(self) -> dict[str, Shape | None]:
        """Shapes of inputs, outputs and weights, by name; None stands for a free size, or for no shape given."""
        sockets = (*self.proto.inputs, *self.proto.outputs)
        weights = {name: weight.shape for name, weight in self.proto.initializers.items()}
        return {**weights, **{socket.name: socket.shape for socket in sockets}}

    def fingerprint(self) -> str:
        """Eight hexadecimal digits that name the weights by their values."""
        return fingerprint({name: weight.tensor() for name, weight in self.proto.initializers.items()})

    def open(self, *inputs: str) -> Graph:
        """The same graph, its named inputs free in batch, height and width.

        What the file says of the sizes inside and of the outputs is dropped with it. Whether other sizes then run
        is the graph's affair: a size that is built into a Reshape stays.

        Raises:
            ValueError: An input is not there, or is no batch of images.
        """
        if not inputs:
            return self
        sockets = {socket.name: socket for socket in self.proto.inputs}
        for name in inputs:
            if name not in sockets:
                raise ValueError(f"Expected an input among {', '.join(sockets)}, got {name}.")
            if len(sockets[name].shape or ()) != 4:
                raise ValueError(f"Expected a batch of images to open, got {name} of shape {sockets[name].shape}.")
        opened = {name: _free_images(sockets[name]) for name in inputs}
        opened |= {socket.name: _free(socket) for socket in self.proto.outputs}
        data = b"".join(
            write(number, _rewrite(value, opened) if number == GRAPH else value) for number, value in fields(self.data)
        )
        return Graph(data, parse(data))


def read(path: str | Path) -> Graph:
    """Read a graph from an .onnx file.

    Raises:
        ValueError: The file is damaged or no ONNX model.
    """
    data = Path(path).read_bytes()
    try:
        return Graph(data, parse(data))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _free(socket: Socket) -> Socket:
    return replace(socket, shape=None if socket.shape is None else (None,) * len(socket.shape))


def _free_images(socket: Socket) -> Socket:
    """A batch of images of any size; their channels stay."""
    batch, *sizes = socket.shape or ()
    channels = 3 if sizes[0] not in CHANNELS and sizes[2] in CHANNELS else 1  # (B, H, W, C) or (B, C, H, W)
    return replace(socket, shape=tuple(n if axis == channels else None for axis, n in enumerate([batch, *sizes])))


def _rewrite(graph: memoryview, opened: dict[str, Socket]) -> bytes:
    """The graph's bytes with other sockets, and nothing said of the sizes between them."""
    parts = []
    for number, value in fields(graph):
        if number == VALUE_INFO:
            continue
        named = dict(fields(value, 1)).get(1, b"") if number in (INPUT, OUTPUT) else b""
        socket = opened.get(bytes(named).decode())
        parts.append(write(number, _to_bytes(socket) if socket else value))
    return b"".join(parts)


def _to_bytes(socket: Socket) -> bytes:
    """A ValueInfoProto: name, and type with its element and shape; a free size goes by the input's name and axis."""
    tensor = write(1, socket.element)
    if socket.shape is not None:
        dims = [
            write(2, f"{socket.name}_{axis}".encode()) if size is None else write(1, size)
            for axis, size in enumerate(socket.shape)
        ]
        tensor += write(2, b"".join(write(1, dim) for dim in dims))
    return write(1, socket.name.encode()) + write(2, write(1, tensor))
