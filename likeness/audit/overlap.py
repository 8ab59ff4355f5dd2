"""How well a heat map lies on a mask: Otsu's threshold, then the shares of pixels that both hold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LEVELS = 256


@dataclass(frozen=True)
class Overlap:
    """Two binary masks against each other; NaN where a share is of nothing."""

    iou: float
    f1: float
    precision: float  # of what is hot, how much is masked
    recall: float  # of what is masked, how much is hot
    hot: float  # share of the picture that is hot


def stretch(heat: Tensor) -> Tensor:
    """A heat map stretched from its least to its largest value, to 0 and 1; a flat one is 0."""
    low, high = heat.min(), heat.max()
    return (heat - low) / (high - low) if high > low else torch.zeros_like(heat)


def levels(heat: Tensor) -> Tensor:
    """(..., H, W) int64, values in [0, 1] as the whole numbers from 0 to 255 that a picture file holds."""
    return (heat.double() * (LEVELS - 1)).round().clamp(0, LEVELS - 1).long()


def otsu(level: Tensor) -> int:
    """The level that parts pixels best in two: what is above is hot. Of several as good the first, as OpenCV does it.

    kornia's differs from OpenCV's in one of the 438 published heat maps; this one in none.
    Source: Otsu, A threshold selection method from gray-level histograms, 1979.

    Args:
        level: Whole numbers from 0 to 255.
    """
    counts = torch.bincount(level.flatten(), minlength=LEVELS).double()
    values = torch.arange(LEVELS, dtype=torch.float64)
    below, sums = counts.cumsum(0), (counts * values).cumsum(0)
    above = below[-1] - below
    between = (sums[-1] * below / below[-1] - sums).square() / (below * above)  # deviation between both parts
    between = between.nan_to_num(0, 0, 0)
    if not between.max():
        return LEVELS - 1  # one level only: nothing is hot
    return int((between > between.max() * (1 - 1e-12)).nonzero()[0])


def threshold(heat: Tensor, at: float | None = None) -> tuple[Tensor, float]:
    """(H, W) bool, where a heat map is hot, and the threshold that it was cut at, in [0, 1].

    Args:
        heat: (H, W) in [0, 1].
        at: A threshold; None takes Otsu's.
    """
    if at is not None:
        return heat > at, at
    level = levels(heat)
    cut = otsu(level)
    return level > cut, cut / (LEVELS - 1)


def overlap(hot: Tensor, mask: Tensor) -> Overlap:
    """How well one binary mask covers another of its size."""
    both, either = float((hot & mask).sum()), float((hot | mask).sum())
    found, wanted = float(hot.sum()), float(mask.sum())
    return Overlap(
        iou=_share(both, either),
        f1=_share(2 * both, found + wanted),
        precision=_share(both, found),
        recall=_share(both, wanted),
        hot=_share(found, hot.numel()),
    )


def correlation(a: Tensor, b: Tensor) -> float:
    """How alike two pictures of one size are, in [-1, 1]; NaN where one is flat. OpenCV calls it TM_CCOEFF_NORMED."""
    x, y = (picture.double() - picture.double().mean() for picture in (a, b))
    return _share(float((x * y).sum()), math.sqrt(float(x.square().sum() * y.square().sum())))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
