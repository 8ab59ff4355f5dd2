"""What is around the face follows it: hair and neck turn with the head, the far background stays."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from ...filters import smoothstep
from ...landmark.canonical import CHIN, FACE_OVAL, FOREHEAD
from ...landmark.procrustes import Similarity
from .head import Face, face_width, lift, project
from .sampling import pixels, sample

# In face widths.
HEAD, REACH = 0.35, 1.35  # from the oval: so far all moves with the head, from here on nothing moves
CROWN = 0.7  # how much nearer all above the forehead counts, for hair is high
BORDER = 0.35  # from the picture's border, which stays
BEND = 0.6  # radius over which the oval's own motion spreads
NECK = 0.75  # face heights below the chin, from where on nothing moves
NODES = 50  # of the lattice in a face width
# In centimetres.
BACK, BACK_DISTANCE = -5.0, 9.0  # depth of the head behind the face, reached so far from the oval
SWEEPS, DAMPING = 12, 0.7  # of the field's inversion


@dataclass(frozen=True, eq=False)
class Outside:
    """A lattice over the region, and how each node follows the head."""

    step: int  # pixels between nodes
    nodes: Tensor  # (h, w, 2) where they are, pixels
    shape: Tensor  # (h * w, 3) the same in centimetres, with the depth of the head
    weight: Tensor  # (h * w, 1) how much each follows the head's turn, in [0, 1]
    bend: Tensor  # (h * w, 36) how much each follows the points of the face oval besides
    ring: Tensor  # (36, 2) the oval, pixels
    ring_shape: Tensor  # (36, 3) in centimetres
    ring_weight: Tensor  # (36, 1)

    @classmethod
    def around(cls, face: Face, size: tuple[int, int], border: tuple[int, int, int, int]) -> Outside:
        """The lattice around a face.

        Args:
            face: In pixels of the region.
            size: (height, width) of the region, pixels.
            border: x1, y1, x2, y2 of the photo's outermost pixels, in pixels of the region.
        """
        oval, width = list(FACE_OVAL), face.width
        step = _step(width)
        nodes = pixels(0, 0, size[1] // step + 2, size[0] // step + 2) * step
        flat, ring = nodes.reshape(-1, 2), face.points[oval, :2]
        away, apart = distance_outside(flat, ring), torch.cdist(flat, ring)
        spread = wendland(torch.cdist(ring, ring) / (BEND * width)) + 1e-3 * torch.eye(len(ring))
        bend = torch.linalg.solve(spread, wendland(apart / (BEND * width)).T).T
        return cls(
            step,
            nodes,
            lift(face.frame, flat, _depth(face, away, apart)),
            _weight(face, flat, border),
            bend * _stay(flat, border, width),
            ring,
            face.shape[oval],
            _weight(face, ring, border),
        )

    def displacement(self, frame: Similarity, ring: Tensor) -> Tensor:
        """(2, h, w) pixels that each node moves by when the head moves.

        Args:
            frame: Where the head goes, one row.
            ring: (36, 2) where the oval goes, pixels.
        """
        turn = project(frame, self.shape)[:, :2] - self.nodes.reshape(-1, 2)
        turned_ring = project(frame, self.ring_shape)[:, :2] - self.ring
        moved = turn * self.weight + self.bend @ (ring - self.ring - turned_ring * self.ring_weight)
        return moved.T.reshape(2, *self.nodes.shape[:2])

    def origin(self, displacement: Tensor) -> Tensor:
        """(2, h, w) pixels from each node to where in the photo it comes from: the field turned round."""
        found = self.nodes
        for _ in range(SWEEPS):
            carried = sample(displacement, found / self.step, "bilinear")
            found = found + DAMPING * (self.nodes - found - carried.movedim(0, -1))
        return (found - self.nodes).movedim(-1, 0)

    def spread(self, values: Tensor, height: int, width: int) -> Tensor:
        """(2, H, W) what (2, h, w) nodes carry, at the pixels between them."""
        size = [(count - 1) * self.step + 1 for count in values.shape[1:]]
        return interpolate(values[None], size, mode="bilinear", align_corners=True)[0, :, :height, :width]


def region(points: Tensor, height: int, width: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2, ends excluded, of the pixels that can move with a face, in a photo of this size.

    Args:
        points: (468 or more, 2 or 3) its landmarks, pixels.
        height: Of the photo, pixels.
        width: Of the photo, pixels.
    """
    reach, oval = REACH * face_width(points), points[list(FACE_OVAL), :2]
    up = normalize(points[FOREHEAD, :2] - points[CHIN, :2], dim=0)
    places = torch.cat([oval, oval + up * reach * (1 / CROWN - 1)])
    x1, y1 = (places.amin(0) - reach).floor().clamp(min=0).int().tolist()
    x2, y2 = (places.amax(0) + reach).ceil().int().tolist()
    return x1, y1, min(x2 + 1, width), min(y2 + 1, height)


