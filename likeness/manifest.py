"""What is known about published weights: files, sizes, hashes, licences. Read from ``models_manifest/``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "models_manifest"


@dataclass(frozen=True)
class Source:
    """One place that a file comes from."""

    kind: str  # "bundled", "hub", "https", "release" or "manual"
    path: str = ""  # bundled: below models_manifest/; hub: in the repository
    repo: str = ""  # hub: "owner/name"
    revision: str = ""  # hub: a commit or tag
    url: str = ""  # https and release: the file; manual: the page
    steps: str = ""  # manual: what a person must do

    def __str__(self) -> str:
        return {
            "bundled": "comes with this pack",
            "hub": f"{self.repo}@{self.revision}: {self.path}",
            "manual": f"{self.steps} See {self.url}",
        }.get(self.kind, self.url)


@dataclass(frozen=True)
class File:
    """One file to have."""

    name: str  # relative to the model folder, with "/"
    sources: tuple[Source, ...]  # tried in order
    bytes: int | None  # None: not published
    sha256: str | None  # None: not published, recorded at the first download

    @property
    def bundled(self) -> Path | None:
        """Where the file lies in this pack, None if it does not come with it."""
        return next((FOLDER / source.path for source in self.sources if source.kind == "bundled"), None)


@dataclass(frozen=True)
class Model:
    """One set of weights, all its files together."""

    id: str  # "arcface/r50": what a workflow stores, stable for ever
    folder: str  # below ComfyUI's models/
    files: tuple[File, ...]
    code_license: str
    weights_license: str
    commercial: str  # "yes", "no" or "unclear"
    needs: str  # in words; empty when nothing

    def how_to_get(self) -> str:
        """For a person who does not have the files: what, how big, which licence, where from, where to."""
        lines = [f"Licence of the weights: {self.weights_license}; commercial use: {self.commercial}."]
        for file in self.files:
            size = f"{file.bytes / 1e6:.0f} MB" if file.bytes else "size not published"
            lines.append(f"models/{self.folder}/{file.name} ({size}): {', or '.join(map(str, file.sources))}.")
        return "\n".join([*lines, self.needs]).strip()


@cache
def read_models(system: str) -> tuple[Model, ...]:
    """The published weights of a system, in its manifest's order."""
    entries = json.loads((FOLDER / f"{system}.json").read_text(encoding="utf-8"))["models"]
    return tuple(_model(entry) for entry in entries)


def _model(entry: dict[str, Any]) -> Model:
    files = tuple(
        File(**{**file, "sources": tuple(Source(**source) for source in file["sources"])}) for file in entry["files"]
    )
    return Model(**{**entry, "files": files})
