"""Operators that sum up along axes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .kinds import Ints


def over(reduce: Callable[[Tensor, Ints, bool], Tensor]) -> Callable[..., Tensor]:
    """An ONNX reduction from ``reduce(x, axes, keepdims)``."""

    def run(x: Tensor, axes: Ints | None = None, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Tensor:
        if not axes and noop_with_empty_axes:
            return x
        return reduce(x, axes or list(range(x.ndim)), bool(keepdims))

    return run


def prod(x: Tensor, axes: Ints, keep: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(axis, keep)
    return x


def l2(x: Tensor, axes: Ints, keep: bool) -> Tensor:
    return torch.linalg.vector_norm(x, dim=axes, keepdim=keep)


def log_sum_exp(x: Tensor, axes: Ints, keep: bool) -> Tensor:
    return torch.logsumexp(x, axes, keep)


def softmax(x: Tensor, axis: int | None = None, *, opset: int) -> Tensor:
    if opset >= 13:
        return x.softmax(-1 if axis is None else axis)
    start = 1 if axis is None else axis % x.ndim  # before, all axes from this one on were one
    return x.flatten(start).softmax(-1).reshape(x.shape)


def log_softmax(x: Tensor, axis: int | None = None, *, opset: int) -> Tensor:
    if opset >= 13:
        return x.log_softmax(-1 if axis is None else axis)
    start = 1 if axis is None else axis % x.ndim
    return x.flatten(start).log_softmax(-1).reshape(x.shape)


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "LogSoftmax": log_softmax,
    "ReduceL1": over(lambda x, axes, keep: x.abs().sum(axes, keep)),
    "ReduceL2": over(l2),
    "ReduceLogSum": over(lambda x, axes, keep: x.sum(axes, keep).log()),
    "ReduceLogSumExp": over(log_sum_exp),
    "ReduceMax": over(torch.amax),
    "ReduceMean": over(torch.mean),
    "ReduceMin": over(torch.amin),
    "ReduceProd": over(prod),
    "ReduceSum": over(torch.sum),
    "ReduceSumSquare": over(lambda x, axes, keep: x.square().sum(axes, keep)),
    "Softmax": softmax,
}
