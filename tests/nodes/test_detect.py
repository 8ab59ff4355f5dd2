"""Detect Faces on pictures of many sizes and numbers."""

import pytest
import torch
from torch.nn.functional import interpolate, pad

import factories


@pytest.fixture
def detector(nodes, base):
    (loaded,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    return loaded


def test_none_one_and_two_faces_in_the_frames_of_a_video(nodes, detector):
    photo = factories.read_photo("astronaut")[:, :300, :400]
    two = torch.cat([photo[:, ::2, ::2], photo[:, ::2, ::2]], 2)
    two = pad(two.movedim(-1, 1), (0, 0, 0, 150)).movedim(1, -1)
    frames = torch.cat([torch.zeros_like(photo), photo, two] * 6)  # more than a chunk
    faces, boxes, count = nodes["LikenessDetectFaces"].execute(detector, frames, 0.7).args
    assert faces.image_index.bincount().tolist() == [0, 1, 2] * 6
    assert ([len(frame) for frame in boxes], count) == ([0, 1, 2] * 6, 18)
    assert faces.id.tolist() == [0, 0, 1] * 6


def test_a_larger_size_finds_a_smaller_face(nodes, detector):
    photo = interpolate(factories.read_photo("astronaut").movedim(-1, 1), (128, 128), mode="bilinear", antialias=True)
    image = pad(photo, (1000, 872, 1300, 72)).movedim(1, -1)
    assert nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[2] == 0
    assert nodes["LikenessDetectFaces"].execute(detector, image, 0.7, size=1920).args[2] == 1
