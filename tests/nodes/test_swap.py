"""Load Face Swapper and Swap Faces: no face, one, two; one frame and many."""

import pytest
import torch

import factories
from headless import standalone

HOPPER = "210 125 120 170"  # her face in her photo


@pytest.fixture(scope="module")
def photos():
    return {name: factories.read_photo(name) for name in factories.PHOTOS}


def boxes(nodes, image, text):
    return nodes["LikenessFacesFromBoxes"].execute(image, text).args[0]


def swap(nodes, image, faces, source, source_faces, **more):
    (swapper,) = nodes["LikenessLoadFaceSwapper"].execute("mesh_swap/mediapipe").args
    with torch.inference_mode():
        return nodes["LikenessSwapFaces"].execute(swapper, image, faces, source, source_faces, **more).args


@pytest.mark.parametrize("count", [1, 2])
def test_every_given_face_is_swapped(nodes, base, photos, count):
    image, source = factories.people(count), photos["grace_hopper"]
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]
    result, mask = swap(nodes, image, faces, source, boxes(nodes, source, HOPPER))
    assert [bool(mask[0, :, half].any()) for half in (slice(0, 400), slice(400, 800))] == [True, count == 2]
    assert torch.equal(result[mask == 0], image[mask == 0])


def test_a_video_is_swapped_frame_by_frame_and_faceless_frames_pass(pack, nodes, base, photos):
    photo, source = photos["grace_hopper"], photos["astronaut"]
    video = photo.expand(18, -1, -1, -1)
    faces = boxes(nodes, video, HOPPER).select(torch.tensor([0, 17]))
    whose = boxes(nodes, source, "179 63 91 111")
    result, mask = swap(nodes, video, faces, source, whose, missing="skip")
    assert mask.flatten(1).any(1).nonzero().flatten().tolist() == [0, 17]
    torch.testing.assert_close(result[0], result[17])
    assert torch.equal(result[1:17], video[1:17])
    with pytest.raises(pack.likeness.types.NoFaceError, match="got none in images 1 to 16 of 18"):
        swap(nodes, video, faces, source, whose)


def test_nobody_is_an_error_or_a_picture_as_it_was(pack, nodes, base, photos):
    image, source = factories.people(0), photos["grace_hopper"]
    nobody, whose = boxes(nodes, image, ""), boxes(nodes, source, HOPPER)
    with pytest.raises(pack.likeness.types.NoFaceError, match="Expected a face in every image"):
        swap(nodes, image, nobody, source, whose)
    result, mask = swap(nodes, image, nobody, source, whose, missing="skip")
    assert torch.equal(result, image)
    assert not mask.any()


def test_the_source_is_one_face_of_its_own_picture(pack, nodes, base, photos):
    photo, other = photos["grace_hopper"], photos["astronaut"]
    faces = boxes(nodes, photo, HOPPER)
    with pytest.raises(pack.likeness.types.NoFaceError, match="Expected one face, got none"):
        swap(nodes, photo, faces, photo, boxes(nodes, photo, ""))
    with pytest.raises(ValueError, match=r"Expected one face, got 2 .*Select Faces"):
        swap(nodes, photo, faces, photo, boxes(nodes, photo, f"{HOPPER}\n{HOPPER}"))
    with pytest.raises(ValueError, match="the 1 images of 512 x 600 that the faces were found in, got 1 of 512 x 512"):
        swap(nodes, photo, faces, other, faces)


def test_half_precision_goes_in_and_out(base, photos):
    nodes = standalone.start(base, fp16_intermediates=True).nodes
    photo = photos["grace_hopper"].half()
    faces = boxes(nodes, photo, HOPPER)
    result, mask = swap(nodes, photo, faces, photo, faces)
    assert (result.dtype, mask.dtype) == (torch.float16, torch.float16)
    torch.testing.assert_close(result[mask == 0], photo[mask == 0])


def test_a_file_that_is_missing_names_the_choices(nodes):
    said = nodes["LikenessLoadFaceSwapper"].validate_inputs("mine/x.onnx")
    assert "one of mesh_swap/mediapipe or a file in models/face_swap, got mine/x.onnx" in said
