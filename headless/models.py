"""``python -m headless models ...``: the weights of an installation, without starting ComfyUI.

The library is imported here under its own name: no pack is loaded in this process that would have it a second time.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from likeness import fetch
from likeness.manifest import Model, read_manifest, read_manifests, read_model

from .folders import find_folders

EXIT_CODES = "exit code 0: all is well; 1: something is missing, corrupt or failed; 2: wrong usage; 130: interrupted"


@dataclass(frozen=True)
class Line:
    """One line of an answer, for people and for programs."""

    text: str
    record: dict[str, Any]
    is_well: bool = True


Lines = Iterator[Line]


def add_to(commands: Any) -> None:
    """Add this command to the command line's."""
    models = commands.add_parser("models", help="list, download and check weights", epilog=EXIT_CODES)
    verbs = models.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (verb, nargs, metavar, text) in VERBS.items():
        parser = verbs.add_parser(name, help=text, description=f"{text}.", epilog=EXIT_CODES)
        what = "a file" if metavar == "PATH" else "as system/variant, or a whole system"
        parser.add_argument("which", nargs=nargs, metavar=metavar, help=what)
        parser.add_argument("--base", type=Path, metavar="FOLDER", help="of models and user (default: the host's)")
        parser.add_argument("--json", action="store_true", help="print a JSON list")
        parser.set_defaults(verb=verb)
        if name == "import":
            parser.add_argument("--as", dest="id", default="", metavar="ID", help="whose it is, if its name is no help")


def answer(given: argparse.Namespace, host_base: Path) -> int:
    """Print what a verb says, line by line; gives the exit code."""
    lines = []
    try:
        for line in given.verb(given, find_folders(given.base or host_base)):
            lines.append(line)
            if not given.json:
                (sys.stdout if line.is_well else sys.stderr).write(f"{line.text}\n")
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted: what has arrived is kept, and the next try goes on from there.\n")
        return 130
    except (OSError, ValueError) as error:
        lines.append(Line("", {}, is_well=False))
        sys.stderr.write(f"{error}\n")
    if given.json:
        sys.stdout.write(json.dumps([line.record for line in lines if line.record], indent=1, default=str) + "\n")
    return 0 if all(line.is_well for line in lines) else 1


def show_list(given: argparse.Namespace, folders: fetch.Folders) -> Lines:
    unpublished = {manifest.system: manifest for manifest in read_manifests() if not manifest.models}
    named = [id for id in given.which if id not in unpublished]
    for model in choose(named) if named or not given.which else []:
        found = fetch.plan(model, folders)
        size = f"{found.bytes / 1e6:.1f} MB" if found.bytes else "size unknown"
        terms = {"yes": "commercial", "no": "non-commercial", "unclear": "terms unclear"}[model.commercial]
        module = read_manifest(model.id.split("/")[0]).module
        later = "" if module else ", no node yet"
        text = f"{found.state:9}  {size:>12}  {terms:14}  {model.id}  ({model.weights_license}{later})"
        files = [
            {"name": have.file.name, "state": have.state, "path": have.path, "target": have.target, "bytes": have.bytes}
            for have in found.files
        ]
        record = {"id": model.id, "state": found.state, "bytes": found.bytes, "accepted": found.accepted}
        yield Line(text, record | terms_of(model) | {"module": module, "files": files})
    for system in given.which or unpublished:
        if system in unpublished:
            published = unpublished[system].published
            record = {"id": system, "state": "unpublished", "published": published}
            yield Line(f"{'none':9}  {'':12}  {'':14}  {system}  ({published})", record)


def download(given: argparse.Namespace, folders: fetch.Folders) -> Lines:
    for model in choose(given.which):
        try:
            paths = fetch.download(model, folders, fetch.Watch(progress=show_progress))
        except (OSError, ValueError) as error:
            yield Line(f"{model.id}: {error}", {"id": model.id, "error": str(error)}, is_well=False)
        else:
            yield Line(f"{model.id}: {', '.join(map(str, paths))}", {"id": model.id, "paths": paths})


def verify(given: argparse.Namespace, folders: fetch.Folders) -> Lines:
    watch = fetch.Watch(progress=show_progress)
    shelf = fetch.Shelf.of(folders, watch)
    for model in choose(given.which):
        for verdict in fetch.verify(model, folders, watch, shelf):
            if verdict.state == "missing" and not given.which:
                continue  # only what was named is expected to be there
            text = f"{verdict.state:8}  {model.id}  {verdict.says or verdict.path}"
            record = {**asdict(verdict), "model": model.id}
            yield Line(text, record, is_well=verdict.state in ("sound", "unknown"))


def take(given: argparse.Namespace, folders: fetch.Folders) -> Lines:
    for path in map(Path, given.which):
        try:
            taken = fetch.import_file(path, folders, given.id, fetch.Watch(progress=show_progress))
        except (OSError, ValueError) as error:
            yield Line(str(error), {"from": path, "error": str(error)}, is_well=False)
            continue
        for imported in taken:
            what = imported.id or f"a file of {imported.system}"
            yield Line(f"{path}: {what}, by its {imported.how}: {imported.path}", {"from": path} | asdict(imported))


def accept(given: argparse.Namespace, folders: fetch.Folders) -> Lines:
    for id in given.which:
        model = fetch.accept(id, folders.accepted)
        yield Line(f"{id}: {model.weights_license} accepted, kept in {folders.accepted}", {"id": id} | terms_of(model))


def show_licences(given: argparse.Namespace, folders: fetch.Folders) -> Lines:
    for model in choose(given.which):
        terms = terms_of(model)
        ask = "" if fetch.plan(model, folders).accepted else "; to be accepted before a download"
        text = f"{model.id}: weights {terms['weights_license']}, code {terms['code_license']}, commercial use "
        yield Line(f"{text}{model.commercial}{ask}", {"id": model.id, "accepted": not ask} | terms)


VERBS = {
    "list": (show_list, "*", "ID", "Show what is published and what of it is installed"),
    "download": (download, "+", "ID", "Bring what is missing, checked and resumed"),
    "verify": (verify, "*", "ID", "Read what is installed again and name what is corrupt"),
    "import": (take, "+", "PATH", "Recognise files by hash, name or tensors and put them into place"),
    "accept": (accept, "+", "ID", "Agree to the terms of weights that are not for commercial use"),
    "licences": (show_licences, "*", "ID", "Show the terms of code and weights, and what is accepted"),
}


def choose(ids: list[str]) -> list[Model]:
    """The weights that are named, by id or system; all where none is.

    Raises:
        ValueError: No manifest has one of them, or nothing is published of it.
    """
    systems = {manifest.system: manifest for manifest in read_manifests()}
    for id in ids:
        if id in systems and not systems[id].models:
            raise ValueError(f"Expected weights to have, got {id}, of which there are none: {systems[id].published}")
    return [m for id in ids or systems for m in (systems[id].models if id in systems else (read_model(id),))]


def terms_of(model: Model) -> dict[str, str]:
    names = ("weights_license", "weights_license_url", "code_license", "code_license_url", "commercial", "needs")
    return {name: getattr(model, name) for name in names}


def show_progress(name: str, done: int, total: int | None) -> None:
    """On a terminal, one line that is written over."""
    if sys.stderr.isatty():
        of_all = f" of {total / 1e6:.1f}" if total else ""
        sys.stderr.write(f"\r{name}: {done / 1e6:.1f}{of_all} MB\033[K{chr(10) if done == total else ''}")
