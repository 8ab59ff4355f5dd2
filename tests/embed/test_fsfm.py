"""FSFM's encoder on seeded weights, as the authors' own gave its features."""

from pathlib import Path

import pytest
import torch

import factories
import fsfm_cases as cases
import golden
import seeding
from likeness import embed
from likeness.embed.fsfm import SYSTEM, VGGFACE2, crop, shape, window_matrix, windows
from likeness.geometry import transform
from likeness.types import Faces
from likeness.weights import UnsupportedCheckpointError, build

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/fsfm"
SMALL = CHECKPOINT / "fsfm_vf2_vit_b.small"
SIZES = {"fsfm_vf2_vit_b": (768, 12, 12), "fsvfm_vit_s": (384, 12, 12)}
SIZES |= {"fsvfm_vit_b": (768, 12, 12), "fsvfm_vit_l": (1024, 24, 16)}


@pytest.fixture(scope="module")
def network():
    return golden.network(SMALL.with_suffix(".small.tsv"), embed.SYSTEMS)


def faces(boxes, size=cases.SIZE, images=1) -> Faces:
    box = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    index = torch.arange(len(box))
    return Faces(size, images, index, index % images, box, torch.ones(len(box)))


def test_the_features_are_the_authors(network):
    vectors = network(seeding.noise("crops", torch.Size([2, 3, 224, 224])).float() * 2)
    assert golden.difference(SMALL.with_suffix(".small.json"), "features", vectors) < 1e-4


@pytest.mark.parametrize("name", ["patch_embed.proj.bias", "cls_token", "pos_embed", "blocks.0.mlp.fc2.weight"])
def test_a_changed_weight_is_seen(name):
    values = golden.state_dict(SMALL.with_suffix(".small.tsv"))
    values[name] = values[name].roll(1, -1)
    vectors = build(values, embed.SYSTEMS)(seeding.noise("crops", torch.Size([2, 3, 224, 224])).float() * 2)
    assert golden.difference(SMALL.with_suffix(".small.json"), "features", vectors) > 1e-3


@pytest.mark.parametrize("name", SIZES)
def test_a_published_file_shows_its_size(name):
    layout, _ = seeding.read_layout(CHECKPOINT / f"{name}.tsv")
    found = shape(layout)
    assert (found["width"], found["depth"], found["heads"]) == SIZES[name]
    assert (found["patch"], found["grid"], found["hidden"]) == (16, 14, 4 * found["width"])
    build(layout, embed.SYSTEMS)


def test_only_the_encoder_is_kept(network):
    names = {name.split(".")[0] for name in network.state_dict()}
    assert names == {"cls_token", "pos_embed", "patch_embed", "blocks"}
    assert all(name.split(".")[0] not in names for name in SYSTEM.unused)


def test_a_width_whose_heads_nobody_published_is_refused():
    layout, _ = seeding.read_layout(CHECKPOINT / "fsvfm_vit_s.tsv")
    layout["patch_embed.proj.weight"] = torch.empty(192, 3, 16, 16, device="meta")
    with pytest.raises(
        UnsupportedCheckpointError, match="Expected a transformer of width 384, 768, 1024, 1280, got 192"
    ):
        build(layout, embed.SYSTEMS)


def test_the_square_is_the_authors():
    found = windows(faces(cases.BOXES))
    for number, one in enumerate(found):
        assert golden.difference(CHECKPOINT.parent / "fsfm_detectors/crops.json", f"window{number}", one.double()) == 0
    picture = faces(((390, 10, 430, 60), (700, 700, 800, 800), (5, 5, 5, 5)))
    assert windows(picture).tolist() == [[378, 3, 22], [399, 299, 1], [5, 5, 1]]


def test_pixels_of_a_crop_are_where_they_were_cut():
    found = windows(faces(cases.BOXES))
    matrix = window_matrix(found, 224)
    for (x, y, side), one in zip(found.tolist(), matrix, strict=True):
        corners = torch.tensor([[x - 0.5, y - 0.5], [x + side - 0.5, y + side - 0.5]])
        torch.testing.assert_close(
            transform(one, corners), torch.tensor([[-0.5, -0.5], [223.5, 223.5]]), atol=1e-3, rtol=0
        )


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_every_face_has_a_vector_and_no_threshold_is_claimed(network, count, frames):
    image = factories.photo(200, 200, 0)[None].expand(frames, -1, -1, -1)
    found = network.embed(image, faces([(50, 50, 150, 150), (20, 30, 100, 110)][:count], (200, 200), frames))
    assert found.embedding.shape == (count, 384)
    assert (found.metric, found.threshold) == ("cosine", None)
    assert found.space.startswith("fsfm-")
    again = network.embed(image, faces([(50, 50, 150, 150)], (200, 200), frames))
    if count:
        torch.testing.assert_close(again.embedding[0], found.embedding[0], atol=1e-4, rtol=1e-4)


def test_channels_are_red_green_blue(network):
    one = faces([(50, 50, 150, 150)], (200, 200))
    mean, deviation = torch.tensor(VGGFACE2.mean), torch.tensor(VGGFACE2.deviation)
    for channel in (0, 2):
        image = torch.zeros(1, 200, 200, 3).index_fill(3, torch.tensor(channel), 1.0)
        bare = ((image[:, :1, :1].expand(1, 224, 224, 3) - mean) / deviation).movedim(-1, 1)
        torch.testing.assert_close(network.embed(image, one).embedding, network(bare), atol=1e-3, rtol=1e-3)


def test_a_mirrored_picture_gives_the_mirrored_crop():
    """The authors round centres down: the square of a mirrored box lies up to two pixels beside the mirrored square."""
    image, one = factories.photo(200, 200, 0)[None], faces([(50, 60, 150, 160)], (200, 200))
    there, back = (crop(shown, one, VGGFACE2, 224) for shown in (image, image.flip(2)))
    torch.testing.assert_close(back.flip(-1), there, atol=1e-4, rtol=1e-4)
    x, _, side = windows(one)[0].tolist()
    mirrored, _, same = windows(faces([(49, 60, 149, 160)], (200, 200)))[0].tolist()
    assert side == same
    assert abs(mirrored - (200 - x - side)) <= 2


def test_faces_of_other_images_are_refused(network):
    with pytest.raises(ValueError, match="Expected the 1 images of 400 x 300"):
        network.embed(torch.zeros(1, 64, 64, 3), faces(cases.BOXES))
