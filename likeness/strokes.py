"""Lines and dots laid over an image, with soft edges: a pixel is covered by how near it is to the nearest of them.

Lines are cut into short pieces, and the distances of the pixels around all pieces of one colour are computed at once,
so thousands of short lines cost little more than a few long ones. These are small arrays: numpy has no threads to wait
for, as torch has where others keep the processor busy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray
Colour = tuple[int, int, int]
RIM: Colour = (0, 0, 0)
SHORT = 8.0  # pixels; a piece is as long, or four times as long as it is wide
CELLS = 1 << 15  # pixels around pieces that are looked at together


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
    pieces = _pieces(_touching(strokes.ends.float().cpu().numpy(), image, strokes.reach), length)
    pieces = _touching(pieces, image, strokes.reach)
    if not len(pieces):
        return
    index, distance = _distances(pieces, image, strokes.reach, math.ceil(length + 2 * strokes.reach) + 1)
    over = _cover(distance, strokes.width / 2)
    under = 1 - over
    if strokes.rim:
        under *= 1 - _cover(distance, strokes.width / 2 + strokes.rim)
    canvas = image.float().cpu()  # the image itself, where it is that already
    for plane, value in zip(canvas.view(-1, 3).numpy().T, strokes.colour, strict=True):
        plane[index] = plane[index] * under + value / 255 * over
    if canvas is not image:
        image.copy_(canvas)


def _cover(distance: Array, radius: float) -> Array:
    """How much of a pixel at some distance lies within a radius, as if the edge were straight."""
    return np.maximum(np.minimum(distance + 0.5, radius) - np.maximum(distance - 0.5, -radius), 0)


def _touching(ends: Array, image: Tensor, reach: float) -> Array:
    """The lines whose boxes reach into the image."""
    low, high = np.minimum(ends[:, 0], ends[:, 1]) - reach, np.maximum(ends[:, 0], ends[:, 1]) + reach
    return ends[((high > 0) & (low < (image.shape[1] - 1, image.shape[0] - 1))).all(1)]


def _pieces(ends: Array, length: float) -> Array:
    """(P, 2, 2) the lines, cut where they are longer than ``length``."""
    begin, way = ends[:, 0], ends[:, 1] - ends[:, 0]
    count = np.ceil(np.hypot(way[:, 0], way[:, 1]) / length).clip(1).astype(np.int64)
    line = np.arange(len(ends)).repeat(count)
    number = (np.arange(len(line)) - (count.cumsum() - count)[line]).astype(np.float32)
    step = way[line] / count[line, None].astype(np.float32)
    begin = begin[line] + number[:, None] * step
    return np.stack([begin, begin + step], 1)


def _distances(pieces: Array, image: Tensor, reach: float, side: int) -> tuple[Array, Array]:
    """(K,) pixels that are touched, counted row by row, some of them twice, and how far each is from the nearest piece.

    Args:
        pieces: (P, 2, 2) lines, none of which reaches further than ``side`` pixels with what it touches.
        image: (H, W, 3)
        reach: Pixels up to which one is touched.
        side: Pixels.
    """
    height, width = image.shape[:2]
    chunk = max(CELLS // side**2, 1)
    parts = [_touched(pieces[n : n + chunk], (height, width), reach, side) for n in range(0, len(pieces), chunk)]
    index, squared = map(np.concatenate, zip(*parts, strict=True))
    nearest = np.empty(height * width, np.float32)  # of which only what is touched is ever in memory
    nearest[index] = math.inf
    np.minimum.at(nearest, index, squared)
    return index, np.sqrt(nearest[index])


def _touched(pieces: Array, size: tuple[int, int], reach: float, side: int) -> tuple[Array, Array]:
    """(K,) the pixels that each piece touches and their squared distances from it."""
    corner = np.floor(pieces.min(1) - reach).astype(np.int64)  # x and y of the first pixel that each may touch
    squared = _squared(pieces, corner, side)
    touched = np.flatnonzero(squared < reach**2)
    piece, cell = np.divmod(touched, side * side)
    row, column = np.divmod(np.arange(side * side), side)
    x, y = corner[piece, 0] + column[cell], corner[piece, 1] + row[cell]
    index, squared = y * size[1] + x, squared.ravel()[touched]
    if (corner.min() >= 0) and (corner.max(0) + side <= size[::-1]).all():
        return index, squared
    inside = (x >= 0) & (x < size[1]) & (y >= 0) & (y < size[0])
    return index[inside], squared[inside]


def _squared(pieces: Array, corner: Array, side: int) -> Array:
    """(P, side, side) the squared distance of the pixels from each corner on to its piece."""
    begin, way = pieces[:, 0], pieces[:, 1] - pieces[:, 0]
    length = np.hypot(way[:, :1], way[:, 1:])
    along = np.divide(way, length, out=np.tile(np.array([1, 0], np.float32), (len(way), 1)), where=length > 0)
    x, y = ((corner - begin)[:, :, None] + np.arange(side)).astype(np.float32).transpose(1, 0, 2)  # from its beginning
    ahead = (x * along[:, :1])[:, None] + (y * along[:, 1:])[:, :, None]
    aside = (x * along[:, 1:])[:, None] - (y * along[:, :1])[:, :, None]
    beyond = ahead - ahead.clip(0, length[:, :, None])
    return aside * aside + beyond * beyond
