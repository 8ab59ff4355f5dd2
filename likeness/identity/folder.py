"""The faces of a folder of photos as a gallery; a bad photo is listed, and nothing else is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from ..audit.photo_pairs import read_photo
from ..audit.table import Table
from ..audit.webface260m import choose, verb_of
from ..types import Embeddings, NoFaceError
from .gallery import Gallery, join

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Looking:
    """Who looks at the photos, and how."""

    detector: nn.Module
    embedder: nn.Module
    threshold: float = 0.5  # of the detector
    every: bool = True  # face of a photo; else the one that is meant, large and near the centre
    size: int = 640  # pixels; the longer side that photos are searched at


def photos(folder: Path, pattern: str = "*") -> list[Path]:
    """The pictures in a folder and its sub-folders, by name.

    Args:
        folder: Where to look.
        pattern: What their names must match: "holiday_*".

    Raises:
        NoFaceError: There is none.
    """
    found = sorted(path for path in folder.rglob(pattern or "*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        kinds = ", ".join(SUFFIXES)
        raise NoFaceError(f"Expected photos ({kinds}) named {pattern} in {folder.name}, got none: put some there.")
    return found


def look(paths: list[Path], root: Path, looking: Looking) -> Iterator[tuple[str, Embeddings | None, str]]:
    """Each photo's name, its identities, and why it has none."""
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            image = read_photo(path)
            faces = verb_of(looking.detector, "detect")(image, looking.threshold, looking.size)
            if not len(faces):
                raise NoFaceError("no face found")
            kept = faces if looking.every else faces.select(torch.tensor([choose(faces)]))
            yield name, verb_of(looking.embedder, "embed")(image, kept), ""
        except (OSError, ValueError) as error:
            yield name, None, str(error)


def collect(seen: list[tuple[str, Embeddings | None, str]], weights: str = "") -> tuple[Gallery, Table]:
    """The gallery of all faces, each named by its photo, and the photos without one.

    Raises:
        NoFaceError: No photo gave a face.
    """
    bad = Table.of(["photo", "reason"], [(name, reason) for name, found, reason in seen if found is None])
    parts = []
    for name, found, _ in seen:
        if found is not None:
            several = len(found) > 1
            names = tuple(f"{name} #{number + 1}" if several else name for number in range(len(found)))
            parts.append(Gallery(replace(found, faces=None, weights=weights or found.weights), names))
    if not parts:
        first = f"{bad['photo'][0]}: {bad['reason'][0]}" if len(bad) else "nothing"
        raise NoFaceError(f"Expected a face in one of {len(seen)} photos, got none; the first, {first}.")
    return join(parts), bad
