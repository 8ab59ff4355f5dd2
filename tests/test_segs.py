"""SEGS and BBOX: the records that detailer packs pass on, field by field, and back."""

import numpy as np
import pytest
import torch

from likeness.segs import (
    SEG,
    BboxDetector,
    corners_to_faces,
    dilated,
    faces_to_corners,
    faces_to_segs,
    region,
    segs_to_faces,
    segs_to_mask,
)
from likeness.types import Faces

SIZE = (100, 160)


def faces(*boxes: tuple[float, ...], count: int = 1) -> Faces:
    """Faces of the first of so many images."""
    index = torch.zeros(len(boxes), dtype=torch.int64)
    score = torch.linspace(0.9, 0.5, len(boxes)) if boxes else torch.zeros(0)
    return Faces(SIZE, count, torch.arange(len(boxes)), index, torch.tensor(boxes).reshape(-1, 4), score)


def test_a_seg_has_the_fields_of_detailer_packs_in_their_order():
    expected = ("cropped_image", "cropped_mask", "confidence", "crop_region", "bbox", "label", "control_net_wrapper")
    assert SEG._fields == expected
    assert SEG(None, None, 1.0, [], (), "face").control_net_wrapper is None


@pytest.mark.parametrize("count", [0, 1, 2])
def test_faces_come_back_from_segs(count):
    given = faces(*[(20.0, 10.0, 50.0, 50.0), (90.0, 30.0, 120.0, 70.0)][:count])
    size, found = faces_to_segs(given, 3.0)
    assert size == SIZE
    again = segs_to_faces((size, found))
    assert torch.equal(again.bbox, given.bbox)
    assert torch.allclose(again.score, given.score)
    assert again.kps is None


def test_the_mask_of_a_seg_is_its_box_in_its_crop():
    _, (seg,) = faces_to_segs(faces((60.0, 40.0, 80.0, 60.0)), 3.0)
    assert seg.crop_region == [40, 20, 100, 80]
    assert seg.cropped_mask.shape == (60, 60)
    assert seg.cropped_mask.sum() == 20 * 20
    mask = segs_to_mask((SIZE, [seg]))
    assert mask[40:60, 60:80].all()
    assert mask.sum() == 400


def test_a_crop_at_the_border_is_moved_in_and_one_that_is_too_large_is_cut():
    assert region(0, 20, 3.0, 100) == (0, 60)
    assert region(85, 100, 3.0, 100) == (55, 100)
    assert region(10, 90, 3.0, 100) == (0, 100)


@pytest.mark.parametrize("pixels", [-7, -4, 0, 3, 10])
def test_a_mask_is_dilated_as_by_a_square_of_so_many_pixels(pixels):
    """OpenCV's anchor of a square of n pixels is its pixel n // 2."""
    row = np.zeros(60)
    row[20:40] = 1
    side = abs(pixels)
    if pixels:
        windows = np.stack([np.roll(row, side // 2 - shift) for shift in range(side)])
        row = windows.max(0) if pixels > 0 else windows.min(0)
    assert np.flatnonzero(row).tolist() == list(range(60))[dilated(20, 40, pixels, 0, 60)]


def test_a_mask_of_the_face_takes_the_place_of_its_box():
    mask = torch.zeros(1, *SIZE)
    mask[0, 45:55, 62:70] = 0.7
    _, (seg,) = faces_to_segs(faces((60.0, 40.0, 80.0, 60.0)), 3.0, mask=mask)
    assert seg.cropped_mask.sum() == pytest.approx(0.7 * 80)
    with pytest.raises(ValueError, match=r"Expected a mask of \(1 or 1, 100, 160\), got \(1, 10, 10\)"):
        faces_to_segs(faces((60.0, 40.0, 80.0, 60.0)), mask=torch.zeros(1, 10, 10))


def test_segs_hold_one_image():
    with pytest.raises(ValueError, match="the faces of one image, got those of 3"):
        faces_to_segs(faces((1.0, 1.0, 9.0, 9.0), count=3))


def test_boxes_without_extent_or_outside_are_left_out():
    assert faces_to_segs(faces((5.0, 5.0, 5.0, 30.0), (200.0, 10.0, 220.0, 40.0)))[1] == []


def test_segs_of_others_are_read_whatever_their_numbers_are():
    part = SEG(None, torch.ones(1, 4, 4), np.float32([0.8]), np.array([2, 2, 6, 6]), np.array([2, 2, 6, 6]), " face ")
    other = part._replace(label="hand")
    found = segs_to_faces(((10, 10), [part, other]), "face")
    assert found.bbox.tolist() == [[2, 2, 6, 6]]
    assert found.score.tolist() == pytest.approx([0.8])
    assert segs_to_mask(((10, 10), [part])).sum() == 16


@pytest.mark.parametrize(
    ("boxes", "count", "index"),
    [
        ((1, 2, 30, 40), 2, [0, 1]),
        ([(1, 2, 30, 40), (5, 6, 30, 40)], 1, [0, 0]),
        ([(1, 2, 30, 40), (5, 6, 30, 40)], 2, [0, 1]),
        ([[(1, 2, 30, 40), (5, 6, 30, 40)], []], 2, [0, 0]),
        (np.float32([[1, 2, 30, 40]]), 1, [0]),
        ([], 2, []),
    ],
)
def test_every_way_to_write_bbox_is_read(boxes, count, index):
    assert corners_to_faces(boxes, SIZE, count).image_index.tolist() == index


def test_bbox_that_fits_nothing_is_refused():
    with pytest.raises(ValueError, match="Expected boxes for 3 images, got 2"):
        corners_to_faces([(1, 2, 30, 40), (5, 6, 30, 40)], SIZE, 3)
    with pytest.raises(ValueError, match=r"got one without extent in image 1 of 2"):
        corners_to_faces([(1, 2, 30, 40), (5, 6, 5, 40)], SIZE, 2)


def test_bbox_is_a_list_of_corners_for_each_image():
    assert faces_to_corners(faces((1.4, 2.0, 30.6, 40.0), count=2)) == [[(1, 2, 31, 40)], []]


def test_a_detector_answers_as_detailers_ask():
    asked = []

    def find(image, threshold):
        asked.append((tuple(image.shape), threshold))
        return faces((60.0, 40.0, 80.0, 60.0), (1.0, 1.0, 5.0, 5.0))

    class Hook:
        def post_crop_region(self, width, height, box, crop):
            return [0, 0, width, height]

        def post_detection(self, segs):
            return segs[0], segs[1][:1]

    detector, image = BboxDetector(find), torch.zeros(1, *SIZE, 3)
    detector.setAux("a face")
    assert len(detector.detect(image, 0.5, 10, 3.0, 2)[1]) == 2
    assert len(detector.detect(image, 0.5, 10, 3.0, drop_size=10)[1]) == 1
    (seg,) = detector.detect(image, 0.5, 0, 3.0, detailer_hook=Hook())[1]
    assert seg.crop_region == [0, 0, 160, 100]
    assert seg.cropped_mask.sum() == 400
    assert detector.detect_combined(image, 0.5, 0).sum() == 400 + 16
    assert asked[0] == ((1, 100, 160, 3), 0.5)
