"""iBUG's 68 points: which is what, which is its mirror image, and where MediaPipe's mesh has them.

Source: Sagonas et al., 300 Faces in-the-Wild Challenge, ICCV workshop 2013. Left and right are the image's.
"""

from __future__ import annotations

from torch import Tensor

from ..types import Landmarks
from .canonical import IBUG68

POINTS, JAW = 68, 17
# Closed rings, each point once; the jaw's line is closed over the brows.
FACE_OVAL = (*range(JAW), *range(26, 16, -1))
LEFT_EYE, RIGHT_EYE = tuple(range(36, 42)), tuple(range(42, 48))
LIPS_OUTER, LIPS_INNER = tuple(range(48, 60)), tuple(range(60, 68))
# Lines.
LEFT_BROW, RIGHT_BROW = tuple(range(17, 22)), tuple(range(22, 27))
NOSE_LINES = (tuple(range(27, 31)), tuple(range(31, 36)))
# The point that takes each point's place in a mirrored image.
MIRRORED: tuple[int, ...] = (*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1))
MIRRORED += (45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40)
MIRRORED += (*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65)


def points(landmarks: Landmarks) -> Tensor:
    """(N, 68, 2 or 3) the landmarks as iBUG's points, pixels; of MediaPipe's mesh the nearest ones.

    Raises:
        ValueError: Nobody knows where these are in this scheme.
    """
    if landmarks.scheme == "ibug68":
        return landmarks.points
    if landmarks.scheme in ("mediapipe468", "mediapipe478"):
        return landmarks.points[:, list(IBUG68)]
    raise ValueError(f"Expected landmarks of iBUG's 68 points or MediaPipe's mesh, got {landmarks.scheme}.")
