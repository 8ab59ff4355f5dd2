"""Seeded vectors of many people, some faces between two of them, and how well a grouping fits who is who."""

from collections import Counter

import numpy as np
import torch

from likeness.types import Embeddings

SIZE = 512


def crowd(faces: int, people: int, seed: int = 0, alike: float = 0.6, bridging: float = 0.02) -> tuple:
    """(N, 512) vectors, about 20 long, and (N,) whose they are.

    Args:
        faces: How many; some people have many, most have few.
        people: How many at most.
        seed: Of all.
        alike: The mean cosine of two faces of one person; of two people's it is 0.
        bridging: The share of faces that are 55 parts of one person and 45 of another.
    """
    draw = np.random.RandomState(seed)
    centre = draw.standard_normal((people, SIZE))
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    share = draw.zipf(1.6, people).clip(1, 200)
    who = draw.choice(people, faces, p=share / share.sum())
    noise = draw.standard_normal((faces, SIZE)) / np.sqrt(SIZE) * np.sqrt(1 / alike - 1)
    x = centre[who] + noise
    between = draw.choice(faces, int(faces * bridging), replace=False)
    x[between] = 0.55 * centre[who[between]] + 0.45 * centre[draw.choice(people, len(between))] + noise[between] / 2
    return torch.from_numpy((20 * x).astype(np.float32)), who


def known(vectors: torch.Tensor, space: str = "arcface-1", **more) -> Embeddings:
    return Embeddings(None, space, vectors, **more)


def bcubed(label, who) -> float:
    """BCubed F: of each face's group how much is its person's, and of its person how much is in the group."""
    both, groups, people = Counter(zip(label, who, strict=True)), Counter(label), Counter(who)
    precision = sum(n * n / groups[group] for (group, _), n in both.items()) / len(label)
    recall = sum(n * n / people[person] for (_, person), n in both.items()) / len(label)
    return 2 * precision * recall / (precision + recall)
