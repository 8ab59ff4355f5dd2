"""One identity out of many faces of a person: weighted by how well each is seen, strangers among them left out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..audit.table import Table
from ..types import Embeddings, Faces, NoFaceError
from .gallery import Gallery, unit

ROUNDS = 10
FULL_SIZE = 112  # pixels; the shorter side of a box from which on a face is large enough
SHARP = 0.15  # from which on a face is sharp enough; see ``sharpness``
MAD = 1.4826  # deviations that a normal distribution has in its median absolute deviation
NARROW = 0.02  # cosine; the least spread that faces of one person are taken to have


@dataclass(frozen=True, eq=False)
class Fused:
    """What came of a group of faces."""

    identities: Gallery  # one row per group
    table: Table  # a row per face: group, weight, similarity to its group's identity, kept


def quality(faces: Faces, sharpness: Tensor | None = None) -> Tensor:
    """(N,) in [0, 1], how well each face is seen: the detector's score times its size times its sharpness.

    A face that bridges a gap of a track has a score of 0 and counts nothing.

    Args:
        faces: The faces.
        sharpness: (N,) of ``sharpness.sharpness``.
    """
    side = (faces.bbox[:, 2:] - faces.bbox[:, :2]).amin(1).clamp(min=0)
    found = faces.score.clamp(0, 1) * (side / FULL_SIZE).clamp(max=1)
    if sharpness is not None:
        found = found * (sharpness / SHARP).clamp(max=1)
    return found


def fuse(
    embeddings: Embeddings, groups: Tensor | None = None, weights: Tensor | None = None, reject: float = 3.0
) -> Fused:
    """One identity per group: the weighted mean of its vectors as the network gave them, without its outliers.

    Args:
        embeddings: Faces of one person in each group.
        groups: (N,) int64; all are one group by default.
        weights: (N,) 0 or more; all count alike by default.
        reject: A face is left out whose similarity to the group lies so many deviations below the others'; 0 keeps
            all. Two faces are never told apart.

    Raises:
        NoFaceError: There is no face.
        ValueError: A vector is zero or NaN, or all of a group's weights are 0.
    """
    if not len(embeddings):
        raise NoFaceError("Expected faces to fuse, got none: check what was detected.")
    directions = unit(embeddings.embedding)
    groups = torch.zeros(len(embeddings), dtype=torch.int64) if groups is None else groups
    weights = torch.ones(len(embeddings)) if weights is None else weights.float()
    vectors, similarity, kept = [], torch.zeros(len(embeddings)), torch.zeros(len(embeddings), dtype=torch.bool)
    numbers = sorted(set(groups.tolist()))
    for number in numbers:
        rows = (groups == number).nonzero().flatten()
        if not bool(weights[rows].sum() > 0):
            raise ValueError(
                f"Expected a face that was seen in group {number}, got weights of 0 only: its faces bridge a gap or "
                "have no size; switch quality off to count all alike."
            )
        seen = around(embeddings.embedding[rows]) if embeddings.flat else directions[rows]
        similarity[rows], kept[rows] = inliers(seen, weights[rows], reject)
        used = rows[kept[rows]]
        share = weights[used] / weights[used].sum()
        vectors.append((share[:, None] * embeddings.embedding[used].float()).sum(0))
    unit(torch.stack(vectors), "fused identities")  # opposite vectors cancel out
    fused = replace(embeddings, faces=None, embedding=torch.stack(vectors).to(embeddings.embedding.dtype))
    names = tuple(f"group {number}" for number in numbers)
    columns = (groups, weights.double(), similarity.double(), kept)
    table = Table(("group", "weight", "similarity", "kept"), tuple(column.numpy() for column in columns))
    return Fused(Gallery(fused, names), _with_place(table, embeddings.faces))


def around(codes: Tensor) -> Tensor:
    """(N, D + 1) directions of the codes of a flat space, the nearer the nearer they are to the middle of all.

    They share most of their length, so their own directions tell little. OURS: seen from so far below the middle that a
    code which is as far from it as most lies 20 degrees aside.
    """
    aside = codes.float() - codes.float().median(0).values
    far = torch.linalg.vector_norm(aside, dim=1).median().clamp(min=1e-6)
    below = torch.full((len(codes), 1), float(far) / math.tan(math.radians(20)))
    return torch.nn.functional.normalize(torch.cat([aside, below], 1))


def inliers(directions: Tensor, weights: Tensor, reject: float) -> tuple[Tensor, Tensor]:
    """(N,) each face's similarity to what the rest agree on, and whether it is one of them.

    The start is the middle in every coordinate, which half of the faces cannot move far; then those that lie within
    ``reject`` deviations decide anew until nobody changes sides.
    """
    centre = directions[weights > 0].median(0).values
    kept = weights > 0
    for turn in range(ROUNDS):
        similarity = directions @ (centre / centre.norm().clamp(min=1e-12))
        if not reject or int((weights > 0).sum()) < 3:
            return similarity, kept
        seen = similarity[weights > 0]
        middle = seen.median()
        spread = ((seen - middle).abs().median() * MAD).clamp(min=NARROW)
        now = (weights > 0) & (similarity >= middle - reject * spread)
        if bool((now == kept).all()) and turn:
            break
        kept = now
        centre = (weights[kept, None] * directions[kept]).sum(0)
    return similarity, kept


def _with_place(table: Table, faces: Faces | None) -> Table:
    if faces is None:
        return table
    for name, column in (("image", faces.image_index), ("face", faces.id)):
        table = table.with_column(name, column.numpy().astype(np.int64))
    return table
