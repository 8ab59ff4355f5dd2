"""What the authors' RoI tanh operators and their parser are asked, and ours after them."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

import seeding

PHOTO_BOXES = ((179.0, 63.0, 270.0, 174.0), (-20.0, 300.0, 60.0, 420.0))  # in the astronaut's photo; across its border


@dataclass(frozen=True)
class Case:
    """One call of an operator."""

    function: str
    size: tuple[int, int]  # width and height of the result
    turned: bool = False  # by angles, which converting operators do not take
    keep: dict[str, bool] = field(default_factory=dict)


def images() -> Tensor:
    """(3, 3, 60, 72) smooth pictures in [0, 1]; what is warped and what is restored alike."""
    coarse = seeding.noise("warps", torch.Size([3, 3, 10, 12])).float()
    return torch.nn.functional.interpolate(coarse, (60, 72), mode="bilinear", align_corners=False) / 2 + 0.5


def rois() -> Tensor:
    """(3, 4) a box inside, one across the border, one of a few pixels."""
    return torch.tensor([[15.0, 12, 45, 52], [-10.5, 5, 30, 33.25], [40.0, 30, 48, 38]])


def angles() -> Tensor:
    """(3,) degrees."""
    return torch.tensor([0.0, 25, -130])


def linear_logits(x: Tensor) -> Tensor:
    """(N, 14, H, W) in the place of a network's: seeded weights of the three colours alone, background at black."""
    weights = seeding.noise("linear", torch.Size([14, 4])).float() * 20
    weights[0] = torch.tensor([-20.0, -20, -20, -45])
    return torch.einsum("kc,nchw->nkhw", weights[:, :3], x) + weights[:, 3, None, None]


def _cases() -> dict[str, Case]:
    found = {}
    for direction in ("warp", "restore"):
        found[f"roi_tanh_{direction}"] = Case(f"roi_tanh_{direction}", (48, 40), True)
        for mode in ("polar", "circular"):
            for keep in (False, True):
                name = f"roi_tanh_{mode}_{direction}"
                found[f"{name}/{'keep' if keep else 'stretch'}"] = Case(
                    name, (48, 40), True, {"keep_aspect_ratio": keep}
                )
    for name in ("roi_tanh_polar_to_roi_tanh", "roi_tanh_to_roi_tanh_polar"):
        for keep in (False, True):
            found[f"{name}/{'keep' if keep else 'stretch'}"] = Case(name, (48, 40), keep={"keep_aspect_ratio": keep})
    return found


CASES = _cases()
