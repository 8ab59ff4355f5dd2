"""S3FD against its authors' code on seeded weights: maps, boxes, and what it does with pictures."""

import json
from pathlib import Path

import pytest
import torch

import golden
import seeding
from likeness import detect
from likeness.detect.s3fd import decode, nms, prepare
from likeness.geometry import align

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/s3fd"
GOLDEN = CHECKPOINT / "golden.json"


@pytest.fixture(scope="module")
def network():
    return golden.network(CHECKPOINT / "s3fd.tsv", detect.SYSTEMS)


@pytest.fixture(scope="module")
def picture():
    """(1, H, W, 3) in [0, 1]."""
    return ((seeding.noise("picture", torch.Size([96, 128, 3])) + 1) * 127.5).round().float()[None] / 255


def test_its_twelve_maps_are_the_authors(network, picture):
    x, ratio = prepare(picture[0], 640)
    maps = [one for pair in network(x[None]) for one in pair]
    assert ratio.tolist() == [1, 1]
    assert [golden.difference(GOLDEN, f"map{number}", one) < 1e-4 for number, one in enumerate(maps)] == [True] * 12


def test_its_boxes_are_the_authors_and_pixel_centres_are_whole(network, picture):
    """The authors count from the picture's corner."""
    found = network.detect(picture, 0.9)
    assert golden.difference(GOLDEN, "boxes", found.bbox + 0.5) < 1e-4
    assert golden.difference(GOLDEN, "scores", found.score) < 1e-4
    assert found.score.tolist() == sorted(found.score.tolist(), reverse=True)


def test_the_golden_names_its_source():
    assert json.loads(GOLDEN.read_text())["repository"].endswith("1adrianb/face-alignment")


def test_a_red_picture_has_its_red_last():
    x, _ = prepare(torch.tensor([1.0, 0, 0]).expand(40, 50, 3), 640)
    assert x[:, 0, 0].tolist() == [-104, -117, 255 - 123]


def test_a_mirrored_cell_is_a_mirrored_box():
    """Maps mirrored by hand: places are negated, the cells lie the other way round."""
    maps = [
        (seeding.noise(f"s{i}", torch.Size([1, 2, 2, 4])), seeding.noise(f"b{i}", torch.Size([1, 4, 2, 4])))
        for i in range(6)
    ]
    sign = torch.tensor([-1.0, 1, 1, 1])[:, None, None]
    score, box = decode(maps)
    other, turned = decode([(s.flip(-1), (b * sign).flip(-1)) for s, b in maps])
    begin = 0
    for stride in (4, 8, 16, 32, 64, 128):
        rows = slice(begin, begin + 8)
        width = 4 * stride
        back = turned[rows].reshape(2, 4, 4).flip(1).reshape(8, 4)
        torch.testing.assert_close(
            back[:, [2, 1, 0, 3]] * torch.tensor([-1.0, 1, -1, 1]) + torch.tensor([width, 0.0, width, 0]),
            box[rows],
            atol=1e-4,
            rtol=1e-5,
        )
        torch.testing.assert_close(other[rows].reshape(2, 4).flip(1).flatten(), score[rows])
        begin += 8


def test_of_boxes_that_overlap_the_surest_is_kept():
    box = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60], [0, 0, 10, 10]])
    assert nms(box, torch.tensor([0.8, 0.9, 0.7, 0.2]), 0.5).tolist() == [1, 2]


@pytest.mark.parametrize("size", [(0, 40, 30), (1, 1, 1), (2, 1, 900), (1, 20, 33)], ids=str)
def test_pictures_of_any_size_are_taken(network, size):
    found = network.detect(torch.zeros(*size, 3), 0.9999)
    assert (found.image_count, found.image_size, found.kps) == (size[0], size[1:], None)


def test_frames_give_together_what_they_give_alone(network, picture):
    frames = torch.cat([picture, picture.flip(1)])
    both = network.detect(frames, 0.9)
    for index in range(2):
        alone, part = network.detect(frames[index : index + 1], 0.9), both.images(index, index + 1)
        assert torch.equal(part.bbox, alone.bbox)
        assert part.id.tolist() == list(range(len(alone)))


def test_a_large_picture_is_shrunk_and_a_small_one_is_not(picture):
    large, ratio = prepare(picture[0], 64)
    assert (tuple(large.shape), ratio.tolist()) == ((3, 48, 64), [2, 2])
    small, ratio = prepare(picture[0], 4000)
    assert (tuple(small.shape), ratio.tolist()) == ((3, 96, 128), [1, 1])


def test_what_needs_five_points_says_so(network, picture):
    with pytest.raises(ValueError, match="Expected faces with five points, got boxes only: use a detector that gives"):
        align(picture, network.detect(picture, 0.9), "arcface112", 112)
