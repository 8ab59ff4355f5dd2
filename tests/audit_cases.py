"""Seeded vectors that our arithmetic and the research code's are both given."""

from dataclasses import dataclass

import numpy as np

SIZE = 32


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def lfw(pairs: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two unit vectors of each pair, and whether they are of one person; as in LFW the kinds take turns by fold."""
    generator = np.random.default_rng(260)
    same = np.arange(pairs) // (pairs // 20) % 2 == 0
    first = generator.normal(size=(pairs, SIZE))
    second = np.where(
        same[:, None], first + 1.2 * generator.normal(size=first.shape), generator.normal(size=first.shape)
    )
    return unit(first), unit(second), same


def groups() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs as ``lfw`` has them, of four groups, each harder than the one before: RFW's make."""
    found = {}
    for number, (name, pairs) in enumerate({"African": 400, "Asian": 600, "Caucasian": 800, "Indian": 200}.items()):
        generator = np.random.default_rng(40 + number)
        same = np.arange(pairs) // (pairs // 20) % 2 == 0
        first = generator.normal(size=(pairs, SIZE))
        second = np.where(
            same[:, None],
            first + (1.3 + 0.3 * number) * generator.normal(size=first.shape),
            generator.normal(size=first.shape),
        )
        found[name] = unit(first), unit(second), same
    return found


@dataclass(frozen=True)
class Templates:
    features: np.ndarray
    score: np.ndarray
    template: np.ndarray
    media: np.ndarray
    p1: np.ndarray
    p2: np.ndarray


def ijb() -> Templates:
    """Photos of twelve templates, some of one medium, and pairs of templates."""
    generator = np.random.default_rng(11)
    count = 60
    template, media = generator.integers(1, 13, count) * 3, generator.integers(0, 4, count)
    named = np.unique(template)
    p1, p2 = generator.choice(named, 40), generator.choice(named, 40)
    return Templates(generator.normal(size=(count, SIZE)), generator.random(count), template, media, p1, p2)


@dataclass(frozen=True)
class Photo:
    """A picture in 8 bits and the faces that a detector says are in it."""

    pixels: np.ndarray
    boxes: np.ndarray  # xyxy, in pixels of the picture that is searched
    points: np.ndarray


# Height and width; the halves and the long sides are where rounding shows.
SIZES = ((480, 640), (640, 427), (333, 500), (1000, 3), (224, 224), (448, 63), (97, 1024))


def photos() -> list[Photo]:
    """Smooth pictures, each with three faces, as a detector finds them at 224 pixels."""
    generator = np.random.default_rng(224)
    return [photo(height, width, generator) for height, width in SIZES]


def photo(height: int, width: int, generator: np.random.Generator) -> Photo:
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 17 + shift) + np.cos(y / 23 - shift) + np.sin((x + y) / 31) for shift in (0.0, 1.0, 2.0)]
    pixels = (np.stack(waves, -1) / 3 * 127 + 127.5).astype(np.uint8)
    scale = 224 / max(height, width)
    centre = generator.uniform(0.2, 0.8, (3, 2)) * (width * scale, height * scale)
    side = generator.uniform(15, 60, (3, 1)) * (1, 1.3)
    boxes = np.concatenate([centre - side / 2, centre + side / 2], 1).astype(np.float32)
    places = np.array([[0.3, 0.35], [0.7, 0.36], [0.5, 0.55], [0.35, 0.78], [0.66, 0.77]])
    points = boxes[:, None, :2] + places * (boxes[:, 2:] - boxes[:, :2])[:, None] + generator.normal(0, 0.5, (3, 5, 2))
    return Photo(pixels, boxes, points.astype(np.float32))
