"""What diffusers' own UNets give on the values of tests/denoiser.py: ``python tests/record/pipelines/denoisers.py``.

Writes tests/checkpoints/denoisers/golden.json; needs diffusers. Recorders of pipelines take their denoiser from here.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[3]))
import denoiser
import golden
import seeding

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
CONTEXT = {"sd15": 48, "sdxl": 64, "sd2_inpaint": 56}
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
POOLED, SIZE, STEPS, GUIDANCE = 32, (8, 8), 3, 4.0
SD15 = {
    "block_out_channels": (32, 64, 128, 128),
    "attention_head_dim": 8,  # diffusers' name for how many there are
}
UNETS = {
    "sd15": SD15,
    "sdxl": {
        "block_out_channels": (32, 64, 128),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (2, 4, 8),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": POOLED + 6 * 256,
    },
    "sd2_inpaint": {
        **SD15,
        "in_channels": 9,
        "attention_head_dim": (4, 8, 16, 16),
        "use_linear_projection": True,
    },
}


class Watched(EulerDiscreteScheduler):
    """A scheduler that keeps where its last step led."""

    def step(self, *given: Any, **more: Any) -> Any:
        made = super().step(*given, **more)
        self.latents = made[0].clone()
        return made

    def outputs(self) -> dict[str, torch.Tensor]:
        """What a golden keeps of a run."""
        return {
            "sigmas": self.sigmas,
            "start": torch.as_tensor(self.init_noise_sigma).reshape(1),
            "latents": self.latents,
        }


def unet(kind: str, context: int | None = None) -> UNet2DConditionModel:
    """A denoiser of a kind that toys.py knows; ``context`` is the text's width if it is another."""
    sizes = UNETS[kind] | {"cross_attention_dim": context or CONTEXT[kind], "sample_size": 64}
    made = UNet2DConditionModel(**sizes)
    made.load_state_dict({name: denoiser.value(name, held.shape) for name, held in made.state_dict().items()})
    return made.eval()


def scheduler() -> Watched:
    """Stable Diffusion's, whose steps core's euler takes too at the same sigmas."""
    return Watched(**BETAS, timestep_spacing="leading", steps_offset=1)


def pipeline(of: type, kind: str, context: int | None = None, steps: Watched | None = None, **more: Any) -> Any:
    """A pipeline of a class around a small denoiser, that speaks and knows no text; call it with ``call``."""
    down, up = ("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4
    vae = AutoencoderKL(down_block_types=down, up_block_types=up, block_out_channels=(32,) * 4)  # asked for its scale
    parts = {"vae": vae, "text_encoder": None, "tokenizer": None}
    if kind != "sdxl":
        more |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return of(**parts, unet=unet(kind, context), scheduler=steps or scheduler(), **more)


def call() -> dict[str, Any]:
    """What every pipeline is called with."""
    noise = seeded("noise", 1, 4, *SIZE)
    return {"height": 64, "width": 64, "output_type": "latent", "guidance_scale": GUIDANCE, "latents": noise}


def seeded(name: str, *shape: int) -> torch.Tensor:
    return seeding.noise(name, torch.Size(shape)).float()


def seed(module: torch.nn.Module, make: Callable[[], torch.nn.Module], layout: Path) -> dict[str, list]:
    """Give an adapter's module seeded values, and write its layout, by which the test makes the same.

    Args:
        module: Whose names are those of the published file.
        make: Makes it once more, with other random values.
        layout: Where to write it.

    Returns:
        Its constants, for the golden file.
    """
    rules = seeding.plan(make)
    module.load_state_dict(seeding.fill(module.state_dict(), rules))
    return golden.write_layout(layout, module.state_dict(), rules)


def sample(kind: str) -> dict[str, torch.Tensor]:
    """Where a few steps lead, and the sigmas they took."""
    network, steps = unet(kind), scheduler()
    steps.set_timesteps(STEPS)
    text = seeded("texts", 2, 77, CONTEXT[kind])  # the negative prompt first
    more, beside = {}, torch.zeros(1, 0, *SIZE)
    if kind == "sd2_inpaint":
        beside = torch.cat([seeded("mask", 1, 1, *SIZE) > 0, seeded("left", 1, 4, *SIZE)], 1)
    if kind == "sdxl":
        size = torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2)
        more = {"added_cond_kwargs": {"text_embeds": seeded("pooled", 2, POOLED), "time_ids": size}}
    x = seeded("noise", 1, 4, *SIZE) * steps.init_noise_sigma  # as a pipeline does with what it is given
    with torch.no_grad():
        for t in steps.timesteps:
            given = torch.cat([steps.scale_model_input(x, t), beside], 1)
            against, for_it = network(torch.cat([given] * 2), t, text, **more).sample.chunk(2)
            x = steps.step(against + GUIDANCE * (for_it - against), t, x).prev_sample
    return {f"{kind}.{name}": tensor for name, tensor in steps.outputs().items()}


def main() -> None:
    source = {"repository": "https://github.com/huggingface/diffusers", "version": diffusers.__version__}
    source["class"] = "UNet2DConditionModel, EulerDiscreteScheduler"
    outputs = {name: tensor for kind in UNETS for name, tensor in sample(kind).items()}
    golden.write_golden(CHECKPOINTS / "denoisers/golden.json", source, outputs)


if __name__ == "__main__":
    main()
