"""PVA against the authors' own code on seeded weights; ``tests/host/adapt`` has it in core's sampler and trains it."""

from pathlib import Path

import pytest
import torch

import golden
import seeding
from likeness import adapt
from likeness.adapt import Person, Site, Tokens, pva, unet
from likeness.adapt.person import attention
from likeness.types import Embeddings, Faces, NoFaceError
from likeness.weights import UnsupportedCheckpointError, build

FOLDER = Path(__file__).parents[1] / "checkpoints/pva"
GOLDEN = FOLDER / "golden.json"
WIDTH, HEADS, CONTEXT = 320, 5, 128


def seeded(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


@pytest.fixture(scope="module")
def tensors():
    return golden.state_dict(FOLDER / "pva.small.tsv", GOLDEN)


@pytest.fixture(scope="module")
def halves(tensors):
    return build(tensors, adapt.SYSTEMS).split()


def base(leaf, *shape):
    """The block's own weights, as they were recorded."""
    return seeded(f"base.{leaf}", *shape) * (3 / shape[-1]) ** 0.5


def site():
    """Where a block's cross-attention is, with the block's own projections of the recorded input."""
    x, text = seeded("x", 2, 24, WIDTH) * 2, seeded("text", 2, 77, CONTEXT)
    x = torch.nn.functional.layer_norm(x, [WIDTH], seeded("base.norm2.weight", WIDTH) * 0.1 + 1)
    q = x @ base("to_q.weight", WIDTH, WIDTH).T
    k, v = (text @ base(f"to_{part}.weight", WIDTH, CONTEXT).T for part in "kv")
    return Site(x, HEADS, None, q, k, v, lambda: attention(q, k, v, HEADS))


def person(count=1, space="arcface-1", size=64):
    index = torch.arange(count)
    faces = Faces((8, 8), count, index * 0, index, torch.tensor([[0.0, 0, 8, 8]]).expand(count, 4), torch.ones(count))
    return Person(embeddings=Embeddings(faces, space, seeded("vectors", count, size)))


def test_tokens_are_the_authors(halves):
    network = halves[0].transform_network
    for count in (3, 1):
        assert golden.difference(GOLDEN, f"tokens{count}", network(seeded(f"references{count}", 2, count, 64))) < 1e-4


@pytest.mark.parametrize("name", unet.blocks("sd15"))
def test_an_attention_is_the_authors(halves, name):
    block = halves[1][unet.blocks("sd15")[name]]
    made = block(site(), seeded("tokens", 2, 4, CONTEXT) * 2, 1.0)
    out = made @ base("to_out.0.weight", WIDTH, WIDTH).T + base("to_out.0.bias", WIDTH)
    assert golden.difference(GOLDEN, f"attention.{name}", out) < 1e-4


def test_nobodys_tokens_leave_a_row_as_it_is_bit_for_bit(halves):
    block, tokens = next(iter(halves[1].values())), seeded("tokens", 2, 4, CONTEXT)
    tokens[1] = 0
    here = site()
    made = block(here, tokens, 1.0)
    assert torch.equal(made[1], here.text[1])
    assert (made[0] - here.text[0]).abs().max() > 1e-2


@pytest.mark.parametrize("told", [(True, False), (False, True), (True, True), (False, False)])
def test_where_no_one_adds_each_row_is_attended_once(halves, told):
    block, tokens, here = next(iter(halves[1].values())), seeded("tokens", 2, 4, CONTEXT), site()
    tokens[[row for row in (0, 1) if not told[row]]] = 0
    rows = []

    def attend(q, k, v, heads):
        rows.append(len(q))
        return attention(q, k, v, heads)

    def alone():
        return attend(here.q, here.k, here.v, HEADS)

    made = block(Site(here.x, HEADS, attend, here.q, here.k, here.v, alone, alone, told), tokens, 1.0)
    assert sum(rows) == 2
    torch.testing.assert_close(made, block(here, tokens, 1.0), atol=1e-6, rtol=0)


def test_others_additions_stay(halves):
    block, tokens, here = next(iter(halves[1].values())), seeded("tokens", 2, 4, CONTEXT), site()
    other = seeded("other", *here.text.shape)
    beside = Site(here.x, HEADS, None, here.q, here.k, here.v, lambda: here.text + other)
    torch.testing.assert_close(block(beside, tokens, 0.5), block(here, tokens, 0.5) + other)


def test_references_count_in_any_number_and_order(halves):
    encoder, _ = halves
    several = encoder.encode(person(3))
    assert isinstance(several, Tokens)
    assert several.person.shape == several.nobody.shape == encoder.encode(person(1)).person.shape == (4, CONTEXT)
    assert not several.nobody.any()
    turned = encoder.transform_network(person(3).embeddings.embedding.flip(0)[None])[0]
    torch.testing.assert_close(turned, several.person)
    assert (several.person - encoder.encode(person(2)).person).abs().max() > 1e-2


def test_the_full_sizes_are_those_of_the_paper():
    layout, _ = seeding.read_layout(FOLDER / "pva.tsv")
    encoder, blocks = build(layout, adapt.SYSTEMS).split()
    assert sum(held.numel() for held in encoder.transform_network.parameters()) == 34_142_208
    assert encoder.transform_network.q_tokens.shape == (10, 512)
    widths = [blocks[key].width for key in unet.blocks("sd15").values()]
    assert widths == [320] * 2 + [640] * 2 + [1280] * 5 + [640] * 3 + [320] * 3 + [1280]
    assert {block.context for block in blocks.values()} == {1024}
    assert build(layout, adapt.SYSTEMS).base == "Stable Diffusion 2 inpainting"


def test_an_identity_of_other_weights_is_refused(tensors):
    trained = build({**tensors, "space": torch.tensor([*b"arcface-1"], dtype=torch.uint8)}, adapt.SYSTEMS).split()[0]
    trained.encode(person())
    with pytest.raises(ValueError, match="an identity by arcface-1, which PVA was trained on, got arcface-2"):
        trained.encode(person(space="arcface-2"))
    with pytest.raises(ValueError, match="vectors of 64 numbers, as PVA was trained with, got 32"):
        trained.encode(person(size=32))
    with pytest.raises(NoFaceError, match="Expected the identity of a face, got none"):
        trained.encode(person(0))
    with pytest.raises(ValueError, match="PVA needs the output of Embed Faces"):
        trained.encode(Person())


def test_a_file_without_its_first_half_is_not_taken(tensors):
    """The authors' own fine-tuning saves so."""
    half = {name: tensor for name, tensor in tensors.items() if not name.startswith("transform_network.")}
    with pytest.raises(UnsupportedCheckpointError, match="Not a checkpoint of"):
        build(half, adapt.SYSTEMS)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        build({**tensors, "face_net.conv1.weight": torch.ones(1)}, adapt.SYSTEMS)


def test_training_begins_from_copies_and_seeded_values():
    given = {
        key: tuple(seeded(f"{key}{part}", 8, size) for part, size in zip("qkv", (8, 16, 16), strict=True))
        for key in pva.BLOCKS.values()
    }
    first, same, other = (pva.start(given, torch.ones(16), "arcface-7", seed) for seed in (1, 1, 2))
    encoder, blocks = first.split()
    for key, block in blocks.items():
        for part, weight in zip("qkv", given[key], strict=True):
            held = block.get_submodule(f"to_visual_{part}").weight
            assert torch.equal(held, weight)
            assert held.data_ptr() != weight.data_ptr()
    assert encoder.space == "arcface-7"
    assert torch.equal(first.modifier_vec, torch.ones(16))
    for a, b in zip(first.state_dict().values(), same.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.transform_network.q_tokens, other.transform_network.q_tokens)
    layers = [layer.state_dict() for layer in first.transform_network.get_submodule("1.layers")]
    assert all(torch.equal(layers[0][name], layers[3][name]) for name in layers[0])
    assert float(first.transform_network.get_submodule("1.layers.0.norm1").weight.min()) == 1


def test_copies_of_the_text_s_projections_read_the_tokens_as_more_text():
    """What untrained copies give is the block's own attention over 77 tokens and the person's."""
    here, block = site(), pva.VisualAttention(WIDTH, CONTEXT)
    for part, size in zip("qkv", (WIDTH, CONTEXT, CONTEXT), strict=True):
        block.get_submodule(f"to_visual_{part}").weight.data = base(f"to_{part}.weight", WIDTH, size)
    tokens = seeded("tokens", 2, 4, CONTEXT)
    k, v = (
        torch.cat([old, tokens @ base(f"to_{part}.weight", WIDTH, CONTEXT).T], 1)
        for part, old in (("k", here.k), ("v", here.v))
    )
    with torch.no_grad():
        torch.testing.assert_close(block(here, tokens, 1.0), attention(here.q, k, v, HEADS), atol=1e-5, rtol=1e-4)
