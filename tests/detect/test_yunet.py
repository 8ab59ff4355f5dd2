"""YuNet on the shipped photos; numbers as the OpenCV Zoo's file gave them when it was first run."""

import pytest
import torch

import factories
from likeness import detect, onnx
from likeness.weights import build_onnx


@pytest.fixture(scope="module")
def network():
    graph = onnx.read(factories.STARTER / "weights/face_detection_yunet_2023mar.onnx")
    return build_onnx(graph, detect.SYSTEMS)


def test_the_astronaut_is_found_where_she_is(network):
    faces = network.detect(factories.read_photo("astronaut"))
    assert len(faces) == 1
    torch.testing.assert_close(faces.bbox[0], torch.tensor([179.0, 63, 270, 174]), atol=1.5, rtol=0)
    torch.testing.assert_close(faces.kps[0, 0], torch.tensor([201.5, 105.1]), atol=1.0, rtol=0)


def test_a_mirrored_photo_has_mirrored_points(network):
    image = factories.read_photo("astronaut")
    faces, mirrored = network.detect(image), network.detect(image.flip(2))
    swapped = faces.kps[0, [1, 0, 2, 4, 3]] * torch.tensor([-1.0, 1]) + torch.tensor([511.0, 0])
    torch.testing.assert_close(mirrored.kps[0], swapped, atol=4.5, rtol=0)  # a tenth of the eye distance


def test_an_image_without_a_face_has_none(network):
    faces = network.detect(factories.photo(100, 300, 0)[None].repeat(2, 1, 1, 1))
    assert (len(faces), faces.image_count, faces.image_size) == (0, 2, (100, 300))
