"""ConsistentID against the authors' own classes on seeded weights; ``tests/host/adapt`` has it in core's sampler."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import factories
import golden
import seeding
from likeness import adapt
from likeness.adapt import Person, Phase, Site, facial_parts, unet
from likeness.types import Alignment, Embeddings, Faces, NoFaceError, ParsingMap
from likeness.weights import UnsupportedCheckpointError, build

FOLDER = Path(__file__).parents[1] / "checkpoints/consistentid"
FILES = {"sd15": "consistentid_v1", "sdxl": "consistentid_sdxl_v1"}
CONTEXT, WIDTH = {"sd15": 768, "sdxl": 128}, {"sd15": 320, "sdxl": 64}
PLACES = (3, 6, 9, 12)
WORDS = json.loads((FOLDER / "words.json").read_text())["made"]
CLASSES = ("background", "skin", "left_eye", "right_eye", "left_ear", "right_ear", "nose", "upper_lip", "mouth")
CLASSES += ("lower_lip",)
OURS = {1: 1, 4: 2, 5: 3, 7: 4, 8: 5, 10: 6, 12: 7, 11: 8, 13: 9}  # of the labels that BiSeNet gives
NAMES = {"face": ("Face",), "eyes": ("Left_Eye", "Right_Eye"), "ears": ("Left_Ear",), "nose": ("Nose",)}
NAMES["mouth"] = ("Upper_Lip",)
ORDER = ("face", "ears", "eyes", "nose", "mouth")  # of the sentence


def seeded(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


def tensors(model):
    stem = FILES[model]
    return golden.state_dict(FOLDER / f"{stem}.small.tsv", FOLDER / f"{stem}.json")


@pytest.fixture(scope="module", params=FILES)
def model(request):
    return request.param


@pytest.fixture(scope="module")
def network(model):
    return build(tensors(model), adapt.SYSTEMS)


@pytest.fixture(scope="module")
def sd15():
    return build(tensors("sd15"), adapt.SYSTEMS)


def apart(model, name, got):
    return golden.difference(FOLDER / f"{FILES[model]}.json", name, got)


def labelled(given):
    """(S, S) our labels of a face that is labelled as BiSeNet does."""
    made = np.zeros_like(given)
    for theirs, ours in OURS.items():
        made[given == theirs] = ours
    return torch.from_numpy(made)


def see(image):
    """Stands for CLIP vision: 16 patches of each of four quadrants' colours, 64 numbers; None is seen as zeros."""
    image = torch.zeros(1, 224, 224, 3) if image is None else image
    planes = torch.nn.functional.adaptive_avg_pool2d(image.movedim(-1, 1), (4, 4)).flatten(2).mT
    return torch.cat([planes, planes**2], -1).repeat(1, 1, 11)[..., :64] * 3


def person(labels=None, **more):
    """A picture of somebody with everything that is known of them."""
    image = factories.photo(160, 160, 1)[None]
    one = torch.zeros(1, dtype=torch.int64)
    faces = Faces((160, 160), 1, one, one, torch.tensor([[30.0, 30, 130, 140]]), torch.ones(1))
    labels = labelled(factory_labels())[None] if labels is None else labels
    side = labels.shape[-1]
    matrix = torch.tensor([[[side / 160, 0, side / 320 - 0.5], [0, side / 160, side / 320 - 0.5]]])
    known = ParsingMap(faces, Alignment(faces, matrix, "", side), CLASSES, labels)
    identity = Embeddings(faces, "arcface-1", seeded("identity", 1, 512) * 20)
    return replace(Person(image, faces, None, identity, known, see), **more)


def factory_labels():
    """The face that the recorded parts are of, drawn in the same strokes as ``tests/record/consistentid.py``."""
    y, x = np.mgrid[:512, :512]

    def disc(left, top, radius):
        return (x - left) ** 2 + (y - top) ** 2 < radius**2

    made = np.zeros((512, 512), np.uint8)
    made[disc(250, 260, 180)] = 1
    for label, left in ((4, 180), (5, 320)):
        made[disc(left, 200, 30)] = label
        made[disc(left, 200, 8)] = 0
    made[disc(60, 260, 35)] = 7
    made[disc(0, 400, 40)] = 7
    made[disc(0, 400, 20)] = 0
    made[disc(440, 260, 30)] = 8
    made[disc(250, 280, 35)] = 10
    made[320:360, 200:300] = 12
    made[360:390, 200:300] = 13
    made[335:345, 210:290] = 11
    return made


