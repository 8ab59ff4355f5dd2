"""A face in three dimensions and in the picture: a point in centimetres is seen at a pixel, and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...landmark.canonical import LEFT_SIDE, RIGHT_SIDE, canonical_face
from ...landmark.procrustes import FLIP, Similarity

SIDE_X = 3.0  # centimetres from the middle, where the sides of a face begin
SLOPE = 1.6  # of the depth on the sides; with the mesh's own, ears shear and the background is dragged along the jaw


@dataclass(frozen=True, eq=False)
class Face:
    """One face, where it is in a picture."""

    frame: Similarity  # of one row: centimetres to (x, -y, -z) pixels
    shape: Tensor  # (468, 3) centimetres, upright and frontal: x to the image's right, y up, z towards the viewer
    points: Tensor  # (468 or more, 3) the same in pixels, z smaller nearer; then the irises

    @classmethod
    def placed(cls, frame: Similarity, shape: Tensor) -> Face:
        """The face of a (468, 3) shape, seen through a frame."""
        return cls(frame, shape, project(frame, shape))

    @property
    def width(self) -> float:
        """Pixels from one side to the other."""
        return face_width(self.points)


def face_width(points: Tensor) -> float:
    """Pixels from one side of a face to the other, of (468 or more, 2 or 3) landmarks."""
    return torch.dist(points[LEFT_SIDE, :2], points[RIGHT_SIDE, :2]).item()


def limit_slope(shape: Tensor) -> Tensor:
    """(P,) the depth of a face, centimetres, that falls no steeper than ``SLOPE`` along its sides."""
    side = shape[canonical_face().vertices[:, 0].abs() >= SIDE_X]
    reached = side[:, 2] - SLOPE * torch.cdist(shape[:, :2], side[:, :2])
    return torch.maximum(shape[:, 2], reached.amax(1))


def project(frame: Similarity, shape: Tensor) -> Tensor:
    """(P, 3) pixels, z smaller nearer, where (P, 3) centimetres are seen through a frame of one row."""
    return (frame.apply(shape) * FLIP)[0]


def lift(frame: Similarity, xy: Tensor, depth: Tensor) -> Tensor:
    """(P, 3) centimetres, of (P,) depth, that are seen at (P, 2) pixels through a frame of one row."""
    rotation = frame.rotation[0]
    seen = (xy * FLIP[:2] - frame.shift[0, :2]) / frame.scale[0] - depth[:, None] * rotation[:2, 2]
    return torch.cat([seen @ torch.linalg.inv(rotation[:2, :2]).mT, depth[:, None]], -1)
