"""The photo that is to move: the region around the head, the face in three dimensions, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...landmark.canonical import MESH_POINTS, canonical_face
from ...landmark.procrustes import FLIP, fit
from .head import Face, lift, limit_slope
from .mouth import Mouth
from .outside import Outside, region

MODEL_DEPTH = 0.5  # how much of the depth comes from the canonical face; the mesh's own is noisy


@dataclass(frozen=True, eq=False)
class Source:
    """A face in a photo, ready to be moved. Pixels count from the region's corner."""

    photo: Tensor  # (H, W, 3) RGB in [0, 1]
    corner: tuple[int, int]  # x and y of the region in the photo, pixels
    planes: Tensor  # (3, H, W) the region
    face: Face  # with irises; its shape is seen exactly at its landmarks
    outside: Outside  # the rest of the head
    mouth: Mouth

    def place(self, region: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
        """(H, W, 3) the photo with its (3, h, w) region replaced, and (H, W) where, of (h, w) within the region."""
        picture, mask = self.photo.clone(), self.photo.new_zeros(self.photo.shape[:2])
        x, y = self.corner
        rows, columns = slice(y, y + region.shape[1]), slice(x, x + region.shape[2])
        picture[rows, columns], mask[rows, columns] = region.movedim(0, -1), moved
        return picture, mask


def prepare(photo: Tensor, points: Tensor) -> Source:
    """A face made ready: its depth, its frame, its mouth, and the field that the rest of the head follows.

    Args:
        photo: (H, W, 3) RGB in [0, 1].
        points: (478, 3) the landmarks of the attention mesh, pixels.
    """
    x1, y1, x2, y2 = region(points, photo.shape[0], photo.shape[1])
    planes = photo[y1:y2, x1:x2].movedim(-1, 0).contiguous()
    face = in_three_dimensions(points - points.new_tensor([x1, y1, 0]))
    border = (-x1, -y1, photo.shape[1] - 1 - x1, photo.shape[0] - 1 - y1)
    outside = Outside.around(face, (y2 - y1, x2 - x1), border)
    return Source(photo, (x1, y1), planes, face, outside, Mouth.of(planes, face))


def in_three_dimensions(points: Tensor) -> Face:
    """The face of (478, 3) landmarks, its depth smoothed, its shape seen exactly at them."""
    canonical = canonical_face()
    mesh = points[None, :MESH_POINTS] * FLIP
    frame = fit(canonical.vertices, mesh, canonical.weights)
    flat = frame.undo(mesh)[0]
    depth = torch.lerp(flat[:, 2], canonical.vertices[:, 2], MODEL_DEPTH)
    depth = limit_slope(torch.cat([flat[:, :2], depth[:, None]], -1))
    return Face(frame, lift(frame, points[:MESH_POINTS, :2], depth), points)
