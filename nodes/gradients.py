"""A denoiser of ComfyUI's, and its text encoder, as something that gradients pass through.

ComfyUI makes a model's tensors in inference mode, and autograd refuses those: both are copied. The copies are under
ComfyUI's memory manager like any model; the originals are put aside meanwhile and stay as they were.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comfy.model_management
import torch
from comfy.ldm.modules.attention import attention_pytorch
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ..likeness.adapt import Site, fine_tuning, pva
from ..likeness.adapt.person import Key
from . import sampling

MASKED = ("mask", "masked_image")  # what an inpainting model is told besides


class Pictures:
    """What a denoiser learns to inpaint: (N, 2, ...) pictures as they are and mirrored."""

    def __init__(self, vae: Any, image: Tensor, mask: Tensor) -> None:
        image, mask = (torch.stack([held, held.flip(2)], 1).flatten(0, 1) for held in (image, mask))
        grey = (image - 0.5) * (1 - mask[..., None]) + 0.5  # as core's InpaintModelConditioning does
        self.latents, self.masked = (vae.encode(held).unflatten(0, (-1, 2)) for held in (image, grey))
        self.mask = mask[:, None].unflatten(0, (-1, 2))


class Denoiser:
    """A copy of an inpainting model that shows whom a ``PVA`` in training says."""

    def __init__(self, model: ModelPatcher, clip: Any, pictures: Pictures, prompt: str) -> None:
        self.model, self.clip = own_copy(model), clip.clone()
        self.clip.patcher = own_copy(clip.patcher)
        self.clip.cond_stage_model = self.clip.patcher.model
        for module in self.clip.cond_stage_model.modules():
            if isinstance(module, nn.LayerNorm):  # core adds to its input in place, which its gradient still needs
                module.register_forward_pre_hook(lambda _, given: (given[0].clone(), *given[1:]))
        self.lines = Lines(clip, prompt)
        self.device = self.model.load_device
        if dtype := compute_dtype(model):
            self.model.set_model_compute_dtype(dtype)
        comfy.model_management.load_models_gpu([self.model, self.clip.patcher], 1e20, force_full_load=True)
        self.latents = self.model.model.process_latent_in(pictures.latents.clone().to(self.device).float())
        self.masked, self.mask = (held.clone().to(self.device).float() for held in (pictures.masked, pictures.mask))

    def projections(self) -> dict[Key, tuple[Tensor, Tensor, Tensor]]:
        """The weights of each block's cross-attention, LoRAs included."""
        blocks = {key: block.attn2 for key, block in sampling.transformer_blocks(self.model)}
        return {key: (attn.to_q.weight, attn.to_k.weight, attn.to_v.weight) for key, attn in blocks.items()}

    def loss(self, network: pva.PVA) -> fine_tuning.Loss:
        """How wrong its output is, in its own measure: the noise, or the velocity.

        Args:
            network: What shows the person, on the denoiser's device.
        """
        _, blocks = network.split()

        def measure(lesson: fine_tuning.Lesson, tokens: Tensor, share: float, random: torch.Generator) -> Tensor:
            latent, masked, mask = (
                held[lesson.target, int(lesson.mirrored)][None] for held in (self.latents, self.masked, self.mask)
            )
            base, scale = self.model.model, self.model.model.model_sampling
            time = torch.tensor([share * scale.num_timesteps], device=self.device).floor()
            sigma = scale.sigma(time)
            noise = torch.randn(latent.shape, generator=random).to(latent)
            told = base.extra_conds(
                noise=noise,
                device=self.device,
                latent_image=latent,
                concat_latent_image=masked,
                concat_mask=mask[:, 0],
                cross_attn=self.encode(network.modifier_vec).to(self.device),
            )
            given = {name: held.cond for name, held in told.items()}
            noisy = scale.noise_scaling(sigma.reshape(1, 1, 1, 1), noise, latent, False)
            made = base.apply_model(noisy, sigma, **given, transformer_options=self.options(blocks, tokens, sigma))
            unit = torch.ones_like(noise)
            slope = scale.calculate_denoised(sigma, unit, torch.zeros_like(noise))  # of what is made, by the output
            wrong = ((made - latent) / slope).square()
            inside = given["c_concat"][:, :1].expand_as(wrong)
            return torch.stack([wrong.mean(), (wrong * inside).sum() / inside.sum().clamp(min=1)])

        return measure

    def options(self, blocks: dict[Key, nn.Module], tokens: Tensor, sigma: Tensor) -> dict:
        """The model's own transformer options, with the person in each block's cross-attention."""
        options = dict(self.model.model_options.get("transformer_options", {}))
        options |= {"cond_or_uncond": [0], "uuids": [None], "sigmas": sigma}
        # Faster attentions than PyTorch's own have no backward pass.
        options["optimized_attention_override"] = lambda _, *given, **more: attention_pytorch(*given, **more)
        patches = dict(options.get("patches", {}))
        patches["attn2_patch"] = [*patches.get("attn2_patch", []), sampling.keep_input]
        replaced = dict(options.get("patches_replace", {}))
        under = replaced.get("attn2", {})
        replaced["attn2"] = {
            key: Shown(block, tokens, under.get(key, under.get(key[:2]))) for key, block in blocks.items()
        }
        return options | {"patches": patches, "patches_replace": replaced}

    def encode(self, word: Tensor) -> Tensor:
        """(1, L, D) the prompt with a vector for its word."""
        encoder = self.clip.cond_stage_model
        encoder.reset_clip_options()
        if self.clip.layer_idx is not None:
            encoder.set_clip_options({"layer": self.clip.layer_idx})
        encoder.set_clip_options({"execution_device": self.clip.patcher.load_device})
        return encoder.encode_token_weights(self.lines.say(word))[0]

    def close(self) -> None:
        """Take the copies out of the memory manager's hands."""
        for patcher in (self.model, self.clip.patcher):
            loaded = comfy.model_management.current_loaded_models
            loaded[:] = [held for held in loaded if held.model is None or not patcher.is_clone(held.model)]
            patcher.detach()


