"""One file out of a zip or tar archive: by its exact name, to a place of our choosing."""

from __future__ import annotations

import hashlib
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path, PurePosixPath
from typing import IO

from .part import explained, put
from .watch import QUIET, Watch

CHUNK = 1 << 20  # bytes
# What reading a damaged, encrypted or unknown archive raises; gzip's and bz2's are OSErrors without a number.
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
)


def unpack(archive: Path, member: str, target: Path, size: int | None = None, watch: Watch = QUIET) -> str:
    """The sha256 of ``target``, which is there and whole when this returns. Nothing else is written.

    Args:
        archive: A zip or tar file, compressed or not.
        member: The file's path in it.
        target: The file to make.
        size: Its bytes, where known.
        watch: Told of progress, asked whether to stop.

    Raises:
        ValueError: It is no archive, is damaged, has no such file, or holds what is refused: names that lead out of a
            folder, a link or device under this name, more bytes than it declares.
        OSError: The disk is full or must not be written.
    """
    part = target.with_name(target.name + ".part")
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _opened(archive, member) as (file, declared):
                digest = _copy(file, part, f"{member} in {archive}", size or declared, watch)
        except DAMAGE as error:
            if isinstance(error, OSError) and (error.errno or isinstance(error, InterruptedError)):
                raise  # the disk's fault or the watch's, not the archive's
            raise ValueError(f"Expected a whole archive, got {archive}: {error}. Delete it and try again.") from error
        put(part, target)
    return digest


@contextmanager
def _opened(archive: Path, member: str) -> Iterator[tuple[IO[bytes], int]]:
    """A member for reading, and the bytes that the archive declares."""
    with archive.open("rb") as opened:
        start = opened.read(2)
    if start == b"PK":
        with zipfile.ZipFile(archive) as zipped:
            infos = {_safe(info.filename, archive): info for info in zipped.infolist()}
            info = infos.get(member)
            kind = info.external_attr >> 28 if info else 0  # the top bits of a Unix mode; 0 where Windows packed it
            if info is None or info.is_dir() or kind not in (0, 8):
                raise ValueError(_absent(archive, member, list(infos), "link or folder" if info else "no such file"))
            with zipped.open(info) as unzipped:
                yield unzipped, info.file_size
        return
    with tarfile.open(archive, "r:*") as packed:
        names = {_safe(entry.name, archive): entry for entry in packed}
        entry = names.get(member)
        file = packed.extractfile(entry) if entry and entry.isfile() else None
        if entry is None or file is None:
            raise ValueError(_absent(archive, member, list(names), "link or device" if entry else "no such file"))
        with file:
            yield file, entry.size


def _safe(name: str, archive: Path) -> str:
    """A member's name without "./"; an archive with a name that leads elsewhere is not opened at all."""
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name:
        raise ValueError(f"Refused {archive}: its member {name!r} leads out of the folder. Tell who publishes it.")
    return str(parts)


def _absent(archive: Path, member: str, names: list[str], what: str) -> str:
    return f"Expected the file {member} in {archive}, got {what} among {', '.join(names[:8]) or 'nothing'}."


def _copy(file: IO[bytes], part: Path, name: str, limit: int, watch: Watch) -> str:
    free = shutil.disk_usage(part.parent).free
    if free < limit:
        raise OSError(ENOSPC, f"{limit / 1e6:.1f} MB to unpack, {free / 1e6:.1f} MB free")
    digest, done = hashlib.sha256(), 0
    with part.open("wb") as out:
        while chunk := file.read(CHUNK):
            watch.check()
            done += len(chunk)
            if done > limit:
                raise ValueError(f"Expected {limit} bytes, got more from {name}: refused, it may be a bomb.")
            out.write(chunk)
            digest.update(chunk)
            watch.progress(part.name.removesuffix(".part"), done, limit)
    if done != limit:
        raise ValueError(f"Expected {limit} bytes, got {done} from {name}: it is another file.")
    return digest.hexdigest()
