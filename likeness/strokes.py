"""Lines and dots laid over an image, with soft edges: a pixel is covered by how near it is to the nearest of them.

Lines are cut into short pieces, and the distances of the pixels around all pieces of one colour are computed at once,
so thousands of short lines cost little more than a few long ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Colour = tuple[int, int, int]
RIM: Colour = (0, 0, 0)
SHORT = 8.0  # pixels; a piece is as long, or four times as long as it is wide
STRIP = 512  # rows that are drawn at a time
CELLS = 1 << 20  # pixels around pieces that are looked at together


@dataclass(frozen=True, eq=False)
class Strokes:
    """Lines of one colour, in pixels of the image."""

    ends: Tensor  # (N, 2, 2) where each begins and where it ends; a dot does both in one place
    colour: Colour
    width: float  # of a line; a dot's diameter
    rim: float = 0.0  # width of the dark line on each side

    @property
    def reach(self) -> float:
        """How far from a line a pixel may be touched."""
        return self.width / 2 + self.rim + 0.5


def dots(places: Tensor, colour: Colour, size: float, rim: float = 0.0) -> Strokes:
    """Dots at (N, 2) places."""
    return Strokes(places[:, None].expand(-1, 2, -1), colour, size, rim)


def ring(places: Tensor) -> Tensor:
    """(N, 2, 2) the lines of a closed ring through (N, 2) places."""
    return torch.stack([places, places.roll(-1, 0)], 1)


def lay_over(image: Tensor, strokes: Strokes) -> None:
    """Draw on an (H, W, 3) image that belongs to the caller and is whole in memory."""
    length = max(SHORT, 4 * strokes.reach)
    pieces = _pieces(_touching(strokes.ends.float().cpu(), image, strokes.reach), length)
    pieces = _touching(pieces, image, strokes.reach)
    if not len(pieces):
        return
    layers = [(strokes.colour, strokes.width / 2)]
    if strokes.rim:
        layers.insert(0, (RIM, strokes.width / 2 + strokes.rim))
    pixels = image.view(-1, 3)
    for index, distance in _distances(pieces, image, strokes.reach, math.ceil(length + 2 * strokes.reach) + 1):
        drawn = pixels[index]
        for colour, radius in layers:
            drawn = torch.lerp(drawn, image.new_tensor(colour) / 255, _cover(distance, radius)[:, None].to(image))
        pixels[index] = drawn


def _cover(distance: Tensor, radius: float) -> Tensor:
    """How much of a pixel at some distance lies within a radius, as if the edge were straight."""
    return ((distance + 0.5).clamp(max=radius) - (distance - 0.5).clamp(min=-radius)).clamp_(min=0)


def _touching(ends: Tensor, image: Tensor, reach: float) -> Tensor:
    """The lines whose boxes reach into the image."""
    inside = (ends.amax(1) + reach > 0) & (
        ends.amin(1) - reach < torch.tensor([image.shape[1] - 1, image.shape[0] - 1])
    )
    return ends[inside.all(1)]


def _pieces(ends: Tensor, length: float) -> Tensor:
    """(P, 2, 2) the lines, cut where they are longer than ``length``."""
    begin, way = ends[:, 0], ends[:, 1] - ends[:, 0]
    count = (way.norm(dim=-1) / length).ceil().clamp(min=1).long()
    line = torch.arange(len(ends)).repeat_interleave(count)
    number = torch.arange(len(line)) - (count.cumsum(0) - count)[line]
    step = way[line] / count[line, None]
    begin = begin[line] + number[:, None] * step
    return torch.stack([begin, begin + step], 1)


def _distances(pieces: Tensor, image: Tensor, reach: float, side: int) -> Iterator[tuple[Tensor, Tensor]]:
    """(K,) the pixels that are touched, counted row by row, and how far each is from the nearest piece.

    Args:
        pieces: (P, 2, 2) lines, none of which reaches further than ``side`` pixels with what it touches.
        image: (H, W, 3), given some rows at a time.
        reach: Pixels up to which one is touched.
        side: Pixels.
    """
    corner = (pieces.amin(1) - reach).floor().long()  # x and y of the first pixel that each may touch
    (left, top), (right, bottom) = corner.amin(0).tolist(), (pieces.amax(1) + reach).amax(0).ceil().int().tolist()
    left, right = max(left, 0), min(right + 1, image.shape[1])
    for first in range(max(top, 0), min(bottom + 1, image.shape[0]), STRIP):
        last = min(first + STRIP, bottom + 1, image.shape[0])
        here = ((corner[:, 1] < last) & (corner[:, 1] + side > first)).nonzero()[:, 0]
        # The strip has a border as wide as a piece, so that no piece must be cut off.
        nearest = torch.full((last - first + 2 * side, right - left + 2 * side), math.inf)
        for some in here.split(max(CELLS // side**2, 1)):
            squared = _squared(pieces[some], corner[some], side)
            x, y = (corner[some] - torch.tensor([left - side, first - side])).unbind(1)
            grid = torch.arange(side) + torch.arange(side)[:, None] * nearest.shape[1]
            index = (y * nearest.shape[1] + x)[:, None, None] + grid
            nearest.view(-1).scatter_reduce_(0, index.flatten(), squared.flatten(), "amin")
        y, x = (nearest[side:-side, side:-side] < reach**2).nonzero(as_tuple=True)
        yield (y + first) * image.shape[1] + x + left, nearest[y + side, x + side].sqrt()


def _squared(pieces: Tensor, corner: Tensor, side: int) -> Tensor:
    """(P, side, side) the squared distance of the pixels from each corner on to its piece."""
    begin, way = pieces[:, 0], pieces[:, 1] - pieces[:, 0]
    length = way.norm(dim=-1, keepdim=True)
    along = torch.where(length > 0, way / length, torch.tensor([1.0, 0.0]))
    x, y = ((corner - begin)[:, :, None] + torch.arange(side)).unbind(1)  # (P, side) each, from where it begins
    ahead = (x * along[:, :1])[:, None] + (y * along[:, 1:])[:, :, None]
    aside = (x * along[:, 1:])[:, None] - (y * along[:, :1])[:, :, None]
    beyond = ahead - ahead.clamp(min=0).minimum(length[:, :, None])
    return aside.square_().addcmul_(beyond, beyond)
