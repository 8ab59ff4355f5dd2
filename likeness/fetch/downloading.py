"""Bring what is missing of a set of weights."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from ..manifest import File, Model, Source
from . import licences
from .address import PATIENT, Network, address_of
from .folders import Folders
from .ledger import Ledger
from .ledger import sha256 as hash_file
from .making import make
from .part import Part, held
from .planning import Have, Plan, plan
from .shelf import Shelf
from .watch import QUIET, Watch

log = logging.getLogger(__name__)


def download(model: Model, folders: Folders, watch: Watch = QUIET, network: Network = PATIENT) -> tuple[Path, ...]:
    """The paths of a set of weights, its files in order; what is missing is found or brought first.

    Raises:
        PermissionError: The licence has to be accepted first, or a folder must not be written.
        FileNotFoundError: Only a person can get a file; says how and where to put it.
        ConnectionError: No source gives a file; says what each one answers.
        OSError: The disk is full.
        InterruptedError: It was cancelled.
    """
    job = _Job(model, folders, Ledger(folders.models), watch, network)
    if job.plan().missing:
        shelf = Shelf(folders, job.ledger, watch)
        for have in job.plan().missing:
            job.find(have, shelf)
        if any(have.state != "manual" for have in job.plan().missing):
            licences.require(model, folders.accepted)
        for have in job.plan().missing:
            job.fetch(have)
        job.tidy()
    return tuple(have.path for have in job.plan().files if have.path)


@dataclass(frozen=True)
class _Job:
    model: Model
    folders: Folders
    ledger: Ledger
    watch: Watch
    network: Network

    def plan(self) -> Plan:
        return plan(self.model, self.folders, self.ledger)

    def find(self, have: Have, shelf: Shelf) -> None:
        """Take a file, or what it is made from, from anywhere in the model folders."""
        file = have.file
        if shelf.recognise(self.model, file):
            return
        for source in file.sources:
            if source.direct:
                continue
            inside = self.model.folder if source.kind == "manual" else ""
            sent = shelf.find(source.sent_name, *self.ledger.expected_sent(self.model, file, source), inside)
            if sent is None:
                continue
            try:
                with held(have.target, self.watch):
                    make(self.model, file, source, sent, have.target, self.ledger, self.watch)
                return
            except ValueError as error:
                log.warning("%s cannot be used for %s: %s", sent, self.model.id, error)

    def fetch(self, have: Have) -> None:
        """Bring a file from the first source that gives it."""
        problems = []
        for source in have.file.sources:
            try:
                if source.kind in ("bundled", "manual"):
                    problems.append(f"{source}" if source.kind == "manual" else "It should have come with this pack.")
                else:
                    self._fetch_from(source, have)
                    for problem in problems:  # or they are in the error
                        log.warning("%s: another source was asked, for: %s", self.model.id, problem)
                    return
            except (ConnectionError, TimeoutError, ValueError) as error:
                problems.append(str(error))
        wanted = f"Expected {have.file.name} of {self.model.id}, which is not installed"
        kind = FileNotFoundError if have.state == "manual" else ConnectionError
        raise kind("\n".join([f"{wanted}; got:", *problems, self._by_hand(have)]))

    def _by_hand(self, have: Have) -> str:
        source = have.file.sources[0]
        if source.direct:
            return f"Or put it at {have.target} by hand."
        taken = f"`python -m headless models import {source.sent_name} --as {self.model.id}`"
        if source.kind == "manual":
            return f"Put {source.sent_name} into {have.target.parent} and try again, or {taken}."
        return f"Or get {source.sent_name} by hand, then {taken}."

    def _fetch_from(self, source: Source, have: Have) -> None:
        file, target = have.file, have.target
        arrival = target if source.direct else _arrival(source, target)
        with held(target, self.watch), nullcontext() if source.direct else held(arrival, self.watch):
            self.ledger.refresh()
            if any(file == now.file and now.state == "installed" for now in self.plan().files):
                return  # another process was faster
            if source.direct or not arrival.is_file():
                digest = self._bring(source, file, arrival)
            else:  # an earlier try ended after it had come
                digest = hash_file(arrival, self.watch)
            if source.direct:
                self.ledger.record(self.model, file, source, target, digest)
                return
            try:
                make(self.model, file, source, arrival, target, self.ledger, self.watch)
            except ValueError:
                arrival.unlink()  # or every further try would meet it again
                raise
            self.ledger.record_sent(source, arrival, digest)

    def _bring(self, source: Source, file: File, arrival: Path) -> str:
        from .client import bring  # requests

        size, sha256 = self.ledger.expected_sent(self.model, file, source)
        try:
            return bring(address_of(source), arrival, size, sha256, self.network, self.watch)
        except ValueError as error:
            published = file if source.direct else source
            if published.sha256 or not sha256:
                raise
            raise ValueError(
                f"{error} That is what it was at its first download; if its publisher has replaced it, remove its "
                f"entry from {self.ledger.path}."
            ) from error

    def tidy(self) -> None:
        """Remove the archives and pickles that were brought and are used up."""
        for have in self.plan().files:
            for source in have.file.sources if have.path == have.target else ():
                arrival = _arrival(source, have.target)
                arrival.unlink(missing_ok=True)
                Part(arrival).remove()


def _arrival(source: Source, target: Path) -> Path:
    return target.with_name(f"{source.sent_name}.arrived")
