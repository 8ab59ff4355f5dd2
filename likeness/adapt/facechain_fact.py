"""FaceChain-FACT: the patches of a face, resampled to 16 tokens, enter each block by gated self-attention.

"FaceChain-FACT: Face Adapter with Decoupled Training for Identity-preserved Personalization",
https://arxiv.org/abs/2410.12312, https://github.com/modelscope/facechain (Apache-2.0). Two files of adapters for Stable
Diffusion 1.5 (for majicmixRealistic_v6 and leosamsMoonfilm) and TransFace-S, on ModelScope, without a stated licence.

It was trained on heads before black, cut out by a segmentation of face and hair. Published at a
scale of 0.5 with the negative prompt's rows told of patches of zeros, which the authors' class does only if asked to.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..geometry import align
from ..weights import StateDict, System, count
from . import transface, unet
from .person import Key, Person, Site, Tokens, attention

TEMPLATE, CROP_SIZE = "arcface112", 112  # pixels, square
HEAD_SIZE = 64  # channels of a head of the resampler
BLOCKS = unet.blocks("sd15")
PROCESSOR = "{}.attn2.processor"  # where diffusers keeps an adapter's tensors of a block
TITLE = "FaceChain-FACT"


class GEGLU(nn.Module):
    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(size, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        x, gate = self.proj(x).chunk(2, -1)
        return x * nn.functional.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GEGLU(size, hidden), nn.Identity(), nn.Linear(hidden, size))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class SelfAttention(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(size, size, bias=False) for _ in range(3))
        self.to_out = nn.Sequential(nn.Linear(size, size))

    def forward(self, x: Tensor, queries: int, site: Site) -> Tensor:
        """What the first ``queries`` tokens of (B, N, C) read from all of them."""
        return self.to_out(site.attention(self.to_q(x[:, :queries]), self.to_k(x), self.to_v(x)))


class GatedSelfAttention(nn.Module):
    """What a block of the denoiser becomes: its image tokens attend each other and the face's, through two gates."""

    def __init__(self, width: int, context: int, hidden: int) -> None:
        super().__init__()
        self.width, self.context = width, context
        self.linear = nn.Linear(context, width)
        self.attn = SelfAttention(width)
        self.ff = FeedForward(width, hidden)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.alpha_attn, self.alpha_dense = nn.Parameter(torch.empty(())), nn.Parameter(torch.empty(()))

    def forward(self, site: Site, tokens: Tensor, weight: float) -> Tensor:
        """(B, N, C) the residual stream before cross-attention, from that of the site and (B, T, D) face tokens."""
        x, seen = site.x, self.norm1(torch.cat([site.x, self.linear(tokens)], 1))
        attn, dense = (weight * gate.tanh().to(x) for gate in (self.alpha_attn, self.alpha_dense))
        x = x + attn * self.attn(seen, x.shape[1], site)
        return x + dense * self.ff(self.norm2(x))


