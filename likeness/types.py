"""The values that travel between systems: small, frozen, with their shapes and units.

Conventions, everywhere in this pack:

* Images are float32 RGB in [0, 1], shape (B, H, W, 3), as the host's IMAGE; no value holds one.
* Points are (x, y) in pixels, x to the right, y down; (0, 0) is the centre of the top-left pixel.
* Boxes are (x1, y1, x2, y2) in pixels, named ``bbox``.
* Left and right are the image's, not the subject's.
* N counts faces over the whole batch; every tensor lives on the CPU.
* A field's shape is in its annotation and is checked when a value is made; a letter is one size throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Annotated

import torch
from torch import Tensor

from .value import Value


class NoFaceError(ValueError):
    """A face is needed and there is none."""


@dataclass(frozen=True, eq=False)
class Faces(Value):
    """The faces found in a batch of images, one row per face, in image order. N = 0 is not an error."""

    image_size: tuple[int, int]  # (height, width) of every image in the batch, pixels
    image_count: int  # images in the batch, those without a face included
    id: Annotated[Tensor, "N"]  # int64, the face's number within its image; select and cat keep it
    image_index: Annotated[Tensor, "N"]  # int64, the image each face is in, 0 to image_count - 1
    bbox: Annotated[Tensor, "N 4"]  # xyxy, pixels
    score: Annotated[Tensor, "N"]  # detection confidence in [0, 1]; 0 where a track was bridged, nothing was seen
    kps: Annotated[Tensor | None, "N 5 2"] = None  # left eye, right eye, nose, left and right mouth corner, pixels
    track: Annotated[Tensor | None, "N"] = None  # int64, who it is over the frames, from 0; None before tracking

    @classmethod
    def empty(cls, image_size: tuple[int, int], image_count: int = 0) -> Faces:
        """No face in ``image_count`` images."""
        index = torch.zeros(0, dtype=torch.int64)
        return cls(image_size, image_count, index, index, torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, 5, 2))

    @classmethod
    def in_sequence(cls, parts: Sequence[Faces]) -> Sequence[Faces]:
        """The same faces, their images counted over all parts."""
        counts = [part.image_count for part in parts]
        starts = accumulate(counts[:-1], initial=0)
        return [
            replace(part, image_index=part.image_index + start, image_count=sum(counts))
            for part, start in zip(parts, starts, strict=True)
        ]

    def images(self, start: int, stop: int) -> Faces:
        """The faces of some consecutive images, counted from 0, as ``image[start:stop]``; ``cat`` undoes it."""
        inside = self.select((self.image_index >= start) & (self.image_index < stop))
        return replace(inside, image_index=inside.image_index - start, image_count=stop - start)


@dataclass(frozen=True, eq=False)
class PerFace(Value):
    """Base of what is known about each face."""

    faces: Faces  # whom it is about, row by row


def same_faces(a: Faces | PerFace, b: Faces | PerFace) -> Faces:
    """The faces that two values are both about, row by row.

    Raises:
        ValueError: They are about other faces, or in another order.
    """
    left, right = (value if isinstance(value, Faces) else value.faces for value in (a, b))
    same = left.image_size == right.image_size and left.image_count == right.image_count
    if same and all(torch.equal(getattr(left, key), getattr(right, key)) for key in ("id", "image_index", "bbox")):
        return left
    raise ValueError(
        f"{type(a).__name__} and {type(b).__name__} must be about the same faces, got {len(left)} and {len(right)} "
        "faces with other ids or boxes: make both from one detection, and select before, not between."
    )


@dataclass(frozen=True, eq=False)
class Landmarks(PerFace):
    """Dense landmarks; the last three fields are what core's FACE_LANDMARKS knows besides."""

    scheme: str  # "ibug68", "insightface106", "mediapipe478": what each point is
    points: Annotated[Tensor, "N P 2|3"]  # xy or xyz, pixels
    score: Annotated[Tensor | None, "N P"] = None  # visibility in [0, 1]
    mesh: Annotated[Tensor | None, "N P 3"] = None  # upright, units of MediaPipe's 192 px crop
    blendshapes: Annotated[Tensor | None, "N K"] = None  # in [0, 1]
    blendshape_names: tuple[str, ...] = ()
    matrix: Annotated[Tensor | None, "N 4 4"] = None  # canonical face to camera, MediaPipe's centimetres


