"""Identities between others: mixed, in between, and a little beside. Directions turn; lengths are interpolated.

In a flat space, whose codes a generator makes faces of, nothing turns: the ways are straight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..types import Embeddings, NoFaceError
from .gallery import lengths

OPPOSITE = -1 + 1e-6  # cosine of two directions that no shortest way joins


def one(value: Embeddings, what: str) -> Embeddings:
    """The identity, when it is one.

    Raises:
        NoFaceError: There is none.
        ValueError: There are several.
    """
    if not len(value):
        raise NoFaceError(f"Expected one identity as {what}, got none: check what was detected in its picture.")
    if len(value) > 1:
        raise ValueError(f"Expected one identity as {what}, got {len(value)}: pick one, or fuse them first.")
    return value


def between(a: Embeddings, b: Embeddings, amounts: Sequence[float]) -> Embeddings:
    """Identities on the shortest way from one to another, over the sphere or straight, a row per amount.

    Args:
        a: One identity.
        b: One identity of the same space.
        amounts: 0 is a, 1 is b; beyond them the way goes on.

    Raises:
        NoFaceError: One is missing.
        ValueError: They are several, of two spaces, zero or NaN, or opposite.
    """
    one(a, "a").check_space(one(b, "b"))
    both = torch.cat([a.embedding, b.embedding]).double()
    length = lengths(both).double()
    if a.flat:
        found = torch.stack([both[0] + t * (both[1] - both[0]) for t in amounts]) if amounts else both[:0]
        return replace(a, faces=None, embedding=found.to(a.embedding.dtype))
    start, stop = both / length[:, None]
    cosine = float((start @ stop).clamp(-1, 1))
    if cosine < OPPOSITE:
        raise ValueError("Expected two identities with a way between them, got opposite ones: mix in a third.")
    angle = math.acos(cosine)
    rows = []
    for t in amounts:
        if angle < 1e-6:
            direction = start
        else:
            direction = (math.sin((1 - t) * angle) * start + math.sin(t * angle) * stop) / math.sin(angle)
        rows.append(direction / direction.norm() * ((1 - t) * length[0] + t * length[1]))
    found = torch.stack(rows) if rows else both[:0]
    return replace(a, faces=None, embedding=found.to(a.embedding.dtype))


def mix(identities: Embeddings, weights: Sequence[float] = ()) -> Embeddings:
    """One identity in the weighted middle of several: the mean direction, as long as they are in the mean.

    In a flat space it is the mean itself.

    Args:
        identities: One or more.
        weights: One for each, 0 or more; none weighs all alike.

    Raises:
        NoFaceError: There is none.
        ValueError: Weights do not fit, an identity is zero or NaN, or they cancel out.
    """
    if not len(identities):
        raise NoFaceError("Expected identities to mix, got none: check what was detected in their pictures.")
    share = torch.tensor(list(weights) or [1.0] * len(identities), dtype=torch.float64)
    if len(share) != len(identities) or bool((share < 0).any()) or not bool(share.sum() > 0):
        raise ValueError(
            f"Expected a weight of 0 or more for each of {len(identities)} identities and one over 0, got "
            f"{share.tolist()}."
        )
    share = share / share.sum()
    length = lengths(identities.embedding).double()
    if identities.flat:
        middle = (share[:, None] * identities.embedding.double()).sum(0)
        return replace(identities, faces=None, embedding=middle[None].to(identities.embedding.dtype))
    direction = (share[:, None] * identities.embedding.double() / length[:, None]).sum(0)
    if float(direction.norm()) < 1e-6:
        raise ValueError("Expected identities with a middle, got ones that cancel out: change their weights.")
    mixed = direction / direction.norm() * (share * length).sum()
    return replace(identities, faces=None, embedding=mixed[None].to(identities.embedding.dtype))


def perturb(identity: Embeddings, degrees: float, count: int, seed: int) -> Embeddings:
    """Identities at one angle from another, in seeded directions; each as long as the one they surround.

    Args:
        identity: One identity.
        degrees: How far to turn, 0 to 180.
        count: How many to make.
        seed: Of the directions.

    Raises:
        NoFaceError: There is none.
        ValueError: There are several, it is zero or NaN, or its space is flat.
    """
    vector = one(identity, "identity").embedding.double()
    identity.check_direction()
    length = lengths(vector).double()
    centre = vector[0] / length
    noise = _normal(count, len(centre), seed)
    aside = noise - (noise @ centre)[:, None] * centre
    aside = aside / aside.norm(dim=1, keepdim=True)
    angle = math.radians(degrees)
    around = math.cos(angle) * centre + math.sin(angle) * aside
    return replace(identity, faces=None, embedding=(around * length).to(identity.embedding.dtype))


def _normal(count: int, size: int, seed: int) -> Tensor:
    import numpy as np

    return torch.from_numpy(np.random.RandomState(seed).standard_normal((count, size)))  # the same on every machine
