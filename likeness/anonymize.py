"""Faces made unrecognisable, and whether they are: what is left of a face, and who a recogniser takes it for.

Only few coarse cells of a face survive, so that nothing finer can be brought back. Source of the measure: Newton,
Sweeney and Malin, Preserving privacy by de-identifying face images, 2005 (a face is hidden only from a recogniser
that was tried).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from .filters import blur, copy, smoothstep, spread
from .geometry import check_image, sample
from .types import Embeddings, Faces, same_faces

WAYS = ("blur", "pixelate", "replace")
SOFT = 0.15  # of the ellipse's half axes: the fade outside it
SPREAD = 0.75  # deviation of the blur, in cells


def anonymize(
    image: Tensor,
    faces: Faces,
    way: str = "pixelate",
    cells: int = 6,
    margin: float = 0.35,
    substitute: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The images with every given face hidden, and how much of each pixel was changed.

    Where the mask is 0 the images keep their values bit for bit.

    Args:
        image: (B, H, W, 3) RGB in [0, 1].
        faces: The faces in these images; boxes are enough.
        way: One of ``WAYS``; "replace" takes the surroundings inwards, or ``substitute``.
        cells: What is left along the longer side of a face; a face half out of the picture gets no finer ones.
        margin: How far beyond its box a face is hidden, as a share of the box.
        substitute: (1, h, w, 3) or (N, h, w, 3) what is shown in place of the faces.

    Returns:
        (B, H, W, 3) and (B, H, W) in [0, 1].

    Raises:
        ValueError: An unknown way, or not one substitute or one per face.
    """
    check_image(image, faces)
    if way not in WAYS:
        raise ValueError(f"Expected one of {', '.join(WAYS)}, got {way}.")
    check_substitute(substitute, faces)
    result, mask = copy(image), image.new_zeros(image.shape[:3])
    for row, (index, box) in enumerate(zip(faces.image_index.tolist(), faces.bbox, strict=True)):
        corner, far = grown(box, margin)
        y, x = (_inside(corner[axis], far[axis], image.shape[2 - axis]) for axis in (1, 0))
        if y.start >= y.stop or x.start >= x.stop:
            continue
        region, taken = result[index, y, x], ellipse(box, margin, y, x)
        if way == "replace" and substitute is not None:
            hidden = _fitted(substitute[row % len(substitute)], corner, far, y, x)
        elif way == "replace":
            hidden = spread(region, 1 - (taken > 0).float())
        else:
            hidden = coarse(region, float((box[2:] - box[:2]).amax()) / cells, way == "blur")
        region.copy_(torch.lerp(region, hidden, taken[..., None]))
        mask[index, y, x] = torch.maximum(mask[index, y, x], taken)
    return result, mask


def check_substitute(substitute: Tensor | None, faces: Faces) -> None:
    """Raise ValueError unless there is one substitute for all faces, or one for each."""
    if substitute is not None and len(substitute) not in (1, len(faces)):
        raise ValueError(f"Expected 1 substitute or {len(faces)}, one per face, got {len(substitute)}: pick one.")


def coarse(region: Tensor, cell: float, smooth: bool) -> Tensor:
    """(H, W, C) a picture of which only the means of cells are left, ``cell`` pixels a side, sharp-edged or smooth."""
    height, width = region.shape[:2]
    down, across = (max(1, round(side / max(cell, 1.0))) for side in (height, width))
    means = adaptive_avg_pool2d(region.movedim(-1, 0)[None], (down, across))
    if not smooth:
        return interpolate(means, (height, width), mode="nearest")[0].movedim(0, -1)
    again = interpolate(means, (height, width), mode="bilinear", align_corners=False)[0].movedim(0, -1)
    return blur(again, SPREAD * max(cell, 1.0)) if min(height, width) > 1 else again


def ellipse(box: Tensor, margin: float, y: slice, x: slice) -> Tensor:
    """(h, w) 1 within the ellipse around a box grown by a margin, fading outside it, on some rows and columns."""
    centre, half = (box[:2] + box[2:]) / 2, ((box[2:] - box[:2]) / 2 * (1 + margin)).clamp(min=0.5)
    rows = (torch.arange(y.start, y.stop) - centre[1]) / half[1]
    columns = (torch.arange(x.start, x.stop) - centre[0]) / half[0]
    return 1 - smoothstep((rows[:, None].square() + columns.square()).sqrt(), 1.0, 1.0 + SOFT)


def grown(box: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """The corners of the box around ``ellipse``."""
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * (1 + margin) * (1 + SOFT)
    return centre - half, centre + half


def report(before: Embeddings, after: Embeddings) -> tuple[int, str]:
    """How many hidden faces a recogniser still takes for the same person, and a line per face.

    Args:
        before: Of the faces as they were.
        after: Of the same faces, hidden.

    Raises:
        ValueError: They are of different faces, or nobody published a threshold for their space.
    """
    if before.faces is None or after.faces is None:
        raise ValueError("Expected embeddings of faces in images, got a saved identity: use Embed Faces.")
    faces = same_faces(before.faces, after.faces)
    same, measured = before.same_person(after).diagonal(), _measure(before, after).diagonal()
    name = "distance" if before.metric == "l2" else "similarity"
    lines = [
        f"image {image}, face {face}: {name} {value:.2f} (threshold {before.threshold:g}), "
        + ("still recognised" if known else "not recognised")
        for image, face, value, known in zip(
            faces.image_index.tolist(), faces.id.tolist(), measured.tolist(), same.tolist(), strict=True
        )
    ]
    return int(same.sum()), "\n".join(lines) or "no faces"


def _measure(before: Embeddings, after: Embeddings) -> Tensor:
    return before.distance(after) if before.metric == "l2" else before.similarity(after)


def _inside(start: Tensor, stop: Tensor, length: int) -> slice:
    return slice(max(int(start.floor()), 0), min(int(stop.ceil()) + 1, length))


def _fitted(picture: Tensor, corner: Tensor, far: Tensor, y: slice, x: slice) -> Tensor:
    """(h, w, 3) a picture stretched over a box, its part on some rows and columns."""
    height, width = picture.shape[:2]
    columns = (torch.arange(x.start, x.stop) - corner[0]) / (far[0] - corner[0]) * (width - 1)
    rows = (torch.arange(y.start, y.stop) - corner[1]) / (far[1] - corner[1]) * (height - 1)
    points = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    return sample(picture[..., :3].float(), points, "bilinear", "border")
