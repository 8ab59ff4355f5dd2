"""Where a face is and how to cut it out: similarity transforms and aligned crops. ``paste.py`` puts them back.

A similarity is a (2, 3) matrix that takes source pixels to crop pixels. Everything is sub-pixel and works on the
region of the face only, so the cost does not grow with the size of the photo.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

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
    "ffhq": (FFHQ_512 + 0.5) / 512 * 112 - 0.5,  # wider: the face with hair
    # 2.3 times the extent of the mean face's landmarks from brow to chin, an eighth up. Source of the numbers:
    # LivePortrait, src/config/crop_config.py; the mean face is MediaPipe's.
    "liveportrait": torch.tensor(
        [[45.5633, 54.4379], [65.4367, 54.4379], [55.5, 64.2054], [47.7766, 76.4042], [63.2234, 76.4042]]
    ),
}
TEMPLATES["head"] = (TEMPLATES["ffhq"] - torch.tensor([55.5, 52.1])) * 0.6 + torch.tensor([55.5, 50.0])  # all of it
FREE = "free"  # upright, around the box
CROPS = (*TEMPLATES, FREE)
PADDING = ("black", "edge", "mirror")  # what a crop shows outside its photo
COARSEST = 4  # samples a side for each pixel; a square that shrinks more is cut from a smaller photo
ROUNDING = 1e-3  # pixels; a crop cut on whole pixels keeps its border
CUBIC = 2  # pixels to each side that cubic interpolation reads


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


def move(matrix: Tensor, points: Tensor) -> Tensor:
    """(N, P, 2) points, each row by its own of (N, 2, 3) matrices."""
    return points @ matrix[:, :, :2].mT + matrix[:, None, :, 2]


def align(
    image: Tensor,
    faces: Faces,
    template: str,
    size: int,
    mode: str = "bilinear",
    padding: str = "black",
    margin: float = 0.0,
) -> tuple[Tensor, Alignment]:
    """Cut each face so that its five points lie on a template, or its box in the middle.

    Args:
        image: (B, H, W, C) in [0, 1].
        faces: The faces in these B images, with five points.
        template: One of ``CROPS``; "free" needs no points.
        size: Side of a crop, pixels.
        mode: "bilinear", as networks were trained on, or "bicubic", which loses less when the crop is pasted back.
        padding: One of ``PADDING``: outside the photo black, its border's pixels, or its mirror image.
        margin: How much more to show on each side, as a share of the crop that the template gives; negative: less.

    Returns:
        (N, size, size, C) crops and how they were cut.

    Raises:
        ValueError: The faces have no points or no extent, or belong to other images.
    """
    check_image(image, faces)
    alignment = Alignment(faces, _crop_matrices(faces, template, size, margin), template, size)
    return cut_again(image, alignment, mode, padding), alignment


def cut_again(image: Tensor, alignment: Alignment, mode: str = "bilinear", padding: str = "black") -> Tensor:
    """(N, S, S, C) the crops of an alignment, out of images of the same size and count.

    Args:
        image: (B, H, W, C) in [0, 1].
        alignment: How to cut.
        mode: As of ``align``.
        padding: As of ``align``.

    Raises:
        ValueError: The faces are of other images, or the padding is unknown.
    """
    faces = alignment.faces
    check_image(image, faces)
    if padding not in PADDING:
        raise ValueError(f"Expected a padding among {', '.join(PADDING)}, got {padding}.")
    border, mirror = padding == "edge", padding == "mirror"
    return cut(image, faces.image_index, alignment.matrix, alignment.size, border, mode, mirror)


def _crop_matrices(faces: Faces, template: str, size: int, margin: float) -> Tensor:
    if template == FREE:
        corner, far = faces.bbox[:, None, :2], faces.bbox[:, None, 2:]
        half = (far - corner).amax(-1, keepdim=True) / 2
        points = torch.cat([(corner + far) / 2 - half, (corner + far) / 2 + half], 1) - 0.5  # as bbox_to_kps
        wanted = torch.tensor([[-0.5, -0.5], [size - 0.5, size - 0.5]])
    elif faces.kps is None:
        raise ValueError(
            "Expected faces with five points, got boxes only: use a detector that gives points, "
            "or Faces from Boxes for upright faces, or the template free."
        )
    else:
        points, wanted = faces.kps, template_points(template, size)
    flat = torch.where((points.amax(1) - points.amin(1)).amax(-1) <= 0)[0].tolist()
    if flat:
        raise ValueError(
            f"Expected faces of some size, got one whose points are all in one place, in image "
            f"{int(faces.image_index[flat[0]])} (counted from 0): leave it out with Select Faces."
        )
    middle = (size - 1) / 2
    return similarity_fit(points, (wanted - middle) / (1 + 2 * margin) + middle)


def cut(
    image: Tensor,
    image_index: Tensor,
    matrix: Tensor,
    size: int,
    border: bool = True,
    mode: str = "bilinear",
    mirror: bool = False,
) -> Tensor:
    """Cut a square for each similarity, smoothed where it shrinks.

    Args:
        image: (B, H, W, C).
        image_index: (N,) which image each square is of.
        matrix: (N, 2, 3) source pixels to pixels of the square.
        size: Side of a square, pixels.
        border: Whether the photo's border goes on outside it; else it is black there.
        mode: "bilinear" or "bicubic".
        mirror: Whether the photo goes on outside as its mirror image, whatever ``border`` says.

    Returns:
        (N, size, size, C) squares.
    """
    squares = image.new_zeros(len(matrix), size, size, image.shape[-1])
    height, width = image.shape[1:3]
    for square, index, inverse in zip(squares, image_index.tolist(), invert(matrix), strict=True):
        scale = float(inverse[:, :2].det().abs().sqrt())  # source pixels a side of each pixel
        shrink = max(1, int(scale / COARSEST))
        finer = math.ceil(scale / shrink - ROUNDING) or 1  # samples a side of each pixel
        pixels = (_pixels(0, 0, size * finer, size * finer) + 0.5) / finer - 0.5
        points, black = transform(inverse, pixels), None
        if mirror:
            points = _fold(points, points.new_tensor([width - 1, height - 1]))
        elif border or mode == "bicubic":
            inside = torch.stack([points[..., 0].clamp(0, width - 1), points[..., 1].clamp(0, height - 1)], -1)
            # Black begins where the photo's own border does not reach back to it when the crop is pasted.
            black = None if border else (points - inside).abs().amax(-1, keepdim=True) > CUBIC * scale + 0.5
            points = inside
        x1, y1, x2, y2 = _region(points, (height, width))
        if x1 < x2 and y1 < y2:
            region = _shrink(image[index, y1:y2, x1:x2], shrink)
            outside = "zeros" if mode == "bilinear" and not (border or mirror) else "border"  # cubic reads a pixel more
            fine = sample(region, (points - torch.tensor([x1, y1]) + 0.5) / shrink - 0.5, mode, outside)
            fine = fine.clamp(0, 1) if mode == "bicubic" else fine  # it overshoots at edges
            fine = fine if black is None else fine.masked_fill(black, 0)
            square.copy_(fine.reshape(size, finer, size, finer, -1).mean((1, 3)))
    return squares


def cut_mask(mask: Tensor, alignment: Alignment) -> Tensor:
    """(N, S, S) what each crop shows of a mask of its image; nothing outside.

    Args:
        mask: (B, H, W) or (1, H, W) in [0, 1].
        alignment: How the crops were cut.

    Raises:
        ValueError: The mask is not of these images.
    """
    faces = alignment.faces
    expected, got = (faces.image_count, *faces.image_size), tuple(mask.shape)
    if len(got) != 3 or got[1:] != expected[1:] or got[0] not in (1, expected[0]):
        raise ValueError(f"Expected a mask of {expected}, one per image or one for all, got {got}: resize it first.")
    index = faces.image_index if got[0] == expected[0] else torch.zeros_like(faces.image_index)
    return cut(mask[..., None], index, alignment.matrix, alignment.size, border=False)[..., 0]


def uncut(squares: Tensor, alignment: Alignment) -> Tensor:
    """(B, H, W) values of squares back where they were cut, 0 elsewhere; smoothed where they shrink.

    Args:
        squares: (N, S, S) in [0, 1], of the side they were cut in or another; where they overlap the largest counts.
        alignment: How they were cut.
    """
    faces = alignment.faces
    values = squares.new_zeros(faces.image_count, *faces.image_size)
    rows = zip(squares, faces.image_index.tolist(), alignment.matrix, invert(alignment.matrix), strict=True)
    for square, index, matrix, inverse in rows:
        zoom = float(matrix[:, :2].det().abs().sqrt()) * len(square) / alignment.size  # its pixels per image pixel
        times = max(1, int(zoom / COARSEST))
        small = _shrink(square[..., None], times)[..., 0]
        filled = small.nonzero()
        if not len(filled):
            continue
        cell = alignment.size / len(square) * times  # a side of its pixels now, as ``matrix`` counts them
        (top, left), (bottom, right) = (filled.amin(0) * cell).tolist(), ((filled.amax(0) + 1) * cell).tolist()
        corners = torch.tensor([[left, top], [right, top], [left, bottom], [right, bottom]]) - 0.5
        x1, y1, x2, y2 = _region(transform(inverse, corners), faces.image_size)
        if x1 >= x2 or y1 >= y2:
            continue
        finer = max(1, math.ceil(zoom / times - ROUNDING))  # samples a side of each pixel
        x = ((torch.arange((x2 - x1) * finer) + 0.5) / finer - 0.5 + x1)[:, None]
        y = ((torch.arange((y2 - y1) * finer) + 0.5) / finer - 0.5 + y1)[:, None, None]
        points = x * matrix[:, 0] + matrix[:, 2] + 0.5 + y * matrix[:, 1]
        grid = points * (2 / cell / len(small)) - 1
        mode = "bicubic" if finer == 1 else "bilinear"
        found = grid_sample(small[None, None], grid[None].to(small), mode, "border", align_corners=False)[0, 0]
        found = found.clamp(0, 1) * ((points > -ROUNDING) & (points < alignment.size + ROUNDING)).all(-1)
        region = values[index, y1:y2, x1:x2]
        region.copy_(torch.maximum(region, found.reshape(y2 - y1, finer, x2 - x1, finer).mean((1, 3))))
    return values


def _fold(points: Tensor, last: Tensor) -> Tensor:
    """Points as a mirror on the first and the ``last`` pixel's centre shows them, as often as it takes."""
    last = last.clamp(min=1e-6)
    return last - ((points % (2 * last)) - last).abs()


