"""Who in a set is most like somebody: exact, some rows of the set at a time, so that it may be larger than memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..audit.table import Table
from ..types import Embeddings, NoFaceError
from .gallery import Gallery, unit

BUDGET = 4_000_000  # similarities that are held at once
ROWS = 65536  # of the set that are looked at together, at most


@dataclass(frozen=True, eq=False)
class Found:
    """The nearest rows of a set for each query, the nearest first."""

    row: Tensor  # (Q, k) int64
    measure: Tensor  # (Q, k) cosine similarity, or L2 distance where the space has that


def find(gallery: Gallery, who: Embeddings, count: int = 5) -> Found:
    """The nearest identities of a set to each of some others, in the measure of their space.

    Args:
        gallery: Where to look; its lengths are read once and kept.
        who: Whom to look for.
        count: How many to give; all where there are fewer.

    Raises:
        NoFaceError: There is nobody to look for, or nobody in the set.
        ValueError: The set is in another space, or a vector is zero or NaN.
    """
    if not len(who):
        raise NoFaceError("Expected somebody to look for, got no face: check what was detected in the picture.")
    known = gallery.identities
    if not len(known):
        raise NoFaceError("Expected a set with somebody in it, got an empty one: check its folder or file.")
    who.check_space(known)
    far = known.metric == "l2"
    directions = unit(who.embedding, "identities that are looked for")
    queries = who.embedding.float() if far else directions
    own = (queries**2).sum(1, keepdim=True)
    count = min(count, len(known))
    best, rows = torch.zeros(len(queries), 0), torch.zeros(len(queries), 0, dtype=torch.int64)
    step = max(count, min(ROWS, BUDGET // len(queries)))
    for start in range(0, len(known), step):
        part, length = known.embedding[start : start + step].float(), gallery.length[start : start + step]
        scores = queries @ part.T
        if far:
            scores.mul_(2).sub_(length**2).sub_(own)  # minus the squared distance
        else:
            scores.div_(length)
        nearest, place = scores.topk(min(count, len(part)), dim=1)
        best, rows = torch.cat([best, nearest], 1), torch.cat([rows, place + start], 1)
        best, order = best.topk(min(count, best.shape[1]), dim=1)
        rows = rows.gather(1, order)
    return Found(rows, (-best).clamp(min=0).sqrt() if far else best)


def report_rows(found: Found, gallery: Gallery, who: Gallery, threshold: float | None) -> Table:
    """What was found as rows: who, place, name, row, similarity or distance, and the verdict where there is one.

    Args:
        found: By ``find``.
        gallery: Where it was looked.
        who: Who was looked for.
        threshold: One person beyond it; None gives no verdict.
    """
    far = gallery.identities.metric == "l2"
    rows = []
    for query, (places, measures) in enumerate(zip(found.row.tolist(), found.measure.tolist(), strict=True)):
        for rank, (row, measure) in enumerate(zip(places, measures, strict=True), 1):
            same = None if threshold is None else measure < threshold if far else measure > threshold
            rows.append((who.name(query), rank, gallery.name(row), row, measure, same))
    return Table.of(("query", "rank", "name", "row", "distance" if far else "similarity", "same"), rows)
