"""e4e and its generator on seeded weights, as the authors' own gave them; its crop as theirs cut it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import factories
import golden
import seeding
from likeness import embed
from likeness.embed import e4e
from likeness.geometry import bbox_to_kps
from likeness.types import Faces
from likeness.weights import UnsupportedCheckpointError, build

FOLDER = Path(__file__).parents[1] / "checkpoints/e4e"
GOLDEN = FOLDER / "golden.json"
KPS = torch.tensor([[[190.0, 170], [262, 158], [232, 205], [205, 251], [268, 240]]])


@pytest.fixture(scope="module")
def tensors():
    return golden.state_dict(FOLDER / "e4e_ffhq_encode.small.tsv", GOLDEN)


@pytest.fixture(scope="module")
def network(tensors):
    return build(tensors, embed.SYSTEMS)


def face(kps, height, width, count=1):
    """The same face in each of some images."""
    index = torch.arange(count)
    box = torch.cat([kps.amin(1), kps.amax(1)], 1).expand(count, 4)
    return Faces((height, width), count, index * 0, index, box, torch.ones(count), kps.expand(count, 5, 2))


def ramps():
    """As ``tests/record/e4e.py`` drew them."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 420), torch.linspace(0, 1, 480), indexing="ij")
    return torch.stack([x, y, 0.5 + 0.5 * torch.sin(12 * x + 9 * y)], -1)[None]


def crowd(count):
    """(1, 200, 200, 3) noise, and some faces in it."""
    box = torch.tensor([(50.0, 50, 150, 150), (20.0, 30, 100, 110)][:count]).reshape(-1, 4)
    index = torch.arange(count)
    faces = Faces((200, 200), 1, index, index * 0, box, torch.ones(count), bbox_to_kps(box))
    return factories.photo(200, 200, 0)[None], faces


def test_codes_and_pictures_are_the_authors(network):
    with torch.inference_mode():
        codes = network(seeding.noise("faces", torch.Size([2, 3, 256, 256])).float()).unflatten(1, (18, 64))
        picture = network.decoder(codes[:1])
    assert golden.difference(GOLDEN, "codes", codes) < 1e-4
    assert golden.difference(GOLDEN, "picture", picture) < 1e-4


def test_the_crop_is_the_authors():
    """To a third of a pixel of 8 bits: they cut at 4096 pixels and shrink, and lose what is below a level."""
    crop = e4e.crop(ramps(), face(KPS, 420, 480), 512)[0]
    assert golden.difference(FOLDER / "alignment.json", "crop", crop) < 0.02
    moved = e4e.crop(ramps(), face(KPS + torch.tensor([3.0, 0]), 420, 480), 512)[0]
    assert golden.difference(FOLDER / "alignment.json", "crop", moved) > 0.02


def test_the_published_sizes_are_those_of_the_paper():
    """IR-SE 50, 18 rows of 512, and StyleGAN2 up to 1024 pixels."""
    layout, _ = seeding.read_layout(FOLDER / "e4e_ffhq_encode.tsv")
    network = build(layout, embed.SYSTEMS)
    assert (network.shape, network.side, len(network.encoder.body)) == ((18, 512), 256, 24)
    assert (network.encoder.fine, network.encoder.middle, network.encoder.coarse) == (6, 20, 23)
    assert network.encoder.levels == [0] * 3 + [1] * 4 + [2] * 11
    assert network.decoder.noises.noise_16.shape[-1] == 1024
    widths = [conv.conv.weight.shape[1] for conv in network.decoder.convs][::2]
    assert widths == [512] * 4 + [256, 128, 64, 32]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_face_has_a_code_of_a_flat_space(network, count):
    found = network.embed(*crowd(count))
    assert found.embedding.shape == (count, 18 * 64)
    assert found.embedding.dtype == torch.float32
    assert (found.metric, found.threshold, found.flat) == ("l2", None, True)
    assert found.space.startswith("e4e_wplus-")


