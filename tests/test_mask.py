"""Masks, measured against drawn discs."""

import pytest
import torch

from likeness.mask import feather, fill_holes, grow, steady, unite


def disc(radius: float, size: int = 200, x: float = 100, y: float = 100) -> torch.Tensor:
    """(1, size, size) a disc with an anti-aliased edge."""
    grid = torch.arange(size).float()
    away = ((grid[None] - x) ** 2 + (grid[:, None] - y) ** 2).sqrt()
    return (radius - away + 0.5).clamp(0, 1)[None]


@pytest.mark.parametrize("pixels", [-20, -8, 3.5, 8, 32])
def test_a_disc_grows_to_a_larger_disc(pixels):
    result, wanted = grow(disc(50), pixels), disc(50 + pixels)
    overlap = torch.minimum(result, wanted).sum() / torch.maximum(result, wanted).sum()
    assert overlap > 0.97
    assert (result - wanted).abs().max() < 0.9


def test_growing_by_nothing_changes_nothing():
    assert torch.equal(grow(disc(50), 0), disc(50))


def test_a_soft_matte_keeps_its_own_values():
    matte = 0.8 * disc(50)
    assert grow(matte, 5)[0, 100, 100] == pytest.approx(1)
    assert grow(matte, -5)[0, 100, 100] == pytest.approx(0.8)


def test_a_feather_fades_inside_by_default_and_outside_when_asked():
    inside, outside = feather(disc(50), 20), feather(disc(50), 20, inside=0)
    assert (inside <= disc(50) + 0.02).all()
    assert inside[0, 100, 100 + 40] == pytest.approx(0.5, abs=0.05)
    assert outside[0, 100, 100 + 60] == pytest.approx(0.5, abs=0.05)
    assert outside[0, 100, 100 + 72] == 0


def test_empty_and_full_masks_stay():
    for value in (0.0, 1.0):
        mask = torch.full((2, 32, 32), value)
        for result in (grow(mask, 5), grow(mask, -5), feather(mask, 5), steady(mask, 2), fill_holes(mask)):
            assert torch.equal(result, mask)


def test_a_mask_at_the_border_grows_along_it():
    mask = torch.zeros(1, 64, 64)
    mask[:, :10] = 1
    assert grow(mask, 6)[0, :16].min() == 1
    assert grow(mask, 6)[0, 17:].max() == 0


def test_a_flickering_edge_is_held_still():
    generator = torch.Generator().manual_seed(0)
    radii = 50 + 3 * torch.randn(30, generator=generator)
    masks = torch.cat([disc(float(radius)) for radius in radii])
    areas = steady(masks, 3).sum((1, 2))
    assert areas.diff().abs().mean() < 0.15 * masks.sum((1, 2)).diff().abs().mean()
    assert areas.mean() == pytest.approx(float(masks.sum((1, 2)).mean()), rel=0.02)


def test_masks_are_not_averaged_over_a_cut():
    left, right = disc(30).roll(-60, 2), disc(30).roll(60, 2)
    shots = torch.cat([left] * 8 + [right] * 8)
    assert (steady(shots, 3) - shots).abs().max() < 0.01
    to_nobody = torch.cat([left] * 8 + [left * 0] * 8 + [left] * 8)
    assert (steady(to_nobody, 3) - to_nobody).abs().max() < 0.01


def test_a_mask_that_is_lost_for_a_frame_is_filled_in():
    lost = torch.cat([disc(50)] * 6 + [disc(50) * 0] + [disc(50)] * 6)
    held = steady(lost, 3)
    assert held[6, 100, 100] > 0.9
    assert held.sum((1, 2)).min() > 0.8 * lost.sum((1, 2)).max()


def test_holes_are_filled():
    ring = disc(50) - disc(20)
    assert fill_holes(ring)[0, 100, 100] == 1


def test_two_masks_are_united_where_they_belong_together():
    both = unite(disc(30, x=60), disc(30, x=140).repeat(3, 1, 1))
    assert both.shape == (3, 200, 200)
    assert both[:, 100, [60, 140]].min() == 1
    with pytest.raises(ValueError, match=r"a mask of \(1, 200, 200\) to unite, .* got \(1, 64, 64\)"):
        unite(disc(30), disc(30, 64))


def test_the_given_mask_is_left_alone():
    mask = disc(50)
    before = mask.clone()
    grow(mask, 5), feather(mask, 5), steady(mask, 2), fill_holes(mask)
    assert torch.equal(mask, before)
