"""Which parts of a face an answer hangs on, and whether they are those that people read it by.

Gaya-Morey et al., Unveiling the human-like similarities of automatic facial expression recognition: an empirical
exploration through explainable AI, 2024, https://arxiv.org/abs/2401.11835; code, masks and heat maps by
https://github.com/Xavi3398/ekman_expressions (MIT). Their chain: LIME on each face, heat maps brought to one canonical
face and added up, the histogram stretched, Otsu's threshold, IoU, precision, recall and F1 against masks after Ekman.
Their networks are Keras files, which are not read here: any classifier is explained, and who a face is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..geometry import check_image, cut, move
from ..onnx.runtime import Session
from ..types import Alignment, Embeddings, Faces
from .chart import Bar, Bars
from .classifier import Classifier
from .heat_map import Lime, Occlusion, Score, grad_cam
from .overlap import Overlap, correlation, overlap, stretch, threshold
from .report import Report, Section
from .statistics import Estimate
from .table import Cell, Table

MARGIN, PERSON_MARGIN = 1.2, 2.0  # side of a picture, in longer sides of the face's box; embedders look wider
PERSON_SIDE = 256  # pixels
BARS = 24  # rows that the figure shows


class Embedder(Protocol):
    """What gives a vector per face."""

    def embed(self, image: Tensor, faces: Faces) -> Embeddings: ...


@dataclass(frozen=True)
class GradCam:
    """Let the gradients of a layer say what counts."""

    layer: str = ""  # by name; the last map where it is empty

    def count(self, side: int) -> int:
        """How many pictures are scored for one of any side."""
        return 1


How = Occlusion | Lime | GradCam
Tick = Callable[[int], Any]


def ignore(scored: int) -> None:
    """For who does not ask how far it is."""


@dataclass(frozen=True)
class Explained:
    """What an answer about one face hangs on."""

    heat: Tensor  # (S, S) of the picture that was cut: positive for the answer, negative against it
    answer: str  # what was explained: a label, or a person
    score: float  # of the face as it is
    layer: str = ""  # of Grad-CAM


def view(faces: Faces, side: int, margin: float) -> Alignment:
    """How each face is cut: an upright square around its box.

    Args:
        faces: Whom.
        side: Of the squares, pixels.
        margin: Their side in the photo, in longer sides of the box.
    """
    x1, y1, x2, y2 = faces.bbox.unbind(1)
    scale = side / ((x2 - x1).maximum(y2 - y1).clamp(min=1) * margin)
    centre = (side - 1) / 2
    matrix = torch.zeros(len(faces), 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale
    matrix[:, 0, 2] = centre - (x1 + x2) / 2 * scale
    matrix[:, 1, 2] = centre - (y1 + y2) / 2 * scale
    return Alignment(faces, matrix, "box", side)


def cut_for(network: nn.Module, faces: Faces, margin: float = 0.0) -> Alignment:
    """How faces are cut for a classifier or an embedder; a margin of 0 takes what suits it."""
    if isinstance(network, Classifier):
        return view(faces, network.side, margin or MARGIN)
    return view(faces, PERSON_SIDE, margin or PERSON_MARGIN)


def explain(
    network: Any,
    image: Tensor,
    alignment: Alignment,
    how: How,
    label: str = "",
    reference: Embeddings | None = None,
    tick: Tick = ignore,
) -> Iterator[Explained]:
    """What an answer hangs on, face by face, of a classifier or an embedder; see those two functions.

    Raises:
        ValueError: A label is given for an embedder, or a reference for a classifier.
    """
    if isinstance(network, Classifier):
        if reference is not None:
            raise ValueError("Expected no reference for a classifier, got one: name a label instead.")
        return explain_class(network, image, alignment, how, label, tick)
    if label.strip():
        raise ValueError(
            f"Expected no label for an embedder, which has none, got {label}: connect a reference instead."
        )
    return explain_person(network, image, alignment, how, reference, tick)


def explain_class(
    classifier: Classifier, image: Tensor, alignment: Alignment, how: How, label: str = "", tick: Tick = ignore
) -> Iterator[Explained]:
    """Why each face is said to be of a class, face by face.

    Args:
        classifier: Who says so.
        image: (B, H, W, 3) RGB in [0, 1].
        alignment: How the faces are cut, see ``view``.
        how: Occlusion, LIME or Grad-CAM.
        label: The class; each face's own most likely one where it is empty.
        tick: Is told how many pictures were scored, each time.

    Raises:
        ValueError: There is no such label or layer, or the engine has no gradients.
    """
    wanted = classifier.index(label) if label.strip() else None
    for picture in _pictures(image, alignment):
        sure = classifier.classify(picture[None])[0]
        number = int(sure.argmax()) if wanted is None else wanted
        answer, score = classifier.labels[number], float(sure[number])
        if isinstance(how, GradCam):
            heat, layer = _by_gradients(classifier, picture, number, how.layer)
            tick(1)
            yield Explained(heat, answer, score, layer)
        else:

            def sure_of(pictures: Tensor, number: int = number) -> Tensor:
                return classifier.classify(pictures)[:, number]

            yield Explained(how.heat(picture, _ticking(sure_of, tick)), answer, score)


def explain_person(
    embedder: Embedder,
    image: Tensor,
    alignment: Alignment,
    how: How,
    reference: Embeddings | None = None,
    tick: Tick = ignore,
) -> Iterator[Explained]:
    """What in each face makes it the person that it is taken for, face by face.

    Args:
        embedder: Who takes it so.
        image: (B, H, W, 3) RGB in [0, 1].
        alignment: How the faces are cut, see ``view``; with five points where the embedder needs them.
        how: Occlusion or LIME.
        reference: Who they are compared to, the closest of these; each face to itself where it is None.
        tick: Is told how many pictures were scored, each time.

    Raises:
        ValueError: Grad-CAM is asked for, or the reference lives in another space.
    """
    if isinstance(how, GradCam):
        raise ValueError("Expected occlusion or lime for an embedder, which has no classes, got grad_cam.")
    faces, side = alignment.faces, alignment.size
    for row, picture in enumerate(_pictures(image, alignment)):
        one = faces.select(torch.tensor([row]))
        moved = _moved(one, alignment.matrix[row : row + 1], side)

        own = embedder.embed(picture[None], moved)
        whom, answer = (own, "itself") if reference is None else (reference, "the reference")

        def close(pictures: Tensor, moved: Faces = moved, whom: Embeddings = whom) -> Tensor:
            return closeness(embedder.embed(pictures, _repeated(moved, len(pictures))), whom)

        yield Explained(how.heat(picture, _ticking(close, tick)), answer, float(closeness(own, whom)[0]))


def closeness(vectors: Embeddings, whom: Embeddings) -> Tensor:
    """(N,) how close each is to the closest of a person's vectors: cosine, or distance with a minus."""
    close = vectors.similarity(whom) if vectors.metric == "cosine" else -vectors.distance(whom)
    return close.amax(1)


