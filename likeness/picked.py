"""Who was picked, as a text that a workflow file keeps, and the same people found again in other pictures.

A choice is an identity, which finds a person in any picture; where identities are not known it is a track of one clip,
told by where it was in one frame, and finds nobody elsewhere.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .select import resemblance
from .types import Embeddings, Faces, same_faces

GRID = 1000  # a place is kept in thousandths of the picture, whatever its size
OVERLAP = 0.3  # of two boxes (intersection over union) that are one face


def portraits(faces: Faces) -> Tensor:
    """The rows to show of all faces: each track by its largest measured face, or every face where nobody is tracked."""
    if faces.track is None:
        return torch.arange(len(faces))
    size = (faces.bbox[:, 2:] - faces.bbox[:, :2]).prod(-1) * (faces.score > 0)
    rows = [torch.where(faces.track == number)[0] for number in sorted(set(faces.track.tolist()))]
    return torch.stack([of[size[of].argmax()] for of in rows]) if rows else torch.zeros(0, dtype=torch.int64)


def choice(faces: Faces, embeddings: Embeddings | None, row: int) -> str:
    """A face as JSON that ``find`` understands; empty where nothing is known by which to find it again.

    Args:
        faces: All faces.
        embeddings: Of these faces, if known; a tracked person is the mean of the track.
        row: Which face.

    Raises:
        ValueError: The embeddings are of other faces.
    """
    if embeddings is not None:
        vector = _mean_by_person(faces, embeddings)[row].numpy().astype("<f2")
        return write({"space": embeddings.space, "identity": base64.b64encode(vector.tobytes()).decode()})
    if faces.track is None:
        return ""
    place = (_shares(faces)[row] * GRID).round().int().tolist()
    frame = int(faces.image_index[row])
    return write({"track": int(faces.track[row]), "frames": faces.image_count, "frame": frame, "box": place})


def find(faces: Faces, embeddings: Embeddings | None, picked: str, same_person: bool = True) -> list[Tensor]:
    """(N,) bool for each choice: the faces of that person, at most one in each image.

    Args:
        faces: The faces.
        embeddings: Of these faces; for identities.
        picked: A JSON list of what ``choice`` gives.
        same_person: Whether an identity has to be the same by its model's published threshold; else the most similar
            face of each image is taken.

    Raises:
        ValueError: The text is none of ours, what is needed to find its people is not there, or a track is of another
            clip.
    """
    found = []
    for one in read(picked):
        if "identity" in one:
            found.append(_by_identity(faces, embeddings, one, same_person))
        else:
            found.append(_by_track(faces, one))
    return found


def read(picked: str) -> list[dict[str, Any]]:
    """The choices in a text.

    Raises:
        ValueError: It is none of ours.
    """
    try:
        choices = json.loads(picked) if picked.strip() else []
    except ValueError:
        choices = None
    kinds = ({"space", "identity"}, {"track", "frames", "frame", "box"})
    if not isinstance(choices, list) or any(not isinstance(one, dict) or set(one) not in kinds for one in choices):
        raise ValueError(
            f"Expected a list of picked people, got {picked[:60]!r}: clear the choice and click a face on the node."
        )
    return choices


def write(one: dict[str, Any]) -> str:
    """One choice as text, the same for the same choice."""
    return json.dumps(one, separators=(",", ":"))


def _by_identity(faces: Faces, embeddings: Embeddings | None, one: dict[str, Any], same_person: bool) -> Tensor:
    if embeddings is None:
        raise ValueError(
            f"Expected embeddings of these faces, for the choice is an identity of {one['space']}, got none: connect "
            "Embed Faces with that model."
        )
    try:
        vector = np.frombuffer(base64.b64decode(one["identity"], validate=True), "<f2").astype(np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected an identity in base64, got a damaged one ({error}): pick again.") from None
    if one["space"] == embeddings.space and len(vector) != embeddings.embedding.shape[1]:
        expected = embeddings.embedding.shape[1]
        raise ValueError(f"Expected an identity of {expected} numbers, got {len(vector)}: pick again.")
    wanted = Embeddings(
        None, one["space"], torch.from_numpy(vector.copy())[None], embeddings.metric, embeddings.threshold
    )
    of_person = Embeddings(
        faces, embeddings.space, _mean_by_person(faces, embeddings), embeddings.metric, embeddings.threshold
    )
    likeness = resemblance(faces, of_person, wanted)
    among = of_person.same_person(wanted)[:, 0] if same_person else torch.ones(len(faces), dtype=torch.bool)
    best = torch.full((faces.image_count,), -torch.inf)
    best = best.scatter_reduce(0, faces.image_index[among], likeness[among], "amax")
    first = among & (likeness == best[faces.image_index])
    return first & _is_first_of_image(faces, first)


def _by_track(faces: Faces, one: dict[str, Any]) -> Tensor:
    if faces.track is None:
        raise ValueError(
            f"Expected tracked faces, for the choice is track {one['track']}, got none: connect Track Faces."
        )
    there = faces.image_index == one["frame"]
    x1, y1, x2, y2 = (_shares(faces)[there] * GRID).unbind(-1)
    a1, b1, a2, b2 = one["box"]
    shared = (x2.clamp(max=a2) - x1.clamp(min=a1)).clamp(min=0) * (y2.clamp(max=b2) - y1.clamp(min=b1)).clamp(min=0)
    overlap = shared / ((x2 - x1) * (y2 - y1) + (a2 - a1) * (b2 - b1) - shared)
    if one["frames"] != faces.image_count or not len(overlap) or overlap.max() < OVERLAP:
        raise ValueError(
            f"Expected the clip of {one['frames']} frames whose track {one['track']} was picked, seen in frame "
            f"{one['frame']}, got another of {faces.image_count}: clear the choice and pick again, or connect "
            "embeddings before you pick, which find a person in any clip."
        )
    return faces.track == faces.track[there][overlap.argmax()]


def _mean_by_person(faces: Faces, embeddings: Embeddings) -> Tensor:
    """(N, D) each face's identity, or the mean of its track."""
    if embeddings.faces is None:
        raise ValueError("Expected the embeddings of these faces, got a saved identity: connect Embed Faces.")
    same_faces(faces, embeddings.faces)
    if faces.track is None:
        return embeddings.embedding
    seen = faces.score > 0
    result = embeddings.embedding.clone()
    for number in sorted(set(faces.track.tolist())):
        rows = faces.track == number
        measured = rows & seen
        result[rows] = embeddings.embedding[measured if measured.any() else rows].mean(0)
    return result


def _is_first_of_image(faces: Faces, among: Tensor) -> Tensor:
    """(N,) bool, at most one of some faces in each image."""
    result = torch.zeros_like(among)
    for image in sorted(set(faces.image_index[among].tolist())):
        result[torch.where(among & (faces.image_index == image))[0][0]] = True
    return result


def _shares(faces: Faces) -> Tensor:
    """(N, 4) the boxes as shares of their image."""
    height, width = faces.image_size
    return faces.bbox / torch.tensor([width, height, width, height])
