"""An expression as the 55 numbers that SMIRK reads off a face: from a file, by hand, or both.

SMIRK: "3D Facial Expressions through Analysis-by-Neural-Synthesis", CVPR 2024, https://github.com/georgeretsi/smirk. 50
coefficients of FLAME's expression, two eyelids (0 as FLAME has them, 1 closed), and the jaw's rotation in axis-angle.
Its network gives no eyelid outside 0 to 1, no jaw that opens backwards or turns aside by more than 0.2; so does this.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..types import Embeddings

SPACE = "smirk_expression"
SIZES = {"expression": 50, "eyelid": 2, "jaw": 3}
SIZE = sum(SIZES.values())
ASIDE = 0.2  # radians
MADE_BY = "SMIRK's layout: 50 expressions, 2 eyelids, 3 of the jaw"


def read(path: Path) -> Tensor:
    """(N, 55) the expressions in a file.

    Args:
        path: An array of (55,) or (N, 55) numbers, or a safetensors file with the tensors ``expression_params``,
            ``eyelid_params`` and ``jaw_params``, as SMIRK calls them.

    Raises:
        ValueError: The file is damaged or holds something else.
    """
    try:
        rows = _read_array(path) if path.suffix.lower() == ".npy" else _read_tensors(path)
    except (ValueError, TypeError, OSError, EOFError, KeyError) as error:
        raise ValueError(
            f"Expected expressions in {path.name}, got {error}: save (N, {SIZE}) numbers with numpy.save, or SMIRK's "
            "expression_params, eyelid_params and jaw_params as safetensors."
        ) from error
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != SIZE or not len(rows) or not bool(rows.isfinite().all()):
        raise ValueError(
            f"Expected (N, {SIZE}) finite numbers in {path.name}, {MADE_BY}, got {tuple(rows.shape)}: save one "
            "expression a row."
        )
    return rows


def _read_array(path: Path) -> Tensor:
    return torch.from_numpy(np.asarray(np.load(path, allow_pickle=False), dtype=np.float32))


def _read_tensors(path: Path) -> Tensor:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(error) from error
    parts = [tensors[f"{name}_params"].float() for name in SIZES]
    return torch.cat([part.reshape(-1, size) for part, size in zip(parts, SIZES.values(), strict=True)], 1)


def numbers(text: str) -> Tensor:
    """(50,) coefficients from a text of as many or fewer, apart by spaces, commas or lines; the rest are 0.

    Raises:
        ValueError: They are more, or none are numbers.
    """
    words = text.replace(",", " ").split()
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise ValueError(f"Expected numbers apart by spaces or commas, got {text!r}: take the rest out.") from error
    if len(values) > SIZES["expression"] or not np.isfinite(values).all():
        raise ValueError(f"Expected up to {SIZES['expression']} finite numbers, got {len(values)}: take some out.")
    return torch.tensor(values + [0.0] * (SIZES["expression"] - len(values)))


def add(start: Tensor, expression: Tensor, eyelids: float, jaw_open: float, jaw_aside: float) -> Embeddings:
    """One expression with more on top, within what SMIRK's network gives.

    Args:
        start: (55,) an expression; zeros are FLAME's mean face.
        expression: (50,) what to add to its coefficients.
        eyelids: How much further both are closed.
        jaw_open: How much further the jaw opens, radians.
        jaw_aside: How much further it turns aside, radians.
    """
    face, lids, jaw = torch.split(start.float(), list(SIZES.values()))
    opened, aside, roll = (jaw + torch.tensor([jaw_open, jaw_aside, 0.0])).unbind()
    jaw = torch.stack([opened.clamp(min=0), aside.clamp(-ASIDE, ASIDE), roll.clamp(-ASIDE, ASIDE)])
    made = torch.cat([face + expression, (lids + eyelids).clamp(0, 1), jaw])
    return Embeddings(None, SPACE, made[None], weights=MADE_BY)


def pick(rows: Tensor, number: int) -> Tensor:
    """(55,) one of several expressions, counted from 0.

    Raises:
        ValueError: There are not so many.
    """
    if not 0 <= number < len(rows):
        raise ValueError(f"Expected a frame from 0 to {len(rows) - 1}, got {number}: the file has {len(rows)}.")
    return rows[number]
