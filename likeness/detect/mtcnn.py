"""MTCNN: three small networks, each looking at what the one before it let through; five points.

Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks, 2016.
https://arxiv.org/abs/1604.02878
Networks, weights and pipeline: timesler/facenet-pytorch (MIT), models/mtcnn.py and models/utils/detect_face.py. Its
boxes are kept to the number, for FaceNet cuts by them; they count pixels from 1, our points from 0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d
from torchvision.ops import nms

from ..types import Faces
from ..value import cat
from ..weights import StateDict, System

SMALLEST = 20  # pixels, of the picture as it is searched
CELL, STRIDE = 12, 2  # pixels that the first network sees of a face, and how far apart it looks
FACTOR = 0.709  # of one scale to the next
SURE = (0.6, 0.7)  # the least score after the first and the second network
BATCH = 512  # boxes at once


class Layers(nn.Module):
    """Convolutions with PReLU after each and pooling after some, named as published."""

    def __init__(self, widths: tuple[int, ...], kernels: tuple[int, ...]) -> None:
        super().__init__()
        for number, (width, out, kernel) in enumerate(zip((3, *widths), widths, kernels, strict=False), 1):
            self.add_module(f"conv{number}", nn.Conv2d(width, out, kernel))
            self.add_module(f"prelu{number}", nn.PReLU(out))

    def convolve(self, x: Tensor, pools: tuple[int, ...]) -> Tensor:
        """Features; ``pools`` are the sides of the windows, 0 where there is none."""
        for number, pool in enumerate(pools, 1):
            x = self.get_submodule(f"prelu{number}")(self.get_submodule(f"conv{number}")(x))
            x = max_pool2d(x, pool, 2, ceil_mode=True) if pool else x
        return x


class PNet(Layers):
    """(B, 3, H, W) to (B, h, w) scores and (B, 4, h, w) how far the box of each cell is to be moved."""

    def __init__(self) -> None:
        super().__init__((10, 16, 32), (3, 3, 3))
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.convolve(x, (2, 0, 0))
        return self.conv4_1(x).softmax(1)[:, 1], self.conv4_2(x)


class RNet(Layers):
    """(K, 3, 24, 24) to (K,) scores and (K, 4) how far the boxes are to be moved."""

    SIDE = 24

    def __init__(self) -> None:
        super().__init__((28, 48, 64), (3, 3, 2))
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.convolve(x, (3, 3, 0)).permute(0, 3, 2, 1).flatten(1)  # Caffe's order of the axes
        x = self.prelu4(self.dense4(x))
        return self.dense5_1(x).softmax(1)[:, 1], self.dense5_2(x)


class ONet(Layers):
    """(K, 3, 48, 48) to (K,) scores, (K, 4) how far the boxes are to be moved, and (K, 10) points: x, then y."""

    SIDE = 48

    def __init__(self) -> None:
        super().__init__((32, 64, 64, 128), (3, 3, 3, 2))
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.convolve(x, (3, 3, 2, 0)).permute(0, 3, 2, 1).flatten(1)
        x = self.prelu5(self.dense5(x))
        return self.dense6_1(x).softmax(1)[:, 1], self.dense6_2(x), self.dense6_3(x)


class MTCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pnet, self.rnet, self.onet = PNet(), RNet(), ONet()

    def detect(self, image: Tensor, threshold: float = 0.7, size: int = 640) -> Faces:
        """The faces of each image, the surest first.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            threshold: The least score after the third network, in [0, 1].
            size: Where an image is larger, its faces have to be larger too: 20 pixels when its longer side is this.
        """
        image_size = (image.shape[1], image.shape[2])
        smallest = SMALLEST * max(1.0, max(image_size) / size)
        parts = [self._faces(one, threshold, smallest) for one in image]
        return cat(parts, empty=Faces.empty(image_size))

    def _faces(self, image: Tensor, threshold: float, smallest: float) -> Faces:
        picture = ((image.movedim(-1, 0)[None] * 255 - 127.5) / 128).to(self.pnet.conv4_1.weight)
        box = square(self._propose(picture, smallest))
        box, score, offset = self._look(self.rnet, picture, box, SURE[1])
        keep = nms(box, score, 0.7)
        box = square(move(box[keep], offset[keep]))
        box, score, offset, points = self._look(self.onet, picture, box, threshold)
        kps = (box[:, 2:] - box[:, :2] + 1)[:, None] * points.reshape(-1, 2, 5).mT + box[:, None, :2] - 1
        box = move(box, offset)
        keep = nms_of_the_smaller(box, score, 0.7)
        index = torch.zeros(len(keep), dtype=torch.int64)
        size = (image.shape[0], image.shape[1])
        return Faces(size, 1, torch.arange(len(keep)), index, box[keep], score[keep], kps[keep])

    def _propose(self, picture: Tensor, smallest: float) -> Tensor:
        """(K, 4) the boxes that the first network lets through, at all scales."""
        height, width = picture.shape[2:]
        boxes, scores, offsets = [torch.zeros(0, 4)], [torch.zeros(0)], [torch.zeros(0, 4)]
        scale = CELL / smallest
        side = min(height, width) * scale
        while side >= CELL:
            # Source: detect_face; one pixel more than the scale gives, which moves every box.
            x = interpolate(picture, (int(height * scale + 1), int(width * scale + 1)), mode="area")
            score, offset = (part[0].float().cpu() for part in self.pnet(x))
            cell = (score >= SURE[0]).nonzero()
            score, offset = score[cell[:, 0], cell[:, 1]], offset[:, cell[:, 0], cell[:, 1]].T
            corner = cell.flip(1).float() * STRIDE
            box = torch.cat([((corner + 1) / scale).floor(), ((corner + CELL) / scale).floor()], 1)
            keep = nms(box, score, 0.5)
            for parts, part in ((boxes, box), (scores, score), (offsets, offset)):
                parts.append(part[keep])
            scale, side = scale * FACTOR, side * FACTOR
        box, score, offset = torch.cat(boxes), torch.cat(scores), torch.cat(offsets)
        keep = nms(box, score, 0.7)
        return move(box[keep], offset[keep], 0)

    @staticmethod
    def _look(network: RNet | ONet, picture: Tensor, box: Tensor, least: float) -> list[Tensor]:
        """The boxes that a network lets through, its score of each, and what else it gives."""
        height, width = picture.shape[2:]
        whole = box.trunc().long()
        corner, end = whole[:, :2].clamp(min=1) - 1, torch.minimum(whole[:, 2:], torch.tensor([width, height]))
        inside = (end > corner).all(1)
        rows = torch.cat([corner, end], 1)[inside].tolist()
        side = (network.SIDE, network.SIDE)
        crops = [interpolate(picture[:, :, y1:y2, x1:x2], side, mode="area") for x1, y1, x2, y2 in rows]
        batch = torch.cat([picture.new_zeros(0, 3, *side), *crops])
        runs = [network(part) for part in torch.split(batch, BATCH)]
        score, *others = (torch.cat(column).float().cpu() for column in zip(*runs, strict=True))
        sure = score > least
        return [part[sure] for part in (box[inside], score, *others)]


def move(box: Tensor, offset: Tensor, ends: int = 1) -> Tensor:
    """(K, 4) boxes whose corners are moved by parts of their sides, in which both ends may count."""
    return box + offset * (box[:, 2:] - box[:, :2] + ends).repeat(1, 2)


def square(box: Tensor) -> Tensor:
    """(K, 4) boxes as squares about the same centres, of the longer side."""
    size = box[:, 2:] - box[:, :2]
    side = size.amax(1, keepdim=True)
    corner = box[:, :2] + size * 0.5 - side * 0.5
    return torch.cat([corner, corner + side], 1)


def nms_of_the_smaller(box: Tensor, score: Tensor, limit: float) -> Tensor:
    """The rows left, the surest first, when of two the less sure goes if they share that part of the smaller one."""
    size = box[:, 2:] - box[:, :2] + 1
    area = size.prod(1)
    shared = torch.minimum(box[:, None, 2:], box[None, :, 2:]) - torch.maximum(box[:, None, :2], box[None, :, :2]) + 1
    part = shared.clamp(min=0).prod(2) / torch.minimum(area[:, None], area[None])
    left = score.argsort(descending=True)
    kept = [torch.zeros(0, dtype=torch.int64)]
    while len(left):
        kept.append(left[:1])
        left = left[1:][part[left[0], left[1:]] <= limit]
    return torch.cat(kept)


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """Nothing: all its files are of one size."""
    return {}


SYSTEM = System(
    name="mtcnn",
    keys=("pnet.conv4_2.weight", "rnet.dense5_2.weight", "onet.dense6_3.weight"),
    hparams=hparams,
    network=MTCNN,
)