@dataclass(frozen=True, eq=False)
class HeadPose(PerFace):
    """Where each head turns, seen in the image; zero is frontal. Rotation order: pitch, yaw, roll."""

    yaw: Annotated[Tensor, "N"]  # degrees, positive when the nose moves to the right
    pitch: Annotated[Tensor, "N"]  # degrees, positive when the nose moves up
    roll: Annotated[Tensor, "N"]  # degrees, positive when the head tilts clockwise

    def rows(self) -> list[list[float]]:
        """Yaw, pitch and roll of each head."""
        return torch.stack([self.yaw, self.pitch, self.roll], -1).tolist()

    def table(self) -> str:
        """A line per head, for people: image, face, yaw, pitch, roll."""
        whose = zip(self.faces.image_index.tolist(), self.faces.id.tolist(), self.rows(), strict=True)
        lines = [f"{image} {one} " + " ".join(f"{angle:.2f}" for angle in row) for image, one, row in whose]
        return "\n".join(["image face yaw pitch roll", *lines])

    def between(self, other: HeadPose, part: Tensor) -> HeadPose:
        """As of any value, each angle the short way round."""
        ends = {name: getattr(self, name) for name in ("yaw", "pitch", "roll")}
        near = {name: a + (getattr(other, name) - a + 180) % 360 - 180 for name, a in ends.items()}
        turned = super().between(replace(other, **near), part)
        return replace(turned, **{name: (getattr(turned, name) + 180) % 360 - 180 for name in ends})


@dataclass(frozen=True, eq=False)
class Alignment(PerFace):
    """How square crops were cut; the crops themselves are an IMAGE of N images."""

    matrix: Annotated[Tensor, "N 2 3"]  # source pixels to crop pixels; the inverse is computed, never stored
    template: str  # a key of geometry.TEMPLATES, or in a word what else they were cut by
    size: int  # side of a crop, pixels


@dataclass(frozen=True, eq=False)
class RoiWarp(PerFace):
    """How pictures were warped around faces by tanh; the warped pictures themselves are an IMAGE of N images."""

    mode: str  # of ``roi_tanh.MODES``
    keep_aspect_ratio: bool  # whether angles are the picture's, not those of the box stretched to a square
    angle: Annotated[Tensor, "N"]  # degrees that each box was taken to be turned clockwise


@dataclass(frozen=True, eq=False)
class ParsingMap(PerFace):
    """What each pixel of a face crop shows."""

    alignment: Alignment  # of the crops that were parsed
    classes: tuple[str, ...]  # class names by label, in the vocabulary of ``parse.CLASSES``; "background" is first
    labels: Annotated[Tensor, "N S S"]  # uint8
    probability: Annotated[Tensor | None, "N K S S"] = None  # in [0, 1] by class, where a system gives soft edges

    def mask(self, *names: str) -> Tensor:
        """(N, S, S) float32, how much of each pixel is of one of the named classes, in [0, 1].

        Raises:
            ValueError: A name is none of the classes.
        """
        if unknown := set(names) - set(self.classes):
            raise ValueError(f"Expected classes among {', '.join(self.classes)}, got {', '.join(sorted(unknown))}.")
        wanted = torch.tensor([name in names for name in self.classes])
        if self.probability is not None:
            return self.probability[:, wanted].float().sum(1).clamp(0, 1)
        return wanted[self.labels.long()].float()


@dataclass(frozen=True)
class LabelSet:
    """Labels that a system gives a probability each, in their published order."""

    name: str  # "celeba40", "expression", "age"
    labels: tuple[str, ...]
    exclusive: bool = False  # one of them holds and their probabilities sum to 1; else each holds for itself
    apparent: tuple[str, ...] = ()  # those of race, gender and age: how a face looks to the model, not who one is
    phrase: str = "{}"  # how a label reads in a prompt; empty where it is no word for one


