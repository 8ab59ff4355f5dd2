"""The adapters that every test here is run on. A new system adds a case: its network, seeded, at the toys' size."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

import editors
import factories
from host.adapt import cross, toys


@dataclass(frozen=True, eq=False)
class House:
    """The pack on ComfyUI, and what its nodes are called with."""

    nodes: dict[str, type]
    adapt: Any  # the pack's likeness.adapt; ``likeness`` itself is another copy
    binding: Any  # its nodes.adapt
    sampling: Any  # its nodes.sampling
    types: Any  # its likeness.types
    models: dict[str, Any] = field(default_factory=dict)
    tested: list[Case] = field(default_factory=list)  # the one case that a test is run on; see ``person``

    @classmethod
    def of(cls) -> House:
        import nodes

        found = nodes.NODE_CLASS_MAPPINGS
        binding = sys.modules[found["LikenessApplyIdentityAdapter"].__module__]
        types = sys.modules[binding.adapt.__name__.removesuffix("adapt") + "types"]
        return cls(found, binding.adapt, binding, binding.inside_sampler(), types)

    def model(self, kind: str) -> Any:
        """A MODEL, made once: nothing here may change it."""
        if kind not in self.models:
            self.models[kind] = toys.model(kind)
        return self.models[kind]

    def sizes(self, kind: str) -> dict[tuple, tuple[int, int]]:
        """Width and context of each transformer block of a toy."""
        blocks = self.sampling.transformer_blocks(self.model(kind))
        return {key: (len(block.norm2.weight), block.attn2.to_k.in_features) for key, block in blocks}

    def person(self, seed: int, faces: int = 1) -> dict[str, Any]:
        """Pictures of a made-up person, and what the tested adapter asks besides, as inputs of its node."""
        image = torch.stack([factories.photo(160, 160, seed + n) for n in range(faces)])
        more = self.tested[0].more(self, seed) if self.tested else {}
        return {"image": image, "faces": self.faces(faces), **more}

    def faces(self, count: int) -> Any:
        """The face in each picture of a made-up person."""
        index = torch.arange(count)
        points = torch.tensor([[55.0, 65], [105, 65], [80, 90], [60, 115], [100, 115]]).expand(count, 5, 2)
        box = torch.tensor([[30.0, 30, 130, 140]]).expand(count, 4)
        return self.types.Faces((160, 160), count, torch.zeros_like(index), index, box, torch.ones(count), points)

    def apply(self, model: Any, adapter: Any, weight=1.0, start=0.0, end=1.0, **inputs: Any) -> Any:
        """The MODEL that Apply Identity Adapter gives."""
        node = self.nodes["LikenessApplyIdentityAdapter"]
        with torch.inference_mode():
            (applied,) = node.execute(model, adapter, weight, start, end, **inputs).args
        return applied


@dataclass(frozen=True)
class Case:
    """An adapter to test."""

    name: str
    kind: str  # of the model it is for
    network: Callable[[House], Any]  # of the pack's classes, its weights seeded
    more: Callable[[House, int], dict[str, Any]] = lambda house, seed: {}  # inputs that it needs besides pictures


def fact(house: House) -> Any:
    """FaceChain-FACT with the toys' widths."""
    module = sys.modules[house.adapt.__name__ + ".facechain_fact"]
    by_key = house.sizes("sd15")
    blocks = {name: (*by_key[key], 4 * by_key[key][0]) for name, key in module.BLOCKS.items()}
    resampler = {"given": 32, "size": 64, "out": 48, "heads": 2, "hidden": 128, "queries": 4, "depth": 2}
    encoder = {"size": 32, "hidden": 64, "patch": 9, "patches": 144, "depth": 2}
    return toys.fill(module.FaceChainFACT(blocks, resampler, encoder))


def expression(house: House) -> Any:
    """Arc2Face's expression adapter with the toys' widths."""
    module = sys.modules[house.adapt.__name__ + ".arc2face_expression"]
    by_key = house.sizes("sd15")
    sizes = [by_key[key] for key in module.BLOCKS.values()]
    projection = {"size": module.SIZE, "context": sizes[0][1], "tokens": 4, "hidden": None}
    return toys.fill(module.ExpressionAdapter(dict(zip(module.NUMBERS, sizes, strict=True)), projection))


def expression_of(house: House, seed: int) -> dict[str, Any]:
    """A made-up expression."""
    numbers = torch.randn(1, 55, generator=torch.Generator().manual_seed(seed))
    return {"embeddings": house.types.Embeddings(None, "smirk_expression", numbers)}


