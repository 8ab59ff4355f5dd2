"""RoI tanh warps: the authors' operators, in torch and in OpenCV, and what theirs cannot do."""

from pathlib import Path

import pytest
import torch

import factories
import golden
import roi_cases as cases
from likeness import roi_tanh

GOLDEN = Path(__file__).parent / "checkpoints/rtnet/warps.json"
SIZES = (1, 2, 49, 61, 98, 513)


def run(case: cases.Case, dtype: torch.dtype) -> torch.Tensor:
    turn = {"angle": cases.angles().to(dtype)} if case.turned else {}
    function = getattr(roi_tanh, case.function)
    return function(cases.images().to(dtype), cases.rois().to(dtype), *case.size, **turn, **case.keep)


def operators(direction: str):
    """Those of a direction, by mode."""
    names = {"cartesian": f"roi_tanh_{direction}"} | {m: f"roi_tanh_{m}_{direction}" for m in ("polar", "circular")}
    return {mode: getattr(roi_tanh, name) for mode, name in names.items()}


@pytest.mark.parametrize("name", cases.CASES)
def test_an_operator_is_the_authors(name):
    case = cases.CASES[name]
    assert golden.difference(GOLDEN, name, run(case, torch.float64)) < 1e-6  # a length is 1e-9 at least, theirs too
    assert golden.difference(GOLDEN, name, run(case, torch.float32)) < 5e-4


@pytest.mark.parametrize("name", cases.CASES)
def test_an_operator_is_opencvs_but_for_the_rounding_of_positions(name):
    """OpenCV takes pixels at 1/32 of their distance; the pictures change by up to 0.2 from one to the next."""
    assert golden.difference(GOLDEN, f"{name}/opencv", run(cases.CASES[name], torch.float32)) < 0.06


@pytest.mark.parametrize("side", ["mean", "min", "max"])
def test_boxes_are_squared_row_by_row_as_the_authors_square_one(side):
    squares = roi_tanh.make_square_rois(cases.rois().double(), side)
    assert golden.difference(GOLDEN, f"make_square_rois/{side}", squares) < 1e-6
    torch.testing.assert_close(squares[:, 2] - squares[:, 0], squares[:, 3] - squares[:, 1])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", roi_tanh.MODES)
def test_every_size_works_and_has_no_hole(mode, size):
    grey = torch.full((1, 1, 40, 1000), 0.5)
    boxes = torch.tensor([[300.0, -500, 700, 539]])
    keep = {} if mode == "cartesian" else {"keep_aspect_ratio": True}
    warped = operators("warp")[mode](grey, boxes, size, size, padding="border", **keep)
    assert warped.shape == (1, 1, size, size)
    torch.testing.assert_close(warped, torch.full_like(warped, 0.5))
    assert operators("restore")[mode](warped, boxes, 30, 1, **keep).isfinite().all()


@pytest.mark.parametrize("mode", roi_tanh.MODES)
def test_what_is_restored_is_the_picture_around_the_box(mode):
    image = factories.photo(120, 160, 0).movedim(-1, 0)[None]
    box = torch.tensor([[50.0, 30, 110, 90]])
    warped = operators("warp")[mode](image, box, 513, 513, 20.0)
    apart = (operators("restore")[mode](warped, box, 160, 120, 20.0) - image).abs()
    assert apart[..., 30:90, 50:110].max() < 0.01
    assert apart[..., 20:100, 40:120].max() < 0.03


def test_a_polar_picture_begins_at_the_right_and_goes_round_clockwise():
    image = torch.zeros(1, 1, 101, 101)
    image[..., 60:, :] = 1  # below the centre
    image[..., :, 60:] = 0.5  # and to the right of it
    warped = roi_tanh.roi_tanh_polar_warp(image, torch.tensor([[40.0, 40, 60, 60]]), 64, 64)
    row = warped[0, 0, :, 48]
    assert row[[0, 16, 32, 48]].tolist() == pytest.approx([0.5, 1, 0, 0])


def test_a_box_turned_clockwise_stands_upright():
    """A line that points down in the picture points right in the warp, when the box is turned by 90 degrees."""
    image = torch.zeros(1, 1, 61, 61)
    image[..., 30:, 28:33] = 1
    warped = roi_tanh.roi_tanh_warp(image, torch.tensor([[10.0, 10, 50, 50]]), 61, 61, 90.0)
    assert warped[0, 0, 30, 31:50].min() == 1
    assert warped[0, 0, 30, :25].max() == 0


@pytest.mark.parametrize("mode", roi_tanh.MODES)
def test_a_mirrored_picture_is_warped_to_the_mirrored(mode):
    image = factories.photo(50, 60, 1).movedim(-1, 0)[None]
    box = torch.tensor([[10.0, 8, 30, 40]])
    mirrored_box = 59 - box[:, [2, 1, 0, 3]] * torch.tensor([1.0, 0, 1, 0])
    mirrored_box[:, [1, 3]] = box[:, [1, 3]]
    warped = operators("warp")[mode](image, box, 48, 48)
    other = operators("warp")[mode](image.flip(-1), mirrored_box, 48, 48)
    rows = (24 - torch.arange(48)) % 48  # angles from the left and back
    torch.testing.assert_close(other, warped[:, :, rows] if mode == "polar" else warped.flip(-1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("mode", roi_tanh.MODES)
def test_gradients_reach_pictures_boxes_and_angles(mode):
    given = [cases.images()[:1, :1, ::4, ::4], torch.tensor([[3.3, 2.1, 12.2, 11.7]]), torch.tensor([12.0])]
    image, box, angle = (tensor.double().requires_grad_() for tensor in given)

    def there_and_back(image, box, angle):
        warped = operators("warp")[mode](image, box, 7, 6, angle)
        return operators("restore")[mode](warped, box, 9, 8, angle)

    assert torch.autograd.gradcheck(there_and_back, (image, box, angle), eps=1e-7, atol=1e-3)


def test_no_picture_is_warped_to_none():
    for operator in (*operators("warp").values(), *operators("restore").values()):
        assert operator(torch.zeros(0, 3, 20, 30), torch.zeros(0, 4), 16, 8).shape == (0, 3, 8, 16)


def test_boxes_that_are_empty_or_too_few_are_refused():
    images = torch.zeros(2, 3, 20, 30)
    with pytest.raises(ValueError, match="a width and a height, got 5, 5, 5, 9 for face 2"):
        roi_tanh.roi_tanh_polar_warp(images, torch.tensor([[0.0, 0, 9, 9], [5, 5, 5, 9]]), 16, 16)
    with pytest.raises(ValueError, match=r"a box for each of 2 pictures, got \(1, 4\): repeat them"):
        roi_tanh.roi_tanh_warp(images, torch.zeros(1, 4), 16, 16)
