"""Where a head turns: the canonical face fitted to its landmarks by weighted orthogonal Procrustes.

Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, PAMI 1991, with the
weights of MediaPipe's face geometry. Landmarks are fitted in the frame of the canonical face: (x, -y, -z) of the
image, that is x to the image's right, y up, z towards the viewer, in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ..types import HeadPose, Landmarks
from ..value import Value, cat
from .canonical import IBUG68, MESH_POINTS, canonical_face
from .ibug import JAW

FLIP = torch.tensor([1.0, -1, -1])  # image to canonical frame and back
ROWS = 64  # heads that are fitted at a time, so that a long video needs no more memory
ROUNDS = 100  # of fitting pose and depth by turns
FIELD_OF_VIEW, NEAR = math.radians(63), 1.0  # source: mediapipe, face_geometry's default environment


@dataclass(frozen=True, eq=False)
class Similarity(Value):
    """One rotation, scale and shift per face: scale * rotation @ point + shift."""

    scale: Annotated[Tensor, "N"]
    rotation: Annotated[Tensor, "N 3 3"]
    shift: Annotated[Tensor, "N 3"]

    def apply(self, points: Tensor) -> Tensor:
        """(N, P, 3) where (N, P, 3) or (P, 3) points go."""
        return self.scale[:, None, None] * (points @ self.rotation.mT) + self.shift[:, None]

    def undo(self, points: Tensor) -> Tensor:
        """(N, P, 3) where (N, P, 3) points come from."""
        return (points - self.shift[:, None]) @ self.rotation / self.scale[:, None, None]


def fit(source: Tensor, target: Tensor, weights: Tensor) -> Similarity:
    """The similarities that bring (N, P, 3) or (P, 3) source points closest to (N, P, 3) targets.

    Args:
        source: Points.
        target: Where they should go.
        weights: (P,) of each point, not negative.
    """
    p, q, w = source.double(), target.double(), (weights / weights.sum()).double()[:, None]
    p0, q0 = (w * p).sum(-2, keepdim=True), (w * q).sum(-2, keepdim=True)
    u, d, vt = torch.linalg.svd((q - q0).mT @ (w * (p - p0)))
    sign = torch.ones_like(d)
    sign[:, 2] = torch.linalg.det(u @ vt).sign()  # no reflection
    rotation = (u * sign[:, None]) @ vt
    scale = (d * sign).sum(-1) / (w * (p - p0).square()).sum((-2, -1))
    shift = q0[:, 0] - scale[:, None] * (rotation @ p0.mT)[..., 0]
    return Similarity(scale.float(), rotation.float(), shift.float())


def head_frame(landmarks: Landmarks, weights: Tensor | None = None) -> Similarity:
    """Canonical centimetres to (x, -y, -z) pixels of each head.

    Args:
        landmarks: Of MediaPipe's mesh, with or without irises, in three dimensions.
        weights: (468,) of each point; MediaPipe's by default.

    Raises:
        ValueError: The landmarks are not MediaPipe's, or have no depth.
    """
    face = canonical_face()
    weights = face.weights if weights is None else weights
    rows = torch.split(torch.arange(len(landmarks)), ROWS)
    return cat([fit(face.vertices, canonical_points(landmarks.select(some)), weights) for some in rows])


def canonical_points(landmarks: Landmarks) -> Tensor:
    """(N, 468, 3) the mesh as (x, -y, -z), pixels.

    Raises:
        ValueError: The landmarks are not MediaPipe's, or have no depth.
    """
    if landmarks.scheme not in ("mediapipe468", "mediapipe478") or landmarks.points.shape[-1] != 3:
        raise ValueError(
            f"Expected MediaPipe landmarks in three dimensions, got {landmarks.scheme} in "
            f"{landmarks.points.shape[-1]}: find them with a MediaPipe model."
        )
    return landmarks.points[:, :MESH_POINTS] * FLIP


def sparse_frame(landmarks: Landmarks) -> Similarity:
    """Canonical centimetres to (x, -y, -z) pixels of each head, by the 51 of iBUG's 68 points that are inside the face.

    The jaw's lie where the outline is seen, which moves as the head turns. Landmarks without depth take the canonical
    face's, seen from far away: pose and depth are fitted by turns.
    """
    model = canonical_face().vertices[list(IBUG68[JAW:])]
    points, weights = landmarks.points[:, JAW:], torch.ones(len(model))
    if points.shape[-1] == 3:
        return fit(model, points * FLIP, weights)
    seen = points * FLIP[:2]
    extents = [(points - points.mean(-2, keepdim=True)).norm(dim=(-2, -1)) for points in (seen, model[:, :2])]
    pixels = extents[0] / extents[1]  # a centimetre
    depth = pixels[:, None] * model[:, 2]
    for _ in range(ROUNDS):
        found = fit(model, torch.cat([seen, depth[..., None]], -1), weights)
        depth = found.apply(model)[..., 2]
    return found


def pose(landmarks: Landmarks) -> HeadPose:
    """Where each head turns.

    Raises:
        ValueError: The landmarks are neither iBUG's nor MediaPipe's with depth.
    """
    frame = sparse_frame(landmarks) if landmarks.scheme == "ibug68" else head_frame(landmarks)
    return HeadPose(landmarks.faces, *rotation_to_angles(frame.rotation))


def rotation_to_angles(rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(N,) yaw, pitch and roll in degrees of (N, 3, 3) rotations in the canonical frame."""
    yaw = torch.asin(-rotation[:, 2, 0].clamp(-1, 1))
    pitch = -torch.atan2(rotation[:, 2, 1], rotation[:, 2, 2])
    roll = -torch.atan2(rotation[:, 1, 0], rotation[:, 0, 0])
    return yaw.rad2deg(), pitch.rad2deg(), roll.rad2deg()


