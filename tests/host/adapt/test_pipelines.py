"""Core's sampler with the apply node beside the authors' whole pipelines in diffusers, on the same small denoisers."""

import pytest
import torch

import golden
import seeding
from headless import PACK
from host.adapt import toys

FOLDER = PACK / "tests/checkpoints/denoisers"
SIZE, GUIDANCE = (8, 8), 4.0


def noise(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


def sigmas_of(file, name):
    """All of a pipeline's sigmas: they are fewer than a golden keeps."""
    return torch.tensor(golden.json.loads(file.read_text())["outputs"][name]["values"])


def beside(kind):
    """What a model is told beside the text."""
    if kind == "sdxl":
        size = {"width": 64, "height": 64, "crop_w": 0, "crop_h": 0, "target_width": 64, "target_height": 64}
        return [{"pooled_output": row[None], **size} for row in noise("pooled", 2, toys.POOLED)]
    if kind == "sd2_inpaint":
        left, mask = noise("left", 1, 4, *SIZE) / 0.18215, (noise("mask", 1, 1, *SIZE) > 0).float()
        return [{"concat_latent_image": left, "concat_mask": mask}] * 2
    return [{}, {}]


@pytest.mark.parametrize("kind", toys.CONTEXT)
def test_the_toys_sample_as_diffusers_does(session, kind):
    """Without an adapter: what follows rests on it."""
    file = FOLDER / "golden.json"
    sigmas = sigmas_of(file, f"{kind}.sigmas")
    texts = noise("texts", 2, 77, toys.CONTEXT[kind])
    against, positive = ([[text[None], more]] for text, more in zip(texts, beside(kind), strict=True))
    x = noise("noise", 1, 4, *SIZE) * (sigmas[0] ** 2 + 1).sqrt()
    made = toys.follow(toys.recorded(kind), x, sigmas, positive, against, GUIDANCE)
    assert golden.difference(file, f"{kind}.latents", made) < 1e-4