@dataclass(frozen=True)
class Row:
    """A heat map against a mask."""

    heat: str
    mask: str
    at: float  # the threshold it was cut at
    overlap: Overlap
    masked: float  # share of the picture that is masked
    correlation: float  # of the heat map and the mask, without a threshold


def compare(
    heat: Tensor, masks: Tensor, names: Sequence[str], mask_names: Sequence[str], each: bool, at: float | None
) -> list[Row]:
    """Heat maps against masks.

    Args:
        heat: (N, H, W) in [0, 1].
        masks: (M, H, W) in [0, 1]; white over a half.
        names: Of the heat maps.
        mask_names: Of the masks.
        each: Each with each; else one by one, or all with the only mask.
        at: The threshold; None takes Otsu's.

    Raises:
        ValueError: They are of other sizes, or do not pair.
    """
    if heat.shape[1:] != masks.shape[1:]:
        raise ValueError(
            f"Expected heat maps and masks of one size, got {heat.shape[2]} x {heat.shape[1]} and {masks.shape[2]} x "
            f"{masks.shape[1]}: bring both to the canonical face, or both to the image."
        )
    if not each and len(masks) not in (1, len(heat)):
        raise ValueError(
            f"Expected 1 or {len(heat)} masks for {len(heat)} heat maps, got {len(masks)}: compare each with each."
        )
    rows = []
    for n, one in enumerate(heat):
        hot, cut_at = threshold(one, at)
        for m in range(len(masks)) if each else [n if len(masks) > 1 else 0]:
            mask = masks[m] > 0.5
            found = overlap(hot, mask)
            masked = float(mask.double().mean())
            rows.append(Row(names[n], mask_names[m], cut_at, found, masked, correlation(one, masks[m])))
    return rows


