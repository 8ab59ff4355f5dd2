"""A bias experiment through core's own nodes: lists of prompts and seeds become a batch of faces in their order."""

import zlib

import numpy as np
import torch
from PIL import Image

WIDTH = 32  # of the conditioning
# Stable Diffusion 1.5's network, of a size that fits a test.
UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1],
    "channel_mult": [1],
    "transformer_depth": [1],
    "transformer_depth_output": [1, 1],
    "transformer_depth_middle": 1,
    "context_dim": WIDTH,
    "num_heads": 2,
    "num_head_channels": -1,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": False,
    "use_temporal_attention": False,
    "use_temporal_resblock": False,
    "adm_in_channels": None,
    "legacy": False,
    "dtype": torch.float32,
}


class Words:
    """Stands in for CLIP: each text has its own conditioning."""

    def tokenize(self, text):
        return text

    def encode_from_tokens_scheduled(self, text):
        generator = torch.Generator().manual_seed(zlib.crc32(text.encode()))
        return [[torch.randn(1, 4, WIDTH, generator=generator), {}]]


class Pixels:
    """Stands in for a VAE: three of the latent's channels."""

    def decode(self, samples):
        return samples[:, :3].movedim(1, -1).sigmoid()


class Tiny:
    """A node that gives a small network with seeded weights."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL", "CLIP", "VAE"), "make", "tests"

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - ComfyUI's name
        return {"required": {}}

    def make(self):
        import comfy.model_patcher
        import comfy.supported_models

        torch.manual_seed(0)
        model = comfy.supported_models.SD15(dict(UNET)).get_model({}, "", device="cpu")
        for weight in model.parameters():
            torch.nn.init.normal_(weight, 0, 0.1)
        cpu = torch.device("cpu")
        return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu), Words(), Pixels()


def test_prompts_and_seeds_run_through_cores_nodes_in_step(session, base, monkeypatch):
    import nodes

    monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, "Tiny", Tiny)

    def node(kind: str, **inputs: object) -> dict:
        return {"class_type": kind, "inputs": inputs}

    design = {"prompt": "a {age} {race} face", "groups": "race: x, y", "factors": "age: young, old", "seeds": 2}
    sampler = {"steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    prompt = {
        "tiny": node("Tiny"),
        "design": node("LikenessDesignExperiment", **design),
        "text": node("CLIPTextEncode", clip=["tiny", 1], text=["design", 0]),
        "none": node("CLIPTextEncode", clip=["tiny", 1], text=""),
        "latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "sample": node(
            "KSampler",
            model=["tiny", 0],
            seed=["design", 1],
            positive=["text", 0],
            negative=["none", 0],
            latent_image=["latent", 0],
            **sampler,
        ),
        "decode": node("VAEDecode", samples=["sample", 0], vae=["tiny", 2]),
        "batch": node("RebatchImages", images=["decode", 0], batch_size=4096),
        "shown": node("PreviewImage", images=["batch", 0]),
        "column": node("LikenessTableColumn", table=["design", 2], column="seed"),
        "again": node(
            "KSampler",
            **{
                "model": ["tiny", 0],
                "seed": ["column", 0],
                "positive": ["text", 0],
                "negative": ["none", 0],
                "latent_image": ["latent", 0],
                **sampler,
            },
        ),
        "decode_again": node("VAEDecode", samples=["again", 0], vae=["tiny", 2]),
        "batch_again": node("RebatchImages", images=["decode_again", 0], batch_size=4096),
        "shown_again": node("PreviewImage", images=["batch_again", 0]),
    }
    shown = session.run(prompt)
    first, second = ([read(base, file) for file in shown[name]["images"]] for name in ("shown", "shown_again"))
    assert len(first) == len(second) == 2 * 2 * 2
    for a, b in zip(first, second, strict=True):  # the seeds of the column are the seeds of the design
        np.testing.assert_array_equal(a, b)
    # Rows: group x seed 0 (young, old), group x seed 1, group y seed 0, group y seed 1; noise is the seed's.
    same_seed = [distance(first[0], first[n]) for n in (1, 4, 5)]
    other_seed = [distance(first[0], first[n]) for n in (2, 3, 6, 7)]
    assert min(same_seed) > 0
    assert max(same_seed) < 0.7 * min(other_seed)


def read(base, file: dict) -> np.ndarray:
    return np.asarray(Image.open(base / file["type"] / file["subfolder"] / file["filename"]).convert("RGB")).astype(int)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(abs(a - b).mean())
