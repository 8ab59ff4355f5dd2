"""Edited crops put back into their photos, in the region of the face only and without a seam.

A crop is sampled by cubic interpolation on whole regions of the photo, in float32, whatever the photo's dtype. Where
the weight of a crop is 0 the photo's pixels stay bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from .color import match_color, match_grain
from .filters import copy
from .geometry import ROUNDING, check_image, cut, invert, sample, transform
from .types import Alignment

CUT = "bicubic"  # how Align Faces cuts for people who edit
OVERSAMPLED = 2.5  # crop pixels per photo pixel, up to which points are sampled as they are
BANDS = 4  # of the multiband blend; an octave each


@dataclass(frozen=True)
class Blend:
    """How a crop is joined to its photo."""

    feather: float = 0.0  # width of the fade along the crop's border, as a share of its side
    change: bool = False  # paste only what an editor changed, the difference to the crop he was given
    multiband: bool = False  # low frequencies fade far, high ones near
    color: str = "none"  # give the crop the photo's colours first: "none" or a method of ``match_color``
    grain: bool = False  # give the crop the photo's grain first


def paste(
    image: Tensor,
    crops: Tensor,
    alignment: Alignment,
    mask: Tensor | None = None,
    occlusion: Tensor | None = None,
    blend: Blend = Blend(),
) -> Tensor:
    """The photos with the crops in place.

    Args:
        image: (B, H, W, C) the photos; a fourth channel, alpha, is kept.
        crops: (N, S, S, C) edited, in [0, 1], of the side they were cut in or another.
        alignment: How they were cut.
        mask: (N, S', S') or (1, S', S') how much of each crop pixel is taken, in [0, 1]; all of it by default.
        occlusion: (B, H, W) or (1, H, W) what is in front of the faces and stays, in [0, 1].
        blend: How crops and photos are joined.

    Raises:
        ValueError: The crops are not those of the alignment, the photos not those of its faces, or a mask fits neither.
    """
    return paste_(copy(image), crops, alignment, mask, occlusion, blend)


def paste_(
    image: Tensor,
    crops: Tensor,
    alignment: Alignment,
    mask: Tensor | None = None,
    occlusion: Tensor | None = None,
    blend: Blend = Blend(),
) -> Tensor:
    """As ``paste``, writing into photos that belong to the caller, such as the frames of a video he decoded."""
    check_image(image, alignment.faces)
    if len(crops) != len(alignment) or crops.shape[1] != crops.shape[2]:
        raise ValueError(
            f"Expected {len(alignment)} square crops, one per aligned face, got {len(crops)} of {crops.shape[2]} x "
            f"{crops.shape[1]}: connect the crops of Align Faces, edited one by one."
        )
    layers = _layers(image, crops, alignment, mask, blend)
    hidden = _occlusion(image, occlusion)
    indices = alignment.faces.image_index.tolist()
    for layer, index, matrix, inverse in zip(layers, indices, alignment.matrix, invert(alignment.matrix), strict=True):
        box = _region(inverse, alignment.size, alignment.faces.image_size)
        if box is None:
            continue
        rows, columns = box
        front = None if hidden is None else hidden[index % len(hidden), rows, columns]
        _join(image[index, rows, columns, :3], layer, matrix, (columns.start, rows.start), alignment.size, front, blend)
    return image


def _layers(image: Tensor, crops: Tensor, alignment: Alignment, mask: Tensor | None, blend: Blend) -> Tensor:
    """(N, S, S, 4) the colours or changes of each crop, and how much of them is taken."""
    side = crops.shape[1]
    pixels = crops[..., :3].float()
    taken = pixels.new_ones(1, side, side) if mask is None else mask.to(pixels)
    if len(taken) not in (1, len(crops)) or taken.ndim != 3 or taken.shape[1] != taken.shape[2]:
        raise ValueError(
            f"Expected square masks, one for all {len(crops)} crops or one for each, got {tuple(taken.shape)}: cut a "
            "mask of the photo with Align Faces, or make one of the crops."
        )
    if taken.shape[1] != side:
        taken = interpolate(taken[None], (side, side), mode="bilinear", align_corners=False, antialias=True)[0]
    taken = taken.expand(pixels.shape[:3])
    if blend.change or blend.grain or blend.color != "none":
        # What the editor was given, brought to the size he gave back.
        given = cut(image[..., :3].float(), alignment.faces.image_index, alignment.matrix, alignment.size, mode=CUT)
        if side != alignment.size:
            size = (side, side)
            given = interpolate(given.movedim(-1, 1), size, mode="bicubic", align_corners=False, antialias=True)
            given = given.movedim(1, -1)
        if blend.color != "none" and len(pixels):
            pixels = match_color(pixels, given, taken, blend.color)
        if blend.grain and len(pixels):
            pixels = match_grain(pixels, given, taken)
        if blend.change:
            pixels = pixels - given
    return torch.cat([pixels, taken[..., None]], -1)


def _occlusion(image: Tensor, occlusion: Tensor | None) -> Tensor | None:
    if occlusion is not None and (occlusion.shape[1:] != image.shape[1:3] or len(occlusion) not in (1, len(image))):
        expected, got = tuple(image.shape[:3]), tuple(occlusion.shape)
        raise ValueError(f"Expected an occlusion mask of {expected} or one for all, got {got}: resize it first.")
    return None if occlusion is None else occlusion.float()


def _region(inverse: Tensor, size: int, image_size: tuple[int, int]) -> tuple[slice, slice] | None:
    """The rows and columns of a photo that a crop covers, None when it lies outside."""
    corners = torch.tensor([[0.0, 0], [size - 1, 0], [0, size - 1], [size - 1, size - 1]])
    points = transform(inverse, corners)
    (x1, y1), (x2, y2) = points.amin(0).floor().int().tolist(), (points.amax(0).floor() + 2).int().tolist()
    x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, image_size[1]), min(y2, image_size[0])
    return (slice(y1, y2), slice(x1, x2)) if x1 < x2 and y1 < y2 else None


def _join(
    region: Tensor,
    layer: Tensor,
    matrix: Tensor,
    corner: tuple[int, int],
    size: int,
    front: Tensor | None,
    blend: Blend,
) -> None:
    """Write one crop into its region of a photo."""
    height, width = region.shape[:2]
    side = len(layer)
    scale = side / size
    zoom = scale * float(matrix[:, :2].det().abs().sqrt())  # crop pixels per photo pixel
    finer = max(1, math.ceil(zoom / OVERSAMPLED - ROUNDING))
    offsets = (torch.arange(finer) + 0.5) / finer - 0.5
    x, y = (start + torch.arange(length).float() for start, length in zip(corner, (width, height), strict=True))
    grid = torch.stack(
        torch.meshgrid((x[:, None] + offsets).flatten(), (y[:, None] + offsets).flatten(), indexing="xy"), -1
    )
    points = (transform(matrix, grid) + 0.5) * scale - 0.5
    sampled = sample(layer, points, "bicubic", "border")
    away = torch.minimum(points, side - 1 - points).amin(-1)  # pixels to the crop's border, negative outside
    weight = sampled[..., 3].clamp(0, 1) * (away > -ROUNDING)
    if blend.feather:
        fade = ((away + 0.5) / (blend.feather * side)).clamp(0, 1)
        weight = weight * fade * fade * (3 - 2 * fade)
    sampled = torch.cat([sampled[..., :3], weight[..., None]], -1)
    sampled = sampled.reshape(height, finer, width, finer, 4).mean((1, 3))
    pixels, weight = sampled[..., :3], sampled[..., 3:]
    if front is not None:
        weight = weight * (1 - front[..., None])
    here = region.float()
    if blend.change:
        result = here + weight * pixels
    elif blend.multiband:
        result = torch.lerp(here, _multiband(here, pixels, weight), (2 * weight).clamp(max=1))
    else:
        result = torch.lerp(here, pixels, weight)
    result = torch.where(weight > 0, result.clamp(0, 1), here)
    region.copy_(result)


def _multiband(here: Tensor, there: Tensor, weight: Tensor) -> Tensor:
    """Two pictures joined octave by octave. Source: Burt and Adelson, A multiresolution spline, 1983."""
    from kornia.geometry.transform import build_pyramid, pyrup  # takes as long as the pack

    height, width = here.shape[:2]
    bands = min(BANDS, int(math.log2(max(min(height, width), 2))))
    step = 2**bands
    margin = (0, -width % step, 0, -height % step)
    padded = (pad(part.movedim(-1, 0)[None], margin, mode="replicate") for part in (here, there, weight))
    a, b, m = (build_pyramid(part, bands) for part in padded)
    result = torch.lerp(a[-1], b[-1], m[-1])
    for level in reversed(range(bands - 1)):  # of each octave what the coarser one lacks
        ours, theirs = (pyramid[level] - pyrup(pyramid[level + 1]) for pyramid in (a, b))
        result = pyrup(result) + torch.lerp(ours, theirs, m[level])
    return result[0, :, :height, :width].movedim(0, -1)
