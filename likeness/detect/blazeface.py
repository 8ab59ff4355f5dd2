"""BlazeFace, short range: a very fast detector of faces near the camera.

BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs, 2019. https://arxiv.org/abs/1907.05047
Weights: face_detection_short_range of MediaPipe 0.10.21 (Apache-2.0), as ONNX; see models_manifest/starter/NOTICE.
Numbers and pipeline: mediapipe/modules/face_detection/face_detection.pbtxt and face_detection_short_range.pbtxt.

The network sees the whole picture at 128 x 128 pixels: a face below about a tenth of its longer side is missed.
It gives both eyes, the tip of the nose, the middle of the mouth and both ears. Of our five points the first three are
its own; the mouth corners are derived: from the middle of the mouth along the line of the eyes, as far apart as on
ArcFace's template face. They carry the head's roll and the mouth's place, not its width: align with them, and take
landmarks where a smile matters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad
from torchvision.ops import box_iou

from .. import onnx
from ..geometry import TEMPLATES
from ..types import Faces
from ..value import cat
from ..weights import OnnxSystem

SIDE = 128  # pixels; the published graph's input
ANCHORS = ((8, 2), (16, 6))  # stride and anchors a cell; the three layers of stride 16 are laid out as one
IOU = 0.3
POINTS = 6


class BlazeFace(nn.Module):
    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.model = model

    def detect(self, image: Tensor, threshold: float = 0.5, size: int = SIDE) -> Faces:
        """The faces of each image, the surest first.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            threshold: The least score, in [0, 1].
            size: Makes no difference here: the network sees 128 pixels and no other number.
        """
        height, width = image.shape[1:3]
        x, offset, scale = letterbox(image)
        found = [self._decode(self.model(one[None]), threshold) for one in x]
        parts = [_faces(box, points, score, offset, scale, (height, width)) for box, points, score in found]
        return cat(parts, empty=Faces.empty((height, width)))

    @staticmethod
    def _decode(out: dict[str, Tensor], threshold: float) -> tuple[Tensor, Tensor, Tensor]:
        score = out["classificators"][0, :, 0].sigmoid()
        keep = score > threshold
        values = out["regressors"][0, keep].reshape(-1, 2 + POINTS, 2)  # centre, size, points
        anchor = anchors()[keep]
        centre, half = values[:, 0] + anchor, values[:, 1] / 2
        return weighted_nms(torch.cat([centre - half, centre + half], -1), values[:, 2:] + anchor[:, None], score[keep])


def letterbox(image: Tensor) -> tuple[Tensor, Tensor, float]:
    """(B, 128, 128, 3) in [-1, 1], the pictures in the middle of black; where they begin, and their scale."""
    height, width = image.shape[1:3]
    scale = SIDE / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    small = interpolate(image.movedim(-1, 1), (h, w), mode="bilinear", antialias=True, align_corners=False)
    left, top = (SIDE - w) // 2, (SIDE - h) // 2
    x = pad(small * 2 - 1, (left, SIDE - w - left, top, SIDE - h - top), value=-1)
    return x.movedim(1, -1).contiguous(), torch.tensor([left, top]), scale


def anchors() -> Tensor:
    """(896, 2) the points that the network's numbers are relative to, pixels of its input, corner at 0."""
    centres = []
    for stride, count in ANCHORS:
        cells = (torch.arange(SIDE // stride) + 0.5) * stride
        grid = torch.stack(torch.meshgrid(cells, cells, indexing="xy"), -1).reshape(-1, 2)
        centres.append(grid.repeat_interleave(count, 0))
    return torch.cat(centres)


def weighted_nms(bbox: Tensor, points: Tensor, score: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, points and scores of the faces: of boxes that overlap, the mean weighted by score, and the best score.

    Source: mediapipe, calculators/util/non_max_suppression_calculator.cc, WEIGHTED.

    Args:
        bbox: (K, 4) xyxy.
        points: (K, P, 2).
        score: (K,) in [0, 1].
    """
    order = score.argsort(descending=True)
    values, score = torch.cat([bbox, points.flatten(1)], -1)[order], score[order]
    overlap = box_iou(bbox[order], bbox[order]) > IOU
    means, best, left = [], [], torch.ones(len(order), dtype=torch.bool)
    while left.any():
        first = int(left.int().argmax())
        group = left & overlap[first]
        group[first] = True  # a box without area overlaps nothing, not even itself
        means.append((values[group] * score[group, None]).sum(0) / score[group].sum())
        best.append(score[first])
        left = left & ~group
    joined = torch.stack(means) if means else values
    return joined[:, :4], joined[:, 4:].reshape(-1, points.shape[1], 2), torch.stack(best) if best else score


def five_points(points: Tensor) -> Tensor:
    """(N, 5, 2) ours from (N, 6, 2) BlazeFace's, whose first is the image-left eye; the mouth corners are derived."""
    left_eye, right_eye, nose, mouth = points[:, :4].unbind(1)
    template = TEMPLATES["arcface112"]
    half = (right_eye - left_eye) * (template[4] - template[3]).norm() / (template[1] - template[0]).norm() / 2
    return torch.stack([left_eye, right_eye, nose, mouth - half, mouth + half], 1)


def _faces(bbox: Tensor, points: Tensor, score: Tensor, offset: Tensor, scale: float, size: tuple[int, int]) -> Faces:
    """The faces of one image, in its pixels."""
    count = len(bbox)
    return Faces(
        size,
        1,
        id=torch.arange(count),
        image_index=torch.zeros(count, dtype=torch.int64),
        bbox=(bbox - offset.repeat(2)) / scale - 0.5,
        score=score,
        kps=(five_points(points) - offset) / scale - 0.5,
    )


SYSTEM = OnnxSystem(name="blazeface", keys=("regressors", "classificators"), network=BlazeFace)