def test_around_the_head_it_is_white(network):
    image, faces = crowd(1)
    head = torch.zeros(1, 200, 200)
    head[:, 40:170, 50:150] = 1
    white = image * head[..., None] + 1 - head[..., None]
    whole, cut, same = (e4e.crop(image, faces, 256, mask) for mask in (None, head, torch.ones(1, 200, 200)))
    assert (cut[0, :8] == 1).all()  # outside the photo too
    assert (whole[0, :8] < 1).any()
    close = (cut - e4e.crop(white, faces, 256)).abs()[:, 60:180, 100:150]
    assert close.max() < 1e-5
    assert (same - whole).abs()[:, 100:150, 100:150].max() < 1e-5
    with torch.inference_mode():
        assert not torch.equal(network.embed(image, faces, head).embedding, network.embed(image, faces).embedding)


def test_the_channels_of_a_red_picture_are_not_swapped(network):
    _, faces = crowd(1)
    red = torch.tensor([1.0, 0, 0]).expand(1, 200, 200, 3)
    with torch.inference_mode():
        want = network(torch.tensor([1.0, -1, -1]).reshape(1, 3, 1, 1).expand(1, 3, 256, 256))
        near, far = network.embed(red, faces).embedding, network.embed(red.flip(-1), faces).embedding
    assert (near - want).abs().max() < 1e-3 * want.std()
    assert (far - want).abs().max() > 0.1 * want.std()


def test_a_mirrored_photo_gives_the_mirrored_crop():
    image, faces = crowd(1)
    mirrored = faces.kps.clone()
    mirrored[..., 0] = 199 - mirrored[..., 0]
    mirrored = mirrored[:, [1, 0, 2, 4, 3]]
    crop, other = e4e.crop(image, faces, 256), e4e.crop(image.flip(2), face(mirrored, 200, 200), 256)
    assert (crop - other.flip(2)).abs().max() < 2e-3


def test_a_code_is_drawn_in_range_and_another_encoders_is_refused(network):
    codes = network.embed(*crowd(2))
    with torch.inference_mode():
        drawn = network.draw(codes)
        assert network.draw(codes.select(torch.tensor([], dtype=torch.int64))).shape == (0, 1024, 1024, 3)
        one = network.decoder(codes.embedding[1:].unflatten(1, (18, 64)))
    assert drawn.shape == (2, 1024, 1024, 3)
    assert 0 <= drawn.min() < drawn.max() <= 1
    torch.testing.assert_close(drawn[1], (one[0].movedim(0, -1) / 2 + 0.5).clamp(0, 1))
    with pytest.raises(ValueError, match=r"of one space, got arcface-1 and e4e_wplus-\w+: use one model"):
        network.draw(replace(codes, space="arcface-1"))


def test_what_it_cannot_use_is_said(network, tensors):
    image, faces = crowd(1)
    with pytest.raises(ValueError, match="five points, got boxes only"):
        network.embed(image, replace(faces, kps=None))
    with pytest.raises(ValueError, match="points are all in one place"):
        network.embed(image, replace(faces, kps=torch.full((1, 5, 2), 7.0)))
    with pytest.raises(ValueError, match=r"a mask of \(1, 200, 200\), one per image"):
        network.embed(image, faces, torch.ones(1, 100, 200))
    with pytest.raises(ValueError, match="zero or NaN for face 1"):
        network.embed(image * torch.nan, faces)
    lost = {name: tensor for name, tensor in tensors.items() if name != "latent_avg"}
    with pytest.raises(
        UnsupportedCheckpointError, match=r"e4e with its average code.*choose it by its name \(e4e/ffhq\)"
    ):
        build(lost, embed.SYSTEMS)
    build({**tensors, "discriminator_state_dict.conv.weight": torch.ones(1)}, embed.SYSTEMS)


def test_the_average_may_be_one_row_for_all(network, tensors):
    """As StyleGAN's own files hold it."""
    row = build({**tensors, "latent_avg": tensors["latent_avg"][0]}, embed.SYSTEMS)
    x = seeding.noise("faces", torch.Size([1, 3, 256, 256])).float()
    with torch.inference_mode():
        shift = (network(x) - row(x)).unflatten(1, (18, 64))
    torch.testing.assert_close(shift[0], tensors["latent_avg"] - tensors["latent_avg"][0], atol=1e-4, rtol=1e-4)
