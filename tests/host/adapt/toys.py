"""Denoisers built as SD 1.5, SD 2 inpainting, SDXL, a hundredth as wide, of core's own classes, with seeded weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

import denoiser

CONTEXT = {"sd15": 48, "sdxl": 64, "sd2_inpaint": 56}  # width of the text
POOLED = 32
WIDTH = 32  # channels of the first level
HEADS = ("num_heads", "num_head_channels")
COMMON = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": WIDTH,
    "use_spatial_transformer": True,
    "legacy": False,
    "use_temporal_attention": False,
}
SD15 = {
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "transformer_depth_middle": 1,
    "context_dim": CONTEXT["sd15"],
    "use_linear_in_transformer": False,
    "num_heads": 8,
    "num_head_channels": -1,
    "adm_in_channels": None,
}
SDXL = {
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "transformer_depth_middle": 10,
    "context_dim": CONTEXT["sdxl"],
    "use_linear_in_transformer": True,
    "num_heads": -1,
    "num_head_channels": 16,
    "num_classes": "sequential",
    "adm_in_channels": POOLED + 6 * 256,
}
SD2_INPAINT = {
    **SD15,
    "in_channels": 9,  # the latents, the mask, and what it leaves
    "context_dim": CONTEXT["sd2_inpaint"],
    "use_linear_in_transformer": True,
    "num_heads": -1,
    "num_head_channels": 8,
}
FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 32,
    "context_in_dim": 64,
    "hidden_size": 48,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [8, 8, 8],
    "txt_ids_dims": [],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": False,
}
CONFIGS = {"sd15": {**COMMON, **SD15}, "sdxl": {**COMMON, **SDXL}, "flux": FLUX}
CONFIGS["sd2_inpaint"] = {**COMMON, **SD2_INPAINT}


def model(kind: str, dtype: torch.dtype = torch.float32, width: int = WIDTH, context: int | None = None) -> Any:
    """A MODEL: "sd15", "sdxl", "sd2_inpaint" or "flux"; ``width`` is a UNet's first level's, ``context`` its text's."""
    import comfy.model_management
    import comfy.model_patcher
    import comfy.supported_models

    wide = {} if kind == "flux" else {"model_channels": width, "context_dim": context or CONTEXT[kind]}
    build = {"sd15": "SD15", "sdxl": "SDXL", "sd2_inpaint": "SD20", "flux": "Flux"}[kind]
    config = getattr(comfy.supported_models, build)({**CONFIGS[kind], **wide, "dtype": dtype})
    config.unet_config |= {name: CONFIGS[kind][name] for name in HEADS if name in CONFIGS[kind]}  # a build has its own
    config.set_inference_dtype(dtype, None)
    network = config.get_model({}, "")
    fill(network.diffusion_model)
    if kind != "flux":
        network.diffusion_model.out[2].weight.data *= 0.05  # what it makes has a deviation near 1
    device = comfy.model_management.get_torch_device()
    network.to(device)
    return comfy.model_patcher.CoreModelPatcher(network, device, comfy.model_management.unet_offload_device())


def fill(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give a network seeded weights that keep a signal's size: gains near 1, matrices by their fan-in."""
    random = torch.Generator().manual_seed(seed)
    for name, held in network.named_parameters():
        spread = 1 / math.sqrt(held[0].numel()) if held.ndim > 1 else 0.1
        value = torch.randn(held.shape, generator=random) * spread
        held.data = (value + (held.ndim == 1 and name.endswith("weight"))).to(held.dtype)
    return network.requires_grad_(False)


def recorded(kind: str, context: int | None = None) -> Any:
    """A MODEL with the values that tests/denoiser.py gives diffusers' UNet of the same size."""
    import comfy.utils

    made = model(kind, context=context)
    network, config = made.model.diffusion_model, made.model.model_config.unet_config
    names, layout = comfy.utils.unet_to_diffusers(config), network.state_dict()
    # ComfyUI names an embedding twice: that of a class is another model's
    ours = {core: theirs for theirs, core in names.items() if not theirs.startswith("class_embedding")}
    network.load_state_dict({core: denoiser.value(ours[core], held.shape) for core, held in layout.items()})
    return made


def text(kind: str, seed: int, **more: Any) -> list:
    """CONDITIONING: 77 seeded tokens."""
    random = torch.Generator().manual_seed(seed)
    pooled = {"pooled_output": torch.randn(1, POOLED, generator=random)} if kind == "sdxl" else {}
    return [[torch.randn(1, 77, CONTEXT[kind], generator=random), {**pooled, **more}]]


def sample(
    model: Any,
    positive: list,
    negative: list,
    size: tuple[int, int] = (8, 8),
    batch: int = 1,
    cfg: float = 4.0,
    steps: int = 2,
) -> Tensor:
    """(B, 4, H, W) what core's KSampler makes of nothing; ``size`` is the latent's."""
    import nodes

    latent = {"samples": torch.zeros(batch, 4, *size)}
    with torch.inference_mode():
        (made,) = nodes.common_ksampler(model, 1, steps, cfg, "euler", "simple", positive, negative, latent)
    return made["samples"]


def follow(model: Any, x: Tensor, sigmas: Tensor, positive: list, negative: list, cfg: float) -> Tensor:
    """(B, 4, H, W) where Euler's steps lead, as a pipeline of diffusers counts them.

    Args:
        model: The MODEL.
        x: (B, 4, H, W) latents at the first of the sigmas, as its scheduler holds them.
        sigmas: (T + 1,) of the scheduler, the last 0.
        positive: CONDITIONING.
        negative: CONDITIONING.
        cfg: The guidance's scale.
    """
    import comfy.k_diffusion.sampling as steps
    import comfy.samplers

    def start(denoise: Any, _: Tensor, sigmas: Tensor, **more: Any) -> Tensor:
        return steps.sample_euler(denoise, x.to(sigmas), sigmas, **more)

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    with torch.inference_mode():
        made = guider.sample(x, torch.zeros_like(x), comfy.samplers.KSAMPLER(start), sigmas, disable_pbar=True)
    return model.model.process_latent_in(made)


def controlnet(kind: str) -> Any:
    """A CONTROL_NET for a toy."""
    import comfy.cldm.cldm
    import comfy.controlnet
    import comfy.ops

    given = {key: value for key, value in CONFIGS[kind].items() if key not in ("out_channels",)} | {"in_channels": 4}
    depths = given.pop("transformer_depth_output") and given
    network = comfy.cldm.cldm.ControlNet(**depths, hint_channels=3, operations=comfy.ops.manual_cast)
    return comfy.controlnet.ControlNet(fill(network, 3), global_average_pooling=False)


def clip() -> Any:
    """A CLIP of SD 2's build, as wide as the toy's text, with its own tokenizer."""
    import comfy.sd
    import comfy.supported_models_base
    import comfy.text_encoders.sd2_clip as sd2

    target = comfy.supported_models_base.ClipTarget(sd2.SD2Tokenizer, sd2.SD2ClipModel)
    size = CONTEXT["sd2_inpaint"]
    sizes = {"hidden_size": size, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3}
    made = comfy.sd.CLIP(target, model_options={"clip_h_model_config": {**sizes, "projection_dim": size}})
    fill(made.cond_stage_model, 7)
    return made


def vae() -> Any:
    """The tiny VAE, of core's own build."""
    import comfy.sd
    import comfy.taesd.taesd

    return comfy.sd.VAE(sd=fill(comfy.taesd.taesd.TAESD(), 8).state_dict())
