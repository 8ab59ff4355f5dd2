"""ONNX operators in torch.

Each is a function: inputs by position, attributes by ONNX's own names and defaults. An input annotated as one of
``kinds`` is given as plain numbers; ``opset`` and ``outputs`` (how many are wanted) are given to whoever names them.
Source: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import convolution, elementwise, indexing, layers, reductions, sampling, shapes

THEMES = (convolution, elementwise, indexing, layers, reductions, sampling, shapes)
OPERATORS: dict[str, Callable[..., Any]] = {name: run for theme in THEMES for name, run in theme.OPERATORS.items()}
