"""The upright square that a mesh network sees: around a detected face first, then around the first mesh."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..geometry import check_image, cut, invert
from ..types import Faces, Landmarks
from .canonical import LEFT_EYE_CORNERS, MESH_POINTS, RIGHT_EYE_CORNERS
from .procrustes import camera_matrix

SCALE = 1.5  # of the square to the face; source: mediapipe, face_landmark_front's region of interest
Run = Callable[[Tensor], tuple[Tensor, Tensor]]  # (N, S, S, 3) crops to (N, P, 3) points and (N,) presence


def around_faces(faces: Faces, side: int) -> Tensor:
    """(N, 2, 3) source to square pixels, by box, and turned by the eyes where the faces have points."""
    corners = faces.bbox.reshape(-1, 2, 2)
    eyes = torch.tensor([[0.0, 0], [1, 0]]).expand(len(faces), 2, 2) if faces.kps is None else faces.kps[:, :2]
    return _square(corners.mean(1), SCALE * (corners[:, 1] - corners[:, 0]).amax(-1), eyes, side)


def around_points(points: Tensor, side: int, scale: float = SCALE) -> Tensor:
    """(N, 2, 3) source to square pixels, by (N, P, 2 or more) points of a mesh; ``scale`` is square to face."""
    eyes = points[:, [LEFT_EYE_CORNERS[0], RIGHT_EYE_CORNERS[0]], :2]
    x, y = _axes(eyes)
    axes = torch.stack([x, y], 1)
    upright = points[:, :MESH_POINTS, :2] @ axes.mT
    low, high = upright.amin(1), upright.amax(1)
    centre = ((low + high) / 2)[:, None] @ axes
    return _square(centre[:, 0], scale * (high - low).amax(-1), eyes, side)


def find_mesh(image: Tensor, faces: Faces, side: int, run: Run) -> tuple[Tensor, Tensor, Tensor]:
    """The mesh of each face, found twice: the second square is cut around the first mesh.

    Args:
        image: (B, H, W, 3) RGB in [0, 1].
        faces: The faces in these images; boxes are enough.
        side: Of the square that the network sees, pixels.
        run: The network; its points count from the square's corner, not from a pixel's centre.

    Returns:
        (N, P, 3) xyz in pixels of the image, z as large as x and negative towards the viewer; (N, P, 3) the same as
        the network gave it; (N,) how sure it is that a face is there.
    """
    check_image(image, faces)
    points, *_ = _look(image, faces, around_faces(faces, side), side, run)
    return _look(image, faces, around_points(points, side), side, run)


def to_landmarks(faces: Faces, scheme: str, points: Tensor, mesh: Tensor, presence: Tensor) -> Landmarks:
    """What ``find_mesh`` found, as landmarks of these faces."""
    matrix = camera_matrix(points, faces.image_size)
    return Landmarks(faces, scheme, points, presence[:, None].expand(points.shape[:2]), mesh=mesh, matrix=matrix)


def _look(image: Tensor, faces: Faces, matrix: Tensor, side: int, run: Run) -> tuple[Tensor, Tensor, Tensor]:
    mesh, presence = run(cut(image, faces.image_index, matrix, side))
    back = invert(matrix)
    xy = (mesh[..., :2] - 0.5) @ back[:, :, :2].mT + back[:, None, :, 2]
    z = mesh[..., 2:] * back[:, None, :, 0].norm(dim=-1, keepdim=True)
    return torch.cat([xy, z], -1), mesh, presence


def _axes(eyes: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 2) unit vectors to the right and down of faces whose (N, 2, 2) eyes are level."""
    across = eyes[:, 1] - eyes[:, 0]
    across = torch.where(across.norm(dim=-1, keepdim=True) > 0, across, torch.tensor([1.0, 0]))  # else upright
    x = torch.nn.functional.normalize(across, dim=-1)
    return x, torch.stack([-x[:, 1], x[:, 0]], -1)


def _square(centre: Tensor, extent: Tensor, eyes: Tensor, side: int) -> Tensor:
    linear = torch.stack(_axes(eyes), 1) * (side / extent.clamp(min=1e-3))[:, None, None]
    return torch.cat([linear, (side - 1) / 2 - linear @ centre[..., None]], -1)
