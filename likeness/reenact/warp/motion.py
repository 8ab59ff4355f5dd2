"""How a driving face moves, and the same movement of another face."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ...landmark.canonical import (
    INNER_LIP_LOWER,
    INNER_LIP_UPPER,
    LEFT_BROW,
    LEFT_CREASE,
    LEFT_EYE_CORNERS,
    LEFT_LID_LOWER,
    LEFT_LID_UPPER,
    LEFT_PUPIL,
    LIPS_OUTER,
    RIGHT_BROW,
    RIGHT_CREASE,
    RIGHT_EYE_CORNERS,
    RIGHT_LID_LOWER,
    RIGHT_LID_UPPER,
    RIGHT_PUPIL,
    canonical_face,
)
from ...landmark.procrustes import FLIP, Similarity, angles_to_rotation, head_frame, rotation_to_angles
from ...types import Landmarks
from ...value import Value, cat
from ..driving import Settings

JAW_POINTS = [136, 365]  # they weigh in a head's frame, but the jaw moves them
# The mesh sees less of a turn than there is: measured on renders of a known turn.
YAW_GAIN, PITCH_GAIN = 1.5, 1.4
LIMITS = (28.0, 24.0, 22.0)  # degrees of yaw, pitch and roll; further out the field folds
SHIFT_LIMIT, GROWTH_LIMIT = 5.0, 0.25  # centimetres; natural logarithm of a change of scale
KNEE = 0.7  # share of a limit up to which an angle is taken as it is
DEPTH_GAIN = 0.5  # of an expression; the mesh's depth is noisy
GAZE_LIMIT = (0.2, 0.1)  # eye widths, across and up
SHUT = 0.35  # openness of an eye against the neutral one at which it is taken for shut
ROWS = 64  # frames of which all points are in memory at a time
REACH = 4.0  # deviations, of the Gaussian that calms a motion
UPPER_LID, LOWER_LID, CREASE = 0.93, 0.07, 0.38  # how much of a blink each travels


@dataclass(frozen=True, eq=False)
class Eye:
    """Which points make an eye; lids run from the outer corner to the inner one, corners included."""

    upper: list[int]
    lower: list[int]
    crease: list[int]
    corners: list[int]
    pupil: int


EYES = (
    Eye(list(LEFT_LID_UPPER), list(LEFT_LID_LOWER), list(LEFT_CREASE), list(LEFT_EYE_CORNERS), LEFT_PUPIL),
    Eye(list(RIGHT_LID_UPPER), list(RIGHT_LID_LOWER), list(RIGHT_CREASE), list(RIGHT_EYE_CORNERS), RIGHT_PUPIL),
)
EXPRESSIVE = [*LEFT_BROW, *RIGHT_BROW, *LIPS_OUTER]
UPPER_LIP, LOWER_LIP = list(INNER_LIP_UPPER), list(INNER_LIP_LOWER)


@dataclass(frozen=True, eq=False)
class Targets(Value):
    """Where a face goes, frame by frame."""

    frame: Similarity  # as the source's
    shape: Annotated[Tensor, "N 468 3"]  # centimetres
    gaze: Annotated[Tensor, "N 2"]  # how far the pupils move, eye widths, x to the right and y down


@dataclass(frozen=True, eq=False)
class Signs(Value):
    """What the neutral frame is known by, frame by frame; the little that is kept of all frames at once."""

    openness: Annotated[Tensor, "N 2"]  # of the eyes, see ``openness``
    gaze: Annotated[Tensor, "N 2"]  # see ``look``
    mouth: Annotated[Tensor, "N"]  # see ``mouth_gap``
    expression: Annotated[Tensor, "N P 2"]  # of brows and lips, centimetres

    @classmethod
    def of(cls, faces: Tensor) -> Signs:
        """The signs of (N, 478, 3) landmarks, centimetres."""
        eyes = torch.stack([openness(faces, eye) for eye in EYES], -1)
        gaze = torch.stack([look(faces, eye) for eye in EYES]).mean(0)
        return cls(eyes, gaze, mouth_gap(faces), faces[:, EXPRESSIVE, :2])


def drive(frame: Similarity, shape: Tensor, motion: Landmarks, settings: Settings) -> Iterator[Targets]:
    """A face moved as another one moves, from its own pose and expression; some frames at a time, in order.

    Args:
        frame: Of the face that is to move, one row.
        shape: (468, 3) that face, centimetres.
        motion: The landmarks of the driving face, one row a frame.
        settings: How much of it is taken over.

    Raises:
        ValueError: The neutral frame has no face.
    """
    frames = head_frame(motion, rigid_weights())

    def faces(rows: Tensor) -> Tensor:
        return frames.select(rows).undo(motion.points[rows] * FLIP)

    signs = cat([Signs.of(faces(rows)) for rows in torch.split(torch.arange(len(motion)), ROWS)])
    neutral = _row_of(settings.neutral, motion) if settings.neutral is not None else choose_neutral(frames, signs)
    there = _pose(frame, frames, neutral, settings)
    gaze = smooth(signs.gaze - signs.gaze[neutral], settings.smoothing) * torch.tensor([1, -1]) * settings.expression
    limit = torch.tensor(GAZE_LIMIT)
    gaze = gaze.clamp(-limit, limit)
    lids = signs.openness / signs.openness[neutral].clamp(min=1e-3)
    rest = faces(torch.tensor([neutral]))
    gain = torch.tensor([1, 1, DEPTH_GAIN]) * settings.expression
    margin = math.ceil(REACH * max(settings.smoothing, 0)) + 1  # with it a piece is smoothed as the whole would be
    for rows in torch.split(torch.arange(len(motion)), ROWS):
        first, last = int(rows[0]), int(rows[-1]) + 1
        start = max(first - margin, 0)
        around = torch.arange(start, min(last + margin, len(motion)))
        offset = smooth(faces(around) - rest, settings.smoothing)[first - start : last - start, : len(shape)] * gain
        yield Targets(there.select(rows), _express(shape, offset, lids[rows], settings.expression), gaze[rows])


def _pose(frame: Similarity, frames: Similarity, neutral: int, settings: Settings) -> Similarity:
    """Where the head of a one-row frame goes, as the heads of others turn, move and grow from their neutral row."""
    rest = frames.select(torch.tensor([neutral]))

    def calm(values: Tensor) -> Tensor:
        return smooth(values, settings.smoothing)

    angles, rest_angles = (torch.stack(rotation_to_angles(each.rotation), -1) for each in (frames, frame))
    turned = calm(angles - angles[neutral]) * torch.tensor([YAW_GAIN, PITCH_GAIN, 1]) * settings.turn
    angles = rest_angles + soft_limit(turned, torch.tensor(LIMITS))
    growth = soft_limit(calm(frames.scale / rest.scale).log() * settings.shift, torch.tensor(GROWTH_LIMIT)).exp()
    moved = calm((frames.shift - rest.shift) / rest.scale[:, None]) * settings.shift
    moved = soft_limit(moved, torch.tensor(SHIFT_LIMIT))
    return Similarity(frame.scale * growth, angles_to_rotation(*angles.unbind(-1)), frame.shift + frame.scale * moved)


def choose_neutral(frames: Similarity, signs: Signs) -> int:
    """The frame most like a portrait: eyes open, mouth quiet, brows and head where they mostly are.

    Args:
        frames: Of the heads, one row a frame.
        signs: Of the faces in these frames.
    """
    eyes, mouth = signs.openness.mean(-1), signs.mouth
    shut = (1 - eyes / eyes.quantile(0.75).clamp(min=1e-3)).clamp(min=0)
    grimace = _away(signs.expression).norm(dim=-1).mean(-1)
    turned = _away(torch.stack(rotation_to_angles(frames.rotation), -1)).abs().sum(-1)
    shifted = _away(frames.shift[:, :2] / frames.scale.median()).norm(dim=-1)
    nearer = _away(frames.scale.log()).abs()
    # Each is divided by what is half as bad as shut eyes: centimetres, centimetres, degrees, centimetres, a tenth.
    mouth = (mouth - mouth.quantile(0.1)).clamp(min=0)
    return int((2 * shut + mouth / 0.5 + grimace / 0.3 + turned / 20 + shifted / 5 + nearer / 0.1).argmin())


def _away(values: Tensor) -> Tensor:
    """How far each row is from the median one."""
    return values - values.median(0).values


def openness(faces: Tensor, eye: Eye) -> Tensor:
    """(N,) height of an eye's opening against its width, of (N, P, 3) upright faces."""
    gap = faces[:, eye.upper[1:-1], 1] - faces[:, eye.lower[1:-1], 1]
    return gap.mean(-1) / _eye_width(faces, eye)


