"""YuNet: a tiny face detector with five points.

YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence Research 2023.
https://doi.org/10.1007/s11633-023-1423-y
Weights: face_detection_yunet_2023mar.onnx of the OpenCV Zoo (MIT).
Decoding: modules/objdetect/src/face_detect.cpp of OpenCV.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad
from torchvision.ops import nms

from .. import onnx
from ..types import Faces
from ..weights import OnnxSystem

SIZE = 640  # pixels; the longer side of what the network sees
STRIDES = (8, 16, 32)
PARTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}  # the graph's outputs for each stride, and how many numbers a cell
STEP = 32  # pixels; both sides are multiples of it
IOU = 0.3


class YuNet(nn.Module):
    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.model = model

    def detect(self, image: Tensor, threshold: float = 0.7, size: int = SIZE) -> Faces:
        """The faces of each image, the surest first.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            threshold: The least score, in [0, 1].
            size: The longer side that images are resized to first, pixels. Faces of about 10 to 400 of these are
                found: a larger size finds smaller faces, misses larger ones, and takes longer.
        """
        image_size = (image.shape[1], image.shape[2])
        if not len(image):
            return Faces.empty(image_size)
        x, ratio = resize(image, size)
        # One by one on the CPU: at 640 a picture takes 46 ms alone and 55 in a batch of 16.
        together = 1 if self.model.device.type == "cpu" else len(x)
        bgr = torch.split(x.flip(1) * 255, together)
        parts = [decode(self.model(part), len(part), x.shape[2:]) for part in bgr]
        score, box, points = (torch.cat(column) for column in zip(*parts, strict=True))
        rows = [_pick(*one, threshold) for one in zip(score, box, strict=True)]
        counts = torch.tensor([len(row) for row in rows])
        image_index = torch.arange(len(image)).repeat_interleave(counts)
        kept = torch.cat(rows)
        return Faces(
            image_size,
            len(image),
            id=torch.cat([torch.arange(len(row)) for row in rows]),
            image_index=image_index,
            bbox=(box[image_index, kept] + 0.5) * ratio.repeat(2) - 0.5,
            score=score[image_index, kept],
            kps=(points[image_index, kept] + 0.5) * ratio - 0.5,
        )


def resize(image: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(B, 3, h, w) images with sides of whole steps, black right and below, and how much larger (x, y) they were."""
    height, width = image.shape[1:3]
    scale = size / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    # What grows needs no antialiasing, which would give the same and take three times as long.
    resized = interpolate(image.movedim(-1, 1), (h, w), mode="bilinear", antialias=scale < 1, align_corners=False)
    return pad(resized, (0, -w % STEP, 0, -h % STEP)), torch.tensor([width / w, height / h])


def decode(out: dict[str, Tensor], count: int, size: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """(B, K) scores, (B, K, 4) boxes and (B, K, 5, 2) points of all cells, in pixels of the network's input.

    Args:
        out: What the graph gives; it lays the images of a batch out one after the other.
        count: B, the images in the batch.
        size: Height and width of the network's input, pixels.
    """
    scores, boxes, points = [], [], []
    for stride in STRIDES:
        cls, obj, box, kps = (out[f"{kind}_{stride}"].reshape(count, -1, n) for kind, n in PARTS.items())
        rows, columns = torch.arange(size[0] // stride), torch.arange(size[1] // stride)
        cell = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).reshape(-1, 2)
        centre, half = (cell + box[..., :2]) * stride, box[..., 2:].exp() * stride / 2
        scores.append((cls * obj)[..., 0].clamp(0, 1).sqrt())
        boxes.append(torch.cat([centre - half, centre + half], -1))
        points.append((kps.reshape(count, -1, 5, 2) + cell[:, None]) * stride)
    return torch.cat(scores, 1), torch.cat(boxes, 1), torch.cat(points, 1)


def _pick(score: Tensor, box: Tensor, threshold: float) -> Tensor:
    """The cells of one image that hold a face, the surest first."""
    sure = (score > threshold).nonzero().flatten()
    return sure[nms(box[sure], score[sure], IOU)]


SYSTEM = OnnxSystem("yunet", ("cls_8", "obj_32", "bbox_16", "kps_32"), YuNet, dynamic=("input",))
