"""Faces from Boxes, Align, Paste and Draw Faces."""

import pytest
import torch

import factories


@pytest.fixture
def find(nodes, base):
    """The faces in a picture."""
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    return lambda image: nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_faces_are_cut_and_pasted_back_unchanged(nodes, find, count, frames):
    image = factories.people(count).repeat(frames, 1, 1, 1)
    crops, alignment, _ = nodes["LikenessAlignFaces"].execute(image, find(image), 512, "ffhq").args
    assert crops.shape == (count * frames, 512, 512, 3)
    (back,) = nodes["LikenessPasteFaces"].execute(image, crops, alignment).args
    assert (back - image).abs().mean() < 0.005


def test_faces_without_points_cannot_be_aligned(nodes):
    box = {"x": 10, "y": 10, "width": 50, "height": 50}
    with pytest.raises(ValueError, match="five points, got boxes only: use a detector that gives points"):
        nodes["LikenessAlignFaces"].execute(torch.zeros(1, 64, 64, 3), [[box]], 64, "dlib")


def test_crops_of_other_faces_are_not_pasted(nodes, find):
    image = factories.people(2)
    crops, alignment, _ = nodes["LikenessAlignFaces"].execute(image, find(image), 64, "dlib").args
    with pytest.raises(ValueError, match="Expected 2 square crops, one per aligned face, got 1"):
        nodes["LikenessPasteFaces"].execute(image, crops[1:], alignment)


def test_a_crop_edited_to_another_size_is_resized_back(nodes, find):
    image = factories.people(1)
    crops, alignment, _ = nodes["LikenessAlignFaces"].execute(image, find(image), 256, "arcface112").args
    larger = torch.nn.functional.interpolate(crops.movedim(-1, 1), (384, 384), mode="bicubic").movedim(1, -1)
    (back,) = nodes["LikenessPasteFaces"].execute(image, larger, alignment).args
    assert (back - image).abs().mean() < 0.005
    with pytest.raises(ValueError, match="Expected 1 square crops, one per aligned face, got 1 of 384 x 192"):
        nodes["LikenessPasteFaces"].execute(image, larger[:, :192], alignment)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_alpha_and_what_lies_outside_stay_in_any_dtype(nodes, find, dtype):
    image = factories.people(1)
    image = torch.cat([image, image[..., :1]], -1).to(dtype)
    crops, alignment, _ = nodes["LikenessAlignFaces"].execute(image, find(image), 128, "arcface112").args
    (back,) = nodes["LikenessPasteFaces"].execute(image, 1 - crops, alignment).args
    assert torch.equal(back[..., 3], image[..., 3].float())
    assert torch.equal(back[:, :, 450:], image[:, :, 450:].float())
    assert (back[..., :3] - image[..., :3].float()).abs().max() > 0.5


@pytest.mark.parametrize("template", ["free", "head", "liveportrait"])
@pytest.mark.parametrize("padding", ["black", "edge", "mirror"])
def test_a_crop_that_reaches_outside_comes_back_unchanged(nodes, find, template, padding):
    image = factories.people(2)
    given = {"margin": 1.0 if template == "free" else 0.3, "padding": padding}
    crops, alignment, _ = nodes["LikenessAlignFaces"].execute(image, find(image), 900, template, **given).args
    assert (crops[:, 0].amax() == 0) == (padding == "black")
    (back,) = nodes["LikenessPasteFaces"].execute(image, crops, alignment).args
    assert (back - image).abs().mean() < 0.01
    assert ((back - image).abs().amax(-1) > 0.1).float().mean() < 0.01


def test_a_box_alone_is_cut_freely(nodes):
    image = factories.people(1)
    box = {"x": 100, "y": 90, "width": 180, "height": 240}
    crops = nodes["LikenessAlignFaces"].execute(image, [[box]], 240, "free").args[0]
    assert torch.equal(crops[0], image[0, 90:330, 70:310])


def test_faces_of_another_picture_are_refused_with_both_sizes(nodes, find):
    image = factories.people(2)
    with pytest.raises(ValueError, match=r"1 images of 800 x 512 .* got 1 of 64 x 64: connect the image that went"):
        nodes["LikenessAlignFaces"].execute(torch.zeros(1, 64, 64, 3), find(image), 64, "dlib")


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_what_is_known_is_drawn_on_every_frame(nodes, find, count, frames):
    image = factories.people(count).repeat(frames, 1, 1, 1)
    faces = find(image)
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute("mediapipe_mesh/attention").args
    landmarks = nodes["LikenessFindLandmarks"].execute(landmarker, image, faces).args
    for mesh in landmarks[:2]:  # ours, and core's payload
        (drawn,) = nodes["LikenessDrawFaces"].execute(image, faces, True, True, True, mesh, "mesh").args
        differs = (drawn != image).any(-1)
        assert drawn.shape == image.shape
        assert [bool(half.any()) for half in (differs[-1, :, :400], differs[-1, :, 400:])] == [count > 0, count > 1]


def test_a_mask_is_shown_and_one_of_another_size_refused(nodes):
    image, boxes = torch.zeros(2, 40, 50, 3), [[], []]
    mask = torch.zeros(1, 40, 50)
    mask[:, 5, 6] = 1
    (drawn,) = nodes["LikenessDrawFaces"].execute(image, boxes, True, True, True, mask=mask, opacity=1.0).args
    assert drawn.any(-1).nonzero().tolist() == [[0, 5, 6], [1, 5, 6]]
    with pytest.raises(ValueError, match=r"a mask of \(2, 40, 50\), .* got \(1, 64, 64\): resize it first"):
        nodes["LikenessDrawFaces"].execute(image, boxes, True, True, True, mask=torch.zeros(1, 64, 64))
