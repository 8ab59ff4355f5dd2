"""YuNet: a tiny face detector with five points.

YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence Research 2023.
https://doi.org/10.1007/s11633-023-1423-y
Weights: face_detection_yunet_2023mar.onnx of the OpenCV Zoo (MIT).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad
from torchvision.ops import nms

from .. import onnx
from ..types import Faces
from ..value import cat
from ..weights import OnnxSystem

SIDE = 640  # pixels; the published graph's input
STRIDES = (8, 16, 32)
IOU = 0.3


class YuNet(nn.Module):
    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.model = model

    def detect(self, image: Tensor, threshold: float = 0.7) -> Faces:
        """The faces of each image, the surest first.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            threshold: The least score, in [0, 1].
        """
        height, width = image.shape[1:3]
        scale = SIDE / max(height, width)
        size = [max(1, round(height * scale)), max(1, round(width * scale))]
        small = interpolate(image.movedim(-1, 1), size, mode="bilinear", antialias=True, align_corners=False)
        x = pad(small, (0, SIDE - size[1], 0, SIDE - size[0])).flip(1) * 255  # BGR
        found = [self._decode(self.model(one[None]), threshold) for one in x]
        empty = Faces.empty((height, width))
        return cat([self._rescale(rows, width / size[1], height / size[0], empty) for rows in found], empty=empty)

    def _decode(self, out: dict[str, Tensor], threshold: float) -> tuple[Tensor, Tensor, Tensor]:
        boxes, points, scores = [], [], []
        for stride in STRIDES:
            score = (out[f"cls_{stride}"] * out[f"obj_{stride}"]).clamp(0, 1).sqrt()[0, :, 0]
            side = SIDE // stride
            cell = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="xy"), -1).reshape(-1, 2)
            keep = score > threshold
            cell, box, kps = cell[keep], out[f"bbox_{stride}"][0, keep], out[f"kps_{stride}"][0, keep]
            centre, half = (cell + box[:, :2]) * stride, box[:, 2:].exp() * stride / 2
            boxes.append(torch.cat([centre - half, centre + half], -1))
            points.append((kps.reshape(-1, 5, 2) + cell[:, None]) * stride)
            scores.append(score[keep])
        bbox, kps, score = torch.cat(boxes), torch.cat(points), torch.cat(scores)
        kept = nms(bbox, score, IOU)
        return bbox[kept], kps[kept], score[kept]

    @staticmethod
    def _rescale(rows: tuple[Tensor, Tensor, Tensor], x: float, y: float, empty: Faces) -> Faces:
        bbox, kps, score = rows
        ratio = torch.tensor([x, y])
        count = len(bbox)
        return Faces(
            empty.image_size,
            1,
            id=torch.arange(count),
            image_index=torch.zeros(count, dtype=torch.int64),
            bbox=(bbox + 0.5) * ratio.repeat(2) - 0.5,
            score=score,
            kps=(kps + 0.5) * ratio - 0.5,
        )


SYSTEM = OnnxSystem(name="yunet", keys=("cls_8", "obj_32", "bbox_16", "kps_32"), network=YuNet)
