"""What there is of a set of weights and what is missing. Looks at names, sizes and known hashes: quick."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..manifest import File, Model
from . import licences
from .folders import Folders
from .ledger import Ledger
from .part import Part

STATES = ("wrong", "manual", "missing", "partial", "installed")  # of a model, the first that any of its files has


@dataclass(frozen=True)
class Have:
    """What there is of one file."""

    file: File
    state: str  # one of STATES; "wrong": another size or hash; "manual": only a person can get it
    path: Path | None  # where it lies
    target: Path  # where a download puts it
    arrived: int  # bytes, of the whole or of a part
    bytes: int | None  # to download in all, where known


@dataclass(frozen=True)
class Plan:
    """What there is of a set of weights."""

    model: Model
    files: tuple[Have, ...]
    accepted: bool  # whether a download need not ask first

    @property
    def state(self) -> str:
        """One of STATES."""
        return min((have.state for have in self.files), key=STATES.index)

    @property
    def installed(self) -> bool:
        """Whether every file is there."""
        return self.state == "installed"

    @property
    def missing(self) -> tuple[Have, ...]:
        """The files that are not there or wrong."""
        return tuple(have for have in self.files if have.state != "installed")

    @property
    def bytes(self) -> int | None:
        """To download in all, None if some size is not known."""
        sizes = [have.bytes for have in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)


def plan(model: Model, folders: Folders, ledger: Ledger | None = None) -> Plan:
    """What there is of a set of weights and what is missing.

    Args:
        model: As the manifest has it.
        folders: Where to look.
        ledger: What is known about these folders, when it was read already.
    """
    ledger = ledger or Ledger(folders.models)
    files = tuple(_have(model, file, folders, ledger) for file in model.files)
    return Plan(model, files, licences.is_accepted(model, folders.accepted))


def discard(model: Model, folders: Folders) -> None:
    """Forget what has arrived of files that are not whole."""
    for file in model.files:
        target = folders.target(model, file)
        Part(target).remove()
        for source in file.sources:
            if not source.direct:
                Part(target.with_name(f"{source.sent_name}.arrived")).remove()


def is_wrong(path: Path, model: Model, file: File, ledger: Ledger) -> bool:
    """Whether a file has another size than it should, or a hash that is known to be another."""
    size, sha256 = ledger.expected(model, file)
    return size not in (None, path.stat().st_size) or (sha256 is not None and ledger.cached(path) not in (None, sha256))


def _have(model: Model, file: File, folders: Folders, ledger: Ledger) -> Have:
    target = folders.target(model, file)
    bundled = file.bundled if file.bundled and file.bundled.is_file() else None
    there = [path for path in (folders.in_place(model, file), bundled, ledger.elsewhere(model, file)) if path]
    sound = [path for path in there if not is_wrong(path, model, file, ledger)]
    size = file.download_bytes or ledger.expected_sent(model, file, file.sources[0])[0]
    if sound:
        return Have(file, "installed", sound[0], target, sound[0].stat().st_size, size)
    if there:
        return Have(file, "wrong", there[0], target, 0, size)
    source = file.sources[0]
    part = Part(target if source.direct else target.with_name(f"{source.sent_name}.arrived"))
    if part.bytes:
        return Have(file, "partial", None, target, part.bytes, size)
    manual = all(source.kind in ("manual", "bundled") for source in file.sources)
    return Have(file, "manual" if manual else "missing", None, target, 0, size)
