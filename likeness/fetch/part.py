"""The half of a file that has arrived: ``{target}.part``, and ``{target}.part.json`` that says of what."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import EACCES, EDQUOT, ENOSPC, EPERM, EROFS
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from filelock import FileLock, Timeout

from .watch import Watch

if TYPE_CHECKING:
    from hashlib import _Hash

CHUNK = 1 << 20  # bytes


class Part:
    """What has arrived of a file."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.note_path = target.with_name(target.name + ".part.json")

    @property
    def bytes(self) -> int:
        """How much there is."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def note(self) -> dict[str, Any]:
        """``url``, ``validator``, ``total`` and ``sha256`` of the answer that it began with; empty when unknown."""
        try:
            return json.loads(self.note_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # the process may have ended while it wrote
            return {}

    def begin(self, note: Mapping[str, Any]) -> BinaryIO:
        """An empty file. The note comes after: it must never describe older bytes than its own."""
        file = self.path.open("wb", buffering=0)
        self.note_path.write_text(json.dumps(note), encoding="utf-8")
        return file

    def go_on(self) -> BinaryIO:
        """The file, at its end."""
        return self.path.open("ab", buffering=0)

    def hash_into(self, digest: _Hash, watch: Watch) -> int:
        """Feed what is there to a hash; gives its bytes."""
        count = 0
        with self.path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                watch.check()
                digest.update(chunk)
                count += len(chunk)
        return count

    def finish(self) -> None:
        """Put it in the target's place."""
        put(self.path, self.target)
        self.note_path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget it."""
        self.path.unlink(missing_ok=True)
        self.note_path.unlink(missing_ok=True)


def put(part: Path, target: Path) -> None:
    """Give a whole file its name; what had that name is kept as ``{target}.wrong``."""
    if target.exists():
        os.replace(target, target.with_name(target.name + ".wrong"))
    os.replace(part, target)


@contextmanager
def held(target: Path, watch: Watch) -> Iterator[None]:
    """Be the only one, in any process, who makes a file."""
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{target}.lock")
        while not lock.is_locked:
            watch.check()
            with suppress(Timeout):
                lock.acquire(timeout=0.2)
    try:
        yield
        with suppress(OSError):  # on Windows it goes with its release
            os.unlink(lock.lock_file)  # who waits for it finds the file made
    finally:
        lock.release()


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """Say what to do where the disk refuses."""
    try:
        yield
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise OSError(
                error.errno,
                f"Expected room for {target}, the disk is full ({error.strerror}): free some, or set another folder "
                "in extra_model_paths.yaml. What has arrived is kept.",
            ) from error
        if error.errno in (EACCES, EPERM, EROFS):
            raise PermissionError(
                error.errno,
                f"Expected to write {target}, which is not allowed ({error.strerror}): let this user write there, or "
                "set another folder in extra_model_paths.yaml.",
            ) from error
        raise
