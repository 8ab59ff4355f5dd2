"""Colours and grain, on a photo whose tint and noise are known."""

import pytest
import torch

import factories
from likeness.color import METHODS, grain, match_color, match_grain


def photo() -> torch.Tensor:
    return factories.read_photo("astronaut")[:, 40:240, 140:340]


def tinted(image: torch.Tensor) -> torch.Tensor:
    return (image * torch.tensor([0.75, 0.9, 1.0]) + torch.tensor([0.1, 0.0, 0.02])).clamp(0, 1)


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())


@pytest.mark.parametrize("method", METHODS)
def test_a_tint_is_taken_back(method):
    image = photo()
    restored = match_color(tinted(image), image, method=method)
    assert psnr(restored, image) > max(30, psnr(tinted(image), image) + 7)


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_with_the_right_colours_stays(method):
    assert psnr(match_color(photo(), photo(), method=method), photo()) > 45


@pytest.mark.parametrize("method", METHODS)
def test_only_what_the_mask_holds_counts(method):
    image, spoiled, mask = photo(), photo(), torch.zeros(1, 200, 200)
    mask[:, :, :100] = 1
    spoiled[:, :, 100:] = torch.tensor([1.0, 0, 1])
    apart = match_color(tinted(image), spoiled, mask, method) - match_color(tinted(image), image, mask, method)
    assert apart.abs().max() < 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_flat_and_black_pictures_give_numbers(method):
    for image in (torch.zeros(1, 16, 16, 3), torch.full((1, 16, 16, 3), 0.5)):
        assert match_color(image, photo()[:, :16, :16], method=method).isfinite().all()
        assert match_color(photo()[:, :16, :16], image, method=method).isfinite().all()


def test_a_batch_is_matched_picture_by_picture():
    image = photo()
    both = match_color(torch.cat([tinted(image), image]), torch.cat([image, tinted(image)]))
    torch.testing.assert_close(both[:1], match_color(tinted(image), image))
    torch.testing.assert_close(both[1:], match_color(image, tinted(image)))


def test_known_grain_is_measured():
    smooth = factories.photo(200, 200, 0)[None]
    for amount in (0.01, 0.03, 0.06):
        noisy = smooth + amount * torch.randn(smooth.shape, generator=torch.Generator().manual_seed(1))
        assert float(grain(noisy)) == pytest.approx(amount, rel=0.2)
    assert float(grain(smooth)) < 0.002


def test_grain_is_added_until_it_is_equal_and_never_taken():
    smooth = 0.2 + 0.6 * factories.photo(200, 200, 0)[None]
    noisy = smooth + 0.03 * torch.randn(smooth.shape, generator=torch.Generator().manual_seed(1))
    assert float(grain(match_grain(smooth, noisy))) == pytest.approx(float(grain(noisy)), rel=0.1)
    assert torch.equal(match_grain(noisy, smooth), noisy.clamp(0, 1))


def test_an_unknown_method_and_another_size_are_named():
    with pytest.raises(ValueError, match="among lab, covariance, histogram, got mkl"):
        match_color(photo(), photo(), method="mkl")
    with pytest.raises(ValueError, match="Expected a reference of"):
        match_color(photo(), photo()[:, :100])