def report(rows: Sequence[Row], heat: Tensor, names: Sequence[str], at: float | None = None) -> Report:
    """What ``compare`` found, and how alike the heat maps are among themselves.

    Args:
        rows: As it gave them.
        heat: (N, H, W) the heat maps.
        names: Of the heat maps.
        at: The threshold; None is Otsu's.
    """
    columns = ("heat map", "mask", "IoU", "F1", "precision", "recall", "threshold", "hot", "masked", "correlation")
    cells = [_cells(row) for row in rows]
    bars = tuple(Bar(f"{r.heat}, {r.mask}", Estimate(r.overlap.iou)) for r in rows[:BARS])
    chart = Bars("Intersection over union", bars, "IoU") if bars else None
    notes = [
        f"Heat maps are cut {'by Otsu' if at is None else f'at {at:g}'}; masks count where they are over 0.5.",
        "IoU of a random map with as many hot pixels is far from 0: read hot and masked beside it.",
        "A mask says which parts people read an expression by, after Ekman; not which parts a network should read.",
    ]
    if flat := [name for name, one in zip(names, heat, strict=True) if not one.max() > one.min()]:
        notes.append(f"Flat, nothing is hot: {', '.join(flat)}.")
    sections = [Section("Heat maps and masks", Table.of(columns, cells), chart)]
    if len(heat) > 1:
        alike: list[tuple[Cell, ...]] = [
            (name, *(correlation(a, b) for b in heat)) for name, a in zip(names, heat, strict=True)
        ]
        matrix = Table.of(("heat map", *names), alike)
        sections.append(Section("How alike the heat maps are", matrix, notes=("Normalised correlation, 1: the same.",)))
    return Report("Heat maps against masks", tuple(sections), tuple(notes))


def stretched_mean(heat: Tensor) -> Tensor:
    """(1, H, W) the mean of (N, H, W) heat maps, stretched to 0 and 1: one map for many faces."""
    return stretch(heat.mean(0))[None]


def explained_table(faces: Faces, found: Sequence[Explained]) -> Table:
    """A row per face: image, face, what was explained, and how sure the answer is."""
    where = zip(faces.image_index.tolist(), faces.id.tolist(), found, strict=True)
    rows = [(image, one, each.answer, each.score, each.layer or None) for image, one, each in where]
    return Table.of(("image", "face", "answer", "score", "layer"), rows)


def per_image(mask: Tensor, image: Tensor) -> Tensor:
    """(B, H, W) a mask for each of (B, H, W, 3) images, given as one for each or for all.

    Raises:
        ValueError: It is of another size or number.
    """
    if mask.shape[1:] != image.shape[1:3] or len(mask) not in (1, len(image)):
        raise ValueError(
            f"Expected a mask of {tuple(image.shape[:3])}, one per image or one for all, got {tuple(mask.shape)}: "
            "connect the mask of these images."
        )
    return mask.expand(image.shape[:3])


def _cells(row: Row) -> tuple[Cell, ...]:
    o = row.overlap
    shares = (o.iou, o.f1, o.precision, o.recall, row.at, o.hot, row.masked, row.correlation)
    return row.heat, row.mask, *shares


def _pictures(image: Tensor, alignment: Alignment) -> Iterator[Tensor]:
    """(S, S, 3) each face."""
    check_image(image, alignment.faces)
    for index, matrix in zip(alignment.faces.image_index, alignment.matrix, strict=True):
        yield cut(image, index[None], matrix[None], alignment.size, border=False)[0]


def _moved(face: Faces, matrix: Tensor, side: int) -> Faces:
    """One face in the square that was cut around it."""
    kps = None if face.kps is None else move(matrix, face.kps)
    bbox = move(matrix, face.bbox.reshape(-1, 2, 2)).reshape(-1, 4)
    return replace(face, image_size=(side, side), image_count=1, image_index=torch.zeros(1).long(), bbox=bbox, kps=kps)


def _repeated(face: Faces, count: int) -> Faces:
    """The face in so many pictures."""
    rows = face.select(torch.zeros(count).long())
    return replace(rows, image_count=count, image_index=torch.arange(count))


def _ticking(score: Score, tick: Tick) -> Score:
    def scored(pictures: Tensor) -> Tensor:
        found = score(pictures)
        tick(len(pictures))
        return found

    return scored


def _by_gradients(classifier: Classifier, picture: Tensor, number: int, layer: str) -> tuple[Tensor, str]:
    """(S, S) Grad-CAM of one picture, and the layer."""
    if isinstance(classifier.model.runner, Session):
        raise ValueError(
            "Expected an engine with gradients, got onnxruntime: set engine to torch in Load Face Classifier."
        )

    def answer(network: Any) -> Tensor:
        return network.logits(picture[None].clone())[:, number]

    coarse, name = grad_cam(classifier, answer, layer)
    size = (len(picture), len(picture))
    return interpolate(coarse[None], size, mode="bilinear", align_corners=False)[0, 0], name
