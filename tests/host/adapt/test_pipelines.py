"""Core's sampler with the apply node beside the authors' whole pipelines in diffusers, on the same small denoisers."""

import sys

import pytest
import torch

import golden
import seeding
from headless import PACK
from host.adapt import toys

FOLDER = PACK / "tests/checkpoints"
SIZE, GUIDANCE = (8, 8), 4.0


def noise(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


def beside(kind):
    """What a model is told beside the text."""
    if kind == "sdxl":
        size = {"width": 64, "height": 64, "crop_w": 0, "crop_h": 0, "target_width": 64, "target_height": 64}
        return [{"pooled_output": row[None], **size} for row in noise("pooled", 2, toys.POOLED)]
    if kind == "sd2_inpaint":
        left, mask = noise("left", 1, 4, *SIZE) / 0.18215, (noise("mask", 1, 1, *SIZE) > 0).float()
        return [{"concat_latent_image": left, "concat_mask": mask}] * 2
    return [{}, {}]


def texts(kind):
    """CONDITIONING of seeded tokens: what is asked for, and what is not."""
    tokens = noise("texts", 2, 77, toys.CONTEXT[kind])  # the negative prompt first
    against, positive = ([[text[None], more]] for text, more in zip(tokens, beside(kind), strict=True))
    return positive, against


def adapter(house, system, **parts):
    """An adapter with the seeded values of its recorded pipeline; more files of it by what their names begin with."""
    weights, folder = sys.modules[house.adapt.__name__.removesuffix("adapt") + "weights"], FOLDER / system / "pipeline"
    files = {part: golden.state_dict(folder / f"{stem}.tsv", folder / "golden.json") for part, stem in parts.items()}
    whole = golden.state_dict(folder / "adapter.tsv", folder / "golden.json")
    return house.binding.Adapter(weights.build(weights.join({"": whole, **files}), house.adapt.SYSTEMS))


def apart(file, model, positive, negative, prefix=""):
    """How far core's sampler ends from where the pipeline ended."""
    kept = golden.json.loads(file.read_text())["outputs"]
    sigmas, (start,) = kept[f"{prefix}sigmas"], kept[f"{prefix}start"]["values"]
    assert sigmas["step"] == 1  # they are so few that the golden has all
    sigmas, first = torch.tensor(sigmas["values"]), noise("noise", 1, 4, *SIZE) * start
    return golden.difference(file, f"{prefix}latents", toys.follow(model, first, sigmas, positive, negative, GUIDANCE))


@pytest.mark.parametrize("kind", toys.CONTEXT)
def test_the_toys_sample_as_diffusers_does(session, kind):
    """Without an adapter: what follows rests on it."""
    assert apart(FOLDER / "denoisers/golden.json", toys.recorded(kind), *texts(kind), f"{kind}.") < 1e-4


def test_wplus_adapter(house):
    """Its pipeline counts steps: the first three of eight do not see the code."""
    file, model, given = FOLDER / "wplus_adapter/pipeline/golden.json", toys.recorded("sd15"), texts("sd15")
    code = house.types.Embeddings(None, "e4e_wplus-1", noise("code", 1, 18, 512).flatten(1) * 2, metric="l2", flat=True)
    ours = adapter(house, "wplus_adapter")
    assert apart(file, house.apply(model, ours, 0.8, start=0.4, embeddings=code), *given) < 1e-4
    assert apart(file, house.apply(model, ours, 0.8, embeddings=code), *given) > 1e-2
    assert apart(file, model, *given) > 1e-2


def test_facechain_fact(house):
    """From two aligned crops on; as in the authors' inference the negative prompt is told of nobody."""
    file, model, given = FOLDER / "facechain_fact/pipeline/golden.json", toys.recorded("sd15"), texts("sd15")
    ours, person = (
        adapter(house, "facechain_fact", transface="transface"),
        aligned(house, noise("crops", 2, 112, 112, 3)),
    )
    assert apart(file, house.apply(model, ours, 0.5, **person), *given) < 1e-4
    assert apart(file, house.apply(model, ours, 0.5, negative="person", **person), *given) > 1e-2
    assert apart(file, model, *given) > 1e-2


def aligned(house, crops):
    """A person on crops that are aligned already: cut again they are what they were."""
    geometry, index = sys.modules[house.types.__name__.removesuffix("types") + "geometry"], torch.arange(len(crops))
    points = geometry.TEMPLATES["arcface112"].expand(len(crops), 5, 2)
    box = torch.tensor([[0.0, 0, 112, 112]]).expand(len(crops), 4)
    faces = house.types.Faces((112, 112), len(crops), 0 * index, index, box, torch.ones(len(crops)), points)
    return {"image": (crops * 127 + 128).byte() / 255, "faces": faces}


def arc2face(house, layout, file):
    """One of its files."""
    weights = sys.modules[house.adapt.__name__.removesuffix("adapt") + "weights"]
    return house.binding.Adapter(weights.build(golden.state_dict(layout, file), house.adapt.SYSTEMS))


def test_arc2face(house, comfy, monkeypatch):
    """The negative prompt is spoken by its own encoder; the expression adapter comes on top."""
    monkeypatch.setattr(comfy.args, "fp32_text_enc", True)  # core halves text encoders on a CPU
    folder, model = FOLDER / "arc2face", toys.recorded("sd15", context=768)
    file, small = folder / "pipeline/golden.json", folder / "arc2face_encoder.small"
    speaker = arc2face(house, small.with_suffix(".small.tsv"), small.with_suffix(".small.json"))
    identity = house.types.Embeddings(None, "arcface-1", noise("one", 1, 512), weights="arcface/webface42m_r100")
    said = house.nodes["LikenessIdentityPrompt"].execute
    with torch.inference_mode():
        (positive,) = said(speaker, "", embeddings=identity).args
        (nothing,) = said(speaker, "", against="photo of a id person").args
    assert apart(file, model, positive, nothing, "plain.") < 1e-4
    assert apart(file, model, positive, positive, "plain.") > 1e-2
    expressive = arc2face(house, folder / "pipeline/adapter.tsv", file)
    numbers = house.types.Embeddings(None, "smirk_expression", noise("expression", 1, 1, 55)[0])
    smiling = house.apply(model, expressive, 0.8, embeddings=numbers)
    assert apart(file, smiling, positive, nothing, "expression.") < 1e-4
    assert apart(file, model, positive, nothing, "expression.") > 1e-2


def test_pva(house):
    """Three references; the negative prompt has no tokens."""
    file, model, given = FOLDER / "pva/pipeline/golden.json", toys.recorded("sd2_inpaint"), texts("sd2_inpaint")
    known = house.types.Embeddings(None, "arcface-1", noise("references", 1, 3, 512)[0])
    ours = adapter(house, "pva")
    assert apart(file, house.apply(model, ours, embeddings=known), *given) < 1e-4
    assert apart(file, house.apply(model, ours, negative="person", embeddings=known), *given) > 1e-2
    assert apart(file, model, *given) > 1e-2
