"""Who is who in a heap of faces: persons, where a face that is like two of them does not make them one.

A graph of all pairs over a threshold chains people: one face between two persons joins them. Here a person grows
from a face whose neighbours agree: cut in the two halves that are least alike, they are still one person in the mean
of all pairs across. Then persons that are one in that mean are joined, and each face goes to whom it is nearest.
All in squared distances, of directions where a space is compared by its cosine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..audit.table import Table
from ..types import Embeddings, NoFaceError
from .gallery import Gallery, as_gallery, lengths

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
CHUNK = 1024  # faces that are looked at together, a multiple of 8
ROUNDS = 3
MOST = 100_000  # faces; the bits of their pairs take 1.25 GB


@dataclass(frozen=True, eq=False)
class Persons:
    """Who is who."""

    label: Rows  # (N,) the person of each face, the largest person first, counted from 0
    people: Gallery  # one row per person, the mean of the vectors as the network gave them
    table: Table  # a row per face: name, person, size of the person, distance or similarity to it, between


def cluster(given: Embeddings | Gallery, threshold: float | None = None) -> Persons:
    """The persons among some faces.

    Args:
        given: Any number of faces; a face like no other is a person by itself.
        threshold: Two faces are one person over it (cosine) or under it (l2); by default the space's published one.

    Raises:
        NoFaceError: There is no face.
        ValueError: A vector is zero or NaN, there are too many, or nobody published a threshold.
    """
    gallery = as_gallery(given)
    known = gallery.identities
    if not len(known):
        raise NoFaceError("Expected faces to group, got none: check what was detected.")
    if len(known) > MOST:
        raise ValueError(f"Expected at most {MOST} faces to group, got {len(known)}: group a part of them.")
    threshold = known.threshold if threshold is None else threshold
    if threshold is None:
        raise ValueError(
            f"Expected a space with a published threshold, got {known.space}: set a threshold of your own."
        )
    length = lengths(known.embedding)
    x = known.embedding.float()
    reach = threshold**2 if known.metric == "l2" else 2 - 2 * threshold
    points: Array = np.ascontiguousarray((x if known.metric == "l2" else x / length[:, None]).numpy())
    label = _assign(points, _grow(points, reach), reach)
    label = _by_size(_join(points, label, reach))
    return Persons(label, _centres(known, label), _describe(gallery, points, label, reach))


def _grow(points: Array, reach: float) -> Rows:
    """(N,) a first person for each face, -1 where its neighbours do not agree."""
    bits, degree = _neighbours(points, reach)
    label: Rows = np.full(len(points), -1, dtype=np.int64)
    free = degree > 1
    number = 0
    for seed in np.argsort(-degree, kind="stable").tolist():
        if not free[seed]:
            continue
        near = np.flatnonzero(np.unpackbits(bits[seed], count=len(points)).view(bool) & free)
        if len(near) < 2 or not _agree(points[near], reach):
            continue
        label[near], free[near], number = number, False, number + 1
    return label


def _neighbours(points: Array, reach: float) -> tuple[NDArray[np.uint8], Rows]:
    """Who is within reach of whom, a bit a pair, and how many that are for each."""
    count = len(points)
    bits, degree = np.zeros((count, (count + 7) // 8), dtype=np.uint8), np.zeros(count, dtype=np.int64)
    held = torch.from_numpy(points)
    half = ((held**2).sum(1) - reach / 2) / 2  # |a - b|^2 < reach where a * b > half of a + half of b
    for start in range(0, count, CHUNK):
        rows = slice(start, start + CHUNK)
        near = (held[rows] @ held[start:].T > half[rows, None] + half[start:]).numpy()
        np.fill_diagonal(near, True)
        degree[rows] += near.sum(1)
        bits[rows, start // 8 :] = np.packbits(near, axis=1)
        mirrored = near[:, CHUNK:].T  # what is left of later rows
        degree[start + CHUNK :] += mirrored.sum(1)
        bits[start + CHUNK :, start // 8 : start // 8 + (mirrored.shape[1] + 7) // 8] = np.packbits(mirrored, axis=1)
    return bits, degree


def _agree(points: Array, reach: float) -> bool:
    """Whether faces are one person: their two halves that are least alike are, in the mean of all pairs across."""
    if len(points) < 3:
        return True
    far = points[_squares(points, points.mean(0)).argmax()]
    other = points[_squares(points, far).argmax()]
    for _ in range(ROUNDS):
        first = _squares(points, far) <= _squares(points, other)
        if first.all() or not first.any():
            return True
        far, other = points[first].mean(0), points[~first].mean(0)
    if min(first.sum(), (~first).sum()) < 2:
        return True  # a lone face between two is no second person
    return bool(_across(points[first], points[~first]) < reach)


def _squares(points: Array, centre: Array) -> Array:
    return ((points - centre) ** 2).sum(1)


def _across(a: Array, b: Array) -> float:
    """The mean squared distance of all pairs of one of a and one of b."""
    return float((a**2).sum(1).mean() + (b**2).sum(1).mean() - 2 * a.mean(0) @ b.mean(0))


def _means(points: Array, label: Rows) -> tuple[Array, Array, Array]:
    """The mean of each person's faces, the mean of their squared lengths, and how many they are."""
    count = int(label.max()) + 1
    kept = label >= 0
    size = np.bincount(label[kept], minlength=count).astype(np.float32)
    order = np.argsort(label[kept], kind="stable")
    held = points[kept][order]
    starts = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int64)
    sums = np.add.reduceat(held, starts, axis=0)
    squares = np.add.reduceat((held**2).sum(1), starts)
    return (sums / size[:, None]).astype(np.float32), (squares / size).astype(np.float32), size


