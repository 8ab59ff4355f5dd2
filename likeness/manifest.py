"""What is known about published weights: files, sizes, hashes, licences. Read from ``models_manifest/``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

FOLDER = Path(__file__).parents[1] / "models_manifest"
PAGED = ("hub", "release")  # sources whose text is not their page


@dataclass(frozen=True)
class Conversion:
    """How the tensors in a pickle become a safetensors file."""

    keep: str = ""  # where they are in it, "network" or "state.model"; empty: everywhere but in training leftovers
    strip: str = ""  # taken off the front of every name: "module."
    drop: tuple[str, ...] = ()  # names that begin so stay behind
    classes: tuple[str, ...] = ()  # met in it besides tensors and never rebuilt: "argparse.Namespace"


@dataclass(frozen=True)
class Source:
    """One place that a file comes from."""

    kind: str  # "bundled", "hub", "https", "release" or "manual"
    path: str = ""  # bundled: below models_manifest/; hub: in the repository; manual: the name it is published under
    repo: str = ""  # hub: "owner/name"
    revision: str = ""  # hub: a commit or tag
    url: str = ""  # https and release: the file; manual: the page
    steps: str = ""  # manual: what a person must do
    member: str = ""  # when an archive is sent: the file's path in it
    convert: Conversion | None = None  # when a pickle is sent, or is that member
    bytes: int | None = None  # of the archive or pickle; None: not published
    sha256: str | None = None  # likewise

    def __str__(self) -> str:
        return {
            "bundled": "comes with this pack",
            "hub": f"{self.repo}@{self.revision}: {self.path}",
            "manual": f"{self.steps} See {self.url}",
        }.get(self.kind, self.url)

    @property
    def page(self) -> str:
        """Where a person reads about it; empty where there is only the address of the file itself."""
        if self.kind == "hub":
            return f"https://huggingface.co/{self.repo}"
        if self.kind == "release":
            return self.url.rpartition("/")[0].replace("/releases/download/", "/releases/tag/")
        return self.url if self.kind == "manual" else ""

    @property
    def direct(self) -> bool:
        """Whether the file itself is sent, not something that it is made from."""
        return not self.member and self.convert is None

    @property
    def sent_name(self) -> str:
        """The name of what is sent."""
        return PurePosixPath(self.path or unquote(urlsplit(self.url).path)).name


@dataclass(frozen=True)
class File:
    """One file to have."""

    name: str  # relative to the model folder, with "/"
    sources: tuple[Source, ...]  # tried in order
    bytes: int | None  # as it lies in the folder; None: not published
    sha256: str | None  # None: not published, recorded at the first download
    part: str = ""  # of several files: goes before its tensors' names, with a dot, when they are joined

    @property
    def bundled(self) -> Path | None:
        """Where the file lies in this pack, None if it does not come with it."""
        return next((FOLDER / source.path for source in self.sources if source.kind == "bundled"), None)

    @property
    def download_bytes(self) -> int | None:
        """What the first source sends, None if nobody says."""
        return self.bytes if self.sources[0].direct else self.sources[0].bytes


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
    code_license_url: str = ""
    weights_license_url: str = ""
    size: int | None = None  # side of the pictures it was trained on, pixels; None where its tensors show it

    def how_to_get(self) -> str:
        """For a person who does not have the files: what, how big, which licence, where from, where to."""
        licence = " ".join(filter(None, [self.weights_license, self.weights_license_url]))
        lines = [f"Licence of the weights: {licence}; commercial use: {self.commercial}."]
        for file in self.files:
            size = f"{file.download_bytes / 1e6:.1f} MB" if file.download_bytes else "size not published"
            ways = [f"{source} ({source.page})" if source.kind in PAGED else f"{source}" for source in file.sources]
            lines.append(f"models/{self.folder}/{file.name} ({size}): {', or '.join(ways)}.")
        return "\n".join([*lines, self.needs]).strip()


@dataclass(frozen=True)
class Manifest:
    """One published system and its weights."""

    system: str  # the file's stem
    task: str  # "embed"
    module: str | None  # "embed/arcface", below likeness/; None: not built yet
    title: str
    paper: str  # its page
    published: str  # in one line: what is there and what is not
    models: tuple[Model, ...]


@cache
def read_manifest(system: str) -> Manifest:
    """What is published of a system.

    Raises:
        FileNotFoundError: There is no such system.
    """
    entry = json.loads((FOLDER / f"{system}.json").read_text(encoding="utf-8"))
    module = entry["module"]
    return Manifest(
        system=system,
        task=entry.get("task") or module.split("/")[0],
        module=module,
        title=entry["title"],
        paper=entry["paper"],
        published=entry["published"],
        models=tuple(_model(model) for model in entry["models"]),
    )


def read_manifests() -> list[Manifest]:
    """What is published of every system."""
    return [read_manifest(path.stem) for path in sorted(FOLDER.glob("*.json")) if path.name != "schema.json"]


def read_models(system: str) -> tuple[Model, ...]:
    """The published weights of a system, in its manifest's order."""
    return read_manifest(system).models


def read_model(id: str) -> Model:
    """The published weights of an id.

    Raises:
        ValueError: No manifest has it.
    """
    ids = {model.id: model for manifest in read_manifests() for model in manifest.models}
    if id not in ids:
        system = id.split("/")[0]
        known = [name for name in ids if name.split("/")[0] == system] or list(ids)
        raise ValueError(f"Expected the id of published weights, got {id}: one of {', '.join(known)}.")
    return ids[id]


def _model(entry: dict[str, Any]) -> Model:
    files = tuple(File(**{**file, "sources": tuple(map(_source, file["sources"]))}) for file in entry["files"])
    return Model(**{**entry, "files": files})


def _source(entry: dict[str, Any]) -> Source:
    if "convert" not in entry:
        return Source(**entry)
    lists = {name: tuple(value) for name, value in entry["convert"].items() if isinstance(value, list)}
    return Source(**{**entry, "convert": Conversion(**{**entry["convert"], **lists})})
