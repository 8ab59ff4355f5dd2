"""Recognise a file that a person has, and put it where it is loaded from."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Set
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..manifest import Conversion, File, Model, Source, read_manifest, read_manifests, read_model
from .folders import Folders
from .ledger import Ledger
from .making import link, make
from .part import explained, held, put
from .planning import plan
from .shelf import Shelf
from .watch import QUIET, Watch

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Imported:
    """Where a file is now, and what it is."""

    path: Path
    id: str  # of the weights; empty when only the system is known
    system: str
    how: str  # "hash", "name" or "tensors"


def import_file(path: Path, folders: Folders, id: str = "", watch: Watch = QUIET) -> list[Imported]:
    """What a file is and where it is now: linked where the disk allows, else copied; the given one stays.

    A file that the manifests know, by its hash or else by its name, size and tensors, gets its published name; of an
    archive every wanted file is unpacked, a pickle becomes safetensors. Any other file with the tensors of a known
    system keeps its own name.

    Args:
        path: The file.
        folders: Where it goes.
        id: The weights that it is of, where its name alone does not say; else empty.
        watch: Told of progress, asked whether to stop.

    Raises:
        FileNotFoundError: There is no such file.
        FileExistsError: Another file lies where it would go.
        ValueError: It is not recognised, or what it should hold is not in it.
        OSError: The disk is full or must not be written.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file, got {path}: give the path of a weight file.")
    ledger, published = Ledger(folders.models), list(_published(id))
    known, how = [which for which in published if _same_hash(path, *which[1:], ledger, watch)], "hash"
    if not known:
        names = _tensor_names(path)
        systems = {name for name, system in _systems().items() if _prefix(names, system.keys) is not None}
        known, how = [which for which in published if _same_name(path, *which, names, sure=bool(id))], "name"
        if not known and systems and not id:
            return [_keep_name(path, min(systems), names, folders, watch)]
    if not known:
        raise ValueError(
            f"Expected weights of {id or 'a known system'}, got {path}: its hash, name and tensors are not among those "
            f"of models_manifest/. If you know what it is, put it into its loader's folder below {folders.models}."
        )
    places: dict[str, set[tuple[str, str]]] = {}
    for model, file, _ in known:
        places.setdefault(model.id, set()).add((model.folder, file.name))
    if how == "name" and len(set(map(frozenset, places.values()))) > 1:
        ids = ", ".join(sorted(places))
        raise ValueError(f"Expected one set of weights, got {path} which may be of {ids}: say which.")
    shelf = Shelf(folders, ledger, watch)
    return [_publish(path, *which, how, shelf) for which in known]


def _published(id: str) -> Iterator[tuple[Model, File, Source]]:
    """Every file of the manifests, once for each thing that it is made from."""
    for model in [read_model(id)] if id else [m for manifest in read_manifests() for m in manifest.models]:
        for file in model.files:
            for source in {(s.sent_name, s.member, s.direct): s for s in reversed(file.sources)}.values():
                yield model, file, source


def _same_hash(path: Path, file: File, source: Source, ledger: Ledger, watch: Watch) -> bool:
    sent = file if source.direct else source
    if sent.sha256 is None or sent.bytes not in (None, path.stat().st_size):
        return False
    return ledger.sha256(path, watch) == sent.sha256


def _same_name(path: Path, model: Model, file: File, source: Source, names: Set[str], sure: bool) -> bool:
    """Whether a name says what a file is, and neither hash nor size nor tensors speak against it."""
    sent, name = (file, Path(file.name).name) if source.direct else (source, source.sent_name)
    if sent.sha256 or sent.bytes not in (None, path.stat().st_size):
        return False
    if name != path.name and not (sure and len(model.files) == 1):
        return False
    system = _systems().get(model.id.split("/")[0])
    return source.member != "" or system is None or _prefix(names, _keys_in(file, model, system)) is not None


