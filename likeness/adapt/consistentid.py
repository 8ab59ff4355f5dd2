"""ConsistentID: four tokens of a face beside the text, its parts inside the text, and a LoRA on every attention.

"ConsistentID: Portrait Generation with Multimodal Fine-Grained Identity Preserving", https://arxiv.org/abs/2404.16771,
https://github.com/JackAILab/ConsistentID (MIT). Files for Stable Diffusion 1.5 (the projector is called image_proj) and
SDXL (image_proj_model), on Hugging Face under MIT. The identity is buffalo_l's, whose weights are for research only.

The published scale acts on the four tokens; the LoRA is on wherever the adapter is. The authors' SD 1.5 pipeline shows
insightface red and blue swapped; neither training nor the SDXL pipeline does, so here the identity is as in training.
The SDXL pipeline adds the projector's first tokens to its last, which SD 1.5's does not.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..weights import StateDict, System, UnsupportedCheckpointError, count
from . import unet
from .facechain_fact import HEAD_SIZE
from .facial_encoder import FacialEncoder, Projector
from .facial_parts import look, picture
from .facial_words import FacialWords
from .person import Key, Person, Site, Tokens

TITLE = "ConsistentID"
IDENTITY, WEIGHTS = "arcface", "arcface/w600k_r50"  # how the name of the space begins, and buffalo_l's recogniser
BASES = {"sd15": "Stable Diffusion 1.5", "sdxl": "SDXL"}
MODELS = {len(unet.blocks(model)): model for model in BASES}  # by how many transformer blocks there are
PROJECTORS = ("image_proj", "image_proj_model")
LORA = ("to_q", "to_k", "to_v", "to_out")


class Matrix(nn.Module):
    """A weight that is no parameter: the host's own LoRA takes it, and no device needs to hold it."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", torch.empty(rows, columns))


class Lora(nn.Module):
    def __init__(self, given: int, rank: int, out: int) -> None:
        super().__init__()
        self.down, self.up = Matrix(rank, given), Matrix(out, rank)


class Processor(nn.Module):
    """What the file holds of an attention: its LoRA, and of a cross-attention keys and values of the face's tokens."""

    def __init__(self, width: int, rank: int, context: int | None) -> None:
        super().__init__()
        for name in LORA:
            self.add_module(f"{name}_lora", Lora(context or width if name in ("to_k", "to_v") else width, rank, width))
        if context:
            self.to_k_ip, self.to_v_ip = (nn.Linear(context, width, bias=False) for _ in range(2))


class ImageBranch(nn.Module):
    """A block's second cross-attention: the text's queries look at the face's tokens, by a softmax of their own."""

    def __init__(self, to_k: nn.Linear, to_v: nn.Linear) -> None:
        super().__init__()
        self.width, self.context = to_k.out_features, to_k.in_features
        self.to_k_ip, self.to_v_ip = to_k, to_v

    def forward(self, site: Site, tokens: Tensor, weight: float) -> Tensor:
        queries: Any = site.q  # at this hook there always are some
        return site.text + weight * site.attention(queries, self.to_k_ip(tokens), self.to_v_ip(tokens))


class FaceReader(nn.Module):
    """A person's face as tokens."""

    def __init__(self, projector: Projector) -> None:
        super().__init__()
        self.projector = projector

    def encode(self, person: Person) -> Tokens:
        """Four tokens of the person's one face."""
        identity = read_identity(person, self.projector.identity)
        image, _ = picture(person, TITLE)
        size = self.projector.perceiver_resampler.proj_in.in_features
        looks = look(person, image, size, TITLE), look(person, None, size, TITLE)
        given = self.projector.norm.weight  # where the network is by now
        seen, unseen = (each.to(given) for each in looks)
        tokens = self.projector(identity.to(given), seen), self.projector(identity.to(given) * 0, unseen)
        return Tokens(*(each[0].cpu() for each in tokens))


