"""Drawn triangles: no crack, no overlap, the nearest is seen, and every pixel knows where in it it lies."""

import torch

from likeness.raster import rasterize

SQUARE = torch.tensor([[2.0, 3, 0], [2, 12, 0], [14, 12, 0], [14, 3, 0]])
HALVES = torch.tensor([[0, 1, 2], [0, 2, 3]])  # counter-clockwise on the screen


def grid(side: int) -> torch.Tensor:
    return torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="xy"), -1).float()


def test_two_halves_of_a_square_cover_it_without_a_crack():
    covered = rasterize(SQUARE, HALVES, 20, 20).covered
    assert covered.sum() == 10 * 13
    assert covered[3:13, 2:15].all()


def test_a_pixel_finds_its_own_place_in_the_mesh():
    seed = torch.Generator().manual_seed(0)
    points = torch.cat([grid(6).reshape(-1, 2) * 7 + 4 * torch.rand(36, 2, generator=seed), torch.zeros(36, 1)], -1)
    square = torch.tensor([[0, 6, 7], [0, 7, 1]])
    triangles = torch.cat([square + row * 6 + column for row in range(5) for column in range(5)])
    drawn = rasterize(points, triangles, 48, 48, cull=False)
    found = drawn.interpolate(points[:, :2], triangles)
    assert drawn.covered[8:34, 8:34].all()
    torch.testing.assert_close(found[drawn.covered], grid(48)[drawn.covered], atol=5e-3, rtol=0)
    torch.testing.assert_close(drawn.weights.sum(-1), drawn.covered.float())


def test_the_nearest_triangle_is_seen_wherever_it_stands_in_the_list():
    near, far = SQUARE[:3], torch.tensor([[0.0, 0, 5], [0, 19, 5], [19, 19, 5]])
    points, order = torch.cat([near, far]), torch.tensor([[0, 1, 2], [3, 4, 5]])
    for triangles, front in ((order, 0), (order.flip(0), 1)):
        drawn = rasterize(points, triangles, 20, 20)
        assert drawn.triangle[10, 4] == front
        assert (drawn.depth[10, 4], drawn.depth[16, 4]) == (0, 5)


def test_a_triangle_seen_from_behind_is_left_out_when_asked():
    backs = HALVES.flip(1)
    assert not rasterize(SQUARE, backs, 20, 20).covered.any()
    assert rasterize(SQUARE, backs, 20, 20, cull=False).covered.sum() == 10 * 13


def test_what_lies_outside_the_picture_is_cut_off():
    covered = rasterize(SQUARE - torch.tensor([8.0, 8, 0]), HALVES, 20, 20).covered
    assert covered[:5, :7].all()
    assert covered.sum() == 5 * 7
    assert not rasterize(SQUARE + 100, HALVES, 20, 20).covered.any()


def test_no_triangles_are_an_empty_picture():
    drawn = rasterize(SQUARE, HALVES[:0], 4, 5)
    assert not drawn.covered.any()
    assert drawn.interpolate(SQUARE, HALVES).shape == (4, 5, 3)


def test_a_triangle_without_area_leaves_nothing_that_is_not_a_number():
    drawn = rasterize(torch.tensor([[1.0, 1, 0], [5, 5, 0], [9, 9, 0]]), HALVES[:1], 12, 12, cull=False)
    assert drawn.weights.isfinite().all()
