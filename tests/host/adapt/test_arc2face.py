"""Arc2Face: its encoder as a CLIP of core's, held against the authors' own code."""

import pytest
import torch

import golden
import seeding

FOLDER = golden.FOLDER / "arc2face"
LAYOUT, GOLDEN = FOLDER / "arc2face_encoder.small.tsv", FOLDER / "arc2face_encoder.small.json"
PUBLISHED = "arcface/webface42m_r100; licence: MIT; commercial use: unclear"


@pytest.fixture(scope="module")
def adapter(house):
    """The small layout's seeded values, in a CLIP that keeps them in float32."""
    import sys

    import comfy.model_management

    weights = sys.modules[house.adapt.__name__.removesuffix("adapt") + "weights"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comfy.model_management, "text_encoder_dtype", lambda *_: torch.float32)
        return house.binding.Adapter(weights.build(golden.state_dict(LAYOUT, GOLDEN), house.adapt.SYSTEMS))


def person(house, *names, space="arcface-1", weights=PUBLISHED):
    """The identities that were recorded, as long as ArcFace gives them."""
    vectors = torch.stack([seeding.noise(name, torch.Size([512])).float() * 7 for name in names])
    return house.types.Embeddings(None, space, vectors, weights=weights)


def prompt(house, adapter, text="", **inputs):
    """The CONDITIONING that Identity Prompt gives."""
    with torch.inference_mode():
        (made,) = house.nodes["LikenessIdentityPrompt"].execute(adapter, text, **inputs).args
    return made


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_person_in_a_word_is_the_authors(house, adapter, name):
    ((cond, about),) = prompt(house, adapter, embeddings=person(house, name))
    assert set(about) == {"pooled_output"}
    assert golden.difference(GOLDEN, name, cond) < 1e-4
    other = {"one": "two", "two": "one"}[name]
    assert golden.difference(GOLDEN, other, cond) > 1e-2
