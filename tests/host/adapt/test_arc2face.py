"""Arc2Face on ComfyUI: its encoder as a CLIP of core's, its expression adapter in a block of core's, its workflows."""

import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import golden
import seeded
from headless import PACK, workflow
from host.adapt import toys
from host.adapt.conftest import CONTEXT, WIDTH, noise

FOLDER = golden.FOLDER / "arc2face"
LAYOUT, GOLDEN = FOLDER / "arc2face_encoder.small.tsv", FOLDER / "arc2face_encoder.small.json"
PUBLISHED = "arcface/webface42m_r100; licence: MIT; commercial use: unclear"


def weights_of(house):
    return sys.modules[house.adapt.__name__.removesuffix("adapt") + "weights"]


@pytest.fixture(scope="module")
def adapter(house):
    """The small layout's seeded values, in a CLIP that keeps them in float32."""
    import comfy.model_management

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comfy.model_management, "text_encoder_dtype", lambda *_: torch.float32)
        return house.binding.Adapter(weights_of(house).build(golden.state_dict(LAYOUT, GOLDEN), house.adapt.SYSTEMS))


@pytest.fixture(scope="module")
def fact(house):
    """An adapter that works inside the model alone."""
    from host.adapt import cases

    return house.binding.Adapter(cases.fact(house))


def person(house, *names, length=7.0, space="arcface-1", weights=PUBLISHED):
    """The people who were recorded, as long as ArcFace may give them."""
    vectors = torch.stack([noise(name, 512) * length for name in names]) if names else torch.zeros(0, 512)
    return house.types.Embeddings(None, space, vectors, weights=weights)


def prompt(house, adapter, text="", **inputs):
    """The CONDITIONING that Identity Prompt gives."""
    with torch.inference_mode():
        (made,) = house.nodes["LikenessIdentityPrompt"].execute(adapter, text, **inputs).args
    return made


def apart(a, b):
    return float((a - b).abs().max() / b.std())


@pytest.mark.parametrize(("name", "other"), [("one", "two"), ("two", "one")])
def test_a_person_in_a_word_is_the_authors(house, adapter, name, other):
    for length in (1.0, 20.0):
        ((cond, about),) = prompt(house, adapter, embeddings=person(house, name, length=length))
        assert set(about) == {"pooled_output"}
        assert golden.difference(GOLDEN, name, cond) < 1e-4
    assert golden.difference(GOLDEN, other, cond) > 1e-2


def test_core_keeps_the_encoder_in_half_precision_and_is_near(house):
    """As it is loaded: float16 in memory, float32 in the arithmetic."""
    half = house.binding.Adapter(weights_of(house).build(golden.state_dict(LAYOUT, GOLDEN), house.adapt.SYSTEMS))
    assert {p.dtype for p in half.patcher.model.parameters()} & {torch.float16}
    ((cond, _),) = prompt(house, half, embeddings=person(house, "one"))
    assert golden.difference(GOLDEN, "one", cond) < 5e-3


def test_the_encoder_is_the_managers_and_is_held_once(house, adapter):
    text, _ = adapter.get_models()
    assert text is adapter.patcher is adapter.text.clip.patcher
    assert {p.device.type for p in adapter.network.parameters()} == {"meta"}
    names = {name.removeprefix("clip_l.transformer.") for name in text.model.state_dict()}
    assert set(adapter.network.state_dict()) <= names


def test_of_several_people_the_one_in_their_middle_is_meant(house, adapter):
    one, two = (prompt(house, adapter, embeddings=person(house, name))[0][0] for name in ("one", "two"))
    both = prompt(house, adapter, embeddings=person(house, "one", "two"))[0][0]
    middle = torch.nn.functional.normalize(person(house, "one", "two").normed_embedding.sum(0), dim=0)[None]
    known = house.types.Embeddings(None, "arcface-1", middle)
    assert apart(both, prompt(house, adapter, embeddings=known)[0][0]) < 1e-4
    assert min(apart(both, one), apart(both, two)) > 1e-2
    longer = torch.cat([person(house, "one").embedding * 9, person(house, "two").embedding])
    assert (
        apart(prompt(house, adapter, embeddings=house.types.Embeddings(None, "arcface-1", longer))[0][0], both) < 1e-4
    )


