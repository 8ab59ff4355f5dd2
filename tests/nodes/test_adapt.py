"""The adapter nodes where there is no ComfyUI; ``tests/host/adapt`` has them in its sampler."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import factories
import golden

FOLDER = golden.FOLDER / "facechain_fact"


@pytest.fixture
def adapter(pack, nodes, base):
    """A file of the user's own, recognised by its tensors."""
    parts = {"": "facechain_fact_maj", "transface": "ms1mv2_model_transface_s"}
    files = {
        part: golden.state_dict(FOLDER / f"{stem}.small.tsv", FOLDER / "golden.json") for part, stem in parts.items()
    }
    path = base / "models/face_adapter/mine.safetensors"
    path.parent.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in pack.likeness.weights.join(files).items()}, path)
    from headless import standalone

    standalone.start(base)
    (loaded,) = nodes["LikenessLoadIdentityAdapter"].execute("mine.safetensors").args
    return loaded


def test_an_adapter_is_loaded_and_reads_people_but_only_comfyui_samples(pack, nodes, adapter):
    assert adapter.network.title == "FaceChain-FACT"
    assert adapter.patcher in adapter.get_models()
    image = factories.people(1)
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, "100 100 200 200").args
    person = pack.nodes.adapt.read_person(image, faces, None, None)
    first = adapter.encode(person, image, faces)
    assert first.person.shape == first.nobody.shape
    assert adapter.encode(person, image, faces) is first
    assert adapter.encode(person, image.clone(), faces) is not first
    with pytest.raises(RuntimeError, match="Expected ComfyUI, whose sampler an identity adapter works in"):
        nodes["LikenessApplyIdentityAdapter"].execute(None, adapter, 1.0, 0.0, 1.0, image, faces)


def test_a_head_mask_is_of_the_same_images(pack):
    read = pack.nodes.adapt.read_head
    image = torch.zeros(3, 8, 6, 3)
    assert read(None, image) is None
    assert read(torch.ones(1, 8, 6, dtype=torch.float16), image).shape == (3, 8, 6)
    with pytest.raises(ValueError, match="a head_mask of 3 images of 6 x 8, got 2 of 6 x 8"):
        read(torch.ones(2, 8, 6), image)


def test_a_published_pickle_of_several_state_dicts_is_loaded_as_it_is(nodes, base):
    """ConsistentID's file holds its networks as entries of a dict."""
    folder, parts = golden.FOLDER / "consistentid", {}
    for name, tensor in golden.state_dict(folder / "consistentid_v1.small.tsv").items():
        part, _, inner = name.partition(".")
        parts.setdefault(part, {})[inner] = tensor
    path = base / "models/face_adapter/ConsistentID-v1.bin"
    path.parent.mkdir(parents=True)
    torch.save(parts, path)
    from headless import standalone

    standalone.start(base)
    (loaded,) = nodes["LikenessLoadIdentityAdapter"].execute("ConsistentID-v1.bin").args
    assert (loaded.network.title, loaded.network.base) == ("ConsistentID", "Stable Diffusion 1.5")
    assert loaded.words.patcher in loaded.get_models()
    held = {
        id(tensor) for patcher in loaded.get_models() for tensor in patcher.model.state_dict(keep_vars=True).values()
    }
    assert not held & {id(tensor) for tensor in loaded.network.lora().values()}  # core's LoRA holds these


class Words(nn.Module):
    """Hears a person's colour, from half of the sampling on."""

    sentence, merge = "a face", 0.5

    def __init__(self, phase) -> None:
        super().__init__()
        self.scale, self.phase = nn.Linear(3, 3), phase

    def prompt(self, encoder, text, person, merge):
        image, _ = person.pictures("Colours")
        plain = encoder.encode(encoder.tokenize(text))
        colour = plain.cond + self.scale(image.mean((0, 1, 2))).detach()
        return [replace(plain, end=merge), replace(plain, cond=colour, start=merge)]


class Colours(nn.Module):
    title, base, hook, negative, parts = "Colours", "anything", "", "nobody", {}

    def __init__(self, phase) -> None:
        super().__init__()
        self.speech = Words(phase)

    def split(self):
        return None, {}

    def words(self):
        return self.speech

    def text_encoder(self):
        return None


