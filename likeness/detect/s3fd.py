"""S3FD: a strong detector of small faces; the one whose boxes FAN was made for. It gives no five points.

S3FD: Single Shot Scale-invariant Face Detector, ICCV 2017. https://arxiv.org/abs/1708.05237
Weights: s3fd-619a316812.pth of face-alignment (code BSD-3-Clause; the weights' own terms are not stated).

A VGG-16 whose six stages each look for faces of one size, four strides a side. Pictures go in as they are, in BGR with
a mean taken off, so the time grows with them; ``size`` bounds it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, relu

from ..types import Faces
from ..value import cat
from ..weights import StateDict, System

SIZE = 640  # pixels; the longer side of what the network sees
MEAN = (123.0, 117.0, 104.0)  # of red, green and blue in [0, 255]
STRIDES = (4, 8, 16, 32, 64, 128)
ANCHOR = 4  # strides a side
VARIANCES = (0.1, 0.2)  # of a box's place and of its size
IOU = 0.3
SMALLEST = 32  # pixels a side; a smaller picture goes on in black, or the last stage would have nothing to see
STAGES = ("conv3_3_norm", "conv4_3_norm", "conv5_3_norm", "fc7", "conv6_2", "conv7_2")


class L2Norm(nn.Module):
    """Every pixel's channels brought to unit length, then weighted."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) * self.weight[:, None, None]


class S3FD(nn.Module):
    """(B, 3, H, W) BGR less its mean to six pairs of maps: (B, 2, h, w) logits of none and face, (B, 4, h, w) boxes."""

    def __init__(self) -> None:
        super().__init__()
        before = 3
        for stage, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
            for number in range(1, depth + 1):
                setattr(self, f"conv{stage}_{number}", nn.Conv2d(before, width, 3, padding=1))
                before = width
        self.fc6, self.fc7 = nn.Conv2d(512, 1024, 3, padding=3), nn.Conv2d(1024, 1024, 1)
        self.conv6_1, self.conv6_2 = nn.Conv2d(1024, 256, 1), nn.Conv2d(256, 512, 3, 2, 1)
        self.conv7_1, self.conv7_2 = nn.Conv2d(512, 128, 1), nn.Conv2d(128, 256, 3, 2, 1)
        for name, width in zip(STAGES, (256, 512, 512, 1024, 512, 256), strict=True):
            if name.endswith("norm"):
                setattr(self, name, L2Norm(width))
            classes = 4 if name == STAGES[0] else 2  # the finest stage has three kinds of background
            setattr(self, f"{name}_mbox_conf", nn.Conv2d(width, classes, 3, padding=1))
            setattr(self, f"{name}_mbox_loc", nn.Conv2d(width, 4, 3, padding=1))

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        seen = []
        for stage, depth in enumerate((2, 2, 3, 3, 3), 1):
            for number in range(1, depth + 1):
                x = self._step(f"conv{stage}_{number}", x)
            if stage >= 3:
                seen.append(getattr(self, f"conv{stage}_3_norm")(x))
            x = max_pool2d(x, 2)
        for first, second in (("fc6", "fc7"), ("conv6_1", "conv6_2"), ("conv7_1", "conv7_2")):
            x = self._step(second, self._step(first, x))
            seen.append(x)
        maps = []
        for name, features in zip(STAGES, seen, strict=True):
            score = getattr(self, f"{name}_mbox_conf")(features)
            score = torch.cat([score[:, :-1].amax(1, keepdim=True), score[:, -1:]], 1)
            maps.append((score, getattr(self, f"{name}_mbox_loc")(features)))
        return maps

    def _step(self, name: str, x: Tensor) -> Tensor:
        return relu(getattr(self, name)(x))

    def detect(self, image: Tensor, threshold: float = 0.5, size: int = SIZE) -> Faces:
        """The faces of each image, the surest first; without five points.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            threshold: The least score, in [0, 1].
            size: The longer side that larger images are shrunk to first, pixels; smaller ones are seen as they are.
        """
        height, width = image.shape[1:3]
        weight = next(self.parameters())
        parts = []
        for one in image:  # one by one: on a GPU a picture of this size fills it, too
            x, ratio = prepare(one, size)
            score, box = decode(self(x.to(weight)[None]))
            kept = nms(box, score, threshold)
            parts.append(_faces(box[kept] * ratio.repeat(2) - 0.5, score[kept], (height, width)))
        return cat(parts, empty=_faces(torch.zeros(0, 4), torch.zeros(0), (height, width), 0))


def prepare(image: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(3, h, w) BGR less the mean of an (H, W, 3) image, and how much larger (x, y) the image is."""
    height, width = image.shape[:2]
    scale = min(1.0, size / max(height, width))
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    x = image.movedim(-1, 0)
    if (h, w) != (height, width):
        x = interpolate(x[None], (h, w), mode="bilinear", antialias=True, align_corners=False)[0]
    canvas = x.new_zeros(3, max(h, SMALLEST), max(w, SMALLEST))
    canvas[:, :h, :w] = x
    return (canvas * 255 - canvas.new_tensor(MEAN)[:, None, None]).flip(0), torch.tensor([width / w, height / h])


def decode(maps: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """(K,) scores and (K, 4) boxes of all cells of one image, in its pixels with the corner at 0, on the CPU."""
    scores, boxes = [], []
    for stride, (score, box) in zip(STRIDES, maps, strict=True):
        logits, values = score[0].float().cpu(), box[0].float().cpu().flatten(1).T
        rows, columns = (torch.arange(count) * stride + stride / 2 for count in logits.shape[1:])
        cell = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).reshape(-1, 2)
        side = stride * ANCHOR
        centre = cell + values[:, :2] * (VARIANCES[0] * side)
        half = (values[:, 2:] * VARIANCES[1]).exp() * (side / 2)
        scores.append(logits.softmax(0)[1].flatten())
        boxes.append(torch.cat([centre - half, centre + half], -1))
    return torch.cat(scores), torch.cat(boxes)


def nms(box: Tensor, score: Tensor, threshold: float) -> Tensor:
    """Which of (K, 4) boxes are faces, the surest first: of those that overlap, the surest.

    Sides are counted a pixel longer than they are, as the authors do: it matters for the smallest faces.
    """
    sure = (score > threshold).nonzero().flatten()
    left = sure[score[sure].argsort(descending=True, stable=True)]
    kept = []
    while len(left):
        first, others = box[left[0]], box[left[1:]]
        kept.append(left[0])
        sides = torch.minimum(first[2:], others[:, 2:]) - torch.maximum(first[:2], others[:, :2]) + 1
        both = sides.clamp(min=0).prod(1)
        areas = (others[:, 2:] - others[:, :2] + 1).prod(1) + (first[2:] - first[:2] + 1).prod()
        left = left[1:][both / (areas - both) <= IOU]
    return torch.stack(kept) if kept else sure


def _faces(bbox: Tensor, score: Tensor, size: tuple[int, int], images: int = 1) -> Faces:
    """The faces of one image, in its pixels."""
    count = len(bbox)
    return Faces(size, images, torch.arange(count), torch.zeros(count, dtype=torch.int64), bbox, score)


def hparams(state_dict: StateDict) -> dict[str, object]:
    return {}


SYSTEM = System(name="s3fd", keys=("conv3_3_norm.weight", "fc7_mbox_loc.weight"), hparams=hparams, network=S3FD)
