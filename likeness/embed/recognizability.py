"""Recognizability: how far a face's vector lies from where the faces lie that nobody could recognise.

Recognizability Embedding Enhancement for Very Low-Resolution Face Recognition and Quality Estimation (VLRFR), CVPR
2023. https://arxiv.org/abs/2304.10066
Neither code nor weights are published. The paper trains an encoder whose index also sees its own classes; what needs
no training works with any encoder, and only that is here: the distance to the centre of unrecognisable faces.
OURS, not the paper's: which faces those are (two shipped photos, seeded, shrunk until the eyes lie 1 to 2.5 pixels
apart), the distance in the measure of the space, and the re-projection, which takes the centre's direction away from a
vector where the paper trains the encoder to keep away from it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..audit.photo_pairs import read_photo
from ..geometry import align, transform
from ..manifest import FOLDER
from ..types import Embeddings, Faces

SIDE, TEMPLATE = 224, "ffhq"
COUNT = 24  # unrecognisable faces
EYES = (1.0, 2.5)  # pixels between the eyes of one, least and most
NOISE, GAIN = 0.08, (0.5, 1.5)  # of a pixel; of a colour
SEED = 0
# Of each shipped photo the five points, as YuNet gives them.
POINTS = {
    "astronaut.png": ((201.4, 104.9), (245.1, 104.8), (220.6, 127.0), (203.8, 145.1), (242.2, 144.9)),
    "grace_hopper.jpg": ((225.5, 193.4), (306.8, 192.4), (266.8, 237.0), (230.6, 270.1), (301.3, 269.1)),
}
CENTRES: dict[str, Tensor] = {}  # by space; a centre depends on nothing but the weights


def centre(embedder: nn.Module) -> Tensor:
    """(D,) the middle of an encoder's unrecognisable faces; made once for each encoder.

    Args:
        embedder: Of ``embed.SYSTEMS``.
    """
    space = str(embedder.space)
    if space not in CENTRES:
        draw = np.random.RandomState(SEED)
        shown = [shipped(name) for name in POINTS]
        crops = [unrecognisable(shown[number % len(shown)][0], draw) for number in range(COUNT)]
        faces = [shown[number % len(shown)][1] for number in range(COUNT)]
        with torch.inference_mode():
            vectors = [embedder.embed(crop, face).embedding for crop, face in zip(crops, faces, strict=True)]  # type: ignore[operator]
        CENTRES[space] = torch.cat(vectors).float().mean(0).clone()
    return CENTRES[space]


def shipped(name: str) -> tuple[Tensor, Faces]:
    """(1, 224, 224, 3) a shipped photo's head, and its face in it."""
    image = read_photo(FOLDER / "starter/photos" / name)
    points, index = torch.tensor(POINTS[name])[None], torch.zeros(1, dtype=torch.int64)
    size = (image.shape[1], image.shape[2])
    whole = Faces(size, 1, index, index, _box(points), torch.ones(1), points)
    crop, alignment = align(image, whole, TEMPLATE, SIDE)
    moved = transform(alignment.matrix[0], points)
    return crop, Faces((SIDE, SIDE), 1, index, index, _box(moved), torch.ones(1), moved)


def _box(points: Tensor) -> Tensor:
    """(N, 4) about the box that a detector draws around five points."""
    low, high = points.amin(1), points.amax(1)
    return torch.cat([low - (high - low) * 0.6, high + (high - low) * 0.6], 1)


def unrecognisable(crop: Tensor, draw: np.random.RandomState) -> Tensor:
    """The head in so few pixels that nobody could say whose it is, in its old size, noisy and in other colours."""
    points = 0.26 * SIDE  # between the eyes on the template
    side = max(2, round(SIDE * draw.uniform(*EYES) / points))
    few = interpolate(crop.movedim(-1, 1), (side, side), mode="area")
    few = few + torch.from_numpy(NOISE * draw.standard_normal(tuple(few.shape))).float()
    few = few * torch.from_numpy(draw.uniform(*GAIN, (1, 3, 1, 1))).float()
    return interpolate(few, (SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0, 1).movedim(1, -1)


def index(embeddings: Embeddings, middle: Tensor) -> Tensor:
    """(N,) how recognisable each face is: 0 like those that nobody could recognise, the more the better.

    The distance to their centre: 1 minus the cosine, or the L2 distance where the space has that. It compares faces of
    one encoder, and says nothing about another's.
    """
    if embeddings.metric == "l2":
        return (embeddings.embedding.float() - middle).norm(dim=1)
    return 1 - torch.cosine_similarity(embeddings.embedding.float(), middle[None])


def reproject(embeddings: Embeddings, middle: Tensor, strength: float) -> Embeddings:
    """The vectors with less of what all unrecognisable faces have in common, each as long as before.

    Args:
        embeddings: Of the encoder whose centre it is.
        middle: From ``centre``.
        strength: 1 takes all of the centre's direction away; 0 gives them as they are.

    Returns:
        Embeddings of another space, compared by their cosine, for which no threshold is known.

    Raises:
        ValueError: Their space is flat.
    """
    if not strength:
        return embeddings
    embeddings.check_direction()
    x = embeddings.embedding.float()
    direction = middle / middle.norm()
    less = x - strength * (x @ direction)[:, None] * direction
    less = less * (x.norm(dim=1, keepdim=True) / less.norm(dim=1, keepdim=True).clamp(min=1e-12))
    space = f"{embeddings.space} re-projected by {strength:g}"
    return replace(
        embeddings, space=space, embedding=less.to(embeddings.embedding.dtype), metric="cosine", threshold=None
    )
