"""How sharp a face is, whatever its size in the picture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from .geometry import FREE, align
from .types import Faces

SIDE = 128  # pixels of the square in which all faces are judged; a smaller face is blurred by being enlarged
LUMA = torch.tensor([0.299, 0.587, 0.114])
FLAT = 1e-3  # deviation of a picture without contrast


def sharpness(image: Tensor, faces: Faces) -> Tensor:
    """(N,) how much fine detail each face has against its contrast; under 0.05 is blurred, over 0.15 sharp.

    It is the deviation of the Laplacian over the deviation of the brightness, in the face's box brought to one size.
    Grain counts as detail. Source of the measure: Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy,
    2000 (the variance of the Laplacian).

    Args:
        image: (B, H, W, C) in [0, 1].
        faces: The faces in these images.

    Raises:
        ValueError: The faces belong to other images.
    """
    squares, _ = align(image[..., :3].float(), faces, FREE, SIDE, padding="edge")
    grey = (squares @ LUMA)[:, None]
    around = 9 * avg_pool2d(grey, 3, 1)
    rough = grey[..., 1:-1, 1:-1] - (around - grey[..., 1:-1, 1:-1]) / 8
    return rough.flatten(1).std(1) / grey.flatten(1).std(1).clamp(min=FLAT)
