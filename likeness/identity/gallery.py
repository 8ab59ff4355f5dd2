"""Identities that have names: the people of a folder, a saved set, the groups that were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..types import Embeddings, NoFaceError

CHUNK = 65536  # rows that are looked at together


@dataclass(frozen=True, eq=False)
class Gallery:
    """Identities and what each is called; without names a row is called by its number, from 1."""

    identities: Embeddings
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.names and len(self.names) != len(self.identities):
            raise ValueError(f"Expected a name for each of {len(self.identities)} identities, got {len(self.names)}.")

    def __len__(self) -> int:
        return len(self.identities)

    @cached_property
    def length(self) -> Tensor:
        """(N,) of each vector, read once; a vector that is zero or NaN is a ValueError."""
        return lengths(self.identities.embedding, "set")

    def name(self, row: int) -> str:
        """What a row is called."""
        return self.names[row] if self.names else str(row + 1)

    def select(self, rows: Tensor) -> Gallery:
        """Keep some rows, by index or by mask."""
        kept = rows.nonzero().flatten() if rows.dtype == torch.bool else rows
        names = tuple(self.names[row] for row in kept.tolist()) if self.names else ()
        return Gallery(self.identities.select(kept), names)


def as_gallery(value: Embeddings | Gallery) -> Gallery:
    """A gallery as it is; embeddings named by their image and face where they come from pictures."""
    if isinstance(value, Gallery):
        return value
    faces = value.faces
    if faces is None:
        return Gallery(value)
    pairs = zip(faces.image_index.tolist(), faces.id.tolist(), strict=True)
    return Gallery(value, tuple(f"image {image}, face {face}" for image, face in pairs))


def join(galleries: Sequence[Gallery]) -> Gallery:
    """Several galleries below each other, their faces left behind.

    Raises:
        NoFaceError: There is none.
        ValueError: They are of different spaces.
    """
    if not galleries:
        raise NoFaceError("Expected one identity or more, got none.")
    first = galleries[0].identities
    for other in galleries[1:]:
        first.check_space(other.identities)
    rows = torch.cat([gallery.identities.embedding for gallery in galleries])
    names = tuple(gallery.name(row) for gallery in galleries for row in range(len(gallery)))
    return Gallery(replace(first, faces=None, embedding=rows), names)


def lengths(vectors: Tensor, what: str = "identities") -> Tensor:
    """(N,) the length of each vector, read some rows at a time.

    Raises:
        ValueError: One is zero or not finite: nobody's identity.
    """
    found = torch.empty(len(vectors))
    for start in range(0, len(vectors), CHUNK):
        torch.linalg.vector_norm(vectors[start : start + CHUNK].float(), dim=1, out=found[start : start + CHUNK])
    bad = ~found.isfinite() | (found == 0)
    if bool(bad.any()):
        rows = (bad.nonzero().flatten() + 1).tolist()
        shown = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
        raise ValueError(
            f"Expected a vector with a finite length in each row of the {what}, got zero or NaN in row {shown}: take "
            "them out, or embed their pictures again."
        )
    return found


def unit(vectors: Tensor, what: str = "identities") -> Tensor:
    """(N, D) the directions of vectors.

    Raises:
        ValueError: One is zero or not finite.
    """
    return vectors.float() / lengths(vectors, what)[:, None]
