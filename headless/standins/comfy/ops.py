"""Layers, as torch has them."""

from torch import nn as manual_cast  # noqa: F401
