"""The arithmetic of identity adapters' authors in the blocks of a core model, with the weights of ours.

Each function takes a checkout, what our node put into the sampler, a MODEL that nobody else has, its transformer blocks
and the conditionings. It changes the MODEL, and gives the conditionings that its sampler is to have.
"""

import ast
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TEXT = 77  # tokens of a text
Blocks = Mapping[tuple, Any]


def facechain_fact(checkout: Path, who: Any, model: Any, blocks: Blocks, texts: tuple) -> tuple:
    """Their processor up to its cross-attention, which follows in core."""
    sys.path.insert(0, str(checkout / "face_adapter"))
    from face_attention_processor_v1 import FaceAttnProcessor2_0

    made = {
        key: filled(FaceAttnProcessor2_0(hidden_size=held.width, cross_attention_dim=held.context), held, model)
        for key, held in who.blocks.items()
    }
    told = torch.stack([who.tokens.person, who.tokens.nobody]).to(model.load_device)  # prompt, negative prompt
    heads = SimpleNamespace(heads=8)

    def patch(x: Tensor, options: dict) -> Tensor:
        theirs = made[(*options["block"], options["block_index"])]
        seen = theirs.norm1(torch.cat([x, theirs.linear(told[options["cond_or_uncond"]])], 1))
        x = x + torch.tanh(theirs.alpha_attn) * theirs.attn(seen, heads)[:, : x.shape[1], :]
        return x + torch.tanh(theirs.alpha_dense) * theirs.ff(theirs.norm2(x))

    model.set_model_patch(patch, "middle_patch")
    return texts


def consistentid(checkout: Path, who: Any, model: Any, blocks: Blocks, texts: tuple) -> tuple:
    """Their processors of both attentions, which add their LoRA as they go; tokens follow the text."""
    efficient = SimpleNamespace(memory_efficient_attention=attention)  # their faster way, which xformers gives them
    needed = {"LoRALinearLayer": LoRALinearLayer, "is_xformers_available": lambda: True}
    names = {"Consistent_AttProcessor", "Consistent_IPAttProcessor"}
    theirs = read(checkout / "attention.py", names, **needed, xformers=SimpleNamespace(ops=efficient))
    held = iter(who.adapter.adapter_modules)
    for key, block in who.blocks.items():
        for attn, kind in (
            (blocks[key].attn1, "Consistent_AttProcessor"),
            (blocks[key].attn2, "Consistent_IPAttProcessor"),
        ):
            ours = next(held)
            sizes = block.width, block.context if attn is blocks[key].attn2 else None, len(ours.to_q_lora.down.weight)
            process(attn, filled(theirs[kind](*sizes), ours, model))
    return told(who, texts)


def wplus_adapter(checkout: Path, who: Any, model: Any, blocks: Blocks, texts: tuple) -> tuple:
    """Their processor of cross-attention; tokens follow the text."""
    theirs = read(checkout / "w_plus_adapter/attention_processor.py", {"WPlusAttnProcessor2_0"})
    for key, held in who.blocks.items():
        process(blocks[key].attn2, filled(theirs["WPlusAttnProcessor2_0"](held.width, held.context), held, model))
    return told(who, texts)


def pva(checkout: Path, who: Any, model: Any, blocks: Blocks, texts: tuple) -> tuple:
    """Their forward of cross-attention; tokens follow the text of the prompt, and none that of the negative one.

    They run the denoiser once for each, as the lengths differ; here the attention alone is run twice, which is faster.
    """
    forward = read(checkout / "lib/pva.py", {"pva_forward"})["pva_forward"]
    for key, held in who.blocks.items():
        attn = Attention(blocks[key].attn2)
        for name, module in held.named_children():
            setattr(attn, name, module)
        blocks[key].attn2.forward = by_rows(forward, attn)
    return told(who, texts)


def by_rows(forward: Callable, attn: "Attention") -> Callable:
    def run(x: Tensor, context: Tensor, transformer_options: dict, **_: Any) -> Tensor:
        lengths = [TEXT if negative else None for negative in transformer_options["cond_or_uncond"]]
        return torch.cat([forward(attn, x[i : i + 1], context[i : i + 1, :n]) for i, n in enumerate(lengths)])

    return run


def told(who: Any, texts: tuple) -> tuple:
    """A prompt and a negative one with the person's tokens, and with nobody's, at their ends."""
    tokens = who.tokens.person, who.tokens.nobody
    return tuple(
        [[torch.cat([text[0][0], more[None]], 1), text[0][1]]] for text, more in zip(texts, tokens, strict=True)
    )


def process(attn: nn.Module, processor: nn.Module) -> None:
    """Let a processor be what an attention of core's does."""
    asked = Attention(attn)
    attn.forward = lambda x, context=None, **_: processor(asked, x, context)


def read(file: Path, names: set[str], **needed: Any) -> dict[str, Any]:
    """Classes and functions of a file; what it imports for the rest is not needed."""
    found = {"torch": torch, "nn": nn, "F": F, **needed}
    tree = ast.parse(file.read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    exec(compile(tree, file.name, "exec"), found)  # noqa: S102 - a checkout that the caller trusts
    return found


def filled(theirs: nn.Module, ours: nn.Module, model: Any) -> nn.Module:
    """Their module with the weights of ours, where the model runs."""
    theirs.load_state_dict(ours.state_dict())
    return theirs.to(model.load_device).requires_grad_(False)


def attention(q: Tensor, k: Tensor, v: Tensor, attn_bias: Tensor | None) -> Tensor:
    """Of (B x heads, N, C); PyTorch's fast kernel wants four dimensions."""
    return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=attn_bias)[0]


class LoRALinearLayer(nn.Module):
    """What ConsistentID imports from diffusers."""

    def __init__(self, given: int, out: int, rank: int, network_alpha: None) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(given, rank, bias=False), nn.Linear(rank, out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x))


class Attention:
    """An attention of core's with what is asked of diffusers' class."""

    spatial_norm = group_norm = None
    norm_cross = cross_attention_norm = residual_connection = False
    rescale_output_factor = 1

    def __init__(self, attn: Any) -> None:
        self.to_q, self.to_k, self.to_v, self.to_out = attn.to_q, attn.to_k, attn.to_v, attn.to_out
        self.heads, self.scale = attn.heads, attn.dim_head**-0.5

    def prepare_attention_mask(self, mask: None, length: int, batch: int) -> None:
        """There is none."""

    def head_to_batch_dim(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2).flatten(0, 1)

    def batch_to_head_dim(self, x: Tensor) -> Tensor:
        return x.unflatten(0, (-1, self.heads)).transpose(1, 2).flatten(2)


THEIRS = {
    "facechain_fact": facechain_fact,
    "consistentid_sd15": consistentid,
    "wplus_adapter": wplus_adapter,
    "pva": pva,
}
