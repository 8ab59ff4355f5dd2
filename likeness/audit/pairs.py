"""Pairs of faces with scores: made of a design, or as people judged them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from ..select import pick, rank
from ..types import Embeddings
from .design import BASE
from .table import Table, Whole


def match_faces(embeddings: Embeddings, table: Table) -> tuple[Tensor, Whole, list[str]]:
    """The vectors of a design's faces, which row each is of, and what was lost; of several faces the surest counts.

    Raises:
        ValueError: The images are not one for each row, or the identities come from no image.
    """
    faces = embeddings.faces
    if faces is None or faces.image_count != len(table):
        count = "no" if faces is None else faces.image_count
        raise ValueError(
            f"Expected the faces of {len(table)} images, one for each row of the design, got {count}: make all images, "
            "join them to one batch in their order (Rebatch Images), and find the faces in that."
        )
    surest = pick(faces, rank(faces, "score"), count=1)
    keys = list(zip(faces.image_index.tolist(), faces.id.tolist(), strict=True))
    kept = [keys.index(key) for key in zip(surest.image_index.tolist(), surest.id.tolist(), strict=True)]
    row = surest.image_index.numpy()
    lost = sorted({*range(len(table))} - {*row.tolist()})
    missing = f"{len(lost)} of {len(table)} images show no face, and their pairs are missing: rows {_list(lost)}."
    said = [missing] * bool(lost)
    if len(faces) > len(surest):
        said.append(f"{len(faces) - len(surest)} more faces were left out: of several in one image the surest counts.")
    return embeddings.embedding[kept], row, said


def _list(rows: list[int]) -> str:
    return ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")


def make_pairs(vectors: Tensor, row: Whole, table: Table) -> Table:
    """All pairs within each group, with their cosine similarity.

    Args:
        vectors: (N, D) identity vectors.
        row: (N,) which row of the design each is of; rows without a face have none.
        table: The design, with ``identity``, ``group``, ``factor`` and ``step``.

    Returns:
        Columns ``a``, ``b`` (rows), ``identity_a``, ``identity_b``, ``group``, ``same``, ``score``; and for a base face
        with one of its changed ones ``factor`` and ``step``.

    Raises:
        ValueError: A vector is zero or NaN, or the design lacks a column.
    """
    length = vectors.double().norm(dim=1)
    if bad := (~length.isfinite() | (length == 0)).nonzero().flatten().tolist():
        raise ValueError(f"Expected vectors with a direction, got zero or NaN for the rows {row[bad][:8].tolist()}.")
    unit = (vectors.double() / length[:, None]).numpy()
    identity, group = np.array(table.texts("identity"), dtype=object)[row], np.array(table.texts("group"))[row]
    factor, step = np.array(table.texts("factor"), dtype=object)[row], table.numbers("step")[row]
    parts = []
    for name in np.unique(group):
        inside = np.flatnonzero(group == name)
        i, j = np.triu_indices(len(inside), 1)
        parts.append((inside[i], inside[j]))
    a, b = (np.concatenate([part[side] for part in parts]) if parts else np.zeros(0, np.int64) for side in (0, 1))
    same = identity[a] == identity[b]
    base = same & ((factor[a] == BASE) ^ (factor[b] == BASE))
    other = np.where(factor[a] == BASE, b, a)
    changed = factor[other].copy()
    changed[~base] = None
    steps = np.where(base, step[other], np.nan)
    score = np.concatenate([(unit[x] * unit[y]).sum(1) for x, y in _pieces(a, b)] or [np.zeros(0)])
    names = ("a", "b", "identity_a", "identity_b", "group", "same", "score", "factor", "step")
    columns = (row[a], row[b], identity[a], identity[b], group[a].astype(object), same, score, changed, steps)
    return Table(names, columns)


def _pieces(a: Whole, b: Whole, size: int = 65536) -> Iterator[tuple[Whole, ...]]:
    for start in range(0, len(a), size):
        yield a[start : start + size], b[start : start + size]


def annotate(pairs: Table, judged: Table) -> tuple[Table, int]:
    """The pairs with what people judged in the place of what the design says; and how many were not judged.

    Args:
        pairs: As ``make_pairs`` gives them.
        judged: Columns ``a``, ``b`` and ``same``; either order of a and b.
    """
    a, b, same = judged.numbers("a"), judged.numbers("b"), judged.flags("same")
    known = {(min(x, y), max(x, y)): z for x, y, z in zip(a.tolist(), b.tolist(), same.tolist(), strict=True)}
    keys = list(zip(pairs["a"].tolist(), pairs["b"].tolist(), strict=True))
    found = np.array([(min(x, y), max(x, y)) in known for x, y in keys], dtype=bool)
    kept = [key for key, has in zip(keys, found.tolist(), strict=True) if has]
    answers = np.array([known[min(x, y), max(x, y)] for x, y in kept], dtype=bool)
    return pairs.select(found).with_column("same", answers), int((~found).sum())
