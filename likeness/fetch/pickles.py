"""The tensors of a pickle, once, as a safetensors file. No code in a pickle runs: what is not a tensor is a stub."""

from __future__ import annotations

import builtins
import collections
import io
import logging
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ..manifest import Conversion
from .part import explained, put

# Top-level entries that only training needs, left out where a manifest does not say what to keep.
LEFTOVERS = ("optim", "lr_sched", "sched", "scaler")

EVERYTHING = Conversion()
BUILTINS = ("set", "frozenset", "list", "dict", "tuple", "int", "float", "complex", "bool", "slice")

log = logging.getLogger(__name__)


class Stub:
    """Stands for an object of a class that is not rebuilt: holds what the pickle says of it."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Stub:
        stub = super().__new__(cls)
        stub.state = {}
        return stub

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: dict[Any, Any]

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, Mapping):
                self.state.update(part)

    def __setitem__(self, key: Any, value: Any) -> None:  # of a subclass of dict
        self.state[key] = value

    def extend(self, values: Any) -> None:  # of a subclass of list
        self.state.update(enumerate(values, len(self.state)))

    def append(self, value: Any) -> None:
        self.extend([value])


def convert(path: Path, target: Path, conversion: Conversion) -> None:
    """Write the tensors of a pickle as safetensors; ``target`` is there when it is whole.

    Raises:
        ValueError: It would run code, or holds no tensors where the manifest says.
    """
    tensors = read_tensors(path, conversion)
    part = target.with_name(target.name + ".part")
    with explained(target):
        save_file(own(tensors), part, metadata={"format": "pt", "from": path.name.removesuffix(".arrived")})
        put(part, target)


def read_tensors(path: Path, conversion: Conversion = EVERYTHING) -> dict[str, Tensor]:
    """The tensors of a pickle by name, training leftovers dropped; memory is mapped where the format allows.

    Raises:
        ValueError: As in ``convert``.
    """
    found = _read(path, conversion.classes)
    for name in filter(None, conversion.keep.split(".")):
        inside = found.state if isinstance(found, Stub) else found
        if not isinstance(inside, Mapping) or name not in inside:
            raise ValueError(f"Expected {conversion.keep} in {path}, got {_describe(inside)}: correct the manifest.")
        found = inside[name]
    if not conversion.keep and isinstance(found, Mapping):
        found = {key: value for key, value in found.items() if not _is_leftover(key, value)}
    tensors = {name.removeprefix(conversion.strip): tensor for name, tensor in _walk(found, ())}
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(conversion.drop or "\0")}
    if not kept:
        raise ValueError(f"Expected tensors in {path}, got {_describe(found)}.")
    return kept


def _read(path: Path, classes: tuple[str, ...]) -> Any:
    with path.open("rb") as file:
        start = file.read(2)
    zipped = start == b"PK"
    if not zipped and start[:1] != b"\x80":  # torch.load unpacks tar files, whatever it is told
        raise ValueError(f"Expected a pickle, got {path}, which begins with {start!r}: it is another kind of file.")
    try:
        return _read_torch(path, classes) if zipped else _read_stream(path, classes)
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"Expected a pickle of tensors, got {path}: {error}") from error


def _read_stream(path: Path, classes: tuple[str, ...]) -> Any:
    """A plain pickle, or torch's format before zip: several in a row, the first a number."""
    with path.open("rb") as file:
        found = _restricted(classes).load(file, encoding="latin1")
    if isinstance(found, int) and found == torch.serialization.MAGIC_NUMBER:
        return _read_torch(path, classes, mmap=False)
    return found


