"""ConsistentID's nodes in core's sampler beside the authors' whole pipelines, from a photo and two prompts on."""

import sys

import pytest
import torch

import golden
from headless import PACK
from host.adapt import toys
from host.adapt.test_pipelines import apart, noise

FOLDER = PACK / "tests/checkpoints/consistentid/pipeline"
FILE, LOOK, SIDE = FOLDER / "golden.json", 64, 224
PROMPT, AGAINST, MERGE = "a man in a forest", "blurry, lowres", 0.5  # of four steps two hear the text alone
SIZES = {"num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 96}
PARTS = {  # as the recorder draws them: top, left, height, width
    "skin": (30, 40, 160, 140),
    "left_eye": (80, 70, 16, 30),
    "right_eye": (80, 120, 16, 30),
    "nose": (100, 100, 30, 20),
    "upper_lip": (140, 85, 8, 50),
    "lower_lip": (150, 85, 8, 50),
}


def read(kind, name=""):
    return golden.state_dict(FOLDER / f"{'_'.join(filter(None, (kind, name)))}.tsv", FILE)


def clip(kind):
    """A CLIP of core's with the pipeline's text encoders."""
    import comfy.sd
    import comfy.sd1_clip
    import comfy.sdxl_clip
    import comfy.supported_models_base as base

    if kind == "sd15":
        target = base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel)
        made = comfy.sd.CLIP(target, model_options={"clip_l_model_config": {**SIZES, "hidden_size": 48}})
        encoders = {"l": made.cond_stage_model.clip_l}
    else:
        target = base.ClipTarget(comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel)
        sizes = {**SIZES, "hidden_size": toys.POOLED}
        names = ("clip_g", "clip_l", "")  # core of this version calls SDXL's first by no name
        made = comfy.sd.CLIP(target, model_options={f"{name}_model_config": sizes for name in names})
        encoders = {"l": made.cond_stage_model.clip_l, "g": made.cond_stage_model.clip_g}
    for name, encoder in encoders.items():
        missing, unknown = encoder.transformer.load_state_dict(read(kind, name), strict=False)
        assert not unknown
        assert set(missing) <= {"text_projection.weight"}
    return made


def vision(kind):
    """A CLIP_VISION of core's with the pipeline's values."""
    import comfy.clip_vision

    config = {"attention_dropout": 0.0, "hidden_act": "gelu", "layer_norm_eps": 1e-05, "num_channels": 3}
    config |= {"hidden_size": LOOK, "intermediate_size": 2 * LOOK, "num_attention_heads": 2, "num_hidden_layers": 3}
    config |= {"image_size": SIDE, "patch_size": 56, "projection_dim": 32, "model_type": "clip_vision_model"}
    made = comfy.clip_vision.ClipVisionModel(config)
    made.model.load_state_dict(read(kind, "vision"))
    return made


def person(house, kind):
    """The photo with its face, the face's parts and identity, and who looks at it."""
    index, box = torch.zeros(1, dtype=torch.int64), torch.tensor([[40.0, 30, 180, 190]])
    faces = house.types.Faces((SIDE, SIDE), 1, index, index, box, torch.ones(1), torch.zeros(1, 5, 2))
    alignment = house.types.Alignment(faces, torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]), "", SIDE)
    labels = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    for label, (top, left, height, width) in enumerate(PARTS.values(), 1):
        labels[:, top : top + height, left : left + width] = label
    return {
        "image": (noise("photo", 1, SIDE, SIDE, 3)[:] * 127 + 128).byte() / 255,
        "faces": faces,
        "embeddings": house.types.Embeddings(faces, "arcface-1", noise("identity", 512)[None]),
        "parsing": house.types.ParsingMap(faces, alignment, ("background", *PARTS), labels),
        "clip_vision": vision(kind),
    }


@pytest.fixture
def precise(comfy, monkeypatch):
    """Core's CLIPs keep their weights as they are; on a CPU it halves them."""
    monkeypatch.setattr(comfy.args, "fp32_text_enc", True)


@pytest.mark.usefixtures("precise")
@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_it_leads_where_the_authors_pipeline_leads(house, kind):
    weights = sys.modules[house.adapt.__name__.removesuffix("adapt") + "weights"]
    ours = house.binding.Adapter(weights.build(read(kind), house.adapt.SYSTEMS))
    given, model, text = person(house, kind), toys.recorded(kind), clip(kind)
    applied = house.apply(model, ours, **given)
    said = {key: value for key, value in given.items() if key != "embeddings"}
    sizes = {f"{name}{way}": 64 for name in ("", "target_") for way in ("width", "height")} if kind == "sdxl" else {}

    def prompt(text_, **more):
        with torch.inference_mode():
            (made,) = house.nodes["LikenessIdentityPrompt"].execute(ours, text_, text, **said, **more).args
        return [[cond, {**told, **sizes}] for cond, told in made]

    positive = prompt(PROMPT, merge_percent=MERGE)
    negative = prompt(AGAINST, against=PROMPT)
    prefix = f"{kind}."
    assert apart(FILE, applied, positive, negative, prefix) < 1e-4
    assert apart(FILE, model, positive, negative, prefix) > 1e-2
    assert apart(FILE, applied, prompt(PROMPT, merge_percent=0.0), negative, prefix) > 1e-2
