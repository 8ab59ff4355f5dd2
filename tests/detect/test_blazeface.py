"""BlazeFace on the shipped photos."""

import pytest
import torch
from torch.nn.functional import pad

import factories
from likeness import detect, onnx
from likeness.detect.blazeface import weighted_nms
from likeness.weights import build_onnx

# Eyes, nose and the middle of the mouth as the mediapipe 0.10.21 wheel gives them (FaceDetection, model_selection=0),
# which samples the picture without smoothing it first: the same faces, other noise.
MEDIAPIPE = {
    "astronaut": [[201.5, 104.9], [245.8, 109.1], [220.4, 127.3], [219.8, 148.6]],
    "grace_hopper": [[221.8, 194.7], [308.0, 185.0], [268.4, 226.0], [272.8, 274.3]],
}


@pytest.fixture(scope="module")
def network():
    graph = onnx.read(factories.STARTER / "weights/face_detection_short_range.onnx")
    return build_onnx(graph, detect.SYSTEMS)


def eye_distance(kps: torch.Tensor) -> float:
    return float((kps[1] - kps[0]).norm())


@pytest.mark.parametrize("name", MEDIAPIPE)
def test_a_face_is_found_where_mediapipe_finds_it(network, name):
    faces = network.detect(factories.read_photo(name))
    kps, expected = faces.kps[0], torch.tensor(MEDIAPIPE[name])
    found = torch.cat([kps[:3], kps[3:].mean(0, keepdim=True)])
    assert len(faces) == 1
    assert faces.score[0] > 0.9
    assert (found - expected).norm(dim=-1).max() < 0.15 * eye_distance(kps)


def test_a_mirrored_photo_has_mirrored_points(network):
    image = factories.read_photo("grace_hopper")
    kps, mirrored = network.detect(image).kps[0], network.detect(image.flip(2)).kps[0]
    swapped = mirrored[[1, 0, 2, 4, 3]] * torch.tensor([-1.0, 1]) + torch.tensor([511.0, 0])
    assert (swapped - kps).norm(dim=-1).max() < 0.1 * eye_distance(kps)


def test_the_mouth_corners_lie_on_the_line_of_the_eyes(network):
    kps = network.detect(factories.read_photo("astronaut")).kps[0]
    eyes, mouth = kps[1] - kps[0], kps[4] - kps[3]
    torch.testing.assert_close(mouth / mouth.norm(), eyes / eyes.norm())
    assert 0.7 < mouth.norm() / eyes.norm() < 1


@pytest.mark.parametrize("border", [(300, 0, 0, 0), (0, 0, 0, 300), (150, 20, 70, 10)], ids=str)
def test_a_picture_of_any_shape_gives_the_same_face(network, border):
    image = factories.read_photo("grace_hopper")
    wider = pad(image, (0, 0, *border))
    kps, moved = network.detect(image).kps[0], network.detect(wider).kps[0]
    shift = torch.tensor([border[0], border[2]])
    assert (moved - shift - kps).norm(dim=-1).max() < 0.15 * eye_distance(kps)


def test_red_and_blue_are_not_swapped(network):
    image = factories.read_photo("grace_hopper")
    assert network.detect(image).score[0] > network.detect(image.flip(-1)).score[0]


def test_frames_are_found_one_by_one(network):
    face, nobody = factories.read_photo("astronaut"), torch.zeros(1, 512, 512, 3)
    faces = network.detect(torch.cat([nobody, face, nobody, face.flip(2)]))
    assert faces.image_index.tolist() == [1, 3]
    assert faces.image_count == 4


@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 0, 0), (1, 1, 1)], ids=["black", "red", "white"])
def test_a_plain_picture_has_no_face(network, colour):
    assert len(network.detect(torch.tensor(colour).float().expand(1, 90, 400, 3))) == 0


def test_overlapping_boxes_become_their_mean_weighted_by_score():
    bbox = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [2, 0, 12, 10]])
    points = torch.tensor([[[1.0, 1]], [[55, 55]], [[4, 1]]])
    joined, means, score = weighted_nms(bbox, points, torch.tensor([0.6, 0.5, 0.9]))
    torch.testing.assert_close(joined, torch.tensor([[1.2, 0, 11.2, 10], [50, 50, 60, 60]]))
    torch.testing.assert_close(means[:, 0], torch.tensor([[2.8, 1], [55, 55]]))
    assert score.tolist() == pytest.approx([0.9, 0.5])
