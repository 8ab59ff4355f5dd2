"""Faces to SEGS, SEGS to Faces and As BBOX Detector: no face, one, two."""

import pytest
import torch

import factories


@pytest.fixture
def detector(nodes, base):
    return nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args[0]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_whom_our_detector_finds_a_detailer_finds_too(nodes, detector, count):
    image = factories.people(count)
    (theirs,) = nodes["LikenessAsBboxDetector"].execute(detector).args
    with torch.inference_mode():
        segs = theirs.detect(image, 0.7, 10, 3.0)
        faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]
    assert len(segs[1]) == len(faces) == count
    (back,) = nodes["LikenessSegsToFaces"].execute(image, segs).args
    assert (back.bbox - faces.bbox).abs().max() <= 0.5 if count else not len(back)


def test_segs_and_bbox_come_back_as_the_faces_they_were(nodes, detector):
    image = factories.people(2)
    with torch.inference_mode():
        faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]
    segs, bbox = nodes["LikenessFacesToSegs"].execute(image, faces).args
    from_segs, from_bbox = (nodes["LikenessSegsToFaces"].execute(image, found).args[0] for found in (segs, bbox))
    assert torch.equal(from_segs.bbox, from_bbox.bbox)
    assert [seg.label for seg in segs[1]] == ["face", "face"]
    assert segs[1][0].confidence == pytest.approx(float(faces.score[0]))


def test_segs_of_another_image_are_refused(nodes, detector):
    segs = ((100, 200), [])
    with pytest.raises(ValueError, match="SEGS of this one image of 800 x 512, got SEGS of 200 x 100 for 1 images"):
        nodes["LikenessSegsToFaces"].execute(factories.people(0), segs)


def test_boxes_of_a_video_are_one_for_each_frame(nodes, base):
    video = torch.zeros(3, 64, 64, 3)
    (faces,) = nodes["LikenessSegsToFaces"].execute(video, [(1, 1, 20, 20), (2, 1, 21, 20), (3, 1, 22, 20)]).args
    assert faces.image_index.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="SEGS hold one image"):
        nodes["LikenessFacesToSegs"].execute(video, faces)