class PerceiverAttention(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads, inner = heads, heads * HEAD_SIZE
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.to_q, self.to_kv = nn.Linear(size, inner, bias=False), nn.Linear(size, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, size, bias=False)

    def forward(self, x: Tensor, latents: Tensor) -> Tensor:
        latents = self.norm2(latents)
        keys, values = self.to_kv(torch.cat([self.norm1(x), latents], 1)).chunk(2, -1)
        return self.to_out(attention(self.to_q(latents), keys, values, self.heads))


class Resampler(nn.Module):
    def __init__(self, given: int, size: int, out: int, heads: int, hidden: int, queries: int, depth: int) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.empty(1, queries, size))
        self.proj_in, self.proj_out = nn.Linear(given, size), nn.Linear(size, out)
        self.norm_out = nn.LayerNorm(out)

        def feed_forward() -> nn.Sequential:
            wide, narrow = nn.Linear(size, hidden, bias=False), nn.Linear(hidden, size, bias=False)
            return nn.Sequential(nn.LayerNorm(size), wide, nn.GELU(), narrow)

        layers = (nn.ModuleList([PerceiverAttention(size, heads), feed_forward()]) for _ in range(depth))
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, queries, out) from (N, M, given)."""
        x, latents = self.proj_in(x), self.latents.expand(len(x), -1, -1)
        for layer in self.layers:
            attn, feed = layer.children()
            latents = attn(x, latents) + latents
            latents = feed(latents) + latents
        return self.norm_out(self.proj_out(latents))


class FaceTokens(nn.Module):
    """A person's faces as tokens."""

    def __init__(self, encoder: transface.TransFace, resampler: Resampler) -> None:
        super().__init__()
        self.encoder, self.resampler = encoder, resampler

    def encode(self, person: Person) -> Tokens:
        """16 tokens for each face of the person, those of all faces one after the other."""
        image, faces = person.pictures(TITLE)
        if person.head is not None:
            image = image * person.head[..., None]
        crops, _ = align(image, faces, TEMPLATE, CROP_SIZE)
        patches = self.encoder((crops.movedim(-1, 1) * 2 - 1).to(self.resampler.latents))
        seen, unseen = self.resampler(patches), self.resampler(torch.zeros_like(patches[:1]))
        return Tokens(seen.flatten(0, 1).cpu(), unseen[0].repeat(len(seen), 1).cpu())


class FaceChainFACT(nn.Module):
    title, base, hook, negative = TITLE, "Stable Diffusion 1.5", "middle", "nobody"
    parts: ClassVar = {
        "transface.": "its face encoder TransFace",
        "local_fac_prj.": "its resampler (local_fac_prj)",
        "mid_block.": "its attention blocks",
    }

    def __init__(
        self, blocks: dict[str, tuple[int, int, int]], resampler: dict[str, int], encoder: dict[str, int]
    ) -> None:
        super().__init__()
        self.transface = transface.TransFace(**encoder)
        self.local_fac_prj = Resampler(**resampler)
        for name, sizes in blocks.items():
            plant(self, PROCESSOR.format(name), GatedSelfAttention(*sizes))

    def split(self) -> tuple[FaceTokens, dict[Key, nn.Module]]:
        blocks = {key: self.get_submodule(PROCESSOR.format(name)) for name, key in BLOCKS.items()}
        return FaceTokens(self.transface, self.local_fac_prj), blocks


def plant(root: nn.Module, path: str, module: nn.Module) -> None:
    """Put a module where its published name says, below modules that are made on the way."""
    *parents, last = path.split(".")
    for name in parents:
        if name not in dict(root.named_children()):
            root.add_module(name, nn.Module())
        root = root.get_submodule(name)
    root.add_module(last, module)


def hparams(state_dict: StateDict) -> dict[str, Any]:
    blocks = {}
    for name in BLOCKS:
        width, context = state_dict[PROCESSOR.format(name) + ".linear.weight"].shape
        blocks[name] = (width, context, state_dict[PROCESSOR.format(name) + ".ff.net.2.weight"].shape[1])
    _, queries, size = state_dict["local_fac_prj.latents"].shape
    return {
        "blocks": blocks,
        "resampler": {
            "given": state_dict["local_fac_prj.proj_in.weight"].shape[1],
            "size": size,
            "out": len(state_dict["local_fac_prj.proj_out.weight"]),
            "heads": len(state_dict["local_fac_prj.layers.0.0.to_q.weight"]) // HEAD_SIZE,
            "hidden": len(state_dict["local_fac_prj.layers.0.1.1.weight"]),
            "queries": queries,
            "depth": count(state_dict, "local_fac_prj.layers"),
        },
        "encoder": transface.hparams(state_dict, "transface."),
    }


SYSTEM = System(
    name="facechain_fact",
    keys=("mid_block.attentions.0.transformer_blocks.0.attn2.processor.alpha_attn",),
    hparams=hparams,
    network=FaceChainFACT,
    # The blocks' own norms, which training saved with the adapter, and what TransFace has besides its tokens.
    unused=(
        *(f"{PROCESSOR.format(name)}.ln." for name in BLOCKS),
        *(f"transface.{name}" for name in transface.UNUSED),
    ),
)
