"""Faces from Boxes, Select, Align, Paste and Draw Faces."""

import pytest
import torch

import factories


@pytest.fixture
def find(nodes, base):
    """The faces in a picture."""
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    return lambda image: nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]


@pytest.fixture
def embed(nodes, base):
    """The identities of some faces."""
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    return lambda image, faces: nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args[0]


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_faces_are_cut_and_pasted_back_unchanged(nodes, find, count, frames):
    image = factories.people(count).repeat(frames, 1, 1, 1)
    crops, alignment = nodes["LikenessAlignFaces"].execute(image, find(image), 512, "ffhq").args
    assert crops.shape == (count * frames, 512, 512, 3)
    (back,) = nodes["LikenessPasteFaces"].execute(image, crops, alignment).args
    assert (back - image).abs().mean() < 0.005


def test_faces_without_points_cannot_be_aligned(nodes):
    box = {"x": 10, "y": 10, "width": 50, "height": 50}
    with pytest.raises(ValueError, match="five points, got boxes only: use a detector that gives points"):
        nodes["LikenessAlignFaces"].execute(torch.zeros(1, 64, 64, 3), [[box]], 64, "dlib")


def test_crops_of_other_faces_are_not_pasted(nodes, find):
    image = factories.people(2)
    crops, alignment = nodes["LikenessAlignFaces"].execute(image, find(image), 64, "dlib").args
    with pytest.raises(ValueError, match="Expected 2 square crops, one per aligned face, got 1"):
        nodes["LikenessPasteFaces"].execute(image, crops[1:], alignment)


def test_faces_of_another_picture_are_refused_with_both_sizes(nodes, find):
    image = factories.people(2)
    with pytest.raises(ValueError, match=r"1 images of 800 x 512 .* got 1 of 64 x 64: connect the image that went"):
        nodes["LikenessAlignFaces"].execute(torch.zeros(1, 64, 64, 3), find(image), 64, "dlib")


@pytest.mark.parametrize(("by", "ids"), [("left", ["astronaut"]), ("right", ["grace_hopper"])])
def test_the_person_asked_for_is_kept_with_her_id(nodes, find, by, ids):
    image = factories.people(2)
    every = find(image)
    kept, count = nodes["LikenessSelectFaces"].execute(every, by, 1).args
    (row,) = (every.id == kept.id).nonzero().flatten().tolist()
    assert count == 1
    assert (kept.bbox[0, 0] < 400) == (ids == ["astronaut"])
    assert torch.equal(every.bbox[row], kept.bbox[0])


@pytest.mark.parametrize("count", [0, 1])
def test_who_is_alone_or_nobody_stays(nodes, find, count):
    faces = find(factories.people(count))
    assert nodes["LikenessSelectFaces"].execute(faces, "size", 1).args[1] == count


def test_the_person_of_a_photo_is_found_in_every_frame_of_a_video(nodes, find, embed):
    both, photo = factories.people(2), factories.read_photo("grace_hopper")
    video = torch.cat([both, both.flip(2), torch.zeros_like(both)])
    faces, reference = find(video), embed(photo, find(photo))
    kept, count = (
        nodes["LikenessSelectFaces"]
        .execute(faces, "similarity", 1, embeddings=embed(video, faces), reference=reference)
        .args
    )
    assert (kept.image_index.tolist(), count) == ([0, 1], 2)
    assert (kept.bbox[:, 0] > 400).tolist() == [True, False]


def test_a_stranger_is_not_kept_when_only_the_same_person_will_do(pack, nodes, find, embed):
    alone, photo = factories.people(1), factories.read_photo("grace_hopper")
    faces, reference = find(alone), embed(photo, find(photo))
    given = {"embeddings": embed(alone, faces), "reference": reference, "same_person": True}
    assert nodes["LikenessSelectFaces"].execute(faces, "size", 1, **given).args[1] == 0
    with pytest.raises(pack.likeness.types.NoFaceError, match="none in the image"):
        nodes["LikenessSelectFaces"].execute(faces, "size", 1, **given, missing="error")


def test_similarity_needs_embeddings(nodes, find):
    with pytest.raises(ValueError, match="embeddings and a reference, got none: connect Embed Faces to both"):
        nodes["LikenessSelectFaces"].execute(find(factories.people(2)), "similarity", 1)


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
