"""Regions of the face from MediaPipe's attention mesh: polygons through its points, no network of its own.

Attention Mesh: High-fidelity Face Mesh Prediction in Real-time, 2020. https://arxiv.org/abs/2006.10962
Weights: face_landmark_with_attention of MediaPipe 0.10.21 (Apache-2.0), as ONNX; see models_manifest/starter/NOTICE.

The mesh knows where a face is, not what is in front of it: hair, glasses and hands over the face count as face, and
the face ends at the hairline. "mouth" is the opening between the lips, teeth included.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from .. import onnx
from ..geometry import move
from ..landmark import canonical as mesh
from ..landmark.mediapipe_mesh import ATTENTION, AttentionMesh
from ..landmark.roi import around_points
from ..types import Alignment, Faces, Landmarks, ParsingMap
from ..weights import OnnxSystem

SIZE = 768  # pixels, side of the squares that are labelled
MARGIN = 1.1  # of the square to the face
CORNERS = 32  # of the polygon that an iris is
# Down the left side and up the right.
NOSE: tuple[int, ...] = (
    168,
    193,
    245,
    188,
    174,
    217,
    198,
    209,
    49,
    129,
    64,
    98,
    97,
    2,
)
NOSE += (326, 327, 294, 358, 279, 429, 420, 437, 399, 412, 465, 417)
UPPER_LIP = mesh.LIPS_OUTER[:1] + mesh.LIPS_OUTER[:9:-1] + mesh.LIPS_INNER[10:] + mesh.LIPS_INNER[:1]
# What is drawn over what: of the lips all that is neither the upper one nor the mouth is the lower one.
REGIONS: dict[str, tuple[int, ...]] = {
    "skin": mesh.FACE_OVAL,
    "nose": NOSE,
    "left_brow": mesh.LEFT_BROW,
    "right_brow": mesh.RIGHT_BROW,
    "left_eye": mesh.LEFT_EYE,
    "right_eye": mesh.RIGHT_EYE,
    "lower_lip": mesh.LIPS_OUTER,
    "upper_lip": UPPER_LIP,
    "mouth": mesh.LIPS_INNER,
}
# Where each iris is to be seen, and the ends of its two diameters.
IRISES = {"left_iris": ("left_eye", mesh.LEFT_IRIS_RING), "right_iris": ("right_eye", mesh.RIGHT_IRIS_RING)}
NAMES = ("background", *REGIONS, *IRISES)


class MeshRegions(nn.Module):
    needs_faces = True

    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.mesh = AttentionMesh(model)

    def parse(self, image: Tensor, faces: Faces) -> ParsingMap:
        """The regions of each face.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.
        """
        return parse_mesh(self.mesh.landmarks(image, faces))


def parse_mesh(landmarks: Landmarks) -> ParsingMap:
    """The regions of faces whose mesh is known.

    Raises:
        ValueError: The landmarks are not MediaPipe's 478.
    """
    if landmarks.scheme != "mediapipe478":
        raise ValueError(f"Expected the 478 landmarks of MediaPipe's mesh with irises, got {landmarks.scheme}.")
    matrix = around_points(landmarks.points, SIZE, MARGIN)
    points = move(matrix, landmarks.points[..., :2])
    labels = torch.zeros(len(points), SIZE, SIZE, dtype=torch.uint8)
    if not len(points):
        return ParsingMap(landmarks.faces, Alignment(landmarks.faces, matrix, "mesh", SIZE), NAMES, labels)
    for label, name in enumerate(REGIONS, 1):
        inside = fill_polygons(points[:, REGIONS[name]], SIZE)
        labels = labels.where(~(without_slivers(inside) if name == "mouth" else inside), label)
    for label, (eye, ring) in enumerate(IRISES.values(), len(REGIONS) + 1):
        seen = labels == NAMES.index(eye)
        labels = labels.where(~(seen & fill_polygons(ellipses(points[:, ring]), SIZE)), label)
    return ParsingMap(landmarks.faces, Alignment(landmarks.faces, matrix, "mesh", SIZE), NAMES, labels)


def fill_polygons(points: Tensor, size: int) -> Tensor:
    """(N, size, size) bool, whether the centre of each pixel lies inside (N, P, 2) closed polygons, even-odd.

    Each edge toggles, in each row that it crosses, the first pixel to its right; their running sum is the inside.
    """
    (left, top), (right, bottom) = (
        corner.floor().clamp(0, size).int().tolist() for corner in (points.amin((0, 1)), points.amax((0, 1)) + 1)
    )
    x0, y0 = points.unbind(-1)
    x1, y1 = points.roll(-1, 1).unbind(-1)
    rows = torch.arange(top, bottom)
    crosses = (torch.minimum(y0, y1)[..., None] <= rows) & (rows < torch.maximum(y0, y1)[..., None])
    slope = (x1 - x0) / (y1 - y0)  # infinite where nothing is crossed
    columns = (x0[..., None] + (rows - y0[..., None]) * slope[..., None])[crosses].ceil().clamp(left, right).long()
    face, _, row = crosses.nonzero().unbind(-1)
    toggles = torch.zeros(len(points), bottom - top, right - left + 1, dtype=torch.int8)
    toggles.index_put_((face, row, columns - left), torch.ones_like(columns, dtype=torch.int8), accumulate=True)
    inside = torch.zeros(len(points), size, size, dtype=torch.bool)
    inside[:, top:bottom, left:right] = (toggles[..., :-1].cumsum(-1, dtype=torch.int8) & 1).bool()
    return inside


def without_slivers(inside: Tensor) -> Tensor:
    """(N, S, S) bool, what is at least three pixels wide and high: where lips meet their lines cross back and forth."""
    x = pad(inside, (1, 1, 1, 1))
    core = pad(_rows(_rows(x, False).mT, False).mT, (1, 1, 1, 1))
    return _rows(_rows(core, True).mT, True).mT


def _rows(x: Tensor, any_row: bool) -> Tensor:
    """(N, S - 2, S) bool, whether of three rows all hold, or any."""
    above, here, below = x[:, :-2], x[:, 1:-1], x[:, 2:]
    return above | here | below if any_row else above & here & below


def ellipses(ends: Tensor) -> Tensor:
    """(N, 32, 2) polygons round ellipses, from (N, 4, 2) the ends of two diameters, in order around."""
    angle = torch.linspace(0, 2 * math.pi, CORNERS + 1)[:-1, None]
    half = (ends[:, :2] - ends[:, 2:]) / 2
    return ends.mean(1, keepdim=True) + angle.cos() * half[:, :1] + angle.sin() * half[:, 1:]


SYSTEM = OnnxSystem(name="mesh_regions", keys=ATTENTION.keys, network=MeshRegions)
