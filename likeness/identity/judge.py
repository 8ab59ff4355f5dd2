"""Does a generated face show whom it should? Asked of an encoder that the generator did not use.

An adapter is trained to please one encoder; what that encoder says of its pictures is no news. The judge must live in
another space than the identity that the generator was given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..audit.report import Report, Section
from ..audit.table import Table
from ..types import Embeddings
from .rank import rank


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the judge says."""

    score: float  # the mean over the images with a face: cosine similarity, or L2 distance where the space has that
    accepted: float  # share of all images that are the person, one without a face is not; NaN without a threshold
    independent: bool  # the generator used another space
    report: Report


def judge(
    generated: Embeddings,
    reference: Embeddings,
    used: Embeddings | str,
    threshold: float | None = None,
    circular: bool = False,
) -> Judgement:
    """How like the reference generated faces are, by an encoder that the generator did not use.

    Args:
        generated: The faces in the generated images, by the judge.
        reference: Who they should be, by the judge too.
        used: What the generator was given, or the name of its space.
        threshold: One person beyond it; by default the space's published one.
        circular: Judge even in the generator's own space, and say so.

    Raises:
        NoFaceError: No image shows a face, or there is no reference.
        ValueError: The judge is the encoder that the generator used, or the two given are of different spaces.
    """
    theirs = used if isinstance(used, str) else used.space
    independent = generated.space != theirs
    if not independent and not circular:
        raise ValueError(
            f"Expected a judge in another space than the generator's, got {theirs} on both sides: the generator was "
            "made to please it. Embed both with another encoder, or switch circular on to have the number all the same."
        )
    order, measure = rank(generated, reference)
    threshold = generated.threshold if threshold is None else threshold
    values = measure.double().numpy()
    far = generated.metric == "l2"
    seen = ~np.isnan(values)
    same = None if threshold is None else (values < threshold if far else values > threshold) & seen
    accepted = float("nan") if same is None else float(same.mean())
    name = "distance" if far else "similarity"
    places = order.numpy()
    rows = [(int(i), float(values[i]), None if same is None else bool(same[i])) for i in places]
    table = Table.of(("image", name, "same"), rows)
    notes = [
        _about(generated.space, theirs),
        f"Mean {name} {values[seen].mean():.4f} over {int(seen.sum())} of {len(values)} images that show a face.",
    ]
    if same is None:
        notes.append(f"Nobody publishes a threshold for {generated.space}, and none was set: there is no verdict.")
    else:
        notes.append(f"{int(same.sum())} of {len(values)} images pass the threshold {threshold:.4f}.")
    report = Report("Identity by a judge", (Section("Images, the most like first", table),), tuple(notes))
    return Judgement(float(values[seen].mean()), accepted, independent, report)


def _about(mine: str, theirs: str) -> str:
    """How far the judge is from the generator's encoder."""
    if mine == theirs:
        return f"CIRCULAR: the judge, {mine}, is what the generator was made to please; this is no evidence."
    method, other = (space.rpartition("-")[0] for space in (mine, theirs))
    if method and method == other:
        return (
            f"The judge, {mine}, is of the same method as the generator's {theirs}: their mistakes may be alike; an "
            "encoder of another method says more."
        )
    return f"The judge is {mine}; the generator used {theirs}."
