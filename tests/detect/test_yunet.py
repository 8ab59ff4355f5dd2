"""YuNet on the shipped photos; numbers as the OpenCV Zoo's file gave them when it was first run."""

import pytest
import torch
from torch.nn.functional import interpolate, pad

import factories
from likeness import detect, onnx
from likeness.detect.yunet import decode, resize
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


@pytest.mark.parametrize(
    ("x1", "y1", "x2", "y2"),
    [(0, 0, 512, 512), (0, 0, 512, 180), (0, 0, 275, 512), (31, 17, 288, 190), (150, 30, 300, 200)],
)
def test_a_picture_of_any_size_is_searched_to_its_borders(network, x1, y1, x2, y2):
    faces = network.detect(factories.read_photo("astronaut")[:, y1:y2, x1:x2])
    assert len(faces) == 1
    torch.testing.assert_close(faces.kps[0, 2], torch.tensor([221.5 - x1, 127.5 - y1]), atol=6.0, rtol=0)


def test_a_single_pixel_and_no_picture_have_no_face(network):
    assert len(network.detect(torch.ones(1, 1, 1, 3))) == 0
    none = network.detect(torch.ones(0, 40, 30, 3))
    assert (len(none), none.image_count, none.image_size) == (0, 0, (40, 30))


def test_frames_give_together_what_they_give_alone(network):
    photo = factories.read_photo("astronaut")[:, :300, :400]
    frames = torch.cat(
        [photo, torch.zeros_like(photo), photo.roll(60, 2), photo.tile(2, 2, 1)[:, ::2, ::2][:, :300, :400]]
    )
    together = network.detect(frames, 0.5)
    assert together.image_index.bincount().tolist() == [1, 0, 1, 4]
    for index, frame in enumerate(frames):
        alone, part = network.detect(frame[None], 0.5), together.images(index, index + 1)
        for name in ("id", "bbox", "kps", "score"):
            torch.testing.assert_close(getattr(part, name), getattr(alone, name), atol=1e-3, rtol=1e-5)
        assert part.score.tolist() == sorted(part.score.tolist(), reverse=True)


def test_a_small_face_in_a_big_picture_needs_a_larger_size(network):
    """22 pixels of 2000."""
    photo = factories.read_photo("astronaut").movedim(-1, 1)
    small = interpolate(photo, (128, 128), mode="bilinear", antialias=True, align_corners=False)
    image = pad(small, (1000, 872, 1300, 72)).movedim(1, -1)
    assert len(network.detect(image)) == 0
    faces = network.detect(image, size=1920)
    assert len(faces) == 1
    torch.testing.assert_close(faces.kps[0, 2], torch.tensor([1055.0, 1331.5]), atol=1.5, rtol=0)


def test_the_graph_runs_a_batch_at_once_where_that_pays(network):
    """As on a GPU: the results of a batch lie one after the other in the graph's outputs."""
    x = torch.cat(
        [resize(factories.read_photo("astronaut")[:, :300, shift : 400 + shift], 320)[0] for shift in (0, 40)]
    )
    both = decode(network.model(x.flip(1) * 255), 2, x.shape[2:])
    for index in range(2):
        alone = decode(network.model(x[index : index + 1].flip(1) * 255), 1, x.shape[2:])
        for ours, theirs in zip(both, alone, strict=True):
            torch.testing.assert_close(ours[index], theirs[0], atol=1e-3, rtol=1e-4)


def test_both_engines_find_the_same():
    pytest.importorskip("onnxruntime")
    graph = onnx.read(factories.STARTER / "weights/face_detection_yunet_2023mar.onnx")
    image = factories.read_photo("grace_hopper")
    ours, theirs = (build_onnx(graph, detect.SYSTEMS, engine).detect(image) for engine in ("torch", "onnxruntime"))
    torch.testing.assert_close(ours.kps, theirs.kps, atol=1e-2, rtol=0)
