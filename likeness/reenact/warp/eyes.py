"""Eyeballs: they turn with the head and look, and the lids pass over them."""

from __future__ import annotations

import torch
from torch import Tensor

from ...filters import smoothstep
from ...landmark.canonical import MESH_POINTS
from .head import Face, project
from .motion import Eye
from .sampling import blur, line_height, sample

SOFT = 0.004  # of a lid's edge, face widths
MOVING = 0.05  # centimetres that a lid has to move, for its eye to be drawn anew in full
LOOKING = 0.01  # the same of a gaze, eye widths
SLIT = (0.7, 2.5)  # pixels of an opening: so far only lashes are seen in it, from here on the whole eyeball
IRIS, WHITE = 0.22, 0.50  # eye widths from the pupil: so far all moves with it, from here on nothing


def paint_eye(
    front: Tensor, at: Tensor, opening: Tensor, planes: Tensor, still: Face, face: Face, gaze: Tensor, eye: Eye
) -> Tensor:
    """(3, h, w) a window of the picture with the eyeball in the opening of its lids.

    Squashed with the lids it would look painted on them: it is carried by the head alone.

    Args:
        front: (3, h, w) the window.
        at: (h, w, 2) where its pixels are in the region.
        opening: (h, w) bool, where there is no lid.
        planes: (3, H, W) the region of the photo.
        still: The face in the photo, with irises.
        face: The face as it is now.
        gaze: (2,) how far the pupil moves, eye widths.
        eye: Which.
    """
    ring = sorted({*eye.upper, *eye.lower})
    carried = project(face.frame, still.shape)[:, :2]
    carried = carried + (face.points[:MESH_POINTS, :2] - carried)[eye.corners].mean(0)
    places = torch.cat([carried[ring], torch.ones(len(ring), 1)], -1)
    matrix = torch.linalg.lstsq(places, still.points[ring, :2]).solution
    origin = at @ matrix[:2] + matrix[2]

    outer, inner = still.points[eye.corners, :2]
    width = torch.dist(outer, inner)
    across = (inner - outer) / width
    up = torch.stack([-across[1], across[0]])
    stretch = (_gap(face, eye) / _gap(still, eye)).clamp(min=1)  # only an eye wider than the photo's is stretched
    origin = origin + ((origin - (outer + inner) / 2) @ up * (1 / stretch - 1))[..., None] * up
    shift = gaze * width
    apart = (origin - still.points[eye.pupil, :2] - shift).norm(dim=-1, keepdim=True) / width
    origin = origin - shift * (1 - smoothstep(apart, IRIS, WHITE))

    ball = sample(planes, origin)
    slit = smoothstep(_gap(face, eye) * face.frame.scale[0], *SLIT)
    if slit < 1:
        ball = torch.lerp(_lashes(planes, still, origin, eye), ball, slit)
    moved = (face.shape[ring] - still.shape[ring]).abs().max() / MOVING + gaze.abs().max() / LOOKING
    soft = blur(opening, max(0.6, SOFT * still.width))
    return torch.lerp(front, ball, soft * moved.clamp(max=1))


def _lashes(planes: Tensor, still: Face, origin: Tensor, eye: Eye) -> Tensor:
    """(3, h, w) the edge of the upper lid above (h, w, 2) places in the photo."""
    outer, inner = still.points[eye.corners, :2]
    across = (inner - outer) / torch.dist(outer, inner)
    axes = torch.stack([across, torch.stack([-across[1], across[0]])])
    along = (origin - outer) @ across
    height = line_height((still.points[eye.upper, :2] - outer) @ axes.T, along)
    return sample(planes, torch.stack([along, height], -1) @ axes + outer)


def _gap(face: Face, eye: Eye) -> Tensor:
    return (face.shape[eye.upper[1:-1], 1] - face.shape[eye.lower[1:-1], 1]).mean()
