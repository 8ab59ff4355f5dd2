"""PVA: a person's identity vectors as ten tokens that cross-attention reads beside the text, in one joint softmax.

"Personalized Face Inpainting with Diffusion Models by Parallel Visual Attention", WACV 2024,
https://arxiv.org/abs/2312.03556, https://github.com/AtlantixJJ/PVA-CelebAHQ-IDI, which has no licence: no line of it is
taken here, names, shapes and numbers are facts. For Stable Diffusion 2 inpainting; it starts from copies of a model's
own projections, so those of 1.5 do as well.

No weights are published: neither those of its first training, 100,000 steps on many people, nor anyone's own. ``start``
makes the values that a training begins with, and ``fine_tuning`` goes on from there. Our file has the tensors that the
authors' ``simple_state_dict`` gathers, their dicts joined by dots, and beside them "space", which names the network
that made the identity vectors.

They read ArcFace R50 (ms1mv3) on a picture of 256 pixels framed as FFHQ is, cut to rows 35 to 222 and columns 32 to 219
and averaged to 112; here faces are brought to ArcFace's five points, as that network was trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from ..weights import StateDict, System, build, count
from . import unet
from .facechain_fact import plant
from .person import Key, Person, Site, Tokens, attention, pick

TITLE, SPACE = "PVA", "arcface"
HEADS = 8  # of the transformer; no tensor shows it
LAYERS, HIDDEN, QUERIES = 4, 2048, 10  # of a TransformNetwork that is yet to be trained
BLOCKS = unet.blocks("sd15")
ATTENTION = "unet.{}.attn2"  # where diffusers keeps a block's cross-attention
BASES = {1024: "Stable Diffusion 2 inpainting", 768: "Stable Diffusion 1.5 inpainting"}  # by the width of the text


class VisualAttention(nn.Module):
    """What a block's cross-attention gets: projections for the person's tokens, and one for who asks them."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.width, self.context = width, context
        self.to_visual_q = nn.Linear(width, width, bias=False)
        self.to_visual_k, self.to_visual_v = (nn.Linear(context, width, bias=False) for _ in range(2))

    def forward(self, site: Site, tokens: Tensor, weight: float) -> Tensor:
        """(B, N, C) what cross-attention gives, from that of the site and (B, T, D) tokens; all 0 are nobody's.

        The difference that the tokens make is added to what is there, so that others' additions stay. Where there are
        none and the weight is 1 that is the joint attention itself, and each row is attended once.
        """
        told = site.told or (tokens != 0).any(-1).any(-1).tolist()
        asked, rest = ([row for row, seen in enumerate(told) if seen == wanted] for wanted in (True, False))
        if not asked:
            return site.text
        joint = self.joint(site.at(asked), pick(tokens, asked))
        if weight == 1 and site.alone is not None and site.alone is site.before:
            parts = [joint, site.at(rest).plain] if rest else [joint]
        else:
            changed = pick(site.text, asked) + weight * (joint - pick(site.plain, asked))
            parts = [changed, pick(site.text, rest)] if rest else [changed]
        places = [*asked, *rest]
        return pick(torch.cat(parts), [places.index(row) for row in range(len(places))])

    def joint(self, site: Site, tokens: Tensor) -> Tensor:
        """(B, N, C) the attention of text and tokens together.

        The text is asked by the block's own query, the tokens by theirs, and one softmax goes over both. A head is made
        twice as wide: the text's keys lie in its first half, the tokens' in its second.
        """
        if site.q is None or site.k is None or site.v is None:
            raise ValueError("Expected a site in a cross-attention, got one in the residual stream.")
        visual = self.to_visual_q(site.x), self.to_visual_k(tokens), self.to_visual_v(tokens)

        def halves(first: Tensor, second: Tensor) -> Tensor:
            parts = [part.reshape(*part.shape[:2], site.heads, -1) for part in (first, second)]
            return torch.cat(parts, -1).flatten(2)

        def beside(ours: Tensor, theirs: Tensor) -> Tensor:
            return torch.cat([halves(ours, torch.zeros_like(ours)), halves(torch.zeros_like(theirs), theirs)], 1)

        q = halves(site.q, visual[0]) * 2**0.5  # attention divides by the root of a head's width, which has doubled
        made = site.attention(q, beside(site.k, visual[1]), beside(site.v, visual[2]))
        return made.reshape(*site.q.shape[:2], site.heads, 2, -1).sum(-2).flatten(2)


class SelfAttention(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * size, size))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * size))
        self.out_proj = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        return self.out_proj(attention(q, k, v, HEADS))


