"""A set of pictures of one person to train on: sharp, of the right person, from many sides, none of them twice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .draw import draw_text
from .geometry import check_image, cut, similarity_fit, template_points
from .select import name_images
from .types import Embeddings, Faces, HeadPose, NoFaceError, same_faces

LOOK = 128  # side of the crops that are compared, pixels
SIGNATURE = 16  # side of the grey pictures by which a duplicate is seen
TWICE = 0.985  # correlation of two such pictures, above which they are one
TURN = 45.0  # degrees that weigh as much as the whole range of sharpness
SIDE, UP = 20.0, 15.0  # degrees from which a caption says that a head is turned


@dataclass(frozen=True)
class Verdict:
    """What was chosen, and why the rest was not."""

    chosen: tuple[int, ...]  # rows, the best first
    reasons: tuple[str, ...]  # per row: "" for a chosen one, else why not
    sharpness: Tensor  # (N,)
    likeness: Tensor | None  # (N,) cosine to the person


def curate(
    image: Tensor,
    faces: Faces,
    count: int,
    embeddings: Embeddings | None = None,
    pose: HeadPose | None = None,
    smallest: int = 96,
) -> Verdict:
    """The faces to train on.

    Strangers, small faces and duplicates go; of the rest each next one is the sharpest that looks another way than
    those before it.

    Args:
        image: (B, H, W, 3) RGB in [0, 1].
        faces: The faces in these images, with five points.
        count: How many to choose at most.
        embeddings: Who they are; who is most like all others is the person.
        pose: Where they look.
        smallest: Faces whose box is narrower are left out, pixels.

    Raises:
        NoFaceError: There is no face at all.
        ValueError: The faces have no points, or something is about other faces.
    """
    check_image(image, faces)
    if not len(faces):
        raise NoFaceError(f"Expected faces to choose from, got none in {name_images([], len(image))}.")
    if faces.kps is None:
        raise ValueError("Expected faces with five points, got boxes only: use a detector that gives points.")
    looks = _looks(image, faces)
    sharp, size = sharpness(looks), (faces.bbox[:, 2:] - faces.bbox[:, :2]).amin(1)
    likeness, strangers = person(faces, embeddings)
    reasons = [""] * len(faces)
    for row in range(len(faces)):
        if size[row] < smallest:
            reasons[row] = f"too small ({round(float(size[row]))} pixels)"
        elif strangers[row]:
            reasons[row] = "someone else"
    _drop_twins(reasons, looks, sharp)
    angles = torch.zeros(len(faces), 2) if pose is None else _angles(faces, pose)
    chosen = _spread(reasons, sharp, angles, count)
    for row in range(len(faces)):
        if not reasons[row] and row not in chosen:
            reasons[row] = "enough without it"
    return Verdict(tuple(chosen), tuple(reasons), sharp, likeness)


def sharpness(crops: Tensor) -> Tensor:
    """(N,) how sharp aligned crops are: what the finest detail weighs against all contrast; blur takes it first.

    Args:
        crops: (N, S, S, 3), cut at one size, so that an enlarged face counts as blurred.
    """
    grey = crops.mean(-1)
    fine = 4 * grey[:, 1:-1, 1:-1] - grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1] - grey[:, 1:-1, :-2] - grey[:, 1:-1, 2:]
    return fine.std((1, 2)) / grey.std((1, 2)).clamp(min=1e-3)


def person(faces: Faces, embeddings: Embeddings | None) -> tuple[Tensor | None, Tensor]:
    """(N,) how like the person each face is, and (N,) who is somebody else; nobody is where nothing is known.

    The person is the face that most others are like. Where no threshold is published, everybody with less than half
    of the median likeness is somebody else.
    """
    if embeddings is None:
        return None, torch.zeros(len(faces), dtype=torch.bool)
    if embeddings.faces is None:
        raise ValueError("Expected the embeddings of these faces, got a saved identity: use Embed Faces.")
    same_faces(faces, embeddings.faces)
    similarity = embeddings.similarity(embeddings)
    if embeddings.threshold is None:
        middle = int(similarity.median(1).values.argmax())
        return similarity[middle], similarity[middle] < similarity[middle].median() / 2
    same = embeddings.same_person(embeddings)
    middle = int((same.sum(1) + similarity.mean(1)).argmax())
    return similarity[middle], ~same[middle]


def captions(chosen: Faces, words: str, pose: HeadPose | None = None) -> list[str]:
    """A line for each chosen face: the words given, and where it looks."""
    if pose is None:
        return [words] * len(chosen)
    return [", ".join(filter(None, [words, view(*angles)])) for angles in _angles(chosen, pose).tolist()]


def view(yaw: float, pitch: float) -> str:
    """Where a head looks, in words a picture model knows; left and right are the image's."""
    side = "" if abs(yaw) < SIDE else f"head turned to the {'right' if yaw > 0 else 'left'}"
    height = "" if abs(pitch) < UP else f"looking {'up' if pitch > 0 else 'down'}"
    return " and ".join(filter(None, [side, height])) or "facing the camera"


