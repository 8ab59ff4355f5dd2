"""Pairs of photos in a folder, as LFW, IJB and plain tables list them, scored by any detector and embedder.

Sources: LFW's pairs.txt (http://vis-www.cs.umass.edu/lfw); the meta files of IJB-B and IJB-C as research code reads
them (``*_face_tid_mid.txt``, ``*_template_pair_label.txt``, ``*_name_5pts_score.txt``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..types import Faces
from .table import Cell, Numbers, Table, read_table
from .verification import add_flipped, pool_templates
from .webface260m import choose, verb_of

FORMATS = ("lfw", "ijb", "table")
FLIPPED = [1, 0, 2, 4, 3]  # of the five points


@dataclass(frozen=True, eq=False)
class Photos:
    """Which photos are compared: each a name below a folder."""

    names: tuple[str, ...]
    pairs: Table  # ``a`` and ``b`` (names, or templates), ``same``, and what else the file says of a pair
    template: tuple[int, ...] = ()  # of each photo; none where photos are compared one by one
    media: tuple[int, ...] = ()
    points: Numbers | None = None  # (photos, 5, 2), where the file says where the face is
    score: Numbers | None = None  # (photos,) how sure its detector was


def read_photos(path: Path, form: str) -> Photos:
    """What a pair file compares.

    Args:
        path: LFW's pairs.txt; of IJB the ``*_template_pair_label.txt``, its other files beside it; a table with
            ``a``, ``b`` and ``same``.
        form: One of ``FORMATS``.

    Raises:
        ValueError: The file is of another format; numbers the line.
    """
    if form not in FORMATS:
        raise ValueError(f"Expected a format among {', '.join(FORMATS)}, got {form}.")
    if form == "table":
        pairs = read_table(path)
        pairs.flags("same")
        return Photos(_names(pairs), pairs)
    return read_lfw(path) if form == "lfw" else read_ijb(path)


def read_lfw(path: Path) -> Photos:
    """LFW's pairs.txt: a line of fold sizes, then three words of one person or four of two."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines or not all(word.isdigit() for word in lines[0]) or len(lines[0]) > 2:
        raise ValueError(f"Expected '10 300' in the first line of {path.name}, got another: is it LFW's pairs.txt?")
    folds, size = (int(lines[0][0]), int(lines[0][1])) if len(lines[0]) == 2 else (1, int(lines[0][0]))
    rows: list[tuple[Cell, ...]] = []
    for number, words in enumerate(lines[1:], 2):
        if len(words) not in (3, 4) or not words[-1].isdigit() or not words[1].isdigit():
            raise ValueError(f"Expected 'name 1 2' or 'name 1 name 2' in line {number} of {path.name}, got {words}.")
        other = words[-2] if len(words) == 4 else words[0]
        names = (_lfw_name(words[0], words[1]), _lfw_name(other, words[-1]))
        rows.append((*names, len(words) == 3, len(rows) // (2 * size), words[0], other))
    if len(rows) != 2 * size * folds:
        raise ValueError(f"Expected {2 * size * folds} pairs in {path.name}, got {len(rows)}: get the file again.")
    pairs = Table.of(["a", "b", "same", "fold", "identity_a", "identity_b"], rows)
    return Photos(_names(pairs), pairs)


def _lfw_name(person: str, number: str) -> str:
    return f"{person}/{person}_{int(number):04}.jpg"


def _names(pairs: Table) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(name) for side in ("a", "b") for name in pairs.texts(side)))


def read_ijb(path: Path) -> Photos:
    """The template pairs of IJB, with the photos of each template from the files beside it."""
    stem, _, _ = path.name.partition("_template_pair_label")
    labels, about = _columns(path, 3), _columns(path.with_name(f"{stem}_face_tid_mid.txt"), 3)
    t1, t2, same = np.array(labels, dtype=np.int64).reshape(-1, 3).T
    pairs = Table(("a", "b", "same"), (t1, t2, same == 1))
    names = tuple(words[0] for words in about)
    template, media = (tuple(int(words[place]) for words in about) for place in (1, 2))
    where = path.with_name(f"{stem}_name_5pts_score.txt")
    if not where.is_file():
        return Photos(names, pairs, template, media)
    found = {words[0]: np.array(words[1:], dtype=np.float64) for words in _columns(where, 12)}
    if lost := [name for name in names if name not in found]:
        raise ValueError(f"Expected five points of each photo in {where.name}, got none of {lost[0]}: get it again.")
    numbers = np.stack([found[name] for name in names])
    return Photos(names, pairs, template, media, numbers[:, :10].reshape(-1, 5, 2), numbers[:, 10])