def test_the_words_around_are_the_users_with_their_weights_and_embeddings(house, adapter, base, monkeypatch):
    import folder_paths
    import safetensors.torch

    known = {"embeddings": person(house, "one")}
    published = prompt(house, adapter, **known)[0][0]
    assert apart(prompt(house, adapter, "photo of a id person", **known)[0][0], published) == 0
    assert apart(prompt(house, adapter, "drawing of a id person", **known)[0][0], published) > 1e-2
    assert apart(prompt(house, adapter, "photo of a (id:1.5) person", **known)[0][0], published) > 1e-2
    assert apart(prompt(house, adapter, "photo of a (id:1.0) person", **known)[0][0], published) < 1e-5
    folder = base / "models/embeddings"
    folder.mkdir(parents=True, exist_ok=True)
    assert str(folder) in folder_paths.get_folder_paths("embeddings")
    safetensors.torch.save_file({"emb_params": noise("embedding", 2, CONTEXT)}, folder / "likeness_test.safetensors")
    with_it = prompt(house, adapter, "photo of a id person embedding:likeness_test", **known)[0][0]
    assert apart(with_it, prompt(house, adapter, "photo of a id person likeness_test", **known)[0][0]) > 1e-2
    assert with_it.shape == published.shape
    (folder / "likeness_test.safetensors").unlink()


def test_a_long_prompt_takes_more_lines_and_the_person_is_in_each(house, adapter):
    text = "photo of a id person, " * 16
    ((cond, _),) = prompt(house, adapter, text, embeddings=person(house, "one"))
    assert cond.shape == (1, 2 * 77, CONTEXT)
    other = prompt(house, adapter, text, embeddings=person(house, "two"))[0][0]
    assert min(apart(a, b) for a, b in zip(cond.split(77, 1), other.split(77, 1), strict=True)) > 1e-2


