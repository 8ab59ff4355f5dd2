"""The transformer blocks of Stable Diffusion's UNets: diffusers' names, in the order of its attention processors."""

from __future__ import annotations

from .person import Key

# Transformer layers at each level, downwards. A level has two blocks down and three up; all but the last resample.
DEPTHS = {"sd15": (1, 1, 1, 0), "sdxl": (0, 2, 10)}
MIDDLE = {"sd15": 1, "sdxl": 10}


def blocks(model: str) -> dict[str, Key]:
    """Each transformer block by diffusers' name, for example "mid_block.attentions.0.transformer_blocks.0".

    They come in the order of ``unet.attn_processors``: down, up, then middle. Block i has self-attention 2 i and
    cross-attention 2 i + 1, which is how adapters number their tensors that are saved as a ModuleList.

    Args:
        model: "sd15", also Stable Diffusion 2, or "sdxl".
    """
    depths = DEPTHS[model]
    found: dict[str, Key] = {}
    for level, depth in enumerate(depths):
        for j in range(2):
            for k in range(depth):
                name = f"down_blocks.{level}.attentions.{j}.transformer_blocks.{k}"
                found[name] = ("input", 1 + 3 * level + j, k)
    for level, depth in enumerate(reversed(depths)):
        for j in range(3):
            for k in range(depth):
                found[f"up_blocks.{level}.attentions.{j}.transformer_blocks.{k}"] = ("output", 3 * level + j, k)
    for k in range(MIDDLE[model]):
        found[f"mid_block.attentions.0.transformer_blocks.{k}"] = ("middle", 0, k)
    return found
