"""The triangles of the face mesh, and which of them close the mouth and the eyes."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ...landmark.canonical import LEFT_EYE, LIPS_INNER, RIGHT_EYE, canonical_face
from ...landmark.mediapipe_mesh import LIPS
from ...raster import Raster

SKIN, MOUTH, LEFT, RIGHT, LIP = 0, 1, 2, 3, 4


@cache
def triangles() -> Tensor:
    """(898, 3) int64."""
    return canonical_face().triangles


@cache
def parts() -> Tensor:
    """(898,) what each triangle shows."""
    found = torch.full((len(triangles()),), SKIN)
    for part, points in ((LIP, LIPS), (MOUTH, LIPS_INNER), (LEFT, LEFT_EYE), (RIGHT, RIGHT_EYE)):
        found[torch.isin(triangles(), torch.tensor(points)).all(1)] = part
    return found


def parts_seen(drawn: Raster) -> Tensor:
    """(H, W) what each pixel of a drawn face shows, -1 where there is none."""
    found = parts().index_select(0, drawn.triangle.flatten().clamp(min=0)).view_as(drawn.triangle)
    return torch.where(drawn.covered, found, -1)
