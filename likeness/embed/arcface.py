"""ArcFace: InsightFace's residual networks, 512 numbers per face, compared by their cosine.

ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019. https://arxiv.org/abs/1801.07698
Network: recognition/arcface_torch/backbones/iresnet.py of deepinsight/insightface (MIT); 18 to 200 layers.
Weights: w600k_r50.onnx of buffalo_l, glintr100.onnx of antelopev2, arcface.onnx of Arc2Face, and the ``backbone.pth``
that the training writes; InsightFace's are for non-commercial research only. Nobody publishes a threshold with them.

All are told apart by their tensors and named by the values of these. In an ONNX file BatchNorm after a convolution has
been merged into it, so a network and its own export make two spaces.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from torch import Tensor, nn

from .. import onnx
from ..fingerprint import fingerprint
from ..geometry import align
from ..types import Embeddings, Faces
from ..weights import OnnxSystem, StateDict, System, count
from .vectors import BATCH, vectors

TEMPLATE, CROP_SIZE = "arcface112", 112  # pixels, square
SIZE = 512  # of a vector in the published graphs
STAGES = 4


class Block(nn.Module):
    """Two convolutions beside a shortcut; the second halves the side in the first block of a stage."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.prelu = nn.PReLU(out)
        self.conv2 = nn.Conv2d(out, out, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        shortcut = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.downsample = shortcut if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        deep = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.bn3(self.conv2(deep)) + shortcut


class IResNet(nn.Module):
    """(N, 3, 112, 112) RGB in [-1, 1] to (N, D) vectors of any length."""

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...], side: int, size: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.prelu = nn.PReLU(widths[0])
        for stage, depth in enumerate(depths, 1):
            first = Block(widths[stage - 1], widths[stage], 2)
            others = (Block(widths[stage], widths[stage], 1) for _ in range(depth - 1))
            self.add_module(f"layer{stage}", nn.Sequential(first, *others))
        self.bn2 = nn.BatchNorm2d(widths[-1])
        self.fc = nn.Linear(widths[-1] * side**2, size)
        self.features = nn.BatchNorm1d(size)

    def forward(self, x: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(x)))
        for stage in range(1, STAGES + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        return self.features(self.fc(self.bn2(x).flatten(1)))

    @cached_property
    def space(self) -> str:
        """The name of these weights, by their values."""
        return f"arcface-{fingerprint(self.state_dict())}"

    def embed(self, image: Tensor, faces: Faces) -> Embeddings:
        """One identity vector per face.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images, with five points.
        """
        x = crop(image, faces).to(self.conv1.weight)
        return Embeddings(faces, self.space, vectors(self, x, self.fc.out_features))


class IResNetGraph(nn.Module):
    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.model = model
        self.space = f"arcface-{model.fingerprint}"

    def embed(self, image: Tensor, faces: Faces) -> Embeddings:
        """One identity vector per face.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images, with five points.
        """
        shape = self.model.sockets[0].shape
        together = (shape and shape[0]) or BATCH  # an export may be fixed to one face at a time
        return Embeddings(faces, self.space, vectors(self._run, crop(image, faces), SIZE, together))

    def _run(self, x: Tensor) -> Tensor:
        return next(iter(self.model(x).values()))


def crop(image: Tensor, faces: Faces) -> Tensor:
    """(N, 3, 112, 112) RGB in [-1, 1], the faces on ArcFace's template; cut in float, nothing is rounded to bytes."""
    crops, _ = align(image, faces, TEMPLATE, CROP_SIZE)
    return crops.movedim(-1, 1) * 2 - 1  # (x - 127.5) / 127.5


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes."""
    size, wide = state_dict["fc.weight"].shape
    stages = [f"layer{stage}" for stage in range(1, STAGES + 1)]
    widths = [state_dict[name].shape[0] for name in ("conv1.weight", *(f"{stage}.0.conv1.weight" for stage in stages))]
    return {
        "widths": tuple(widths),
        "depths": tuple(count(state_dict, stage) for stage in stages),
        "side": round((wide / widths[-1]) ** 0.5),
        "size": size,
    }


KEYS = ("layer1.0.bn1.running_mean", "bn2.running_mean", "fc.weight", "features.running_mean")
SYSTEM = System("arcface", (*KEYS, "layer1.0.prelu.weight"), hparams, IResNet)
ONNX_SYSTEM = OnnxSystem("arcface", KEYS, IResNetGraph)
