"""Pictures of a square with a texture."""

import pytest
import torch

import factories
from likeness.render.camera import frame
from likeness.render.textured import render, vertex_normals
from likeness.types3d import Cameras, Mesh

CORNERS = torch.tensor([[-0.1, -0.1, 0.0], [0.1, -0.1, 0], [0.1, 0.1, 0], [-0.1, 0.1, 0]])
TRIANGLES = torch.tensor([[0, 1, 2], [0, 2, 3]])
UV = torch.tensor([[0.0, 1], [1, 1], [1, 0], [0, 0]])  # v runs down
SQUARE = Mesh(CORNERS[None], TRIANGLES, UV)


def flat_camera(side: int) -> Cameras:
    """An orthographic camera whose picture the square of 0.2 m fills."""
    scale, middle = side / 0.2, (side - 1) / 2
    intrinsics = torch.tensor([[scale, 0, middle], [0, scale, middle], [0, 0, 1]])
    return Cameras((side, side), intrinsics[None], frame(CORNERS[None], (side, side)).extrinsics, True)


def test_a_square_that_fills_the_picture_is_its_texture():
    texture = factories.photo(64, 64, 0)[None]
    picture, covered = render(SQUARE, flat_camera(64), texture)
    assert covered.all()
    torch.testing.assert_close(picture, texture, atol=0.01, rtol=0)


def test_a_texture_much_finer_than_the_picture_is_averaged():
    fine = factories.noise((1, 512, 512, 3))
    picture, _ = render(SQUARE, flat_camera(16), fine)
    assert abs(picture.mean() - 0.5) < 0.01
    assert picture.std() < 0.06  # one texel in each pixel would give 0.29


def test_perspective_foreshortens_a_texture():
    ramp = torch.linspace(0, 1, 128)[None, :, None, None].expand(1, 128, 128, 3)
    depth = torch.tensor([[0, 0, 0.1], [0, 0, 0.1], [0, 0, -0.3], [0, 0, -0.3]])  # the upper half is farther
    leaning = Mesh((CORNERS + depth)[None], TRIANGLES, UV)
    picture, covered = render(leaning, frame(leaning.vertices, (96, 96)), ramp)
    column, seen = picture[0, :, 48, 0], covered[0, :, 48] == 1
    assert (column[seen].diff() > -1e-3).all()
    assert column[seen][seen.sum() // 2] > 0.53  # the far half is shorter; without perspective it is 0.5


def test_edges_are_soft_and_colours_multiplied_by_the_coverage():
    red = Mesh(CORNERS[None] * 0.83, TRIANGLES, colors=torch.tensor([1.0, 0, 0]).expand(1, 4, 3))
    picture, covered = render(red, flat_camera(64))
    assert ((covered > 0) & (covered < 1)).any()
    torch.testing.assert_close(picture[..., 0], covered)
    assert not picture[..., 1:].any()


def test_without_colours_it_is_clay_brightest_towards_the_camera():
    facing, _ = render(Mesh(CORNERS[None], TRIANGLES), flat_camera(32))
    away = CORNERS * torch.tensor([1.0, 1, 0]) + torch.tensor([[0, 0, -0.2], [0, 0, 0.2], [0, 0, 0.2], [0, 0, -0.2]])
    slanted, _ = render(Mesh(away[None], TRIANGLES), flat_camera(32))
    assert facing[0, 16, 16, 0] == pytest.approx(0.8)
    assert 0.3 < slanted[0, 16, 16, 0] < 0.6


def test_what_is_behind_the_camera_or_beside_the_picture_is_not_seen():
    camera = flat_camera(16)
    for shift in ([0, 0, 50.0], [5.0, 0, 0]):
        away = Mesh(SQUARE.vertices + torch.tensor(shift), TRIANGLES, UV)
        assert not render(away, camera)[1].any()
        assert not render(away, frame(SQUARE.vertices, (16, 16)))[1].any()


def test_no_mesh_gives_no_picture():
    nobody = SQUARE.select(torch.zeros(0, dtype=torch.long))
    picture, covered = render(nobody, Cameras((8, 9), torch.zeros(0, 3, 3), torch.zeros(0, 4, 4)))
    assert (picture.shape, covered.shape) == ((0, 8, 9, 3), (0, 8, 9))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="Expected texture coordinates for the texture, got a mesh without"):
        render(Mesh(CORNERS[None], TRIANGLES), flat_camera(8), torch.zeros(1, 4, 4, 3))
    with pytest.raises(ValueError, match="Expected 2 cameras, one per mesh, got 1"):
        render(SQUARE.select(torch.tensor([0, 0])), flat_camera(8))


def test_normals_point_outward():
    assert vertex_normals(CORNERS, TRIANGLES).tolist() == [[0, 0, 1]] * 4
