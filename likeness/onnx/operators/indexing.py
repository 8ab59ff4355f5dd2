"""Operators that look numbers up by their place, or find the place of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .kinds import Ints, Scalar, unsupported

REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}  # ONNX to torch


def gather(x: Tensor, indices: Tensor, axis: int = 0) -> Tensor:
    axis %= x.ndim
    rows = _from_zero(indices.flatten(), x.shape[axis])
    return x.index_select(axis, rows).reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def gather_elements(x: Tensor, indices: Tensor, axis: int = 0) -> Tensor:
    return x.gather(axis, _from_zero(indices, x.shape[axis]))


def gather_nd(x: Tensor, indices: Tensor, batch_dims: int = 0) -> Tensor:
    batch = x.shape[:batch_dims]
    x = x.flatten(0, batch_dims - 1) if batch_dims else x[None]
    indices = indices.reshape(len(x), *indices.shape[batch_dims:])
    first = torch.arange(len(x), device=x.device).reshape(-1, *[1] * (indices.ndim - 2))
    return x[(first, *indices.unbind(-1))].reshape([*batch, *indices.shape[1:-1], *x.shape[1 + indices.shape[-1] :]])


def scatter_elements(x: Tensor, indices: Tensor, updates: Tensor, axis: int = 0, reduction: str = "none") -> Tensor:
    rows = _from_zero(indices, x.shape[axis])
    if reduction == "none":
        return x.scatter(axis, rows, updates)
    return x.scatter_reduce(axis, rows, updates, REDUCTIONS[reduction])


def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, reduction: str = "none") -> Tensor:
    if reduction not in ("none", "add"):
        raise unsupported(f"ScatterND with the reduction {reduction}")
    return x.index_put(tuple(indices.unbind(-1)), updates, accumulate=reduction == "add")


def one_hot(indices: Tensor, depth: Scalar, values: Tensor, axis: int = -1) -> Tensor:
    hit = _from_zero(indices, int(depth))[..., None] == torch.arange(int(depth), device=indices.device)
    return torch.where(hit, values[1], values[0]).movedim(-1, axis)


def nonzero(x: Tensor) -> Tensor:
    return x.nonzero().T


def top_k(x: Tensor, k: Ints, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[Tensor, Tensor]:
    # Stable, for of equal values the first must come first: torch.topk leaves that open.
    values, indices = torch.sort(x, dim=axis, descending=bool(largest), stable=True)
    return values.narrow(axis, 0, k[0]), indices.narrow(axis, 0, k[0])


def arg_max(x: Tensor, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    if not select_last_index:
        return x.argmax(axis, bool(keepdims))
    return x.shape[axis] - 1 - x.flip(axis).argmax(axis, bool(keepdims))


def arg_min(x: Tensor, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    return arg_max(-x, axis, keepdims, select_last_index)


def cum_sum(x: Tensor, axis: Scalar, exclusive: int = 0, reverse: int = 0) -> Tensor:
    along = int(axis)
    total = x.flip(along).cumsum(along) if reverse else x.cumsum(along)
    total = total.flip(along) if reverse else total
    return total - x if exclusive else total


def non_max_suppression(
    boxes: Tensor,
    scores: Tensor,
    most: Scalar = 0,
    iou_threshold: Scalar = 0.0,
    score_threshold: Scalar = -torch.inf,
    center_point_box: int = 0,
) -> Tensor:
    """(rows, 3) batch, class and box of what is kept, the surest first within a class."""
    from torchvision.ops import nms

    if center_point_box:
        centre, half = boxes[..., :2], boxes[..., 2:] / 2
        boxes = torch.cat([centre - half, centre + half], -1)
    first, second = boxes[..., :2], boxes[..., 2:]  # any two opposite corners
    boxes = torch.cat([torch.minimum(first, second), torch.maximum(first, second)], -1)
    kept = []
    for batch in range(scores.shape[0]):
        for kind in range(scores.shape[1]):
            rows = (scores[batch, kind] > score_threshold).nonzero().flatten()
            rows = rows[nms(boxes[batch, rows], scores[batch, kind, rows], iou_threshold)[: int(most)]]
            kept.append(torch.stack([torch.full_like(rows, batch), torch.full_like(rows, kind), rows], -1))
    return torch.cat(kept)


def _from_zero(indices: Tensor, length: int) -> Tensor:
    return torch.where(indices < 0, indices + length, indices).long()


OPERATORS: dict[str, Callable[..., Any]] = {
    "ArgMax": arg_max,
    "ArgMin": arg_min,
    "CumSum": cum_sum,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "NonMaxSuppression": non_max_suppression,
    "NonZero": nonzero,
    "OneHot": one_hot,
    "Scatter": scatter_elements,
    "ScatterElements": scatter_elements,
    "ScatterND": scatter_nd,
    "TopK": top_k,
}
