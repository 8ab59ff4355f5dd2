"""Faces brought onto one canonical face and back, triangle by triangle, so that their heat maps can be added up.

The frame is 224 x 275 pixels. 89 points carry it: iBUG's 68, the jaw's 17 again at the upper edge, four corners.
Source: Gaya-Morey et al., see ``expression_explainability``. There a face fills its photo, and the photo's borders are
the frame's; here the frame lies over a face wherever it is, by the similarity that fits its 68 points best, or, if
asked, as there.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry import check_image, invert, move, sample, similarity_fit, transform
from ..landmark.ibug import points as ibug_points
from ..raster import rasterize
from ..types import Landmarks

WIDTH, HEIGHT = 224, 275  # pixels
JAW = 17
# The 68 points of an average face in it: what dlib's shape_predictor_68_face_landmarks sees in a black picture, whose
# box is the frame without its lowest 25 rows. tests/record/expression_explainability.py makes them again.
_X: tuple[int, ...] = (16, 17, 20, 27, 37, 52, 69, 90, 114, 138, 159, 176, 191, 201, 206, 208, 207, 37, 50, 66, 83)
_X += (97, 121, 135, 152, 168, 182, 109, 110, 110, 110, 89, 100, 111, 122, 132, 53, 63, 75, 86, 75, 63, 134, 145, 157)
_X += (167, 157, 145, 73, 86, 101, 111, 121, 137, 152, 139, 124, 112, 101, 85, 79, 101, 111, 121, 145, 122, 112, 101)
_Y: tuple[int, ...] = (90, 119, 148, 176, 204, 229, 250, 265, 269, 265, 249, 227, 201, 173, 144, 115, 86, 61, 52, 50)
_Y += (53, 61, 61, 53, 49, 50, 58, 79, 99, 118, 138, 151, 156, 159, 155, 151, 81, 74, 74, 81, 84, 85, 80, 73, 73, 79)
_Y += (83, 83, 193, 185, 182, 184, 181, 184, 192, 207, 215, 216, 216, 208, 193, 191, 192, 190, 192, 199, 201, 200)
CANONICAL = torch.tensor([_X, _Y], dtype=torch.float32).T.contiguous()  # (68, 2)


def with_border(points: Tensor, width: int = WIDTH, height: int = HEIGHT) -> Tensor:
    """(89, 2) of (68, 2) points in a frame of this size, those on its border behind them."""
    above = points[:JAW] * torch.tensor([1.0, 0.0])
    corners = torch.tensor([[0, 0], [0, height], [width, 0], [width, height]]).to(points)
    return torch.cat([points, above, corners])


def to_frame(landmarks: Landmarks) -> tuple[Tensor, Tensor]:
    """(N, 68, 2) each face's points in a frame laid over it, and (N, 2, 3) image pixels to frame.

    Raises:
        ValueError: The landmarks are of a scheme that iBUG's 68 points cannot be had from.
    """
    points = ibug_points(landmarks)[..., :2].float()
    matrix = similarity_fit(points, CANONICAL)
    return move(matrix, points), matrix


def to_image(points: Tensor, matrix: Tensor) -> Tensor:
    """(..., 2) points of the frame in the image that (2, 3) ``matrix`` comes from."""
    return transform(invert(matrix[None])[0], points)


def placed(landmarks: Landmarks, fills: bool = False) -> list[Tensor]:
    """(89, 2) the points that carry each face, in pixels of its image.

    Args:
        landmarks: Of any faces.
        fills: A face fills its photo, as in the paper: the photo's borders are the frame's.
    """
    if fills:
        height, width = landmarks.faces.image_size
        return [with_border(points, width, height) for points in ibug_points(landmarks)[..., :2].float()]
    return [to_image(with_border(points), matrix) for points, matrix in zip(*to_frame(landmarks), strict=True)]


def warp(image: Tensor, landmarks: Landmarks, fills: bool = False) -> Tensor:
    """(N, 275, 224, C) each face on the canonical one; 0 where its photo does not reach.

    Args:
        image: (B, H, W, C) the images that the faces are in.
        landmarks: Of these faces.
        fills: See ``placed``.

    Raises:
        ValueError: The faces are in other images, or the scheme of their landmarks is another.
    """
    check_image(image, landmarks.faces)
    target = with_border(CANONICAL)
    warped = image.new_zeros(len(landmarks), HEIGHT, WIDTH, image.shape[-1])
    indices = landmarks.faces.image_index.tolist()
    for one, index, source in zip(warped, indices, placed(landmarks, fills), strict=True):
        triangles = triangulate(source)
        seen = rasterize(_flat(target), triangles, HEIGHT, WIDTH, cull=False)
        one.copy_(sample(image[index], seen.interpolate(source, triangles)) * seen.covered[..., None])
    return warped


def unwarp(canonical: Tensor, landmarks: Landmarks, fills: bool = False) -> Tensor:
    """(B, H, W, C) what lies on the canonical face, back on each face of its image; 0 elsewhere.

    Args:
        canonical: (N, 275, 224, C), one for each face, or (1, 275, 224, C) for all. Of faces that overlap the larger
            value counts.
        landmarks: Of the faces.
        fills: See ``placed``.

    Raises:
        ValueError: It is of another size or number.
    """
    if tuple(canonical.shape[1:3]) != (HEIGHT, WIDTH) or len(canonical) not in (1, len(landmarks)):
        number = "1" if len(landmarks) == 1 else f"1 or {len(landmarks)}"
        raise ValueError(
            f"Expected {number} canonical pictures of {WIDTH} x {HEIGHT}, one for all faces or one each, got "
            f"{len(canonical)} of {canonical.shape[2]} x {canonical.shape[1]}: take those of Warp to Canonical Face, "
            "for these faces."
        )
    height, width = landmarks.faces.image_size
    images = canonical.new_zeros(landmarks.faces.image_count, height, width, canonical.shape[-1])
    target, each = with_border(CANONICAL), canonical.expand(len(landmarks), *canonical.shape[1:])
    indices = landmarks.faces.image_index.tolist()
    for one, index, source in zip(each, indices, placed(landmarks, fills), strict=True):
        triangles = triangulate(source)
        seen = rasterize(_flat(source), triangles, height, width, cull=False)
        found = sample(one, seen.interpolate(target, triangles)) * seen.covered[..., None]
        images[index] = torch.maximum(images[index], found)
    return images


def triangulate(points: Tensor) -> Tensor:
    """(F, 3) int64, Delaunay's triangles of (P, 2) points."""
    from scipy.spatial import Delaunay

    return torch.from_numpy(Delaunay(points.double().numpy()).simplices).long()


def _flat(points: Tensor) -> Tensor:
    """(P, 3) points of one depth, as ``rasterize`` takes them."""
    return torch.cat([points, torch.zeros_like(points[:, :1])], 1)
