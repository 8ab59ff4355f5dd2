"""Triangles to pixels: which triangle is seen at each pixel, and where in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from .value import Value

EDGE = 1e-3  # pixels; a pixel this close to an edge is in the triangle, so that neighbours leave no crack


@dataclass(frozen=True, eq=False)
class Raster(Value):
    """What is seen at each pixel of a drawn mesh."""

    triangle: Annotated[Tensor, "H W"]  # int64, the row of the nearest triangle, -1 where there is none
    weights: Annotated[Tensor, "H W 3"]  # of the triangle's corners, in [0, 1], their sum is 1; 0 where there is none
    depth: Annotated[Tensor, "H W"]  # z of the nearest triangle, infinite where there is none

    def __len__(self) -> int:
        return len(self.triangle)

    @property
    def covered(self) -> Tensor:
        """(H, W) bool, where there is a triangle."""
        return self.triangle >= 0

    def interpolate(self, values: Tensor, triangles: Tensor) -> Tensor:
        """(H, W, D) what the mesh carries at each pixel, 0 where there is none.

        Args:
            values: (V, D) by vertex: texture coordinates, colours, positions in another picture.
            triangles: (F, 3) the mesh that was drawn.
        """
        corners = triangles.index_select(0, self.triangle.flatten().clamp(min=0)).unbind(-1)
        shares = self.weights.reshape(-1, 3, 1).to(values).unbind(1)
        a, b, c = (values.index_select(0, corner) * share for corner, share in zip(corners, shares, strict=True))
        return (a + b + c).view(*self.triangle.shape, -1)


def rasterize(points: Tensor, triangles: Tensor, height: int, width: int, cull: bool = True) -> Raster:
    """Draw a mesh: at each pixel the nearest triangle, and the weights of its corners.

    Each triangle is cut into pixel rows and each row into pixels, so the cost is that of the pixels that it covers.
    Rows of numbers are picked by ``index_select``, which takes a fifth of the time of indexing.

    Args:
        points: (V, 3) x and y in pixels, z the depth: smaller is nearer, of any unit. Not in perspective.
        triangles: (F, 3) int64.
        height: Of the picture, pixels.
        width: Of the picture, pixels.
        cull: Leave out triangles seen from behind, whose corners run clockwise on the screen.
    """
    corners = points[triangles]
    a, b, c = corners.unbind(1)
    area = _cross(b - a, c - a)  # negative when the corners run counter-clockwise, for y is down
    facing = area < 0 if cull else area != 0
    t, y = _spans(_first(corners[..., 1].amin(1)), _last(corners[..., 1].amax(1), height - 1), facing)
    left, right = _crossings(corners.index_select(0, t), y)
    inside = left <= right
    row, x = _spans(_first(left), _last(right, width - 1), inside)
    t, y = t.index_select(0, row), y.index_select(0, row)
    weights = _weights(corners, area, t, x, y)
    z = (weights * corners[..., 2].T.index_select(1, t)).sum(0)
    return _nearest(t, weights, z, y * width + x, height, width)


def _weights(corners: Tensor, area: Tensor, t: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(3, N) of the corners of (N,) triangles at (N,) x and y."""
    a, b, c = corners[..., :2].unbind(1)
    rates = torch.cat([a.T, (c - a).T / area, (b - a).T / area]).index_select(
        1, t
    )  # rows, for they are read one by one
    ax, ay, cx, cy, bx, by = rates
    right, down = x - ax, y - ay
    second, third = right * cy - down * cx, down * bx - right * by
    weights = torch.stack([1 - second - third, second, third]).clamp(min=0)  # EDGE may lie outside
    return weights / weights.sum(0)


def _first(bound: Tensor) -> Tensor:
    return (bound - EDGE).ceil().clamp(min=0).long()


def _last(bound: Tensor, limit: int) -> Tensor:
    return (bound + EDGE).floor().clamp(max=limit).long()


def _spans(first: Tensor, last: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Every whole number from first to last, both included, and the row that it comes from."""
    count = torch.where(kept, last - first + 1, 0).clamp(min=0)
    row = torch.repeat_interleave(count)
    start = count.cumsum(0) - count
    return row, (first - start).index_select(0, row) + torch.arange(len(row), device=row.device)


def _crossings(corners: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Between which x each (R, 3, 3) triangle lies at its (R,) y."""
    line = y[:, None].to(corners)
    here, there = corners[..., :2], corners.roll(-1, 1)[..., :2]
    rise = there[..., 1] - here[..., 1]
    along = (line - here[..., 1]) / torch.where(rise == 0, 1, rise)
    crossed = (along * rise.abs() >= -EDGE) & ((along - 1) * rise.abs() <= EDGE) & (rise != 0)
    x = torch.lerp(here[..., 0], there[..., 0], along.clamp(0, 1))
    beyond = torch.tensor(torch.inf).to(x)
    return torch.where(crossed, x, beyond).amin(1), torch.where(crossed, x, -beyond).amax(1)


def _nearest(t: Tensor, weights: Tensor, z: Tensor, pixel: Tensor, height: int, width: int) -> Raster:
    """Of all that fell on each pixel the nearest, the first of equals."""
    depth = z.new_full((height * width,), torch.inf).scatter_reduce(0, pixel, z, "amin")
    seen = (z <= depth.index_select(0, pixel)).nonzero()[:, 0]
    nobody = len(t)
    winner = seen.new_full((height * width,), nobody).scatter_reduce(0, pixel.index_select(0, seen), seen, "amin")
    triangle = torch.cat([t, t.new_tensor([-1])]).index_select(0, winner)
    weights = torch.cat([weights, weights.new_zeros(3, 1)], 1).index_select(1, winner).T
    return Raster(triangle.view(height, width), weights.view(height, width, 3), depth.view(height, width))


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
