"""Read what is installed and compare it with its hashes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..manifest import Model
from .folders import Folders
from .ledger import Ledger
from .planning import Have, plan
from .shelf import Shelf
from .watch import QUIET, Watch


@dataclass(frozen=True)
class Verdict:
    """What was found out about one file."""

    model: Model
    name: str
    path: Path | None  # None: it is not there
    state: str  # "sound", "corrupt", "missing", or "unknown": nobody publishes a hash and it did not come by download
    sha256: str | None
    says: str  # what is wrong and what to do; empty for a sound file


def verify(model: Model, folders: Folders, watch: Watch = QUIET, shelf: Shelf | None = None) -> list[Verdict]:
    """A verdict for each file of a set of weights, all its bytes read, wherever in the model folders it lies.

    Args:
        model: As the manifest has it.
        folders: Where to look.
        watch: Told of progress, asked whether to stop.
        shelf: What lies in these folders, where several sets of weights are verified in a row.

    Raises:
        InterruptedError: It was cancelled.
    """
    shelf = shelf or Shelf(folders, Ledger(folders.models), watch)
    for have in plan(model, folders, shelf.ledger).missing:
        if have.path is None:
            shelf.recognise(model, have.file)
    return [_judge(model, have, shelf.ledger, watch) for have in plan(model, folders, shelf.ledger).files]


def _judge(model: Model, have: Have, ledger: Ledger, watch: Watch) -> Verdict:
    remedy = f"python -m headless models download {model.id}"
    if have.path is None:
        says = f"{have.file.name} is not installed: `{remedy}` brings it."
        return Verdict(model, have.file.name, None, "missing", None, says)
    size, expected = ledger.expected(model, have.file)
    there = have.path.stat().st_size
    if size not in (None, there):
        got, state, digest = f"Expected {size} bytes, got {there}", "corrupt", None
    else:
        digest = ledger.sha256(have.path, watch, afresh=True)
        state = "unknown" if expected is None else "sound" if digest == expected else "corrupt"
        got = f"Expected sha256 {expected}, got {digest}"
    says = {
        "sound": "",
        "unknown": f"{have.path}: nobody publishes its hash and it was not downloaded here. Its sha256 is {digest}.",
        "corrupt": f"{got}: {have.path} is damaged or another file. `{remedy}` brings it again and keeps this one "
        f"as {have.path.name}.wrong.",
    }[state]
    return Verdict(model, have.file.name, have.path, state, digest, says)
