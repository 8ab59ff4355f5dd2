"""What is known about faces, drawn on their images: boxes, names, points, landmarks, masks.

Lines are drawn three times as fine as the image on a sheet that covers one face, and laid over it. Their widths follow
the image's shorter side, so a drawing is as readable at 8k as at 512; where a face is small its landmarks are finer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .geometry import check_image
from .landmark import canonical as mesh
from .parse.mesh_regions import ellipses
from .types import Faces, Landmarks

Colour = tuple[int, int, int]
# Apart from each other for most colour-blind people, and bright on a dark rim. Source: Okabe and Ito, 2008.
COLOURS: tuple[Colour, ...] = ((86, 180, 233), (240, 228, 66), (0, 200, 140), (230, 159, 0), (204, 121, 167))
IRIS, MASK, WHITE, RIM = (255, 120, 40), (230, 0, 140), (255, 255, 255), (0, 0, 0)
FINER = 3  # pixels of the sheet a side of each image pixel
STRIP, WIDEST = 512, 6000  # rows of the image, and columns of its own, that a sheet covers at most
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
class Stroke:
    """One thing on the sheet, in pixels of the image."""

    points: list[tuple[float, float]]  # a line's; of a dot or a text the one place
    colour: Colour
    width: float  # a line's; a dot's diameter; the height of a text
    kind: str = "line"  # "line", "dot" or "text"; a text stands above its place
    text: str = ""
    rim: bool = True


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
    drawn, width = image.clone(), line_width or max(1.5, min(image.shape[1:3]) / 320)
    if landmarks is not None:
        check_image(image, landmarks.faces)
        for row, index in enumerate(landmarks.faces.image_index.tolist()):
            _lay_over(drawn[index], _landmark_strokes(landmarks, row, style, width))
    check_image(image, faces)
    for row, index in enumerate(faces.image_index.tolist()):
        colour, strokes = _colour(faces, row), []
        if points and faces.kps is not None:
            size = min(2.5 * width, max(2.0, _extent(faces.kps[row]) / 8))
            strokes += [Stroke([place], WHITE, size, "dot") for place in _places(faces.kps[row])]
        if boxes:
            strokes.append(Stroke(_corners(faces.bbox[row]), colour, width))
        if labels:
            text = f"{_number(faces, row)}  {float(faces.score[row]):.2f}"
            strokes.append(_label(text, faces.bbox[row], colour, width, faces.image_size))
        _lay_over(drawn[index], strokes)
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
    result, (height, width) = picture.clone(), picture.shape[:2]
    line = height / 9
    line *= min(1.0, width / (ImageFont.load_default(line).getlength(text) + line / 2))
    _lay_over(result, [Stroke([(0.0, float(height - 1))], WHITE, line, "text", text)])
    return result


def _number(faces: Faces, row: int) -> int:
    """Whose face it is: the track where there are tracks, else the face's id in its image."""
    return int((faces.id if faces.track is None else faces.track)[row])


def _colour(faces: Faces, row: int) -> Colour:
    return COLOURS[_number(faces, row) % len(COLOURS)]


def _landmark_strokes(landmarks: Landmarks, row: int, style: str, width: float) -> list[Stroke]:
    points, scheme, colour = landmarks.points[row, :, :2], landmarks.scheme, _colour(landmarks.faces, row)
    size, lines = _extent(points), LINES.get(scheme, ())
    if style == "dots" or not lines:
        dot = min(1.5 * width, max(1.0, size / 150))
        return [Stroke([place], colour, dot, "dot", rim=False) for place in _places(points)]
    fine = min(width, max(0.75, size / 160))
    strokes = []
    if style == "mesh" and lines is CONTOURS:
        edges = sorted(mesh.tesselation())
        strokes += [Stroke(_places(points[list(edge)]), colour, fine / 2, rim=False) for edge in edges]
    for line, closed in lines:
        strokes.append(
            Stroke(_places(points[[*line, *line[:1]] if closed else list(line)]), colour, fine, rim=fine >= 1)
        )
    if scheme == "mediapipe478":
        for iris in ellipses(points[torch.tensor([mesh.LEFT_IRIS_RING, mesh.RIGHT_IRIS_RING])]):
            strokes.append(Stroke(_places(torch.cat([iris, iris[:1]])), IRIS, fine, rim=False))
    return strokes


