"""Mesh warp: a photo bent by the landmarks of a driving face. No generator, no training, nothing is invented but teeth.

The face moves by the triangles of MediaPipe's mesh, hair and neck follow in a smooth field, the picture's border
stays. Expressions are taken over as differences from a neutral driving frame in the frame of the canonical face.
Weights: face_landmark_with_attention.tflite of mediapipe 0.10.21 (Apache-2.0), as in ``landmark/mediapipe_mesh.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from .. import onnx
from ..geometry import check_image
from ..landmark.mediapipe_mesh import ATTENTION, AttentionMesh
from ..select import one_face
from ..types import Faces, Landmarks
from ..weights import OnnxSystem
from .driving import Settings
from .warp import cautions
from .warp.head import Face
from .warp.motion import drive
from .warp.render import render
from .warp.source import Source, prepare


class MeshWarp(nn.Module):
    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.landmarker = AttentionMesh(model)

    def prepare(self, image: Tensor, faces: Faces) -> Source:
        """The photo made ready.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The one face in these images that is to move.

        Raises:
            NoFaceError: There is none.
            ValueError: There are several.
        """
        check_image(image, faces)
        landmarks = self.landmarker.landmarks(image, one_face(faces))
        return prepare(image[faces.image_index[0]], landmarks.points[0])

    def motion(self, driving: Tensor, faces: Faces) -> Landmarks:
        """How the driving faces look: their landmarks, and no more, so that those of a long video are small.

        Args:
            driving: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these frames.
        """
        return replace(self.landmarker.landmarks(driving, faces), mesh=None, matrix=None, score=None)

    def cautions(self, source: Source, motion: Landmarks) -> list[str]:
        """What will not look right, in sentences."""
        return [*cautions.about_source(source), *cautions.about_motion(motion)]

    def reenact(self, source: Source, motion: Landmarks, settings: Settings) -> Iterator[tuple[Tensor, Tensor]]:
        """The photo frame by frame, (H, W, 3), and where it moved, (H, W) in [0, 1].

        What does not move keeps its value bit for bit.

        Args:
            source: The photo.
            motion: The landmarks of the driving face, one row a frame.
            settings: How much of the motion is taken over.
        """
        for targets in drive(source.face.frame, source.face.shape, motion, settings):
            for number in range(len(targets)):
                target = targets.select(torch.tensor([number]))
                region, moved = render(source, Face.placed(target.frame, target.shape[0]), target.gaze[0])
                yield source.place(region, moved)


SYSTEM = OnnxSystem("mesh_warp", ATTENTION.keys, MeshWarp, ATTENTION.dynamic)
