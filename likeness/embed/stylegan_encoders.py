"""Encoders that were pretrained to invert StyleGAN: 512 numbers per face, compared by their cosine.

How to Boost Face Recognition with StyleGAN?, ICCV 2023. https://arxiv.org/abs/2210.10090
Network: backbone/model_irse.py of seva100/stylegan-for-facerec (MIT), of 50, 101 or 152 layers, with channel attention
(SE) or without. Weights: in a Google Drive folder, licence not stated. Nobody publishes a threshold with them.

The layers are those of face.evoLVe, so that its checkpoints load too. The crop is ArcFace's.

The authors' training writes IR_50_ReStyle and its like (backbone/restyle_psp.py): the same layers with attention behind
a first convolution of six channels, which sees the crop and one average image beside it. That image is in no
checkpoint: it is the avg_image.jpg of the second stage, and of the baseline any picture. The same must be given again.
Their configurations train with dropout inside the blocks, which shifts the names of the layers behind it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ..fingerprint import fingerprint
from ..types import Embeddings, Faces
from ..weights import StateDict, System, count
from .arcface import CROP_SIZE, crop
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

    def __init__(self, width: int, out: int, stride: int, inner: int, dropout: bool = False) -> None:
        super().__init__()
        gap = [nn.Identity()] * dropout
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if width != out:
            narrow = nn.Conv2d(width, out, 1, stride, bias=False)
            self.shortcut_layer = nn.Sequential(narrow, *gap, nn.BatchNorm2d(out))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Conv2d(width, out, 3, padding=1, bias=False),
            *gap,
            nn.PReLU(out),
            nn.Conv2d(out, out, 3, stride, 1, bias=False),
            *gap,
            nn.BatchNorm2d(out),
            *([Attention(out, inner)] if inner else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


class ResidualEncoder(nn.Module):
    """(N, 3, 112, 112) RGB in [-1, 1] to (N, D) vectors of any length."""

    def __init__(
        self,
        blocks: tuple[tuple[int, int, int, int], ...],
        side: int,
        size: int,
        dropout: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.size = size
        self.input_layer = nn.Sequential(
            nn.Conv2d(channels, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.PReLU(WIDTH)
        )
        self.body = nn.Sequential(*(Block(*block, dropout) for block in blocks))
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


class ReStyleEncoder(nn.Module):
    """(N, 3, 112, 112) RGB in [-1, 1], an average image beside each, to (N, D) vectors of any length."""

    takes_average = True

    def __init__(self, **encoder: Any) -> None:
        super().__init__()
        self.encoder = ResidualEncoder(**encoder, channels=6)
        self.average: Tensor | None = None  # (3, 112, 112) in [-1, 1]; see ``choose_average``

    def forward(self, x: Tensor) -> Tensor:
        if self.average is None:
            raise ValueError(
                "Expected the average image that this network was trained beside, got none: connect it to Load Face "
                "Embedder; it is the avg_image.jpg of the training's second stage."
            )
        beside = self.average.to(x).expand(len(x), -1, -1, -1)
        return self.encoder(torch.cat([x, beside], 1))

    @cached_property
    def space(self) -> str:
        """The name of these weights and of the image beside, by their values."""
        average = {} if self.average is None else {"average": self.average}
        return f"stylegan_encoders-{fingerprint({**self.state_dict(), **average})}"

    def embed(self, image: Tensor, faces: Faces) -> Embeddings:
        """One identity vector per face; see ``ResidualEncoder.embed``."""
        x = crop(image, faces).to(next(self.parameters()))
        return Embeddings(faces, self.space, vectors(self, x, self.encoder.size))


def choose_average(network: nn.Module, image: Tensor | None) -> None:
    """Set the image that a network sees beside every face, where its system has one.

    Args:
        network: Of one of ``embed.SYSTEMS``.
        image: (1, 112, 112, 3) RGB in [0, 1]; None where nobody gave one.

    Raises:
        ValueError: The network takes one and there is none, or it takes none; or it is of another size.
    """
    if not isinstance(network, ReStyleEncoder):
        if image is not None:
            raise ValueError(f"Expected no average image for {type(network).__name__}, got one: disconnect it.")
        return
    expected = (1, CROP_SIZE, CROP_SIZE, 3)
    if image is None or tuple(image.shape) != expected:
        got = "none" if image is None else f"{image.shape[0]} of {image.shape[2]} x {image.shape[1]}"
        raise ValueError(
            f"Expected one average image of {CROP_SIZE} x {CROP_SIZE} for {type(network).__name__}, got {got}: connect "
            "to average on Load Face Embedder the picture that its training had, avg_image.jpg of the second stage."
        )
    network.average = image[0].movedim(-1, 0) * 2 - 1
    vars(network).pop("space", None)  # it is named by this image too


def block_sizes(state_dict: StateDict, prefix: str = "") -> tuple[tuple[int, int, int, int], ...]:
    """Width, output, stride and attention of each block; a stage begins where the width changes, and at the start."""
    blocks, width = [], state_dict[f"{prefix}input_layer.0.weight"].shape[0]
    attention = 7 if has_dropout(state_dict, prefix) else 5
    for number in range(count(state_dict, f"{prefix}body")):
        name = f"{prefix}body.{number}.res_layer"
        out = state_dict[f"{name}.1.weight"].shape[0]
        first = f"{name}.{attention}.fc1.weight"
        inner = state_dict[first].shape[0] if first in state_dict else 0
        blocks.append((width, out, 2 if number == 0 or out != width else 1, inner))
        width = out
    return tuple(blocks)


def has_dropout(state_dict: StateDict, prefix: str = "") -> bool:
    """Whether a block has it: what follows is then numbered two places later."""
    return f"{prefix}body.0.res_layer.6.running_mean" in state_dict


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes."""
    blocks = block_sizes(state_dict)
    size, wide = state_dict["output_layer.3.weight"].shape
    return {
        "blocks": blocks,
        "side": round((wide / blocks[-1][1]) ** 0.5),
        "size": size,
        "dropout": has_dropout(state_dict),
    }


SYSTEM = System(
    name="stylegan_encoders",
    keys=("input_layer.0.weight", "body.0.res_layer.1.weight", "output_layer.3.weight", "output_layer.4.running_mean"),
    hparams=hparams,
    network=ResidualEncoder,
)


def restyle_hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off the tensors' shapes; see ``hparams``."""
    return hparams({name.removeprefix("encoder."): tensor for name, tensor in state_dict.items()})


RESTYLE_SYSTEM = System(
    name="stylegan_encoders",
    keys=("encoder.input_layer.0.weight", "encoder.body.0.res_layer.1.weight", "encoder.output_layer.3.weight"),
    hparams=restyle_hparams,
    network=ReStyleEncoder,
)
