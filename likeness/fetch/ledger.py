"""What this installation has learnt about its files: ``likeness.lock.json`` in the models folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..manifest import File, Model, Source
from .watch import QUIET, Watch

NAME = "likeness.lock.json"
CHUNK = 1 << 20  # bytes hashed between two looks at the watch; larger ones measured no faster

log = logging.getLogger(__name__)


class Ledger:
    """Hashes and sizes of first downloads, hashes once computed, and files found outside their folder.

    Keys of ``files`` are "folder/name", of ``sent`` what a source calls itself, of ``hashes`` and the values of
    ``elsewhere`` absolute paths.
    """

    def __init__(self, models: Path) -> None:
        self.path = models / NAME
        self._data = self._read()

    def expected(self, model: Model, file: File) -> tuple[int | None, str | None]:
        """Bytes and sha256 of a file as published, else as recorded when it first came from one of its sources."""
        recorded = self._data["files"].get(f"{model.folder}/{file.name}", {})
        if recorded.get("source") not in map(str, file.sources):
            recorded = {}
        return file.bytes or recorded.get("bytes"), file.sha256 or recorded.get("sha256")

    def expected_sent(self, model: Model, file: File, source: Source) -> tuple[int | None, str | None]:
        """Bytes and sha256 of what a source sends, as published, else as recorded."""
        if source.direct:
            return self.expected(model, file)
        recorded = self._data["sent"].get(str(source), {})
        return source.bytes or recorded.get("bytes"), source.sha256 or recorded.get("sha256")

    def record(self, model: Model, file: File, source: Source, path: Path, sha256: str) -> None:
        """Keep what has come, to check it from now on."""
        value = {"source": str(source), "bytes": path.stat().st_size, "sha256": sha256}
        self._write("files", f"{model.folder}/{file.name}", value)
        self._write("hashes", str(path), _stamp(path) | {"sha256": sha256})

    def record_sent(self, source: Source, path: Path, sha256: str) -> None:
        """Keep what a source has sent, to check it from now on."""
        self._write("sent", str(source), {"bytes": path.stat().st_size, "sha256": sha256})

    def cached(self, path: Path) -> str | None:
        """The sha256 of a file, if it was computed and neither size nor time has changed since."""
        known = self._data["hashes"].get(str(path), {})
        return known.get("sha256") if known.items() >= _stamp(path).items() else None

    def sha256(self, path: Path, watch: Watch = QUIET, afresh: bool = False) -> str:
        """The sha256 of a file, from the cache where that is allowed."""
        digest = None if afresh else self.cached(path)
        if digest is None:
            stamp = _stamp(path)
            digest = sha256(path, watch)
            self._write("hashes", str(path), stamp | {"sha256": digest})
        return digest

    def elsewhere(self, model: Model, file: File) -> Path | None:
        """Where a file was found outside its folder, if it is there still and unchanged."""
        path = self._data["elsewhere"].get(f"{model.folder}/{file.name}")
        return Path(path) if path and Path(path).is_file() and self.cached(Path(path)) else None

    def found(self, model: Model, file: File, path: Path, watch: Watch) -> None:
        """Keep that a file lies outside its folder."""
        self.sha256(path, watch)
        self._write("elsewhere", f"{model.folder}/{file.name}", str(path))

    def refresh(self) -> None:
        """Take in what other processes have written."""
        self._data = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        empty: dict[str, dict[str, Any]] = {"files": {}, "sent": {}, "hashes": {}, "elsewhere": {}}
        try:
            return empty | json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return empty
        except ValueError as error:
            raise ValueError(
                f"Expected JSON, got {self.path} which is damaged ({error}): delete it. "
                "Files are then no longer checked against the hashes of their first download."
            ) from error

    def _write(self, section: str, key: str, value: Any) -> None:
        part = self.path.with_name(NAME + ".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock"):
                self._data = self._read()  # another process may have written since
                self._data[section][key] = value
                part.write_text(json.dumps(self._data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
                os.replace(part, self.path)
        except OSError as error:
            self._data[section][key] = value
            log.warning("%s cannot be written (%s): the %s of %s is forgotten.", self.path, error, section, key)


def sha256(path: Path, watch: Watch = QUIET) -> str:
    """The sha256 of a file's bytes."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    buffer = memoryview(bytearray(CHUNK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            watch.check()
            digest.update(buffer[:count])
            done += count
            watch.progress(path.name, done, total)
    return digest.hexdigest()


def _stamp(path: Path) -> dict[str, int]:
    stat = path.stat()
    return {"bytes": stat.st_size, "time": stat.st_mtime_ns}
