"""FaceChain-FACT in a block of core's own, and its workflow as a person queues it."""

import sys

import pytest
import torch
from PIL import Image

import golden
import seeded
from headless import PACK, workflow
from host.adapt.conftest import CONTEXT, WIDTH, noise

FOLDER = PACK / "tests/checkpoints/facechain_fact"


@pytest.fixture(scope="module")
def network(house):
    """The small layouts' seeded values, in the pack's own classes."""
    parts = {"": "facechain_fact_maj", "transface": "ms1mv2_model_transface_s"}
    weights = sys.modules[house.adapt.__name__.removesuffix("adapt") + "weights"]
    files = {
        part: golden.state_dict(FOLDER / f"{stem}.small.tsv", FOLDER / "golden.json") for part, stem in parts.items()
    }
    return weights.build(weights.join(files), house.adapt.SYSTEMS)


def test_cores_block_with_ours_gives_what_the_authors_processor_gives(house, network, core_block):
    _, blocks = network.split()
    names = dict(zip(blocks, sys.modules[house.adapt.__name__ + ".unet"].blocks("sd15"), strict=True))
    tokens = noise("tokens", 2, 16, CONTEXT)
    x, text = noise("x", 2, 24, WIDTH) * 2, noise("text", 2, 77, CONTEXT)
    for key, block in blocks.items():

        def middle(x, options, block=block):
            return block(house.adapt.Site(x, options["n_heads"], house.sampling.attend(options)), tokens, 0.8)

        options = {"patches": {"middle_patch": [middle]}, "block": key[:2], "block_index": key[2]}
        with torch.no_grad():
            made = core_block(x, text, options)
            without = core_block(x, text, {})
        assert golden.difference(FOLDER / "golden.json", f"block.{names[key]}", made) < 2e-5
        assert golden.difference(FOLDER / "golden.json", f"block.{names[key]}", without) > 1e-2


def test_its_workflow_runs_on_a_small_checkpoint_with_core_s_own_loader(house, session, base):
    path = PACK / "workflows/adapt_fact.json"
    prompt = workflow.to_api(seeded.read(path), session.info)
    shown = session.run(prompt)
    (images,) = (found["images"] for found in shown.values() if "images" in found)
    picture = Image.open(base / images[0]["type"] / images[0]["subfolder"] / images[0]["filename"])
    assert picture.size == (64, 64)
