"""Arc2Face's expression adapter: 55 numbers of a FLAME face become a few tokens that cross-attention looks at besides.

"ID-Consistent, Precise Expression Generation with Blendshape-Guided Diffusion", https://arxiv.org/abs/2510.04706,
https://github.com/foivospar/Arc2Face (MIT), for Arc2Face's UNet, on Hugging Face under MIT. Its file is an IP-Adapter
that diffusers loads. Which of the two projections of a vector it holds, one layer or two, its tensors say.

The numbers are those of SMIRK, see ``expression``. The published scale is 1; the negative prompt's rows are told zeros.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..weights import StateDict, System, UnsupportedCheckpointError
from . import unet
from .expression import SIZE, SPACE
from .person import Key, Person, Site, Tokens

TITLE = "Arc2Face's expression adapter"
BLOCKS = unet.blocks("sd15")
NUMBERS = [str(2 * i + 1) for i in range(len(BLOCKS))]  # of cross-attention among diffusers' attention processors


class Block(nn.Module):
    """The keys and values of a block's expression tokens."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.width, self.context = width, context
        self.to_k_ip, self.to_v_ip = (nn.Linear(context, width, bias=False) for _ in range(2))

    def forward(self, site: Site, tokens: Tensor, weight: float) -> Tensor:
        """(B, N, C) what the block's own queries find in the text, and beside it in (B, T, D) tokens."""
        if site.q is None:
            raise ValueError("Expected a site in a cross-attention, got one in the residual stream.")
        return site.text + weight * site.attention(site.q, self.to_k_ip(tokens), self.to_v_ip(tokens))


class Projection(nn.Module):
    """A vector as tokens."""

    def __init__(self, size: int, context: int, tokens: int, hidden: int | None) -> None:
        super().__init__()
        self.context, out = context, tokens * context
        self.proj: nn.Module = nn.Linear(size, out)
        if hidden is not None:
            self.proj = nn.Sequential(nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, out))
        self.norm = nn.LayerNorm(context)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) from (N, 55)."""
        return self.norm(self.proj(x).reshape(len(x), -1, self.context))

    def encode(self, person: Person) -> Tokens:
        """The tokens of one expression, and those of zeros."""
        numbers = expression_of(person)
        seen = torch.cat([numbers, torch.zeros_like(numbers)]).to(self.norm.weight)
        tokens, nobody = self(seen).cpu()
        return Tokens(tokens, nobody)


def expression_of(person: Person) -> Tensor:
    """(1, 55) the expression that is to be shown.

    Raises:
        ValueError: It was not given, there are several, or it is something else.
    """
    known = person.embeddings
    if known is None or known.space != SPACE or known.embedding.shape != (1, SIZE):
        got = "none" if known is None else f"{len(known)} of {known.embedding.shape[1]} numbers, {known.space}"
        raise ValueError(
            f"Expected one expression of {SIZE} numbers as embeddings, which {TITLE} was trained on, got {got}: "
            "connect Expression Parameters."
        )
    return known.embedding


class ExpressionAdapter(nn.Module):
    title, base, hook, negative = TITLE, "Stable Diffusion 1.5", "attn2", "nobody"
    parts: ClassVar = {"image_proj.": "its projection (image_proj)", "ip_adapter.": "its attention (ip_adapter)"}

    def __init__(self, blocks: dict[str, tuple[int, int]], projection: dict[str, Any]) -> None:
        super().__init__()
        self.image_proj = Projection(**projection)
        self.ip_adapter = nn.ModuleDict({number: Block(*sizes) for number, sizes in blocks.items()})

    def split(self) -> tuple[Projection, dict[Key, nn.Module]]:
        return self.image_proj, dict(zip(BLOCKS.values(), self.ip_adapter.values(), strict=True))


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes.

    Raises:
        UnsupportedCheckpointError: It is an IP-Adapter of something else than 55 numbers.
    """
    context = len(state_dict["image_proj.norm.weight"])
    deep = "image_proj.proj.0.weight" in state_dict
    first, last = (f"image_proj.proj{part}.weight" for part in ((".0", ".2") if deep else ("", "")))
    if last not in state_dict or state_dict[first].shape[-1] != SIZE:
        what = f"{state_dict[first].shape[-1]} numbers" if first in state_dict else "more than a vector"
        raise UnsupportedCheckpointError(
            f"Expected {TITLE}, an IP-Adapter of {SIZE} numbers, got one of {what}: load it with a node made for it."
        )
    return {
        "blocks": {number: tuple(state_dict[f"ip_adapter.{number}.to_k_ip.weight"].shape) for number in NUMBERS},
        "projection": {
            "size": SIZE,
            "context": context,
            "tokens": len(state_dict[last]) // context,
            "hidden": len(state_dict[first]) if deep else None,
        },
    }


SYSTEM = System(
    name="arc2face",
    keys=("image_proj.norm.weight", "ip_adapter.1.to_k_ip.weight", "ip_adapter.31.to_v_ip.weight"),
    hparams=hparams,
    network=ExpressionAdapter,
)
