"""What all reenactment systems share: whose motion each frame follows, and how much of it is taken over."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..select import name_images, shown_rows
from ..types import Faces, NoFaceError


@dataclass(frozen=True)
class Settings:
    """How much of a motion is taken over; 1 is what the driving face does."""

    turn: float = 1.0  # of the head
    shift: float = 1.0  # of where the head is, and how near
    expression: float = 1.0
    smoothing: float = 0.8  # standard deviation in frames
    neutral: int | None = None  # the driving frame that stands for the photo as it is; None: the system finds one


def rows_by_frame(faces: Faces, missing: str) -> Tensor:
    """(T,) the row of the face that each frame follows.

    Args:
        faces: The faces of the driving frames, at most one in each.
        missing: For a frame without a face: "error"; "hold", the face before, or at the start the first there is;
            "skip", the frame is left out; "interpolate", on the way to the next one, see ``select.fill_missing``.

    Raises:
        NoFaceError: A frame has no face and that is an error, or there is no face at all.
        ValueError: A frame has several.
    """
    counts = torch.bincount(faces.image_index, minlength=faces.image_count)
    crowded = (counts > 1).nonzero().flatten().tolist()
    if crowded:
        raise ValueError(
            f"Expected one driving face in every frame, got several in {name_images(crowded, faces.image_count)}: "
            "pick one with Select Faces."
        )
    if not len(faces):
        raise NoFaceError(
            f"Expected a driving face, got none in {faces.image_count} frames: lower the detector's threshold, or "
            "connect a video of a face."
        )
    return shown_rows(faces, missing)[0]
