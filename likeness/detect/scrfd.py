"""SCRFD: InsightFace's face detector with five points, for faces of all sizes.

Sample and Computation Redistribution for Efficient Face Detection, ICLR 2022. https://arxiv.org/abs/2105.04714
Weights: det_10g.onnx of buffalo_l, which is scrfd_10g_bnkps.onnx of antelopev2; for non-commercial research only.
Decoding: python-package/insightface/model_zoo/scrfd.py of deepinsight/insightface (MIT). Where a picture is searched at
its own size both give the same numbers. Where it is resized ours is smoothed first, and pixel centres stay centres.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import nms

from .. import onnx
from ..types import Faces
from ..value import cat
from ..weights import OnnxSystem
from .yunet import resize

SIZE = 640  # pixels; the longer side of what the network sees
STRIDES = (8, 16, 32)
ANCHORS = 2  # a cell
IOU = 0.4


class SCRFD(nn.Module):
    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.model = model

    def detect(self, image: Tensor, threshold: float = 0.5, size: int = SIZE) -> Faces:
        """The faces of each image, the surest first.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            threshold: The least score, in [0, 1].
            size: The longer side that images are resized to first, pixels: a larger one finds smaller faces, and takes
                longer.
        """
        image_size = (image.shape[1], image.shape[2])
        if not len(image):
            return Faces.empty(image_size)
        x, ratio = resize(image, size)
        x = (x * 255 - 127.5) / 128
        # One by one: the published graph is of a single picture.
        parts = [self._faces(tuple(self.model(one[None]).values()), one.shape[1:], threshold, ratio) for one in x]
        return cat([Faces(image_size, 1, *part) for part in parts])

    @staticmethod
    def _faces(out: Sequence[Tensor], size: Sequence[int], threshold: float, ratio: Tensor) -> tuple[Tensor, ...]:
        """Id, image index, box, score and points of the faces of one image, in its pixels."""
        score, box, points = decode(out, size, threshold)
        box, points = (box + 0.5) * ratio.repeat(2) - 0.5, (points + 0.5) * ratio - 0.5
        keep = pick(box, score)
        count = len(keep)
        return torch.arange(count), torch.zeros(count, dtype=torch.int64), box[keep], score[keep], points[keep]


def decode(out: Sequence[Tensor], size: Sequence[int], threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """(K,) scores, (K, 4) boxes and (K, 5, 2) points of the anchors that are sure, in pixels of the network's input.

    Args:
        out: What the graph gives of one image: scores, boxes, points, each by stride.
        size: Height and width of the network's input, pixels.
        threshold: The least score.
    """
    scores, boxes, points = [], [], []
    for level, stride in enumerate(STRIDES):
        score, box, kps = (part.reshape(-1, n) for part, n in zip(out[level :: len(STRIDES)], (1, 4, 10), strict=True))
        # Few anchors are sure: all else is worked out for them alone.
        sure = (score[:, 0] >= threshold).nonzero().flatten()
        cell = sure // ANCHORS
        columns = size[1] // stride
        centre = torch.stack([cell % columns, cell // columns], 1).float()
        corners = box[sure].reshape(-1, 2, 2) * torch.tensor([[-1.0], [1.0]])
        scores.append(score[sure, 0])
        boxes.append((centre[:, None] + corners).flatten(1) * stride)
        points.append((centre[:, None] + kps[sure].reshape(-1, 5, 2)) * stride)
    return torch.cat(scores), torch.cat(boxes), torch.cat(points)


def pick(box: Tensor, score: Tensor) -> Tensor:
    """The boxes that hold a face of their own, the surest first; both ends of a side count."""
    return nms(box + torch.tensor([0.0, 0, 1, 1]), score, IOU)


SYSTEM = OnnxSystem(
    name="scrfd",
    keys=("input.1", "bbox_head.stride_cls.(8, 8).weight", "bbox_head.stride_kps.(8, 8).weight"),
    network=SCRFD,
    dynamic=("input.1",),
)