def test_what_is_wrong_with_a_prompt_is_said(house, adapter, fact):
    known = {"embeddings": person(house, "one")}
    for message, text, inputs in (
        ("an identity by arcface/webface42m_r100, got none: Arc2Face needs the output of Embed Faces", "", {}),
        ('the word "id" in the prompt, where the person is put, got none', "photo of a person", known),
        ("the identity of a face, got none", "", {"embeddings": person(house)}),
        ("identities: .*zero|zero", "", {"embeddings": person(house, "one", length=0.0)}),
        ("no clip, for Arc2Face brings a text encoder of its own, got one", "", {**known, "clip": object()}),
        ("merge_percent at -1, for with Arc2Face the person is heard from the start, got 0.5", "",
         {**known, "merge_percent": 0.5}),
        ("by arcface/webface42m_r100, which Arc2Face was trained on, got dlib_resnet-1", "",
         {"embeddings": person(house, "one", space="dlib_resnet-1", weights="")}),
        ("by arcface/webface42m_r100, which Arc2Face was trained on, got arcface/w600k_r50: choose that model", "",
         {"embeddings": person(house, "one", weights="arcface/w600k_r50; licence: x; commercial use: no")}),
        ("of 512 numbers, as arcface/webface42m_r100 gives it, got 256 of arcface-1", "",
         {"embeddings": house.types.Embeddings(None, "arcface-1", torch.ones(1, 256))}),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            prompt(house, adapter, text, **inputs)
    with pytest.raises(
        ValueError, match="a say in the prompt, got FaceChain-FACT: write the prompt in CLIP Text Encode"
    ):
        prompt(house, fact, "photo", clip=object())
    with pytest.raises(ValueError, match=r"works inside the model, got Arc2Face, .* connect it to Identity Prompt"):
        house.apply(house.model("sd15"), adapter, **known)


def test_a_clip_that_hooks_change_on_the_way_is_refused(house, adapter):
    text = adapter.text
    kept = text.clip
    try:
        text.clip = kept.clone()
        text.clip.use_clip_schedule, text.clip.patcher.forced_hooks = True, object()
        with pytest.raises(ValueError, match=r"one CLIP for the whole sampling, .* switch schedule_clip off"):
            prompt(house, adapter, embeddings=person(house, "one"))
    finally:
        text.clip = kept


def test_phases_follow_each_other_in_core_s_sampler(house):
    """What is heard in the first half of the sampling and what in the second, as two pieces of CONDITIONING."""
    texts = sys.modules[house.binding.__name__.removesuffix("adapt") + "texts"]
    phases = [house.adapt.Phase(toys.text("sd15", seed)[0][0], None, *stretch) for seed, stretch in
              ((1, (0.0, 0.5)), (3, (0.5, 1.0)))]  # fmt: skip
    made = toys.sample(house.model("sd15"), texts.conditioning(phases), toys.text("sd15", 2))
    first, last = (toys.sample(house.model("sd15"), toys.text("sd15", seed), toys.text("sd15", 2)) for seed in (1, 3))
    assert min(apart(made, first), apart(made, last)) > 1e-3
    whole = toys.sample(
        house.model("sd15"), texts.conditioning([house.adapt.Phase(phases[0].cond)]), toys.text("sd15", 2)
    )
    assert torch.equal(whole, first)


@pytest.mark.parametrize("stem", ["arc2face_exp_adapter", "arc2face_exp_adapter_deep"])
def test_cores_block_with_an_expression_is_what_diffusers_gives(house, core_block, stem):
    layout, file = FOLDER / f"{stem}.small.tsv", FOLDER / f"{stem}.small.json"
    network = weights_of(house).build(golden.state_dict(layout, file), house.adapt.SYSTEMS)
    encoder, blocks = network.split()
    names = dict(zip(blocks, sys.modules[house.adapt.__name__ + ".unet"].blocks("sd15"), strict=True))
    x, text = noise("x", 2, 24, WIDTH) * 2, noise("text", 2, 77, CONTEXT)
    with torch.no_grad():
        tokens = encoder(torch.stack([noise("expression", 55), torch.zeros(55)]))
    assert golden.difference(file, "tokens", tokens) < 1e-4
    for key, block in blocks.items():

        def attention(q, k, v, options, block=block):
            attend = house.sampling.attend(options)
            site = house.adapt.Site(q, options["n_heads"], attend, q, k, v, lambda: attend(q, k, v, options["n_heads"]))
            return block(site, tokens, 0.8)

        options = {"patches_replace": {"attn2": {key[:2]: attention}}, "block": key[:2], "block_index": key[2]}
        with torch.no_grad():
            made, without = core_block(x, text, options), core_block(x, text, {})
        assert golden.difference(file, f"block.{names[key]}", made) < 2e-5
        assert golden.difference(file, f"block.{names[key]}", without) > 1e-2


@pytest.mark.parametrize("name", ["adapt_arc2face", "adapt_arc2face_expression"])
def test_its_workflow_runs_on_small_files_with_core_s_own_loaders(session, base, name):
    prompt = workflow.to_api(seeded.read(PACK / f"workflows/{name}.json"), session.info)
    shown = session.run(prompt)
    (images,) = (found["images"] for found in shown.values() if "images" in found)
    picture = Image.open(base / images[0]["type"] / images[0]["subfolder"] / images[0]["filename"])
    assert picture.size == (64, 64)


def test_core_takes_the_unet_as_diffusers_saves_it(session):
    """By its shapes: Load Diffusion Model finds SD 1.5 in it, and a place for each of its tensors."""
    import comfy.model_detection
    import comfy.utils
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    lines = (line.split("\t") for line in Path(__file__).with_name("arc2face_unet.tsv").read_text().splitlines())
    held = {name: torch.empty([int(n) for n in shape.split()], device="meta") for name, shape in lines}
    config = comfy.model_detection.model_config_from_diffusers_unet(held)
    assert type(config).__name__ == "SD15"
    names = comfy.utils.unet_to_diffusers(config.unet_config)
    with torch.device("meta"):
        unet = UNetModel(**config.unet_config, device="meta").state_dict()
    assert {names[name]: tensor.shape for name, tensor in held.items()} == {k: v.shape for k, v in unet.items()}
    assert len(held) == 686
