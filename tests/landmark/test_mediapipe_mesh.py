"""MediaPipe's mesh on the shipped photos."""

import math
from dataclasses import replace

import pytest
import torch

import factories
from likeness import detect, landmark, onnx
from likeness.geometry import cut, transform
from likeness.landmark import canonical
from likeness.landmark.five import faces_from_landmarks
from likeness.landmark.procrustes import pose
from likeness.types import Faces
from likeness.weights import build_onnx

WEIGHTS = factories.STARTER / "weights"
GRAPHS = {"mediapipe478": "face_landmark_with_attention.onnx", "mediapipe468": "face_landmark.onnx"}


@pytest.fixture(scope="module")
def detector():
    return build_onnx(onnx.read(WEIGHTS / "face_detection_yunet_2023mar.onnx"), detect.SYSTEMS)


@pytest.fixture(scope="module", params=GRAPHS)
def network(request):
    return build_onnx(onnx.read(WEIGHTS / GRAPHS[request.param]), landmark.SYSTEMS)


@pytest.fixture(scope="module")
def attention():
    return build_onnx(onnx.read(WEIGHTS / GRAPHS["mediapipe478"]), landmark.SYSTEMS)


def eye_distance(found) -> float:
    return float((found.points[0, 33, :2] - found.points[0, 263, :2]).norm())


def mean_distance(a, b) -> float:
    return float((a[..., :2] - b[..., :2]).norm(dim=-1).mean())


@pytest.mark.parametrize("name", factories.PHOTOS)
def test_a_mirrored_photo_has_the_mirrored_mesh(network, detector, name):
    image = factories.read_photo(name)
    photo, mirror = (network.landmarks(each, detector.detect(each)) for each in (image, image.flip(2)))
    order = canonical.mirror()[: photo.points.shape[1]]
    back = mirror.points[:, order] * torch.tensor([-1.0, 1, 1]) + torch.tensor([image.shape[2] - 1.0, 0, 0])
    # Measured: .008 and .010 with attention, .025 and .014 without.
    assert mean_distance(back, photo.points) < 0.03 * eye_distance(photo)


@pytest.mark.parametrize("name", factories.PHOTOS)
def test_a_mirrored_photo_turns_the_other_way(network, detector, name):
    image = factories.read_photo(name)
    photo, mirror = (pose(network.landmarks(each, detector.detect(each))) for each in (image, image.flip(2)))
    # Measured: yaw .07 and .13, roll .31 and .78 with attention; 1.64 and 1.38, 2.47 and .36 without.
    assert float((photo.yaw + mirror.yaw).abs()) < 2.5
    assert float((photo.roll + mirror.roll).abs()) < 2.5
    assert float((photo.pitch - mirror.pitch).abs()) < 2.5


def test_the_astronauts_pupils_and_mouth_are_where_they_are(attention, detector):
    image = factories.read_photo("astronaut")
    found = attention.landmarks(image, detector.detect(image))
    assert (found.scheme, tuple(found.points.shape)) == ("mediapipe478", (1, 478, 3))
    expected = torch.tensor([[203.1, 100.6], [246.1, 103.1], [201.5, 138.8], [245.3, 140.2]])
    torch.testing.assert_close(found.points[0, [468, 473, 61, 291], :2], expected, atol=0.5, rtol=0)
    assert float(found.score.min()) > 0.99


@pytest.mark.parametrize(("angle", "five_points"), [(150, True), (25, False)], ids=["five points", "box only"])
def test_a_tilted_head_has_the_same_mesh(attention, detector, angle, five_points):
    image = factories.read_photo("astronaut")
    faces = detector.detect(image)
    upright = attention.landmarks(image, faces)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    linear = torch.tensor([[cos, -sin], [sin, cos]])
    matrix = torch.cat([linear, 255.5 - linear @ torch.tensor([[225.0], [120.0]])], 1)
    bbox = torch.tensor([[200.0, 195, 310, 305]])
    tilted = replace(faces, bbox=bbox, kps=transform(matrix, faces.kps) if five_points else None)
    found = attention.landmarks(cut(image, faces.image_index, matrix[None], 512), tilted)
    expected = transform(matrix, upright.points[..., :2])
    assert mean_distance(found.points, expected) < 0.03 * eye_distance(upright)


def test_a_large_photo_gives_the_same_mesh(attention, detector):
    image = factories.read_photo("grace_hopper")
    large = torch.nn.functional.interpolate(image.movedim(-1, 1), scale_factor=4, mode="bicubic").movedim(1, -1)
    small, found = (attention.landmarks(each, detector.detect(each)) for each in (image, large.clamp(0, 1)))
    assert mean_distance((found.points + 0.5) / 4 - 0.5, small.points) < 0.01 * eye_distance(small)


def test_the_mesh_leads_to_the_face_in_the_next_frame(attention, detector):
    image = factories.read_photo("astronaut")
    first = attention.landmarks(image, detector.detect(image))
    found = attention.landmarks(image.roll((6, -8), (1, 2)), faces_from_landmarks(first))
    assert mean_distance(found.points, first.points + torch.tensor([-8.0, 6, 0])) < 0.01 * eye_distance(first)


def test_frames_with_two_faces_and_with_none(network, detector):
    image = factories.read_photo("astronaut")
    faces = detector.detect(image).select(torch.tensor([0, 0]))
    found = network.landmarks(image.repeat(2, 1, 1, 1), replace(faces, image_index=torch.tensor([0, 1]), image_count=2))
    assert found.faces.image_index.tolist() == [0, 1]
    torch.testing.assert_close(found.points[0], found.points[1])
    nobody = network.landmarks(image.repeat(3, 1, 1, 1), Faces.empty((512, 512), 3))
    assert (len(nobody), nobody.points.shape[1:], nobody.matrix.shape) == (0, found.points.shape[1:], (0, 4, 4))


def test_eyes_on_one_spot_count_as_upright(attention, detector):
    image = factories.read_photo("astronaut")
    faces = detector.detect(image)
    blind = replace(faces, kps=faces.kps[:, :1].expand(-1, 5, -1))
    found, expected = (attention.landmarks(image, each) for each in (blind, replace(faces, kps=None)))
    torch.testing.assert_close(found.points, expected.points)
