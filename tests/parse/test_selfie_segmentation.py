"""Selfie segmentation on the shipped photos."""

import pytest
import torch
from scipy import ndimage

import factories
from likeness import onnx, parse
from likeness.parse.regions import smooth
from likeness.parse.selfie_segmentation import close_holes
from likeness.types import Faces
from likeness.weights import build_onnx

# What part of the photo is person, as the mediapipe 0.10.21 wheel finds (SelfieSegmentation, model_selection=0).
MEDIAPIPE = {"astronaut": 0.542, "grace_hopper": 0.579}


@pytest.fixture(scope="module")
def person():
    """The mask of the people in a picture."""
    network = build_onnx(onnx.read(factories.STARTER / "weights/selfie_segmentation.onnx"), parse.SYSTEMS)

    def find(image: torch.Tensor) -> torch.Tensor:
        nobody = Faces.empty(tuple(image.shape[1:3]), len(image))
        with torch.inference_mode():
            return parse.to_mask(network.parse(image, nobody), "person")

    return find


@pytest.mark.parametrize("name", MEDIAPIPE)
def test_as_much_is_person_as_mediapipe_finds(person, name):
    mask = person(factories.read_photo(name))
    assert mask.mean() == pytest.approx(MEDIAPIPE[name], abs=0.01)


def test_the_mask_covers_the_picture_of_its_own_size(person):
    image = factories.read_photo("grace_hopper")
    mask = person(image)
    assert mask.shape == image.shape[:3]
    assert mask[0, 240, 267] == 1  # the nose
    assert mask[0, 30, 450] == 0  # the sky
    assert mask[0, -1, 256] > 0.95  # the coat goes on to the border


def test_a_person_has_soft_edges_and_no_holes(person):
    mask = person(factories.read_photo("astronaut"))[0]
    assert ((mask > 0.02) & (mask < 0.98)).sum() > 2000
    gaps, count = ndimage.label((mask < 0.5).numpy())
    border = set(gaps[0]) | set(gaps[-1]) | set(gaps[:, 0]) | set(gaps[:, -1])
    assert set(range(1, count + 1)) <= border


def test_a_mirrored_picture_has_the_mirrored_mask(person):
    image = factories.read_photo("grace_hopper")
    a, b = person(image), person(image.flip(2)).flip(2)
    assert torch.minimum(a, b).sum() / torch.maximum(a, b).sum() > 0.97


def test_red_and_blue_are_not_swapped(person):
    image = factories.read_photo("grace_hopper")
    swapped = person(image.flip(-1))
    assert abs(person(image).mean() - MEDIAPIPE["grace_hopper"]) < abs(swapped.mean() - MEDIAPIPE["grace_hopper"])


def test_each_frame_has_its_own_mask_and_no_frame_has_none(person):
    image = factories.read_photo("astronaut")
    masks = person(torch.cat([image, torch.zeros_like(image)]))
    assert masks[0].mean() > 0.4
    assert masks[1].mean() < 0.01
    assert person(image[:0]).shape == (0, 512, 512)


def test_a_chequered_doubt_becomes_even():
    doubt = torch.tensor([[0.2, 0.6], [0.6, 1.0]]).repeat(4, 4)[None]
    torch.testing.assert_close(smooth(doubt)[:, 1:-1, 1:-1], torch.full((1, 6, 6), 0.6))


def test_only_small_gaps_inside_a_person_are_closed():
    mask = torch.zeros(1, 100, 100)
    mask[:, 10:90, 10:90] = 1
    mask[:, 20:24, 20:24] = 0  # a button
    mask[:, 40:70, 40:70] = 0  # under the arm
    closed = close_holes(mask)
    assert closed[0, 21, 21] == 1
    assert closed[0, 50, 50] == 0
    assert closed[0, 5, 5] == 0
    assert mask[0, 21, 21] == 0
