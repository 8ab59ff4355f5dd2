"""The W+ adapter against the authors' own classes on seeded weights; ``tests/host/adapt`` has it in core's sampler."""

from pathlib import Path

import pytest
import torch
from torch import nn

import golden
import seeding
from likeness import adapt
from likeness.adapt import Person, Site, unet
from likeness.adapt.person import attention
from likeness.types import Embeddings, NoFaceError
from likeness.weights import UnsupportedCheckpointError, build

FOLDER = Path(__file__).parents[1] / "checkpoints/wplus_adapter"
GOLDEN = FOLDER / "golden.json"
ROW, WIDTH, CONTEXT, HEADS = 64, 320, 768, 8


def seeded(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


@pytest.fixture(scope="module")
def tensors():
    return golden.state_dict(FOLDER / "wplus_adapter.small.tsv", GOLDEN)


@pytest.fixture(scope="module")
def halves(tensors):
    return build(tensors, adapt.SYSTEMS).split()


def person(codes, space="e4e_wplus-1"):
    return Person(embeddings=Embeddings(None, space, codes, metric="l2", flat=True))


def test_tokens_are_the_authors(halves):
    encoder, _ = halves
    codes = seeded("codes", 2, 18, ROW) * 2
    assert golden.difference(GOLDEN, "tokens", encoder.projection(codes)) < 1e-4
    told = encoder.encode(person(codes[:1].flatten(1)))
    torch.testing.assert_close(told.person, encoder.projection(codes)[0])
    assert golden.difference(GOLDEN, "nobody", told.nobody[None]) < 1e-4


@pytest.mark.parametrize("number", range(16))
def test_a_block_is_the_authors(halves, number):
    """With the recorded cross-attention around it: text first, then the person, then the output projection."""
    block = halves[1][list(unet.blocks("sd15").values())[number]]

    def base(name, *shape):
        spread = (3 / shape[-1]) ** 0.5
        return seeded(f"base.{name}", *shape) * spread + (name == "norm2.weight")

    x, text = seeded("x", 2, 24, WIDTH) * 2, seeded("text", 2, 77, CONTEXT)
    norm = nn.functional.layer_norm(x, (WIDTH,), base("norm2.weight", WIDTH), base("norm2.bias", WIDTH))
    q, k, v = (
        given @ base(f"to_{name}.weight", WIDTH, given.shape[-1]).T
        for name, given in (("q", norm), ("k", text), ("v", text))
    )
    site = Site(norm, HEADS, None, q, k, v, lambda: attention(q, k, v, HEADS))
    out = base("to_out.0.weight", WIDTH, WIDTH).T, base("to_out.0.bias", WIDTH)
    changed = x + block(site, seeded("tokens", 2, 4, CONTEXT) * 2, 0.8) @ out[0] + out[1]
    assert golden.difference(GOLDEN, f"block.{number}", changed) < 1e-4
    shared = site.text + 0.8 * attention(q, block.to_k_wplus(seeded("tokens", 2, 4, CONTEXT) * 2),
                                         block.to_v_wplus(seeded("tokens", 2, 4, CONTEXT) * 2), HEADS)  # fmt: skip
    assert golden.difference(GOLDEN, f"block.{number}", x + shared @ out[0] + out[1]) > 1e-2  # as IP-Adapter would


@pytest.mark.parametrize("stem", ["wplus_adapter", "wplus_adapter_stage1"])
def test_the_published_sizes_are_those_of_the_paper(stem):
    """18 rows of 512, 4 tokens of 768, 7,079,424 numbers in the projection, and SD 1.5's sixteen blocks."""
    layout, _ = seeding.read_layout(FOLDER / f"{stem}.tsv")
    encoder, blocks = build(layout, adapt.SYSTEMS).split()
    assert sum(held.numel() for held in encoder.parameters()) == 7_079_424
    assert [encoder.projection.get_submodule(f"proj_{n}").in_features // 512 for n in range(4)] == [4, 4, 4, 6]
    widths = [blocks[key].width for key in unet.blocks("sd15").values()]
    assert widths == [320] * 2 + [640] * 2 + [1280] * 5 + [640] * 3 + [320] * 3 + [1280]
    assert {block.context for block in blocks.values()} == {768}


def test_blocks_are_numbered_down_up_middle(tensors, halves):
    middle = halves[1][("middle", 0, 0)].to_q_wplus.weight
    assert torch.equal(middle, tensors["wplus_adapter.31.to_q_wplus.weight"])
    assert torch.equal(halves[1][("output", 3, 0)].to_q_wplus.weight, tensors["wplus_adapter.13.to_q_wplus.weight"])


def test_it_is_told_of_one_code_of_its_own_space(halves):
    encoder, _ = halves
    code = torch.ones(1, 18 * ROW)
    with pytest.raises(ValueError, match=r"an identity by e4e_wplus, got none: W\+ adapter needs the output of Embed"):
        encoder.encode(Person())
    with pytest.raises(ValueError, match=r"e4e_wplus, which W\+ adapter was trained on, got arcface-1: choose that"):
        encoder.encode(person(code, "arcface-1"))
    with pytest.raises(NoFaceError, match="the identity of a face, got none"):
        encoder.encode(person(code[:0]))
    with pytest.raises(ValueError, match=r"one code for W\+ adapter, got 2: mix them with Mix Identities"):
        encoder.encode(person(code.repeat(2, 1)))
    with pytest.raises(ValueError, match="a code of 18 rows of 64 numbers, got 512 numbers"):
        encoder.encode(person(torch.ones(1, 512)))


def test_half_a_file_says_what_it_lacks(tensors):
    alone = {name: tensor for name, tensor in tensors.items() if ".31." not in name}
    with pytest.raises(UnsupportedCheckpointError, match=r"16 blocks of W\+ adapter, got 15, without wplus_adapter.31"):
        build(alone, adapt.SYSTEMS)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        build({**tensors, "wplus_adapter.33.to_q_wplus.weight": torch.ones(1)}, adapt.SYSTEMS)
