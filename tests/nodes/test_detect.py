"""Load Face Detector and Detect Faces."""

import pytest
import torch

import factories

DETECTORS = ["yunet/2023mar", "blazeface/short_range"]


@pytest.fixture(params=DETECTORS)
def detect(nodes, base, request):
    """Detect Faces with each detector."""
    (detector,) = nodes["LikenessLoadFaceDetector"].execute(request.param).args
    return lambda image, threshold=0.6, **more: nodes["LikenessDetectFaces"].execute(detector, image, threshold, **more)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_everybody_in_a_picture_is_found(detect, count):
    faces, boxes, total = detect(factories.people(count)).args
    assert len(faces) == len(boxes[0]) == total == count
    assert faces.image_size == (512, 800)
    assert sorted(faces.bbox[:, 0] > 400) == [False, True][:count]


def test_a_video_keeps_its_faceless_frames(detect):
    face, nobody = factories.read_photo("grace_hopper"), torch.zeros(1, 600, 512, 3)
    faces, boxes, _ = detect(torch.cat([nobody, face] * 9 + [nobody])).args  # more than one chunk
    assert faces.image_index.tolist() == list(range(1, 19, 2))
    assert [len(frame) for frame in boxes] == [0, 1] * 9 + [0]


def test_at_most_so_many_of_each_image(detect):
    faces, _, _ = detect(factories.people(2).repeat(2, 1, 1, 1), max_faces=1).args
    assert faces.image_index.tolist() == [0, 1]
    assert faces.id.tolist() == [0, 0]  # the surest


def test_a_missing_face_is_held_or_an_error(pack, detect):
    face, nobody = factories.read_photo("grace_hopper"), torch.zeros(1, 600, 512, 3)
    video = torch.cat([nobody, face, nobody])
    assert detect(video, missing="hold").args[0].image_index.tolist() == [0, 1, 2]
    with pytest.raises(pack.likeness.types.NoFaceError, match=r"none in images 0, 2 of 3 \(counted from 0\)"):
        detect(video, missing="error")


def test_no_image_has_no_face(detect):
    faces, boxes, count = detect(torch.zeros(0, 64, 64, 3)).args
    assert (faces.image_count, boxes, count) == (0, [], 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (3, 5)], ids=str)
def test_a_picture_of_a_few_pixels_has_no_face(detect, size):
    assert len(detect(torch.rand(1, *size, 3)).args[0]) == 0


@pytest.mark.parametrize("channels", [1, 4], ids=["grey", "RGBA"])
def test_grey_and_alpha_are_taken(detect, channels):
    image = factories.read_photo("grace_hopper")
    given = image.mean(-1, keepdim=True) if channels == 1 else torch.cat([image, torch.zeros_like(image[..., :1])], -1)
    assert detect(given).args[2] == 1


def test_pixels_that_are_no_numbers_are_refused(detect):
    image = torch.zeros(3, 64, 64, 3)
    image[1, 5, 5, 2] = torch.nan
    with pytest.raises(ValueError, match=r"from 0 to 1, got NaN or infinity in image 1 of 3 .*VAE in half precision"):
        detect(image)


def test_a_face_is_found_in_an_8k_picture(detect):
    image = torch.zeros(1, 4320, 7680, 3)
    face = torch.nn.functional.interpolate(factories.read_photo("grace_hopper").movedim(-1, 1), scale_factor=6)
    image[:, 600:4200, 3000:6072] = face.movedim(1, -1)
    faces = detect(image).args[0]
    assert faces.kps[0, 2].tolist() == pytest.approx(
        [3000 + 6 * 267, 600 + 6 * 235], abs=80
    )  # a sixth of the eyes' distance


def test_a_larger_size_finds_a_smaller_face(nodes, base):
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    photo = torch.nn.functional.interpolate(factories.read_photo("astronaut").movedim(-1, 1), (128, 128), mode="area")
    image = torch.nn.functional.pad(photo, (1000, 872, 1300, 72)).movedim(1, -1)
    assert nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[2] == 0
    assert nodes["LikenessDetectFaces"].execute(detector, image, 0.7, size=1920).args[2] == 1
