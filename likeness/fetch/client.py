"""Bytes from the network: whole, resumed, hashed on the way; or an error that says why."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from contextlib import closing
from email.utils import parsedate_to_datetime
from errno import ENOSPC
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

# requests, because ComfyUI requires it. huggingface-hub came with it up to 0.x, with httpx in 1.x and httpx2 in 2.x, so
# none of its own clients is there in every version; aiohttp, which ComfyUI requires too, wants an event loop where a
# node's thread has none. urllib3 below it reads large pieces uncopied and knows the proxies of the environment.
import requests
import urllib3

from .address import PATIENT, Address, Network
from .part import Part, explained
from .receiving import ahead, answered
from .watch import QUIET, Watch

REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 10
PASSING = (408, 425, 429, 500, 502, 503, 504)


class _PassingError(ConnectionError):
    """A fault that may be gone at the next attempt."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait  # seconds that the server asks for


def bring(
    address: Address,
    target: Path,
    size: int | None = None,
    sha256: str | None = None,
    network: Network = PATIENT,
    watch: Watch = QUIET,
) -> str:
    """The sha256 of ``target``, which is there and whole when this returns.

    Until then the bytes lie in ``{target}.part``, from which a later call goes on. One process at a time.

    Args:
        address: Where from.
        target: The file to make.
        size: Its bytes, where known.
        sha256: Its hash, where known.
        network: How patient to be.
        watch: Told of progress, asked whether to stop.

    Raises:
        ConnectionError: The bytes do not come.
        TimeoutError: No byte came for too long.
        ValueError: Something else comes: another length or hash, a web page, a redirect that is not followed.
        OSError: The disk is full or must not be written.
        InterruptedError: It was cancelled.
    """
    part = Part(target)
    with explained(target), requests.Session() as session:
        target.parent.mkdir(parents=True, exist_ok=True)
        furthest, tries, doubted = part.bytes, 0, False
        while True:
            resumed = part.bytes > 0
            try:
                digest, published = _receive(session, address, part, size, sha256, network, watch)
            except (_PassingError, requests.RequestException, urllib3.exceptions.HTTPError) as error:
                tries = 1 if part.bytes > furthest else tries + 1
                furthest = max(furthest, part.bytes)
                if tries >= network.attempts or isinstance(error, requests.exceptions.SSLError):
                    raise _given_up(error, address, part, tries, network) from error
                asked = getattr(error, "wait", None)
                watch.sleep(network.pause * 2 ** (tries - 1) if asked is None else asked)
                continue
            expected = sha256 or published
            if expected in (None, digest):
                part.finish()
                return digest
            part.remove()
            if doubted or not resumed:
                raise ValueError(
                    f"Expected sha256 {expected}, got {digest} from {address}: the file is damaged on the way or was "
                    "replaced there. Nothing was kept; try again, then tell who publishes it."
                )
            doubted = True  # what an earlier attempt left may be at fault: once more from the start


def _receive(
    session: requests.Session,
    address: Address,
    part: Part,
    size: int | None,
    sha256: str | None,
    network: Network,
    watch: Watch,
) -> tuple[str, str | None]:
    """The sha256 of the whole part after one attempt, and the one that the hub states."""
    digest, had, note = hashlib.sha256(), 0, part.note
    ours = note.get("url") == str(address)
    if part.bytes and (ours or sha256):
        had = part.hash_into(digest, watch)
        if had == (size or note.get("total")):
            return digest.hexdigest(), note.get("sha256")
    _check_disk(part, (size or 0) - had)
    response, published = _open(session, address, _range(had, note if ours else {}), network, watch)
    with closing(response):
        _refuse(response, address, part, network)
        start, total = _span(response, part, had)
        _check_content(response, address, part, total, size)
        _check_disk(part, (total or 0) - start)
        if start == 0:
            digest = hashlib.sha256()
            validator = response.headers.get("etag") or response.headers.get("last-modified")
            file = part.begin({"url": str(address), "validator": validator, "total": total, "sha256": published})
        else:
            file = part.go_on()
        done, total, shown = start, size if total is None else total, 0.0
        with file, closing(ahead(response, network.chunk, watch)) as chunks:
            for chunk in chunks:
                done += len(chunk)
                if total is not None and done > total:
                    raise ValueError(f"Expected {total} bytes, got more from {address}: it is another file.")
                rest = memoryview(chunk)
                while rest:  # an unbuffered file may take less than it is given
                    rest = rest[file.write(rest) :]
                digest.update(chunk)
                if time.monotonic() - shown > 0.1 or done == total:
                    shown = time.monotonic()
                    watch.progress(part.target.name, done, total)
            if total is not None and done < total:
                raise _PassingError(f"cut off after {done} of {total} bytes")
            os.fsync(file.fileno())  # or a power cut after the rename leaves a whole name on a hollow file
    return digest.hexdigest(), published


