"""Face restorers as ONNX files that users already own: GFPGAN, CodeFormer, RestoreFormer, GPEN and their like.

All take the restorers' aligned crop (``ffhq``), RGB in [-1, 1], (1, 3, S, S), and give one of that shape; CodeFormer's
also takes how true to the input it is to stay, a single number. Wang et al., GFP-GAN, CVPR 2021,
https://arxiv.org/abs/2101.04061; Zhou et al., CodeFormer, NeurIPS 2022, https://arxiv.org/abs/2206.11253.
Weights: none are published here; a file is recognised by the shapes of its inputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .. import onnx
from ..geometry import align
from ..paste import CUT, Blend, paste
from ..types import Faces
from ..weights import OnnxSystem, UnsupportedCheckpointError

TEMPLATE, SIZE = "ffhq", 512  # pixels, square, where the file leaves the side free
FEATHER = 0.08  # of the crop's side


class Restorer(nn.Module):
    """Raises UnsupportedCheckpointError for a graph that takes no aligned crop."""

    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.model = model
        picture, *others = model.sockets
        shape = picture.shape or ()
        sides = {side for side in shape[2:] if side}
        single = all(socket.shape is not None and all(n in (1, None) for n in socket.shape) for socket in others)
        if len(shape) != 4 or shape[1] != 3 or len(sides) > 1 or len(others) > 1 or not single:
            inputs = ", ".join(f"{socket.name} {socket.shape}" for socket in model.sockets)
            raise UnsupportedCheckpointError(
                f"Expected a face restorer, which takes pictures of (1, 3, S, S) and at most one number, got {inputs}: "
                "choose an .onnx file of GFPGAN, CodeFormer, RestoreFormer or GPEN."
            )
        self.size = sides.pop() if sides else SIZE
        self.weight = [tuple(n or 1 for n in socket.shape or ()) for socket in others]

    def restore(
        self, image: Tensor, faces: Faces, strength: float = 1.0, fidelity: float = 0.7
    ) -> tuple[Tensor, Tensor]:
        """The images with every given face restored, and the restored crops.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images, with five points.
            strength: How much of the restored face is taken.
            fidelity: How true it stays to the input, where the file asks: 0 invents most, 1 least.

        Returns:
            (B, H, W, 3) and (N, S, S, 3).
        """
        crops, alignment = align(image, faces, TEMPLATE, self.size, CUT)
        restored = self.restore_crops(crops, fidelity)
        mask = image.new_full((1, self.size, self.size), strength)
        return paste(image, restored, alignment, mask, blend=Blend(FEATHER)), restored

    def restore_crops(self, crops: Tensor, fidelity: float = 0.7) -> Tensor:
        """(N, S, S, 3) aligned crops, restored, of the side they came in.

        Args:
            crops: (N, S, S, 3) RGB in [0, 1].
            fidelity: As for ``restore``.

        Raises:
            ValueError: The file gives something else than a picture.
        """
        side = crops.shape[1]
        given = [torch.full(shape, fidelity) for shape in self.weight]
        results = [crops[:0]]
        for crop in crops.movedim(-1, 1)[:, None]:
            picture = next(iter(self.model(_resized(crop, self.size) * 2 - 1, *given).values()))
            if picture.ndim != 4 or picture.shape[1] != 3:
                raise ValueError(f"Expected a picture from the restorer, got {tuple(picture.shape)}: choose another.")
            results.append(_resized((picture / 2 + 0.5).clamp(0, 1), side).movedim(1, -1))
        return torch.cat(results)


def _resized(pictures: Tensor, side: int) -> Tensor:
    if pictures.shape[-1] == side:
        return pictures
    return interpolate(pictures, (side, side), mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)


SYSTEM = OnnxSystem(name="restorer", keys=(), network=Restorer)
