"""Masks that are united, grow, shrink, soften and hold still, all by signed distance.

A mask is (B, H, W) in [0, 1]; its edge is where it passes 0.5. Distances are Euclidean, in pixels, and measured only
around the mask, so a small face in a large photo costs little.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.ndimage import binary_fill_holes, gaussian_filter1d
from torch import Tensor

from .filters import copy

Box = tuple[slice, slice]

STEADY_REACH = 24.0  # pixels; an edge that jumps further is another edge
SAME_SHOT = 0.2  # of what two frames' masks hold together, in common: where it is less the picture was cut


def unite(mask: Tensor, other: Tensor) -> Tensor:
    """What either of two masks holds.

    Args:
        mask: (B, H, W) in [0, 1].
        other: (B, H, W) in [0, 1]; one of either may go with all of the other.

    Raises:
        ValueError: They are not of the same pictures.
    """
    if mask.shape[1:] != other.shape[1:] or (len(mask) != len(other) and 1 not in (len(mask), len(other))):
        expected, got = tuple(mask.shape), tuple(other.shape)
        raise ValueError(f"Expected a mask of {expected} to unite, one per frame or one for all, got {got}: resize it.")
    return torch.maximum(mask, other)


def grow(mask: Tensor, pixels: float) -> Tensor:
    """The mask, larger by some pixels all around; smaller where they are negative. Soft edges stay soft.

    Args:
        mask: (B, H, W) in [0, 1].
        pixels: How far the edge moves outward.
    """
    if not pixels:
        return copy(mask)
    keep = torch.maximum if pixels > 0 else torch.minimum  # a matte's own soft values are not hardened
    return _by_distance(
        mask, max(pixels, 0), max(-pixels, 0), lambda soft, distance: keep(soft, (distance + pixels + 0.5).clamp(0, 1))
    )


def feather(mask: Tensor, pixels: float, inside: float = 1.0) -> Tensor:
    """The mask with an edge that fades over some pixels.

    Args:
        mask: (B, H, W) in [0, 1].
        pixels: Width of the fade.
        inside: Share of the fade that lies inside the edge: 1 never shows what the mask left out, 0 never loses any
            of what it held.
    """
    if pixels <= 0:
        return copy(mask)
    reach = pixels * (1 - inside)

    def fade(soft: Tensor, distance: Tensor) -> Tensor:
        t = ((distance + reach) / pixels).clamp(0, 1)
        return t * t * (3 - 2 * t)

    return _by_distance(mask, reach, pixels - reach, fade)


def steady(mask: Tensor, frames: float) -> Tensor:
    """The masks of a video without flicker: their edges averaged over time, ahead and behind alike, not over a cut.

    Args:
        mask: (T, H, W) in [0, 1], consecutive frames.
        frames: Deviation of the average, in frames.
    """
    if frames <= 0 or len(mask) < 2:
        return copy(mask)
    held = mask.detach().cpu().float()
    box = _around(held.amax(0), STEADY_REACH)
    if box is None:
        return copy(mask)
    region = torch.stack([_signed_distance(frame[box], STEADY_REACH, STEADY_REACH) for frame in held])
    averaged = [gaussian_filter1d(shot.numpy(), frames, axis=0, mode="nearest") for shot in _shots(region, frames)]
    result = copy(held)
    result[(slice(None), *box)] = (torch.from_numpy(np.concatenate(averaged)) + 0.5).clamp(0, 1)
    return result.to(mask)


def _shots(distance: Tensor, frames: float) -> tuple[Tensor, ...]:
    """Signed distances over time, in pieces: a new one begins where a mask jumps, is gone for long, or is back."""
    inside = (distance > 0).flatten(1)
    here = inside.any(1)
    changes = [0, *(torch.where(here[1:] != here[:-1])[0] + 1).tolist(), len(here)]
    gone = [ends for ends in pairwise(changes) if not here[ends[0]] and ends[1] - ends[0] > 2 * frames]
    both, either = (inside[1:] & inside[:-1]).sum(1), (inside[1:] | inside[:-1]).sum(1)
    jumps = torch.where((both < SAME_SHOT * either) & here[1:] & here[:-1])[0] + 1
    ends = {*jumps.tolist(), *(end for run in gone for end in run)} - {0, len(here)}
    return distance.tensor_split(sorted(ends))


def fill_holes(mask: Tensor) -> Tensor:
    """The mask with what it encloses."""
    filled = [torch.from_numpy(binary_fill_holes(frame.cpu().numpy() > 0.5)) for frame in mask]
    return torch.maximum(mask, torch.stack(filled).to(mask)) if filled else copy(mask)


def _by_distance(mask: Tensor, outward: float, inward: float, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    result = copy(mask.detach().cpu().float())
    for frame in result:
        box = _around(frame, outward + 2)
        if box is not None:
            soft = frame[box]
            soft.copy_(change(soft.clone(), _signed_distance(soft, outward + 2, inward + 2)))
    return result.to(mask)


def _around(frame: Tensor, margin: float) -> Box | None:
    """The region of a mask and ``margin`` pixels around it, None for an empty mask."""
    rows = torch.where(frame.amax(1) > 0)[0]
    if not len(rows):
        return None
    extra, (first, last) = math.ceil(margin), rows[[0, -1]].tolist()
    columns = torch.where(frame[first : last + 1].amax(0) > 0)[0]
    y, x = (slice(max(int(found[0]) - extra, 0), int(found[-1]) + 1 + extra) for found in (rows, columns))
    return y, x


def _signed_distance(soft: Tensor, outward: float, inward: float) -> Tensor:
    """(h, w) pixels to the edge, positive inside, exact as far as asked; the edge's own pixels say where it runs."""
    inside = soft > 0.5
    hard = _distance_to(~inside, inward) - _distance_to(inside, outward)
    hard = hard - 0.5 * hard.sign()
    return torch.where((soft > 0) & (soft < 1) & (hard.abs() < 1), soft - 0.5, hard)


def _distance_to(target: Tensor, limit: float) -> Tensor:
    """(h, w) Euclidean distance of each pixel to the nearest target pixel, cut off at ``limit``.

    Along columns by steps that double, then along rows as the lower envelope of parabolas; only so far as asked,
    which for the width of a feather is many times faster than a transform of the whole picture. All are whole numbers,
    small ones where they suffice.
    Source: Felzenszwalb and Huttenlocher, Distance transforms of sampled functions, 2012.
    """
    reach = math.ceil(limit)
    kind = np.int16 if 2 * reach**2 < 1 << 15 else np.int32
    away: np.ndarray[Any, Any] = np.where(target.numpy(), 0, reach).astype(kind)
    for step in (1 << power for power in range(reach.bit_length())):
        np.minimum(away[step:], away[:-step] + kind(step), out=away[step:])
        np.minimum(away[:-step], away[step:] + kind(step), out=away[:-step])
    across = np.ascontiguousarray(np.square(away).T)  # a step along a row is then one along whole stretches of memory
    padded = np.pad(across, ((reach, reach), (0, 0)), constant_values=reach**2)
    nearest, width = across, len(across)
    for step in range(1, reach + 1):
        sides = np.minimum(padded[reach - step :][:width], padded[reach + step :][:width])
        np.minimum(nearest, np.add(sides, kind(step * step), out=sides), out=nearest)
    return torch.from_numpy(np.ascontiguousarray(nearest.T)).float().sqrt_().clamp_(max=limit)
