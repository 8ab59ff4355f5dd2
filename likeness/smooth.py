"""Tracks without jitter: zero-phase smoothing that does not smear fast true motion, and a causal filter.

Each column is smoothed at several strengths. A frame takes the strongest one that still agrees with all weaker ones
within the noise, so a resting face is held still, a nod keeps its height, and a jump stays a jump.
Sources: Eilers, A Perfect Smoother, Analytical Chemistry 2003; Goldenshluger and Nemirovski, On spatially adaptive
estimation of nonparametric regression, 1997 (the rule of intersecting intervals); Casiez et al., 1 Euro Filter,
CHI 2012.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from torch import Tensor

from .geometry import invert, move, similarity_fit
from .landmark.procrustes import camera_matrix
from .types import Alignment, Faces, Landmarks

Array = NDArray[np.float64]

ORDER = 3  # of the difference that is punished: steady acceleration costs nothing
STRENGTHS = (0.0, *(10.0**power for power in range(9)))  # weakest first; 0 keeps the measurement
AGREEMENT = 4.0  # deviations; 3 lets noise through now and then, 5 begins to flatten a nod
CAUTION, BLEND = 5, 2.0  # frames: how far a weak strength reaches, and how softly strengths change
UNSEEN = 1e-6  # weight of a frame without a measurement; not 0, for one system has to be solvable
PERCENT = 100.0  # in which blendshapes are as large as pixels, for the causal filter's speed
IMPULSE = 401  # frames, over which a strength's answer to noise is measured


def smooth(track: Tensor, score: Tensor | None = None) -> Tensor:
    """A track without jitter, at the same frames and without delay.

    Args:
        track: (T, ...) positions over consecutive frames, any unit; each column is smoothed by itself.
        score: (T,) trust in each frame, 0 where nothing was measured (the frame is filled in), 1 by default.

    Returns:
        A track of the same shape and dtype.

    Raises:
        ValueError: The score has another length than the track, or the track holds NaN where the score is not 0.
    """
    columns = track.detach().cpu().double().reshape(len(track), -1).numpy()
    weight = np.ones(len(columns)) if score is None else score.detach().cpu().double().clamp(min=0).numpy()
    if len(weight) != len(columns):
        raise ValueError(f"Expected a score for each of {len(columns)} frames, got {len(weight)}.")
    seen = weight > 0
    if not np.isfinite(columns[seen]).all():
        raise ValueError("Expected finite positions, got NaN or infinity: give such frames a score of 0.")
    if not seen.any():
        return track.clone()
    frames = np.arange(len(columns))
    filled = np.stack([np.interp(frames, frames[seen], column[seen]) for column in columns.T], 1)
    if seen.sum() > ORDER:  # else nothing can be said about noise
        filled = _adapt(filled, np.where(seen, weight, UNSEEN), seen)
    return torch.from_numpy(filled).reshape(track.shape).to(track)


def smooth_causal(track: Tensor, rate: float, cutoff: float = 1.0, speed: float = 0.02) -> Tensor:
    """A steadier track where each frame knows only those before it: the 1 Euro filter.

    Args:
        track: (T, ...) positions, pixels.
        rate: Frames a second.
        cutoff: Hz at rest; lower is steadier and later.
        speed: How much the cutoff grows with speed, Hz per pixel a second.
    """

    def share(hz: Tensor) -> Tensor:
        return 1 / (1 + rate / (2 * math.pi * hz))

    result = track.clone()
    velocity, one_hz = torch.zeros_like(track[:1]), torch.ones_like(track[:1])
    for frame in range(1, len(track)):
        step = (track[frame : frame + 1] - result[frame - 1 : frame]) * rate
        velocity = torch.lerp(velocity, step, share(one_hz))
        hz = cutoff + speed * velocity.abs()
        result[frame] = torch.lerp(result[frame - 1], track[frame], share(hz)[0])
    return result


def smooth_faces(faces: Faces, causal: bool = False, rate: float = 25.0) -> Faces:
    """The same faces, boxes and points steady over the frames of each track.

    A track is smoothed in pieces without gaps. Rows that bridge a gap (score 0) do not count as measured.

    Args:
        faces: With tracks, from ``track``.
        causal: Each frame knows only those before it; else both sides count, without delay.
        rate: Frames a second, for the causal filter.

    Raises:
        ValueError: The faces have no tracks.
    """
    centred = torch.cat([(faces.bbox[:, :2] + faces.bbox[:, 2:]) / 2, faces.bbox[:, 2:] - faces.bbox[:, :2]], 1)
    points = faces.kps if faces.kps is not None else faces.bbox.new_zeros(len(faces), 0, 2)
    result = _by_track(torch.cat([centred, points.flatten(1)], 1), faces, causal, rate)
    half = result[:, 2:4] / 2
    bbox = torch.cat([result[:, :2] - half, result[:, :2] + half], 1)
    kps = None if faces.kps is None else result[:, 4:].reshape(faces.kps.shape)
    return replace(faces, bbox=bbox, kps=kps)


def smooth_landmarks(landmarks: Landmarks, causal: bool = False, rate: float = 25.0) -> Landmarks:
    """The same landmarks, steady over the frames of each track, as ``smooth_faces`` does it; their faces stay.

    Points, the upright mesh and blendshapes are smoothed; the matrix is that of the smooth points.

    Args:
        landmarks: Of faces with tracks.
        causal: Each frame knows only those before it.
        rate: Frames a second, for the causal filter.

    Raises:
        ValueError: The faces have no tracks.
    """
    units = {"points": 1.0, "mesh": 1.0, "blendshapes": PERCENT}
    known = {name: getattr(landmarks, name) for name in units}
    result: dict[str, Any] = {
        name: (_by_track(held.flatten(1) * units[name], landmarks.faces, causal, rate) / units[name]).reshape(
            held.shape
        )
        for name, held in known.items()
        if held is not None
    }
    if landmarks.blendshapes is not None:
        result["blendshapes"] = result["blendshapes"].clamp(0, 1)
    if landmarks.matrix is not None:
        result["matrix"] = camera_matrix(result["points"], landmarks.faces.image_size)
    return replace(landmarks, **result)


def smooth_alignment(alignment: Alignment, causal: bool = False, rate: float = 25.0) -> Alignment:
    """The same crops, steady over the frames of each track, as ``smooth_faces`` does it; their faces stay.

    Where the crop's middle and the middle of its right side lie in the photo is smoothed, which says all of a
    similarity and knows no angle that could jump by a turn.

    Args:
        alignment: Of faces with tracks.
        causal: Each frame knows only those before it.
        rate: Frames a second, for the causal filter.

    Raises:
        ValueError: The faces have no tracks.
    """
    middle = (alignment.size - 1) / 2
    ends = torch.tensor([[middle, middle], [alignment.size - 0.5, middle]])
    seen = move(invert(alignment.matrix), ends.expand(len(alignment), -1, -1))
    columns = torch.cat([seen[:, 0], seen[:, 1] - seen[:, 0]], 1)
    centre, right = _by_track(columns, alignment.faces, causal, rate).tensor_split(2, 1)
    return replace(alignment, matrix=similarity_fit(torch.stack([centre, centre + right], 1), ends))


def _by_track(columns: Tensor, faces: Faces, causal: bool, rate: float) -> Tensor:
    """(N, D) columns, each smoothed over the frames of each track."""
    if faces.track is None:
        raise ValueError("Expected tracked faces, got faces without tracks: connect Track Faces first.")
    result = columns.clone()
    for rows in _pieces(faces.track, faces.image_index):
        piece = columns[rows]
        result[rows] = smooth_causal(piece, rate) if causal else smooth(piece, faces.score[rows])
    return result


def _pieces(track: Tensor, image_index: Tensor) -> Iterator[Tensor]:
    """The rows of each run of consecutive frames of each track."""
    for number in sorted(set(track.tolist())):
        rows = torch.where(track == number)[0]
        rows = rows[image_index[rows].argsort(stable=True)]
        ends = torch.where(image_index[rows].diff() != 1)[0] + 1
        yield from torch.tensor_split(rows, ends)


def _adapt(columns: Array, weight: Array, seen: NDArray[np.bool_]) -> Array:
    """(T, D) each value from the strongest smoothing that agrees with all weaker ones."""
    levels = np.stack([_whittaker(columns, weight, strength or UNSEEN) for strength in STRENGTHS])
    noise = _noise(columns[seen])
    chosen, agrees = np.zeros(columns.shape), np.ones(columns.shape, dtype=bool)
    for j in range(1, len(STRENGTHS)):
        for i in range(j):
            allowed = AGREEMENT * noise * np.linalg.norm(_impulse(j) - _impulse(i))
            agrees &= np.abs(levels[j] - levels[i]) <= allowed
        chosen = np.where(agrees, j, chosen)
    frames = np.arange(len(columns))  # a gap has nothing to agree with: it takes over what holds around it
    chosen = np.stack([np.interp(frames, frames[seen], column[seen]) for column in chosen.T], 1)
    soft = gaussian_filter1d(minimum_filter1d(chosen, CAUTION, axis=0, mode="nearest"), BLEND, axis=0, mode="nearest")
    lower = np.minimum(soft.astype(int), len(STRENGTHS) - 2)
    part, (row, column) = soft - lower, np.indices(columns.shape)
    return levels[lower, row, column] * (1 - part) + levels[lower + 1, row, column] * part


def _whittaker(columns: Array, weight: Array, strength: float) -> Array:
    """(T, D) the curve that is close to its points and smooth, by one banded system."""
    difference = _difference()
    count = len(columns) - ORDER
    bands = np.zeros((ORDER + 1, len(columns)))
    for i in range(ORDER + 1):
        for j in range(i, ORDER + 1):
            bands[ORDER - (j - i), j : j + count] += strength * difference[i] * difference[j]
    bands[ORDER] += weight
    return solveh_banded(bands, weight[:, None] * columns)


def _noise(columns: Array) -> Array:
    """(D,) the deviation of the noise, from third differences; a median, so that true motion counts little."""
    rough = np.abs(np.diff(columns, ORDER, axis=0))
    return np.median(rough, axis=0) / 0.6745 / np.linalg.norm(_difference())


def _difference() -> Array:
    return np.array([(-1.0) ** k * math.comb(ORDER, k) for k in range(ORDER + 1)])


@cache
def _impulse(level: int) -> Array:
    """(IMPULSE,) what a strength makes of a single unit in the middle; its length is its share of the noise."""
    unit = np.zeros((IMPULSE, 1))
    unit[IMPULSE // 2] = 1
    return _whittaker(unit, np.ones(IMPULSE), STRENGTHS[level] or UNSEEN)[:, 0]
