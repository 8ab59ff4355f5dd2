"""Faces and pictures whose geometry is known, for tests of the library."""

import math

import torch

from likeness.geometry import template_points, transform
from likeness.types import Faces


def turned(angle: float, scale: float, x: float, y: float) -> torch.Tensor:
    """(5, 2) ArcFace's points turned by degrees, scaled, and moved."""
    cos, sin = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    return transform(torch.tensor([[cos, -sin, x], [sin, cos, y]]), template_points("arcface112", 112))


def one_face(kps: torch.Tensor, size: tuple[int, int] = (480, 640)) -> Faces:
    box = torch.cat([kps.amin(0), kps.amax(0)])[None]
    zero = torch.zeros(1, dtype=torch.int64)
    return Faces(size, 1, zero, zero, box, torch.ones(1), kps[None])


def ramp(height: int = 480, width: int = 640) -> torch.Tensor:
    """(1, H, W, 3) colours that are linear in x and y: bilinear sampling is exact on them."""
    x = torch.linspace(0, 1, width).expand(height, width)
    y = torch.linspace(0, 1, height)[:, None].expand(height, width)
    return torch.stack([x, y, (x + y) / 2], -1)[None]