class Clip:
    """A text encoder of ComfyUI's, as far as a prompt asks: its cond is how long the text is."""

    use_clip_schedule, patcher = False, None

    def tokenize(self, text):
        return {"l": [[(len(text), 1.0)]]}

    def encode_from_tokens(self, lines, return_pooled, return_dict):
        assert return_pooled
        assert return_dict
        length = float(lines["l"][0][0][0])
        return {"cond": torch.full((1, 1, 3), length), "pooled_output": torch.zeros(1, 3), "hooks": "kept"}


@pytest.fixture
def speaker(pack, base):
    from headless import standalone

    standalone.start(base)
    return pack.nodes.adapt.Adapter(Colours(pack.likeness.adapt.Phase))


@pytest.mark.parametrize(("count", "frames"), list(itertools.product((0, 1, 2), (1, 3))))
def test_a_prompt_about_nobody_one_and_two_people(pack, nodes, speaker, count, frames):
    image = factories.people(max(count, 1)).repeat(frames, 1, 1, 1)
    boxes = [[{"x": 20 + 200 * n, "y": 20, "width": 90, "height": 90} for n in range(count)]] * frames
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, boxes).args
    execute = nodes["LikenessIdentityPrompt"].execute
    if count != 1:
        with pytest.raises(ValueError, match="a face of the person, got none" if not count else "got 2 faces in"):
            execute(speaker, "", Clip(), image, faces)
        return
    (made,) = execute(speaker, "", Clip(), image, faces).args
    assert [about["start_percent"] for _, about in made] == [0.0, 0.5]
    assert [about["end_percent"] for _, about in made] == [0.5, 1.0]
    assert {about["hooks"] for _, about in made} == {"kept"}
    assert made[0][0].mean() == len("a face")
    assert not torch.equal(made[0][0], made[1][0])
    (early,) = execute(speaker, "a long prompt", Clip(), image, faces, merge_percent=0.2).args
    assert [about["start_percent"] for _, about in early] == [0.0, 0.2]
    assert early[0][0].mean() == len("a long prompt")


def test_a_prompt_says_what_is_missing(pack, nodes, speaker, adapter):
    execute = nodes["LikenessIdentityPrompt"].execute
    with pytest.raises(ValueError, match="the clip of the model, which Colours takes, got none: connect"):
        execute(speaker, "")
    with pytest.raises(ValueError, match="an image of the person and the faces in it, got none: Colours needs both"):
        execute(speaker, "", Clip())
    with pytest.raises(ValueError, match="got FaceChain-FACT: write the prompt in CLIP Text Encode"):
        execute(adapter, "", Clip())
    with pytest.raises(ValueError, match="works inside the model, got Colours"):
        pack.nodes.adapt.check_blocks(speaker)
    assert speaker.get_models() == [speaker.words.patcher]


def test_a_text_encoder_needs_comfyui(nodes, base):
    layout = golden.FOLDER / "arc2face/arc2face_encoder.small.tsv"
    path = base / "models/face_adapter/arc2face_mine.safetensors"
    path.parent.mkdir(parents=True)
    save_file(golden.state_dict(layout, layout.with_suffix(".json")), path)
    from headless import standalone

    standalone.start(base)
    with pytest.raises(RuntimeError, match="Expected ComfyUI, whose CLIP this adapter's text encoder is"):
        nodes["LikenessLoadIdentityAdapter"].execute("arc2face_mine.safetensors")