def _columns(path: Path, count: int) -> list[list[str]]:
    if not path.is_file():
        raise FileNotFoundError(f"Expected {path.name} beside the pair file, got none in {path.parent}: put it there.")
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, words in enumerate(lines, 1):
        if len(words) != count:
            raise ValueError(f"Expected {count} words in line {number} of {path.name}, got {len(words)}: get it again.")
    return lines


@dataclass(frozen=True)
class Looking:
    """Who looks at the photos, and how."""

    detector: nn.Module
    embedder: nn.Module
    flip: bool = True  # add the mirrored face
    threshold: float = 0.5  # of the detector
    size: int = 640  # pixels; the longer side that photos are searched at


def look(photos: Photos, folder: Path, looking: Looking) -> Iterator[tuple[str, Tensor | None, str]]:
    """Each photo's name, its (D,) vector, and why it has none."""
    for number, name in enumerate(photos.names):
        try:
            image = read_photo(folder / name)
            faces = _faces(photos, number, image, looking)
            yield name, _embed(image, faces, looking), ""
        except (OSError, ValueError) as error:
            yield name, None, str(error)


def read_photo(path: Path) -> Tensor:
    """(1, H, W, 3) RGB in [0, 1].

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no picture.
    """
    import av

    if not path.is_file():
        raise FileNotFoundError(f"not there: {path.name}")
    try:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
    except (av.FFmpegError, StopIteration, IndexError) as error:
        raise ValueError("no picture that can be read") from error
    return torch.from_numpy(frame.to_ndarray(format="rgb24")).float()[None] / 255


def _faces(photos: Photos, number: int, image: Tensor, looking: Looking) -> Faces:
    """The one face that is meant."""
    size = (image.shape[1], image.shape[2])
    if photos.points is not None and photos.score is not None:
        points = torch.from_numpy(photos.points[number]).float()[None]
        box = torch.cat([points.amin(1), points.amax(1)], -1)
        index = torch.zeros(1, dtype=torch.int64)
        return Faces(size, 1, index, index, box, torch.tensor([photos.score[number]]).float(), points)
    found: Faces = verb_of(looking.detector, "detect")(image, looking.threshold, looking.size)
    if not len(found):
        raise ValueError("no face found")
    return found.select(torch.tensor([choose(found)]))


def _embed(image: Tensor, faces: Faces, looking: Looking) -> Tensor:
    embed = verb_of(looking.embedder, "embed")
    vector: Tensor = embed(image, faces).embedding
    if looking.flip:
        mirrored = embed(image.flip(2), mirror(faces)).embedding
        vector = torch.from_numpy(add_flipped(vector.double().numpy(), mirrored.double().numpy()))
    if not bool(vector.isfinite().all()) or not bool(vector.any()):
        raise ValueError("its vector is zero or no number")
    return vector[0].double()


def mirror(faces: Faces) -> Faces:
    """The same faces in the mirrored images; left stays the image's left."""
    edge = faces.image_size[1] - 1
    x1, y1, x2, y2 = faces.bbox.unbind(1)
    points = faces.kps
    if points is not None:
        points = torch.stack([edge - points[..., 0], points[..., 1]], -1)[:, FLIPPED]
    return replace(faces, bbox=torch.stack([edge - x2, y1, edge - x1, y2], 1), kps=points)


def score_pairs(photos: Photos, seen: Sequence[tuple[str, Tensor | None, str]]) -> tuple[Table, Table]:
    """The pairs with ``score`` (cosine; missing where a photo is bad), and the bad photos with the reason.

    Args:
        photos: What is compared.
        seen: As ``look`` gives it.
    """
    bad = Table.of(["photo", "reason"], [(name, reason) for name, vector, reason in seen if vector is None])
    good = [number for number, (_, vector, _) in enumerate(seen) if vector is not None]
    vectors = np.stack([vector.numpy() for _, vector, _ in seen if vector is not None]) if good else np.zeros((0, 1))
    if photos.template:
        if photos.score is not None:
            vectors = vectors * photos.score[good, None]
        template, media = (np.array(column)[good] for column in (photos.template, photos.media))
        vectors, names = pool_templates(vectors, template, media)
        place = {str(name): row for row, name in enumerate(names.tolist())}
    else:
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        place = {seen[number][0]: row for row, number in enumerate(good)}
    rows = [np.array([place.get(str(name), -1) for name in photos.pairs.texts(side)], dtype=np.int64) for side in "ab"]
    a, b = rows
    known = (a >= 0) & (b >= 0)
    score = np.full(len(a), np.nan)
    places = np.flatnonzero(known)
    for start in range(0, len(places), 65536):
        part = places[start : start + 65536]
        score[part] = (vectors[a[part]] * vectors[b[part]]).sum(1)
    return photos.pairs.with_column("score", score), bad
