"""Operators that move numbers about, or make them, and compute none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .kinds import Floats, Ints, Scalar


def shape(x: Tensor, start: int = 0, end: int | None = None) -> Tensor:
    return torch.tensor(x.shape[start:end], dtype=torch.int64)


def size(x: Tensor) -> Tensor:
    return torch.tensor(x.numel())


def identity(x: Tensor) -> Tensor:
    return x


def constant(
    value: Tensor | None = None,
    value_float: float | None = None,
    value_floats: Floats | None = None,
    value_int: int | None = None,
    value_ints: Ints | None = None,
) -> Tensor:
    if value is not None:
        return value
    if value_float is not None or value_floats is not None:
        return torch.tensor(value_floats if value_float is None else value_float, dtype=torch.float32)
    return torch.tensor(value_ints if value_int is None else value_int, dtype=torch.int64)


def constant_of_shape(shape: Ints, value: Tensor | None = None) -> Tensor:
    return torch.zeros(shape) if value is None else value.expand(shape)


def arange(start: Scalar, limit: Scalar, delta: Scalar) -> Tensor:
    return torch.arange(start, limit, delta)


def reshape(x: Tensor, shape: Ints, allowzero: int = 0) -> Tensor:
    return x.reshape([x.shape[axis] if n == 0 and not allowzero else n for axis, n in enumerate(shape)])


def flatten(x: Tensor, axis: int = 1) -> Tensor:
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def squeeze(x: Tensor, axes: Ints | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def unsqueeze(x: Tensor, axes: Ints) -> Tensor:
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def transpose(x: Tensor, perm: Ints | None = None) -> Tensor:
    return x.permute(perm or list(range(x.ndim))[::-1])


def concat(*tensors: Tensor, axis: int) -> Tensor:
    return torch.cat(tensors, axis)


def split(
    x: Tensor, split: Ints | None = None, axis: int = 0, num_outputs: int | None = None, *, outputs: int
) -> tuple[Tensor, ...]:
    return torch.split(x, split if split else -(-x.shape[axis] // (num_outputs or outputs)), axis)


def slice_(x: Tensor, starts: Ints, ends: Ints, axes: Ints | None = None, steps: Ints | None = None) -> Tensor:
    where = [slice(None)] * x.ndim
    backwards = []
    for axis, start, end, step in zip(
        axes or range(len(starts)), starts, ends, steps or [1] * len(starts), strict=True
    ):
        if step > 0:
            where[axis] = slice(start, end, step)
        else:
            backwards.append(
                (axis, torch.arange(x.shape[axis], device=x.device)[_reversed(x.shape[axis], start, end, step)])
            )
    x = x[tuple(where)]
    for axis, rows in backwards:
        x = x.index_select(axis, rows.flip(0))
    return x


def _reversed(length: int, start: int, end: int, step: int) -> slice:
    """A slice with a positive step over what one with a negative step takes, from its other end."""
    taken = range(*slice(start, end if end >= -length else None, step).indices(length))
    return slice(taken[-1], taken[0] + 1, -step) if taken else slice(0, 0)


def expand(x: Tensor, shape: Ints) -> Tensor:
    rank = max(x.ndim, len(shape))
    old, new = [1] * (rank - x.ndim) + list(x.shape), [1] * (rank - len(shape)) + shape
    return x.expand([a if b == 1 else b for a, b in zip(old, new, strict=True)])


def tile(x: Tensor, repeats: Ints) -> Tensor:
    return x.repeat(repeats)


def pad(
    x: Tensor,
    pads: Ints,
    constant_value: Scalar | None = None,
    axes: Ints | None = None,
    mode: str = "constant",
    value: float = 0.0,
) -> Tensor:
    where = axes or range(x.ndim)
    sides = {axis % x.ndim: sides for axis, sides in zip(where, zip(*_halves(pads), strict=True), strict=True)}
    if mode == "constant":
        flat = [number for axis in reversed(range(x.ndim)) for number in sides.get(axis, (0, 0))]
        return functional.pad(x, flat, value=value if constant_value is None else constant_value)
    for axis, (before, after) in sides.items():
        if before or after:
            x = x.index_select(axis, _outside(mode, x.shape[axis], before, after).to(x.device))
    return x


def _halves(pads: Ints) -> tuple[Ints, Ints]:
    return pads[: len(pads) // 2], pads[len(pads) // 2 :]


def _outside(mode: str, length: int, before: int, after: int) -> Tensor:
    """The rows that a padded axis shows."""
    rows, last = torch.arange(-before, length + after), length - 1
    if mode == "edge":
        return rows.clamp(0, last)
    return rows % length if mode == "wrap" else last - (last - rows.abs()).abs()


def depth_to_space(x: Tensor, blocksize: int, mode: str = "DCR") -> Tensor:
    if mode == "CRD":
        return functional.pixel_shuffle(x, blocksize)
    b, c, h, w = x.shape
    blocks = x.reshape(b, blocksize, blocksize, c // blocksize**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(b, c // blocksize**2, h * blocksize, w * blocksize)


def space_to_depth(x: Tensor, blocksize: int) -> Tensor:
    b, c, h, w = x.shape
    blocks = x.reshape(b, c, h // blocksize, blocksize, w // blocksize, blocksize).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(b, c * blocksize**2, h // blocksize, w // blocksize)


def trilu(x: Tensor, k: Scalar = 0, upper: int = 1) -> Tensor:
    return torch.triu(x, int(k)) if upper else torch.tril(x, int(k))


OPERATORS: dict[str, Callable[..., Any]] = {
    "Concat": concat,
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "DepthToSpace": depth_to_space,
    "Expand": expand,
    "Flatten": flatten,
    "Identity": identity,
    "Pad": pad,
    "Range": arange,
    "Reshape": reshape,
    "Shape": shape,
    "Size": size,
    "Slice": slice_,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "Transpose": transpose,
    "Trilu": trilu,
    "Unsqueeze": unsqueeze,
}
