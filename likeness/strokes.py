"""Lines and dots laid over an image, with soft edges: a pixel is covered by how near it is to the nearest of them.

Along each line the pixels beside it are looked at column by column, or row by row where it is steep, those of all lines
of one colour at once. These are small arrays: numpy has no threads to wait for, as torch has where others keep the
processor busy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray
Colour = tuple[int, int, int]
RIM: Colour = (0, 0, 0)
CELLS = 1 << 16  # pixels beside lines that are looked at together


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
    index, distance = _distances(strokes.ends.float().cpu().numpy(), (image.shape[0], image.shape[1]), strokes.reach)
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


def _distances(ends: Array, size: tuple[int, int], reach: float) -> tuple[Array, Array]:
    """(K,) pixels that are touched, counted row by row, some of them twice, and how far each is from the nearest line.

    Args:
        ends: (N, 2, 2) where each line begins and where it ends.
        size: Height and width of the image.
        reach: Pixels up to which one is touched.
    """
    parts = [*_beside(ends[np.isfinite(ends).all((1, 2))], size, reach)]
    index, squared = map(np.concatenate, zip((np.zeros(0, np.int64), np.zeros(0, np.float32)), *parts, strict=True))
    nearest = np.empty(size[0] * size[1], np.float32)  # of which only what is touched is ever in memory
    nearest[index] = math.inf
    np.minimum.at(nearest, index, squared)
    return index, np.sqrt(nearest[index])


def _beside(ends: Array, size: tuple[int, int], reach: float) -> Iterator[tuple[Array, Array]]:
    """(K,) the pixels that lines touch and their squared distances; of a steep line x and y change places meanwhile."""
    way = ends[:, 1] - ends[:, 0]
    steep = np.abs(way[:, 1]) > np.abs(way[:, 0])
    ends, way = (np.where(steep.reshape(-1, *[1] * (held.ndim - 1)), held[..., ::-1], held) for held in (ends, way))
    begin, length = ends[:, 0], np.hypot(way[:, :1], way[:, 1:])
    along = np.divide(way, length, out=np.tile(np.array([1, 0], np.float32), (len(way), 1)), where=length > 0)
    low, high = ends[..., 0].min(1), ends[..., 0].max(1)
    wide, tall = np.where(steep, size[0], size[1]), np.where(steep, size[1], size[0])
    first = np.floor(np.clip(low - reach, 0, wide)).astype(np.int64)
    last = np.ceil(np.clip(high + reach, -1, wide - 1)).astype(np.int64)
    columns = np.maximum(last - first + 1, 0)
    line = np.arange(len(ends)).repeat(columns)
    column = first[line] + np.arange(len(line)) - (columns.cumsum() - columns)[line]
    half = reach * 2**0.5  # of what a line that rises as fast as it goes touches of a column
    rows = math.ceil(2 * half) + 1
    together = max(CELLS // rows, 1)
    across, down = np.where(steep, size[1], 1), np.where(steep, 1, size[1])  # from pixel to pixel, counted row by row
    for start in range(0, len(line), together):
        x, of = column[start : start + together], line[start : start + together]
        toward, origin = along[of], begin[of]
        middle = origin[:, 1] + toward[:, 1] / toward[:, 0] * (x.clip(low[of], high[of]) - origin[:, 0])
        y = np.ceil(middle - half).astype(np.int64)[:, None] + np.arange(rows)
        right, below = (x - origin[:, 0])[:, None].astype(np.float32), (y - origin[:, 1:]).astype(np.float32)
        ahead = right * toward[:, :1] + below * toward[:, 1:]
        aside = right * toward[:, 1:] - below * toward[:, :1]
        ahead -= ahead.clip(0, length[of])
        squared = np.square(aside, out=aside)
        squared += np.square(ahead, out=ahead)
        seen = squared < reach**2
        if y[:, 0].min() < 0 or (y[:, -1] >= tall[of]).any():
            seen &= (y >= 0) & (y < tall[of, None])
        touched = np.flatnonzero(seen)
        index = (x * across[of])[:, None] + y * down[of, None]
        yield index.ravel()[touched], squared.ravel()[touched]
