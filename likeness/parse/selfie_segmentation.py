"""MediaPipe's selfie segmentation: who is in the picture, as one soft mask over all of it.

https://github.com/google-ai-edge/mediapipe/blob/master/docs/solutions/selfie_segmentation.md (general model)
Weights: selfie_segmentation of MediaPipe 0.10.21 (Apache-2.0), as ONNX; see models_manifest/starter/NOTICE.
Input as mediapipe/modules/selfie_segmentation/selfie_segmentation_cpu.pbtxt cuts it: the whole picture, stretched to
256 x 256. It was made for one or two people near the camera; it does not tell them apart.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .. import onnx
from ..types import Alignment, Faces, ParsingMap
from ..weights import OnnxSystem
from .regions import smooth

SIDE = 256  # pixels; the published graph's input
HOLE = 0.005  # of the picture: a smaller gap inside a person is no background


class SelfieSegmentation(nn.Module):
    needs_faces = False

    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.model = model

    def parse(self, image: Tensor, faces: Faces) -> ParsingMap:
        """The people in each image, as one row per image whatever faces were found.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: Not needed.
        """
        height, width = image.shape[1:3]
        x = interpolate(image.movedim(-1, 1), (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        found = [self.model(one.movedim(0, -1)[None].contiguous())["activation_10"][..., 0] for one in x]
        # The network leaves a chequered pattern of two pixels where it is unsure.
        person = close_holes(smooth(torch.cat([torch.zeros(0, SIDE, SIDE), *found])))
        scale = torch.tensor([SIDE / width, SIDE / height])
        matrix = torch.cat([scale.diag(), (scale / 2 - 0.5)[:, None]], -1).expand(len(image), 2, 3)
        pictures = whole_pictures(image)
        return ParsingMap(
            pictures,
            Alignment(pictures, matrix, "picture", SIDE),
            ("background", "person"),
            (person > 0.5).to(torch.uint8),
            torch.stack([1 - person, person], 1),
        )


def whole_pictures(image: Tensor) -> Faces:
    """A row per image of a (B, H, W, C) batch that stands for all of it, without points."""
    count, (height, width) = len(image), image.shape[1:3]
    box = torch.tensor([[-0.5, -0.5, width - 0.5, height - 0.5]]).expand(count, 4)
    number = torch.zeros(count, dtype=torch.int64)
    return Faces((height, width), count, number, torch.arange(count), box, torch.ones(count))


def close_holes(mask: Tensor) -> Tensor:
    """(B, S, S) with small gaps inside a person taken for person."""
    closed = mask.clone()
    for one in closed:
        gaps, count = ndimage.label((one < 0.5).numpy())
        border = np.concatenate([gaps[0], gaps[-1], gaps[:, 0], gaps[:, -1]])
        sizes = np.bincount(gaps.ravel(), minlength=count + 1)
        small = (sizes < HOLE * gaps.size) & ~np.isin(np.arange(count + 1), border)
        small[0] = False  # the person
        one[torch.from_numpy(small[gaps])] = 1
    return closed


SYSTEM = OnnxSystem(name="selfie_segmentation", keys=("activation_10",), network=SelfieSegmentation)
