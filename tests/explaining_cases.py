"""Seeded heat maps, masks, faces and pictures that our arithmetic and the authors' are both given."""

from dataclasses import dataclass

import numpy as np

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
SEED, SAMPLES, REGIONS = 0, 200, 9
SAMPLED_ROWS, SAMPLED_COLUMNS = slice(30, 260, 23), slice(25, 200, 19)


def heat_maps() -> list[np.ndarray]:
    """(55, 44) uint8: hills of several heights, and noise."""
    generator = np.random.RandomState(401)
    y, x = np.mgrid[:55, :44]
    found = []
    for _ in range(6):
        heat = generator.uniform(0, 20, (55, 44))
        for _ in range(3):
            cy, cx, wide, high = generator.uniform((5, 5, 4, 60), (50, 39, 12, 200))
            heat += high * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * wide**2))
        found.append(heat.clip(0, 255).astype(np.uint8))
    return found


def masks() -> list[np.ndarray]:
    """(55, 44) bool: a rectangle for each heat map."""
    generator = np.random.RandomState(402)
    found = []
    for _ in range(6):
        mask = np.zeros((55, 44), bool)
        top, left = generator.randint(0, 25, 2)
        mask[top : top + 22, left : left + 18] = True
        found.append(mask)
    return found


@dataclass(frozen=True)
class Face:
    """A picture that a face fills, and its 68 points."""

    pixels: np.ndarray
    points: np.ndarray


def face(canonical: np.ndarray) -> Face:
    """A smooth square of 256 pixels whose points are the (68, 2) canonical ones, stretched and shaken."""
    generator = np.random.RandomState(403)
    y, x = np.mgrid[:256, :256]
    waves = [np.sin(x / 29 + shift) + np.cos(y / 37 - shift) for shift in (0.0, 1.0, 2.0)]
    pixels = (np.stack(waves, -1) / 2 * 127 + 127.5).astype(np.uint8)
    spread = canonical * (256 / 224, 256 / 275)
    return Face(pixels, (spread + generator.uniform(-4, 4, spread.shape)).astype(int))


def picture() -> np.ndarray:
    """(30, 30, 3) in [0, 1]."""
    return np.random.RandomState(404).uniform(0.2, 1, (30, 30, 3))


def regions() -> np.ndarray:
    """(30, 30) nine squares."""
    y, x = np.mgrid[:30, :30] // 10
    return y * 3 + x


def weights() -> np.ndarray:
    """(30, 30) what a pixel counts."""
    return np.random.RandomState(405).uniform(-1, 2, (3, 3)).repeat(10, 0).repeat(10, 1)
