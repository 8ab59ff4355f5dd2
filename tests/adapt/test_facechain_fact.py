"""FaceChain-FACT against the authors' own classes on seeded weights; ``tests/host/adapt`` has it in core's sampler."""

from pathlib import Path

import pytest
import torch

import factories
import golden
import seeding
from likeness import adapt
from likeness.adapt import Person, Site, facechain_fact, unet
from likeness.types import Faces, NoFaceError
from likeness.weights import UnsupportedCheckpointError, build, join

FOLDER = Path(__file__).parents[1] / "checkpoints/facechain_fact"
GOLDEN = FOLDER / "golden.json"
KPS = torch.tensor([[[60.0, 70], [100, 70], [80, 95], [64, 118], [96, 118]]])


def seeded(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


@pytest.fixture(scope="module")
def tensors():
    """Both files of the small layouts, as they are joined."""
    parts = {"": "facechain_fact_maj", "transface": "ms1mv2_model_transface_s"}
    return join({part: golden.state_dict(FOLDER / f"{stem}.small.tsv", GOLDEN) for part, stem in parts.items()})


@pytest.fixture(scope="module")
def network(tensors):
    return build(tensors, adapt.SYSTEMS)


@pytest.fixture(scope="module")
def halves(network):
    return network.split()


def person(count=1, **more):
    """Pictures of somebody, and the face in each."""
    image = torch.stack([factories.photo(160, 160, seed) for seed in range(count)])
    index = torch.arange(count)
    box = torch.tensor([[30.0, 30, 130, 140]]).expand(count, 4)
    kps = KPS.expand(count, 5, 2)
    return Person(image, Faces((160, 160), count, index * 0, index, box, torch.ones(count), kps), **more)


def test_tokens_are_the_authors(halves):
    encoder, _ = halves
    with torch.no_grad():
        patches = encoder.encoder(seeded("faces", 2, 3, 112, 112))
        nobody = encoder.resampler(torch.zeros_like(patches[:1]))
    assert golden.difference(GOLDEN, "patches", patches) < 1e-4
    assert golden.difference(GOLDEN, "tokens", encoder.resampler(patches)) < 1e-4
    assert golden.difference(GOLDEN, "nobody", nobody) < 1e-4


@pytest.mark.parametrize("name", unet.blocks("sd15"))
def test_a_block_is_the_authors(halves, name):
    block = halves[1][unet.blocks("sd15")[name]]
    with torch.no_grad():
        changed = block(Site(seeded("x", 2, 24, 320) * 2, 8), seeded("tokens", 2, 16, 768), 0.8)
    assert golden.difference(GOLDEN, f"gated.{name}", changed) < 1e-4


def test_the_published_sizes_are_those_of_the_paper(network):
    """144 patches of 9 x 9, 12 layers, 16 tokens of 768, and SD 1.5's sixteen blocks."""
    parts = {"": "facechain_fact_maj", "transface": "ms1mv2_model_transface_s"}
    layout = join({part: seeding.read_layout(FOLDER / f"{stem}.tsv")[0] for part, stem in parts.items()})
    encoder, blocks = build(layout, adapt.SYSTEMS).split()
    assert encoder.encoder.pos_embed.shape == (1, 144, 512)
    assert len(encoder.encoder.blocks) == 12
    assert encoder.resampler.latents.shape == (1, 16, 1024)
    assert encoder.resampler.proj_out.out_features == 768
    widths = [blocks[key].width for key in unet.blocks("sd15").values()]
    assert widths == [320] * 2 + [640] * 2 + [1280] * 5 + [640] * 3 + [320] * 3 + [1280]
    assert {block.context for block in blocks.values()} == {768}


def test_norms_that_training_left_in_the_file_are_dropped_by_name(tensors, halves):
    left = {f"{name}.attn2.processor.ln.weight": torch.ones(320) for name in unet.blocks("sd15")}
    build({**tensors, **left}, adapt.SYSTEMS)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        build({**tensors, "mid_block.other": torch.ones(1)}, adapt.SYSTEMS)


def test_every_face_adds_its_tokens_and_nobody_as_many(halves):
    encoder, _ = halves
    with torch.no_grad():
        one, two = encoder.encode(person()), encoder.encode(person(2))
    assert one.person.shape == one.nobody.shape
    assert two.person.shape == two.nobody.shape == (2 * len(one.person), 768)
    torch.testing.assert_close(two.person[: len(one.person)], one.person, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(two.nobody, one.nobody.repeat(2, 1))


def test_what_is_outside_the_head_counts_as_black(halves):
    encoder, _ = halves
    head = torch.zeros(1, 160, 160)
    head[:, 40:140, 40:120] = 1
    given = person(head=head)
    other = Person(given.image * head[..., None] + (1 - head[..., None]) * 0.7, given.faces, head)
    with torch.no_grad():
        seen, same, whole = (encoder.encode(who).person for who in (given, other, person()))
    torch.testing.assert_close(same, seen)
    assert (whole - seen).abs().max() > 1e-2


def test_red_and_blue_are_told_apart(halves):
    encoder, _ = halves
    red = Person(torch.tensor([1.0, 0, 0]).expand(1, 160, 160, 3), person().faces)
    blue = Person(red.image.flip(-1), red.faces)
    with torch.no_grad():
        patches = encoder.encoder(torch.tensor([1.0, -1, -1]).reshape(1, 3, 1, 1).expand(1, 3, 112, 112))
        torch.testing.assert_close(encoder.encode(red).person, encoder.resampler(patches)[0], atol=1e-4, rtol=1e-4)
        assert (encoder.encode(red).person - encoder.encode(blue).person).abs().max() > 1e-2


def test_a_person_is_one_face_in_each_picture(halves):
    encoder, _ = halves
    given = person()
    nobody, two = given.faces.select(torch.tensor([], dtype=torch.long)), given.faces.select(torch.tensor([0, 0]))
    with pytest.raises(NoFaceError, match="a face of the person, got none in 1 images"):
        encoder.encode(Person(given.image, nobody))
    with pytest.raises(ValueError, match="one person, got 2 faces in the image: pick one"):
        encoder.encode(Person(given.image, two))
    with pytest.raises(ValueError, match="an image of the person and the faces in it"):
        encoder.encode(Person())


def test_a_file_that_lacks_a_network_says_which(tensors):
    alone = {name: tensor for name, tensor in tensors.items() if not name.startswith("transface.")}
    with pytest.raises(
        UnsupportedCheckpointError, match=r"without its face encoder TransFace: choose .*facechain_fact/"
    ):
        adapt.check_layout(alone, adapt.SYSTEMS)
    with pytest.raises(UnsupportedCheckpointError, match="got a LoRA of 2 tensors: load it with Load LoRA"):
        adapt.check_layout({"unet.lora_up.weight": torch.ones(1), "unet.alpha": torch.ones(1)}, adapt.SYSTEMS)
    adapt.check_layout(tensors, adapt.SYSTEMS)


def test_the_blocks_are_numbered_as_attention_processors_are():
    """Down, up, then middle: cross-attention i of a saved ModuleList is number 2 i + 1."""
    sd15, sdxl = list(unet.blocks("sd15").values()), list(unet.blocks("sdxl").values())
    assert [key[1] for key in sd15 if key[0] == "input"] == [1, 2, 4, 5, 7, 8]
    assert [key[1] for key in sd15 if key[0] == "output"] == [*range(3, 12)]
    assert sd15[-1] == ("middle", 0, 0)
    assert len(sd15) == 16
    assert (len(sdxl), sdxl[0], sdxl[4], sdxl[-1]) == (70, ("input", 4, 0), ("input", 7, 0), ("middle", 0, 9))
    assert unet.blocks("sd15") == facechain_fact.BLOCKS
