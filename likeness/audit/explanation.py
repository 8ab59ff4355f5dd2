"""What an answer about a face hangs on: a classifier's, that it is happy, or an embedder's, that it is this person.

A face is cut upright out of its photo, and that picture is hidden in parts (see ``heat_map``). An embedder cuts its own
crop out of the picture again, by the face's points, so every embedder is explained as it is used.
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
from .classifier import Classifier
from .heat_map import Lime, Occlusion, Score, grad_cam
from .table import Table

MARGIN, PERSON_MARGIN = 1.2, 2.0  # side of a picture, in longer sides of the face's box; embedders look wider
PERSON_SIDE = 256  # pixels


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


def explained_table(faces: Faces, found: Sequence[Explained]) -> Table:
    """A row per face: image, face, what was explained, and how sure the answer is."""
    where = zip(faces.image_index.tolist(), faces.id.tolist(), found, strict=True)
    rows = [(image, one, each.answer, each.score, each.layer or None) for image, one, each in where]
    return Table.of(("image", "face", "answer", "score", "layer"), rows)


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
