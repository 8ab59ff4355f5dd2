"""The layout of a small Stable Diffusion 1.5 checkpoint: ``python tests/record/toy_sd15.py CHECKOUT``.

Writes tests/toy_sd15.tsv from ComfyUI's own classes, for tests/toy_checkpoint.py to fill. ComfyUI takes it for SD 1.5,
for its first level is as wide and it has as many blocks; here every level is as wide as the first. Its text encoder has
the published size, its VAE is the tiny one. CHECKOUT is a ComfyUI; run it with that one's interpreter.
"""

import math
import sys
from pathlib import Path

import torch

TABLE = Path(__file__).parents[1] / "toy_sd15.tsv"
UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 1, 1, 1],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "transformer_depth_middle": 1,
    "context_dim": 768,
    "num_heads": 8,
    "use_spatial_transformer": True,
    "legacy": False,
}


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout))
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import comfy.ldm.modules.diffusionmodules.openaimodel as unet
    import comfy.ops
    import comfy.sd1_clip
    import comfy.taesd.taesd as vae

    with torch.device("meta"):
        parts = {
            "model.diffusion_model.": unet.UNetModel(**UNET, operations=comfy.ops.disable_weight_init),
            "cond_stage_model.transformer.": comfy.sd1_clip.SDClipModel().transformer,
            "first_stage_model.": vae.TAESD(),
        }
    lines = []
    for prefix, module in parts.items():
        for name, tensor in module.state_dict().items():
            matrix = tensor.ndim > 1 and "embedding" not in name
            spread = math.sqrt(3 / tensor[0].numel()) if matrix else 0.1
            mean = float(tensor.ndim == 1 and name.endswith("weight"))
            shape = " ".join(map(str, tensor.shape))
            kind = "float16" if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")
            lines.append(f"{prefix}{name}\t{kind}\t{shape}\t{mean!r}\t{spread!r}")
    TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
