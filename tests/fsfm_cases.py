"""Seeded pictures, parsings and scores that our code and FSFM's authors' are both given."""

import numpy as np
import torch
from torch import Tensor

import seeding

# Left, top, right, bottom in whole pixels, as dlib gives them: inside, over two borders on either side, small.
BOXES = ((100, 60, 220, 190), (-20, 150, 95, 270), (330, 230, 430, 310), (180, 90, 188, 98))
SIZE = (300, 400)  # height and width
# Arguments of the authors' evaluation by our name for the preparation.
WAYS = {
    "vggface2": {"normalize_from_IMN": False, "apply_simple_augment": False},
    "vggface2_centre": {"normalize_from_IMN": False, "apply_simple_augment": True},
    "imagenet_centre": {"normalize_from_IMN": True, "apply_simple_augment": True},
}
SEED = 17
# Numbers of the authors' parser, FACER's of LaPa, by the names of this pack; its right is the person's.
LAPA = ("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "nose")
LAPA += ("upper_lip", "mouth", "lower_lip", "hair")
# The authors' groups of these, in their order, by our names.
REGIONS = ("brows", "eyes", "nose", "mouth", "boundary", "hair", "skin", "background")


def picture() -> Tensor:
    """(300, 400, 3) uint8."""
    return (seeding.noise("picture", torch.Size([*SIZE, 3])) * 32 + 128).round().byte()


def parsings() -> dict[str, Tensor]:
    """(224, 224) int8 numbers of ``LAPA``: a face as it is, one that is larger than its picture, and speckles."""
    return {"face": _face(1.0), "close": _face(2.6), "speckles": _speckles()}


def _face(scale: float) -> Tensor:
    """Ellipses about the middle of a square."""
    y, x = np.mgrid[:224, :224]
    x, y = (x - 111.5) / scale, (y - 105.5) / scale
    labels = np.zeros((224, 224), dtype=np.int8)
    parts = [(10, 0, -12, 74, 88), (1, 0, 8, 60, 80), (2, -26, -22, 15, 4), (3, 26, -22, 15, 4), (4, -26, -8, 11, 6)]
    parts += [(5, 26, -8, 11, 6), (6, 0, 14, 11, 20), (7, 0, 44, 24, 6), (9, 0, 54, 22, 7), (8, 0, 48, 17, 3)]
    for number, across, down, width, height in parts:
        labels[((x - across) / width) ** 2 + ((y - down) / height) ** 2 < 1] = number
    return torch.from_numpy(labels)


def _speckles() -> Tensor:
    return torch.from_numpy(np.random.RandomState(5).randint(0, 11, (224, 224)).astype(np.int8))


def spoof_scores() -> dict[str, np.ndarray]:
    """Logits of 60 videos, two or three frames each, in an order of their own; and who is real."""
    generator = np.random.RandomState(7)
    video = np.repeat(np.arange(60), np.where(np.arange(60) % 3 == 0, 3, 2))
    real = (np.arange(60) % 5 < 2)[video]
    logits = generator.normal(size=(len(video), 2)) + np.stack([~real * 1.2, real * 1.4], 1)
    order = generator.permutation(len(video))
    return {"video": video[order], "real": real[order], "logits": logits[order].astype(np.float32)}
