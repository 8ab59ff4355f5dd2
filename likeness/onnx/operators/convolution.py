"""Convolutions and pooling, in one, two or three dimensions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from .kinds import Ints

CONV = (functional.conv1d, functional.conv2d, functional.conv3d)
CONV_TRANSPOSE = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
MAX_POOL = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
AVG_POOL = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    auto_pad: str = "NOTSET",
    dilations: Ints | None = None,
    group: int = 1,
    kernel_shape: Ints | None = None,
    pads: Ints | None = None,
    strides: Ints | None = None,
) -> Tensor:
    n = weight.ndim - 2
    strides, dilations = strides or [1] * n, dilations or [1] * n
    before, after = _pads(x.shape[2:], list(weight.shape[2:]), strides, dilations, pads, auto_pad)
    if before != after:
        x, before = _pad(x, before, after), [0] * n
    return CONV[n - 1](x, weight, bias, strides, before, dilations, group)


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    auto_pad: str = "NOTSET",
    dilations: Ints | None = None,
    group: int = 1,
    kernel_shape: Ints | None = None,
    output_padding: Ints | None = None,
    output_shape: Ints | None = None,
    pads: Ints | None = None,
    strides: Ints | None = None,
) -> Tensor:
    n = weight.ndim - 2
    strides, dilations = strides or [1] * n, dilations or [1] * n
    extra = output_padding or [0] * n
    before, after = (pads[:n], pads[n:]) if pads else ([0] * n, [0] * n)
    if output_shape or auto_pad.startswith("SAME"):
        wanted = output_shape or [size * stride for size, stride in zip(x.shape[2:], strides, strict=True)]
        full = [
            (size - 1) * stride + (kernel - 1) * dilation + 1 + more
            for size, stride, kernel, dilation, more in zip(
                x.shape[2:], strides, weight.shape[2:], dilations, extra, strict=True
            )
        ]
        total = [max(size - want, 0) for size, want in zip(full, wanted[-n:], strict=True)]
        before, after = _share(total, "SAME_LOWER" if auto_pad == "SAME_UPPER" else "SAME_UPPER")
        before, after = after, before
    even = [min(pair) for pair in zip(before, after, strict=True)] if before == after else [0] * n
    y = CONV_TRANSPOSE[n - 1](x, weight, bias, strides, even, extra, group, dilations)
    if before != after:
        for axis, (first, last) in enumerate(zip(before, after, strict=True), 2):
            y = y.narrow(axis, first, y.shape[axis] - first - last)
    return y


def max_pool(
    x: Tensor,
    kernel_shape: Ints,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Ints | None = None,
    pads: Ints | None = None,
    storage_order: int = 0,
    strides: Ints | None = None,
) -> Tensor:
    n = len(kernel_shape)
    strides, dilations = strides or [1] * n, dilations or [1] * n
    before, after = _pads(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad)
    if before != after or any(pad > kernel // 2 for pad, kernel in zip(before, kernel_shape, strict=True)):
        x, before = _pad(x, before, after, -torch.inf), [0] * n
    return MAX_POOL[n - 1](x, kernel_shape, strides, before, dilations, bool(ceil_mode))


def average_pool(
    x: Tensor,
    kernel_shape: Ints,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    pads: Ints | None = None,
    strides: Ints | None = None,
) -> Tensor:
    n = len(kernel_shape)
    strides = strides or [1] * n
    before, after = _pads(x.shape[2:], kernel_shape, strides, [1] * n, pads, auto_pad)
    pool = AVG_POOL[n - 1]
    even = before == after and all(pad <= kernel // 2 for pad, kernel in zip(before, kernel_shape, strict=True))
    if even:
        return pool(x, kernel_shape, strides, before, bool(ceil_mode), bool(count_include_pad))
    y = pool(_pad(x, before, after), kernel_shape, strides, 0, bool(ceil_mode))
    if count_include_pad:
        return y
    return y / pool(_pad(torch.ones_like(x[:1, :1]), before, after), kernel_shape, strides, 0, bool(ceil_mode))


def global_average_pool(x: Tensor) -> Tensor:
    return x.mean(list(range(2, x.ndim)), keepdim=True)


def global_max_pool(x: Tensor) -> Tensor:
    return x.amax(list(range(2, x.ndim)), keepdim=True)


def _pads(
    sizes: Ints | torch.Size, kernel: Ints, strides: Ints, dilations: Ints, pads: Ints | None, auto_pad: str
) -> tuple[Ints, Ints]:
    """What goes before and after each axis."""
    n = len(kernel)
    if not auto_pad.startswith("SAME"):
        return (pads[:n], pads[n:]) if pads else ([0] * n, [0] * n)
    total = [
        max((-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        for size, k, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True)
    ]
    return _share(total, auto_pad)


def _share(total: Ints, auto_pad: str) -> tuple[Ints, Ints]:
    """Padding shared between the two ends; the odd one goes to the end (SAME_UPPER) or the start."""
    less, more = [n // 2 for n in total], [n - n // 2 for n in total]
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)


def _pad(x: Tensor, before: Ints, after: Ints, value: float = 0.0) -> Tensor:
    sides = [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair]
    return functional.pad(x, sides, value=value)


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "AveragePool": average_pool,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "MaxPool": max_pool,
}
