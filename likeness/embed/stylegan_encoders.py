"""Encoders that were pretrained to invert StyleGAN: 512 numbers per face, compared by their cosine.

How to Boost Face Recognition with StyleGAN?, ICCV 2023. https://arxiv.org/abs/2210.10090
Network: backbone/model_irse.py of seva100/stylegan-for-facerec (MIT), of 50, 101 or 152 layers, with channel attention
(SE) or without. Weights: in a Google Drive folder, licence not stated. Nobody publishes a threshold with them.

The layers are those of face.evoLVe, so that its checkpoints load too. The crop is ArcFace's.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from torch import Tensor, nn

from ..fingerprint import fingerprint
from ..types import Embeddings, Faces
from ..weights import StateDict, System, count
from .arcface import crop
from .vectors import vectors

WIDTH = 64  # channels before the first block


class Attention(nn.Module):
    """Each channel weighted by what all of them show in the mean."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, inner, 1, bias=False)
        self.fc2 = nn.Conv2d(inner, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class Block(nn.Module):
    """Two convolutions, attention behind them or not, beside a shortcut."""

    def __init__(self, width: int, out: int, stride: int, inner: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if width != out:
            self.shortcut_layer = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Conv2d(width, out, 3, padding=1, bias=False),
            nn.PReLU(out),
            nn.Conv2d(out, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            *([Attention(out, inner)] if inner else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


class ResidualEncoder(nn.Module):
    """(N, 3, 112, 112) RGB in [-1, 1] to (N, D) vectors of any length."""

    def __init__(self, blocks: tuple[tuple[int, int, int, int], ...], side: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.PReLU(WIDTH)
        )
        self.body = nn.Sequential(*(Block(*block) for block in blocks))
        width = blocks[-1][1]
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Identity(),  # dropout, in training
            nn.Flatten(),
            nn.Linear(width * side**2, size),
            nn.BatchNorm1d(size),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.output_layer(self.body(self.input_layer(x)))

    @cached_property
    def space(self) -> str:
        """The name of these weights, by their values."""
        return f"stylegan_encoders-{fingerprint(self.state_dict())}"

    def embed(self, image: Tensor, faces: Faces) -> Embeddings:
        """One identity vector per face.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images, with five points.
        """
        x = crop(image, faces).to(next(self.parameters()))
        return Embeddings(faces, self.space, vectors(self, x, self.size))


def block_sizes(state_dict: StateDict, prefix: str = "") -> tuple[tuple[int, int, int, int], ...]:
    """Width, output, stride and attention of each block; a stage begins where the width changes, and at the start."""
    blocks, width = [], state_dict[f"{prefix}input_layer.0.weight"].shape[0]
    for number in range(count(state_dict, f"{prefix}body")):
        name = f"{prefix}body.{number}.res_layer"
        out = state_dict[f"{name}.1.weight"].shape[0]
        inner = state_dict[f"{name}.5.fc1.weight"].shape[0] if f"{name}.5.fc1.weight" in state_dict else 0
        blocks.append((width, out, 2 if number == 0 or out != width else 1, inner))
        width = out
    return tuple(blocks)


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes."""
    blocks = block_sizes(state_dict)
    size, wide = state_dict["output_layer.3.weight"].shape
    return {"blocks": blocks, "side": round((wide / blocks[-1][1]) ** 0.5), "size": size}


SYSTEM = System(
    name="stylegan_encoders",
    keys=("input_layer.0.weight", "body.0.res_layer.1.weight", "output_layer.3.weight", "output_layer.4.running_mean"),
    hparams=hparams,
    network=ResidualEncoder,
)
