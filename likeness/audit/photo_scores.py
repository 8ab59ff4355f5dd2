"""Photos of a table looked at by an analyzer: what it tells of each face as columns, which any report may judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..types import Attributes
from .photo_pairs import read_photo
from .table import Table
from .webface260m import choose, verb_of

SIZE = 640  # pixels; the longer side that photos are searched at


@dataclass(frozen=True)
class Seen:
    """What was told of one photo."""

    name: str
    told: dict[str, float] | None  # by column; None where the photo is bad
    reason: str = ""


def look(
    names: Sequence[str | None], folder: Path, detector: nn.Module, analyzer: nn.Module, threshold: float = 0.5
) -> Iterator[Seen]:
    """Each photo as it is seen; of several faces the large one near the middle counts.

    Args:
        names: Of photos below the folder.
        folder: Where they are.
        detector: Whose ``detect`` finds faces.
        analyzer: Whose ``analyze`` tells of them.
        threshold: How sure the detector must be.
    """
    detect, analyze = verb_of(detector, "detect"), verb_of(analyzer, "analyze")
    for name in names:
        try:
            if name is None:
                raise ValueError("the table names no file")
            image = read_photo(folder / name)
            found = detect(image, threshold, SIZE)
            if not len(found):
                raise ValueError("no face found")
            analysis = analyze(image, found.select(torch.tensor([choose(found)])))
            yield Seen(name, columns(analysis.attributes))
        except (OSError, ValueError) as error:
            yield Seen(str(name), None, str(error))


def columns(attributes: Attributes) -> dict[str, float]:
    """What is told of the first face: measures by name, probabilities by set and label."""
    labels = {f"{group.name}.{label}": number for number, (group, label) in enumerate(attributes.labels)}
    told = {name: float(attributes.probability[0, number]) for name, number in labels.items()}
    if attributes.values is not None:
        told |= dict(zip(attributes.measures, attributes.values[0].tolist(), strict=True))
    return told


def add_columns(table: Table, seen: Sequence[Seen]) -> tuple[Table, Table]:
    """The table with what was told, missing where a photo is bad; and the bad photos with the reason.

    Args:
        table: A row per photo.
        seen: Of these, in their order.

    Raises:
        ValueError: No photo was told of, or the table has such a column already.
    """
    bad = Table.of(["photo", "reason"], [(one.name, one.reason) for one in seen if one.told is None])
    first = next((one.told for one in seen if one.told is not None), None)
    if first is None:
        reason = f"the first: {seen[0].name}, {seen[0].reason}" if seen else "the table is empty"
        raise ValueError(f"Expected photos with a face, got none ({reason}): look at the folder and the column.")
    if both := sorted(set(first) & set(table.names)):
        raise ValueError(f"Expected a table without {both[0]}, got one with it: drop the column, it is made here.")
    for name in first:
        table = table.with_column(name, np.array([np.nan if one.told is None else one.told[name] for one in seen]))
    return table, bad
