"""Where a face is and how to cut it out: similarity transforms, aligned crops, pasting back.

A similarity is a (2, 3) matrix that takes source pixels to crop pixels. Everything is sub-pixel and works on the
region of the face only, so the cost does not grow with the size of the photo.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from .types import Alignment, Faces

# Eye centres, nose tip and mouth corners of the mean face in dlib, image_transforms/interpolation.h.
DLIB_MEAN = torch.tensor(
    [[0.22549, 0.21599], [0.75476, 0.21599], [0.49013, 0.51562], [0.25415, 0.78023], [0.7261, 0.78023]]
)
# The face restorers' crop of side 512. Source: facexlib, utils/face_restoration_helper.py, "for FFHQ faces".
FFHQ_512 = torch.tensor(
    [
        [192.98138, 239.94708],
        [318.90277, 240.1936],
        [256.63416, 314.01935],
        [201.26117, 371.41043],
        [313.08905, 371.15118],
    ]
)
# Five points by name, in pixels of a crop of side 112.
TEMPLATES = {
    # Source: insightface, python-package/insightface/utils/face_align.py.
    "arcface112": torch.tensor(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    ),
    "dlib": ((DLIB_MEAN + 0.25) / 1.5) * 112 - 0.5,  # with its padding of 0.25
    "ffhq": (FFHQ_512 + 0.5) / 512 * 112 - 0.5,  # wider: the whole head
}
ROUNDING = 1e-3  # pixels; a crop cut on whole pixels keeps its border


def template_points(template: str, size: int) -> Tensor:
    """(5, 2) the template's points in a crop of side ``size``, pixels."""
    if template not in TEMPLATES:
        raise ValueError(f"Expected a template among {', '.join(TEMPLATES)}, got {template}.")
    return (TEMPLATES[template] + 0.5) * (size / 112) - 0.5  # pixel centres are whole numbers


def bbox_to_kps(bbox: Tensor) -> Tensor:
    """(N, 5, 2) the points of an upright face whose (N, 4) box is the crop that ArcFace cuts."""
    corner, side = bbox[:, None, :2], (bbox[:, None, 2:] - bbox[:, None, :2])
    return corner + (TEMPLATES["arcface112"] + 0.5) / 112 * side - 0.5


def similarity_fit(source: Tensor, target: Tensor) -> Tensor:
    """The rotations, scales and shifts that bring points closest to others, without reflection.

    In the plane Umeyama's solution is one complex division: a similarity is z -> a z + b.
    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, PAMI 1991.

    Args:
        source: (N, P, 2) points.
        target: (N, P, 2) or (P, 2) where they should go.

    Returns:
        (N, 2, 3) source to target.
    """
    z, w = (torch.complex(*points.double().unbind(-1)) for points in (source, target.expand_as(source)))
    z0, w0 = z.mean(-1, keepdim=True), w.mean(-1, keepdim=True)
    a = ((z - z0).conj() * (w - w0)).sum(-1, keepdim=True) / (z - z0).abs().square().sum(-1, keepdim=True)
    b = w0 - a * z0
    rows = torch.cat([a.real, -a.imag, b.real, a.imag, a.real, b.imag], -1)
    return rows.reshape(-1, 2, 3).float()


def invert(matrix: Tensor) -> Tensor:
    """(N, 2, 3) the transforms that undo (N, 2, 3) ``matrix``."""
    linear = torch.linalg.inv(matrix[..., :2].double())
    return torch.cat([linear, -linear @ matrix[..., 2:].double()], -1).float()