def _keys_in(file: File, model: Model, system: Any) -> tuple[str, ...]:
    """The tensors by which a system is known, as one of its files names them."""
    others = tuple(f"{other.part}." for other in model.files if other.part not in ("", file.part))
    own = [key for key in system.keys if key.startswith(f"{file.part}." if file.part else "")]
    return tuple(key.removeprefix(f"{file.part}.") for key in own if file.part or not key.startswith(others or "\0"))


def _publish(path: Path, model: Model, file: File, source: Source, how: str, shelf: Shelf) -> Imported:
    (have,) = (have for have in plan(model, shelf.folders, shelf.ledger).files if have.file == file)
    installed = have.state == "installed" and have.path != file.bundled
    there = have.path if installed else shelf.recognise(model, file)
    if there is None:
        there = have.target
        with held(there, shelf.watch):
            make(model, file, source, path, there, shelf.ledger, shelf.watch)
    return Imported(there, model.id, model.id.split("/")[0], how)


def _keep_name(path: Path, system: str, names: Set[str], folders: Folders, watch: Watch) -> Imported:
    pickled = _is_pickle(path)
    name = f"{Path(path.name.removesuffix('.tar')).stem}.safetensors" if pickled else path.name
    target = folders.of(read_manifest(system).models[0].folder)[0] / name
    if target.exists() and not target.samefile(path):
        raise FileExistsError(f"Expected a free name, {target} is there already: rename one of the two.")
    with held(target, watch):
        if pickled:
            _write_safetensors(path, target, _prefix(names, _systems()[system].keys) or "")
        elif not target.exists():
            link(path, target)
    return Imported(target, "", system, "tensors")


def _write_safetensors(path: Path, target: Path, prefix: str) -> None:
    from safetensors.torch import save_file

    from .pickles import own, read_tensors

    found = read_tensors(path, _any_listed())
    tensors = {name[len(prefix) :]: tensor for name, tensor in found.items() if name.startswith(prefix)}
    part = target.with_name(f"{target.name}.part")
    with explained(target):
        save_file(own(tensors), part, metadata={"format": "pt", "from": path.name})
        put(part, target)


def _systems() -> dict[str, Any]:
    """Every system that is built, by name."""
    tasks = {manifest.task for manifest in read_manifests() if manifest.module}
    modules = [import_module(f"...{task}", __name__) for task in sorted(tasks)]
    return {system.name: system for module in modules for system in getattr(module, "SYSTEMS", ())}


def _prefix(names: Set[str], keys: tuple[str, ...]) -> str | None:
    """What stands before a system's own names, as "state_dict.module."; None if they are not all there."""
    if not keys:
        return ""
    prefixes = [name[: -len(keys[0])] for name in names if name.endswith(keys[0])]
    return next((p for p in sorted(prefixes, key=len) if all(p + key in names for key in keys)), None)


def _any_listed() -> Conversion:
    """All of a pickle but training leftovers; it may hold what any manifest lists, for nobody knows yet whose it is."""
    sources = [s for manifest in read_manifests() for m in manifest.models for f in m.files for s in f.sources]
    listed = {name for source in sources if source.convert for name in source.convert.classes}
    return Conversion(classes=tuple(sorted(listed)))


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(2)  # a safetensors file begins with a number, so with anything
    return path.suffix not in (".safetensors", ".sft") and (start == b"PK" or start[:1] == b"\x80")


def _tensor_names(path: Path) -> Set[str]:
    """The names of a file's tensors, with a graph's inputs and outputs; empty if it is no such file."""
    from safetensors import SafetensorError, safe_open

    from .. import onnx
    from .pickles import read_tensors

    try:
        if path.suffix == ".onnx":
            return set(onnx.read(str(path)).names)
        if _is_pickle(path):
            return set(read_tensors(path, _any_listed()))
        with safe_open(path, "pt") as file:
            return set(file.keys())
    except (ValueError, SafetensorError) as error:
        log.info("%s holds no tensors that can be read: %s", path, error)
        return set()
