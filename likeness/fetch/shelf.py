"""Files that are somewhere under the configured model folders, under whatever name."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path

from ..manifest import File, Model
from .folders import Folders
from .ledger import Ledger
from .watch import Watch


class Shelf:
    """What lies in the model folders; the folders are walked once."""

    def __init__(self, folders: Folders, ledger: Ledger, watch: Watch) -> None:
        self.folders, self.ledger, self.watch = folders, ledger, watch

    @classmethod
    def of(cls, folders: Folders, watch: Watch) -> Shelf:
        """Of an installation, for several jobs in a row."""
        return cls(folders, Ledger(folders.models), watch)

    @cached_property
    def files(self) -> list[tuple[Path, int]]:
        """Every file and its bytes."""
        found = []
        for path in self.folders.walk():
            self.watch.check()
            with suppress(OSError):  # a link to nothing
                found.append((path, path.stat().st_size))
        return found

    def recognise(self, model: Model, file: File) -> Path | None:
        """A file of a set of weights that lies outside its folder; from now on it counts as installed there."""
        path = self.find(Path(file.name).name, *self.ledger.expected(model, file))
        if path:
            self.ledger.found(model, file, path, self.watch)
        return path

    def find(self, name: str, size: int | None, sha256: str | None, inside: str = "") -> Path | None:
        """A file by size and hash; by name and size where no hash is known.

        Args:
            name: Without folders.
            size: Bytes, None if not known.
            sha256: None if not known.
            inside: The model folder in which the name alone will do, where neither size nor hash is known.
        """
        for path, bytes in self.files:
            if size not in (None, bytes) or (path.name != name and None in (size, sha256)):
                continue
            if sha256 is not None:
                if self.ledger.sha256(path, self.watch) == sha256:
                    return path
            elif size is not None or (inside and any(path.is_relative_to(at) for at in self.folders.of(inside))):
                return path
        return None
