"""ConsistentID in core's own blocks, its LoRA by core's loader, its prompt by core's CLIP, and its workflow."""

import sys
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

import golden
import seeded
import seeding
from headless import PACK, workflow
from host.adapt import cases, toys

FOLDER = PACK / "tests/checkpoints/consistentid"
FILES = {"sd15": "consistentid_v1", "sdxl": "consistentid_sdxl_v1"}
CONTEXT, WIDTH, HEADS, WEIGHT = {"sd15": 768, "sdxl": 128}, {"sd15": 320, "sdxl": 64}, 8, 0.8
PARTS = {"Face": "face", "Left_Eye": "eyes", "Right_Eye": "eyes", "Left_Ear": "ears", "Nose": "nose"}
PARTS["Upper_Lip"] = "mouth"


def noise(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


def person(house, seed):
    """A made-up person with everything that ConsistentID asks for."""
    return {**house.person(seed), **cases.told_of(house, seed)}


def load(house, kind):
    """The small layout's seeded values, in the pack's own classes."""
    weights = sys.modules[house.adapt.__name__.removesuffix("adapt") + "weights"]
    stem = FILES[kind]
    return weights.build(golden.state_dict(FOLDER / f"{stem}.small.tsv", FOLDER / f"{stem}.json"), house.adapt.SYSTEMS)


@pytest.fixture(scope="module", params=FILES)
def kind(request, session):
    return request.param


@pytest.fixture(scope="module")
def network(house, kind):
    return load(house, kind)


def core_block(kind):
    """Core's block with the recorded attentions, whose feed-forward gives nothing."""
    from comfy.ldm.modules.attention import BasicTransformerBlock

    width = WIDTH[kind]
    block = BasicTransformerBlock(width, HEADS, width // HEADS, context_dim=CONTEXT[kind])
    for held in block.parameters():
        held.data = torch.zeros(held.shape)
    for name in ("attn1", "attn2"):
        for key, held in block.get_submodule(name).named_parameters():
            spread = (3 / held.shape[-1]) ** 0.5
            held.data = noise(f"base.{name}.{key}", *held.shape) * spread
    for norm in (block.norm1, block.norm2):
        norm.weight.data += 1
    return block.eval()


def tune(block, lora, name):
    """Add a block's part of the LoRA to its weights, by core's own loader and arithmetic."""
    import comfy.lora

    targets = {}
    for n in (1, 2):
        for part in ("to_q", "to_k", "to_v", "to_out"):
            inner = f"attn{n}.{part}" + (".0" if part == "to_out" else "")
            targets[f"unet.{name}.attn{n}.processor.{part}"] = f"{inner}.weight"
    own = {key: value for key, value in lora.items() if key.startswith(f"unet.{name}.")}
    patches = comfy.lora.load_lora(own, targets)
    assert len(patches) == 8
    for key, patch in patches.items():
        held = block.get_parameter(key)
        held.data = comfy.lora.calculate_weight([(1.0, patch, 1.0, None, None)], held.data.clone(), key)


def run(house, kind, network, key, name, lora=True, look=True):
    """What core's block makes with ours in it."""
    block, ours = core_block(kind), network.split()[1][key]
    tokens = noise("tokens", 2, 4, CONTEXT[kind])
    if lora:
        tune(block, network.lora(), name)

    def replacement(q, k, v, options):
        attend = house.sampling.attend(options)
        site = house.adapt.Site(q, HEADS, attend, q, k, v, lambda: attend(q, k, v, HEADS))
        return ours(site, tokens, WEIGHT)

    options = {
        "block": key[:2],
        "block_index": key[2],
        "patches_replace": {"attn2": {key: replacement} if look else {}},
    }
    x, text = noise("x", 2, 24, WIDTH[kind]) * 2, noise("text", 2, 77, CONTEXT[kind])
    with torch.no_grad():
        return block(x, text, options)


def test_cores_block_with_ours_gives_what_the_authors_processors_give(house, kind, network):
    known = sys.modules[house.adapt.__name__ + ".unet"].blocks(kind)
    outputs = golden.json.loads((FOLDER / f"{FILES[kind]}.json").read_text())["outputs"]
    names = [name.removeprefix("block.") for name in outputs if name.startswith("block.")]
    assert len(names) == {"sd15": 16, "sdxl": len(names)}[kind] > 2
    for name in names:

        def apart(name=name, **without):
            made = run(house, kind, network, known[name], name, **without)
            return golden.difference(FOLDER / f"{FILES[kind]}.json", f"block.{name}", made)

        assert apart() < 2e-5
        assert apart(lora=False) > 1e-2
        assert apart(look=False) > 1e-2


def test_the_lora_is_on_every_attention_and_once_however_many_people(house, kind):
    import comfy.lora

    adapter = house.binding.Adapter(cases.consistentid(house, kind))
    model = house.model(kind)
    one = house.apply(model, adapter, **person(house, 1), mask=torch.ones(1, 64, 64))
    two = house.apply(one, adapter, **person(house, 5), mask=torch.ones(1, 64, 64))
    again = house.apply(
        one, house.binding.Adapter(cases.consistentid(house, kind)), **person(house, 5)
    )  # a second loader
    assert not model.patches
    assert not house.apply(model, adapter, weight=0.0, **person(house, 1)).patches
    assert not house.apply(model, adapter, start=0.5, end=0.5, **person(house, 1)).patches
    names = sys.modules[house.adapt.__name__ + ".unet"].blocks(kind)
    assert len(one.patches) == 8 * len(names)
    for other in (two, again):
        assert {key: len(held) for key, held in other.patches.items()} == dict.fromkeys(one.patches, 1)
    weights, folder = model.model.state_dict(), {"input": "input_blocks.{}.1", "output": "output_blocks.{}.1"}
    for number, (name, n, depth) in enumerate(names.values()):
        place = folder.get(name, "middle_block.1").format(n)
        for a in (1, 2):
            held = adapter.network.adapter_modules[2 * number + a - 1]
            for part in ("to_q", "to_k", "to_v", "to_out"):
                leaf = f"{part}.0" if part == "to_out" else part
                key = f"diffusion_model.{place}.transformer_blocks.{depth}.attn{a}.{leaf}.weight"
                lora = held.get_submodule(f"{part}_lora")
                made = comfy.lora.calculate_weight(one.patches[key], weights[key].clone(), key)
                torch.testing.assert_close(made, weights[key] + lora.up.weight @ lora.down.weight, atol=1e-5, rtol=1e-5)


def test_the_scale_is_the_tokens_alone(house, kind):
    """As published: at a weight near 0 the LoRA is still whole."""
    adapter = house.binding.Adapter(cases.consistentid(house, kind))
    texts = toys.text(kind, 1), toys.text(kind, 2)
    tuned = house.model(kind).clone()
    house.sampling.tune(tuned, adapter.network.lora(), [])
    faint = toys.sample(house.apply(house.model(kind), adapter, weight=1e-6, **person(house, 1)), *texts, steps=1)
    alone, plain = (toys.sample(model, *texts, steps=1) for model in (tuned, house.model(kind)))
    assert (faint - alone).abs().max() < 1e-4 * alone.std()
    assert (alone - plain).abs().max() > 1e-2


def tokenizer(kind):
    """Core's own, with CLIP's vocabulary, as the library asks for one."""
    import comfy.sd1_clip
    import comfy.sdxl_clip

    made = comfy.sd1_clip.SD1Tokenizer() if kind == "sd15" else comfy.sdxl_clip.SDXLTokenizer()
    return SimpleNamespace(tokenize=made.tokenize_with_weights)


def test_a_prompt_has_the_authors_tokens_and_its_parts_are_named_where_theirs_are(house, kind, network):
    recorded = [
        made for made in golden.json.loads((FOLDER / "words.json").read_text())["made"] if made["model"] == kind
    ]
    assert len(recorded) == 2
    for prompt in (prompt for made in recorded for prompt in made["prompts"]):
        parts = [PARTS[name] for name in prompt["order"]]
        lines, places = network.words().place(tokenizer(kind), prompt["prompt"], parts)
        assert places.tolist() == prompt["places"]
        until = prompt["tokens"].index(49407) if 49407 in prompt["tokens"] else 76  # where theirs is cut off
        for line in (held[0] for held in lines.values()):
            assert [token for token, _ in line][:until] == prompt["tokens"][:until]


def test_weights_and_long_words_do_not_move_the_places(house, kind, network):
    parts, words = ["face", "eyes", "nose"], network.words()
    plain, at = words.place(tokenizer(kind), "a man", parts)
    lines, places = words.place(tokenizer(kind), "a (smiling:1.3) man, the person has one face , indeed", parts)
    face = plain["l"][0][at[0]][0]
    assert lines["l"][0][places[0]][0] == face
    assert 1.3 in {weight for _, weight in lines["l"][0]}
    assert places[0] > 15  # the adapter's sentence, not the prompt's own
    for text in ("a man, embedding:none", "embedding:none " + 80 * "man "):  # words that ComfyUI looks up as files
        lines, places = words.place(tokenizer(kind), text, parts)
        assert lines["l"][0][places[0]][0] == face


@pytest.fixture(scope="module")
def speaking(house):
    """An adapter of the toy's width, and a CLIP of core's as wide."""
    import comfy.clip_model

    sizes = {"num_hidden_layers": 2, "hidden_size": 48, "num_attention_heads": 2, "intermediate_size": 96}
    config = {**sizes, "hidden_act": "quick_gelu", "max_position_embeddings": 77, "eos_token_id": 49407}
    import comfy.ops

    text = comfy.clip_model.CLIPTextModel(config, torch.float32, "cpu", comfy.ops.manual_cast)
    given = house.adapt.ClipText(toys.fill(text, 7).state_dict(), 2, 48, 2, 96)
    clip = sys.modules[house.binding.__name__.removesuffix("adapt") + "texts"].make(given).clip
    return house.binding.Adapter(cases.consistentid(house, "sd15")), clip


def prompt(house, adapter, clip, text, **more):
    """The CONDITIONING that Identity Prompt gives."""
    given = {key: value for key, value in person(house, 1).items() if key != "embeddings"}
    with torch.inference_mode():
        (made,) = house.nodes["LikenessIdentityPrompt"].execute(adapter, text, clip, **{**given, **more}).args
    return made


def test_the_sampler_hears_the_text_until_the_parts_are_merged(house, speaking, monkeypatch):
    adapter, clip = speaking
    texts = (
        prompt(house, adapter, clip, "a man in a forest"),
        prompt(house, adapter, clip, "blurry", against="a man in a forest"),
    )
    (alone, first), (told, then) = texts[0]
    assert (first["start_percent"], first["end_percent"], then["start_percent"], then["end_percent"]) == (
        0,
        0.62,
        0.62,
        1,
    )
    assert len(texts[1]) == 1
    model, heard = house.apply(house.model("sd15"), adapter, **person(house, 1)), []
    inside = type(model.model).apply_model

    def spy(self, x, t, c_concat=None, c_crossattn=None, **more):
        heard.append(c_crossattn.clone())
        return inside(self, x, t, c_concat=c_concat, c_crossattn=c_crossattn, **more)

    monkeypatch.setattr(type(model.model), "apply_model", spy)
    toys.sample(model, *texts, cfg=1.0, steps=5)
    which = [min((0, 1), key=lambda n: float((each - (alone, told)[n].to(each)).abs().max())) for each in heard]
    assert which == [0, 0, 0, 0, 1]  # at 0, 20, 40, 60 and 80 % of the sampling
    assert not torch.equal(alone, told)


def test_what_the_prompt_lacks_is_said(house, speaking):
    adapter, clip = speaking
    with pytest.raises(ValueError, match="Expected the clip of the model, which ConsistentID takes, got none"):
        prompt(house, adapter, None, "a man")
    with pytest.raises(ValueError, match="Expected the parts of the person's face, got none: ConsistentID needs them"):
        prompt(house, adapter, clip, "a man", parsing=None)
    with pytest.raises(
        ValueError, match="Expected a CLIP vision model, got none: ConsistentID looks through CLIP-ViT-H"
    ):
        prompt(house, adapter, clip, "a man", clip_vision=None)
    given = person(house, 1)
    for rows, message in (
        ([], "a face of the person, got none in 1 images"),
        ([0, 0], "one person, got 2 faces in the"),
    ):
        chosen = {name: given[name].select(torch.tensor(rows, dtype=torch.long)) for name in ("faces", "parsing")}
        with pytest.raises(ValueError, match=f"Expected {message}"):
            prompt(house, adapter, clip, "a man", **chosen)
        with pytest.raises(ValueError, match=f"Expected {message}"):
            house.apply(house.model("sd15"), adapter, **{**given, **chosen})
    with pytest.raises(ValueError, match="Expected a CLIP vision model, got none"):
        house.apply(house.model("sd15"), adapter, **{**person(house, 1), "clip_vision": None})
    with pytest.raises(ValueError, match=r"Expected a model of Stable Diffusion 1\.5.*got SDXL"):
        house.apply(house.model("sdxl"), adapter, **person(house, 1))


def test_its_workflow_runs_on_a_small_checkpoint_with_core_s_own_loader(house, session, base):
    shown = session.run(workflow.to_api(seeded.read(PACK / "workflows/adapt_consistentid.json"), session.info))
    (images,) = (found["images"] for found in shown.values() if "images" in found)
    picture = Image.open(base / images[0]["type"] / images[0]["subfolder"] / images[0]["filename"])
    assert picture.size == (64, 96)
