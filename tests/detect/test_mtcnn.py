"""MTCNN: its networks on seeded weights, the whole with the published ones, as facenet-pytorch gave them."""

import json
from pathlib import Path

import pytest
import torch

import downloads
import factories
import golden
import seeding
from likeness import detect
from likeness.detect.mtcnn import nms_of_the_smaller, square
from likeness.weights import UnsupportedCheckpointError, build, join

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/mtcnn"
SIDES = {"pnet": (40, 32), "rnet": (24, 24), "onet": (48, 48)}


def seeded() -> dict[str, dict[str, torch.Tensor]]:
    return {part: golden.state_dict(CHECKPOINT / f"{part}.tsv") for part in SIDES}


@pytest.fixture(scope="module")
def network():
    return build(join(downloads.mtcnn()), detect.SYSTEMS)


@pytest.mark.parametrize("part", SIDES)
def test_a_network_is_facenet_pytorchs(part):
    network = build(join(seeded()), detect.SYSTEMS).get_submodule(part)
    score, *others = network(seeding.noise(part, torch.Size([4, 3, *SIDES[part]])).float())
    offset, *points = others
    theirs = [offset, *points, torch.stack([1 - score, score], 1)]
    for number, tensor in enumerate(theirs):
        assert golden.difference(CHECKPOINT / "golden.json", f"{part}.{number}", tensor) < 1e-4


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper", "people", "obama", "obama2", "obama3", "biden"])
def test_on_real_photos_boxes_scores_and_points_are_facenet_pytorchs(network, name):
    kept = json.loads((CHECKPOINT / "photos.json").read_text())["outputs"][name]
    theirs = torch.tensor(kept["values"]).reshape(kept["shape"])
    faces = network.detect(photo(name), size=4000)
    assert len(faces) == len(theirs)
    torch.testing.assert_close(faces.bbox, theirs[:, :4], atol=0.5, rtol=0)
    torch.testing.assert_close(faces.score, theirs[:, 4], atol=1e-3, rtol=0)
    torch.testing.assert_close(faces.kps.flatten(1), theirs[:, 5:], atol=0.5, rtol=0)


def photo(name: str) -> torch.Tensor:
    if name == "people":
        return factories.people(2)
    return factories.read_photo(name) if name in factories.PHOTOS else downloads.presidents()[name]


def test_frames_give_together_what_they_give_alone(network):
    image = factories.people(2)[:, :320]
    frames = torch.cat([image, torch.zeros_like(image), image.flip(2)])
    together = network.detect(frames)
    assert together.image_index.tolist() == [0, 0, 2, 2]
    assert together.id.tolist() == [0, 1, 0, 1]
    torch.testing.assert_close(together.images(2, 3).bbox, network.detect(frames[2:]).bbox)


def test_a_mirrored_photo_has_mirrored_points(network):
    image = factories.read_photo("astronaut")
    kps, mirrored = network.detect(image).kps[0], network.detect(image.flip(2)).kps[0]
    swapped = kps[[1, 0, 2, 4, 3]] * torch.tensor([-1.0, 1]) + torch.tensor([511.0, 0])
    assert (mirrored - swapped).norm(dim=1).max() < 0.15 * (kps[1] - kps[0]).norm()


def test_red_and_blue_are_not_swapped(network):
    def surest(image: torch.Tensor) -> float:
        return float(network.detect(image, 0.0).score.max())

    image = factories.read_photo("grace_hopper").movedim(-1, 1)
    small = torch.nn.functional.avg_pool2d(image, 4).movedim(1, -1)
    assert surest(small) > surest(small.flip(-1))


def test_a_larger_size_finds_smaller_faces(network):
    small = torch.nn.functional.avg_pool2d(factories.read_photo("astronaut").movedim(-1, 1), 3)
    image = torch.nn.functional.pad(small, (300, 530, 200, 600)).movedim(1, -1)  # a face of 30 pixels of 1000
    assert [len(network.detect(image, size=size)) for size in (160, 1000)] == [0, 1]


@pytest.mark.parametrize("shape", [(2, 100, 300), (1, 1, 1), (0, 40, 30), (1, 12, 9)], ids=str)
def test_an_image_without_a_face_has_none(network, shape):
    red = torch.tensor([1.0, 0, 0]).expand(*shape, 3)
    faces = network.detect(red)
    assert (len(faces), faces.image_count, faces.image_size, faces.kps.shape) == (0, shape[0], shape[1:], (0, 5, 2))


def test_one_file_of_the_three_is_no_detector():
    with pytest.raises(UnsupportedCheckpointError, match=r"Not a checkpoint of .*mtcnn.*: it holds 13 tensors"):
        build(seeded()["pnet"], detect.SYSTEMS)


def test_a_square_keeps_the_centre_and_the_longer_side():
    assert square(torch.tensor([[10.0, 20, 30, 30]])).tolist() == [[10, 15, 30, 35]]


def test_of_two_boxes_one_in_the_other_the_surer_is_kept():
    box = torch.tensor([[0.0, 0, 100, 100], [10, 10, 40, 40], [200, 0, 240, 40]])
    assert nms_of_the_smaller(box, torch.tensor([0.8, 0.9, 0.7]), 0.7).tolist() == [1, 2]
    assert nms_of_the_smaller(box[:0], torch.zeros(0), 0.7).tolist() == []
