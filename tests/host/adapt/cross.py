"""The smallest adapter that works in cross-attention, so that the house is tested there with no system's arithmetic."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def make(adapt: Any, kind: str, sizes: dict[tuple, tuple[int, int]]) -> nn.Module:
    """The network, of the pack's own classes.

    Args:
        adapt: The pack's ``likeness.adapt``.
        kind: "sd15" or "sdxl".
        sizes: Width and context of each block.
    """

    class Block(nn.Module):
        def __init__(self, width: int, context: int) -> None:
            super().__init__()
            self.width, self.context = width, context
            self.to_q, self.to_k, self.to_v = nn.Linear(width, width), nn.Linear(8, width), nn.Linear(8, width)

        def forward(self, site: Any, tokens: Tensor, weight: float) -> Tensor:
            assert site.x.shape == site.q.shape
            seen = site.attention(self.to_q(site.text), self.to_k(tokens), self.to_v(tokens))
            return site.text + weight * seen

    class Colours(nn.Module):
        def encode(self, person: Any) -> Any:
            image, _ = person.pictures("Cross")
            tokens = torch.nn.functional.adaptive_avg_pool2d(image.movedim(-1, 1), (2, 4)).flatten(1).reshape(3, 8)
            return adapt.Tokens((tokens - 0.5) * 8, torch.zeros(3, 8))

    class Cross(nn.Module):
        title, hook, negative, parts = "Cross", "attn2", "nobody", {}
        base = {"sd15": "Stable Diffusion 1.5", "sdxl": "SDXL"}[kind]

        def __init__(self) -> None:
            super().__init__()
            self.colours = Colours()
            self.inside = nn.ModuleList(Block(*size) for size in sizes.values())

        def split(self) -> tuple[nn.Module, dict]:
            return self.colours, dict(zip(sizes, self.inside, strict=True))

    return Cross()
