"""The W+ adapter in a block of core's own, and its workflow as a person queues it."""

import sys

import pytest
import torch
from PIL import Image

import golden
import seeded
import seeding
from headless import PACK, workflow

FOLDER = PACK / "tests/checkpoints/wplus_adapter"
CONTEXT, WIDTH, HEADS = 768, 320, 8


def noise(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


@pytest.fixture(scope="module")
def network(house):
    """The small layout's seeded values, in the pack's own classes."""
    weights = sys.modules[house.adapt.__name__.removesuffix("adapt") + "weights"]
    tensors = golden.state_dict(FOLDER / "wplus_adapter.small.tsv", FOLDER / "golden.json")
    return weights.build(tensors, house.adapt.SYSTEMS)


def test_cores_block_with_ours_gives_what_the_authors_processor_gives(house, network, core_block):
    _, blocks = network.split()
    tokens = noise("tokens", 2, 4, CONTEXT) * 2
    x, text = noise("x", 2, 24, WIDTH) * 2, noise("text", 2, 77, CONTEXT)
    for number, (key, block) in enumerate(blocks.items()):

        def attn2(q, k, v, options, block=block):
            attend = house.sampling.attend(options)
            before = house.sampling.attend(options, options["n_heads"])
            site = house.adapt.Site(q, options["n_heads"], attend, q, k, v, lambda: before(q, k, v))
            return block(site, tokens, 0.8)

        options = {"patches_replace": {"attn2": {key: attn2}}, "block": key[:2], "block_index": key[2]}
        with torch.no_grad():
            made = core_block(x, text, options)
            without = core_block(x, text, {})
        assert golden.difference(FOLDER / "golden.json", f"block.{number}", made) < 2e-5
        assert golden.difference(FOLDER / "golden.json", f"block.{number}", without) > 1e-2


def test_a_recognisers_identity_is_refused_at_the_node(house):
    adapter = house.binding.Adapter(sys.modules["host.adapt.cases"].wplus(house))
    identity = house.types.Embeddings(None, "arcface-1", torch.ones(1, 512))
    with pytest.raises(ValueError, match=r"an identity by e4e_wplus, which W\+ adapter was trained on, got arcface-1"):
        house.apply(house.model("sd15"), adapter, embeddings=identity)
    with pytest.raises(ValueError, match="an identity by e4e_wplus, got none"):
        house.apply(house.model("sd15"), adapter)


def test_its_workflow_runs_on_a_small_checkpoint_with_core_s_own_loader(house, session, base):
    path = PACK / "workflows/adapt_wplus.json"
    seeded.write(base, [path])
    shown = session.run(workflow.to_api(seeded.read(path), session.info))
    sizes = []
    for found in shown.values():
        for image in found.get("images", ()):
            sizes.append(Image.open(base / image["type"] / image["subfolder"] / image["filename"]).size)
    assert sorted(sizes) == [(64, 64), (1024, 1024)]
