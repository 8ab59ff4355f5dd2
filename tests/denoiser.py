"""Seeded values for a denoiser under diffusers' names: its pipelines and core's sampler get the same weights.

The sizes are those of tests/host/adapt/toys.py; ``tests/record/pipelines/denoisers.py`` builds diffusers' UNets of them
and writes tests/checkpoints/denoisers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

import seeding

LAST = 0.05  # of conv_out, so that what a denoiser makes has a deviation near 1


def value(name: str, shape: torch.Size) -> Tensor:
    """The tensor of that name: gains near 1, biases near 0, matrices by their fan-in."""
    noise = seeding.noise(name, shape).float()
    if len(shape) > 1:
        noise *= math.sqrt(3 / shape[1:].numel())
    else:
        noise = noise * 0.2 + name.endswith("weight")
    return noise * (LAST if name == "conv_out.weight" else 1)
