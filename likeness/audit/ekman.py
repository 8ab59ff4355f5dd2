"""Which parts of a face show each of six expressions, after Ekman: triangles over iBUG's 68 points.

The recipe is that of Gaya-Morey et al. (see ``expression_explainability``): strips and fans of triangles. Points have
their published numbers from 1: 1 to 68 are iBUG's, 69 to 85 lie above the jaw's 1 to 17 at the frame's upper edge, 86
to 89 are the frame's corners. "37|30" is the point below 37 as low as 30, "5+49" the middle between two.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import torch
from torch import Tensor

from ..raster import rasterize
from ..types import Landmarks
from .canonical_warp import CANONICAL, HEIGHT, WIDTH, to_frame, to_image, with_border

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
Vertex = int | str
Triangles = tuple[tuple[Vertex, ...], ...]


def strip(*vertices: Vertex) -> Triangles:
    """A triangle of each three vertices in a row."""
    return tuple(zip(vertices, vertices[1:], vertices[2:], strict=False))


def fan(hub: Vertex, *vertices: Vertex) -> Triangles:
    """A triangle of the hub and each two vertices in a row."""
    return tuple((hub, a, b) for a, b in pairwise(vertices))


EYES = strip(37, 42, 38, 41, 39, 40) + strip(46, 47, 45, 48, 44, 43)
UNDER_EYES = strip("37|30", 37, "40|30", 40) + strip("43|30", 43, "46|30", 46)
NOSE_ROOT = strip("40|30", 40, 29, 28) + strip("43|30", 43, 29, 28)
CHEEKS = strip("5+49", "37|30", 49, "40|30", 50) + strip("13+55", "46|30", 55, "43|30", 54)
BROWS = strip(37, 19, 38, 20, 39, 21) + strip(21, 22, 39, 40)
BROWS += strip(40, 22, 28, 23, 43, 23, 44, 24, 44, 25, 45, 26, 46)
FOREHEAD = strip(19, "19|74", 20, 75, 21, 76) + strip(76, 21, 77, 22, 23) + strip(23, 77, 24, 78, 25, "26|79", 26)
NOSE_TO_CHIN = strip(33, 34, 51, 52, 62, 63, 68, 67, 59, 58, 8, 9) + strip(
    35, 34, 53, 52, 64, 63, 66, 67, 57, 58, 10, 9
)

RECIPES: dict[str, Triangles] = {
    "anger": BROWS + FOREHEAD + EYES + NOSE_TO_CHIN + UNDER_EYES,
    "disgust": fan(60, "5+49", 37, 42, 41, 40)
    + strip(41, 49, 40, 50, 22, 68, 28, 67, 23, 66, 43, 54, 48, 55)
    + fan(56, "13+55", 46, 47, 48, 43)
    + strip(22, 23, 28),
    "fear": BROWS + FOREHEAD + EYES + UNDER_EYES + NOSE_ROOT + CHEEKS,
    "happiness": EYES
    + UNDER_EYES
    + NOSE_ROOT
    + CHEEKS
    + (strip(50, 32, 40) + fan(49, 32, 5, 6, 7, 60, 50))
    + (strip(54, 36, 43) + fan(55, 36, 13, 12, 11, 56, 54)),
    "sadness": UNDER_EYES
    + NOSE_ROOT
    + CHEEKS
    + EYES
    + (strip(50, 60, "5+49") + strip(56, 54, "13+55"))
    + fan(1, "37|30", 37, 19, "1+86")
    + fan(17, "46|30", 46, 26, "17+88")
    + strip(39, 21, 40, 22, 28, 23, 43, 24, 44)
    + fan(77, "21|77", 21, 22, 23, 24, "24|77"),
    "surprise": strip(23, "23|77", 26, "26|77")
    + strip(43, 23, 48, 24, 47, 25, 46, 26)
    + (strip(22, "22|77", 19, "19|77") + strip(40, 22, 41, 21, 42, 20, 37, 19))
    + NOSE_TO_CHIN
    + strip(33, 32, 51, 50, 62, 60, 68, 7, 59, 8)
    + strip(35, 36, 53, 54, 64, 56, 66, 11, 57, 10),
}


def canonical_mask(expression: str) -> Tensor:
    """(275, 224) float32, 1 where the canonical face shows an expression.

    Raises:
        ValueError: It is none of the six.
    """
    return _draw(CANONICAL, expression, None, HEIGHT, WIDTH)


def image_masks(landmarks: Landmarks, expression: str) -> Tensor:
    """(B, H, W) float32, 1 where the faces of each image show an expression.

    Args:
        landmarks: Of any faces, of a scheme that iBUG's 68 points can be had from.
        expression: One of ``EXPRESSIONS``.

    Raises:
        ValueError: The expression is none of the six, or the scheme is another.
    """
    check(expression)
    height, width = landmarks.faces.image_size
    masks = torch.zeros(landmarks.faces.image_count, height, width)
    frames, matrices = to_frame(landmarks)
    for index, frame, matrix in zip(landmarks.faces.image_index.tolist(), frames, matrices, strict=True):
        drawn = _draw(frame, expression, matrix, height, width)
        masks[index] = torch.maximum(masks[index], drawn)
    return masks


def check(expression: str) -> str:
    """The expression, if it is one of the six.

    Raises:
        ValueError: It is not; says which there are.
    """
    if expression not in EXPRESSIONS:
        raise ValueError(f"Expected an expression among {', '.join(EXPRESSIONS)}, got {expression or 'nothing'}.")
    return expression


def _draw(points: Tensor, expression: str, matrix: Tensor | None, height: int, width: int) -> Tensor:
    """The mask of (68, 2) points in the frame, there or in the picture that (2, 3) ``matrix`` comes from."""
    vertices, triangles = _indexed(check(expression))
    border = with_border(points)
    placed = torch.stack([_place(border, vertex) for vertex in vertices])
    placed = placed if matrix is None else to_image(placed, matrix)
    flat = torch.cat([placed, torch.zeros(len(placed), 1)], 1)
    return rasterize(flat, triangles, height, width, cull=False).covered.float()


@cache
def _indexed(expression: str) -> tuple[tuple[Vertex, ...], Tensor]:
    """An expression's vertices, each once, and its triangles by their rows."""
    recipe = RECIPES[expression]
    vertices = tuple(dict.fromkeys(vertex for triangle in recipe for vertex in triangle))
    rows = {vertex: row for row, vertex in enumerate(vertices)}
    return vertices, torch.tensor([[rows[vertex] for vertex in triangle] for triangle in recipe])


def _place(points: Tensor, vertex: Vertex) -> Tensor:
    if isinstance(vertex, int):
        return points[vertex - 1]
    a, b = (points[int(number) - 1] for number in vertex.replace("|", "+").split("+"))
    return torch.stack([a[0], b[1]]) if "|" in vertex else (a + b) / 2
