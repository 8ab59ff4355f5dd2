"""MediaPipe's face mesh: 468 points in three dimensions, or 478 with refined lips and eyes, and irises.

Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs, CVPR workshop 2019,
https://arxiv.org/abs/1907.06724; Attention Mesh, CVPR workshop 2020, https://arxiv.org/abs/2006.10962.
Weights: face_landmark.tflite and face_landmark_with_attention.tflite of mediapipe 0.10.21 (Apache-2.0), converted to
ONNX; see models_manifest/starter/NOTICE.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .. import onnx
from ..types import Faces, Landmarks
from ..weights import OnnxSystem
from . import roi
from .canonical import LEFT_EYE, MESH_POINTS, POINTS, RIGHT_EYE

SIDE = 192  # pixels of the crop that the networks see
# The points that each refinement gives, in its order. Source: mediapipe,
# tensors_to_face_landmarks_with_attention.pbtxt.
LIPS: tuple[int, ...] = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409, 78)
LIPS += (95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415, 76, 77, 90, 180, 85)
LIPS += (16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408, 62, 96, 89, 179, 86, 15, 316, 403, 319)
LIPS += (325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407)
LEFT: tuple[int, ...] = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 130, 25, 110, 24)
LEFT += (23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190, 226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224)
LEFT += (223, 222, 221, 189, 35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70, 63, 105)
LEFT += (66, 107, 55, 193)
RIGHT: tuple[int, ...] = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 359, 255)
RIGHT += (339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414, 446, 261, 448, 449, 450, 451, 452, 453)
RIGHT += (464, 342, 445, 444, 443, 442, 441, 413, 265, 353, 276, 283, 282, 295, 372, 340, 346, 347, 348, 349, 350, 357)
RIGHT += (465, 383, 300, 293, 334, 296, 336, 285, 417)
REFINED = {
    "output_lips": list(LIPS),
    "output_left_eye": list(LEFT),
    "output_right_eye": list(RIGHT),
    "output_left_iris": list(range(468, 473)),
    "output_right_iris": list(range(473, 478)),
}


class MediaPipeMesh(nn.Module):
    scheme: str  # of the points that the graph gives

    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.model = model

    def landmarks(self, image: Tensor, faces: Faces) -> Landmarks:
        """The mesh of each face, in pixels; z is as large as x and negative towards the viewer.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.
        """
        return roi.to_landmarks(faces, self.scheme, *roi.find_mesh(image, faces, SIDE, self.run))

    def run(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """(N, P, 3) points in pixels of (N, 192, 192, 3) crops, and (N,) how surely each shows a face, in [0, 1]."""
        found = [self.read(self.model(crop[None])) for crop in crops]
        count = POINTS if self.scheme == "mediapipe478" else MESH_POINTS
        points = [one for one, _ in found]
        return torch.cat([torch.zeros(0, count, 3), *points]), torch.cat([torch.zeros(0), *[p for _, p in found]])

    def read(self, out: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


class AttentionMesh(MediaPipeMesh):
    scheme = "mediapipe478"

    def read(self, out: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        mesh = out["output_mesh_identity"].reshape(-1, MESH_POINTS, 3)
        points = torch.cat([mesh, mesh.new_zeros(len(mesh), POINTS - MESH_POINTS, 3)], 1)
        for name, indices in REFINED.items():
            points[:, indices, :2] = out[name].reshape(len(mesh), -1, 2)
        for ring, iris in ((LEFT_EYE, slice(468, 473)), (RIGHT_EYE, slice(473, 478))):
            points[:, iris, 2] = mesh[:, ring, 2].mean(1, keepdim=True)
        return points, out["conv_faceflag"].flatten().sigmoid()


class BaseMesh(MediaPipeMesh):
    scheme = "mediapipe468"

    def read(self, out: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return out["conv2d_21"].reshape(-1, MESH_POINTS, 3), out["conv2d_31"].flatten().sigmoid()


ATTENTION = OnnxSystem("mediapipe_mesh", ("output_mesh_identity", "output_lips", "conv_faceflag"), AttentionMesh)
BASE = OnnxSystem("mediapipe_mesh", ("conv2d_21", "conv2d_31"), BaseMesh)
