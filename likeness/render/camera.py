"""Cameras: where the points of a head lie in a picture, and cameras that look at one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..types3d import Cameras

FIELD_OF_VIEW = math.radians(20)  # vertical; a portrait lens
MARGIN = 1.15  # of the picture around a framed head
AXES = torch.tensor([1.0, -1, -1])  # x right, y up, z towards the viewer, to OpenCV's and back


def project(cameras: Cameras, points: Tensor) -> Tensor:
    """(C, V, 3) x and y in pixels and depth in metres of points in the world.

    Args:
        cameras: C cameras.
        points: (C, V, 3) in metres; each row is seen by its own camera.
    """
    seen = points @ cameras.extrinsics[:, :3, :3].mT + cameras.extrinsics[:, None, :3, 3]
    depth = seen[..., 2:]
    plane = seen[..., :2] if cameras.orthographic else seen[..., :2] / depth
    pixels = plane @ cameras.intrinsics[:, :2, :2].mT + cameras.intrinsics[:, None, :2, 2]
    return torch.cat([pixels, depth], -1)


def frame(vertices: Tensor, image_size: tuple[int, int]) -> Cameras:
    """Pinhole cameras straight in front of things, far enough to see them whole however they turn.

    Args:
        vertices: (N, V, 3) in metres.
        image_size: (height, width) of the pictures, pixels.
    """
    height, width = image_size
    centre = middle(vertices)
    radius = (vertices - centre).norm(dim=-1).amax(-1)
    focal = height / 2 / math.tan(FIELD_OF_VIEW / 2)
    distance = MARGIN * radius * 2 * focal / min(height, width)
    extrinsics = torch.eye(4).repeat(len(vertices), 1, 1)
    extrinsics[:, :3, :3] = torch.diag(AXES)
    extrinsics[:, :3, 3] = -AXES * centre[:, 0]
    extrinsics[:, 2, 3] += distance
    return Cameras(image_size, pinhole(focal, image_size).repeat(len(vertices), 1, 1), extrinsics)


def pinhole(focal: float, image_size: tuple[int, int]) -> Tensor:
    """(3, 3) intrinsics whose axis goes through the middle of the picture; ``focal`` in pixels."""
    height, width = image_size
    return torch.tensor([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def middle(vertices: Tensor) -> Tensor:
    """(N, 1, 3) the middle of the bounding box of (N, V, 3) vertices."""
    return (vertices.amin(1, keepdim=True) + vertices.amax(1, keepdim=True)) / 2


def turn(vertices: Tensor, rotation: Tensor) -> Tensor:
    """(N, V, 3) vertices turned about their middle by a (3, 3) rotation."""
    centre = middle(vertices)
    return (vertices - centre) @ rotation.T + centre
