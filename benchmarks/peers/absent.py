"""Modules that a peer imports and does not use in what is timed: empty ones in their place."""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock


def stand_in(*names: str) -> None:
    """Let these modules be imported; calling anything of them does nothing."""
    for name in names:
        sys.modules[name] = MagicMock(__spec__=ModuleSpec(name, None))


def load(folder: str, *names: str) -> list[ModuleType]:
    """Modules of a folder that is a package, without what its own __init__ brings."""
    package = ModuleType("peer")
    package.__path__ = [folder]
    sys.modules["peer"] = package
    found = []
    for name in names:
        spec = importlib.util.spec_from_file_location(f"peer.{name}", Path(folder, f"{name}.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules[f"peer.{name}"] = module
        spec.loader.exec_module(module)
        found.append(module)
    return found
