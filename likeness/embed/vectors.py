"""What every encoder does with its crops: a vector for each, some at a time, and none that says nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BATCH = 32  # faces


def vectors(run: Callable[[Tensor], Tensor], x: Tensor, size: int, batch: int = BATCH) -> Tensor:
    """(N, size) float32 on the CPU, a network's vector of each crop.

    Args:
        run: The network: (n, ...) crops to (n, size) vectors, anywhere, of any float type.
        x: (N, ...) what it takes.
        size: Of a vector; what no face gives has it too.
        batch: How many crops it takes at once.

    Raises:
        ValueError: A vector is zero or not finite: nobody's identity, and no measure could take it.
    """
    parts = [run(x[start : start + batch]).float().cpu() for start in range(0, len(x), batch)]
    found = torch.cat([torch.zeros(0, size), *parts])
    length = torch.linalg.vector_norm(found, dim=1)
    bad = ~length.isfinite() | (length == 0)
    if bool(bad.any()):
        rows = ", ".join(str(row + 1) for row in bad.nonzero().flatten().tolist())
        raise ValueError(
            f"Expected a vector with a finite length for each of {len(x)} faces, got zero or NaN for face {rows}: "
            "check that its picture holds no NaN, or get the weights again."
        )
    return found
