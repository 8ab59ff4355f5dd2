"""RoI Tanh Warp and RoI Tanh Restore."""

import pytest
import torch

import factories

MODES = ["cartesian", "polar", "circular"]


@pytest.fixture
def find(nodes, base):
    """The faces in a picture."""
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    return lambda image: nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]


@pytest.fixture
def warp(nodes):
    return lambda *given, **more: nodes["LikenessRoiTanhWarp"].execute(*given, **more).args


@pytest.fixture
def restore(nodes):
    return lambda *given: nodes["LikenessRoiTanhRestore"].execute(*given).args


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_pictures_come_back_from_their_faces_warps(find, warp, restore, count, frames):
    image = factories.people(count).repeat(frames, 1, 1, 1)
    faces = find(image)
    warped, how = warp(image, faces, "cartesian", 513)
    assert warped.shape == (count * frames, 513, 513, 3)
    back, reached = restore(warped, how)
    assert back.shape == image.shape
    assert reached.shape == image.shape[:3]
    for box, index in zip(faces.bbox.int().tolist(), faces.image_index.tolist(), strict=True):
        inside = (index, slice(box[1], box[3]), slice(box[0], box[2]))
        assert (back[inside] - image[inside]).abs().mean() < 0.01
        assert reached[inside].min() > 0.99
    if not count:
        assert not back.any()
        assert torch.equal(restore(warped, how, image)[0], image)


@pytest.mark.parametrize("mode", MODES)
def test_what_no_warp_reaches_is_black_or_the_image(find, warp, restore, mode):
    image = torch.zeros(1, 600, 900, 3)
    image[:, 40:552, 50:850] = factories.people(1)
    warped, how = warp(image, [[{"x": 20, "y": 20, "width": 20, "height": 24}]], mode, 64)
    black, reached = restore(warped, how)
    behind, _ = restore(warped, how, torch.full_like(image, 0.1))
    assert (black[0, -1, -1].tolist(), float(reached[0, -1, -1])) == ([0, 0, 0], 0)
    torch.testing.assert_close(behind[0, -1, -1], torch.full((3,), 0.1))
    torch.testing.assert_close(behind[0, 25:40, 25:38], black[0, 25:40, 25:38])


def test_of_two_faces_each_is_taken_from_its_own_warp(find, warp, restore):
    image = factories.people(2)
    warped, how = warp(image, find(image), "polar", 128)
    white = torch.ones_like(warped) * torch.tensor([0.0, 1.0])[:, None, None, None]
    back, _ = restore(white, how)
    (x1, y1), (x2, y2) = ((box[:2] + box[2:]).div(2).int().tolist() for box in how.faces.bbox)
    assert (float(back[0, y1, x1].max()), float(back[0, y2, x2].min())) == (0, 1)


def test_of_masks_the_largest_value_counts(find, warp, restore):
    image = factories.people(2)
    _, how = warp(image, find(image), "circular", 129)
    masks = torch.zeros(2, 65, 65)  # another side than the pictures have
    masks[1] = 0.5
    masks[0, 28:37, 28:37] = 1
    shown, mask = restore(masks, how)
    assert shown.shape == (*mask.shape, 3)
    (x1, y1), (x2, y2) = ((box[:2] + box[2:]).div(2).int().tolist() for box in how.faces.bbox)
    assert [float(mask[0, y, x]) for x, y in ((x1, y1), (x2, y2))] == pytest.approx([1, 0.5])


def test_a_tilted_head_stands_upright(warp):
    image = torch.zeros(1, 101, 101, 3)
    image[:, 48:53, 50:95] = 1  # the top of a head that lies on its right side
    box = [[{"x": 30, "y": 30, "width": 40, "height": 40}]]
    (warped, _) = warp(image, box, "cartesian", 65, angular_offset=90.0)
    assert warped[0, 5:30, 32].min() == 1
    assert warped[0, 36:, 32].max() == 0


def test_faces_of_another_picture_and_too_few_warped_are_refused(find, warp, restore):
    image = factories.people(2)
    faces = find(image)
    with pytest.raises(ValueError, match=r"1 images of 800 x 512 .* got 1 of 64 x 64: connect the image that went"):
        warp(torch.zeros(1, 64, 64, 3), faces, "polar", 64)
    warped, how = warp(image, faces, "polar", 64)
    for given in (warped[1:], torch.zeros(1, 64, 64)):
        with pytest.raises(ValueError, match="Expected 2 warped pictures, one per face, got 1: connect those of RoI"):
            restore(given, how)
    with pytest.raises(ValueError, match=r"boxes that show a part of the 800 x 512 picture, got .*width 0"):
        warp(image, [[{"x": 9, "y": 9, "width": 0, "height": 21}]], "polar", 64)


@pytest.mark.parametrize("kind", ["grey", "RGBA", "half"])
def test_every_kind_of_picture_is_taken(warp, restore, kind):
    image = factories.people(1)
    image = {"grey": image[..., :1], "RGBA": torch.cat([image, image[..., :1]], -1), "half": image.half()}[kind]
    warped, how = warp(image, [[{"x": 90, "y": 90, "width": 200, "height": 230}]], "circular", 64)
    assert restore(warped, how, image)[0].shape == (1, 512, 800, 3)
