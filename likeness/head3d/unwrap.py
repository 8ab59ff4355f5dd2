"""A photo as a texture: every texel looks where its point of the mesh lies in the photo.

What the photo does not show well (turned away, hidden, outside, not the face) is taken from the other half of the
face, and what neither half shows goes on smoothly from the skin around it, so that no smear or background ends up on
the head. All maps are (S, S), S the side of the texture.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate, max_pool2d

from ..filters import shrink, smoothstep, spread
from ..geometry import sample
from ..landmark.canonical import FACE_OVAL, canonical_face, mirror
from ..mask import grow
from ..raster import Raster, rasterize
from ..render.textured import vertex_normals

# Cosines to the camera: below the first a texel is not trusted, from the second on it is.
MIDDLE_FACING, SIDE_FACING = (0.1, 0.3), (0.28, 0.45)
SIDE = (2.5, 4.5)  # centimetres from the middle of the face, where the side begins: beside nose and mouth
EDGE = (1.5, 3.5)  # centimetres from the border of the face, below the temples, where something else may show
TEMPLE = (2.0, 4.0)  # centimetres above the centre of the canonical face
UNLIKE = (0.05, 0.12)  # mean difference of the channels to the face beside: from the second on it is something else
PATCHES = 40  # along a side of the texture, over which that difference is averaged
SKIN = 0.2  # distance in RGB from the face's median at which a colour says little about skin
# As shares of the width of the face:
OUTLINE = 0.02  # so near to an outline the mesh may be wrong
HIDDEN, NEARBY = 0.04, 0.06  # so far behind what is seen there, or near there, a point is hidden, or may be


def unwrap(image: Tensor, points: Tensor, side: int) -> Tensor:
    """(side, side, 3) the texture of a face in a photo.

    Args:
        image: (H, W, 3) RGB in [0, 1].
        points: (468, 3) the mesh in pixels, z negative towards the viewer.
        side: Of the texture, pixels.
    """
    texels = layout(side)
    where = texels.interpolate(points, canonical_face().triangles)
    pair = texels.covered[:, 1:] & texels.covered[:, :-1]
    step = (where[:, 1:, :2] - where[:, :-1, :2]).norm(dim=-1)[pair].median()  # pixels from one texel to the next
    photo = shrink(image, float(1 / step.clamp(min=1e-6)))
    resize = where.new_tensor([photo.shape[1] / image.shape[1], photo.shape[0] / image.shape[0]])
    colors = sample(photo, (where[..., :2] + 0.5) * resize - 0.5, "bicubic", "border").clamp(0, 1)
    seen, doubtful, facing = visibility(points, where, image.shape[:2])
    trusted = trust(colors, facing) * seen * texels.covered
    better = sample((trusted * (1 - doubtful))[..., None], _mirrored(side), "bilinear")[..., 0]
    return fill(colors, trusted * (1 - doubtful * better))


def visibility(points: Tensor, where: Tensor, image_size: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """How the photo shows each texel, three maps: how far it does, whether something near may hide it, its facing.

    Args:
        points: (468, 3) the mesh in pixels.
        where: (S, S, 3) the place of each texel on it.
        image_size: (height, width) of the photo, pixels.

    Returns:
        (S, S) in [0, 1]; (S, S) 0 or 1, where a nose in front may be wider than its mesh; (S, S) the cosine between
        normal and camera.
    """
    triangles = canonical_face().triangles
    inside = ((where[..., :2] >= 0) & (where[..., :2] <= where.new_tensor([image_size[1], image_size[0]]) - 1)).all(-1)
    low = points[:, :2].amin(0).floor() - 1
    width, height = ((points[:, :2].amax(0) - low).ceil().int() + 2).tolist()
    drawn = rasterize(points - torch.cat([low, low.new_zeros(1)]), triangles, height, width, cull=False)
    depth = drawn.depth.clamp(max=float(points[:, 2].max()))
    reach = math.ceil(OUTLINE * width)
    nearby = -max_pool2d(-depth[None], 2 * reach + 1, 1, reach)[0]
    outline = grow(drawn.covered[None].float(), -OUTLINE * width)[0]
    found = sample(torch.stack([depth, nearby, outline], -1), where[..., :2] - low, "bilinear", "border")
    behind = (where[..., 2:] - found[..., :2]) / width
    seen = found[..., 2] * inside * (behind[..., 0] <= HIDDEN)
    return seen, (behind[..., 1] > NEARBY).float(), _over_texture(-vertex_normals(points, triangles)[:, 2], len(where))


def trust(colors: Tensor, facing: Tensor) -> Tensor:
    """(S, S) how surely each texel is the face and not what stands beside or behind it, in [0, 1].

    Args:
        colors: (S, S, 3) in [0, 1].
        facing: (S, S) cosine to the camera.
    """
    side = len(facing)
    sure = torch.lerp(smoothstep(facing, *MIDDLE_FACING), smoothstep(facing, *SIDE_FACING), _beside(side))
    edge = _edge(side)
    unlike = (colors - spread(colors, sure * (1 - edge))).abs().mean(-1)
    patches = adaptive_avg_pool2d(unlike[None, None], PATCHES)
    unlike = interpolate(patches, (side, side), mode="bilinear", align_corners=False)[0, 0]
    return sure * (1 - edge * smoothstep(unlike, *UNLIKE))


def fill(colors: Tensor, trusted: Tensor) -> Tensor:
    """(S, S, 3) a texture without what is not trusted.

    Args:
        colors: (S, S, 3) RGB in [0, 1].
        trusted: (S, S) how far each texel is, in [0, 1].
    """
    mirrored = sample(torch.cat([colors, trusted[..., None]], -1), _mirrored(len(trusted)), "bicubic", "border")
    other, known = mirrored[..., :3], mirrored[..., 3].clamp(0, 1)
    other = other + spread(colors - other, trusted * known)  # lit as this half is
    weight = trusted + (1 - trusted) * known
    mixed = torch.lerp(other, colors, (trusted / weight.clamp(min=1e-6))[..., None])
    certain = weight > 0.9
    usual = mixed[certain].median(0).values if certain.any() else mixed.mean((0, 1))
    skin = torch.exp(-((mixed - usual).square().sum(-1) / SKIN**2))
    return torch.lerp(spread(mixed, weight * (skin + 1e-4)), mixed, weight[..., None]).clamp(0, 1)


@cache
def layout(side: int) -> Raster:
    """Which triangle of the canonical face each texel belongs to."""
    face = canonical_face()
    return rasterize(_texels(face.uv, side), face.triangles, side, side, cull=False)


def _texels(uv: Tensor, side: int) -> Tensor:
    """(V, 3) texture coordinates in texels, flat."""
    return torch.cat([uv * side - 0.5, uv.new_zeros(len(uv), 1)], -1)


def _over_texture(values: Tensor, side: int) -> Tensor:
    """(S, S) from (468,) values of the vertices."""
    return layout(side).interpolate(values[:, None], canonical_face().triangles)[..., 0]


@cache
def _beside(side: int) -> Tensor:
    """(S, S) 1 on the sides of the face, 0 in its middle, where the nose turns away and is skin all the same."""
    return _over_texture(smoothstep(canonical_face().vertices[:, 0].abs(), *SIDE), side)


@cache
def _edge(side: int) -> Tensor:
    """(S, S) 1 at the border of the face below the temples, 0 inside and along the forehead, where hair belongs."""
    vertices = canonical_face().vertices
    distance = torch.cdist(vertices, vertices[list(FACE_OVAL)]).amin(1)
    return _over_texture((1 - smoothstep(distance, *EDGE)) * (1 - smoothstep(vertices[:, 1], *TEMPLE)), side)


@cache
def _mirrored(side: int) -> Tensor:
    """(S, S, 2) the texel on the other half of the face for each texel."""
    face = canonical_face()
    return layout(side).interpolate(_texels(face.uv[mirror()[: len(face)]], side)[:, :2], face.triangles)