def look(faces: Tensor, eye: Eye) -> Tensor:
    """(N, 2) where the pupil is from the middle of the corners, in eye widths, y up."""
    middle = faces[:, eye.corners, :2].mean(1)
    return (faces[:, eye.pupil, :2] - middle) / _eye_width(faces, eye)[:, None]


def mouth_gap(faces: Tensor) -> Tensor:
    """(N,) centimetres between the inner lips, of (N, P, 3) upright faces."""
    return (faces[:, [13, 82, 312], 1] - faces[:, [14, 87, 317], 1]).mean(-1)


def blink(shape: Tensor, closed: Tensor, eye: Eye) -> Tensor:
    """(N, 468, 3) offsets that close an eye.

    Args:
        shape: (N, 468, 3) faces, centimetres.
        closed: (N,) how far: 1 shuts it.
        eye: Which.
    """
    upper, lower = eye.upper[1:-1], eye.lower[1:-1]
    gap = (shape[:, lower] - shape[:, upper]) * closed[:, None, None]
    offset = torch.zeros_like(shape)
    offset[:, upper] = UPPER_LID * gap
    offset[:, lower] = -LOWER_LID * gap
    offset[:, eye.crease] = CREASE * UPPER_LID * gap
    return offset


def smooth(values: Tensor, sigma: float) -> Tensor:
    """(N, ...) rows under a Gaussian of ``sigma`` rows; the ends go on."""
    if sigma <= 0:
        return values
    from scipy.ndimage import gaussian_filter1d

    return torch.from_numpy(gaussian_filter1d(values.numpy(), sigma, axis=0, mode="nearest", truncate=REACH))


