"""The square of a face that FAN sees, by its authors' arithmetic: single precision, then whole pixels, towards zero.

Source: face-alignment, utils.py (transform, crop) and api.py. Boxes are those of its S3FD, which count from the
picture's corner; another detector's are taken as S3FD's would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ..geometry import sample
from ..value import Value

SIDE = 256  # pixels of a crop
REFERENCE, UNIT = 195.0, 200.0  # a face whose sides are 195 pixels on average has a window of 200
UP = 0.12  # of a box's height that a window's middle lies above the box's


@dataclass(frozen=True, eq=False)
class Windows(Value):
    """Squares of images, a row per face; places count from the image's corner."""

    centre: Annotated[Tensor, "N 2"]  # float64, pixels
    side: Annotated[Tensor, "N"]  # float64, pixels, before it was made whole
    first: Annotated[Tensor, "N 2"]  # int64, the first column and row
    last: Annotated[Tensor, "N 2"]  # int64, those after the last

    def place(self, share: Tensor) -> Tensor:
        """(N, P, 2) pixels of the image, of points as shares of the squares: 0 and 1 are a square's borders."""
        return (self.first[:, None] + share * (self.last - self.first)[:, None] - 0.5).float()

    def place_whole(self, share: Tensor) -> Tensor:
        """The same as the authors place them: by the square before it was made whole, on whole pixels."""
        return (self.centre[:, None] + (share.double() - 0.5) * self.side[:, None, None]).trunc().float()


def windows(bbox: Tensor) -> Windows:
    """The windows of (N, 4) boxes, pixels.

    Raises:
        ValueError: A box is no number.
    """
    if not bbox.isfinite().all():
        raise ValueError(f"Expected boxes in pixels, got {bbox[~bbox.isfinite().all(1)][0].tolist()}: detect again.")
    corners = bbox.double() + 0.5
    size = corners[:, 2:] - corners[:, :2]
    centre = corners[:, 2:] - size / 2 - size[:, 1:] * torch.tensor([0.0, UP], dtype=torch.float64)
    side = (size.sum(1) / REFERENCE * UNIT).clamp(min=1)
    matrix = torch.eye(3).repeat(len(bbox), 1, 1)  # image to crop
    matrix[:, :2, :2] *= (SIDE / side).float()[:, None, None]
    matrix[:, :2, 2] = (SIDE * (0.5 - centre / side[:, None])).float()
    back = torch.linalg.inv(matrix)
    first, last = (
        torch.stack([back[:, axis, axis] * at + back[:, axis, 2] for axis in (0, 1)], -1) for at in (1, SIDE)
    )
    first, last = first.trunc().long(), last.trunc().long()
    return Windows(centre, side, first, torch.maximum(last, first + 1))


def cut_windows(image: Tensor, image_index: Tensor, where: Windows) -> Tensor:
    """(N, 256, 256, C) the windows of (B, H, W, C) images, black outside; bilinear, not smoothed where they shrink."""
    height, width = image.shape[1:3]
    crops = image.new_zeros(len(where), SIDE, SIDE, image.shape[-1])
    for crop, index, first, last in zip(crops, image_index.tolist(), where.first, where.last, strict=True):
        x1, y1 = first.clamp(min=0).tolist()
        x2, y2 = torch.minimum(last, torch.tensor([width, height])).tolist()
        if x1 < x2 and y1 < y2:
            place = (torch.arange(SIDE)[:, None] + 0.5) * ((last - first) / SIDE) - 0.5
            place = torch.minimum(place.clamp(min=0), last - first - 1) + first - torch.tensor([x1, y1])
            points = torch.stack(torch.meshgrid(place[:, 0], place[:, 1], indexing="xy"), -1)
            crop.copy_(sample(image[index, y1:y2, x1:x2], points))
    return crops
