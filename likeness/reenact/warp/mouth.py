"""The inside of the mouth: its own teeth where the photo shows them, else a cavity with a tongue and upper teeth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...filters import smoothstep
from ...landmark.canonical import INNER_LIP_LOWER, INNER_LIP_UPPER, LIPS_INNER
from ...raster import rasterize
from .head import Face, lift, project
from .parts import LIP, MOUTH, parts_seen, triangles
from .sampling import blur, line_height, sample

UPPER, LOWER, INNER = list(INNER_LIP_UPPER), list(INNER_LIP_LOWER), list(LIPS_INNER)
CHEEKS = [50, 280, 205, 425, 101, 330]
OPEN = 0.03  # of the distance of the outer eye corners: with more of a gap the photo shows a mouth's inside
MOVING = (0.01, 0.08)  # centimetres that the inner lips have to move: so far the photo's own mouth, from here on ours
PARTING = (0.08, 0.3)  # centimetres of a gap, for a mouth that is closed in the photo
BEHIND = 0.3  # centimetres from the lips back to the teeth
TOOTH = 0.82  # centimetres wide
TEETH = 0.42  # centimetres that upper teeth reach below the line of the closed lips
SOFT = 0.005  # of a lip's edge, face widths
LUMA = torch.tensor([0.3, 0.59, 0.11])


@dataclass(frozen=True, eq=False)
class Mouth:
    """A mouth as the photo shows it."""

    inside: Tensor  # (1, H, W) how much of each pixel of the region is between the lips, in [0, 1]
    is_open: bool
    lip: Tensor  # (3,) mean colour
    skin: Tensor  # (3,) of the cheeks
    depth: Tensor  # () of the teeth, centimetres

    @classmethod
    def of(cls, planes: Tensor, face: Face) -> Mouth:
        """The mouth of a face in the (3, H, W) region of a photo."""
        drawn = rasterize(face.points[:468], triangles(), planes.shape[1], planes.shape[2])
        part = parts_seen(drawn)
        lip = planes[:, part == LIP]
        patch = torch.cartesian_prod(torch.arange(-2.0, 3), torch.arange(-2.0, 3))
        skin = sample(planes, face.points[CHEEKS, None, :2] + patch, "bilinear").mean((1, 2))
        gap = _gap(face.shape) / torch.dist(face.shape[33], face.shape[263])
        return cls(
            (2 * blur(part == MOUTH, max(1.0, 0.008 * face.width)) - 0.9).clamp(0, 1)[None],
            bool(gap > OPEN),
            lip.mean(1) if lip.shape[1] else skin * torch.tensor([0.8, 0.6, 0.6]),
            skin,
            face.shape[[13, 14, 82, 312], 2].mean() - BEHIND,
        )


def paint_mouth(
    front: Tensor, at: Tensor, opening: Tensor, planes: Tensor, mouth: Mouth, still: Face, face: Face
) -> Tensor:
    """(3, h, w) a window of the picture with what shows between the lips.

    Args:
        front: (3, h, w) the window.
        at: (h, w, 2) where its pixels are in the region.
        opening: (h, w) bool, between the lips.
        planes: (3, H, W) the region of the photo.
        mouth: As the photo shows it.
        still: The face in the photo.
        face: The face as it is now.
    """
    gap = _gap(face.shape)
    strength = smoothstep((face.shape[INNER] - still.shape[INNER]).abs().max(), *MOVING)
    if not mouth.is_open:
        strength = strength * smoothstep(gap, *PARTING)
    place = lift(face.frame, at.reshape(-1, 2), mouth.depth.expand(at[..., 0].numel())).reshape(*at.shape[:2], 3)
    x, y = place[..., 0], place[..., 1]
    upper, lower = line_height(face.shape[UPPER], x), line_height(face.shape[LOWER], x)
    left, right = face.shape[[UPPER[0], UPPER[-1]], 0]
    across = (2 * x - left - right) / (right - left).clamp(min=1e-3)
    down = ((upper - y) / (upper - lower).clamp(min=1e-3)).clamp(0, 1)
    fill = _cavity(mouth, across, down, gap)
    if mouth.is_open:
        fill = _own_teeth(fill, place, planes, mouth, still)
    else:
        fill = _drawn_teeth(fill, x, y, upper, mouth, still, gap)
    shadow = 0.72 + 0.28 * smoothstep(upper - y, 0, 0.22)
    soft = blur(opening, max(0.7, SOFT * still.width))
    return torch.lerp(front, fill * shadow, soft * strength)


def _cavity(mouth: Mouth, across: Tensor, down: Tensor, gap: Tensor) -> Tensor:
    """(3, h, w) the dark, with a tongue when the mouth is wide open.

    Args:
        mouth: Whose colours.
        across: (h, w) from -1 at the left corner to 1 at the right one.
        down: (h, w) from 0 at the upper lip to 1 at the lower one.
        gap: () centimetres.
    """
    flesh = 0.6 * mouth.lip + 0.4 * mouth.lip.mean() * torch.tensor([1.36, 0.64, 0.62])
    dark = 0.16 * flesh + torch.tensor([10, 3, 3]) / 255
    shade = 1 - 0.3 * across.clamp(-1, 1).square()
    tongue = smoothstep(1 - (across / 0.7).square() - ((down - 1.12) / 0.5).square(), 0, 0.7)
    tongue = tongue * smoothstep(gap, 0.5, 1.6) * 0.8
    return torch.lerp(_plain(dark) * shade, _plain(flesh * torch.tensor([0.62, 0.5, 0.5])), tongue)


def _own_teeth(fill: Tensor, place: Tensor, planes: Tensor, mouth: Mouth, still: Face) -> Tensor:
    """The photo's own mouth, fixed to the skull; above its upper lip it goes on as it is there."""
    highest = line_height(still.shape[UPPER], place[..., 0]) - 0.1
    seen = torch.stack([place[..., 0], place[..., 1].minimum(highest), place[..., 2]], -1)
    origin = project(still.frame, seen.reshape(-1, 3))[:, :2].reshape(*place.shape[:2], 2)
    inside = sample(mouth.inside, origin, "bilinear")
    return torch.lerp(fill, sample(planes, origin), inside)


def _drawn_teeth(fill: Tensor, x: Tensor, y: Tensor, upper: Tensor, mouth: Mouth, still: Face, gap: Tensor) -> Tensor:
    """Upper teeth in the colour of the light on the skin."""
    along = x / 1.9
    edge = still.shape[[13, 14], 1].mean() - TEETH + 0.22 * along.square() + 0.03 * (x * 2 * math.pi / TOOTH).cos()
    shown = smoothstep(y - edge, -0.03, 0.05) * (1 - smoothstep(along.abs(), 0.75, 1.05)) * smoothstep(gap, 0.25, 0.8)
    light = mouth.skin @ LUMA
    colour = (0.6 * torch.tensor([1, 0.94, 0.84]) + 0.4 * mouth.skin / light) * (1.12 * light).clamp(max=0.87)
    between = ((x / TOOTH + 0.5) % 1 - 0.5) / 0.07
    shade = (0.55 + 0.45 * smoothstep(upper - y, 0, 0.3)) * (1 - 0.1 * (-between.square()).exp())
    shade = shade * (1 - 0.45 * along.abs().clamp(max=1).square())
    return torch.lerp(fill, _plain(colour) * shade, 0.92 * shown)


def _plain(colour: Tensor) -> Tensor:
    """(3, 1, 1)."""
    return colour[:, None, None]


def _gap(shape: Tensor) -> Tensor:
    return (shape[[13, 82, 312], 1] - shape[[14, 87, 317], 1]).mean()
