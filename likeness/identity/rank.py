"""The best of N pictures: how like somebody each is, by its face that is most like them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..select import resemblance
from ..types import Embeddings, NoFaceError
from .gallery import unit


def rank(embeddings: Embeddings, reference: Embeddings) -> tuple[Tensor, Tensor]:
    """Images in the order of their likeness, and the measure of each image; without a face it is NaN and comes last.

    Args:
        embeddings: Of the faces in the images, from ``embed``.
        reference: Whom to be like; the closest of several counts.

    Returns:
        (B,) int64 image numbers, the most like first; (B,) by image, cosine similarity, or L2 distance where the space
        has that.

    Raises:
        NoFaceError: No image has a face, or there is nobody to be like.
        ValueError: The two are of different spaces, the faces come from no image, or a vector is zero or NaN.
    """
    faces = embeddings.faces
    if faces is None:
        raise ValueError("Expected faces of pictures to rank, got a saved identity: connect it as the reference.")
    if not len(faces):
        raise NoFaceError(f"Expected a face in one of {faces.image_count} images, got none: try a lower threshold.")
    for vectors, what in ((embeddings, "faces"), (reference, "reference")):
        unit(vectors.embedding, what)
    likeness = resemblance(faces, embeddings, reference)
    best = torch.full((faces.image_count,), -torch.inf)
    best.scatter_reduce_(0, faces.image_index, likeness, "amax")
    order = best.argsort(descending=True, stable=True)
    measure = -best if embeddings.metric == "l2" else best
    return order, measure.masked_fill(best.isinf(), torch.nan)