def distance_outside(at: Tensor, ring: Tensor) -> Tensor:
    """(P,) pixels from (P, 2) points to a closed (R, 2) ring, 0 inside."""
    start, along = ring, ring.roll(-1, 0) - ring
    to = at[:, None] - start
    t = ((to * along).sum(-1) / along.square().sum(-1)).clamp(0, 1)
    distance = (to - t[..., None] * along).norm(dim=-1).amin(1)
    spans = (to[..., 1] < 0) != (to[..., 1] < along[:, 1])
    right = to[..., 0] * along[:, 1] < to[..., 1] * along[:, 0]
    crossings = spans & (right == (along[:, 1] > 0))
    return torch.where(crossings.sum(1) % 2 == 1, 0, distance)


def _depth(face: Face, away: Tensor, apart: Tensor) -> Tensor:
    """(P,) centimetres: the oval's own beside it, then falling to the back of the head.

    Args:
        face: Whose head.
        away: (P,) pixels outside the oval.
        apart: (P, 36) pixels from each of its points.
    """
    nearness = (apart.square() + (0.02 * face.width) ** 2) ** -1.5
    rim = nearness @ face.shape[list(FACE_OVAL), 2] / nearness.sum(1)
    start = -0.15 * BACK_DISTANCE  # the curve begins inside the oval, so that it leaves it with a slope
    passed = smoothstep(torch.zeros(1), start, BACK_DISTANCE)
    fallen = (smoothstep(away / face.frame.scale, start, BACK_DISTANCE) - passed) / (1 - passed)
    return rim + fallen * (BACK - rim)


def _weight(face: Face, at: Tensor, border: tuple[int, int, int, int]) -> Tensor:
    """(P, 1) how much (P, 2) places follow the head's turn."""
    chin, forehead = face.points[[CHIN, FOREHEAD], :2]
    up = forehead - chin
    below = (chin - at) @ up / up.square().sum()
    above = ((at - forehead) @ up / up.square().sum()).clamp(min=0)
    away = distance_outside(at - (1 - CROWN) * above[:, None] * up, face.points[list(FACE_OVAL), :2])
    kept = (1 - smoothstep(away / face.width, HEAD, REACH)) * (1 - smoothstep(below, 0, NECK))
    return kept[:, None] * _stay(at, border, face.width)


def _stay(at: Tensor, border: tuple[int, int, int, int], width: float) -> Tensor:
    """(P, 1) 0 on the photo's border and on the nodes next to it, 1 well inside."""
    first, last = at.new_tensor(border[:2]), at.new_tensor(border[2:])
    inside = torch.minimum(at - first, last - at).amin(-1, keepdim=True)
    return smoothstep(inside, _step(width), BORDER * width)


def _step(width: float) -> int:
    """Pixels between nodes, for a face of this width."""
    return max(2, round(width / NODES))


def wendland(r: Tensor) -> Tensor:
    """Wendland's C2 function of a distance in radii: smooth, 1 at 0, 0 from 1 on."""
    return (1 - r).clamp(min=0) ** 4 * (4 * r + 1)
