"""The adapters that every test here is run on. A new system adds a case: its network, seeded, at the toys' size."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

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
        """Pictures of a made-up person, as inputs of Apply Identity Adapter."""
        image = torch.stack([factories.photo(160, 160, seed + n) for n in range(faces)])
        index = torch.arange(faces)
        points = torch.tensor([[55.0, 65], [105, 65], [80, 90], [60, 115], [100, 115]]).expand(faces, 5, 2)
        box = torch.tensor([[30.0, 30, 130, 140]]).expand(faces, 4)
        found = self.types.Faces((160, 160), faces, torch.zeros_like(index), index, box, torch.ones(faces), points)
        vectors = torch.randn(faces, 512, generator=torch.Generator().manual_seed(seed))
        return {"image": image, "faces": found, "embeddings": self.types.Embeddings(found, "arcface-1", vectors)}

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


def fact(house: House) -> Any:
    """FaceChain-FACT with the toys' widths."""
    module = sys.modules[house.adapt.__name__ + ".facechain_fact"]
    by_key = house.sizes("sd15")
    blocks = {name: (*by_key[key], 4 * by_key[key][0]) for name, key in module.BLOCKS.items()}
    resampler = {"given": 32, "size": 64, "out": 48, "heads": 2, "hidden": 128, "queries": 4, "depth": 2}
    encoder = {"size": 32, "hidden": 64, "patch": 9, "patches": 144, "depth": 2}
    return toys.fill(module.FaceChainFACT(blocks, resampler, encoder))


def pva(house: House) -> Any:
    """PVA with the toys' widths."""
    module = sys.modules[house.adapt.__name__ + ".pva"]
    by_key = house.sizes("sd2_inpaint")
    blocks = {name: by_key[key] for name, key in module.BLOCKS.items()}
    transform = {"given": 512, "size": toys.CONTEXT["sd2_inpaint"], "hidden": 64, "layers": 2, "queries": 4}
    return toys.fill(module.PVA(blocks, transform, 0))


CASES = (
    Case("facechain_fact", "sd15", fact),
    Case("pva", "sd2_inpaint", pva),
    Case("cross_sd15", "sd15", lambda house: toys.fill(cross.make(house.adapt, "sd15", house.sizes("sd15")))),
    Case("cross_sdxl", "sdxl", lambda house: toys.fill(cross.make(house.adapt, "sdxl", house.sizes("sdxl")))),
)