def test_a_pickle_s_groups_are_one_file(pack, nodes, base):
    """An IP-Adapter as diffusers saves it: two groups of tensors."""
    layout = golden.FOLDER / "arc2face/arc2face_exp_adapter.small.tsv"
    groups = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in golden.state_dict(layout, layout.with_suffix(".json")).items():
        group, _, rest = name.partition(".")
        groups[group][rest] = tensor
    path = base / "models/face_adapter/exp_adapter.bin"
    path.parent.mkdir(parents=True)
    torch.save(groups, path)
    from headless import standalone

    standalone.start(base)
    (loaded,) = nodes["LikenessLoadIdentityAdapter"].execute("exp_adapter.bin").args
    assert loaded.network.title == "Arc2Face's expression adapter"
    (shown,) = nodes["LikenessExpressionParameters"].execute("", 0, "1 2", 0.5, 0.1, 0.0).args
    tokens = loaded.encode(pack.nodes.adapt.read_person(None, embeddings=shown), shown)
    assert tokens.person.shape == tokens.nobody.shape == (4, 768)
    assert not torch.equal(tokens.person, tokens.nobody)


def test_expressions_come_from_files_and_by_hand(nodes, base):
    from headless import standalone

    standalone.start(base)
    node = nodes["LikenessExpressionParameters"]
    rows = torch.linspace(0, 0.1, 165).reshape(3, 55)
    (base / "input").mkdir(exist_ok=True)
    np.save(base / "input/smile.npy", rows.numpy())
    (last,) = node.execute("smile.npy", 2, "", 0.0, 0.0, 0.0).args
    torch.testing.assert_close(last.embedding, rows[2:])
    (more,) = node.execute("smile.npy", 2, "1", 0.5, 0.0, 0.0).args
    torch.testing.assert_close(
        (more.embedding - last.embedding)[0, [0, 1, 50, 51, 52]], torch.tensor([1, 0, 0.5, 0.5, 0])
    )
    assert (last.space, last.faces) == ("smirk_expression", None)
    assert node.execute("", 0, "", 0.0, 0.0, 0.0).args[0].embedding.abs().sum() == 0
    assert node.validate_inputs("") is True
    assert node.validate_inputs("smile.npy") is True
    assert "Expected none.npy in ComfyUI's input folder" in node.validate_inputs("none.npy")
    assert node.fingerprint_inputs("smile.npy") != node.fingerprint_inputs("")
    with pytest.raises(ValueError, match="a frame from 0 to 2, got 3"):
        node.execute("smile.npy", 3, "", 0.0, 0.0, 0.0)


def test_a_person_may_be_looked_at_in_parts_and_through_clip(pack, nodes):
    """Parts of the same faces, and what CLIP vision makes of pictures before its last layer."""
    read, types = pack.nodes.adapt.read_person, pack.likeness.types
    image = factories.people(1)
    box = [[{"x": 20, "y": 20, "width": 90, "height": 90}]]
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, box).args
    crops = types.Alignment(faces, torch.eye(2, 3)[None], "arcface112", 8)
    labels = torch.zeros(1, 8, 8, dtype=torch.uint8)
    parts = types.ParsingMap(faces, crops, ("background", "skin"), labels)

    class Vision:
        def encode_image(self, given, crop):
            assert crop
            return {"penultimate_hidden_states": given.mean((1, 2))[:, None]}

    person = read(image, faces, parsing=parts, clip_vision=Vision())
    assert person.parsing is parts
    assert torch.equal(person.look(image), image.mean((1, 2))[:, None])
    assert read(image, faces).look is None
    (others,) = nodes["LikenessFacesFromBoxes"].execute(image, [[{"x": 30, "y": 20, "width": 90, "height": 90}]]).args
    with pytest.raises(ValueError, match="must be about the same faces"):
        read(image, others, parsing=parts)


def test_the_w_plus_adapter_s_published_pickle_is_a_file_of_ones_own(nodes, base):
    """Its two parts lie in it as dictionaries."""
    folder = golden.FOLDER / "wplus_adapter"
    tensors = golden.state_dict(folder / "wplus_adapter.small.tsv", folder / "golden.json")
    parts = {part: {} for part in ("w_proj", "wplus_adapter")}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    path = base / "models/face_adapter/wplus_adapter.bin"
    path.parent.mkdir(parents=True)
    torch.save(parts, path)
    from headless import standalone

    standalone.start(base)
    (loaded,) = nodes["LikenessLoadIdentityAdapter"].execute("wplus_adapter.bin").args
    assert (loaded.network.title, loaded.network.hook, len(loaded.blocks)) == ("W+ adapter", "attn2", 16)