def angles_to_rotation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """(N, 3, 3) rotations in the canonical frame of (N,) angles in degrees: pitch first, then yaw, then roll."""
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    (cy, sy), (cp, sp), (cr, sr) = ((a.deg2rad().cos(), a.deg2rad().sin()) for a in (yaw, -pitch, -roll))
    about_x = torch.stack([one, zero, zero, zero, cp, -sp, zero, sp, cp], -1)
    about_y = torch.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], -1)
    about_z = torch.stack([cr, -sr, zero, sr, cr, zero, zero, zero, one], -1)
    x, y, z = (rows.reshape(-1, 3, 3) for rows in (about_x, about_y, about_z))
    return z @ y @ x


def camera_matrix(points: Tensor, image_size: tuple[int, int]) -> Tensor:
    """(N, 4, 4) canonical face to a camera that looks along -z, 63 degrees high; centimetres.

    Scale is recovered twice, then the points are lifted from the near plane. Source: mediapipe, geometry_pipeline.cc.

    Args:
        points: (N, 468 or more, 3) xyz in pixels.
        image_size: (height, width) in pixels.
    """
    height, width = image_size
    face = canonical_face()
    pixel = 2 * NEAR * math.tan(FIELD_OF_VIEW / 2) / height  # of the near plane
    centred = points[:, :MESH_POINTS].double() - points.new_tensor([(width - 1) / 2, (height - 1) / 2, 0])
    screen = centred * FLIP * pixel
    depth = NEAR + screen[..., 2:].mean(1, keepdim=True) - screen[..., 2:]

    def lifted(scale: Tensor) -> Tensor:
        distance = depth / scale[:, None, None]
        return torch.cat([screen[..., :2] * distance / NEAR, -distance], -1)

    first = fit(face.vertices, screen, face.weights).scale
    second = fit(face.vertices, lifted(first), face.weights).scale
    found = fit(face.vertices, lifted(first * second), face.weights)
    matrix = torch.eye(4).repeat(len(points), 1, 1)
    matrix[:, :3, :3], matrix[:, :3, 3] = found.scale[:, None, None] * found.rotation, found.shift
    return matrix