def _range(had: int, note: dict[str, Any]) -> dict[str, str]:
    """The headers that ask for the rest, and for everything if the file has changed since."""
    if not had:
        return {}
    validator = note.get("validator") or ""
    if not validator or validator.startswith("W/"):  # If-Range takes no weak ones; sizes and hashes still compare
        return {"range": f"bytes={had}-"}
    return {"range": f"bytes={had}-", "if-range": validator}


def _open(
    session: requests.Session, address: Address, extra: dict[str, str], network: Network, watch: Watch
) -> tuple[requests.Response, str | None]:
    """The answer after all redirects, and the sha256 that a hub states in its first answer."""
    url, published = address.url, None
    seen: set[str] = set()
    headers = {**address.headers, "accept-encoding": "identity", **extra}
    while True:
        if url in seen or len(seen) > MOST_REDIRECTS:
            raise ValueError(f"Expected a file, got redirects without end from {address}: get it by hand.")
        seen.add(url)
        ask = partial(
            session.get,
            url,
            headers=headers,
            stream=True,
            allow_redirects=False,
            timeout=network.timeout,
            auth=_as_is,  # or requests puts a .netrc's password in the token's place
        )
        response = answered(ask, watch)
        linked = response.headers.get("x-linked-etag", "").strip('"')
        if address.hub and len(seen) == 1 and re.fullmatch("[0-9a-f]{64}", linked):
            published = linked
        if response.status_code not in REDIRECTS:
            return response, published
        response.close()
        onward = urljoin(url, response.headers.get("location", ""))
        before, after = urlsplit(url), urlsplit(onward)
        if after.scheme not in ("http", "https") or (before.scheme, after.scheme) == ("https", "http"):
            raise ValueError(f"Refused to follow {address} to an address of {after.scheme}: get the file by hand.")
        if before[:2] != after[:2]:  # another scheme, host or port gets no token
            headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        url = onward


def _as_is(request: Any) -> Any:
    return request


def _refuse(response: requests.Response, address: Address, part: Part, network: Network) -> None:
    """Raise for an answer that is no file."""
    status = response.status_code
    if status in (200, 206):
        return
    said = f"{address} answers {status} {response.reason}"
    if status == 416:
        part.remove()
        raise _PassingError(f"{said}, so what had arrived was of another file", wait=0)
    if status in PASSING:
        wait = _retry_after(response.headers.get("retry-after"))
        if wait is not None and wait > network.patience:
            raise ConnectionError(f"{said} and asks to wait {wait:.0f} s: try again then.")
        raise _PassingError(said, wait)
    if status in (401, 403):
        raise ConnectionError(
            f"{said}: it wants a person's consent. Accept its terms on its page and set HF_TOKEN, or get it by hand."
        )
    raise ConnectionError(f"{said}: look on its page where the file has gone, or get it by hand.")


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a number or a date."""
    if value is None or value.strip().isdigit():
        return float(value) if value else None
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _span(response: requests.Response, part: Part, had: int) -> tuple[int, int | None]:
    """The offset of the first byte that comes, and the size of the whole file if the server states it."""
    if response.status_code == 200:
        length = response.headers.get("content-length")
        return 0, int(length) if length is not None else None
    said = response.headers.get("content-range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", said)
    total = int(match[2]) if match and match[2] != "*" else None
    if not match or int(match[1]) != had or (had and part.note.get("total") not in (None, total)):
        part.remove()
        raise _PassingError(f"Expected the bytes from {had} on, got {said or 'no Content-Range'}", wait=0)
    return had, total


def _check_content(
    response: requests.Response, address: Address, part: Part, total: int | None, size: int | None
) -> None:
    """Raise for an answer that cannot be the file."""
    kind = response.headers.get("content-type", "")
    if kind.startswith("text/html") and part.target.suffix not in (".html", ".htm"):
        raise ValueError(f"Expected a file, got a web page from {address}: open it in a browser and get it by hand.")
    if size is not None and total not in (None, size):
        raise ValueError(f"Expected {size} bytes, got {total} from {address}: it is another file.")
    if total is None and size is None and response.headers.get("transfer-encoding") != "chunked":
        raise ValueError(f"Expected a length, got none from {address}: half a file would look like a whole one.")


def _check_disk(part: Part, needed: int) -> None:
    free = shutil.disk_usage(part.path.parent).free
    if free < needed:
        raise OSError(ENOSPC, f"{needed / 1e6:.1f} MB to come, {free / 1e6:.1f} MB free")


def _given_up(error: Exception, address: Address, part: Part, tries: int, network: Network) -> OSError:
    kept = f"{part.bytes / 1e6:.1f} MB are kept and the next try goes on from there." if part.bytes else "Try again."
    if isinstance(error, (requests.Timeout, urllib3.exceptions.ReadTimeoutError)):
        return TimeoutError(f"No byte for {network.timeout:g} s, {tries} times in a row, from {address}. {kept}")
    cause: BaseException = error  # requests wraps the reason, and in text that shows the whole address
    while nested := next((a for a in (getattr(cause, "reason", 0), *cause.args) if isinstance(a, Exception)), None):
        cause = nested
    return ConnectionError(f"Given up at {address} after {tries} attempts in a row: {cause}. {kept}")
