"""W+ adapter: a StyleGAN code of a face, projected to 4 tokens, that what the text gave looks at once more.

When StyleGAN Meets Stable Diffusion: a W+ Adapter for Personalized Image Generation, CVPR 2024.
https://arxiv.org/abs/2311.17461, https://github.com/csxmli2016/w-plus-adapter (NTU S-Lab License 1.0: non-commercial,
code and weights; no line is taken). Two files for Stable Diffusion 1.5 in its release: stage 1 for faces alone, stage 2
for people in a scene. On these it was published with a weight of 1, to begin after 20 % of the sampling, which means
after seven steps of 30 (stage 1: from the start, 0.8).

Unlike IP-Adapter's its query is its own, made of what the cross-attention with the text gave. The negative prompt's
rows see the tokens of a code of zeros.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..embed.e4e import SPACE
from ..weights import StateDict, System, UnsupportedCheckpointError
from . import unet
from .person import Key, Person, Site, Tokens

TITLE = "W+ adapter"
BLOCKS = list(unet.blocks("sd15").values())
PARTS = (4, 8, 12, 18)  # the row of a code before which each token ends


class Projection(nn.Module):
    """(N, 4, C) tokens of (N, 18, D) codes."""

    def __init__(self, widths: tuple[int, ...], context: int) -> None:
        super().__init__()
        self.row = widths[0] // PARTS[0]  # numbers of a code's row
        for number, width in enumerate(widths):
            self.add_module(f"proj_{number}", nn.Linear(width, context, bias=False))
        self.norm = nn.LayerNorm(context)

    def forward(self, codes: Tensor) -> Tensor:
        starts = (0, *PARTS[:-1])
        parts = [codes[:, start:stop].flatten(1) for start, stop in zip(starts, PARTS, strict=True)]
        tokens = [self.get_submodule(f"proj_{number}")(part) for number, part in enumerate(parts)]
        return self.norm(torch.stack(tokens, 1))


class Block(nn.Module):
    """What is added in a block of the denoiser: the text's attention looks at the person's tokens."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.width, self.context = width, context
        self.to_k_wplus, self.to_v_wplus = (nn.Linear(context, width, bias=False) for _ in range(2))
        self.to_q_wplus = nn.Linear(width, width, bias=False)

    def forward(self, site: Site, tokens: Tensor, weight: float) -> Tensor:
        """(B, N, C) what the attention gives, from that of the site and (B, T, D) tokens."""
        query, key, value = self.to_q_wplus(site.text), self.to_k_wplus(tokens), self.to_v_wplus(tokens)
        return site.text + weight * site.attention(query, key, value)


class CodeTokens(nn.Module):
    """A person's code as tokens."""

    def __init__(self, projection: Projection) -> None:
        super().__init__()
        self.projection = projection

    def encode(self, person: Person) -> Tokens:
        """4 tokens of the one code of a person.

        Raises:
            ValueError: There are several codes, or their rows are of another length.
        """
        codes = person.vectors(TITLE, SPACE)
        if len(codes) > 1:
            raise ValueError(
                f"Expected one code for {TITLE}, got {len(codes)}: mix them with Mix Identities, or pick one."
            )
        row, norm = self.projection.row, self.projection.norm.weight
        if codes.shape[1] != PARTS[-1] * row:
            raise ValueError(
                f"Expected a code of {PARTS[-1]} rows of {row} numbers, got {codes.shape[1]} numbers: it was made by "
                "another encoder than the adapter was trained with."
            )
        rows = codes.to(norm).reshape(-1, PARTS[-1], row)
        person_tokens, nobody = self.projection(torch.cat([rows, torch.zeros_like(rows)])).cpu()
        return Tokens(person_tokens, nobody)


class WPlusAdapter(nn.Module):
    title, base, hook, negative = TITLE, "Stable Diffusion 1.5", "attn2", "nobody"
    parts: ClassVar = {
        "w_proj.": "its projection (w_proj)",
        "wplus_adapter.": "its attention blocks (wplus_adapter)",
    }

    def __init__(self, projection: tuple[int, ...], context: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.w_proj = Projection(projection, context)
        self.wplus_adapter = nn.Module()
        for number, width in enumerate(widths):
            self.wplus_adapter.add_module(f"{2 * number + 1}", Block(width, context))  # the even are self-attention

    def split(self) -> tuple[CodeTokens, dict[Key, nn.Module]]:
        return CodeTokens(self.w_proj), dict(zip(BLOCKS, self.wplus_adapter.children(), strict=True))


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes.

    Raises:
        UnsupportedCheckpointError: A block is missing.
    """
    names = [f"wplus_adapter.{2 * number + 1}.to_q_wplus.weight" for number in range(len(BLOCKS))]
    if missing := [name for name in names if name not in state_dict]:
        raise UnsupportedCheckpointError(
            f"Expected {len(BLOCKS)} blocks of {TITLE}, got {len(BLOCKS) - len(missing)}, without {missing[0]}: get "
            "the file again."
        )
    return {
        "projection": tuple(state_dict[f"w_proj.proj_{number}.weight"].shape[1] for number in range(len(PARTS))),
        "context": len(state_dict["w_proj.norm.weight"]),
        "widths": tuple(len(state_dict[name]) for name in names),
    }


SYSTEM = System(
    name="wplus_adapter",
    keys=("w_proj.proj_0.weight", "wplus_adapter.1.to_q_wplus.weight"),
    hparams=hparams,
    network=WPlusAdapter,
)
