"""ONNX files as they are stored: a protobuf reader for the messages that inference needs.

Field numbers, element types and enums are those of onnx/onnx.proto, https://github.com/onnx/onnx.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
# TensorProto.DataType; strings, complex, 4-bit and 8-bit float numbers have no use here.
DTYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    4: torch.uint16,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    12: torch.uint32,
    13: torch.uint64,
    16: torch.bfloat16,
}
EXTERNAL = 1  # TensorProto.DataLocation

Shape = tuple[int | None, ...]  # None where a size is free


@dataclass(frozen=True)
class Stored:
    """A tensor as stored; ``tensor`` makes it usable."""

    name: str
    shape: tuple[int, ...]
    element: int  # a key of DTYPES
    raw: bytes | memoryview = b""
    typed: tuple[int, ...] = ()  # integers that are not raw
    external: bool = False

    def tensor(self) -> Tensor:
        """The tensor, on the CPU, in memory of its own.

        Raises:
            ValueError: Its numbers lie in another file, are of a kind that torch lacks, or are not all there.
        """
        if self.external:
            raise ValueError(f"Expected one .onnx file, got one that keeps {self.name} in another: merge them to one.")
        if self.element not in DTYPES:
            raise ValueError(f"Expected numbers in {self.name}, got the ONNX element type {self.element}.")
        dtype = DTYPES[self.element]
        if not self.raw:
            # Half floats are stored by their bits; the other small types by their value.
            bits = dtype in (torch.float16, torch.bfloat16)
            values = torch.tensor(self.typed, dtype=torch.int32).to(torch.int16).view(dtype) if bits else self.typed
            flat = torch.as_tensor(values, dtype=dtype)
        else:
            flat = torch.frombuffer(bytearray(self.raw), dtype=dtype)
        count = int(np.prod(self.shape, dtype=np.int64))
        if len(flat) != count:
            raise ValueError(f"Expected {count} numbers in {self.name}, got {len(flat)}: get the file again.")
        return flat.reshape(self.shape)


@dataclass(frozen=True)
class Socket:
    """An input or output of the graph."""

    name: str
    element: int  # a key of DTYPES
    shape: Shape | None  # None where the file says nothing


@dataclass(frozen=True)
class Node:
    op: str
    inputs: tuple[str, ...]  # "" where an optional one is left out
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)  # numbers, strings, tensors, and lists of them
    domain: str = ""


@dataclass(frozen=True)
class Proto:
    """What a model file says."""

    opset: int
    nodes: tuple[Node, ...]  # in an order in which they can run
    initializers: dict[str, Stored]
    inputs: tuple[Socket, ...]  # without the initializers, which old files list here too
    outputs: tuple[Socket, ...]


def parse(data: bytes) -> Proto:
    """Read a model.

    Raises:
        ValueError: The bytes are not an ONNX model, or end too early.
    """
    try:
        return _model(data)
    except (struct.error, UnicodeDecodeError, TypeError) as error:  # bytes that happen to be fields, of another kind
        raise ValueError(f"Expected an ONNX model, got other bytes ({error}): get the file again.") from error


def fields(data: bytes | memoryview, *wanted: int) -> Iterator[tuple[int, Any]]:
    """The fields of a message, or the wanted ones: number, and an int or the bytes."""
    view, at = memoryview(data), 0
    while at < len(view):
        key, at = _varint(view, at)
        number, wire = key >> 3, key & 7
        value: Any
        if wire == VARINT:
            value, at = _varint(view, at)
        elif wire in (FIXED32, FIXED64, BYTES):
            size = {FIXED32: 4, FIXED64: 8}.get(wire, 0)
            if wire == BYTES:
                size, at = _varint(view, at)
            value, at = view[at : at + size], at + size
        else:
            raise ValueError(f"Expected an ONNX model, got other bytes (wire type {wire}): get the file again.")
        if at > len(view):
            raise ValueError(f"Expected {at - len(view)} more bytes of an ONNX model: get the file again.")
        if not wanted or number in wanted:
            yield number, value


def write(number: int, value: bytes | memoryview | int) -> bytes:
    """One field, as ``fields`` gives it."""
    if isinstance(value, int):
        return _to_varint(number << 3 | VARINT) + _to_varint(value)
    return _to_varint(number << 3 | BYTES) + _to_varint(len(value)) + bytes(value)


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(view):
            raise ValueError("Expected more bytes of an ONNX model, the file ends: get it again.")
        byte = view[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("Expected an ONNX model, got other bytes (a number too long): get the file again.")


def _to_varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _integers(value: int | memoryview) -> list[int]:
    """A repeated integer, single or packed."""
    if isinstance(value, int):
        return [_signed(value)]
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(_signed(number))
    return found


def _text(value: memoryview) -> str:
    return memoryview(value).tobytes().decode()


def _model(data: bytes) -> Proto:
    opset, graph = 1, None
    for number, value in fields(data, 7, 8):
        if number == 7:
            graph = value
        else:
            found = dict(fields(value))
            if _text(found.get(1, memoryview(b""))) in ("", "ai.onnx"):
                opset = found.get(2, 1)
    if not isinstance(graph, memoryview):
        raise ValueError("Expected an ONNX model, got bytes without a graph: get the file again.")
    parts: dict[int, list[memoryview]] = {1: [], 5: [], 11: [], 12: []}
    for number, value in fields(graph, *parts):
        parts[number].append(value)
    initializers = {tensor.name: tensor for tensor in map(_stored, parts[5])}
    sockets = [socket for socket in map(_socket, parts[11]) if socket.name not in initializers]
    outputs = tuple(map(_socket, parts[12]))
    if not outputs:
        raise ValueError("Expected an ONNX model, got a graph without outputs: get the file again.")
    return Proto(opset, tuple(map(_node, parts[1])), initializers, tuple(sockets), outputs)


def _node(data: memoryview) -> Node:
    inputs, outputs, attributes, op, domain = [], [], {}, "", ""
    for number, value in fields(data):
        if number == 1:
            inputs.append(_text(value))
        elif number == 2:
            outputs.append(_text(value))
        elif number == 4:
            op = _text(value)
        elif number == 5:
            name, held = _attribute(value)
            attributes[name] = held
        elif number == 7:
            domain = _text(value)
    return Node(op, tuple(inputs), tuple(outputs), attributes, domain)


def _attribute(data: memoryview) -> tuple[str, Any]:
    name, kind, single, many = "", 0, None, []
    for number, value in fields(data):
        if number == 1:
            name = _text(value)
        elif number == 20:
            kind = value
        elif number == 2:
            (single,) = struct.unpack("<f", value)
        elif number == 3:
            single = _signed(value)
        elif number == 4:
            single = bytes(value).decode(errors="replace")
        elif number == 5:
            single = _stored(value).tensor()
        elif number == 7:
            many += [number for (number,) in struct.iter_unpack("<f", value)]
        elif number == 8:
            many += _integers(value)
        elif number == 9:
            many.append(bytes(value).decode(errors="replace"))
    # AttributeProto.AttributeType: 6 and more are lists. Protobuf leaves out numbers that are 0.
    return name, many if kind >= 6 or many else {1: 0.0, 2: 0, 3: ""}.get(kind) if single is None else single


def _stored(data: memoryview) -> Stored:
    held: dict[str, Any] = {"name": "", "element": 0}
    shape: list[int] = []
    raw: list[memoryview] = []
    typed: list[int] = []
    for number, value in fields(data):
        if number == 1:
            shape += _integers(value)
        elif number == 2:
            held["element"] = value
        elif number == 8:
            held["name"] = _text(value)
        elif number in (4, 9, 10):  # packed floats and doubles are stored as raw ones
            raw.append(value)
        elif number in (5, 7, 11):
            typed += _integers(value)
        elif number == 14:
            held["external"] = value == EXTERNAL
    return Stored(shape=tuple(shape), raw=raw[0] if len(raw) == 1 else b"".join(raw), typed=tuple(typed), **held)


def _socket(data: memoryview) -> Socket:
    name, element, shape = "", 0, None
    for number, value in fields(data, 1, 2):
        if number == 1:
            name = _text(value)
            continue
        for part, inner in (found for _, tensor in fields(value, 1) for found in fields(tensor, 1, 2)):
            if part == 1:
                element = inner
            else:
                sizes = (next((size for _, size in fields(dim, 1)), None) for _, dim in fields(inner, 1))
                shape = tuple(size if size and _signed(size) > 0 else None for size in sizes)
    return Socket(name, element, shape)
