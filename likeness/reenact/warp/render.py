"""One frame: the head's field, the face's triangles over it, then eyes and mouth."""

from __future__ import annotations

import torch
from torch import Tensor

from ...landmark.canonical import FACE_OVAL, MESH_POINTS
from ...raster import rasterize
from .eyes import paint_eye
from .head import Face
from .motion import EYES
from .mouth import paint_mouth
from .parts import LEFT, MOUTH, RIGHT, parts_seen, triangles
from .sampling import blur, pixels, sample
from .source import Source

STILL = 1e-3  # pixels; what moves less keeps its value bit for bit
FEATHER = 0.012  # of the face's edge, face widths
JUMP = 8.0  # pixels of the photo between neighbours: one part of the face hides another
MARGIN = 3  # pixels around an eye or a mouth, for its soft edge


def render(source: Source, face: Face, gaze: Tensor) -> tuple[Tensor, Tensor]:
    """The region of the photo with its face moved, (3, H, W), and (H, W) where it moved, in [0, 1].

    Args:
        source: The photo.
        face: Where its face goes.
        gaze: (2,) how far its pupils move, eye widths.
    """
    picture, moved = _draw_outside(source, face)
    rows, columns = _rows_and_columns(face, *moved.shape)
    window = picture[:, rows, columns]
    front, covered = _draw_face(source, face, gaze, window, (columns.start, rows.start))
    soft = (2 * blur(covered, max(1.5, FEATHER * source.face.width)) - 1).clamp(0, 1)
    picture[:, rows, columns] = torch.lerp(window, front, soft)
    moved[rows, columns] = moved[rows, columns].maximum(soft)
    return picture.clamp(0, 1), moved


def _draw_outside(source: Source, face: Face) -> tuple[Tensor, Tensor]:
    """The region with the head moved by its field, and where it moved, up to 1 for a pixel or more."""
    field, (height, width) = source.outside, source.planes.shape[1:]
    back = field.origin(field.displacement(face.frame, face.points[list(FACE_OVAL), :2]))
    shift = field.spread(back, height, width)
    far = shift.square().sum(0).sqrt()
    far = torch.where(far > STILL, far, 0)
    picture = sample(source.planes, pixels(0, 0, width, height) + shift.movedim(0, -1))
    return torch.where(far > 0, picture, source.planes), far.clamp(max=1)


def _draw_face(
    source: Source, face: Face, gaze: Tensor, below: Tensor, corner: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The (3, h, w) window of the region with the face in it, and (h, w) bool where the face is."""
    height, width = below.shape[1:]
    drawn = rasterize(face.points - face.points.new_tensor([*corner, 0]), triangles(), height, width)
    at = pixels(0, 0, width, height) + torch.tensor(corner)
    origin = drawn.interpolate(source.face.points[:MESH_POINTS, :2], triangles())
    front = torch.where(drawn.covered, sample(source.planes, origin), below)
    front = _soften(front, origin, drawn.covered)
    part = parts_seen(drawn)
    for number, eye in zip((LEFT, RIGHT), EYES, strict=True):
        for rows, columns in _around(part == number):
            window, opening = front[:, rows, columns], part[rows, columns] == number
            eyeball = paint_eye(window, at[rows, columns], opening, source.planes, source.face, face, gaze, eye)
            front[:, rows, columns] = eyeball
    for rows, columns in _around(part == MOUTH):
        window, opening = front[:, rows, columns], part[rows, columns] == MOUTH
        inside = paint_mouth(window, at[rows, columns], opening, source.planes, source.mouth, source.face, face)
        front[:, rows, columns] = inside
    return front, drawn.covered


def _soften(front: Tensor, origin: Tensor, covered: Tensor) -> Tensor:
    """(3, h, w) the face, smooth where one part of it hides another: at the far side of the nose.

    Args:
        front: (3, h, w) as drawn, one triangle a pixel.
        origin: (h, w, 2) where in the photo each pixel comes from.
        covered: (h, w) bool, where the face is.
    """
    hidden = torch.zeros_like(covered)
    beside = ((origin[:, 1:] - origin[:, :-1]).abs().amax(-1) > JUMP) & covered[:, 1:] & covered[:, :-1]
    below = ((origin[1:] - origin[:-1]).abs().amax(-1) > JUMP) & covered[1:] & covered[:-1]
    for part, jump in ((hidden[:, 1:], beside), (hidden[:, :-1], beside), (hidden[1:], below), (hidden[:-1], below)):
        part |= jump
    y, x = hidden.nonzero(as_tuple=True)
    around = [
        front[:, (y + dy).clamp(0, len(origin) - 1), (x + dx).clamp(0, origin.shape[1] - 1)]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    ]
    front[:, y, x] = torch.stack(around).mean(0)
    return front


def _rows_and_columns(face: Face, height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns of the region that a face is in."""
    x1, y1 = (face.points[:, :2].amin(0) - MARGIN).floor().clamp(min=0).int().tolist()
    x2, y2 = (face.points[:, :2].amax(0) + MARGIN).ceil().int().tolist()
    return slice(y1, min(y2, height)), slice(x1, min(x2, width))


def _around(mask: Tensor) -> list[tuple[slice, slice]]:
    """The rows and columns around a mask; none where it is empty."""
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    if not len(rows):
        return []
    y1, y2, x1, x2 = (int(end) for end in (rows[0], rows[-1], columns[0], columns[-1]))
    return [(slice(max(y1 - MARGIN, 0), y2 + MARGIN + 1), slice(max(x1 - MARGIN, 0), x2 + MARGIN + 1))]