@dataclass(frozen=True, eq=False)
class Attributes(PerFace):
    """What a model sees in each face: probabilities of labels, and measures."""

    sets: tuple[LabelSet, ...]
    probability: Annotated[Tensor, "N K"]  # in [0, 1], of the labels of all sets in turn
    measures: tuple[str, ...] = ()  # what each value is, with its unit: "age_years"
    values: Annotated[Tensor | None, "N V"] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        told = 0 if self.values is None else self.values.shape[1]
        for what, names, got in (("label", self.labels, self.probability.shape[1]), ("measure", self.measures, told)):
            if len(names) != got:
                raise ValueError(f"Attributes must have a column for each {what}, got {got} for {len(names)}.")

    @property
    def labels(self) -> tuple[tuple[LabelSet, str], ...]:
        """The set and the label of each column of ``probability``."""
        return tuple((group, label) for group in self.sets for label in group.labels)

    def of(self, name: str) -> Tensor:
        """(N, k) the probabilities of one set.

        Raises:
            ValueError: There is no such set.
        """
        columns = [number for number, (group, _) in enumerate(self.labels) if group.name == name]
        if not columns:
            raise ValueError(f"Expected a set among {', '.join(group.name for group in self.sets)}, got {name}.")
        return self.probability[:, columns]


@dataclass(frozen=True, eq=False)
class Matches(PerFace):
    """How well each of K texts fits each face."""

    texts: tuple[str, ...]
    similarity: Annotated[Tensor, "N K"]  # cosine of the two vectors, in [-1, 1]
    logits: Annotated[Tensor, "N K 2"]  # of who looks at both: they do not belong together, they do

    @property
    def probability(self) -> Tensor:
        """(N, K) that face and text belong together, in [0, 1]."""
        return self.logits.softmax(-1)[..., 1]

    @property
    def score(self) -> Tensor:
        """(N, K) by which texts and faces that were looked at together are ranked: logit and similarity added."""
        return self.logits[..., 1] + self.similarity


@dataclass(frozen=True, eq=False)
class Embeddings(Value):
    """Identity vectors, one row per face."""

    faces: Faces | None  # None when they come from no image (a saved or averaged identity)
    space: str  # the weights that made them; vectors of two spaces must not be compared
    embedding: Annotated[Tensor, "N D"]  # as the network gives it
    metric: str = "cosine"  # what the space's published threshold is stated in: "cosine" or "l2"
    threshold: float | None = None  # one person above it (cosine) or below it (l2); None where none is published
    weights: str = ""  # what is published of the weights, in words: id, licence, commercial use; "" where unknown
    flat: bool = False  # codes from which a generator makes faces: mixed straight, and no direction says who it is

    @property
    def normed_embedding(self) -> Tensor:
        """(N, D) of unit length.

        Raises:
            ValueError: The space is flat.
        """
        self.check_direction()
        return torch.nn.functional.normalize(self.embedding, dim=-1)

    def similarity(self, other: Embeddings) -> Tensor:
        """(N, M) cosine similarity in [-1, 1] of every pair.

        Raises:
            ValueError: The two live in different spaces, or in a flat one.
        """
        self.check_space(other)
        return self.normed_embedding @ other.normed_embedding.T

    def distance(self, other: Embeddings) -> Tensor:
        """(N, M) L2 distance of every pair, of the vectors as the network gives them.

        Raises:
            ValueError: The two live in different spaces.
        """
        self.check_space(other)
        return torch.linalg.vector_norm(self.embedding[:, None] - other.embedding[None], dim=-1)

    def same_person(self, other: Embeddings, threshold: float | None = None) -> Tensor:
        """(N, M) bool, the verdict of every pair by a threshold, as a rule the space's own published one.

        Raises:
            ValueError: The two live in different spaces, or nobody published a threshold for this one.
        """
        threshold = self.threshold if threshold is None else threshold
        if threshold is None:
            raise ValueError(
                f"Expected a space with a published threshold, got {self.space}: set a threshold of your own."
            )
        if self.metric == "l2":
            return self.distance(other) < threshold
        return self.similarity(other) > threshold

    def check_direction(self) -> None:
        """Refuse to take the direction of what has none.

        Raises:
            ValueError: The space is flat.
        """
        if self.flat:
            raise ValueError(
                f"Expected identities of a recogniser, which people differ by in direction, got codes of {self.space}, "
                "from which a generator makes faces: embed the pictures with another model, such as ArcFace."
            )

    def check_space(self, other: Embeddings) -> None:
        """Refuse to compare what lives in two spaces.

        Raises:
            ValueError: The two live in different spaces, or their vectors differ in size.
        """
        if self.space != other.space:
            raise ValueError(
                f"Expected two embeddings of one space, got {self.space} and {other.space}: use one model."
            )
        sizes = self.embedding.shape[1], other.embedding.shape[1]
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"Expected vectors of one size in {self.space}, got {sizes[0]} and {sizes[1]} numbers: one of them was "
                "made by another model."
            )
