"""The five points of a face, and its box, as its landmarks show them: often truer than the detector's."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..types import Faces, Landmarks
from .canonical import LEFT_EYE, LEFT_MOUTH, LEFT_PUPIL, NOSE_TIP, RIGHT_EYE, RIGHT_MOUTH, RIGHT_PUPIL

# Left eye, right eye, nose tip, left and right mouth corner, each the mean of some points.
FIVE: dict[str, tuple[tuple[int, ...], ...]] = {
    "mediapipe478": ((LEFT_PUPIL,), (RIGHT_PUPIL,), (NOSE_TIP,), (LEFT_MOUTH,), (RIGHT_MOUTH,)),
    "mediapipe468": (LEFT_EYE, RIGHT_EYE, (NOSE_TIP,), (LEFT_MOUTH,), (RIGHT_MOUTH,)),
    "ibug68": ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47), (30,), (48,), (54,)),
}


def kps_from_landmarks(landmarks: Landmarks) -> Tensor:
    """(N, 5, 2) left eye, right eye, nose, left and right mouth corner, pixels.

    Raises:
        ValueError: Nobody knows where these are in this scheme.
    """
    if landmarks.scheme not in FIVE:
        raise ValueError(f"Expected landmarks of {', '.join(FIVE)}, got {landmarks.scheme}.")
    return torch.stack([landmarks.points[:, list(group), :2].mean(1) for group in FIVE[landmarks.scheme]], 1)


def faces_from_landmarks(landmarks: Landmarks) -> Faces:
    """The same faces where their landmarks are: to align by the mesh, or to look for them in the next frame.

    The boxes are the landmarks' extents, so values about the detected faces do not mix with values about these; to
    keep the boxes, replace only ``kps`` with ``kps_from_landmarks``.
    """
    xy = landmarks.points[..., :2]
    return replace(landmarks.faces, bbox=torch.cat([xy.amin(1), xy.amax(1)], -1), kps=kps_from_landmarks(landmarks))
