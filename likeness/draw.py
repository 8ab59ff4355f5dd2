"""What is known about faces, drawn on their images: boxes, names, points, landmarks, masks.

Widths follow the image's shorter side, so a drawing is as readable at 8k as at 512; where a face is small its landmarks
are finer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .filters import copy
from .geometry import check_image
from .landmark import canonical as mesh
from .parse.mesh_regions import ellipses
from .strokes import RIM, Colour, Strokes, dots, lay_over, ring
from .types import Faces, Landmarks

# Apart from each other for most colour-blind people, and bright on a dark rim. Source: Okabe and Ito, 2008.
COLOURS: tuple[Colour, ...] = ((86, 180, 233), (240, 228, 66), (0, 200, 140), (230, 159, 0), (204, 121, 167))
IRIS, MASK, WHITE = (255, 120, 40), (230, 0, 140), (255, 255, 255)
FINER = 3  # pixels a side that a label has for each of the image
WIDEST = 6000  # columns that a label has at most
STYLES = ("contours", "mesh", "dots")

# Lines through landmarks by scheme: points, and whether the last joins the first.
Lines = Sequence[tuple[Sequence[int], bool]]
CONTOURS: Lines = [
    (mesh.FACE_OVAL, True),
    (mesh.LEFT_BROW, True),
    (mesh.RIGHT_BROW, True),
    (mesh.LEFT_EYE, True),
    (mesh.RIGHT_EYE, True),
    (mesh.LIPS_OUTER, True),
    (mesh.LIPS_INNER, True),
    (mesh.NOSE_BRIDGE, False),
    (mesh.NOSE_WINGS, False),
]
LINES: dict[str, Lines] = {
    "mediapipe468": CONTOURS,
    "mediapipe478": CONTOURS,
    "ibug68": [
        (range(17), False),
        (range(17, 22), False),
        (range(22, 27), False),
        (range(27, 31), False),
        (range(31, 36), False),
        (range(36, 42), True),
        (range(42, 48), True),
        (range(48, 60), True),
        (range(60, 68), True),
    ],
}


@dataclass(frozen=True)
class Label:
    """A text on a ground of its own, in pixels of the image."""

    text: str
    place: tuple[float, float]  # the lower left corner
    colour: Colour  # of the ground
    height: float


def draw_faces(
    image: Tensor,
    faces: Faces,
    boxes: bool = True,
    labels: bool = True,
    points: bool = True,
    landmarks: Landmarks | None = None,
    style: str = "contours",
    line_width: float = 0.0,
) -> Tensor:
    """The images with what is known about their faces.

    Args:
        image: (B, H, W, 3) in [0, 1].
        faces: The faces in these images.
        boxes: Draw their boxes.
        labels: Write their numbers and scores; a tracked face has its track's number and colour.
        points: Draw their five points, if they have them.
        landmarks: Draw these, of any faces in these images.
        style: "contours", "mesh" or "dots"; a scheme without lines has dots.
        line_width: Pixels; 0 fits the image.

    Raises:
        ValueError: The faces or landmarks are of other images, or the style is none.
    """
    if style not in STYLES:
        raise ValueError(f"Expected a style among {', '.join(STYLES)}, got {style}.")
    drawn, width = copy(image), line_width or max(1.5, min(image.shape[1:3]) / 320)
    if landmarks is not None:
        check_image(image, landmarks.faces)
        for row, index in enumerate(landmarks.faces.image_index.tolist()):
            for strokes in _landmark_strokes(landmarks, row, style, width):
                lay_over(drawn[index], strokes)
    check_image(image, faces)
    for row, index in enumerate(faces.image_index.tolist()):
        colour = _colour(faces, row)
        if points and faces.kps is not None:
            size = min(2.5 * width, max(2.0, _extent(faces.kps[row]) / 8))
            lay_over(drawn[index], dots(faces.kps[row], WHITE, size, max(0.5, size / 8)))
        if boxes:
            lay_over(drawn[index], Strokes(ring(_corners(faces.bbox[row])), colour, width, max(0.5, width / 6)))
        if labels:
            text = f"{_number(faces, row)}  {float(faces.score[row]):.2f}"
            _write(drawn[index], _label(text, faces.bbox[row], colour, width, faces.image_size))
    return drawn


def tint(image: Tensor, mask: Tensor, opacity: float = 0.5) -> Tensor:
    """The images with a mask shown as colour.

    Args:
        image: (B, H, W, 3) in [0, 1].
        mask: (B, H, W) or (1, H, W) in [0, 1].
        opacity: Of the colour, in [0, 1].

    Raises:
        ValueError: The mask is not of these images.
    """
    if mask.shape[1:] != image.shape[1:3] or len(mask) not in (1, len(image)):
        expected, got = tuple(image.shape[:3]), tuple(mask.shape)
        raise ValueError(f"Expected a mask of {expected}, one per image or one for all, got {got}: resize it first.")
    return torch.lerp(image, image.new_tensor(MASK) / 255, (mask.to(image).clamp(0, 1) * opacity)[..., None])


def draw_text(picture: Tensor, text: str) -> Tensor:
    """An (H, W, 3) picture with a line of text along its lower edge, as small as it must be to fit."""
    result, (height, width) = copy(picture), picture.shape[:2]
    line = height / 9
    line *= min(1.0, width / (ImageFont.load_default(line).getlength(text) + line / 2))
    _write(result, Label(text, (0.0, float(height - 1)), WHITE, line))
    return result


def _number(faces: Faces, row: int) -> int:
    """Whose face it is: the track where there are tracks, else the face's id in its image."""
    return int((faces.id if faces.track is None else faces.track)[row])