def transform(matrix: Tensor, points: Tensor) -> Tensor:
    """(..., 2) points moved by one (2, 3) matrix."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def align(image: Tensor, faces: Faces, template: str, size: int) -> tuple[Tensor, Alignment]:
    """Cut each face so that its five points lie on a template.

    Args:
        image: (B, H, W, C) in [0, 1].
        faces: The faces in these B images, with five points.
        template: A key of ``TEMPLATES``.
        size: Side of a crop, pixels.

    Returns:
        (N, size, size, C) crops, black outside the photo, and how they were cut.

    Raises:
        ValueError: The faces have no points, or belong to other images.
    """
    check_image(image, faces)
    if faces.kps is None:
        raise ValueError(
            "Expected faces with five points, got boxes only: use a detector that gives points, "
            "or Faces from Boxes for upright faces."
        )
    alignment = Alignment(faces, similarity_fit(faces.kps, template_points(template, size)), template, size)
    return cut(image, faces.image_index, alignment.matrix, size, border=False), alignment


def cut(image: Tensor, image_index: Tensor, matrix: Tensor, size: int, border: bool = True) -> Tensor:
    """Cut a square for each similarity, smoothed where it shrinks.

    Args:
        image: (B, H, W, C).
        image_index: (N,) which image each square is of.
        matrix: (N, 2, 3) source pixels to pixels of the square.
        size: Side of a square, pixels.
        border: Whether the photo's border goes on outside it; else it is black there.

    Returns:
        (N, size, size, C) squares.
    """
    squares = image.new_zeros(len(matrix), size, size, image.shape[-1])
    height, width = image.shape[1:3]
    for square, index, inverse in zip(squares, image_index.tolist(), invert(matrix), strict=True):
        finer = math.ceil(inverse[:, :2].det().abs().sqrt() - ROUNDING) or 1  # samples a side of each pixel
        pixels = (_pixels(0, 0, size * finer, size * finer) + 0.5) / finer - 0.5
        points = transform(inverse, pixels)
        if border:
            points = torch.stack([points[..., 0].clamp(0, width - 1), points[..., 1].clamp(0, height - 1)], -1)
        x1, y1, x2, y2 = _region(points, (height, width))
        if x1 < x2 and y1 < y2:
            fine = _sample(image[index, y1:y2, x1:x2], points - torch.tensor([x1, y1]))
            square.copy_(fine.reshape(size, finer, size, finer, -1).mean((1, 3)))
    return squares


def paste(image: Tensor, crops: Tensor, alignment: Alignment, mask: Tensor | None = None) -> Tensor:
    """Put crops back where ``align`` cut them; outside the crops the photos stay as they are.

    Args:
        image: (B, H, W, C) the photos.
        crops: (N, S, S, C), of the side they were cut in or another.
        alignment: How they were cut.
        mask: (N, S, S) or (1, S, S) how much of each crop pixel is taken, in [0, 1]; all of it by default.

    Raises:
        ValueError: The crops are not those of the alignment, or the images not those of its faces.
    """
    check_image(image, alignment.faces)
    if len(crops) != len(alignment):
        raise ValueError(f"Expected {len(alignment)} crops, one per aligned face, got {len(crops)}.")
    side = crops.shape[1]
    taken = crops.new_ones(1, side, side) if mask is None else mask.to(crops)
    if taken.shape[1:] != crops.shape[1:3] or len(taken) not in (1, len(crops)):
        expected, got = tuple(crops.shape[:3]), tuple(taken.shape)
        raise ValueError(f"Expected a mask of {expected}, one for all or one per crop, got {got}: resize it first.")
    layers = torch.cat([crops, taken.expand(crops.shape[:3])[..., None]], -1)
    scale = side / alignment.size
    result, corners = image.clone(), _pixels(0, 0, alignment.size, alignment.size)[[0, 0, -1, -1], [0, -1, 0, -1]]
    for layer, index, matrix, inverse in zip(
        layers, alignment.faces.image_index.tolist(), alignment.matrix, invert(alignment.matrix), strict=True
    ):
        x1, y1, x2, y2 = _region(transform(inverse, corners), alignment.faces.image_size)
        if x1 >= x2 or y1 >= y2:
            continue
        points = (transform(matrix, _pixels(x1, y1, x2, y2)) + 0.5) * scale - 0.5
        pixels = _sample(layer, points.clamp(0, side - 1))
        inside = ((points > -ROUNDING) & (points < side - 1 + ROUNDING)).all(-1, keepdim=True)
        weight = pixels[..., -1:] * inside
        region = result[index, y1:y2, x1:x2]
        region.copy_(torch.lerp(region, pixels[..., :-1], weight))
    return result


def check_image(image: Tensor, faces: Faces) -> None:
    """Raise ValueError unless the faces were found in this (B, H, W, C) batch."""
    expected, got = (faces.image_count, *faces.image_size), tuple(image.shape[:3])
    if expected != got:
        raise ValueError(
            f"Expected the {expected[0]} images of {expected[2]} x {expected[1]} that the faces were found in, "
            f"got {got[0]} of {got[2]} x {got[1]}: connect the image that went into the detector."
        )


def _pixels(x1: int, y1: int, x2: int, y2: int) -> Tensor:
    """(y2 - y1, x2 - x1, 2) the centres of a region's pixels."""
    return torch.stack(torch.meshgrid(torch.arange(x1, x2), torch.arange(y1, y2), indexing="xy"), -1).float()


def _region(points: Tensor, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The pixels of an image that bilinear sampling at (..., 2) points reads: x1, y1, x2, y2, ends excluded."""
    height, width = image_size
    x1, y1 = points.reshape(-1, 2).amin(0).floor().clamp(min=0).int().tolist()
    x2, y2 = (points.reshape(-1, 2).amax(0).floor() + 2).int().tolist()
    return x1, y1, min(x2, width), min(y2, height)


def _sample(image: Tensor, points: Tensor) -> Tensor:
    """(h, w, C) an (H, W, C) image at (h, w, 2) pixel positions, bilinear, black outside."""
    size = points.new_tensor([image.shape[1], image.shape[0]])
    grid = ((points + 0.5) / size * 2 - 1).to(image)
    return grid_sample(image.movedim(-1, 0)[None], grid[None], align_corners=False)[0].movedim(0, -1)
