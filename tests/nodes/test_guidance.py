"""Draw Landmark Guidance, Landmark Retry Schedule and Pick Detectable on the stand-ins."""

import math

import pytest
import torch


def landmarks(pack, images, count):
    types = pack.likeness.types
    index = torch.tensor(images, dtype=torch.int64)
    faces = types.Faces((64, 96), count, index * 0, index, torch.zeros(len(index), 4), torch.ones(len(index)))
    return types.Landmarks(faces, "ibug68", torch.full((len(index), 68, 2), 32.0))


@pytest.mark.parametrize(("images", "count"), [([0], 1), ([0, 0], 1), ([0, 1, 1], 2)])
def test_a_control_image_for_each_image(pack, nodes, images, count):
    (drawn,) = nodes["LikenessDrawLandmarkGuidance"].execute(landmarks(pack, images, count), 128, 64).args
    assert drawn.shape == (count, 64, 128, 3)
    assert all(image.any() for image in drawn)


def test_an_image_without_a_face_is_numbered_held_or_black(pack, nodes):
    draw = nodes["LikenessDrawLandmarkGuidance"].execute
    some = landmarks(pack, [1], 3)
    with pytest.raises(pack.likeness.types.NoFaceError, match=r"none in images 0, 2 of 3"):
        draw(some, 64, 64)
    held, left = (draw(some, 64, 64, missing=missing).args[0] for missing in ("hold", "skip"))
    assert [bool(image.any()) for image in held] == [True] * 3
    assert [bool(image.any()) for image in left] == [False, True, False]


def test_the_schedule_gives_what_a_sampler_needs(nodes):
    run = nodes["LikenessRetrySchedule"].execute
    assert run(0, True, "an owl").args == (1.0, 0.3, "an owl")
    strength, control, prompt = run(3, False, "an owl", seed=1).args
    assert (strength, control) == (0.97, 0.3)
    assert prompt.endswith(", an owl")
    assert run(3, False, "an owl", words=False).args[2] == "an owl"


def test_the_first_picture_with_a_face_is_taken(pack, nodes):
    types, image = pack.likeness.types, torch.arange(3.0)[:, None, None, None].expand(3, 64, 96, 3) / 3
    index = torch.tensor([1, 2, 2])
    faces = types.Faces((64, 96), 3, torch.tensor([0, 0, 1]), index, torch.zeros(3, 4), torch.tensor([0.3, 0.9, 0.8]))
    run = nodes["LikenessPickDetectable"].execute
    taken, detected, score, number, whose, table = run(image, faces, 0.7).args
    assert torch.equal(taken, image[2:])
    assert (detected, number, len(whose), whose.image_count) == (True, 2, 2, 1)
    assert score == pytest.approx(0.9)
    assert table.splitlines() == ["image score detected", "0 0.000 no", "1 0.300 no", "2 0.900 yes"]
    with pytest.raises(pack.likeness.types.NoFaceError, match=r"got 0\.90 at most in images 0 to 2 of 3"):
        run(image, faces, 0.95)
    taken, detected, score, number, *_ = run(image, faces, 0.95, "first").args
    assert (detected, score, number) == (False, 0.0, 0)
    with pytest.raises(ValueError, match="3 images of 96 x 64 that the faces were found in, got 2"):
        run(image[:2], faces, 0.7)


@pytest.mark.parametrize("count", [1, 2])
def test_rates_of_one_batch_or_two(pack, nodes, count):
    types, index = pack.likeness.types, torch.tensor([1, 2, 2])
    faces = types.Faces((64, 96), 4, torch.tensor([0, 0, 1]), index, torch.zeros(3, 4), torch.tensor([0.3, 0.9, 0.8]))
    nobody = types.Faces.empty((64, 96), 4)
    report, a, b = nodes["LikenessDetectionRate"].execute(faces, 0.7, nobody if count == 2 else None).args
    assert (a, b) == ((0.25, 0.0) if count == 2 else (0.25, pytest.approx(math.nan, nan_ok=True)))
    assert len(report.table) == count
    with pytest.raises(ValueError, match="Expected two names, got x twice"):
        nodes["LikenessDetectionRate"].execute(faces, 0.7, nobody, "x", "x")
