"""The individual typology angle: how light the skin in a photo looks, in degrees.

ITA = arctan((L - 50) / b) of CIE Lab. Source: Chardon, Cretois and Hourseau, Skin colour typology and suntanning
pathways, 1991. It measures a photo: light, camera and make-up move it as much as skin does. It is neither Fitzpatrick's
type nor the Monk scale, which people judge, and it says nothing about who somebody is.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from .table import Cell, Table

# Degrees from which a bucket begins, the lightest first.
BUCKETS = ((55.0, "very light"), (41.0, "light"), (28.0, "intermediate"), (10.0, "tan"), (-30.0, "brown"))
DARKEST = "dark"
LEAST = 64  # pixels
CLIPPED = 0.004  # of the range from black or white
LIMITS = (
    "ITA is of this photo: light, camera and make-up move it as much as skin does.",
    "It is neither Fitzpatrick's type nor the Monk scale, which people judge; compare photos of one lighting only.",
)


def measure(image: Tensor, mask: Tensor) -> Table:
    """The angle of each photo's skin: the median pixel's, its spread, its bucket, and what speaks against it.

    Args:
        image: (B, H, W, 3) RGB in [0, 1].
        mask: (B, H, W) or (1, H, W) which pixels are skin, in [0, 1]; those over a half count.

    Raises:
        ValueError: The mask is not of these images.
    """
    if mask.shape[1:] != image.shape[1:3] or len(mask) not in (1, len(image)):
        raise ValueError(
            f"Expected a mask of {tuple(image.shape[:3])}, one per image or one for all, got {tuple(mask.shape)}: "
            "connect the skin of these images."
        )
    rows = [_row(number, photo, skin) for number, (photo, skin) in enumerate(_each(image, mask))]
    names = ["image", "pixels", "ita", "q25", "q75", "bucket", "lightness", "yellowness", "clipped", "caution"]
    return Table.of(names, rows)


def bucket(degrees: float) -> str:
    """The name of an angle's bucket."""
    return next((name for least, name in BUCKETS if degrees > least), DARKEST)


def _each(image: Tensor, mask: Tensor) -> zip[tuple[Tensor, Tensor]]:
    return zip(image, mask.expand(len(image), -1, -1), strict=True)


def _row(number: int, photo: Tensor, skin: Tensor) -> tuple[Cell, ...]:
    from kornia.color import rgb_to_lab

    pixels = photo[skin > 0.5]
    if len(pixels) < LEAST:
        return number, len(pixels), *(None,) * 7, f"fewer than {LEAST} pixels of skin"
    light, _, yellow = rgb_to_lab(pixels.T[None, :, :, None])[0, :, :, 0].double().numpy()
    angle = np.degrees(np.arctan2(light - 50, yellow))
    low, high = np.quantile(angle, [0.25, 0.75])
    level, tint = float(np.median(light)), float(np.median(yellow))
    degrees = math.degrees(math.atan2(level - 50, tint))
    edge = (pixels <= CLIPPED) | (pixels >= 1 - CLIPPED)
    clipped = float(edge.any(-1).float().mean()) if len(pixels) else 0.0
    cautions = ["not the colour of skin under white light"] * (tint <= 0)
    cautions += ["much of it is black or burnt out"] * (clipped > 0.1)
    caution = "; ".join(cautions) or None
    named = None if tint <= 0 else bucket(degrees)
    return number, len(pixels), degrees, float(low), float(high), named, level, tint, clipped, caution