def _read_torch(path: Path, classes: tuple[str, ...], mmap: bool = True) -> Any:
    if mmap:
        with zipfile.ZipFile(path) as zipped:
            if any(name.endswith("/constants.pkl") for name in zipped.namelist()):  # torch.load would run it
                raise ValueError("it is a TorchScript program. Refused, nothing of it ran: get a .safetensors file.")
    try:
        return torch.load(str(path), map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:  # more than tensors: what it may hold is written down below
        log.info("%s is no plain state dict: %s", path, error)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Couldn't retrieve source code")  # of stubs
        # weights_only takes no other unpickler. Ours resolves names to stubs and a fixed list, and to nothing else.
        return torch.load(
            str(path),
            map_location="cpu",
            weights_only=False,
            mmap=mmap,
            pickle_module=_restricted(classes),
            encoding="latin1",
        )


def _restricted(classes: tuple[str, ...]) -> Any:
    """What ``torch.load`` takes for the module ``pickle``: rebuilds tensors, arrays and containers."""
    allowed = _allowed()
    stubs: dict[str, type[Stub]] = {}

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            known = f"{module}.{name}"
            if known in allowed:
                found = allowed[known]
                # A pickle can set attributes on what it names: of a function it gets a throw-away copy.
                return partial(found) if isinstance(found, (FunctionType, BuiltinFunctionType)) else found
            if known == "torch.storage._load_from_bytes":
                return partial(_load_from_bytes, restricted)
            if known in classes or module.startswith("torch.nn."):
                return stubs.setdefault(known, type(name, (Stub,), {"__module__": "stub"}))
            raise ValueError(
                f"it names {known}, which is no tensor. Refused, nothing of it ran: get a .safetensors file. If this "
                "is plain data, its manifest may list the class."
            )

    restricted: Any = ModuleType("restricted")
    restricted.Unpickler = Unpickler
    restricted.load = lambda file, **options: Unpickler(file, **options).load()
    return restricted


@cache
def _allowed() -> dict[str, Any]:
    """What a pickle of tensors, arrays and containers may name. Functions here must do nothing but rebuild."""
    reconstruct, scalar = np.zeros(1).__reduce__()[0], np.float64(1).__reduce__()[0]
    rebuild = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")
    dtypes = [name for name, value in vars(torch).items() if isinstance(value, torch.dtype)]
    return {
        **{f"{module}.{name}": getattr(builtins, name) for name in BUILTINS for module in ("builtins", "__builtin__")},
        **{f"torch._utils.{name}": getattr(torch._utils, name) for name in rebuild},
        **{f"torch.{name}": getattr(torch, name) for name in (*dtypes, "Size", "device")},
        "collections.OrderedDict": collections.OrderedDict,
        "_codecs.encode": _encode,
        "copyreg._reconstructor": _reconstructor,
        "copy_reg._reconstructor": _reconstructor,
        "numpy.dtype": np.dtype,
        "numpy.ndarray": np.ndarray,
        **{f"numpy.{core}.multiarray._reconstruct": reconstruct for core in ("core", "_core")},
        **{f"numpy.{core}.multiarray.scalar": scalar for core in ("core", "_core")},
        **{f"numpy.{core}.numeric._frombuffer": _from_buffer for core in ("core", "_core")},
    }


def _encode(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise ValueError(f"Expected bytes as latin1, got {encoding}.")
    return text.encode("latin1")


def _from_buffer(buffer: bytes, dtype: Any, shape: tuple[int, ...], order: Literal["C", "F"]) -> Any:
    """How protocol 5 writes an array."""
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)


def _reconstructor(cls: Any, base: Any, state: Any) -> Any:
    """How protocols 0 and 1 write an object."""
    if not (isinstance(cls, type) and issubclass(cls, Stub)):
        raise ValueError(f"it makes a {cls} in the manner of Python 2. Refused, nothing of it ran.")
    return cls()


def _load_from_bytes(restricted: Any, data: bytes) -> Any:
    """How a storage is written inside a plain pickle."""
    if data[:1] != b"\x80":
        raise ValueError("Expected a torch storage, got other bytes.")
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=False, pickle_module=restricted)


def _is_leftover(key: Any, value: Any) -> bool:
    return isinstance(key, str) and key.startswith(LEFTOVERS) and not isinstance(value, Tensor)


def _walk(value: Any, path: tuple[str, ...], above: frozenset[int] = frozenset()) -> Iterator[tuple[str, Tensor]]:
    """The tensors below a value, named by the way to them; a module's are named as in its state dict."""
    if isinstance(value, Tensor):
        yield ".".join(path) or "value", value.detach()
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        yield ".".join(path) or "value", torch.from_numpy(value.astype(value.dtype.newbyteorder("=")))
    if isinstance(value, Stub):
        value = _module_state(value.state) if "_modules" in value.state else value.state
    elif isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    if isinstance(value, Mapping) and id(value) not in above:
        for key, inner in value.items():
            yield from _walk(inner, (*path, str(key)), above | {id(value)})


def _module_state(state: Mapping[Any, Any]) -> dict[Any, Any]:
    passing = state.get("_non_persistent_buffers_set", ())
    buffers = {name: buffer for name, buffer in state.get("_buffers", {}).items() if name not in passing}
    return {**state.get("_parameters", {}), **buffers, **state["_modules"]}


def own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors of which no two share memory, as safetensors wants them."""
    apart, seen = {}, set()
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone(memory_format=torch.contiguous_format) if storage in seen else tensor.contiguous()
        seen.add(storage)
    return apart


def _describe(found: Any) -> str:
    if isinstance(found, Mapping):
        return f"a mapping of {', '.join(map(str, list(found)[:8])) or 'nothing'}"
    return f"a {type(found).__name__}"
