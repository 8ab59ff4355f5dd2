"""Drawings: where they should be, nowhere else, in width and softness that suit the picture."""

from dataclasses import replace

import pytest
import torch

from likeness.draw import COLOURS, draw_faces, tint
from likeness.types import Faces, Landmarks

OFF = {"boxes": False, "labels": False, "points": False}


def one_face(size: tuple[int, int], box: tuple[float, ...], images: int = 1, number: int = 0, **fields) -> Faces:
    zero = torch.zeros(1, dtype=torch.int64)
    return Faces(size, images, zero + number, zero, torch.tensor([box]), torch.tensor([0.93]), **fields)


def colours(image: torch.Tensor) -> int:
    return len((image[0] * 255).round().int().reshape(-1, 3).unique(dim=0))


def changed(image: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """(2, K) rows and columns that differ in the first image."""
    return (image[0] != drawn[0]).any(-1).nonzero().T


def test_a_box_is_drawn_along_its_edges_and_leaves_the_inside():
    image = torch.full((1, 400, 400, 3), 0.5)
    drawn = draw_faces(image, one_face((400, 400), (100.0, 120, 200, 220)), **{**OFF, "boxes": True})
    blue = torch.tensor(COLOURS[0]) / 255
    torch.testing.assert_close(drawn[0, 170, 100], blue, atol=0.02, rtol=0)
    torch.testing.assert_close(drawn[0, 220, 150], blue, atol=0.02, rtol=0)
    assert torch.equal(drawn[0, 130:210, 110:190], image[0, 130:210, 110:190])
    rows, columns = changed(image, drawn)
    assert (rows.min() > 114, rows.max() < 226, columns.min() > 94, columns.max() < 206) == (True,) * 4


@pytest.mark.parametrize(("side", "least", "most"), [(256, 1, 3), (2160, 6, 9), (4320, 12, 18)])
def test_lines_are_as_wide_as_the_picture_needs(side, least, most):
    image = torch.zeros(1, side, side, 3)
    box = (side / 4, side / 4, side / 2, side / 2)
    drawn = draw_faces(image, one_face((side, side), box), **{**OFF, "boxes": True})
    across = drawn[0, side * 3 // 8, : side * 3 // 8].amax(-1)  # through the left edge
    assert least <= (across > 0.4).sum() <= most


def test_lines_are_soft():
    image = torch.zeros(1, 300, 300, 3)
    tilted = torch.stack([torch.linspace(50, 250, 68), torch.linspace(50, 120, 68)], -1)[None]
    faces = one_face((300, 300), (50.0, 50, 250, 250))
    drawn = draw_faces(image, faces, **OFF, landmarks=Landmarks(faces, "ibug68", tilted))
    assert colours(drawn) > 10


def test_a_face_keeps_its_colour_through_a_video():
    image = torch.zeros(2, 200, 200, 3)
    zero, index = torch.zeros(2, dtype=torch.int64), torch.tensor([0, 1])
    box = torch.tensor([[50.0, 60, 120, 150]]).expand(2, 4)
    tracked = Faces((200, 200), 2, zero, index, box, torch.ones(2), track=torch.tensor([3, 3]))
    drawn = draw_faces(image, tracked, **{**OFF, "boxes": True})
    assert torch.equal(drawn[0], drawn[1])
    torch.testing.assert_close(drawn[0, 100, 50], torch.tensor(COLOURS[3]) / 255, atol=0.02, rtol=0)


@pytest.mark.parametrize("box", [(60.0, 80, 150, 170), (-20.0, -30, 60, 60), (150.0, 2, 230, 90)], ids=str)
def test_a_label_stays_in_the_picture(box):
    image = torch.zeros(1, 200, 200, 3)
    drawn = draw_faces(image, one_face((200, 200), box), **{**OFF, "labels": True})
    rows, columns = changed(image, drawn)
    assert rows.max() - rows.min() > 10
    assert columns.max() - columns.min() > 30


def test_five_points_are_dots_where_they_are():
    image = torch.zeros(1, 200, 200, 3)
    kps = torch.tensor([[[80.0, 80], [120, 80], [100, 100], [85, 120], [115, 120]]])
    drawn = draw_faces(image, one_face((200, 200), (60.0, 60, 140, 140), kps=kps), **{**OFF, "points": True})
    for x, y in kps[0].int().tolist():
        assert drawn[0, y, x].min() > 0.9
    assert (drawn[0].amax(-1) > 0.5).sum() < 5 * 30


@pytest.mark.parametrize("style", ["contours", "mesh", "dots"])
def test_landmarks_are_drawn_in_their_own_place(style):
    image = torch.zeros(1, 300, 300, 3)
    faces = one_face((300, 300), (50.0, 50, 250, 250))
    points = torch.rand(1, 478, 2, generator=torch.Generator().manual_seed(0)) * 100 + 100
    drawn = draw_faces(image, faces, **OFF, landmarks=Landmarks(faces, "mediapipe478", points), style=style)
    rows, columns = changed(image, drawn)
    assert (rows.min() > 90, rows.max() < 210, columns.min() > 90, columns.max() < 210) == (True,) * 4


def test_nobody_and_what_is_outside_leave_the_picture_bit_for_bit():
    image = torch.rand(2, 60, 80, 3)
    assert torch.equal(draw_faces(image, Faces.empty((60, 80), 2)), image)
    outside = one_face((60, 80), (500.0, 500, 600, 600), images=2)
    assert torch.equal(draw_faces(image, outside, **{**OFF, "boxes": True}), image)


def test_a_style_that_is_none_is_refused():
    with pytest.raises(ValueError, match="a style among contours, mesh, dots, got neon"):
        draw_faces(torch.zeros(1, 8, 8, 3), Faces.empty((8, 8), 1), style="neon")


def test_landmarks_of_another_picture_are_refused():
    faces = one_face((8, 8), (1.0, 1, 5, 5))
    other = replace(faces, image_size=(9, 9))
    with pytest.raises(ValueError, match="1 images of 9 x 9"):
        draw_faces(torch.zeros(1, 8, 8, 3), faces, landmarks=Landmarks(other, "ibug68", torch.zeros(1, 68, 2)))


def test_a_mask_tints_what_it_covers():
    image = torch.full((2, 4, 6, 3), 0.5)
    mask = torch.zeros(1, 4, 6)
    mask[:, 1, 2] = 1
    tinted = tint(image, mask, 1.0)
    assert ((tinted != image).any(-1).nonzero()[:, 1:] == torch.tensor([1, 2])).all()
    with pytest.raises(ValueError, match=r"a mask of \(2, 4, 6\), one per image or one for all, got \(1, 5, 6\)"):
        tint(image, torch.zeros(1, 5, 6))