class ConsistentID(nn.Module):
    title, hook, negative = TITLE, "attn2", "nobody"
    parts: ClassVar = {
        "image_proj": "its projector (image_proj)",
        "FacialEncoder.": "its encoder of facial parts (FacialEncoder)",
        "adapter_modules.": "its attention processors (adapter_modules)",
    }

    def __init__(
        self,
        model: str,
        projector: dict[str, Any],
        name: str,
        parts: dict[str, int],
        processors: list[tuple[int, int, int | None]],
    ) -> None:
        super().__init__()
        self.model, self.base, self.projector = model, BASES[model], name
        self.add_module(name, Projector(**projector, shortcut=model == "sdxl"))
        self.FacialEncoder = FacialEncoder(parts)
        self.adapter_modules = nn.ModuleList(Processor(*sizes) for sizes in processors)

    def split(self) -> tuple[FaceReader, dict[Key, ImageBranch]]:
        crossed: Any = zip(unet.blocks(self.model).values(), self.adapter_modules[1::2], strict=True)
        projector: Any = self.get_submodule(self.projector)
        return FaceReader(projector), {key: ImageBranch(held.to_k_ip, held.to_v_ip) for key, held in crossed}

    def words(self) -> FacialWords:
        return FacialWords(self.FacialEncoder, self.model)

    def text_encoder(self) -> None:
        """It takes the model's."""

    def lora(self) -> dict[str, Tensor]:
        """The LoRA on the attentions, named as diffusers names one of a UNet."""
        places = (f"unet.{name}.attn{n}.processor" for name in unet.blocks(self.model) for n in (1, 2))
        found = {}
        for place, held in zip(places, self.adapter_modules, strict=True):
            for name, weight in held.named_buffers():
                found[f"{place}.{name}"] = weight
        return found


def read_identity(person: Person, size: int) -> Tensor:
    """(1, D) the person's identity, of unit length.

    Raises:
        ValueError: There is none, are several, or it is of other weights than the adapter was trained with.
    """
    known = person.identities(TITLE, IDENTITY, WEIGHTS)
    if known.embedding.shape[1] != size:
        raise ValueError(
            f"Expected an identity of {size} numbers, as {WEIGHTS} gives it, got {known.embedding.shape[1]} of "
            f"{known.space}: choose that model in Load Face Embedder."
        )
    if len(known) > 1:
        raise ValueError(
            f"Expected one identity, got {len(known)}: {TITLE} takes one; average them with Fuse Identity, or embed "
            "one face."
        )
    return known.normed_embedding


def hparams(state_dict: StateDict) -> dict[str, Any]:
    name = PROJECTORS[f"{PROJECTORS[1]}.norm.weight" in state_dict]
    size = len(state_dict[f"{name}.norm.weight"])
    parts = "FacialEncoder.visual_projection"
    hidden, identity = state_dict[f"{name}.proj.0.weight"].shape
    _, queries, width = state_dict[f"{parts}.latents"].shape
    processors: list[tuple[int, int, int | None]] = []
    pairs = count(state_dict, "adapter_modules") // 2
    if pairs not in MODELS:
        raise UnsupportedCheckpointError(
            f"Expected attention processors of {' or '.join(map(str, MODELS))} blocks, got {pairs}: get the file again."
        )
    for index in range(2 * pairs):
        rank, out = (state_dict[f"adapter_modules.{index}.to_q_lora.{way}.weight"] for way in ("down", "up"))
        ip = state_dict.get(f"adapter_modules.{index}.to_k_ip.weight")
        processors.append((len(out), len(rank), None if ip is None else ip.shape[1]))
    return {
        "model": MODELS[pairs],
        "name": name,
        "projector": {
            "identity": identity,
            "hidden": hidden,
            "size": size,
            "tokens": len(state_dict[f"{name}.proj.2.weight"]) // size,
            "perceiver": read_perceiver(state_dict, f"{name}.perceiver_resampler"),
        },
        "parts": {
            **read_perceiver(state_dict, parts),
            "size": width,
            "out": len(state_dict[f"{parts}.proj_out.weight"]),
            "queries": queries,
        },
        "processors": processors,
    }


def read_perceiver(state_dict: StateDict, prefix: str) -> dict[str, int]:
    return {
        "given": state_dict[f"{prefix}.proj_in.weight"].shape[1],
        "heads": len(state_dict[f"{prefix}.layers.0.0.to_q.weight"]) // HEAD_SIZE,
        "hidden": len(state_dict[f"{prefix}.layers.0.1.1.weight"]),
        "depth": count(state_dict, f"{prefix}.layers"),
    }


SYSTEM = System(
    name="consistentid",
    keys=("adapter_modules.1.to_k_lora.up.weight", "adapter_modules.1.to_k_ip.weight"),
    hparams=hparams,
    network=ConsistentID,
)
