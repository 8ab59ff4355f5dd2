"""Which faces: picked by place, size, score or likeness, and what stands in where an image has none."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TypeVar

import torch
from torch import Tensor

from .types import Embeddings, Faces, NoFaceError, PerFace, same_faces

P = TypeVar("P", bound=PerFace)

ORDERS = ("order", "size", "left", "right", "top", "bottom", "centre", "score", "similarity")
MISSING = ("error", "hold", "skip")


def rank(faces: Faces, by: str, similarity: Tensor | None = None) -> Tensor:
    """(N,) what to sort the faces by, the least first.

    Args:
        faces: The faces.
        by: One of ``ORDERS``: as they come, the largest, nearest to an edge of the image or to its centre, the surest,
            or the most similar first.
        similarity: (N,) to a reference; for ``by="similarity"``.

    Raises:
        ValueError: There is no such order, or no similarity to sort by.
    """
    height, width = faces.image_size
    size = faces.bbox[:, 2:] - faces.bbox[:, :2]
    x, y = ((faces.bbox[:, :2] + faces.bbox[:, 2:]) / 2).unbind(-1)
    ranks = {
        "order": torch.arange(len(faces)),
        "size": -size.prod(-1),
        "left": x,
        "right": -x,
        "top": y,
        "bottom": -y,
        "centre": torch.hypot(x - (width - 1) / 2, y - (height - 1) / 2),
        "score": -faces.score,
    }
    if similarity is not None:
        ranks["similarity"] = -similarity
    if by not in ranks:
        raise ValueError(f"Expected one of {', '.join(ORDERS)}, got {by}.")
    return ranks[by]


def pick(
    faces: Faces, ranks: Tensor, first: int = 0, count: int = 0, reverse: bool = False, among: Tensor | None = None
) -> Faces:
    """Some faces of each image, sorted; images keep their order and faces their ids.

    Args:
        faces: The faces.
        ranks: (N,) what to sort the faces of an image by, the least first; of equals the one that came first.
        first: How many of each image to pass over.
        count: How many of each image to keep at most; 0 keeps all.
        reverse: Sort the greatest first.
        among: (N,) bool, whom to pick from; all by default.
    """
    order = ranks.argsort(stable=True, descending=reverse)
    order = order if among is None else order[among[order]]
    order = order[faces.image_index[order].argsort(stable=True)]
    index = faces.image_index[order]
    place = torch.arange(len(index)) - torch.searchsorted(index, index)  # within its image
    stop = first + count if count else len(faces)
    return faces.select(order[(place >= first) & (place < stop)])


def resemblance(faces: Faces, embeddings: Embeddings | None, reference: Embeddings | None) -> Tensor:
    """(N,) how like the closest reference each face is, the more the better, in the measure of their space.

    Args:
        faces: The faces.
        embeddings: Of these faces.
        reference: Whom to look for, one identity or several.

    Raises:
        ValueError: One is not given, or the embeddings are of other faces or in another space.
        NoFaceError: There is nobody to look for.
    """
    if embeddings is None or reference is None:
        raise ValueError("Expected the faces' embeddings and a reference, got none: connect Embed Faces to both.")
    if not len(reference):
        raise NoFaceError("Expected a reference to look for, got no face: check what was detected in its picture.")
    if embeddings.faces is None:
        raise ValueError("Expected the embeddings of these faces, got a saved identity: connect it as the reference.")
    same_faces(faces, embeddings.faces)
    if embeddings.metric == "l2":
        return -embeddings.distance(reference).amin(1)
    return embeddings.similarity(reference).amax(1)


def fill_missing(faces: Faces, missing: str) -> Faces:
    """The faces, and what stands in where an image has none; see ``shown_rows``."""
    rows, images = shown_rows(faces, missing)
    return replace(faces.select(rows), image_index=images)


def fill_missing_in(value: P, missing: str) -> P:
    """What is known about faces, and what stands in where an image has none; see ``shown_rows``."""
    rows, images = shown_rows(value.faces, missing)
    return replace(value.select(rows), faces=replace(value.faces.select(rows), image_index=images))


def shown_rows(faces: Faces, missing: str) -> tuple[Tensor, Tensor]:
    """The rows to show so that no image is without a face, and the image of each.

    Args:
        faces: The faces.
        missing: "error"; "hold", the faces of the image before, or at the start of the first that has some; "skip",
            nothing.

    Raises:
        NoFaceError: An image has no face and that is an error, or there is nothing to hold.
    """
    counts = torch.bincount(faces.image_index, minlength=faces.image_count)
    empty = (counts == 0).nonzero().flatten().tolist()
    if missing == "skip" or not empty:
        return torch.arange(len(faces)), faces.image_index
    if missing == "error" or len(empty) == faces.image_count:
        raise NoFaceError(
            f"Expected a face in every image, got none in {name_images(empty, faces.image_count)}: lower the "
            "detector's threshold, cut these images out, or set missing to skip or, for a video, hold."
        )
    held = torch.arange(faces.image_count)
    held[empty] = -1
    held = held.cummax(0).values.clamp(min=int(counts.nonzero()[0]))
    parts = [(faces.image_index == source).nonzero().flatten() for source in held.tolist()]
    return torch.cat(parts), torch.cat([torch.full_like(rows, image) for image, rows in enumerate(parts)])


def one_face(faces: Faces) -> Faces:
    """The faces, when they are one.

    Raises:
        NoFaceError: There is none.
        ValueError: There are several.
    """
    if not len(faces):
        raise NoFaceError(f"Expected one face, got none in {faces.image_count} images: try a lower threshold.")
    if len(faces) > 1:
        images = name_images(sorted(set(faces.image_index.tolist())), faces.image_count)
        raise ValueError(f"Expected one face, got {len(faces)} in {images}: pick one with Select Faces.")
    return faces


def name_images(numbers: list[int], count: int) -> str:
    """Images in words, for example "images 3, 7 to 9 of 12 (counted from 0)"."""
    if count == 1:
        return "the image"
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    words = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
    return f"image{'s' * (len(numbers) > 1)} {words} of {count} (counted from 0)"
