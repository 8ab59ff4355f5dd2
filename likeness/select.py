"""Which faces: picked by place, size, score, track, pose or likeness; and what stands in where an image has none."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TypeVar

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .types import Embeddings, Faces, HeadPose, NoFaceError, same_faces
from .value import Value

V = TypeVar("V", bound=Value)

ORDERS = (
    *("order", "size", "left", "right", "top", "bottom", "centre", "score", "similarity"),
    *("track", "sharpness", "frontal"),
)
MISSING = ("error", "hold", "skip", "interpolate")
ANGLES = ("yaw", "pitch", "roll")
Range = tuple[float, float]
JUDGED_BY = {
    "similarity": "embeddings and a reference, both from Embed Faces",
    "track": "faces from Track Faces",
    "sharpness": "the image that the faces were found in",
    "frontal": "head_pose of Estimate Head Pose or Detect Heads",
}


def rank(
    faces: Faces,
    by: str,
    similarity: Tensor | None = None,
    sharpness: Tensor | None = None,
    pose: HeadPose | None = None,
) -> Tensor:
    """(N,) what to sort the faces by, the least first.

    Args:
        faces: The faces.
        by: One of ``ORDERS``: as they come, the largest, nearest to an edge of the image or to its centre, the surest,
            the most similar, the one of the first track, the sharpest, or the one who looks most into the camera.
        similarity: (N,) to a reference; for ``by="similarity"``.
        sharpness: (N,) of each face; for ``by="sharpness"``.
        pose: Of each face; for ``by="frontal"``.

    Raises:
        ValueError: There is no such order, or nothing to sort by.
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
    if faces.track is not None:
        ranks["track"] = faces.track
    if sharpness is not None:
        ranks["sharpness"] = -sharpness
    if pose is not None:
        same_faces(faces, pose)
        ranks["frontal"] = torch.hypot(pose.yaw, pose.pitch)
    if by in ranks:
        return ranks[by]
    if by not in ORDERS:
        raise ValueError(f"Expected one of {', '.join(ORDERS)}, got {by}.")
    raise ValueError(f"Expected what {by} is judged by, got nothing: connect {JUDGED_BY[by]}.")


def on_tracks(faces: Faces, numbers: str) -> Tensor:
    """(N,) bool, who is on one of some tracks.

    Args:
        faces: The faces.
        numbers: The tracks, for example "0, 2"; empty for all faces.

    Raises:
        ValueError: These are no numbers, or there are no tracks.
    """
    words = numbers.replace(",", " ").split()
    if not words:
        return torch.ones(len(faces), dtype=torch.bool)
    if not all(word.isdecimal() for word in words):
        raise ValueError(f"Expected tracks by number, for example 0, 2, got {numbers!r}.")
    if faces.track is None:
        raise ValueError("Expected tracked faces, got faces without tracks: connect Track Faces first.")
    return torch.isin(faces.track, torch.tensor([int(word) for word in words]))


def within(faces: Faces, pose: HeadPose | None, ranges: dict[str, Range]) -> Tensor:
    """(N,) bool, whose head turns within some ranges, their ends included.

    Args:
        faces: The faces.
        pose: Of these faces.
        ranges: Degrees from and to, by the name of the angle.

    Raises:
        ValueError: A range is narrower than all around and there is no pose, or it is of other faces.
    """
    inside = torch.ones(len(faces), dtype=torch.bool)
    narrow = {name: ends for name, ends in ranges.items() if ends[0] > -180 or ends[1] < 180}
    if narrow and pose is None:
        raise ValueError(
            f"Expected the pose of these faces for a range of {', '.join(narrow)}, got none: connect "
            "head_pose of Estimate Head Pose or Detect Heads."
        )
    if pose is not None:
        same_faces(faces, pose)
    for name, (least, most) in narrow.items():
        angle = getattr(pose, name)
        inside &= (angle >= least) & (angle <= most)
    return inside


def pick(
    faces: Faces, ranks: Tensor, first: int = 0, count: int = 0, reverse: bool = False, among: Tensor | None = None
) -> Faces:
    """Some faces of each image, sorted; see ``pick_rows``."""
    return faces.select(pick_rows(faces, ranks, first, count, reverse, among))


