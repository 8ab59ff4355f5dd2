"""ComfyUI's text encoders as adapters ask for them."""

from typing import Any

import folder_paths
import torch

from ..likeness.adapt import ClipText, Phase
from ..likeness.adapt.words import Lines


class Text:
    """A CLIP of ComfyUI's as the library's ``TextEncoder``."""

    def __init__(self, clip: Any) -> None:
        self.clip, self.patcher = clip, clip.patcher

    def tokenize(self, text: str) -> Lines:
        return self.clip.tokenize(text)

    def encode(self, lines: Lines) -> Phase:
        if self.clip.use_clip_schedule and self.clip.patcher.forced_hooks is not None:
            raise ValueError(
                "Expected one CLIP for the whole sampling, got one that hooks change on the way: switch schedule_clip "
                "off in Set CLIP Hooks."
            )
        made = self.clip.encode_from_tokens(lines, return_pooled=True, return_dict=True)
        return Phase(made.pop("cond"), made.pop("pooled_output"), more=made)


def make(given: ClipText) -> Text:
    """The text encoder that an adapter brings along, in ComfyUI's hands."""
    try:
        import comfy.sd
    except ImportError as error:
        raise RuntimeError(
            "Expected ComfyUI, whose CLIP this adapter's text encoder is, got its stand-ins: set COMFYUI_PATH to a "
            "ComfyUI and COMFYUI_PYTHON to its interpreter, and run the workflow with that."
        ) from error
    sizes = {
        "num_hidden_layers": given.layers,
        "hidden_size": given.width,
        "num_attention_heads": given.heads,
        "intermediate_size": given.hidden,
    }
    tensors = {"text_projection.weight": torch.eye(given.width), **given.tensors}  # core's has one, SD 1.5 reads none
    folders = folder_paths.get_folder_paths("embeddings")
    return Text(
        comfy.sd.load_text_encoder_state_dicts(
            [tensors], folders, comfy.sd.CLIPType.STABLE_DIFFUSION, {"model_config": sizes}
        )
    )


def conditioning(phases: list[Phase]) -> list[list[Any]]:
    """CONDITIONING: each phase for its stretch of the sampling."""
    made = []
    for phase in phases:
        stretch = {"start_percent": phase.start, "end_percent": phase.end}
        whole = (phase.start, phase.end) == (0.0, 1.0)
        made.append([phase.cond, {"pooled_output": phase.pooled, **phase.more, **({} if whole else stretch)}])
    return made
