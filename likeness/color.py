"""Colours and grain of one picture given to another, so that an edited face sits in its photo.

Statistics are taken in CIE Lab where a method says so, over a mask, per picture of a batch. Sources: Reinhard et al.,
Color transfer between images, 2001; Pitie and Kokaram, The linear Monge-Kantorovitch colour mapping, 2007.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

METHODS = ("lab", "covariance", "histogram")
STRETCH = (0.6, 1.6)  # a deviation that changes more than this is another lighting, not another colour
BINS = 256
QUARTILE = 0.9  # of the mean, where a quarter of the 8 x 8 blocks of pure noise lie
FLAT = 1e-4  # variance of a picture without texture


def match_color(image: Tensor, reference: Tensor, mask: Tensor | None = None, method: str = "lab") -> Tensor:
    """The image in the colours of a reference.

    Args:
        image: (N, H, W, 3) RGB in [0, 1].
        reference: (N, H, W, 3) or (1, H, W, 3) RGB in [0, 1], of the same size.
        mask: (N, H, W) or (1, H, W) which pixels count, on both sides; all by default. Every pixel is changed.
        method: "lab" (mean and deviation in Lab), "covariance" (all of it, in RGB), or "histogram" (per channel).

    Raises:
        ValueError: An unknown method, or sizes that do not fit.
    """
    if method not in METHODS:
        raise ValueError(f"Expected a method among {', '.join(METHODS)}, got {method}.")
    if reference.shape[1:] != image.shape[1:] or len(reference) not in (1, len(image)):
        raise ValueError(
            f"Expected a reference of {tuple(image.shape)}, got {tuple(reference.shape)}: resize it, or connect one "
            "per image."
        )
    from kornia.color import lab_to_rgb, rgb_to_lab  # takes as long to import as all of the pack

    weight = image.new_ones(1, *image.shape[1:3]) if mask is None else mask.to(image)
    weight = weight.expand(image.shape[:3]).flatten(1)
    weight = torch.where(weight.sum(1, keepdim=True) > 0, weight, 1.0)  # nothing marked: all of it
    pixels, wanted = (picture.expand(image.shape).movedim(-1, 1) for picture in (image, reference))
    if method == "lab":
        pixels, wanted = rgb_to_lab(pixels), rgb_to_lab(wanted)
    change = {"lab": _mean_and_deviation, "covariance": _covariance, "histogram": _histogram}[method]
    result = change(pixels.flatten(2), wanted.flatten(2), weight).reshape(pixels.shape)
    if method == "lab":
        result = lab_to_rgb(result)
    return result.movedim(1, -1).clamp(0, 1)


def match_grain(image: Tensor, reference: Tensor, mask: Tensor | None = None, seed: int = 0) -> Tensor:
    """The image with as much grain as a reference has; one that has more already stays as it is.

    Args:
        image: (N, H, W, 3) RGB in [0, 1].
        reference: (N, H, W, 3) RGB in [0, 1].
        mask: (N, H, W) where the reference's grain is measured; everywhere by default.
        seed: Of the noise; the same for the same picture.
    """
    lacking = (grain(reference, mask).square() - grain(image, mask).square()).clamp(min=0).sqrt()
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(image.shape, generator=generator).to(image)
    return (image + lacking[:, None, None, None] * noise).clamp(0, 1)


def grain(image: Tensor, mask: Tensor | None = None) -> Tensor:
    """(N,) the deviation of a picture's noise, from what differs between neighbours where it is smoothest.

    Args:
        image: (N, H, W, 3) RGB in [0, 1].
        mask: (N, H, W) where to look; everywhere by default.
    """
    grey = image.mean(-1)[:, None]
    # The second differences across both axes cancel edges and ramps; source: Immerkaer, Fast noise variance
    # estimation, 1996.
    rough = grey[..., 1:-1, 1:-1] * 4 - 2 * (
        grey[..., :-2, 1:-1] + grey[..., 2:, 1:-1] + grey[..., 1:-1, :-2] + grey[..., 1:-1, 2:]
    )
    rough = rough + grey[..., :-2, :-2] + grey[..., :-2, 2:] + grey[..., 2:, :-2] + grey[..., 2:, 2:]
    local = avg_pool2d(rough.abs(), 8, ceil_mode=True).flatten(1)
    if mask is not None:
        inside = avg_pool2d(mask[:, None, 1:-1, 1:-1].to(image), 8, ceil_mode=True).flatten(1) > 0.9
        local = torch.where(inside | ~inside.any(1, keepdim=True), local, float("nan"))
    calm = torch.nanquantile(local, 0.25, dim=1) / QUARTILE
    return (
        calm * (torch.pi / 2) ** 0.5 / 6 * 3**0.5
    )  # 6: the filter's length; the mean of three channels has 1 / sqrt 3


def _moments(pixels: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N, 3, 1) and what is left of (N, 3, P) pixels without it."""
    mean = (pixels * weight[:, None]).sum(-1, keepdim=True) / weight.sum(-1)[:, None, None]
    return mean, pixels - mean


def _mean_and_deviation(pixels: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    (_, rest), (target, spread) = _moments(pixels, weight), _moments(wanted, weight)
    ratio = (spread.square() * weight[:, None]).sum(-1) / (rest.square() * weight[:, None]).sum(-1).clamp(min=FLAT)
    return rest * ratio.sqrt().clamp(*STRETCH)[..., None] + target


def _covariance(pixels: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    (_, rest), (target, spread) = _moments(pixels, weight), _moments(wanted, weight)
    share = (weight / weight.sum(-1, keepdim=True))[:, None]
    here, there = ((part * share) @ part.mT + FLAT * torch.eye(3).to(part) for part in (rest, spread))
    root = _power(here, 0.5)
    inverse = _power(here, -0.5)
    return inverse @ _power(root @ there @ root, 0.5) @ inverse @ rest + target


def _power(matrix: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=1e-9).pow(exponent)[..., None, :]) @ vectors.mT


def _histogram(pixels: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    result = torch.empty_like(pixels)
    levels = torch.linspace(0, 1, BINS, device=pixels.device)
    for index in range(len(pixels)):
        for channel in range(3):
            here, there = pixels[index, channel], wanted[index, channel]
            share, target = _cumulative(here, weight[index]), _cumulative(there, weight[index])
            # A strictly rising curve can be inverted.
            target = target + torch.linspace(0, 1e-4, BINS, device=pixels.device)
            mapped = _interpolate(share, target, levels)
            result[index, channel] = _interpolate(here, levels, mapped)
    return result


def _cumulative(values: Tensor, weight: Tensor) -> Tensor:
    """(BINS,) the share of weight at or below each level; half of a level's own counts."""
    counts = torch.zeros(BINS, device=values.device, dtype=values.dtype)
    counts.index_add_(0, (values.clamp(0, 1) * (BINS - 1)).round().long(), weight)
    return (counts.cumsum(0) - counts / 2) / counts.sum()


def _interpolate(at: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Linear interpolation of rising ``x``; flat beyond both ends."""
    upper = torch.searchsorted(x.contiguous(), at.contiguous()).clamp(1, len(x) - 1)
    part = ((at - x[upper - 1]) / (x[upper] - x[upper - 1]).clamp(min=1e-9)).clamp(0, 1)
    return torch.lerp(y[upper - 1], y[upper], part)
