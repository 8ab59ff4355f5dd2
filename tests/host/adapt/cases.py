"""The adapters that every test here is run on. A new system adds a case: its network, seeded, at the toys' size."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

import factories
from host.adapt import cross, toys


@dataclass(eq=False)
class House:
    """The pack on ComfyUI, and what its nodes are called with."""

    nodes: dict[str, type]
    adapt: Any  # the pack's likeness.adapt; ``likeness`` itself is another copy
    binding: Any  # its nodes.adapt
    sampling: Any  # its nodes.sampling
    types: Any  # its likeness.types
    models: dict[str, Any] = field(default_factory=dict)
    known: dict[int, tuple] = field(default_factory=dict)  # identities by the id of the pictures that they are of

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
        return {"image": image, "faces": found}

    def identity(self, image: torch.Tensor, space: str, size: int) -> Any:
        """The identity in some pictures, the same as long as they live: numbers by their colours."""
        held, found = self.known.get(id(image), (lambda: None, None))
        if held() is not image:
            seed = int(image.double().sum() * 1e6) % 2**31
            vector = torch.randn(1, size, generator=torch.Generator().manual_seed(seed))
            flat = space.startswith("e4e")
            found = self.types.Embeddings(None, f"{space}-1", vector, "l2" if flat else "cosine", flat=flat)
            self.known = {key: entry for key, entry in self.known.items() if entry[0]() is not None}
            self.known[id(image)] = weakref.ref(image), found
        return found

    def apply(self, model: Any, adapter: Any, weight=1.0, start=0.0, end=1.0, **inputs: Any) -> Any:
        """The MODEL that Apply Identity Adapter gives."""
        node = self.nodes["LikenessApplyIdentityAdapter"]
        space, size = SPACES.get(adapter.network.title, ("", 0))
        if space and "image" in inputs and "embeddings" not in inputs:
            inputs["embeddings"] = self.identity(inputs["image"], space, size)
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


def wplus(house: House) -> Any:
    """The W+ adapter with the toys' widths, for codes of 18 rows of 16 numbers."""
    module = sys.modules[house.adapt.__name__ + ".wplus_adapter"]
    by_key = house.sizes("sd15")
    widths = tuple(by_key[key][0] for key in module.BLOCKS)
    return toys.fill(module.WPlusAdapter((64, 64, 64, 96), toys.CONTEXT["sd15"], widths))


# Of adapters that take an identity: the space that it is of, and how many numbers it has at the toys' size.
SPACES = {"W+ adapter": ("e4e_wplus", 18 * 16)}
CASES = (
    Case("facechain_fact", "sd15", fact),
    Case("wplus_adapter", "sd15", wplus),
    Case("cross_sd15", "sd15", lambda house: toys.fill(cross.make(house.adapt, "sd15", house.sizes("sd15")))),
    Case("cross_sdxl", "sdxl", lambda house: toys.fill(cross.make(house.adapt, "sdxl", house.sizes("sdxl")))),
)
