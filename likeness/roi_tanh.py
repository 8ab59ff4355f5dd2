"""RoI tanh warps: a whole picture in one square that is fine inside a box and coarse far from it, and the way back.

RoI Tanh-polar Transformer Network for Face Parsing in the Wild, 2021. https://arxiv.org/abs/2102.02717
The operators of hhj1897/roi_tanh_warping (MIT), under their names; all take batches, on any device, and gradients flow
to the pictures and to the boxes.

How far a pixel is from the box's centre is counted in radii of the ellipse with the box's area (Cartesian: in half its
sides), and squeezed by tanh: what is infinitely far lies on the border.

* cartesian: x and y each by itself
* polar: x is the radius from 0 to the border, y the angle, from the right and clockwise, a full turn
* circular: polar, drawn as a disk

Where the authors' code fails, this differs: every size works (theirs raises at 49, 61, 98 and others), the centre of a
disk of odd side is a pixel (theirs is NaN), pictures may be one pixel wide, and boxes are squared row by row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

MODES = ("cartesian", "polar", "circular")
RIM = 1e-9  # of a disk's radius: its corners look as far as if they were so near to the border, some 10.7 radii
SQUARES: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda size: size.prod(-1).sqrt(),
    "min": lambda size: size.amin(-1),
    "max": lambda size: size.amax(-1),
}
Points = tuple[Tensor, Tensor]  # x and y, which broadcast to (N, H, W)


@dataclass(frozen=True)
class Boxes:
    """Boxes, each number as (N, 1, 1), to be broadcast over pixels."""

    x: Tensor  # of the centre, pixels
    y: Tensor
    half: Points  # the sides, pixels
    radii: Points  # of the ellipse as large as the box, pixels
    turn: Points | None  # cosine and sine of the angle; None where nothing is turned
    keep: bool  # whether angles are the picture's, not those of the box stretched to a square


def roi_tanh_warp(
    images: Tensor,
    rois: Tensor,
    width: int,
    height: int,
    angle: float | Tensor = 0.0,
    interpolation: str = "bilinear",
    padding: str = "zeros",
) -> Tensor:
    """(N, C, height, width) pictures warped around their boxes, x and y each by itself.

    Args:
        images: (N, C, H, W) one picture for each box.
        rois: (N, 4) boxes, xyxy in pixels.
        width: Of the result, pixels.
        height: Of the result, pixels.
        angle: Degrees that the box is turned clockwise, one for all or (N,): it stands upright in the result.
        interpolation: "bilinear", "nearest" or "bicubic".
        padding: What is outside the pictures: "zeros" or "border".

    Raises:
        ValueError: A box has no width or height, or there are not as many boxes as pictures.
    """
    boxes = _boxes_of(images, rois, angle)
    return sample(images, *in_picture(boxes, *unfold("cartesian", boxes, width, height)), interpolation, padding)


def roi_tanh_restore(
    warped: Tensor,
    rois: Tensor,
    width: int,
    height: int,
    angle: float | Tensor = 0.0,
    interpolation: str = "bilinear",
    padding: str = "zeros",
) -> Tensor:
    """(N, C, height, width) pictures made again from what ``roi_tanh_warp`` gave; arguments as there."""
    boxes = _boxes_of(warped, rois, angle)
    return restore("cartesian", warped, boxes, from_centre(boxes, width, height), interpolation, padding)


def roi_tanh_polar_warp(
    images: Tensor,
    rois: Tensor,
    width: int,
    height: int,
    angle: float | Tensor = 0.0,
    interpolation: str = "bilinear",
    padding: str = "zeros",
    keep_aspect_ratio: bool = False,
) -> Tensor:
    """(N, C, height, width) pictures unrolled around their boxes: a column is a radius, a row an angle.

    Args:
        images: As for ``roi_tanh_warp``, and so all that is not named here.
        rois: As there.
        width: As there.
        height: As there.
        angle: As there.
        interpolation: As there.
        padding: As there.
        keep_aspect_ratio: Whether rows are angles of the picture, not of the box stretched to a square.
    """
    boxes = _boxes_of(images, rois, angle, keep_aspect_ratio)
    return sample(images, *in_picture(boxes, *unfold("polar", boxes, width, height)), interpolation, padding)


def roi_tanh_polar_restore(
    warped: Tensor,
    rois: Tensor,
    width: int,
    height: int,
    angle: float | Tensor = 0.0,
    interpolation: str = "bilinear",
    padding: str = "zeros",
    keep_aspect_ratio: bool = False,
) -> Tensor:
    """(N, C, height, width) pictures made again from what ``roi_tanh_polar_warp`` gave; arguments as there."""
    boxes = _boxes_of(warped, rois, angle, keep_aspect_ratio)
    return restore("polar", warped, boxes, from_centre(boxes, width, height), interpolation, padding)


def roi_tanh_circular_warp(
    images: Tensor,
    rois: Tensor,
    width: int,
    height: int,
    angle: float | Tensor = 0.0,
    interpolation: str = "bilinear",
    padding: str = "zeros",
    keep_aspect_ratio: bool = False,
) -> Tensor:
    """(N, C, height, width) pictures as disks around their boxes; arguments as ``roi_tanh_polar_warp``."""
    boxes = _boxes_of(images, rois, angle, keep_aspect_ratio)
    return sample(images, *in_picture(boxes, *unfold("circular", boxes, width, height)), interpolation, padding)


def roi_tanh_circular_restore(
    warped: Tensor,
    rois: Tensor,
    width: int,
    height: int,
    angle: float | Tensor = 0.0,
    interpolation: str = "bilinear",
    padding: str = "zeros",
    keep_aspect_ratio: bool = False,
) -> Tensor:
    """(N, C, height, width) pictures made again from what ``roi_tanh_circular_warp`` gave; arguments as there."""
    boxes = _boxes_of(warped, rois, angle, keep_aspect_ratio)
    return restore("circular", warped, boxes, from_centre(boxes, width, height), interpolation, padding)


def roi_tanh_polar_to_roi_tanh(
    warped: Tensor,
    rois: Tensor,
    width: int = 0,
    height: int = 0,
    interpolation: str = "bilinear",
    padding: str = "zeros",
    keep_aspect_ratio: bool = False,
) -> Tensor:
    """(N, C, height, width) what ``roi_tanh_warp`` would have given, from what ``roi_tanh_polar_warp`` gave.

    Args:
        warped: (N, C, H, W) polar.
        rois: (N, 4) the boxes; only the ratio of their sides counts.
        width: Of the result, pixels; 0 as it came.
        height: Of the result, pixels; 0 as it came.
        interpolation: As for ``roi_tanh_warp``.
        padding: As there.
        keep_aspect_ratio: As the polar warp was made.
    """
    boxes = _boxes_of(warped, rois, 0.0, keep_aspect_ratio)
    points = unfold("cartesian", boxes, width or warped.shape[-1], height or warped.shape[-2])
    return restore("polar", warped, boxes, points, interpolation, padding)


def roi_tanh_to_roi_tanh_polar(
    warped: Tensor,
    rois: Tensor,
    width: int = 0,
    height: int = 0,
    interpolation: str = "bilinear",
    padding: str = "zeros",
    keep_aspect_ratio: bool = False,
) -> Tensor:
    """(N, C, height, width) polar from Cartesian; arguments as ``roi_tanh_polar_to_roi_tanh``."""
    boxes = _boxes_of(warped, rois, 0.0, keep_aspect_ratio)
    points = unfold("polar", boxes, width or warped.shape[-1], height or warped.shape[-2])
    return restore("cartesian", warped, boxes, points, interpolation, padding)


def make_square_rois(rois: Tensor, side: str = "mean") -> Tensor:
    """(..., 4) boxes made square about their centres: as large as before ("mean"), or by their "min" or "max" side."""
    size = rois[..., 2:] - rois[..., :2]
    grown = (SQUARES[side](size)[..., None] - size) / 2
    return rois + torch.cat([-grown, grown], -1)


def read_boxes(rois: Tensor, angle: float | Tensor = 0.0, keep: bool = False) -> Boxes:
    """(N, 4) boxes, ready to be broadcast.

    Raises:
        ValueError: A box has no width or height.
    """
    x1, y1, x2, y2 = rois[..., None, None].unbind(1)
    if len(flat := ((x2 <= x1) | (y2 <= y1)).flatten().nonzero()):
        got = ", ".join(f"{number:g}" for number in rois[flat[0, 0]].tolist())
        raise ValueError(f"Expected boxes with a width and a height, got {got} for face {int(flat[0, 0]) + 1}.")
    half = (x2 - x1) / 2, (y2 - y1) / 2
    radii = half[0] * (2 / math.pi**0.5), half[1] * (2 / math.pi**0.5)
    turn = None
    if isinstance(angle, Tensor) or angle:
        turned = torch.as_tensor(angle).to(rois).deg2rad().expand(len(rois))[:, None, None]
        turn = turned.cos(), turned.sin()
    return Boxes((x1 + x2) / 2, (y1 + y2) / 2, half, radii, turn, keep)


def unfold(mode: str, boxes: Boxes, width: int, height: int) -> Points:
    """How far from its box's centre each pixel of a warped picture looks, pixels of the picture."""
    like = boxes.x
    if mode == "cartesian":
        return boxes.half[0] * _middles(width, like).atanh(), boxes.half[1] * _middles(height, like)[:, None].atanh()
    if mode == "polar":
        radius = (torch.arange(width).to(like) / width).atanh()
        turned = torch.arange(height).to(like)[:, None] * (2 * math.pi / height)
        x, y = _one_radius(boxes, turned.cos(), turned.sin())
    else:
        x, y = _middles(width, like), _middles(height, like)[:, None]
        share = torch.hypot(x, y)
        radius = ((1 + share) / (1 - share).clamp(min=RIM)).log() / 2  # atanh
        x, y = _one_radius(boxes, x, y)
    return radius * x, radius * y