class Clip:
    """Stands for the host's text encoder: a token for each word and sign, 75 to a line."""

    def __init__(self, names=("l",), width=768):
        self.names, self.width, self.known = names, width, {}

    def tokenize(self, text):
        words = text.replace(":", " : ").replace(",", " , ").replace(";", " ; ").split()
        tokens = [self.known.setdefault(word.lower(), len(self.known) + 1) for word in words]
        parts = [tokens[n : n + 75] for n in range(0, len(tokens) or 1, 75)]
        lines = [[49406, *part, 49407] + [49407] * (75 - len(part)) for part in parts]
        return {name: [[(token, 1.0) for token in line] for line in lines] for name in self.names}

    def encode(self, lines):
        tokens = torch.tensor([[token for token, _ in line] for line in lines["l"]]).flatten()
        torch.manual_seed(0)
        table = torch.randn(200, self.width)
        return Phase(table[tokens.clamp(max=199)][None], tokens.float()[None])


def test_tokens_are_the_authors(model, network):
    reader, _ = network.split()
    looks = seeded("looks", 3, 17, 64)
    with torch.no_grad():
        seen = reader.projector(seeded("identity", 2, 512) / 13, looks[:2])
        nobody = reader.projector(torch.zeros(1, 512), looks[2:])
    assert apart(model, "tokens", seen) < 1e-4
    assert apart(model, "nobody", nobody) < 1e-4


def test_a_text_that_was_told_of_parts_is_the_authors(model, network):
    with torch.no_grad():
        told = network.words().facial(
            seeded("text", 1, 77, CONTEXT[model])[0], seeded("parts", 1, 5, 17, 64)[0, :4], torch.tensor(PLACES)
        )
    assert apart(model, "text", told[None]) < 1e-4


@pytest.mark.parametrize("model", FILES)
def test_published_files_load_whole_and_as_large_as_they_are(model):
    layout, _ = seeding.read_layout(FOLDER / f"{FILES[model]}.tsv")
    loaded = build(layout, adapt.SYSTEMS)
    reader, blocks = loaded.split()
    assert list(blocks) == list(unet.blocks(model).values())
    assert {block.context for block in blocks.values()} == {{"sd15": 768, "sdxl": 2048}[model]}
    widths = {"sd15": [320] * 2 + [640] * 2 + [1280] * 5 + [640] * 3 + [320] * 3 + [1280]}
    widths["sdxl"] = [640] * 4 + [1280] * 20 + [1280] * 30 + [640] * 6 + [1280] * 10
    assert [block.width for block in blocks.values()] == widths[model]
    assert (reader.projector.tokens, len(reader.projector.perceiver_resampler.layers)) == (4, 4)
    facial = loaded.words().facial.visual_projection
    assert (facial.latents.shape, len(facial.layers)) == ((1, 1, 1024), 8)
    assert {len(weight) for name, weight in loaded.lora().items() if ".down." in name} == {128}


def test_a_file_of_mixed_precision_and_either_name_of_the_projector_loads():
    given = tensors("sd15")
    mixed = {name: value.half() if name.startswith("image_proj") else value for name, value in given.items()}
    renamed = {name.replace("image_proj.", "image_proj_model."): value for name, value in mixed.items()}
    for file in (mixed, renamed):
        loaded = build(file, adapt.SYSTEMS)
        assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}
        assert loaded.model == "sd15"
        assert not loaded.split()[0].projector.shortcut  # what tells the two apart is the blocks, not a name


def test_a_file_that_lacks_a_network_or_blocks_says_which():
    given = tensors("sd15")
    for start, what in (("image_proj", "projector"), ("FacialEncoder.", "encoder of facial parts")):
        with pytest.raises(UnsupportedCheckpointError, match=f"got a file without its {what}"):
            adapt.check_layout({k: v for k, v in given.items() if not k.startswith(start)}, adapt.SYSTEMS)
    cut = {name: value for name, value in given.items() if not name.startswith("adapter_modules.3")}
    with pytest.raises(UnsupportedCheckpointError, match="processors of 16 or 70 blocks, got 15"):
        build(cut, adapt.SYSTEMS)


def test_a_block_looks_at_the_tokens_beside_the_text(sd15):
    """The whole of a block, LoRA included, is held in core's own by ``tests/host/adapt/test_consistentid.py``."""
    block = sd15.split()[1]["middle", 0, 0]
    q, tokens = seeded("q", 2, 24, 320), seeded("tokens", 2, 4, 768)
    site = Site(q, 8, q=q, before=lambda: q * 0.5)
    with torch.no_grad():
        one, half, none = (block(site, tokens, weight) for weight in (1.0, 0.5, 0.0))
    torch.testing.assert_close(none, q * 0.5)
    torch.testing.assert_close(half, (one + none) / 2, atol=1e-6, rtol=1e-6)


