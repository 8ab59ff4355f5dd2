"""ConsistentID's networks beside the denoiser: a face as tokens, and the parts of a face in words."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .facechain_fact import PerceiverAttention, Resampler


class FacePerceiver(nn.Module):
    """Tokens that look at a picture."""

    def __init__(self, given: int, size: int, heads: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.proj_in, self.proj_out, self.norm_out = nn.Linear(given, size), nn.Linear(size, size), nn.LayerNorm(size)

        def feed_forward() -> nn.Sequential:
            wide, narrow = nn.Linear(size, hidden, bias=False), nn.Linear(hidden, size, bias=False)
            return nn.Sequential(nn.LayerNorm(size), wide, nn.GELU(), narrow)

        layers = (nn.ModuleList([PerceiverAttention(size, heads), feed_forward()]) for _ in range(depth))
        self.layers = nn.ModuleList(layers)

    def forward(self, tokens: Tensor, look: Tensor) -> Tensor:
        look = self.proj_in(look)
        for layer in self.layers:
            attn, feed = layer.children()
            tokens = attn(look, tokens) + tokens
            tokens = feed(tokens) + tokens
        return self.norm_out(self.proj_out(tokens))


class Projector(nn.Module):
    """An identity and a picture as tokens."""

    def __init__(self, identity: int, hidden: int, size: int, tokens: int, perceiver: dict[str, int], shortcut: bool):
        super().__init__()
        self.identity, self.tokens, self.shortcut = identity, tokens, shortcut
        self.proj = nn.Sequential(nn.Linear(identity, hidden), nn.GELU(), nn.Linear(hidden, size * tokens))
        self.norm = nn.LayerNorm(size)
        self.perceiver_resampler = FacePerceiver(size=size, **perceiver)

    def forward(self, identity: Tensor, look: Tensor) -> Tensor:
        """(N, T, D) from (N, 512) of unit length and (N, M, C) CLIP vision's hidden states before the last."""
        x = self.norm(self.proj(identity).unflatten(-1, (self.tokens, -1)))
        seen = self.perceiver_resampler(x, look)
        return x + seen if self.shortcut else seen


class MLP(nn.Module):
    def __init__(self, given: int, hidden: int, out: int) -> None:
        super().__init__()
        self.layernorm, self.fc1, self.fc2 = nn.LayerNorm(given), nn.Linear(given, hidden), nn.Linear(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(nn.functional.gelu(self.fc1(self.layernorm(x))))


class FuseModule(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.mlp1, self.mlp2, self.layer_norm = MLP(2 * size, size, size), MLP(size, size, size), nn.LayerNorm(size)

    def forward(self, words: Tensor, parts: Tensor) -> Tensor:
        """(P, D) words of a text with what they name in the picture, from (P, D) each."""
        x = self.mlp1(torch.cat([words, parts], -1)) + words
        return self.layer_norm(self.mlp2(x) + x)


class FacialEncoder(nn.Module):
    """The parts of a face in the text."""

    def __init__(self, parts: dict[str, int]) -> None:
        super().__init__()
        self.visual_projection, self.fuse_module = Resampler(**parts), FuseModule(parts["out"])

    def forward(self, text: Tensor, looks: Tensor, places: Tensor) -> Tensor:
        """(N, D) a text whose tokens at (P,) places were told of the parts.

        Args:
            text: (N, D).
            looks: (P, M, C) CLIP vision's hidden states before the last, of a picture of each part.
            places: (P,) int64.
        """
        fused = self.fuse_module(text[places], self.visual_projection(looks)[:, 0])
        return text.index_copy(0, places, fused)
