"""ChatAnything: landmarks guide an image generator, and pictures in which no detector finds a face are made again.

ChatAnything: Facetime Chat with LLM-Enhanced Personas, 2023. https://arxiv.org/abs/2311.06772
Weights: none of its own. The guidance is for a public ControlNet of Stable Diffusion 1.5, Face-Landmark-ControlNet,
whose terms are not stated. The authors' code has no licence: this is written from its description.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..select import name_images
from ..types import Faces, Landmarks, NoFaceError
from .ibug import points

SIDE, RADIUS = 512, 2.5  # pixels, of the control image and of its dots
CONTROL = 0.3  # strength of the control net
STEP = 0.04  # of the denoising strength, from attempt to attempt
LAST = 7  # attempt, counted from 0
WORDS = ("Female", "female", "beautiful", "small", "cute")
OTHERWISE = ("error", "surest", "first")


@dataclass(frozen=True)
class Attempt:
    """With what a picture is made."""

    strength: float  # of denoising, in [0, 1]
    control: float  # strength of the control net
    prompt: str


def attempt(number: int, has_face: bool, prompt: str = "", words: bool = True, seed: int = 0) -> Attempt:
    """What to make a picture with at the first attempt, 0, or after so many that showed no face.

    From a reference with a face the strength falls, to stay closer to it; from one without it rises. The description's
    passes 1 at the fourth retry, where a sampler has nothing left to add: it stays at 1.

    Args:
        number: 0 to 7.
        has_face: Whether a detector finds a face in the reference.
        prompt: As the user wrote it.
        words: Put a word of ``WORDS`` before the prompt at each retry, as the authors do: part of what they gain is
            another prompt.
        seed: Of the words; the same gives the same ones, and each retry keeps those before it.

    Raises:
        ValueError: There is no such attempt.
    """
    if not 0 <= number <= LAST:
        raise ValueError(f"Expected an attempt from 0 to {LAST}, got {number}: give up, or change the prompt.")
    strength = 1.0 - STEP * number if has_face else min(1.0, 0.85 + STEP * number)
    draw = Random(seed)
    said = [draw.choice(WORDS) for _ in range(number)] if words else []
    return Attempt(round(strength, 6), CONTROL, ", ".join([*reversed(said), *filter(None, [prompt])]))


def draw_dots(landmarks: Landmarks, size: tuple[int, int] = (SIDE, SIDE), radius: float = RADIUS) -> Tensor:
    """(B, H, W, 3) what the control net expects: a white dot for each of iBUG's 68 points, on black.

    The picture is scaled to cover the control image and cut around its middle, as core's Upscale Image with crop does.

    Args:
        landmarks: Of iBUG's scheme, or MediaPipe's mesh; all faces of an image are drawn.
        size: Height and width of the control images, pixels.
        radius: Of a dot, pixels.
    """
    faces, (height, width) = landmarks.faces, size
    scale = max(height / faces.image_size[0], width / faces.image_size[1])
    middle = torch.tensor([faces.image_size[1], faces.image_size[0]]) / 2
    places = (points(landmarks)[..., :2] + 0.5 - middle) * scale + torch.tensor([width, height]) / 2 - 0.5
    drawn = torch.zeros(faces.image_count, height, width, 3)
    for index in sorted(set(faces.image_index.tolist())):
        sheet = Image.new("RGB", (width, height))
        pen = ImageDraw.Draw(sheet)
        for x, y in places[faces.image_index == index].flatten(0, 1).tolist():
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill="white")
        drawn[index] = torch.from_numpy(np.asarray(sheet).copy()) / 255
    return drawn


def detectability(faces: Faces) -> Tensor:
    """(B,) the score of the surest face of each image, 0 where there is none."""
    return torch.zeros(faces.image_count).scatter_reduce(0, faces.image_index, faces.score, "amax")


def is_detectable(faces: Faces, threshold: float) -> Tensor:
    """(B,) bool, whether each image shows a face of at least this score."""
    scores = detectability(faces)
    return (scores >= threshold) & (scores > 0)


def first_detectable(faces: Faces, threshold: float, otherwise: str = "error") -> int:
    """The first of the images that shows a face.

    Args:
        faces: What a detector found in the images.
        threshold: The least score.
        otherwise: When none shows one: "error"; "surest", the image of the highest score; "first", image 0.

    Raises:
        ValueError: There are no images.
        NoFaceError: None shows a face and that is an error.
    """
    scores = detectability(faces)
    if not len(scores):
        raise ValueError("Expected at least one candidate, got no images.")
    passed = is_detectable(faces, threshold).nonzero().flatten()
    if len(passed):
        return int(passed[0])
    if otherwise == "error":
        which = name_images(list(range(len(scores))), len(scores))
        raise NoFaceError(
            f"Expected a face of score {threshold:g} or more, got {float(scores.max()):.2f} at most in {which}: try "
            "the next attempt of the schedule, lower the threshold, or set otherwise to surest."
        )
    return int(scores.argmax()) if otherwise == "surest" else 0
