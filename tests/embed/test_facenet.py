"""FaceNet's network on seeded weights, as facenet-pytorch's own gave it; its crop, as Pillow resizes it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import factories
import golden
import seeding
from likeness import embed
from likeness.embed.facenet import crop, hparams
from likeness.types import Faces

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/facenet"
RELEASES = ["facenet_vggface2", "facenet_casia_webface"]


@pytest.fixture(scope="module")
def network():
    return golden.network(CHECKPOINT / "facenet_vggface2.tsv", embed.SYSTEMS)


def faces(*boxes: tuple[float, ...], size: tuple[int, int]) -> Faces:
    box = torch.tensor(boxes).reshape(-1, 4)
    index = torch.arange(len(box))
    return Faces(size, 1, index, index * 0, box, torch.ones(len(box)))


def test_the_network_is_facenet_pytorchs(network):
    vectors = network(seeding.noise("crops", torch.Size([3, 3, 160, 160])).float())
    apart = vectors - vectors.mean(0)
    assert golden.difference(CHECKPOINT / "golden.json", "vectors", vectors) < 1e-4
    # Different faces lie a tenth of a deviation apart: what tells them apart is held to that.
    assert golden.difference(CHECKPOINT / "golden.json", "apart", apart) < 1e-4
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_shows_its_depths_and_its_classes_are_left(name):
    layout, _ = seeding.read_layout(CHECKPOINT / f"{name}.tsv")
    assert hparams(layout) == {"depths": (5, 10, 5), "size": 512}
    assert "logits.weight" in layout


@pytest.mark.parametrize("box", [(179.4, 63.7, 270.9, 174.2), (-20.5, 300.0, 90.1, 600.0), (10.0, 10.0, 500.0, 470.0)])
def test_a_crop_is_what_pillow_makes_of_the_box(box):
    image = factories.read_photo("astronaut")
    picture = Image.fromarray((image[0] * 255).round().byte().numpy())
    whole = (int(max(box[0], 0)), int(max(box[1], 0)), int(min(box[2], 512)), int(min(box[3], 512)))
    pixels = np.asarray(picture.crop(whole).resize((160, 160), Image.BILINEAR), dtype=np.float32)
    theirs = torch.from_numpy((pixels - 127.5) / 128).movedim(-1, 0)
    apart = (crop(image, faces(box, size=(512, 512)))[0] - theirs).abs() * 128
    assert apart.max() <= 1.1  # Pillow rounds to bytes, twice
    assert apart.mean() < 0.3


def test_a_crop_is_red_green_blue():
    x = crop(torch.tensor([1.0, 0, 0]).expand(1, 90, 80, 3), faces((10, 10, 60, 70), size=(90, 80)))
    assert x[0].mean((1, 2)).tolist() == pytest.approx([127.5 / 128, -127.5 / 128, -127.5 / 128])


def test_a_mirrored_face_is_the_mirrored_crop():
    image = factories.photo(200, 200, 0)[None]
    one, other = (faces(box, size=(200, 200)) for box in ((50, 40, 150, 160), (50, 40, 150, 160)))
    torch.testing.assert_close(crop(image.flip(2), other), crop(image, one).flip(3), atol=1e-4, rtol=0)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_boxes_are_enough_and_no_threshold_is_claimed(network, count):
    boxes = [(50.0, 50, 150, 150), (20.0, 30, 100, 110)][:count]
    found = network.embed(factories.photo(200, 200, 0)[None], faces(*boxes, size=(200, 200)))
    assert found.embedding.shape == (count, 512)
    assert (found.metric, found.threshold) == ("cosine", None)
    assert found.space.startswith("facenet-")


def test_a_box_outside_the_picture_is_refused():
    with pytest.raises(ValueError, match=r"a pixel inside the picture of 80 x 90, got 90, 10, 120, 40 in image 1"):
        crop(torch.zeros(1, 90, 80, 3), faces((90, 10, 120, 40), size=(90, 80)))
