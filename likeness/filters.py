"""Pictures copied, shrunk, softened and continued where they are not known. A picture is (H, W, C)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate


def copy(pictures: Tensor) -> Tensor:
    """Pictures or masks of one's own to write into; of a large one on the CPU in a third of the time of ``clone``.

    Most of a clone's time goes into small pages of fresh memory; numpy asks the system for large ones.
    """
    if pictures.device.type != "cpu" or pictures.dtype != torch.float32:
        return pictures.clone(memory_format=torch.contiguous_format)
    return torch.from_numpy(pictures.detach().numpy().copy())


def shrink(picture: Tensor, factor: float) -> Tensor:
    """(h, w, C) a smaller picture without aliasing; the picture itself when the factor is 1 or more."""
    if factor >= 1:
        return picture
    size = [max(1, round(side * factor)) for side in picture.shape[:2]]
    return interpolate(picture.movedim(-1, 0)[None], size, mode="bilinear", antialias=True)[0].movedim(0, -1)


def blur(picture: Tensor, sigma: float) -> Tensor:
    """A picture under a Gaussian of ``sigma`` pixels; its border goes on outside."""
    from kornia.filters import gaussian_blur2d

    reach = min(math.ceil(3 * sigma), min(picture.shape[:2]) - 1)
    planes = picture.movedim(-1, 0)[None].float()
    return gaussian_blur2d(planes, 2 * reach + 1, (sigma, sigma), "replicate")[0].movedim(0, -1)


def spread(picture: Tensor, weight: Tensor) -> Tensor:
    """A picture continued smoothly from where its weight is to where it is not, by pull and push.

    Source: Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4.

    Args:
        picture: (H, W, C).
        weight: (H, W) in [0, 1].
    """
    level = torch.cat([picture * weight[..., None], weight[..., None]], -1).movedim(-1, 0)[None]
    levels = [level]
    while max(level.shape[-2:]) > 1:
        level = 4 * avg_pool2d(level, 2, ceil_mode=True)
        level = level / level[:, -1:].clamp(min=1)  # four pixels say no more than one: the near ones decide
        levels.append(level)
    filled = level[:, :-1] / level[:, -1:].clamp(min=1e-6)
    for finer in reversed(levels[:-1]):
        coarse = interpolate(filled, finer.shape[-2:], mode="bilinear", align_corners=False)
        filled = finer[:, :-1] + coarse * (1 - finer[:, -1:])
    return filled[0].movedim(0, -1)


def smoothstep(x: Tensor, start: float, stop: float) -> Tensor:
    """0 up to start, 1 from stop on, smooth between."""
    t = ((x - start) / (stop - start)).clamp(0, 1)
    return t * t * (3 - 2 * t)