def consistentid(house: House, kind: str) -> Any:
    """ConsistentID with the toys' widths."""
    module = sys.modules[house.adapt.__name__ + ".consistentid"]
    sizes, context = house.sizes(kind), toys.CONTEXT[kind]
    keys = sys.modules[house.adapt.__name__ + ".unet"].blocks(kind).values()
    processors = [(sizes[key][0], 4, width) for key in keys for width in (None, context)]
    seen = {"given": editors.LOOK, "heads": 1, "hidden": 64, "depth": 2}
    projector = {"identity": 512, "hidden": 64, "size": context, "tokens": 4, "perceiver": seen}
    parts = {**seen, "size": 32, "out": context, "queries": 1}
    network = toys.fill(module.ConsistentID(kind, projector, module.PROJECTORS[0], parts, processors))
    random = torch.Generator().manual_seed(1)
    for held in network.buffers():  # its LoRA
        held.copy_(torch.randn(held.shape, generator=random) * (0.5 / held.shape[1]) ** 0.5)
    return network


def told_of(house: House, seed: int) -> dict[str, Any]:
    """An identity, the parts of the face in ``House.person``'s one picture, and CLIP vision."""
    faces = house.faces(1)
    vectors = torch.randn(1, 512, generator=torch.Generator().manual_seed(seed))
    labels = torch.zeros(1, 64, 64, dtype=torch.uint8)
    for label, (top, left, height, width) in enumerate(
        ((8, 8, 48, 48), (20, 16, 6, 10), (30, 28, 10, 8), (44, 24, 4, 16)), 1
    ):
        labels[:, top : top + height, left : left + width] = label
    alignment = house.types.Alignment(faces, torch.tensor([[[0.4, 0, 0], [0, 0.4, 0]]]), "", 64)
    classes = ("background", "skin", "left_eye", "nose", "upper_lip")
    if "vision" not in house.models:
        house.models["vision"] = editors.vision(editors.LOOK)
    return {
        "embeddings": house.types.Embeddings(faces, "arcface-1", vectors),
        "parsing": house.types.ParsingMap(faces, alignment, classes, labels),
        "clip_vision": house.models["vision"],
    }


def pva(house: House) -> Any:
    """PVA with the toys' widths."""
    module = sys.modules[house.adapt.__name__ + ".pva"]
    by_key = house.sizes("sd2_inpaint")
    blocks = {name: by_key[key] for name, key in module.BLOCKS.items()}
    transform = {"given": 512, "size": toys.CONTEXT["sd2_inpaint"], "hidden": 64, "layers": 2, "queries": 4}
    return toys.fill(module.PVA(blocks, transform, 0))


def identity_of(house: House, seed: int) -> dict[str, Any]:
    """A made-up identity."""
    vectors = torch.randn(1, 512, generator=torch.Generator().manual_seed(seed))
    return {"embeddings": house.types.Embeddings(None, "arcface-1", vectors)}


def wplus(house: House) -> Any:
    """The W+ adapter with the toys' widths, for codes of 18 rows of 16 numbers."""
    module = sys.modules[house.adapt.__name__ + ".wplus_adapter"]
    by_key = house.sizes("sd15")
    widths = tuple(by_key[key][0] for key in module.BLOCKS)
    return toys.fill(module.WPlusAdapter((64, 64, 64, 96), toys.CONTEXT["sd15"], widths))


def code_of(house: House, seed: int) -> dict[str, Any]:
    """A made-up code."""
    code = torch.randn(1, 18 * 16, generator=torch.Generator().manual_seed(seed))
    return {"embeddings": house.types.Embeddings(None, "e4e_wplus-1", code, metric="l2", flat=True)}


CASES = (
    Case("facechain_fact", "sd15", fact),
    Case("arc2face_expression", "sd15", expression, expression_of),
    Case("consistentid_sd15", "sd15", lambda house: consistentid(house, "sd15"), told_of),
    Case("consistentid_sdxl", "sdxl", lambda house: consistentid(house, "sdxl"), told_of),
    Case("wplus_adapter", "sd15", wplus, code_of),
    Case("pva", "sd2_inpaint", pva, identity_of),
    Case("cross_sd15", "sd15", lambda house: toys.fill(cross.make(house.adapt, "sd15", house.sizes("sd15")))),
    Case("cross_sdxl", "sdxl", lambda house: toys.fill(cross.make(house.adapt, "sdxl", house.sizes("sdxl")))),
)