def contact_sheet(image: Tensor, faces: Faces, verdict: Verdict, side: int = 128) -> Tensor:
    """(1, H, W, 3) every face once, the chosen ones first and numbered, the others darker, with why.

    Args:
        image: (B, H, W, 3) RGB in [0, 1].
        faces: All faces that were looked at.
        verdict: Of ``curate``.
        side: Of each, pixels.
    """
    others = [row for row in range(len(faces)) if row not in verdict.chosen]
    order = torch.tensor([*verdict.chosen, *others])
    looks = _looks(image, faces.select(order), side)
    words = [f"{number + 1}" for number in range(len(verdict.chosen))] + [verdict.reasons[row] for row in others]
    looks[len(verdict.chosen) :] *= 0.4
    across = math.ceil(math.sqrt(len(order)))
    sheet = image.new_zeros(math.ceil(len(order) / across), across, side, side, 3).flatten(0, 1)
    sheet[: len(order)] = torch.stack([draw_text(look, word) for look, word in zip(looks, words, strict=True)])
    rows = sheet.reshape(-1, across, side, side, 3).transpose(1, 2)
    return rows.reshape(1, -1, across * side, 3)


def _looks(image: Tensor, faces: Faces, side: int = LOOK) -> Tensor:
    if faces.kps is None:
        raise ValueError("Expected faces with five points, got boxes only: use a detector that gives points.")
    matrix = similarity_fit(faces.kps, template_points("ffhq", side))
    return cut(image, faces.image_index, matrix, side)


def _drop_twins(reasons: list[str], looks: Tensor, sharp: Tensor) -> None:
    """Of faces that are one picture, all but the sharpest are given a reason to go."""
    small = interpolate(looks.mean(-1)[:, None], (SIGNATURE, SIGNATURE), mode="area").flatten(1)
    small = small - small.mean(1, keepdim=True)
    alike = torch.nn.functional.normalize(small, dim=1)
    kept: list[int] = []
    for row in sharp.argsort(descending=True).tolist():
        if reasons[row]:
            continue
        twin = next((other for other in kept if float(alike[row] @ alike[other]) > TWICE), None)
        if twin is None:
            kept.append(row)
        else:
            reasons[row] = "seen already"


def _spread(reasons: list[str], sharp: Tensor, angles: Tensor, count: int) -> list[int]:
    """Rows one after the other: each as sharp as can be, and as far from the views before it."""
    left = [row for row, reason in enumerate(reasons) if not reason]
    if not left:
        return []
    low, high = float(sharp[left].min()), float(sharp[left].max())
    rank = (sharp - low) / max(high - low, 1e-6)
    chosen: list[int] = []
    while left and len(chosen) < count:
        away = [min((float((angles[row] - angles[other]).norm()) for other in chosen), default=0.0) for row in left]
        best = max(range(len(left)), key=lambda i: float(rank[left[i]]) + away[i] / TURN)
        chosen.append(left.pop(best))
    return chosen


def _angles(faces: Faces, pose: HeadPose) -> Tensor:
    same_faces(faces, pose.faces)
    return torch.stack([pose.yaw, pose.pitch], 1)