def test_the_lora_has_names_that_diffusers_gives_it(network, model):
    found = network.lora()
    assert len(found) == {"sd15": 16, "sdxl": 70}[model] * 2 * 4 * 2
    for number, name in enumerate(unet.blocks(model)):
        for n in (1, 2):
            for part in ("to_q", "to_k", "to_v", "to_out"):
                held = network.adapter_modules[2 * number + n - 1].get_submodule(f"{part}_lora")
                up = found[f"unet.{name}.attn{n}.processor.{part}_lora.up.weight"]
                down = found[f"unet.{name}.attn{n}.processor.{part}_lora.down.weight"]
                assert up is held.up.weight
                assert down is held.down.weight
    assert not {id(weight) for weight in found.values()} & {id(held) for held in network.parameters()}


def test_a_person_becomes_four_tokens_and_nobody_is_no_picture(sd15):
    reader, _ = sd15.split()
    given = person()
    with torch.no_grad():
        told = reader.encode(given)
        seen = reader.projector(given.embeddings.normed_embedding, see(given.image))
        torch.testing.assert_close(told.person, seen[0])
        torch.testing.assert_close(told.nobody, reader.projector(torch.zeros(1, 512), see(None))[0])
    assert told.person.shape == told.nobody.shape == (4, 768)


def test_red_and_blue_are_told_apart(sd15):
    reader, _ = sd15.split()
    red = torch.tensor([1.0, 0, 0]).expand(1, 160, 160, 3)
    with torch.no_grad():
        one, other = (reader.encode(person(image=image)).person for image in (red, red.flip(-1)))
    assert (one - other).abs().max() > 1e-2


@pytest.mark.parametrize("number", range(2))
def test_parts_are_those_that_the_authors_cut_out(number):
    """Which ones, in their order, with what they enclose, as large as theirs to the blur of a pixel."""
    recorded, face = WORDS[number], factory_labels()
    given = face if number == 0 else np.where((face == 7) | (face == 8) | (face == 4), 1, face).astype(np.uint8)
    white = person(labelled(given)[None], image=torch.ones(1, 160, 160, 3))
    cut = facial_parts.cut_out(white, "ConsistentID")
    assert len(cut) == len(recorded["areas"])
    for (part, picture), (name, area) in zip(cut.items(), recorded["areas"].items(), strict=True):
        assert name in NAMES[part]
        assert float(picture[..., 0].sum()) * (512 / 160) ** 2 == pytest.approx(area, rel=0.05)


def test_mirrored_parts_are_cut_out_mirrored(sd15):
    """But of eyes and ears the left is taken wherever it is."""
    given = person()
    labels = given.parsing.labels.clone()
    labels[(labels == 3) | (labels == 5)] = 1
    plain, mirrored = person(labels), person(labels.flip(-1), image=given.image.flip(2))
    for one, other in zip(*(facial_parts.cut_out(who, "x").values() for who in (plain, mirrored)), strict=True):
        # A pixel at the edge of a hole may round otherwise.
        assert ((one - other.flip(1)).abs() > 1e-3).float().mean() < 1e-3
        assert ((one - other).abs() > 1e-3).float().mean() > 1e-3


@pytest.mark.parametrize("recorded", WORDS, ids=lambda made: f"{made['model']}-{len(made['areas'])}")
def test_the_sentence_is_the_authors_and_so_is_the_order_of_its_parts(recorded):
    """What they write is what we write, tokenized by a stand-in; ``tests/host`` has it with CLIP's own tokens."""
    names = {name: part for part, known in NAMES.items() for name in known}
    clip = Clip(("l",) if recorded["model"] == "sd15" else ("g", "l"))
    words = build(tensors(recorded["model"]), adapt.SYSTEMS).words()
    prompt = recorded["prompts"][0]
    parts = [names[name] for name in prompt["parts"]]
    lines, places = words.place(clip, prompt["prompt"], parts)
    assert lines == clip.tokenize(prompt["text"])
    tokens = [token for line in lines["l"] for token, _ in line]
    assert [tokens[place] for place in places] == [clip.known[word] for word in sorted(parts, key=ORDER.index)]
    long = "a man who says The person has one face , and more, " * 8
    lines, first = words.place(clip, long, parts)  # it comes after the sentence, so that CLIP's first line has it
    assert len(lines["l"]) > 1
    assert max(first) < 40


