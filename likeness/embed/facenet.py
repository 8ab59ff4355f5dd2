"""FaceNet: an Inception-ResNet of 512 numbers per face, trained on other data and another way than ArcFace.

FaceNet: A Unified Embedding for Face Recognition and Clustering, CVPR 2015. https://arxiv.org/abs/1503.03832
Its authors published no weights. Network and weights: models/inception_resnet_v1.py of timesler/facenet-pytorch (MIT),
re-trained on VGGFace2 and on CASIA-WebFace. The threshold in the paper is that of another network.

It sees the face's box, stretched to a square as it is: no points are used, nothing is turned upright.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, normalize, relu

from ..fingerprint import fingerprint
from ..geometry import check_image
from ..types import Embeddings, Faces
from ..weights import StateDict, System, count
from .vectors import vectors

CROP_SIZE = 160  # pixels, square
EPS = 1e-3  # of BatchNorm, TensorFlow's


class Conv(nn.Module):
    """Convolution, BatchNorm, ReLU."""

    def __init__(
        self, width: int, out: int, kernel: int | tuple[int, int], stride: int = 1, pad: int | tuple[int, int] = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, out, kernel, stride, pad, bias=False)
        self.bn = nn.BatchNorm2d(out, EPS)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn(self.conv(x)))


class Residual(nn.Module):
    """Branches side by side, joined, scaled and added to what came in."""

    def __init__(self, branches: tuple[nn.Module, ...], joined: int, width: int, scale: float, last: bool) -> None:
        super().__init__()
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)
        self.conv2d = nn.Conv2d(joined, width, 1)
        self.count, self.scale, self.last = len(branches), scale, last

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.get_submodule(f"branch{number}")(x) for number in range(self.count)]
        x = self.conv2d(torch.cat(branches, 1)) * self.scale + x
        return x if self.last else relu(x)


class Reduction(nn.Module):
    """Branches that halve the side, and a pooled copy of what came in, side by side."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)
        self.count = len(branches)

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.get_submodule(f"branch{number}")(x) for number in range(self.count)]
        return torch.cat([*branches, max_pool2d(x, 3, 2)], 1)


def block35() -> Residual:
    short = nn.Sequential(Conv(256, 32, 1), Conv(32, 32, 3, pad=1))
    long = nn.Sequential(Conv(256, 32, 1), Conv(32, 32, 3, pad=1), Conv(32, 32, 3, pad=1))
    return Residual((Conv(256, 32, 1), short, long), 96, 256, 0.17, last=False)


def block17() -> Residual:
    long = nn.Sequential(Conv(896, 128, 1), Conv(128, 128, (1, 7), pad=(0, 3)), Conv(128, 128, (7, 1), pad=(3, 0)))
    return Residual((Conv(896, 128, 1), long), 256, 896, 0.1, last=False)


def block8(last: bool = False) -> Residual:
    long = nn.Sequential(Conv(1792, 192, 1), Conv(192, 192, (1, 3), pad=(0, 1)), Conv(192, 192, (3, 1), pad=(1, 0)))
    return Residual((Conv(1792, 192, 1), long), 384, 1792, 1.0 if last else 0.2, last)


class InceptionResnet(nn.Module):
    """(N, 3, 160, 160) RGB, its bytes less 127.5 by 128, to (N, D) vectors of length 1."""

    def __init__(self, depths: tuple[int, ...], size: int) -> None:
        super().__init__()
        self.conv2d_1a = Conv(3, 32, 3, 2)
        self.conv2d_2a = Conv(32, 32, 3)
        self.conv2d_2b = Conv(32, 64, 3, pad=1)
        self.conv2d_3b = Conv(64, 80, 1)
        self.conv2d_4a = Conv(80, 192, 3)
        self.conv2d_4b = Conv(192, 256, 3, 2)
        self.repeat_1 = nn.Sequential(*(block35() for _ in range(depths[0])))
        self.mixed_6a = Reduction(
            Conv(256, 384, 3, 2), nn.Sequential(Conv(256, 192, 1), Conv(192, 192, 3, pad=1), Conv(192, 256, 3, 2))
        )
        self.repeat_2 = nn.Sequential(*(block17() for _ in range(depths[1])))
        self.mixed_7a = Reduction(
            nn.Sequential(Conv(896, 256, 1), Conv(256, 384, 3, 2)),
            nn.Sequential(Conv(896, 256, 1), Conv(256, 256, 3, 2)),
            nn.Sequential(Conv(896, 256, 1), Conv(256, 256, 3, pad=1), Conv(256, 256, 3, 2)),
        )
        self.repeat_3 = nn.Sequential(*(block8() for _ in range(depths[2])))
        self.block8 = block8(last=True)
        self.last_linear = nn.Linear(1792, size, bias=False)
        self.last_bn = nn.BatchNorm1d(size, EPS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))
        x = self.conv2d_4b(self.conv2d_4a(self.conv2d_3b(max_pool2d(x, 3, 2))))
        x = self.mixed_6a(self.repeat_1(x))
        x = self.mixed_7a(self.repeat_2(x))
        x = self.block8(self.repeat_3(x))
        return normalize(self.last_bn(self.last_linear(x.mean((2, 3)))))

    @cached_property
    def space(self) -> str:
        """The name of these weights, by their values."""
        return f"facenet-{fingerprint(self.state_dict())}"

    def embed(self, image: Tensor, faces: Faces) -> Embeddings:
        """One identity vector per face.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.
        """
        x = crop(image, faces).to(self.last_linear.weight)
        return Embeddings(faces, self.space, vectors(self, x, self.last_linear.out_features))


def crop(image: Tensor, faces: Faces) -> Tensor:
    """(N, 3, 160, 160) what the network sees of each face: its box in whole pixels, as Pillow's bilinear resizes it.

    Source: facenet-pytorch, models/utils/detect_face.py, extract_face with its default margin of 0.

    Raises:
        ValueError: The faces belong to other images, or a box lies outside its own.
    """
    check_image(image, faces)
    height, width = faces.image_size
    squares = [image.new_zeros(0, 3, CROP_SIZE, CROP_SIZE)]
    for index, box in zip(faces.image_index.tolist(), faces.bbox.tolist(), strict=True):
        x1, y1, x2, y2 = int(max(box[0], 0)), int(max(box[1], 0)), int(min(box[2], width)), int(min(box[3], height))
        if x1 >= x2 or y1 >= y2:
            corners = ", ".join(f"{number:.0f}" for number in box)
            raise ValueError(
                f"Expected a box of at least a pixel inside the picture of {width} x {height}, got {corners} in image "
                f"{index + 1}: take such faces away with Select Faces."
            )
        region = image[index, y1:y2, x1:x2].movedim(-1, 0)[None]
        size = (CROP_SIZE, CROP_SIZE)
        squares.append(interpolate(region, size, mode="bilinear", antialias=True, align_corners=False))
    return (torch.cat(squares) * 255 - 127.5) / 128


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes."""
    return {
        "depths": tuple(count(state_dict, f"repeat_{number}") for number in (1, 2, 3)),
        "size": state_dict["last_linear.weight"].shape[0],
    }


SYSTEM = System(
    name="facenet",
    keys=("mixed_7a.branch2.0.conv.weight", "last_linear.weight", "last_bn.running_mean"),
    hparams=hparams,
    network=InceptionResnet,
    unused=("logits.",),
)
