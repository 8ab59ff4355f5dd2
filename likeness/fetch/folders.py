"""Where model files are on this installation, and which files are there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..manifest import File, Model

# Names that lie beside a file while it is made, or in its stead: never to be offered as weights.
WORKING = (".part", ".part.json", ".lock", ".arrived", ".wrong", "likeness.lock.json")


@dataclass(frozen=True)
class Folders:
    """The model folders of one installation."""

    models: Path  # ComfyUI's models/, where the lock file lies
    accepted: Path  # the JSON of accepted licences, in ComfyUI's user folder
    paths: Mapping[str, tuple[Path, ...]]  # of each folder name, where the first takes downloads; no custom_nodes

    def of(self, folder: str) -> tuple[Path, ...]:
        """Every place of a folder name, ``models/{folder}`` the last if it is not configured."""
        places = dict.fromkeys([*self.paths.get(folder, ()), self.models / folder])
        return tuple(places)

    def target(self, model: Model, file: File) -> Path:
        """Where a file goes.

        Raises:
            ValueError: The manifest's name leads out of the folder.
        """
        name = PurePosixPath(file.name)
        if name.is_absolute() or ".." in name.parts or "\\" in file.name or ":" in file.name:
            raise ValueError(f"Expected a name inside models/{model.folder}, got {file.name}: correct the manifest.")
        return self.of(model.folder)[0] / name

    def in_place(self, model: Model, file: File) -> Path | None:
        """The file under its own name in one of its folder's places."""
        self.target(model, file)
        return next((path / file.name for path in self.of(model.folder) if (path / file.name).is_file()), None)

    def walk(self) -> Iterator[Path]:
        """Every file under the configured folders, each folder once."""
        seen: set[str] = set()
        roots = [self.models, *(path for paths in self.paths.values() for path in paths)]
        for root in roots:
            for folder, below, names in os.walk(root, followlinks=True):
                real = os.path.realpath(folder)
                if real in seen:
                    below.clear()
                    continue
                seen.add(real)
                below[:] = [name for name in below if not name.startswith(".")]
                yield from (Path(folder, name) for name in names if not name.endswith(WORKING))