def pick_rows(
    faces: Faces, ranks: Tensor, first: int = 0, count: int = 0, reverse: bool = False, among: Tensor | None = None
) -> Tensor:
    """The rows of some faces of each image, sorted; images keep their order and faces their ids.

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
    return order[(place >= first) & (place < stop)]


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
    """The faces, and what stands in where an image has none.

    Args:
        faces: The faces.
        missing: "error"; "hold", the faces of the image before, or at the start of the first that has some; "skip",
            nothing; "interpolate", those of the images before and after, on the way from one to the other and with a
            score of 0. A face goes on as its track, or without tracks as the nearest one; at both ends, and where
            nobody goes on, the nearer image's faces are held.

    Raises:
        NoFaceError: An image has no face and that is an error, or there is nothing to stand in.
    """
    rows, ends, part, images = _stand_ins(faces, missing)
    filled = faces.select(rows).between(faces.select(ends), part)
    return replace(filled, image_index=images, score=torch.where(part > 0, 0, filled.score))


def fill_missing_in(value: V, missing: str) -> V:
    """What is known about faces, and what stands in where an image has none; see ``fill_missing``."""
    faces: Faces | None = vars(value)["faces"]
    if faces is None:
        return value
    rows, ends, part, _ = _stand_ins(faces, missing)
    shown = vars(value.select(rows).between(value.select(ends), part))
    return type(value)(**{**shown, "faces": fill_missing(faces, missing)})


def shown_rows(faces: Faces, missing: str) -> tuple[Tensor, Tensor]:
    """The rows to show so that no image is without a face, and the image of each; see ``fill_missing``.

    Where a face is between two, its row is the one before.
    """
    rows, _, _, images = _stand_ins(faces, missing)
    return rows, images


def _stand_ins(faces: Faces, missing: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each face to show: its row, the row it is on the way to, how far, and its image."""
    counts = torch.bincount(faces.image_index, minlength=faces.image_count)
    empty = (counts == 0).nonzero().flatten().tolist()
    every = torch.arange(len(faces))
    if missing == "skip" or not empty:
        return every, every, torch.zeros(len(faces)), faces.image_index
    if missing == "error" or len(empty) == faces.image_count:
        raise NoFaceError(
            f"Expected a face in every image, got none in {name_images(empty, faces.image_count)}: lower the "
            "detector's threshold, cut these images out, or set missing to skip or, for a video, hold or interpolate."
        )
    shown = counts.nonzero().flatten()
    after = torch.searchsorted(shown, torch.arange(faces.image_count))
    rows = [(faces.image_index == image).nonzero().flatten() for image in range(faces.image_count)]
    found: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for image in range(faces.image_count):
        first, last = (int(shown[i]) for i in (max(int(after[image]) - 1, 0), min(int(after[image]), len(shown) - 1)))
        part = (image - first) / (last - first) if first < image < last else 0.0
        here, there = rows[image], rows[image]
        if counts[image] == 0 and missing == "interpolate" and part:
            here, there = _pairs(faces, rows[first], rows[last])
        if counts[image] == 0 and not len(here):
            nearer = last if missing == "interpolate" and part > 0.5 else first
            here, there, part = rows[nearer], rows[nearer], 0.0
        share = part if counts[image] == 0 else 0.0
        found.append((here, there, torch.full((len(here),), share), torch.full_like(here, image)))
    left, right, parts, images = (torch.cat(column) for column in zip(*found, strict=True))
    return left, right, parts, images


def _pairs(faces: Faces, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of one image and those of another that go on as each other."""
    if faces.track is not None:
        same = faces.track[before][:, None] == faces.track[after]
        here, there = same.nonzero().unbind(-1)
        return before[here], after[there]
    centre = (faces.bbox[:, :2] + faces.bbox[:, 2:]) / 2
    away = torch.cdist(centre[before][None], centre[after][None])[0]
    pairs = linear_sum_assignment(away.numpy())
    here, there = (torch.from_numpy(column).long() for column in pairs)
    return before[here], after[there]


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