class Shown:
    """A block's cross-attention while it is trained, in float32."""

    def __init__(self, block: nn.Module, tokens: Tensor, under: Any) -> None:
        self.block, self.tokens, self.under = block, tokens, under

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, options: dict) -> Tensor:
        whole = [held.float() for held in (options[sampling.INPUT], q, k, v)]
        plain = Site(whole[0], options["n_heads"], None, *whole[1:])

        def before() -> Tensor:
            if self.under is not None:
                return self.under(q, k, v, options).float()
            return plain.attention(*whole[1:])

        site = Site(whole[0], options["n_heads"], None, *whole[1:], before)
        return self.block(site, self.tokens, 1.0).to(q.dtype)


class Lines:
    """A prompt in the text encoder's tokens, with a place for one word's vector."""

    def __init__(self, clip: Any, prompt: str) -> None:
        self.kind = getattr(clip.cond_stage_model, "clip", "")  # "clip_l" or "clip_h"
        self.encoder = getattr(clip.cond_stage_model, self.kind, None)
        if self.encoder is None or not hasattr(self.encoder, "transformer"):
            raise ValueError(
                f"Expected the CLIP of a Stable Diffusion checkpoint, got {type(clip.cond_stage_model).__name__}: "
                "connect that of the inpainting checkpoint."
            )
        before, word, after = prompt.partition(fine_tuning.WORD)
        if not word or fine_tuning.WORD in after:
            raise ValueError(
                f'Expected a prompt with {fine_tuning.WORD} once, got "{prompt}": write where the word is.'
            )
        self.end = self.encoder.special_tokens["end"]
        (self.name,) = clip.tokenize("")
        first, line = (clip.tokenize(text)[self.name][0] for text in (before, f"{before} {after}"))
        self.place = ends(first, self.end)
        if ends(line, self.end) > len(line) - 2 or first[: self.place] != line[: self.place]:
            raise ValueError(
                f'Expected a short prompt with {fine_tuning.WORD} outside of brackets, got "{prompt}": write less.'
            )
        self.line = [*line[: self.place], None, *line[self.place : -1]]

    def say(self, word: Tensor) -> dict:
        """The tokens, with (D,) a vector for the word."""
        return {self.name: [[(word, 1.0) if pair is None else pair for pair in self.line]]}

    def begin(self) -> Tensor:
        """(D,) what the word begins as: the end of a text, which CLIP's tokenizer takes for words it does not know."""
        return self.encoder.transformer.get_input_embeddings().weight[self.end].float().cpu().clone()


def ends(line: list, end: int) -> int:
    """Where a tokenized text ends."""
    return [token for token, *_ in line].index(end)


def own_copy(model: ModelPatcher) -> ModelPatcher:
    """A patcher with weights of its own, whose tensors autograd takes; to be called outside of inference mode."""
    comfy.model_management.unload_model_and_clones(model, unload_additional_models=False)
    if model.is_dynamic():
        return model.clone(disable_dynamic=True)  # core reads the file again
    known = {}  # what the copy has none of, or the same: its patcher, and how it is configured
    for name, kept in (("current_patcher", None), ("model_config", getattr(model.model, "model_config", None))):
        if (held := getattr(model.model, name, None)) is not None:
            known[id(held)] = kept
    mine = model.clone(model_override=(copy.deepcopy(model.model, known), ({}, {}, {}, set())))
    mine.parent = None  # or core would take the original for loaded when the copy is gone
    return mine


def compute_dtype(model: ModelPatcher) -> torch.dtype | None:
    """What the copy computes in: as the model does, but for float16, in which gradients vanish; None: as it is."""
    if model.model.get_dtype_inference() != torch.float16:
        return None
    return torch.bfloat16 if comfy.model_management.should_use_bf16(model.load_device) else torch.float32


def check_inpainting(model: ModelPatcher) -> None:
    """Raise ValueError unless it is an inpainting model with the blocks that PVA works in, and shows nobody yet."""
    found = {key for key, _ in sampling.transformer_blocks(model)}
    told = tuple(getattr(model.model, "concat_keys", ()))
    if found != set(pva.BLOCKS.values()) or told != MASKED:
        kind = type(model.model.model_config).__name__
        what = "one that is told of no mask" if told != MASKED else f"{len(found)} attention blocks"
        raise ValueError(
            f"Expected an inpainting model of Stable Diffusion 2 or 1.5, got {kind} with {what}: load such a "
            "checkpoint."
        )
    if sampling.PEOPLE in model.model_options["transformer_options"]:
        raise ValueError(
            "Expected a model that shows nobody yet, got one from Apply Identity Adapter: connect the model before it."
        )


@contextmanager
def training() -> Iterator[None]:
    """Where gradients are made, though ComfyUI runs nodes in inference mode."""
    with torch.inference_mode(False), torch.enable_grad():
        comfy.model_management.in_training = True
        try:
            yield
        finally:
            comfy.model_management.in_training = False
