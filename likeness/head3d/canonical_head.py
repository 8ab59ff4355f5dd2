"""A head from one photo and no learned shape: MediaPipe's face mesh, its canonical texture coordinates, the photo.

Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs, CVPR workshop 2019,
https://arxiv.org/abs/1907.06724; the canonical face and its texture coordinates are of MediaPipe's face geometry.
Weights: those of ``landmark/mediapipe_mesh.py`` (Apache-2.0). The back of the head is not there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .. import onnx
from ..landmark.canonical import canonical_face
from ..landmark.mediapipe_mesh import ATTENTION, AttentionMesh
from ..landmark.procrustes import canonical_points, head_frame
from ..render.camera import AXES
from ..types import Faces, Landmarks
from ..types3d import Cameras, Mesh
from ..weights import OnnxSystem
from .unwrap import unwrap

CENTIMETRE = 0.01  # metres
DISTANCE = 10.0  # metres from the photo's camera to the head; orthographic, so any will do that is far


class CanonicalHead(nn.Module):
    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.landmarker = AttentionMesh(model)

    def lift(self, image: Tensor, faces: Faces, side: int = 1024) -> tuple[Mesh, Tensor, Cameras]:
        """The head of each face, upright and frontal, with the photo on it, and the camera of its photo.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.
            side: Of a texture, pixels.

        Returns:
            N meshes of 468 vertices and 898 triangles, with texture coordinates; (N, side, side, 3) their textures;
            N orthographic cameras through which each mesh lies exactly on its face.
        """
        found = self.landmarker.landmarks(image, faces)
        vertices = head_frame(found).undo(canonical_points(found)) * CENTIMETRE
        face = canonical_face()
        textures = [
            unwrap(image[index], points[: len(face)], side)
            for index, points in zip(faces.image_index.tolist(), found.points, strict=True)
        ]
        mesh = Mesh(vertices, face.triangles, face.uv)
        return mesh, torch.stack(textures) if textures else torch.zeros(0, side, side, 3), photo_cameras(found)


def photo_cameras(landmarks: Landmarks) -> Cameras:
    """Orthographic cameras that see each head, in its own frame, where its photo shows it.

    Args:
        landmarks: Of MediaPipe's mesh, in three dimensions.
    """
    height, width = landmarks.faces.image_size
    head = head_frame(landmarks)
    scale = head.scale / CENTIMETRE  # pixels a metre
    intrinsics = torch.zeros(len(head), 3, 3)
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = scale
    intrinsics[:, :, 2] = torch.tensor([(width - 1) / 2, (height - 1) / 2, 1])
    extrinsics = torch.eye(4).repeat(len(head), 1, 1)
    extrinsics[:, :3, :3] = AXES[:, None] * head.rotation
    extrinsics[:, :2, 3] = ((head.shift * AXES)[:, :2] - intrinsics[:, :2, 2]) / scale[:, None]
    extrinsics[:, 2, 3] = DISTANCE
    return Cameras((height, width), intrinsics, extrinsics, orthographic=True)


SYSTEM = OnnxSystem("canonical_head", ATTENTION.keys, CanonicalHead, ATTENTION.dynamic)