def _colour(faces: Faces, row: int) -> Colour:
    return COLOURS[_number(faces, row) % len(COLOURS)]


def _landmark_strokes(landmarks: Landmarks, row: int, style: str, width: float) -> Iterator[Strokes]:
    points, scheme, colour = landmarks.points[row, :, :2], landmarks.scheme, _colour(landmarks.faces, row)
    size, lines = _extent(points), LINES.get(scheme, ())
    if style == "dots" or not lines:
        yield dots(points, colour, min(1.5 * width, max(1.0, size / 150)))
        return
    fine = min(width, max(0.75, size / 160))
    if style == "mesh" and lines is CONTOURS:
        yield Strokes(points[_mesh_edges()], colour, fine / 2)
    yield Strokes(points[_edges(scheme)], colour, fine, max(0.5, fine / 6) if fine >= 1 else 0)
    if scheme == "mediapipe478":
        irises = ellipses(points[torch.tensor([mesh.LEFT_IRIS_RING, mesh.RIGHT_IRIS_RING])])
        yield Strokes(torch.cat([ring(iris) for iris in irises]), IRIS, fine)


@cache
def _edges(scheme: str) -> Tensor:
    """(E, 2) the points that a scheme's lines join."""
    pairs = [pair for line, closed in LINES[scheme] for pair in pairwise([*line, *line[:1]] if closed else line)]
    return torch.tensor(pairs)


@cache
def _mesh_edges() -> Tensor:
    """(E, 2) the points that the whole mesh joins."""
    return torch.tensor(sorted(mesh.tesselation()))


def _label(text: str, box: Tensor, colour: Colour, width: float, image_size: tuple[int, int]) -> Label:
    """A text on its box's upper edge, or below it where the image ends."""
    height = max(11.0, min(image_size) / 32)
    x, y = float(box[0]) - width / 2, float(box[1]) - width / 2
    length = ImageFont.load_default(height).getlength(text) + height / 2
    x = max(0.0, min(x, image_size[1] - length))
    y = y if y > 1.3 * height else max(y + width, 0) + 1.3 * height
    return Label(text, (x, y), colour, height)


def _write(image: Tensor, label: Label) -> None:
    """Put a label on an (H, W, 3) image that belongs to the caller; it is drawn finer than the image."""
    x, y, height = *label.place, label.height
    x1, x2 = max(math.floor(x), 0), min(math.ceil(x + height * (len(label.text) + 1)), image.shape[1])
    y1, y2 = max(math.floor(y - 1.5 * height), 0), min(math.ceil(y) + 1, image.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    finer = max(1, min(FINER, WIDEST // (x2 - x1)))
    sheet, size = Image.new("RGBA", ((x2 - x1) * finer, (y2 - y1) * finer)), height * finer
    font, pen = ImageFont.load_default(size), ImageDraw.Draw(sheet)
    left, low = (x - x1 + 0.5) * finer - 0.5, (y - y1 + 0.5) * finer - 0.5
    pen.rectangle((left, low - 1.3 * size, left + font.getlength(label.text) + size / 2, low), fill=label.colour)
    pen.text((left + size / 4, low - 0.2 * size), label.text, RIM, font, anchor="ls")
    pixels = torch.from_numpy(np.asarray(sheet.reduce(finer)).copy()).to(image) / 255
    region = image[y1:y2, x1:x2]
    region.copy_(torch.lerp(region, pixels[..., :3], pixels[..., 3:]))


def _extent(points: Tensor) -> float:
    """The longer side of the box around (P, 2) points."""
    return float((points.amax(0) - points.amin(0)).max())


def _corners(box: Tensor) -> Tensor:
    """(4, 2) of an xyxy box, one after another."""
    return box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)
