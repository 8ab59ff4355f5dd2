"""From what a source sends to the file that is loaded: unpacked, converted or linked, then checked and recorded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..manifest import Conversion, File, Model, Source
from .archive import unpack
from .ledger import Ledger
from .part import explained, put
from .watch import Watch


def make(model: Model, file: File, source: Source, sent: Path, target: Path, ledger: Ledger, watch: Watch) -> None:
    """Make ``target``, which is there and whole when this returns; ``sent`` stays. One process at a time.

    Raises:
        ValueError: What was sent is not what the manifest says, or is refused: see ``unpack`` and ``convert``.
        OSError: The disk is full or must not be written.
    """
    if source.member and source.convert:
        pickled = target.with_name(f"{target.name}.arrived")
        unpack(sent, source.member, pickled, None, watch)
        _convert(pickled, target, source.convert)
        pickled.unlink()
    elif source.member:
        unpack(sent, source.member, target, file.bytes, watch)
    elif source.convert:
        _convert(sent, target, source.convert)
    else:
        link(sent, target)
    digest = ledger.sha256(target, watch, afresh=True)
    if file.sha256 not in (None, digest):
        target.unlink()
        raise ValueError(f"Expected sha256 {file.sha256}, got {digest} for {file.name}: it is another file.")
    ledger.record(model, file, source, target, digest)


def link(path: Path, target: Path) -> None:
    """Have a file under a second name: a hard link, a copy where the disk has none."""
    part = target.with_name(f"{target.name}.part")
    with explained(target):
        part.unlink(missing_ok=True)
        try:
            os.link(path.resolve(), part)
        except OSError:  # another disk, or one without links
            shutil.copyfile(path, part)
        put(part, target)


def _convert(pickled: Path, target: Path, conversion: Conversion) -> None:
    from .pickles import convert  # torch

    convert(pickled, target, conversion)
