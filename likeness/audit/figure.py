"""Charts as a picture: by matplotlib where it is installed, else by Pillow. Both show the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import pillow_figure, pyplot_figure
from .chart import Chart

Pixels = NDArray[np.uint8]


def draw(charts: Sequence[Chart], title: str, width: int) -> Pixels:
    """(H, W, 3) the charts below each other under a title.

    Args:
        charts: What to show.
        title: Above them.
        width: Pixels.
    """
    return (pyplot_figure if has_matplotlib() else pillow_figure).draw(charts, title, width)


def has_matplotlib() -> bool:
    """Whether matplotlib draws here; the extra ``report`` brings it."""
    from importlib.util import find_spec

    found: Any = find_spec("matplotlib")
    return found is not None
