"""A small Stable Diffusion 1.5 checkpoint with seeded weights, for workflows that need one. Its pictures mean nothing.

ComfyUI's own loader takes it for SD 1.5: ``tests/record/toy_sd15.py`` says how it is laid out.
"""

import os
from pathlib import Path

import torch
from safetensors.torch import save_file

import golden
import seeding

LAYOUT = Path(__file__).with_name("toy_sd15.tsv")


FIRST = "model.diffusion_model.input_blocks.0.0.weight"
INPAINTING = 9  # channels: the latents, the mask, and what it leaves


def write(cache: Path, inpainting: bool = False) -> Path:
    """The checkpoint's file, made once in this folder; one for inpainting looks at more channels."""
    path = cache / golden.sha256(LAYOUT)[:12] / f"toy_sd15{'_inpainting' * inpainting}.safetensors"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{os.getpid()}.{path.name}")
        layout, rules = seeding.read_layout(LAYOUT)
        if inpainting:
            layout[FIRST] = layout[FIRST].new_empty(len(layout[FIRST]), INPAINTING, 3, 3)
        random, tensors = torch.Generator().manual_seed(0), {}
        for name, like in layout.items():
            mean, spread = rules[name]
            values = torch.rand(like.shape, generator=random) * 2 - 1
            tensors[name] = (mean + spread * values).to(like.dtype)
        save_file(tensors, part)
        part.rename(path)
    return path
