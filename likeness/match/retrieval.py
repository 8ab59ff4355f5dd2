"""Faces by a text: the order that their vectors give, and of the first ones that which the matching head gives.

Source: FLIP, eval/pretrain_eval.py: the first 256 by the cosine are ranked by it and the head's logit, added.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..types import Matches

PUBLISHED = 256  # faces that the head looks at


@dataclass(frozen=True)
class Ranking:
    """Faces in their order, the best first."""

    row: Tensor  # (N,) int64, which face
    similarity: Tensor  # (N,) cosine with the text, in this order
    score: Tensor  # (N,) logit and cosine added; NaN where the head did not look
    probability: Tensor  # (N,) that face and text belong together; NaN likewise

    def __len__(self) -> int:
        return len(self.row)


def first(similarity: Tensor, count: int) -> Tensor:
    """(min(N, count),) int64 the faces that are nearest to a text, in the faces' own order.

    Args:
        similarity: (N,) of each face with the text.
        count: How many.
    """
    return similarity.argsort(descending=True, stable=True)[:count].sort().values


def order(similarity: Tensor, looked: Tensor, judged: Matches | None = None) -> Ranking:
    """All faces: those that the head looked at by its score, then the others by their similarity.

    Args:
        similarity: (N,) of each face with the text.
        looked: (k,) int64 the faces that the head looked at, as ``first`` gave them.
        judged: What it said of these k faces and that one text; None where it did not look.
    """
    score, probability = torch.full((2, len(similarity)), torch.nan)
    if judged is not None:
        score[looked], probability[looked] = judged.score[:, 0], judged.probability[:, 0]
    near = similarity.argsort(descending=True, stable=True)
    row = near[score[near].nan_to_num(-torch.inf).argsort(descending=True, stable=True)]
    return Ranking(row, similarity[row], score[row], probability[row])
