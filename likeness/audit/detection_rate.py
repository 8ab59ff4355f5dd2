"""Detection rates: in which share of pictures a detector finds a face, for example without and with guidance.

The measure of ChatAnything, 2023, https://arxiv.org/abs/2311.06772, which states 57.0 % without and 92.5 % with its
landmark guidance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..landmark.chatanything import detectability, is_detectable
from ..types import Faces
from .chart import Bar, Bars
from .report import Report, Section
from .statistics import Estimate, wilson
from .table import Cell, Table


def rate(faces: Faces, threshold: float) -> Estimate:
    """The share of images that show a face of at least this score, with Wilson's interval."""
    return wilson(int(is_detectable(faces, threshold).sum()), faces.image_count)


def difference(before: Estimate, after: Estimate) -> Estimate:
    """How much higher the second of two independent shares is, with Newcombe's interval.

    Source: Newcombe, Interval estimation for the difference between independent proportions, method 10, 1998.
    """
    value = after.value - before.value
    down = math.hypot(after.value - after.low, before.high - before.value)
    up = math.hypot(after.high - after.value, before.value - before.low)
    return Estimate(value, value - down, value + up)


def report(groups: Mapping[str, Faces], threshold: float) -> Report:
    """The rate of each group of pictures; of two also how far they are apart.

    Args:
        groups: What one detector found in each group, by the group's name.
        threshold: The least score of a face that counts.

    Raises:
        ValueError: A group has no images.
    """
    for name, faces in groups.items():
        if not faces.image_count:
            raise ValueError(f"Expected images in every group, got none in {name}: connect a batch.")
    rates = {name: rate(faces, threshold) for name, faces in groups.items()}
    rows: list[tuple[Cell, ...]] = []
    for name, faces in groups.items():
        found, known = int(is_detectable(faces, threshold).sum()), rates[name]
        score = float(detectability(faces).mean())
        rows.append((name, faces.image_count, found, known.value, known.low, known.high, score))
    table = Table.of(["pictures", "count", "with a face", "rate", "low", "high", "mean score"], rows)
    bars = tuple(Bar(name, known, f"n = {groups[name].image_count}") for name, known in rates.items())
    sections = [Section("Detection rate", table, Bars("Pictures that show a face", bars, "share"))]
    if len(rates) == 2:
        (first, before), (second, after) = rates.items()
        apart = difference(before, after)
        gap = Table.of(["from", "to", "difference", "low", "high"], [(first, second, *vars(apart).values())])
        note = "The interval (95 %) is Newcombe's, of two independent groups; one that holds 0 shows no difference."
        sections.append(Section("Difference", gap, notes=(note,)))
    notes = (
        f"A picture counts when its surest face scores {threshold:g} or more. Intervals (95 %) are Wilson's.",
        "A rate is the detector's, too: compare groups under one detector only.",
    )
    return Report("Detection rate", tuple(sections), notes)
