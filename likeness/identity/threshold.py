"""A threshold from strangers: what similarity two different people reach only so seldom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..audit.verification import threshold_at
from ..types import Embeddings, NoFaceError
from .gallery import unit

MOST = 2_000_000  # pairs that are scored; of more so many are drawn


@dataclass(frozen=True)
class Threshold:
    """A threshold, and what it was set by."""

    value: float  # in the space's own measure: cosine similarity over it, or L2 distance under it, is one person
    far: float  # the false accept rate it was set for
    pairs: int  # of two people that were scored
    possible: int  # of two people that the set has
    people: int
    reached: float  # the share of the scored pairs that pass

    def __str__(self) -> str:
        drawn = "" if self.pairs == self.possible else f", drawn from {self.possible}"
        few = ""
        if self.pairs * self.far < 1:
            few = f" So few pairs show no rate below {1 / self.pairs:.2g}: none of them passes, and that says no more."
        return (
            f"{self.value:.4f} at a false accept rate of {self.far:g}: {self.reached:.3g} of {self.pairs} pairs of "
            f"{self.people} different people pass{drawn}.{few}"
        )


def threshold_from(strangers: Embeddings, far: float, people: Tensor | None = None, seed: int = 0) -> Threshold:
    """The threshold that a share ``far`` of the pairs of two people passes.

    Args:
        strangers: Faces of a set; each is another person, or see ``people``.
        far: The false accept rate, over 0 and under 1.
        people: (N,) int64, who each is, where some are one person.
        seed: Of the pairs that are drawn where there are more than two million.

    Raises:
        NoFaceError: The set is empty.
        ValueError: It has one person only, a vector is zero or NaN, or the rate is none.
    """
    if not 0 < far < 1:
        raise ValueError(f"Expected a false accept rate between 0 and 1, such as 0.001, got {far}.")
    if not len(strangers):
        raise NoFaceError("Expected faces of different people to set a threshold by, got none: check the set.")
    unit(strangers.embedding, "set")
    who = np.arange(len(strangers)) if people is None else people.numpy()
    count = len(np.unique(who))
    if count < 2:
        raise ValueError("Expected faces of two people or more to set a threshold by, got one person's: add others.")
    sizes = np.unique(who, return_counts=True)[1].astype(np.int64)
    possible = int((len(who) ** 2 - (sizes**2).sum()) // 2)
    a, b = _pairs(who, seed)
    scores = _scores(strangers, a, b)
    value = threshold_at(scores, far)
    reached = float((scores > value).mean())
    if strangers.metric == "l2":
        value = -value
    return Threshold(value, far, len(scores), possible, count, reached)


def _pairs(who: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of two people: all, or as many as are scored."""
    if len(who) * (len(who) - 1) // 2 <= MOST:
        a, b = np.triu_indices(len(who), 1)
    else:
        a, b = np.random.RandomState(seed).randint(0, len(who), (2, MOST))
    differ = who[a] != who[b]
    return a[differ], b[differ]


def _scores(known: Embeddings, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(pairs,) cosine similarity, or minus the L2 distance where the space has that."""
    far = known.metric == "l2"
    x = known.embedding.float() if far else known.normed_embedding.float()
    parts = []
    for start in range(0, len(a), 65536):
        left, right = (x[torch.from_numpy(side[start : start + 65536])] for side in (a, b))
        parts.append(-(left - right).norm(dim=1) if far else (left * right).sum(1))
    return torch.cat(parts).double().numpy() if parts else np.zeros(0)
