"""Load Face Parser, Parse Faces and Parsing to Mask."""

import pytest
import torch

import factories


@pytest.fixture
def find(nodes, base):
    """The faces in a picture."""
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    return lambda image: nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]


@pytest.fixture
def parser(nodes, base):
    return nodes["LikenessLoadFaceParser"].execute("mesh_regions/attention").args[0]


@pytest.fixture
def segmenter(nodes, base):
    return nodes["LikenessLoadFaceParser"].execute("selfie_segmentation/general").args[0]


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_each_image_has_one_mask_of_all_its_faces(nodes, find, parser, count, frames):
    image = factories.people(count).repeat(frames, 1, 1, 1)
    mask, parsing = nodes["LikenessParseFaces"].execute(parser, image, "face", find(image)).args
    assert mask.shape == image.shape[:3]
    assert len(parsing) == count * frames
    sides = mask[0, :, :400].mean(), mask[0, :, 400:].mean()
    assert [side > 0.05 for side in sides] == [count > 0, count > 1]


def test_a_video_has_a_mask_for_each_frame(nodes, find, parser):
    face = factories.read_photo("grace_hopper")
    video = torch.cat([torch.zeros_like(face), face] * 9)  # more than one chunk
    mask, _ = nodes["LikenessParseFaces"].execute(parser, video, "lips", find(video)).args
    assert (mask.mean((1, 2)) > 0).tolist() == [False, True] * 9


def test_a_missing_face_is_held_or_an_error(pack, nodes, find, parser):
    face = factories.read_photo("grace_hopper")
    video = torch.cat([face, torch.zeros_like(face)])
    faces = find(video)
    mask, _ = nodes["LikenessParseFaces"].execute(parser, video, "face", faces, "hold").args
    assert mask[1].mean() > 0.05
    with pytest.raises(pack.likeness.types.NoFaceError, match=r"none in image 1 of 2 \(counted from 0\)"):
        nodes["LikenessParseFaces"].execute(parser, video, "face", faces, "error")


def test_other_regions_come_from_the_same_parsing(nodes, find, parser):
    image = factories.people(1)
    lips, parsing = nodes["LikenessParseFaces"].execute(parser, image, "lips", find(image)).args
    (same,) = nodes["LikenessParsingToMask"].execute(parsing, "upper lip, lower_lip").args
    (more,) = nodes["LikenessParsingToMask"].execute(parsing, "Lips\nmouth,").args
    assert torch.equal(lips, same)
    assert (more >= lips).all()
    assert more.sum() > lips.sum()


@pytest.mark.parametrize("frames", [1, 3])
def test_the_person_mask_needs_no_faces(nodes, segmenter, frames):
    image = factories.read_photo("astronaut").repeat(frames, 1, 1, 1)
    mask, parsing = nodes["LikenessParseFaces"].execute(segmenter, image, "person").args
    assert mask.mean((1, 2)).tolist() == pytest.approx([0.54] * frames, abs=0.02)
    assert torch.equal(nodes["LikenessParsingToMask"].execute(parsing, "all").args[0], mask)


def test_a_mesh_needs_faces(nodes, parser):
    with pytest.raises(ValueError, match="the faces to parse, got none: connect Detect Faces"):
        nodes["LikenessParseFaces"].execute(parser, torch.zeros(1, 64, 64, 3), "lips")


def test_a_region_that_a_parser_lacks_is_answered_with_those_it_has(nodes, find, parser):
    image = factories.people(1)
    with pytest.raises(ValueError, match=r"among all, face, lips, .*skin.*, got hair: this parser does not tell it"):
        nodes["LikenessParseFaces"].execute(parser, image, "lips, hair", find(image))
    with pytest.raises(ValueError, match="Expected names of regions, got none"):
        nodes["LikenessParseFaces"].execute(parser, image, " , ", find(image))


def test_faces_of_another_picture_are_refused(nodes, find, parser):
    with pytest.raises(ValueError, match=r"1 images of 800 x 512 .* got 1 of 64 x 64"):
        nodes["LikenessParseFaces"].execute(parser, torch.zeros(1, 64, 64, 3), "all", find(factories.people(1)))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (0, 8, 8)], ids=str)
def test_pictures_of_a_few_pixels_and_none_have_empty_masks(nodes, find, parser, segmenter, size):
    image = torch.zeros(*(size if len(size) == 3 else (1, *size)), 3)
    assert not nodes["LikenessParseFaces"].execute(parser, image, "all", find(image)).args[0].any()
    assert nodes["LikenessParseFaces"].execute(segmenter, image, "all").args[0].shape == image.shape[:3]
