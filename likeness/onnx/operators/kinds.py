"""Inputs that are no tensors to an operator: whoever is annotated so is given plain numbers."""

from __future__ import annotations

Ints = list[int]
Floats = list[float]
Scalar = float


def unsupported(what: str) -> NotImplementedError:
    """The error for what the torch engine cannot run."""
    return NotImplementedError(
        f"The torch engine does not know the ONNX operator {what}: "
        "pip install onnxruntime (onnxruntime-gpu for CUDA) and set engine to auto or onnxruntime."
    )
