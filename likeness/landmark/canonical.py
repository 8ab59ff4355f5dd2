"""MediaPipe's face mesh: its canonical face, and which of its points is what.

Points 0 to 467 are the mesh, 468 to 477 the irises that the attention mesh and mesh v2 add. Left and right are the
image's. Source of the names: mediapipe, face_mesh_connections.py; of the shape: its face geometry metadata
(Apache-2.0, models_manifest/starter).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from ..manifest import FOLDER
from ..onnx.proto import fields
from ..value import Value

FILE = FOLDER / "starter/weights/geometry_pipeline_metadata_landmarks.binarypb"
MESH_POINTS, POINTS = 468, 478  # without and with the irises

# Closed rings, each point once.
FACE_OVAL: tuple[int, ...] = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377)
FACE_OVAL += (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
LIPS_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
LEFT_IRIS_RING, RIGHT_IRIS_RING = (469, 470, 471, 472), (474, 475, 476, 477)
LEFT_BROW = (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)
RIGHT_BROW = (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)
# Lines from the outer corner to the inner one, corners included.
LEFT_LID_LOWER, LEFT_LID_UPPER = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133),
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
)
RIGHT_LID_LOWER = (263, 249, 390, 373, 374, 380, 381, 382, 362)
RIGHT_LID_UPPER = (263, 466, 388, 387, 386, 385, 384, 398, 362)
LEFT_CREASE, RIGHT_CREASE = (247, 30, 29, 27, 28, 56, 190), (467, 260, 259, 257, 258, 286, 414)
LEFT_EYE, RIGHT_EYE = (LEFT_LID_LOWER + LEFT_LID_UPPER[-2:0:-1]), (RIGHT_LID_LOWER + RIGHT_LID_UPPER[-2:0:-1])  # rings
# Lines from the left mouth corner to the right one, corners included.
INNER_LIP_LOWER, INNER_LIP_UPPER = LIPS_INNER[:11], (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
NOSE_BRIDGE, NOSE_WINGS = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2), (48, 64, 98, 97, 2, 326, 327, 294, 278)
NOSE_RIM = (48, 115, 220, 45, 4, 275, 440, 344, 278)
NOSE_LINES = (NOSE_BRIDGE, NOSE_WINGS, NOSE_RIM)
# The points nearest to ibug's 68: jaw (of even steps as there, not quite the same curve), brows, nose, eyes, lips.
IBUG68: tuple[int, ...] = (127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356)
IBUG68 += (70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 4, 98, 97, 2, 326, 327)
IBUG68 += (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
IBUG68 += (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 81, 13, 311, 308, 402, 14, 178)
# Single points.
LEFT_PUPIL, RIGHT_PUPIL, NOSE_TIP, LEFT_MOUTH, RIGHT_MOUTH, CHIN, FOREHEAD = 468, 473, 4, 61, 291, 152, 10
LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS = (33, 133), (263, 362)  # outer, inner
LEFT_SIDE, RIGHT_SIDE = 234, 454  # where the face is widest


@dataclass(frozen=True, eq=False)
class CanonicalFace(Value):
    """An average face, upright and frontal: x to the image's right, y up, z towards the viewer."""

    vertices: Annotated[Tensor, "V 3"]  # centimetres
    uv: Annotated[Tensor, "V 2"]  # in [0, 1], (0, 0) is the top-left texel corner
    triangles: Annotated[Tensor, "F 3"]  # int64, counter-clockwise seen from outside; closed over mouth and eyes
    weights: Annotated[Tensor, "V"]  # of each point in a head pose; 0 for most

    def __len__(self) -> int:
        return len(self.vertices)


@cache
def canonical_face() -> CanonicalFace:
    """The canonical face of 468 points and 898 triangles."""
    data = FILE.read_bytes()
    mesh = next(value for _, value in fields(data, 1))
    columns = np.frombuffer(b"".join(value for _, value in fields(mesh, 3)), "<f4").reshape(MESH_POINTS, 5)
    triangles = torch.tensor([value for _, value in fields(mesh, 4)]).reshape(-1, 3)
    weights = torch.zeros(MESH_POINTS)
    for _, pair in fields(data, 2):
        one = dict(fields(pair))
        weights[one.get(1, 0)] = struct.unpack("<f", one[2])[0]
    numbers = torch.tensor(columns)
    return CanonicalFace(numbers[:, :3], numbers[:, 3:], triangles, weights)


@cache
def mirror() -> Tensor:
    """(478,) int64, the point that takes each point's place in a mirrored image."""
    vertices = canonical_face().vertices
    nearest = torch.cdist(vertices * torch.tensor([-1.0, 1, 1]), vertices).argmin(1)
    irises = torch.tensor([473, 476, 475, 474, 477, 468, 471, 470, 469, 472])
    return torch.cat([nearest, irises])


@cache
def open_triangles() -> Tensor:
    """(F, 3) int64, the triangles without those that close the mouth and the eyes."""
    triangles = canonical_face().triangles
    closed = torch.zeros(len(triangles), dtype=torch.bool)
    for ring in (LIPS_INNER, LEFT_EYE, RIGHT_EYE):
        closed |= torch.isin(triangles, torch.tensor(ring)).all(1)
    return triangles[~closed]


def tesselation() -> frozenset[tuple[int, int]]:
    """The edges of the open mesh, each once."""
    pairs = open_triangles()[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).sort(1).values
    return frozenset((a, b) for a, b in pairs.tolist())


def ring_edges(ring: tuple[int, ...]) -> frozenset[tuple[int, int]]:
    """The edges of a closed ring."""
    return frozenset(zip(ring, ring[1:] + ring[:1], strict=True))


def line_edges(line: tuple[int, ...]) -> frozenset[tuple[int, int]]:
    """The edges of an open line."""
    return frozenset(pairwise(line))
