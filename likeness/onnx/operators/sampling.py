"""Operators that read between the pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from .kinds import Floats, Ints, unsupported

MODES = {"linear": "bilinear", "cubic": "bicubic"}  # of grid_sample, by ONNX's names since opset 20


def grid_sample(
    x: Tensor, grid: Tensor, align_corners: int = 0, mode: str = "bilinear", padding_mode: str = "zeros"
) -> Tensor:
    return functional.grid_sample(x, grid, MODES.get(mode, mode), padding_mode, bool(align_corners))


def upsample(x: Tensor, scales: Floats, mode: str = "nearest") -> Tensor:
    return resize(x, None, scales, mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode="floor")


ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {  # nearest_mode
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round_prefer_floor": lambda x: torch.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: torch.floor(x + 0.5),
}


class Rule(NamedTuple):
    """How an axis is read; ONNX's words."""

    mode: str
    coordinates: str
    rounding: str
    cubic_a: float
    exclude_outside: bool
    antialias: bool


class Axis(NamedTuple):
    """An axis that changes its length."""

    number: int
    length: int
    size: int  # afterwards
    scale: float  # not always size / length

    @property
    def exact(self) -> bool:
        return self.scale == self.size / self.length


def resize(
    x: Tensor,
    roi: Floats | None = None,
    scales: Floats | None = None,
    sizes: Ints | None = None,
    antialias: int = 0,
    axes: Ints | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
    opset: int = 11,
) -> Tensor:
    if opset < 11:  # X, scales
        return upsample(x, roi or [], mode)
    where = [axis % x.ndim for axis in axes] if axes else list(range(x.ndim))
    lengths = [x.shape[axis] for axis in where]
    if sizes:
        if keep_aspect_ratio_policy != "stretch":
            pick = min if keep_aspect_ratio_policy == "not_larger" else max
            scale = pick(size / length for size, length in zip(sizes, lengths, strict=True))
            sizes = [int(scale * length + 0.5) for length in lengths]
        scales = [size / length for size, length in zip(sizes, lengths, strict=True)]
    else:
        sizes = [int(length * scale) for length, scale in zip(lengths, scales or [], strict=True)]
    every = map(Axis, where, lengths, sizes, scales or [])
    changed = [axis for axis in every if axis.scale != 1 or axis.length != axis.size]
    rule = Rule(
        mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, bool(exclude_outside), bool(antialias)
    )
    if how := _as_torch(x, changed, rule):
        return functional.interpolate(x, [axis.size for axis in changed], **how)
    for axis in changed:
        if mode == "nearest":
            x = x.index_select(axis.number, _nearest(axis, rule).to(x.device))
        else:
            x = torch.movedim(torch.movedim(x, axis.number, -1) @ _weights(axis, rule).to(x).T, -1, axis.number)
    return x


def _as_torch(x: Tensor, changed: list[Axis], rule: Rule) -> dict[str, Any] | None:
    """The arguments of torch's own interpolation, much faster, where it is the same."""
    if x.ndim != 4 or [axis.number for axis in changed] != [2, 3] or rule.antialias or rule.exclude_outside:
        return None
    exact = all(axis.exact for axis in changed)
    if rule.mode == "nearest":
        return {"mode": "nearest"} if exact and all(_is_floor(axis, rule) for axis in changed) else None
    mode = MODES[rule.mode]
    if mode == "bicubic" and rule.cubic_a != -0.75:
        return None
    if rule.coordinates == "align_corners":
        return {"mode": mode, "align_corners": True}
    same = rule.coordinates == "half_pixel" or (
        rule.coordinates == "pytorch_half_pixel" and all(axis.size > 1 for axis in changed)
    )
    return {"mode": mode, "align_corners": False} if exact and same else None


def _coordinates(axis: Axis, how: str) -> Tensor:
    """(size,) where each pixel lies in the axis that is read."""
    x = torch.arange(axis.size, dtype=torch.float32)
    if how == "asymmetric":
        return x / axis.scale
    if how == "align_corners":
        return x * ((axis.length - 1) / (axis.size - 1)) if axis.size > 1 else x
    if how == "pytorch_half_pixel" and axis.size == 1:
        return x
    if how == "tf_half_pixel_for_nn":
        return (x + 0.5) / axis.scale
    if how == "half_pixel_symmetric":
        lost = axis.size / (axis.length * axis.scale)  # by rounding the size down
        return axis.length / 2 * (1 - lost) + (x + 0.5) / axis.scale - 0.5
    if how in ("half_pixel", "pytorch_half_pixel"):
        return (x + 0.5) / axis.scale - 0.5
    raise unsupported(f"Resize with the coordinate_transformation_mode {how}")


@lru_cache(64)
def _nearest(axis: Axis, rule: Rule) -> Tensor:
    """(size,) which pixel each one copies."""
    x = _coordinates(axis, rule.coordinates)
    return ROUNDINGS[rule.rounding](x).clamp(0, axis.length - 1).long()


@lru_cache(64)
def _is_floor(axis: Axis, rule: Rule) -> bool:
    """Whether pixels are copied as torch does it."""
    return torch.equal(_nearest(axis, rule), torch.arange(axis.size) * axis.length // axis.size)


@lru_cache(64)
def _weights(axis: Axis, rule: Rule) -> Tensor:
    """(size, length) what each pixel takes of those that are read."""
    x = _coordinates(axis, rule.coordinates)[:, None]
    stretch = max(1.0, 1 / axis.scale) if rule.antialias else 1.0
    reach = int((2 if rule.mode == "cubic" else 1) * stretch) + 1
    taps = x.floor() + torch.arange(-reach, reach + 1)
    distance = ((taps - x) / stretch).abs()
    weight = _cubic(distance, rule.cubic_a) if rule.mode == "cubic" else (1 - distance).clamp(min=0)
    if rule.exclude_outside:
        weight = weight * ((taps >= 0) & (taps < axis.length))
    weight = weight / weight.sum(1, keepdim=True)
    whole = torch.zeros(axis.size, axis.length)
    return whole.scatter_add_(1, taps.clamp(0, axis.length - 1).long(), weight)


def _cubic(x: Tensor, a: float) -> Tensor:
    """Keys' kernel."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


OPERATORS: dict[str, Callable[..., Tensor]] = {"GridSample": grid_sample, "Resize": resize, "Upsample": upsample}
