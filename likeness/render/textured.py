"""Pictures of meshes with the colours of a texture, of the vertices, or of clay."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

from ..filters import shrink
from ..geometry import sample
from ..raster import Raster, rasterize
from ..types3d import Cameras, Mesh
from .camera import project

SAMPLES = (2, 6)  # along each side of a pixel, the more the finer the texture is
MOST = 16_000_000  # samples of one mesh; bounds the memory
CLAY, AMBIENT = 0.8, 0.35  # how bright clay is towards the camera, and the share of it that is everywhere


def render(mesh: Mesh, cameras: Cameras, texture: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Pictures of N meshes, each by its own camera, both sides shown, with soft edges.

    Args:
        mesh: N meshes.
        cameras: N cameras.
        texture: (N, h, w, 3) RGB in [0, 1] for ``mesh.uv``; without it the vertices' colours are shown, or clay.

    Returns:
        (N, H, W, 3) pictures, their colours multiplied by the coverage, so black where no mesh is; (N, H, W) that
        coverage, in [0, 1].

    Raises:
        ValueError: There is a texture and no texture coordinates, or not a camera for each mesh.
    """
    if texture is not None and mesh.uv is None:
        raise ValueError("Expected texture coordinates for the texture, got a mesh without: render it without.")
    if len(cameras) != len(mesh):
        raise ValueError(f"Expected {len(mesh)} cameras, one per mesh, got {len(cameras)}.")
    layers = torch.zeros(len(mesh), *cameras.image_size, 4)
    seen_from = project(cameras, mesh.vertices)
    for row, (layer, points) in enumerate(zip(layers, seen_from, strict=True)):
        x1, y1, x2, y2 = _region(points[points[:, 2] > 0, :2], cameras.image_size)
        if x1 >= x2 or y1 >= y2:
            continue
        image = None if texture is None else texture[row]
        texels = SAMPLES[0] if image is None else _texels_per_pixel(mesh, image, points)
        affordable = math.isqrt(MOST // ((y2 - y1) * (x2 - x1)))
        finer = max(min(math.ceil(texels), SAMPLES[1], affordable), SAMPLES[0])
        moved = torch.cat([(points[:, :2] - points.new_tensor([x1, y1]) + 0.5) * finer - 0.5, points[:, 2:]], -1)
        drawn = _draw(moved, mesh.triangles, ((y2 - y1) * finer, (x2 - x1) * finer), cameras.orthographic)
        if image is not None and mesh.uv is not None:
            colors = _look_up(drawn, mesh.uv, mesh.triangles, shrink(image, finer / texels))
        elif mesh.colors is not None:
            colors = drawn.interpolate(mesh.colors[row], mesh.triangles)
        else:
            colors = _clay(drawn, mesh.vertices[row], mesh.triangles, cameras.extrinsics[row, :3, :3])
        covered = drawn.covered[..., None].to(colors)
        fine = torch.cat([colors.clamp(0, 1) * covered, covered], -1).movedim(-1, 0)
        layer[y1:y2, x1:x2] = avg_pool2d(fine[None], finer)[0].movedim(0, -1)
    return layers[..., :3], layers[..., 3]


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """(V, 3) unit normals, the triangles around a vertex weighed by their area."""
    a, b, c = vertices[triangles].unbind(1)
    across = torch.linalg.cross(b - a, c - a, dim=-1)
    summed = torch.zeros_like(vertices).index_add(0, triangles.flatten(), across.repeat_interleave(3, 0))
    return normalize(summed, dim=-1)


def _draw(points: Tensor, triangles: Tensor, size: tuple[int, int], orthographic: bool) -> Raster:
    """What each pixel sees; the weights are those on the surface, not those in the picture."""
    if orthographic:
        return rasterize(points, triangles, *size, cull=False)
    nearness = 1 / points[:, 2:]  # linear in the picture, as depth is not
    shown = (points[triangles, 2] > 0).all(1)[:, None]
    triangles = torch.where(shown, triangles, 0)  # what is behind the camera becomes a point
    drawn = rasterize(torch.cat([points[:, :2], -nearness], -1), triangles, *size, cull=False)
    weights = drawn.weights * nearness[triangles[drawn.triangle.clamp(min=0)], 0]
    return replace(drawn, weights=weights / weights.sum(-1, keepdim=True).clamp(min=1e-12))


def _look_up(drawn: Raster, uv: Tensor, triangles: Tensor, texture: Tensor) -> Tensor:
    """(H, W, 3) the colours of an (h, w, 3) texture."""
    size = uv.new_tensor([texture.shape[1], texture.shape[0]])
    return sample(texture, drawn.interpolate(uv, triangles) * size - 0.5, "bicubic", "border")


def _clay(drawn: Raster, vertices: Tensor, triangles: Tensor, rotation: Tensor) -> Tensor:
    """(H, W, 3) grey, lit from the camera."""
    facing = vertex_normals(vertices, triangles) @ -rotation[2]
    light = AMBIENT + (1 - AMBIENT) * drawn.interpolate(facing[:, None], triangles).abs()
    return (CLAY * light).expand(-1, -1, 3)


def _texels_per_pixel(mesh: Mesh, texture: Tensor, points: Tensor) -> float:
    """How many texels, along a side, fall on a pixel: the median of the triangles."""
    assert mesh.uv is not None, "render checks it"
    texels = mesh.uv * mesh.uv.new_tensor([texture.shape[1], texture.shape[0]])
    ratio = _areas(texels[mesh.triangles]) / _areas(points[mesh.triangles, :2]).clamp(min=1e-6)
    return max(float(ratio.median().sqrt()), 1e-6)


def _areas(corners: Tensor) -> Tensor:
    """(F,) of (F, 3, 2) triangles."""
    return torch.linalg.det(corners[:, 1:] - corners[:, :1]).abs() / 2


def _region(points: Tensor, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The pixels of a picture around (V, 2) points: x1, y1, x2, y2, ends excluded."""
    limit = points.new_tensor([image_size[1], image_size[0]])
    low = (points.amin(0).floor() - 1).clamp(min=0) if len(points) else limit
    high = torch.minimum(points.amax(0).ceil() + 2, limit) if len(points) else limit
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
