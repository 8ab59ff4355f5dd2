"""Expression Mask, Warp to Canonical Face, Unwarp Canonical Face."""

import pytest
import torch

import factories


@pytest.fixture
def look(nodes, base):
    """The landmarks in a picture, ours and core's."""
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute("mediapipe_mesh/attention").args

    def find(image: torch.Tensor) -> tuple:
        faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]
        return nodes["LikenessFindLandmarks"].execute(landmarker, image, faces).args[:2]

    return find


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_masks_and_canonical_faces_of_none_one_and_two(nodes, look, count, frames):
    image = factories.people(count).repeat(frames, 1, 1, 1)
    landmarks, cores = look(image)
    mask, name = nodes["LikenessExpressionMask"].execute("happiness", landmarks).args
    assert (mask.shape, name) == (image.shape[:3], "happiness")
    sides = mask[-1, :, :400].mean(), mask[-1, :, 400:].mean()
    assert [side > 0.01 for side in sides] == [count > 0, count > 1]
    faces, carried = nodes["LikenessWarpToCanonicalFace"].execute(image, landmarks, mask).args
    assert faces.shape == (count * frames, 275, 224, 3)
    assert carried.shape == (count * frames, 275, 224)
    back, picture = nodes["LikenessUnwarpCanonicalFace"].execute(carried, cores, faces).args
    assert (back.shape, picture.shape) == (mask.shape, image.shape)
    if count:
        canonical = nodes["LikenessExpressionMask"].execute("happiness").args[0][0] > 0
        both, either = (carried[0] > 0.5) & canonical, (carried[0] > 0.5) | canonical
        assert both.sum() / either.sum() > 0.9
        assert ((back > 0.5) == (mask > 0)).float().mean() > 0.99


def test_all_six_masks_are_for_the_canonical_face(nodes, look):
    masks, names = nodes["LikenessExpressionMask"].execute("all").args
    assert masks.shape == (6, 275, 224)
    assert names.split() == ["anger", "disgust", "fear", "happiness", "sadness", "surprise"]
    with pytest.raises(ValueError, match=r"an expression among anger, .* got all"):
        nodes["LikenessExpressionMask"].execute("all", look(factories.people(1))[0])


def test_without_a_mask_it_is_said_how_far_the_photo_reaches(nodes, look):
    image = factories.people(1)[:, 120:, :400]  # the forehead is cut off
    landmarks, _ = look(image)
    _, reach = nodes["LikenessWarpToCanonicalFace"].execute(image, landmarks).args
    assert reach[0, 150:200, 80:140].min() > 0.999
    assert not reach[0, 2].any()


def test_a_photo_that_a_face_fills_is_brought_whole(nodes, look):
    image = factories.people(1)[:, 60:420, 60:340]
    landmarks, _ = look(image)
    _, reach = nodes["LikenessWarpToCanonicalFace"].execute(image, landmarks, fills=True).args
    assert reach[0, 2:-2, 2:-2].min() > 0.99


def test_a_missing_face_is_held_or_an_error(pack, nodes, look):
    face = factories.people(1)
    landmarks, _ = look(torch.cat([face, torch.zeros_like(face)]))
    mask, _ = nodes["LikenessExpressionMask"].execute("anger", landmarks, "hold").args
    assert torch.equal(mask[0], mask[1])
    with pytest.raises(pack.likeness.types.NoFaceError, match="none in image 1 of 2"):
        nodes["LikenessExpressionMask"].execute("anger", landmarks, "error")


def test_what_does_not_fit_is_refused(nodes, look):
    image = factories.people(1)
    landmarks, _ = look(image)
    with pytest.raises(ValueError, match=r"a mask of \(1, 512, 800\).* got \(2, 512, 800\)"):
        nodes["LikenessWarpToCanonicalFace"].execute(image, landmarks, torch.zeros(2, 512, 800))
    with pytest.raises(ValueError, match=r"1 canonical pictures of 224 x 275.* got 1 of 800 x 512"):
        nodes["LikenessUnwarpCanonicalFace"].execute(torch.zeros(1, 512, 800), landmarks)
    with pytest.raises(ValueError, match="connect the image that went into the detector"):
        nodes["LikenessWarpToCanonicalFace"].execute(image[:, :100], landmarks)


def test_masks_that_are_no_numbers_are_refused(nodes, look):
    image = factories.people(1)
    landmarks, _ = look(image)
    broken = torch.full((1, 275, 224), torch.nan)
    for call in (
        lambda: nodes["LikenessWarpToCanonicalFace"].execute(image, landmarks, torch.full((1, 512, 800), torch.nan)),
        lambda: nodes["LikenessUnwarpCanonicalFace"].execute(broken, landmarks),
        lambda: nodes["LikenessCompareHeatMaps"].execute(broken, broken, "one by one", False),
    ):
        with pytest.raises(ValueError, match="got NaN or infinity in the image: look at the node that made the mask"):
            call()