def fold(mode: str, boxes: Boxes, points: Points, warped: Tensor) -> Points:
    """Where in its warped picture, (..., H, W), each point is that lies so far from its box's centre, pixels."""
    (x, y), (height, width) = points, warped.shape[-2:]
    if mode == "cartesian":
        x, y = (x / boxes.half[0]).tanh(), (y / boxes.half[1]).tanh()
    else:
        a, b = boxes.radii
        radius = _length(x / a, y / b)
        x, y = (x, y) if boxes.keep else (x / a, y / b)
        if mode == "polar":
            return radius.tanh() * width, (torch.atan2(y, x) * (0.5 / math.pi)).remainder(1) * height
        share = radius.tanh() / _length(x, y)
        x, y = x * share, y * share
    return (x + 1) * (width / 2) - 0.5, (y + 1) * (height / 2) - 0.5


def restore(
    mode: str, warped: Tensor, boxes: Boxes, points: Points, interpolation: str = "bilinear", padding: str = "zeros"
) -> Tensor:
    """(N, C, h, w) what (N, C, H, W) warped pictures show so far from their boxes' centres, pixels."""
    x, y = fold(mode, boxes, points, warped)
    return sample(*(_close(warped, x, y) if mode == "polar" else (warped, x, y)), interpolation, padding)