def extent(alignment: Alignment) -> Tensor:
    """(N, 4) the upright boxes, xyxy in pixels of the image, around what each crop shows."""
    last = alignment.size - 1.0
    corners = torch.tensor([[0.0, 0.0], [last, 0.0], [0.0, last], [last, last]])
    points = move(invert(alignment.matrix), corners.expand(len(alignment), -1, -1))
    return torch.cat([points.amin(1), points.amax(1)], -1)


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
    """The pixels of an image that sampling at (..., 2) points reads: x1, y1, x2, y2, ends excluded."""
    height, width = image_size
    x1, y1 = (points.reshape(-1, 2).amin(0).floor() - 1).clamp(min=0).int().tolist()  # 1 more, for cubic
    x2, y2 = (points.reshape(-1, 2).amax(0).floor() + 3).int().tolist()
    return x1, y1, min(x2, width), min(y2, height)


def _shrink(image: Tensor, factor: int) -> Tensor:
    """An (H, W, C) image whose pixels are the means of ``factor`` x ``factor`` ones."""
    if factor == 1:
        return image
    return avg_pool2d(image.movedim(-1, 0), factor, ceil_mode=True, count_include_pad=False).movedim(0, -1)


def sample(image: Tensor, points: Tensor, mode: str = "bilinear", padding: str = "zeros") -> Tensor:
    """(h, w, C) an (H, W, C) image at (h, w, 2) pixel positions; bit for bit where they are whole pixels.

    Args:
        image: What is sampled.
        points: Where, x and y.
        mode: "bilinear" or "bicubic".
        padding: What is outside: "zeros" or "border".
    """
    whole = points.round()
    size = points.new_tensor([image.shape[1], image.shape[0]])
    if bool(((points - whole).abs() < ROUNDING).all()):
        column, row = whole.long().unbind(-1)
        found = image[row.clamp(0, image.shape[0] - 1), column.clamp(0, image.shape[1] - 1)]
        outside = ((whole < 0) | (whole >= size)).any(-1, keepdim=True)
        return found if padding == "border" else found.masked_fill(outside, 0)
    grid = ((points + 0.5) / size * 2 - 1).to(image)
    picture = image.movedim(-1, 0)[None]
    return grid_sample(picture, grid[None], mode, padding, align_corners=False)[0].movedim(0, -1)
