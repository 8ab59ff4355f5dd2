"""StyleGAN2's synthesis network: a face from a code of one row per layer.

Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020. https://arxiv.org/abs/1912.04958
Names and arithmetic are those of rosinality/stylegan2-pytorch, as e4e's checkpoint holds it; its two operators for CUDA
are plain torch here. The mapping network is left out: the codes come from an encoder.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear, pad

from ..weights import StateDict, count

SLOPE, GAIN = 0.2, math.sqrt(2)  # of the activation
EPS = 1e-8


class EqualLinear(nn.Module):
    """A linear layer whose weights are stored at a deviation of 1."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(out, width)), nn.Parameter(torch.empty(out))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight / math.sqrt(self.weight.shape[1]), self.bias)


class Blur(nn.Module):
    """A small low-pass filter over each channel, between zeros."""

    kernel: Tensor

    def __init__(self, taps: int) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.empty(taps, taps))

    def forward(self, x: Tensor, before: int, after: int) -> Tensor:
        width = x.shape[1]
        kernel = self.kernel.flip(0, 1).to(x).expand(width, 1, -1, -1)
        return conv2d(pad(x, (before, after, before, after)), kernel.contiguous(), groups=width)


class Upsample(nn.Module):
    """Twice the side: zeros between the pixels, then the filter."""

    kernel: Tensor

    def __init__(self, taps: int) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.empty(taps, taps))

    def forward(self, x: Tensor) -> Tensor:
        taps = len(self.kernel)
        kernel, reach = self.kernel[None, None].to(x), taps - 2
        wide = conv_transpose2d(x.flatten(0, 1)[:, None], kernel, stride=2)
        start = taps - 1 - ((reach + 1) // 2 + 1)
        height, width = x.shape[-2] * 2, x.shape[-1] * 2
        return wide[:, 0, start : start + height, start : start + width].reshape(*x.shape[:2], height, width)


class ModulatedConv(nn.Module):
    """A convolution whose input channels a code weighs."""

    def __init__(self, width: int, out: int, kernel: int, code: int, taps: int, demodulate: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, out, width, kernel, kernel))
        self.modulation = EqualLinear(code, width)
        self.demodulate = demodulate
        if taps:
            self.blur = Blur(taps)
        self.taps = taps

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        rows, (_, out, width, kernel, _) = len(x), self.weight.shape
        weight = self.weight * self.modulation(code)[:, None, :, None, None] / math.sqrt(width * kernel**2)
        if self.demodulate:
            weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + EPS)
        flat = x.reshape(1, rows * width, *x.shape[2:])  # each face is a group of its own
        if not self.taps:
            made = conv2d(flat, weight.flatten(0, 1), padding=kernel // 2, groups=rows)
            return made.reshape(rows, out, *made.shape[2:])
        made = conv_transpose2d(flat, weight.transpose(1, 2).flatten(0, 1), stride=2, groups=rows)
        reach = self.taps - 2 - (kernel - 1)
        return self.blur(made.reshape(rows, out, *made.shape[2:]), (reach + 1) // 2 + 1, reach // 2 + 1)


class Bias(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(x + self.bias[:, None, None], SLOPE) * GAIN


class Noise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1))


class StyledConv(nn.Module):
    def __init__(self, width: int, out: int, code: int, taps: int = 0) -> None:
        super().__init__()
        self.conv = ModulatedConv(width, out, 3, code, taps, demodulate=True)
        self.noise, self.activate = Noise(), Bias(out)

    def forward(self, x: Tensor, code: Tensor, noise: Tensor) -> Tensor:
        return self.activate(self.conv(x, code) + self.noise.weight * noise)


class ToRGB(nn.Module):
    def __init__(self, width: int, code: int, taps: int = 0) -> None:
        super().__init__()
        self.conv = ModulatedConv(width, 3, 1, code, 0, demodulate=False)
        self.bias = nn.Parameter(torch.empty(1, 3, 1, 1))
        if taps:
            self.upsample = Upsample(taps)

    def forward(self, x: Tensor, code: Tensor, below: Tensor | None = None) -> Tensor:
        made = self.conv(x, code) + self.bias
        return made if below is None else made + self.upsample(below)


class Constant(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.empty(1, width, 4, 4))


class Synthesis(nn.Module):
    """(N, layers, D) codes to (N, 3, S, S) RGB in about [-1, 1], with the noise that comes with the weights.

    Args:
        widths: Channels at each side, from 4 pixels upwards, each twice the one before.
        code: Numbers of a code's row.
        taps: Of the filter that widens.
    """

    def __init__(self, widths: tuple[int, ...], code: int, taps: int) -> None:
        super().__init__()
        self.input = Constant(widths[0])
        self.conv1, self.to_rgb1 = StyledConv(widths[0], widths[0], code), ToRGB(widths[0], code)
        self.convs, self.to_rgbs, self.noises = nn.ModuleList(), nn.ModuleList(), nn.Module()
        for width, out in pairwise(widths):
            self.convs.extend([StyledConv(width, out, code, taps), StyledConv(out, out, code)])
            self.to_rgbs.append(ToRGB(out, code, taps))
        for number in range(2 * len(widths) - 1):
            side = 4 * 2 ** ((number + 1) // 2)
            self.noises.register_buffer(f"noise_{number}", torch.empty(1, 1, side, side))

    def forward(self, codes: Tensor) -> Tensor:
        noise = [buffer.to(codes) for buffer in self.noises.buffers()]
        x = self.conv1(self.input.input.expand(len(codes), -1, -1, -1), codes[:, 0], noise[0])
        image = self.to_rgb1(x, codes[:, 1])
        for number, to_rgb in enumerate(self.to_rgbs):
            first = 2 * number + 1
            for layer in (first, first + 1):
                x = self.convs[layer - 1](x, codes[:, layer], noise[layer])
            image = to_rgb(x, codes[:, first + 2], image)
        return image


def hparams(state_dict: StateDict, prefix: str) -> dict[str, object]:
    """The arguments of ``Synthesis``; ``prefix`` goes before the names of its tensors."""
    levels = range(count(state_dict, f"{prefix}to_rgbs"))
    outs = [state_dict[f"{prefix}convs.{2 * level}.conv.weight"].shape[1] for level in levels]
    first, code = state_dict[f"{prefix}conv1.conv.modulation.weight"].shape
    return {
        "widths": (first, *outs),
        "code": code,
        "taps": len(state_dict[f"{prefix}to_rgbs.0.upsample.kernel"]),
    }