def sample(images: Tensor, x: Tensor, y: Tensor, interpolation: str = "bilinear", padding: str = "zeros") -> Tensor:
    """(N, C, h, w) pictures (N, C, H, W) at points, x and y in pixels, which broadcast to (N, h, w)."""
    height, width = images.shape[-2:]
    x, y = (x + 0.5) * (2 / width) - 1, (y + 0.5) * (2 / height) - 1
    shape = [max(sizes) for sizes in zip(x.shape, y.shape, strict=True)]
    grid = torch.stack([x.expand(shape), y.expand(shape)], -1)
    return grid_sample(images, grid, interpolation, padding, align_corners=False)


def _boxes_of(images: Tensor, rois: Tensor, angle: float | Tensor = 0.0, keep: bool = False) -> Boxes:
    """The boxes of a batch of pictures."""
    if rois.shape != (len(images), 4):
        raise ValueError(f"Expected a box for each of {len(images)} pictures, got {tuple(rois.shape)}: repeat them.")
    return read_boxes(rois.to(images), angle, keep)


def _middles(count: int, like: Tensor) -> Tensor:
    """(count,) the centres of so many pixels that fill -1 to 1."""
    return (torch.arange(count).to(like) * 2 + 1 - count) / count


def _length(x: Tensor, y: Tensor) -> Tensor:
    """Of vectors; a little over 0 at 0, where it would have no gradient."""
    return (x.square() + y.square()).clamp(min=1e-18).sqrt()


def _one_radius(boxes: Boxes, x: Tensor, y: Tensor) -> Points:
    """Vectors of these directions that end on the ellipse."""
    a, b = boxes.radii
    if boxes.keep:
        share = 1 / _length(x / a, y / b)
        return x * share, y * share
    share = 1 / _length(x, y)
    return a * x * share, b * y * share


def in_picture(boxes: Boxes, x: Tensor, y: Tensor) -> Points:
    """Points that lie so far from the centres, the boxes' turn undone."""
    if boxes.turn:
        cos, sin = boxes.turn
        x, y = cos * x - sin * y, cos * y + sin * x
    return boxes.x + x, boxes.y + y


def from_centre(boxes: Boxes, width: int, height: int) -> Points:
    """How far from the boxes' centres the pixels of a picture are, as the boxes are turned."""
    x = torch.arange(width).to(boxes.x) - boxes.x
    y = torch.arange(height).to(boxes.y)[:, None] - boxes.y
    if boxes.turn:
        cos, sin = boxes.turn
        x, y = cos * x + sin * y, cos * y - sin * x
    return x, y


def _close(warped: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A polar picture with its last row before the first and its first after the last, and points in it."""
    rows = torch.cat([warped[..., -1:, :], warped, warped[..., :1, :]], -2)
    return pad(rows, (1, 0, 0, 0), mode="replicate"), x + 1, y + 1