def test_the_prompt_is_heard_without_the_parts_then_with_them(sd15):
    words, clip, given = sd15.words(), Clip(), person()
    with torch.no_grad():
        alone, told = words.prompt(clip, "a man in a forest", given, words.merge)
    assert (alone.start, alone.end, told.start, told.end) == (0.0, 0.62, 0.62, 1.0)
    changed = (alone.cond != told.cond).any(-1)[0].nonzero().flatten()
    _, places = words.place(clip, "a man in a forest", ["face", "eyes", "ears", "nose", "mouth"])
    assert torch.equal(changed, places)
    cut = facial_parts.cut_out(given, "x")
    with torch.no_grad():  # the second word, ears, is told of the second picture, an eye's
        ears = words.facial(alone.cond[0], see(cut["eyes"][None]), places[1:2])[places[1]]
    torch.testing.assert_close(told.cond[0, places[1]], ears, atol=1e-4, rtol=1e-4)
    assert [(phase.start, phase.end) for phase in words.prompt(clip, "a man", given, 0.0)] == [(0.0, 1.0)]
    (only,) = words.prompt(clip, "a man", given, 1.0)
    assert torch.equal(
        only.cond,
        clip.encode(
            clip.tokenize("a manDetail:The person has one face , two ears , two eyes , one nose , and one mouth ,")
        ).cond,
    )


def test_sdxl_hears_the_plain_prompt_first():
    words, clip = build(tensors("sdxl"), adapt.SYSTEMS).words(), Clip(("g", "l"), 128)
    with torch.no_grad():
        alone, told = words.prompt(clip, "a man in a forest", person(), words.merge)
    plain = clip.encode(clip.tokenize("a man in a forest"))
    assert torch.equal(alone.cond, plain.cond)
    assert torch.equal(alone.pooled, plain.pooled)
    assert not torch.equal(told.pooled, plain.pooled)


def test_a_negative_prompt_is_told_of_nothing_where_the_prompt_is_told_of_a_part(sd15):
    words, clip, given = sd15.words(), Clip(), person()
    with torch.no_grad():
        (told,) = words.against(clip, "blurry", "a man in a forest", given)
    _, places = words.place(clip, "a man in a forest", ["face", "eyes", "ears", "nose", "mouth"])
    plain = clip.encode(clip.tokenize("blurry")).cond
    assert torch.equal((told.cond != plain).any(-1)[0].nonzero().flatten(), places)
    assert (told.start, told.end) == (0.0, 1.0)


def test_what_is_missing_or_wrong_is_said(sd15):
    reader, words, given = sd15.split()[0], sd15.words(), person()
    two = Embeddings(None, "arcface-1", torch.ones(2, 512))
    cases = {
        "Expected an identity by arcface/w600k_r50, got none": {"embeddings": None},
        "which ConsistentID was trained on, got dlib": {"embeddings": Embeddings(None, "dlib-1", torch.ones(1, 128))},
        "an identity of 512 numbers.*got 128": {"embeddings": Embeddings(None, "arcface-1", torch.ones(1, 128))},
        "Expected one identity, got 2": {"embeddings": two},
        "Expected a CLIP vision model, got none": {"look": None},
        "a CLIP vision model of 64 numbers.*got one of 48": {"look": lambda image: see(image)[..., :48]},
        "Expected an image of the person and the faces in it": {"image": None},
    }
    for message, more in cases.items():
        with pytest.raises(ValueError, match=message):
            reader.encode(replace(given, **more))
    nobody = given.faces.select(torch.tensor([], dtype=torch.long))
    with pytest.raises(NoFaceError, match="Expected a face of the person, got none"):
        reader.encode(replace(given, faces=nobody))
    several = Faces((160, 160), 2, *(torch.tensor([0, 1]) for _ in range(2)), torch.ones(2, 4), torch.ones(2))
    with pytest.raises(ValueError, match="Expected one picture of the person, got 2: ConsistentID reads one"):
        reader.encode(replace(given, image=torch.ones(2, 160, 160, 3), faces=several))
    with pytest.raises(ValueError, match="Expected the parts of the person's face, got none"):
        words.prompt(Clip(), "a man", replace(given, parsing=None), 0.5)
    with pytest.raises(
        ValueError, match=r"Expected a parsing with skin, eyes, ears, nose or lips.*got one of background"
    ):
        words.prompt(Clip(), "a man", person(given.parsing.labels * 0), 0.5)
    with pytest.raises(ValueError, match="with the encoders l, got one with h: connect that checkpoint's"):
        words.prompt(Clip(("h",)), "a man", given, 0.5)
