"""Weights named by their values: two files with the same numbers are one model, whatever they are called."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from torch import Tensor


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Eight hexadecimal digits that name these values: CRC-32 of the tensors in the order of their names.

    Floating point counts as float32, so a file stored in half precision has the name of its float32 copy.
    """
    crc = 0
    for name in sorted(tensors):
        values = tensors[name].detach().cpu()
        values = values.float() if values.is_floating_point() else values.long()
        crc = zlib.crc32(values.numpy().tobytes(), crc)
    return f"{crc:08x}"