def _assign(points: Array, label: Rows, reach: float) -> Rows:
    """Each face with the person that it is nearest to in the mean, or by itself where none is within reach."""
    if label.max() < 0:
        return np.arange(len(points))
    mean, square, _ = _means(points, label)
    nearest: Rows = np.empty(len(points), dtype=np.int64)
    for start in range(0, len(points), CHUNK):
        part = torch.from_numpy(points[start : start + CHUNK])
        apart = torch.from_numpy(square) - 2 * (part @ torch.from_numpy(mean).T) + (part**2).sum(1, keepdim=True)
        least, place = apart.min(1)
        nearest[start : start + CHUNK] = torch.where(least < reach, place, -1).numpy()
    alone = nearest < 0
    nearest[alone] = int(label.max()) + 1 + np.arange(int(alone.sum()))
    return np.unique(nearest, return_inverse=True)[1].reshape(-1)


def _join(points: Array, label: Rows, reach: float) -> Rows:
    """Persons that are one in the mean of all pairs across, joined two by two, the nearest first."""
    for _ in range(2 * ROUNDS):
        mean, square, size = _means(points, label)
        several = np.flatnonzero(size > 1) if (size > 1).any() else np.zeros(0, dtype=np.int64)
        if len(several) < 2:
            return label
        best = _mutual(mean[several], square[several], reach)
        if not len(best):
            return label
        turned = np.arange(len(size))
        turned[several[best[:, 1]]] = several[best[:, 0]]
        label = np.unique(turned[label], return_inverse=True)[1].reshape(-1)
    return label


def _mutual(mean: Array, square: Array, reach: float) -> Rows:
    """(pairs, 2) persons that are each other's nearest, and within reach."""
    nearest, least = np.empty(len(mean), dtype=np.int64), np.empty(len(mean), dtype=np.float32)
    centres, own = torch.from_numpy(mean), torch.from_numpy(square)
    for start in range(0, len(mean), CHUNK):
        apart = own[start : start + CHUNK, None] + own - 2 * (centres[start : start + CHUNK] @ centres.T)
        rows = torch.arange(len(apart))
        apart[rows, rows + start] = torch.inf
        value, place = apart.min(1)
        nearest[start : start + CHUNK], least[start : start + CHUNK] = place.numpy(), value.numpy()
    first = np.arange(len(mean))
    both = (nearest[nearest] == first) & (first < nearest) & (least < reach)
    return np.stack([first[both], nearest[both]], 1)


def _by_size(label: Rows) -> Rows:
    """The same persons, the largest first; of equals the one whose face came first."""
    size = np.bincount(label)
    first = np.full(len(size), len(label))
    np.minimum.at(first, label, np.arange(len(label)))
    order = np.lexsort((first, -size))
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return number[label]


def _centres(known: Embeddings, label: Rows) -> Gallery:
    mean, _, _ = _means(known.embedding.float().numpy(), label)
    people = replace(known, faces=None, embedding=torch.from_numpy(mean).to(known.embedding.dtype))
    return Gallery(people, tuple(f"person {number + 1}" for number in range(len(mean))))


def _describe(gallery: Gallery, points: Array, label: Rows, reach: float) -> Table:
    mean, square, size = _means(points, label)
    own = np.empty(len(points), dtype=np.float64)
    second = np.full(len(points), np.inf)
    for start in range(0, len(points), CHUNK):
        part, of = points[start : start + CHUNK], label[start : start + CHUNK]
        apart = square - 2 * (part @ mean.T) + (part**2).sum(1)[:, None]
        rows = np.arange(len(part))
        own[start : start + CHUNK] = apart[rows, of]
        apart[rows, of] = np.inf
        second[start : start + CHUNK] = apart.min(1)
    far = gallery.identities.metric == "l2"
    measure = np.sqrt(own.clip(0)) if far else 1 - own / 2
    columns: dict[str, Any] = {
        "name": np.array([gallery.name(row) for row in range(len(gallery))], dtype=object),
        "person": label + 1,
        "faces": size[label].astype(np.int64),
        "mean distance" if far else "mean similarity": measure.astype(np.float64),
        "between": second < reach,
    }
    return Table(tuple(columns), tuple(columns.values()))