def _label(text: str, box: Tensor, colour: Colour, width: float, image_size: tuple[int, int]) -> Stroke:
    """A text on its box's upper edge, or below it where the image ends."""
    height = max(11.0, min(image_size) / 32)
    x, y = float(box[0]) - width / 2, float(box[1]) - width / 2
    length = ImageFont.load_default(height).getlength(text) + height / 2
    x = max(0.0, min(x, image_size[1] - length))
    y = y if y > 1.3 * height else max(y + width, 0) + 1.3 * height
    return Stroke([(x, y)], colour, height, "text", text)


def _lay_over(image: Tensor, strokes: list[Stroke]) -> None:
    """Draw on an (H, W, 3) image that belongs to the caller."""
    boxes = torch.tensor([_bounds(stroke) for stroke in strokes])
    if not len(boxes):
        return
    (x1, y1), (x2, y2) = boxes[:, :2].amin(0).floor().int().tolist(), boxes[:, 2:].amax(0).ceil().int().tolist()
    x1, x2, y1, y2 = max(x1, 0), min(x2, image.shape[1]), max(y1, 0), min(y2, image.shape[0])
    if x1 >= x2:
        return
    finer = max(1, min(FINER, WIDEST // (x2 - x1)))
    for top in range(y1, y2, STRIP):
        size = (x2 - x1, min(STRIP, y2 - top))
        sheet = Image.new("RGBA", (size[0] * finer, size[1] * finer))
        pen = ImageDraw.Draw(sheet)
        for stroke in strokes:
            _draw(pen, stroke, (x1, top), finer)
        pixels = torch.from_numpy(np.asarray(sheet.reduce(finer)).copy()).to(image) / 255
        region = image[top : top + size[1], x1:x2]
        region.copy_(torch.lerp(region, pixels[..., :3], pixels[..., 3:]))


def _draw(pen: ImageDraw.ImageDraw, stroke: Stroke, corner: tuple[int, int], finer: int) -> None:
    """One stroke on a sheet whose first pixel is the image's pixel ``corner``."""
    places = [((x - corner[0] + 0.5) * finer - 0.5, (y - corner[1] + 0.5) * finer - 0.5) for x, y in stroke.points]
    width = stroke.width * finer
    if stroke.kind == "text":
        (x, y), font = places[0], ImageFont.load_default(width)
        pen.rectangle((x, y - 1.3 * width, x + font.getlength(stroke.text) + width / 2, y), fill=stroke.colour)
        pen.text((x + width / 4, y - 0.2 * width), stroke.text, RIM, font, anchor="ls")
    elif stroke.kind == "dot":
        (x, y), rim = places[0], max(finer / 2, width / 8)
        if stroke.rim:
            pen.circle((x, y), width / 2 + rim, fill=RIM)
        pen.circle((x, y), width / 2, fill=stroke.colour)
    else:
        if stroke.rim:
            pen.line(places, RIM, round(width + max(finer, width / 3)), "curve")
        pen.line(places, stroke.colour, max(1, round(width)), "curve")


def _bounds(stroke: Stroke) -> tuple[float, float, float, float]:
    """The pixels that a stroke may touch."""
    xs, ys = zip(*stroke.points, strict=True)
    if stroke.kind == "text":
        return xs[0], ys[0] - 1.5 * stroke.width, xs[0] + stroke.width * (len(stroke.text) + 1), ys[0] + 1
    margin = stroke.width + 2
    return min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin


def _places(points: Tensor) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points.tolist()]


def _extent(points: Tensor) -> float:
    """The longer side of the box around (P, 2) points."""
    return float((points.amax(0) - points.amin(0)).max())


def _corners(box: Tensor) -> list[tuple[float, float]]:
    x1, y1, x2, y2 = box.tolist()
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