class Layer(nn.Module):
    """Attention and a feed-forward, each normalised after it was added."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(size)
        self.linear1, self.linear2 = nn.Linear(size, hidden), nn.Linear(hidden, size)
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.self_attn(x))
        return self.norm2(x + self.linear2(self.linear1(x).relu()))


class Transformer(nn.Module):
    def __init__(self, size: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(size, hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(size)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class TransformNetwork(nn.Module):
    """Identity vectors of one person, any number in any order, to tokens as wide as the text's."""

    def __init__(self, given: int, size: int, hidden: int, layers: int, queries: int) -> None:
        super().__init__()
        self.add_module("0", nn.Linear(given, size))
        self.add_module("1", Transformer(size, hidden, layers))
        self.q_tokens = nn.Parameter(torch.empty(queries, given))
        self.pos_enc = nn.Parameter(torch.empty(queries, size))

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, queries, size) from (B, R, given)."""
        x = torch.cat([vectors, self.q_tokens.expand(len(vectors), -1, -1)], 1)
        x = self.get_submodule("1")(self.get_submodule("0")(x))
        return x[:, -len(self.q_tokens) :] + self.pos_enc


class ReferenceTokens(nn.Module):
    """A person's references as tokens; the word <new1> lives here too, for it is asked for as seldom."""

    def __init__(self, transform_network: TransformNetwork, modifier_vec: nn.Parameter, space: str) -> None:
        super().__init__()
        self.transform_network, self.modifier_vec, self.space = transform_network, modifier_vec, space

    def encode(self, person: Person) -> Tokens:
        """Ten tokens for all references together; nobody's are 0, which leaves a row as it is."""
        vectors, queries = person.vectors(TITLE, self.space), self.transform_network.q_tokens
        if vectors.shape[1] != queries.shape[1]:
            raise ValueError(
                f"Expected identity vectors of {queries.shape[1]} numbers, as {TITLE} was trained with, got "
                f"{vectors.shape[1]}: choose that model in Load Face Embedder."
            )
        (tokens,) = self.transform_network(vectors.to(queries)[None]).cpu()
        return Tokens(tokens, torch.zeros_like(tokens))


class PVA(nn.Module):
    title, hook, negative = TITLE, "attn2", "nobody"
    parts: ClassVar = {"transform_network.": "its TransformNetwork", "unet.": "its attention blocks"}

    def __init__(self, blocks: dict[str, tuple[int, int]], transform: dict[str, int], space: int) -> None:
        super().__init__()
        self.base = BASES.get(transform["size"], f"Stable Diffusion with text {transform['size']} wide")
        self.transform_network = TransformNetwork(**transform)
        self.modifier_vec = nn.Parameter(torch.empty(transform["size"]))
        self.space: Tensor | None
        self.register_buffer("space", torch.empty(space, dtype=torch.uint8) if space else None)
        for name, sizes in blocks.items():
            plant(self, ATTENTION.format(name), VisualAttention(*sizes))

    def split(self) -> tuple[ReferenceTokens, dict[Key, nn.Module]]:
        blocks = {key: self.get_submodule(ATTENTION.format(name)) for name, key in BLOCKS.items()}
        space = SPACE if self.space is None else bytes(self.space.tolist()).decode()
        return ReferenceTokens(self.transform_network, self.modifier_vec, space), blocks


def start(projections: Mapping[Key, tuple[Tensor, Tensor, Tensor]], word: Tensor, space: str, seed: int) -> PVA:
    """The network before its training.

    Args:
        projections: Of each block of ``BLOCKS`` the weights of its cross-attention's q, k and v, which are copied.
        word: (D,) what <new1> begins as.
        space: Of the identity vectors that it will be trained with.
        seed: Of the TransformNetwork's values, for which there is nothing to copy.
    """
    tensors = {"modifier_vec": word.float().clone(), "space": torch.tensor([*space.encode()], dtype=torch.uint8)}
    for name, key in BLOCKS.items():
        for part, weight in zip("qkv", projections[key], strict=True):
            tensors[f"{ATTENTION.format(name)}.to_visual_{part}.weight"] = weight.float().clone()
    transform = untrained(len(word), seed).state_dict()
    tensors |= {f"transform_network.{name}": held for name, held in transform.items()}
    return cast(PVA, build(tensors, (SYSTEM,)))


def untrained(size: int, seed: int, given: int = 512) -> TransformNetwork:
    """A TransformNetwork as the authors' training begins: PyTorch's own first values, the same in every layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TransformNetwork(given, size, HIDDEN, LAYERS, QUERIES)
        tensors = network.state_dict()
        nn.init.normal_(tensors["q_tokens"])
        nn.init.xavier_uniform_(tensors["1.layers.0.self_attn.in_proj_weight"])
    for name in ("pos_enc", "1.layers.0.self_attn.in_proj_bias", "1.layers.0.self_attn.out_proj.bias"):
        nn.init.zeros_(tensors[name])
    first = {name: held for name, held in tensors.items() if name.startswith("1.layers.0.")}
    for layer in range(1, LAYERS):
        tensors |= {name.replace(".0.", f".{layer}.", 1): held for name, held in first.items()}
    network.load_state_dict(tensors)
    return network


def hparams(state_dict: StateDict) -> dict[str, Any]:
    weights = {name: state_dict[f"{ATTENTION.format(name)}.to_visual_k.weight"] for name in BLOCKS}
    queries, size = state_dict["transform_network.pos_enc"].shape
    return {
        "blocks": {name: tuple(weight.shape) for name, weight in weights.items()},
        "transform": {
            "given": state_dict["transform_network.q_tokens"].shape[1],
            "size": size,
            "hidden": len(state_dict["transform_network.1.layers.0.linear1.weight"]),
            "layers": count(state_dict, "transform_network.1.layers"),
            "queries": queries,
        },
        "space": len(state_dict["space"]) if "space" in state_dict else 0,
    }


SYSTEM = System(
    name="pva",
    keys=("transform_network.q_tokens", "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_visual_q.weight"),
    hparams=hparams,
    network=PVA,
)
