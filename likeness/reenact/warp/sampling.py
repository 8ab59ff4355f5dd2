"""Reading a picture between its pixels and softening it, and heights of lines."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from ... import filters


def sample(planes: Tensor, xy: Tensor, mode: str = "bicubic") -> Tensor:
    """(C, h, w) a (C, H, W) picture at (h, w, 2) pixel positions; its border goes on outside."""
    grid = (xy + 0.5) * (2 / xy.new_tensor([planes.shape[2], planes.shape[1]])) - 1
    return grid_sample(planes[None], grid[None], mode=mode, padding_mode="border", align_corners=False)[0]


def blur(mask: Tensor, sigma: float) -> Tensor:
    """An (H, W) mask under a Gaussian of ``sigma`` pixels; its border goes on outside."""
    return filters.blur(mask[..., None], sigma)[..., 0]


def pixels(x1: int, y1: int, x2: int, y2: int) -> Tensor:
    """(y2 - y1, x2 - x1, 2) the centres of a region's pixels."""
    return torch.stack(torch.meshgrid(torch.arange(x1, x2), torch.arange(y1, y2), indexing="xy"), -1).float()


def line_height(points: Tensor, x: Tensor) -> Tensor:
    """(...) y at (...) x of a line through (P, 2 or more) points from left to right; level beyond its ends."""
    px, py = points[:, 0].contiguous(), points[:, 1]
    right = torch.searchsorted(px, x.contiguous()).clamp(1, len(px) - 1)
    along = ((x - px[right - 1]) / (px[right] - px[right - 1]).clamp(min=1e-6)).clamp(0, 1)
    return torch.lerp(py[right - 1], py[right], along)