def soft_limit(angles: Tensor, limit: Tensor) -> Tensor:
    """Angles as they are up to ``KNEE`` of the limit, then ever less, never past it."""
    knee = KNEE * limit
    beyond = (angles.abs() - knee).clamp(min=0)
    return angles.sign() * (angles.abs().minimum(knee) + (limit - knee) * torch.tanh(beyond / (limit - knee)))


def _row_of(frame: int, motion: Landmarks) -> int:
    found = (motion.faces.image_index == frame).nonzero()
    if not len(found):
        raise ValueError(
            f"Expected a driving face in the neutral frame {frame} of {motion.faces.image_count} (counted from 0), "
            "got none: choose another frame."
        )
    return int(found[0])


def _express(shape: Tensor, offset: Tensor, lids: Tensor, gain: float) -> Tensor:
    """(N, 468, 3) a face with a driver's expression: its lids and lips its own.

    Args:
        shape: (468, 3) the face.
        offset: (N, 468, 3) of the driver from its neutral frame.
        lids: (N, 2) openness of the driver's eyes against its neutral frame.
        gain: How much of a blink is taken over.
    """
    offset = offset.clone()
    for eye in EYES:
        carried = offset[:, eye.corners].mean(1, keepdim=True)
        offset[:, eye.upper + eye.lower] = carried
        offset[:, eye.crease] = torch.lerp(carried, offset[:, eye.crease], 0.3)
    result = shape + offset
    # A mesh network sees one eye's blink in the other: half of each is their mean.
    half = torch.lerp(lids, lids.mean(-1, keepdim=True), 0.5)
    opened = ((half - SHUT) / (1 - SHUT)).clamp(0, 1.2)
    for number, eye in enumerate(EYES):
        result = result + blink(result, (gain * (1 - opened[:, number])).clamp(max=1), eye)
    return _uncross_lips(result, shape)


def _uncross_lips(result: Tensor, shape: Tensor) -> Tensor:
    """(N, 468, 3) faces whose inner lips meet midway where they had crossed, by more than in the (468, 3) source."""
    result = result.clone()
    least = (shape[UPPER_LIP, 1] - shape[LOWER_LIP, 1]).clamp(max=0)
    upper, lower = result[:, UPPER_LIP, 1], result[:, LOWER_LIP, 1]
    crossed, middle = upper - lower < least, (upper + lower) / 2
    result[:, UPPER_LIP, 1] = torch.where(crossed, middle + least / 2, upper)
    result[:, LOWER_LIP, 1] = torch.where(crossed, middle - least / 2, lower)
    return result


def _eye_width(faces: Tensor, eye: Eye) -> Tensor:
    outer, inner = eye.corners
    return (faces[:, outer, :2] - faces[:, inner, :2]).norm(dim=-1)


def rigid_weights() -> Tensor:
    """(468,) of each point in the frame of a head that speaks."""
    weights = canonical_face().weights.clone()
    weights[JAW_POINTS] = 0
    return weights
