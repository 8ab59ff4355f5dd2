"""The StyleGAN-pretrained encoders on seeded weights, as the authors' own gave them."""

from pathlib import Path

import pytest
import torch

import factories
import golden
import seeding
from likeness import embed
from likeness.embed.stylegan_encoders import hparams, restyle_hparams
from likeness.geometry import bbox_to_kps
from likeness.types import Faces
from likeness.weights import build

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/stylegan_encoders"
DEPTHS = {"stylegan_ir50": (3, 4, 14, 3), "ir101": (3, 13, 30, 3), "ir152": (3, 8, 36, 3)}
DEPTHS |= {"ir_se50": (3, 4, 14, 3), "ir_se101": (3, 13, 30, 3), "ir_se152": (3, 8, 36, 3)}


RESTYLE = {"restyle_ir34": (3, 4, 6, 3), "restyle_ir50": (3, 4, 14, 3), "restyle_ir50_plain": (3, 4, 14, 3)}
RESTYLE |= {"restyle_ir100": (3, 13, 30, 3)}


def small() -> dict[str, torch.Tensor]:
    """The first block of each stage of the seeded network of 50 layers."""
    layout = golden.state_dict(CHECKPOINT / "stylegan_ir50.tsv")
    kept = {f"body.{block}.": f"body.{number}." for number, block in enumerate((0, 3, 7, 21))}
    found = {name: tensor for name, tensor in layout.items() if not name.startswith("body.")}
    for start, now in kept.items():
        found |= {now + name.removeprefix(start): layout[name] for name in layout if name.startswith(start)}
    return found


@pytest.mark.parametrize("name", ["stylegan_ir50", "ir_se50"])
def test_the_network_is_the_authors(name):
    network = golden.network(CHECKPOINT / f"{name}.tsv", embed.SYSTEMS)
    vectors = network(seeding.noise("crops", torch.Size([2, 3, 112, 112])).float())
    assert golden.difference(CHECKPOINT / f"{name}.json", "vectors", vectors) < 1e-4


@pytest.mark.parametrize("name", DEPTHS)
def test_a_file_shows_its_depth_and_its_attention(name):
    layout, _ = seeding.read_layout(CHECKPOINT / f"{name}.tsv")
    found = hparams(layout)
    widths = [out for _, out, _, _ in found["blocks"]]
    assert tuple(map(widths.count, (64, 128, 256, 512))) == DEPTHS[name]
    assert [stride for *_, stride, _ in found["blocks"]].count(2) == 4
    assert {inner * 16 if "se" in name else inner for *_, inner in found["blocks"]} == (
        {64, 128, 256, 512} if "se" in name else {0}
    )
    assert (found["side"], found["size"]) == (7, 512)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_face_has_a_vector_and_no_threshold_is_claimed(count):
    network = build(small(), embed.SYSTEMS)
    box = torch.tensor([(50.0, 50, 150, 150), (20.0, 30, 100, 110)][:count]).reshape(-1, 4)
    index = torch.arange(count)
    faces = Faces((200, 200), 1, index, index * 0, box, torch.ones(count), bbox_to_kps(box))
    found = network.embed(factories.photo(200, 200, 0)[None], faces)
    assert found.embedding.shape == (count, 512)
    assert (found.metric, found.threshold) == ("cosine", None)
    assert found.space.startswith("stylegan_encoders-")


def test_the_channels_of_a_red_picture_are_not_swapped():
    network = build(small(), embed.SYSTEMS)
    box = torch.tensor([[0.0, 0, 199, 199]])
    index = torch.zeros(1, dtype=torch.int64)
    faces = Faces((200, 200), 1, index, index, box, torch.ones(1), bbox_to_kps(box))
    red = torch.zeros(1, 200, 200, 3)
    red[..., 0] = 1
    inner = torch.full((1, 3, 112, 112), -1.0)
    inner[:, 0] = 1
    with torch.inference_mode():
        near, far = network.embed(red, faces).embedding, network.embed(red.flip(-1), faces).embedding
        want = network(inner)
    assert torch.cosine_similarity(near, want) > torch.cosine_similarity(far, want)


def average() -> torch.Tensor:
    """(1, 112, 112, 3) the recorded network's average image."""
    return seeding.noise("average", torch.Size([3, 112, 112])).float().movedim(0, -1)[None] / 2 + 0.5


def test_the_network_beside_an_average_image_is_the_authors():
    network = golden.network(CHECKPOINT / "restyle_ir50.tsv", embed.SYSTEMS)
    embed.choose_average(network, average())
    vectors = network(seeding.noise("crops", torch.Size([2, 3, 112, 112])).float())
    assert golden.difference(CHECKPOINT / "restyle_ir50.json", "vectors", vectors) < 1e-4
    embed.choose_average(network, average().flip(1))
    vectors = network(seeding.noise("crops", torch.Size([2, 3, 112, 112])).float())
    assert golden.difference(CHECKPOINT / "restyle_ir50.json", "vectors", vectors) > 1e-2


@pytest.mark.parametrize("name", RESTYLE)
def test_a_file_shows_whether_it_was_trained_with_dropout(name):
    layout, _ = seeding.read_layout(CHECKPOINT / f"{name}.tsv")
    found = restyle_hparams(layout)
    widths = [out for _, out, _, _ in found["blocks"]]
    assert tuple(map(widths.count, (64, 128, 256, 512))) == RESTYLE[name]
    assert found["dropout"] == ("plain" not in name)
    assert {inner * 16 for *_, inner in found["blocks"]} == {64, 128, 256, 512}
    build(layout, embed.SYSTEMS)


def restyle():
    """The first block of each stage of the seeded network beside an average image."""
    layout = golden.state_dict(CHECKPOINT / "restyle_ir50.tsv")
    kept = {f"encoder.body.{block}.": f"encoder.body.{number}." for number, block in enumerate((0, 3, 7, 21))}
    found = {name: tensor for name, tensor in layout.items() if not name.startswith("encoder.body.")}
    for start, now in kept.items():
        found |= {now + name.removeprefix(start): layout[name] for name in layout if name.startswith(start)}
    return build(found, embed.SYSTEMS)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_space_is_named_by_the_average_image_too(count):
    network = restyle()
    embed.choose_average(network, average())
    box = torch.tensor([(50.0, 50, 150, 150), (20.0, 30, 100, 110)][:count]).reshape(-1, 4)
    index = torch.arange(count)
    faces = Faces((200, 200), 1, index, index * 0, box, torch.ones(count), bbox_to_kps(box))
    found = network.embed(factories.photo(200, 200, 0)[None], faces)
    assert found.embedding.shape == (count, 512)
    embed.choose_average(network, average().flip(1))
    assert network.space != found.space
    embed.choose_average(network, average())
    assert network.space == found.space


def test_an_average_image_is_asked_for_and_refused_where_there_is_none():
    network = restyle()
    with pytest.raises(ValueError, match=r"Expected the average image .* connect it to Load Face Embedder"):
        network(torch.zeros(1, 3, 112, 112))
    with pytest.raises(ValueError, match=r"Expected one average image of 112 x 112 for ReStyleEncoder, got none"):
        embed.choose_average(network, None)
    with pytest.raises(ValueError, match="got 1 of 200 x 112"):
        embed.choose_average(network, torch.zeros(1, 112, 200, 3))
    other = build(small(), embed.SYSTEMS)
    with pytest.raises(ValueError, match="Expected no average image for ResidualEncoder, got one"):
        embed.choose_average(other, average())
    embed.choose_average(other, None)
