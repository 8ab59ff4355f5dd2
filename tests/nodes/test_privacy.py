"""Anonymize Faces: no face, one, two; one picture and a batch; hidden from the recogniser, untouched elsewhere."""

import pytest
import torch

import factories

WAYS = pytest.mark.parametrize("way", ["blur", "pixelate", "replace"])


@pytest.fixture
def find(nodes, base):
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args

    def execute(image):
        with torch.inference_mode():
            return nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]

    return execute


@pytest.fixture
def hide(nodes, base):
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args

    def execute(image, faces, way, **more):
        with torch.inference_mode():
            return nodes["LikenessAnonymizeFaces"].execute(image, faces, way, embedder=embedder, **more).args

    return execute


@WAYS
@pytest.mark.parametrize("count", [0, 1, 2])
def test_hidden_faces_are_not_recognised_nor_found_and_the_rest_stays(find, hide, way, count):
    image = factories.people(count)
    faces = find(image)
    result, mask, known, report = hide(image, faces, way)
    assert known == 0
    assert len(find(result)) == 0
    assert report.count("not recognised") == len(faces) == count
    assert torch.equal(result[mask == 0], image[mask == 0])
    assert (mask > 0).any() == (count > 0)


def test_few_cells_hide_and_many_do_not(find, hide):
    image = factories.people(2)
    faces = find(image)
    recognised = [hide(image, faces, "pixelate", cells=cells)[2] for cells in (4, 8, 32)]
    assert recognised == [0, 0, 2]


def test_only_means_of_cells_are_left(pack):
    coarse = pack.likeness.anonymize.coarse
    region = factories.photo(60, 60, 0)
    blocks = coarse(region, 10, smooth=False)
    assert torch.equal(blocks[:10, :10], blocks[:1, :1].expand(10, 10, 3))
    torch.testing.assert_close(blocks[5, 5], region[:10, :10].mean((0, 1)))
    assert coarse(region, 10, smooth=True).std() < region.std()


def test_a_substitute_is_shown_in_place_of_a_face(find, hide):
    image = factories.people(2)
    faces = find(image)
    red = torch.tensor([1.0, 0, 0]).expand(1, 32, 32, 3)
    result, mask, known, _ = hide(image, faces, "replace", substitute=red)
    torch.testing.assert_close(result[mask == 1], torch.tensor([1.0, 0, 0]).expand(int((mask == 1).sum()), 3))
    assert known == 0
    with pytest.raises(ValueError, match="Expected 1 substitute or 2, one per face, got 3"):
        hide(image, faces, "replace", substitute=red.repeat(3, 1, 1, 1))


def test_boxes_are_enough_and_each_image_of_a_batch_keeps_its_own(nodes, base):
    image = factories.people(2).repeat(3, 1, 1, 1)
    box = {"x": 120, "y": 90, "width": 150, "height": 180}
    result, mask, known, report = nodes["LikenessAnonymizeFaces"].execute(image, [[box], [], []], "blur").args
    assert [bool(part.any()) for part in mask] == [True, False, False]
    assert torch.equal(result[1:], image[1:])
    assert (known, report) == (0, "not tried: connect an embedder")


def test_a_face_half_out_of_the_picture_gets_no_finer_cells(nodes, base):
    image = factories.photo(200, 200, 1)[None]
    whole, half = ({"x": x, "y": 50, "width": width, "height": 100} for x, width in ((50, 100), (160, 40)))
    parts = [nodes["LikenessAnonymizeFaces"].execute(image, [[box]], "pixelate").args[0] for box in (whole, half)]
    colours = [len(part[0, 100, 175:].unique(dim=0)) for part in parts[1:]]
    assert colours[0] <= 4
