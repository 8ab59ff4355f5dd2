"""Who is who from frame to frame: detections become tracks, gaps are bridged, shot cuts respected.

A face is followed by constant velocity. Where identities are known they decide who goes on where people cross, and
find a person again who left the picture or was cut away from. Assignment is by the Hungarian method, frame by frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from .types import Embeddings, Faces

Array = NDArray[np.float64]

REACH = 0.7  # how far a face may be from where it is expected, in its own sides; grows while it is not seen
IDENTITY_SLACK = 1.3  # of the threshold: what a face that is where it should be may differ, blurred or in profile
MOMENT = 3  # frames; so long somebody may be nobody's like, blurred, and is still who stands there next
VELOCITY, APPEARANCE = 0.5, 0.1  # how fast a track learns its speed and its looks
FORBIDDEN = 1e6
THUMBNAIL = 16  # side, pixels
CUT = 0.09  # mean absolute change between two thumbnails that makes a cut, where the shot before was calmer


@dataclass(eq=False)
class Follower:
    """A track while it is being followed."""

    rows: list[int]
    first: int  # frame where it was first seen
    last: int  # and last
    box: Array  # centre x, y, width, height, pixels
    velocity: Array  # of the box, per frame
    identity: Array | None  # unit vector

    def expected(self, frame: int) -> Array:
        steps = min(frame - self.last, 5)  # a person who is gone for long does not fly on
        box = self.box + self.velocity * steps
        box[2:] = self.box[2:]
        return box


def thumbnails(image: Tensor) -> Tensor:
    """(B, 768) the colours of (B, H, W, 3) images at a glance, for ``find_cuts``; join the chunks of a video."""
    return adaptive_avg_pool2d(image.movedim(-1, 1), THUMBNAIL).flatten(1)


def find_cuts(glances: Tensor) -> tuple[int, ...]:
    """The images with which a new shot begins, the first image left out.

    Args:
        glances: (T, 768) from ``thumbnails``.
    """
    change = glances.diff(dim=0).abs().mean(-1)
    calm = torch.cat([change[:1] * 0, change[:-1]]).maximum(torch.cat([change[1:], change[:1] * 0]))
    return tuple((torch.where((change > CUT) & (change > 2.5 * calm))[0] + 1).tolist())


def track(faces: Faces, embeddings: Embeddings | None = None, cuts: Sequence[int] = (), bridge: int = 0) -> Faces:
    """The same faces, each with its track; short gaps of a track are filled with moved boxes.

    Args:
        faces: Faces over the consecutive frames of a video.
        embeddings: Who they are, row by row. Without them a person who comes back is somebody new.
        cuts: Images with which a new shot begins, from ``find_cuts``.
        bridge: The longest gap, in frames, that is filled in. Filled rows have a score of 0.

    Raises:
        ValueError: The embeddings are not one per face.
    """
    if embeddings is not None and len(embeddings) != len(faces):
        raise ValueError(f"Expected an embedding for each of {len(faces)} faces, got {len(embeddings)}.")
    boxes = _centred(faces.bbox)
    identities = None if embeddings is None else embeddings.normed_embedding.double().cpu().numpy()
    threshold = 1.0 if embeddings is None else _threshold(embeddings)
    followed: list[Follower] = []
    starts = [*cuts, faces.image_count]
    begin = 0
    for frame, rows in enumerate(_rows(faces)):
        if frame == starts[0]:
            begin = starts.pop(0)
        seen = None if identities is None else identities[rows]
        assigned = _assign(followed, boxes[rows], seen, frame, begin, threshold)
        for row, follower in zip(rows.tolist(), assigned, strict=True):
            looks = None if identities is None else identities[row]
            if follower is None:
                followed.append(Follower([row], frame, frame, boxes[row], np.zeros(4), looks))
                continue
            if looks is not None:
                _take_over(followed, follower, boxes[row], frame, begin, threshold)
            _learn(follower, row, boxes[row], looks, frame, begin)
    numbers = torch.zeros(len(faces), dtype=torch.int64)
    for number, follower in enumerate(sorted(followed, key=lambda one: one.rows[0])):
        numbers[follower.rows] = number
    return _bridge(replace(faces, track=numbers), cuts, bridge)


def identify(tracked: Faces, embeddings: Embeddings) -> Embeddings:
    """The embeddings of tracked faces; a face that bridges a gap has the mean of its track.

    Args:
        tracked: From ``track``.
        embeddings: Of the faces that were given to ``track``.

    Raises:
        ValueError: The embeddings are not of those faces.
    """
    known = embeddings.faces
    seen = tracked.score > 0
    if known is None or tracked.track is None or len(known) != int(seen.sum()):
        raise ValueError("Expected the embeddings that the faces were tracked with: embed, then track.")
    result = embeddings.embedding.new_zeros(len(tracked), embeddings.embedding.shape[1])
    result[seen] = embeddings.embedding  # both in image order; bridging only adds rows
    for row in torch.where(~seen)[0].tolist():
        result[row] = result[seen & (tracked.track == tracked.track[row])].mean(0)
    return replace(embeddings, faces=tracked, embedding=result)


def _assign(
    followed: list[Follower], boxes: Array, identities: Array | None, frame: int, begin: int, threshold: float
) -> list[Follower | None]:
    """For each face of a frame the track it continues, or None."""
    cost = np.full((len(boxes), len(followed)), FORBIDDEN)
    for column, follower in enumerate(followed):
        near, motion, gap = *_nearness(follower, boxes, frame, begin), frame - follower.last
        if identities is None or follower.identity is None:
            cost[:, column] = np.where(near, motion + 0.02 * gap, FORBIDDEN)
            continue
        apart = np.linalg.norm(identities - follower.identity, axis=-1) / threshold
        slack = 1 + (IDENTITY_SLACK - 1) / gap
        # Who is like nobody is told by motion alone.
        known = apart + 0.3 * np.where(near, motion, 1 + REACH)
        cost[:, column] = np.where(apart < 1, known, np.where(near & (apart < slack), 1.5 + motion, FORBIDDEN))
    found: list[Follower | None] = [None] * len(boxes)
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        if cost[row, column] < FORBIDDEN:
            found[row] = followed[column]
    return found


def _nearness(follower: Follower, boxes: Array, frame: int, begin: int) -> tuple[NDArray[np.bool_], Array]:
    """For each box whether the track can have got there, and how far it is from where it is expected, in its sides."""
    expected, gap = follower.expected(frame), frame - follower.last
    side = np.sqrt(expected[2] * expected[3])
    away = np.hypot(*(boxes[:, :2] - expected[:2]).T) / side
    growth = np.abs(np.log(np.sqrt(boxes[:, 2] * boxes[:, 3]) / side))
    near = (away < REACH * min(1 + 0.2 * (gap - 1), 2)) & (growth < np.log(1.8)) & (follower.last >= begin)
    return near, away + growth


def _take_over(
    followed: list[Follower], follower: Follower, box: Array, frame: int, begin: int, threshold: float
) -> None:
    """Give a track back what was taken for somebody else for a moment, before its person was seen clearly again."""
    for other in [one for one in followed if follower.last < one.first and one.last < frame]:
        near, _ = _nearness(other, box[None], frame, begin)
        if other.identity is None or follower.identity is None:
            continue
        alike = np.linalg.norm(other.identity - follower.identity) < IDENTITY_SLACK * threshold
        if near[0] and (len(other.rows) <= MOMENT or alike):
            follower.rows += other.rows
            followed.remove(other)


def _learn(follower: Follower, row: int, box: Array, identity: Array | None, frame: int, begin: int) -> None:
    gap = frame - follower.last
    if follower.last < begin:
        follower.velocity = np.zeros(4)  # another shot: another camera
    else:
        follower.velocity += VELOCITY * ((box - follower.box) / gap - follower.velocity)
    follower.box, follower.last = box, frame
    follower.rows.append(row)
    if identity is not None and follower.identity is not None:
        looks = follower.identity + APPEARANCE * (identity - follower.identity)
        follower.identity = looks / np.linalg.norm(looks)


def _threshold(embeddings: Embeddings) -> float:
    """The published threshold as a distance between unit vectors."""
    scale = float(embeddings.embedding.norm(dim=-1).median()) if len(embeddings) else 1.0
    if embeddings.threshold is None:
        return 1.0  # cosine 0.5
    if embeddings.metric == "l2":
        return embeddings.threshold / scale
    return float(np.sqrt(2 - 2 * embeddings.threshold))


def _bridge(faces: Faces, cuts: Sequence[int], longest: int) -> Faces:
    """Fill the gaps of each track, up to ``longest`` frames and never over a cut, by straight lines."""
    numbers = faces.track
    if not longest or numbers is None:
        return faces
    keep = ("bbox", "kps")
    added: dict[str, list[Tensor]] = {name: [] for name in ("image_index", "id", "track", *keep)}
    taken = [len(rows) for rows in _rows(faces)]
    for number in sorted(set(numbers.tolist())):
        rows = torch.where(numbers == number)[0]
        for a, b in pairwise(rows):
            first, last = int(faces.image_index[a]), int(faces.image_index[b])
            if not 1 < last - first <= longest + 1 or any(first < cut <= last for cut in cuts):
                continue
            for image in range(first + 1, last):
                part = (image - first) / (last - first)
                added["image_index"].append(torch.tensor(image))
                added["id"].append(torch.tensor(taken[image]))
                added["track"].append(torch.tensor(number))
                taken[image] += 1
                for name in keep:
                    if (held := getattr(faces, name)) is not None:
                        added[name].append(torch.lerp(held[a], held[b], part))
    if not added["id"]:
        return faces
    columns: dict[str, Any] = {
        name: torch.cat([getattr(faces, name), torch.stack(rows)]) for name, rows in added.items() if rows
    }
    columns["score"] = torch.cat([faces.score, faces.score.new_zeros(len(added["id"]))])
    return replace(faces, **columns).select(columns["image_index"].argsort(stable=True))


def _rows(faces: Faces) -> list[NDArray[np.int64]]:
    """The rows of each image's faces."""
    ends = torch.bincount(faces.image_index, minlength=faces.image_count).cumsum(0)
    return np.split(faces.image_index.argsort(stable=True).numpy(), ends[:-1].numpy())


def _centred(bbox: Tensor) -> Array:
    """(N, 4) centre x, y, width, height from xyxy."""
    corners = bbox.double().cpu().numpy()
    return np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], 1)
