"""A web server on 127.0.0.1 that serves bytes well, or with a scripted fault; and weights that come from it."""

import hashlib
import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from likeness.fetch import Folders, Network, download
from likeness.manifest import File, Model, Source

QUICK = Network(timeout=10, attempts=3, pause=0.01, patience=5, chunk=1 << 14)  # slow machines stall too
HASTY = replace(QUICK, timeout=0.4)


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]  # names in lower case


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        seen = Request(self.path, {name.lower(): value for name, value in self.headers.items()})
        with self.server.lock:
            self.server.requests.append(seen)
            fault = self.server.faults.pop(0) if self.server.faults else None
        body = self.server.files.get(self.path.split("?")[0])
        try:
            if fault:
                fault(self, body)
            elif body is None:
                answer(self, 404)
            else:
                serve(self, body, self.server.ranges)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client went away, as some tests want it to

    def log_message(self, *args) -> None: ...


class Loopback(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: dict[str, bytes], *faults: Callable, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.ranges = dict(files), list(faults), ranges
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(files: dict[str, bytes], *faults: Callable, ranges: bool = True):
    """The server, running; each request meets the next fault, and when there is none left it is served well."""
    server = Loopback(files, *faults, ranges=ranges)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def answer(handler: Handler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def serve(handler: Handler, body: bytes, ranges: bool = True) -> None:
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    wanted = handler.headers.get("range")
    if ranges and wanted and handler.headers.get("if-range", etag) == etag:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            answer(handler, 416, Content_Range=f"bytes */{len(body)}")
            return
        answer(handler, 206, body[start:], ETag=etag, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        return
    answer(handler, 200, body, ETag=etag)


def cut(share: float = 0.5) -> Callable:
    """The connection ends after a share of what was announced."""

    def fault(handler: Handler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
        handler.end_headers()
        handler.wfile.write(body[: int(len(body) * share)])
        handler.close_connection = True

    return fault


def status(code: int, body: bytes = b"", **headers: str) -> Callable:
    return lambda handler, _: answer(handler, code, body, **headers)


def instead(body: bytes, **headers: str) -> Callable:
    """Other bytes, or other headers, than the file's."""
    return lambda handler, _: answer(handler, 200, body, **headers)


def stall(share: float = 0.5, seconds: float = 2.0) -> Callable:
    """Nothing more comes after a share of the bytes."""

    def fault(handler: Handler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: int(len(body) * share)])
        handler.wfile.flush()
        time.sleep(seconds)
        handler.close_connection = True

    return fault


def chunked(handler: Handler, body: bytes) -> None:
    """No length is announced; the end is marked."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(body), 50_000):
        piece = body[start : start + 50_000]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def unmarked(handler: Handler, body: bytes) -> None:
    """Neither length nor end: the connection closes."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def calling(when: int, what: Callable[[], None], piece: int = 16_384) -> Callable:
    """Served well, slowly, in pieces; ``what`` is called once ``when`` bytes of the answer are sent."""

    def fault(handler: Handler, body: bytes) -> None:
        wanted = handler.headers.get("range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
        handler.end_headers()
        called = False
        for at in range(start, len(body), piece):
            handler.wfile.write(body[at : at + piece])
            handler.wfile.flush()
            time.sleep(0.001)
            if not called and at + piece - start >= when:
                called = True
                what()

    return fault


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def file_of(url: str, body: bytes | None = None, name: str = "weights.bin") -> File:
    """A file at a URL; with its published size and hash where its bytes are given."""
    size, sha256 = (len(body), hashlib.sha256(body).hexdigest()) if body is not None else (None, None)
    return File(name, (Source("https", url=url),), size, sha256)


def entry(name: str, bytes: int | None = None, sha256: str | None = None, **source: object) -> dict:
    """A file as a manifest has it, by hand unless a source says otherwise."""
    source = {"kind": "manual", "url": "https://example.org", "steps": "Ask.", **source}
    return {"name": name, "sources": [source], "bytes": bytes, "sha256": sha256}


def weights_of(*files: File, id: str = "example/v1", commercial: str = "yes") -> Model:
    return Model(id, "example", files, "MIT", "CC-BY-NC-4.0" if commercial == "no" else "MIT", commercial, "")


def folders_at(base: Path, **paths: Path) -> Folders:
    given = {name: (path,) for name, path in paths.items()}
    return Folders(base / "models", base / "user/likeness.accepted.json", given)


def names_in(base: Path) -> set[str]:
    """Files that could be taken for weights."""
    from likeness.fetch import WORKING

    return {path.name for path in base.rglob("*") if path.is_file() and not path.name.endswith(WORKING)}


def download_here(model: Model, base: str, network: Network = QUICK) -> None:
    """What a second process does; in a module, for a process finds it by name."""
    download(model, folders_at(Path(base)), network=network)


def download_as_nobody(model: Model, base: str, pipe) -> None:
    """What a user without rights meets."""
    import huggingface_hub.utils  # noqa: F401 - all is imported while this user may read it

    import likeness.fetch.client  # noqa: F401

    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    try:
        download(model, folders_at(Path(base)), network=QUICK)
    except OSError as error:
        pipe.send(str(error))
    else:
        pipe.send("written")
