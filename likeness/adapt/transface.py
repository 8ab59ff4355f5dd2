"""TransFace: the patches of an aligned face as tokens, from a vision transformer trained to recognise people.

TransFace-S of "TransFace: Calibrating Transformer Training for Face Recognition from a Data-Centric Perspective",
https://arxiv.org/abs/2308.10133. Its identity vector (senet, feature) is not computed here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..weights import StateDict, count
from .person import attention

HEADS = 8
UNUSED = ("feature.", "senet.", "mask_token")  # of the identity vector, and of training


class Attention(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(size, 3 * size, bias=False)
        self.proj = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.proj(attention(q, k, v, HEADS))


class Mlp(nn.Module):
    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(size, hidden)
        self.fc2 = nn.Linear(hidden, size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(nn.functional.relu6(self.fc1(x)))


class Layer(nn.Module):
    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.attn = Attention(size)
        self.mlp = Mlp(size, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, size: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, size, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class TransFace(nn.Module):
    def __init__(self, size: int, hidden: int, patch: int, patches: int, depth: int) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(size, patch)
        self.pos_embed = nn.Parameter(torch.empty(1, patches, size))
        self.blocks = nn.Sequential(*(Layer(size, hidden) for _ in range(depth)))
        self.norm = nn.LayerNorm(size)

    def forward(self, x: Tensor) -> Tensor:
        """(N, patches, size) from (N, 3, S, S) RGB faces in [-1, 1]."""
        return self.norm(self.blocks(self.patch_embed(x) + self.pos_embed))


def hparams(state_dict: StateDict, prefix: str) -> dict[str, Any]:
    """The arguments of ``TransFace``; ``prefix`` goes before the names of its tensors."""
    _, patches, size = state_dict[f"{prefix}pos_embed"].shape
    return {
        "size": size,
        "hidden": len(state_dict[f"{prefix}blocks.0.mlp.fc1.weight"]),
        "patch": state_dict[f"{prefix}patch_embed.proj.weight"].shape[-1],
        "patches": patches,
        "depth": count(state_dict, f"{prefix}blocks"),
    }
