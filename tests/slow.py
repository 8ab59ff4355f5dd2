"""Weights on 127.0.0.1 that come as slowly as a test asks, and the manifest that names them. Imports no likeness."""

import hashlib
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BYTES = 1_000_000
PIECE = 10_000
FREE, CLOSED, DAMAGED = "loopback/free", "loopback/closed", "loopback/damaged"


class Slow(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.pause = 0.0  # seconds after each piece
        self.starts: list[int] = []  # where each answer began

    def publish(self, name: str, body: bytes) -> dict:
        """Serve a file; gives its entry in a manifest."""
        self.files[f"/{name}"] = body
        source = {"kind": "https", "url": f"{self.url}/{name}"}
        sha256 = hashlib.sha256(body).hexdigest()
        return {"name": name, "sources": [source], "bytes": len(body), "sha256": sha256}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.server.files[self.path]
        start = int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.server.starts.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", '"one"')
        self.end_headers()
        try:
            for at in range(start, len(body), PIECE):
                self.wfile.write(body[at : at + PIECE])
                time.sleep(self.server.pause)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # paused or cancelled

    def log_message(self, *args) -> None: ...


@contextmanager
def serving() -> Iterator[Slow]:
    """The server, running."""
    server = Slow()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def weights(id: str, file: dict, folder: str = "loopback", commercial: str = "yes") -> dict:
    """A model's entry in a manifest."""
    license = "CC-BY-NC-4.0" if commercial == "no" else "MIT"
    url = f"https://example.org/{license}"
    terms = {"weights_license": license, "weights_license_url": url, "commercial": commercial}
    return {"id": id, "folder": folder, "files": [file], "code_license": "MIT", **terms, "needs": ""}


def write_manifest(folder: Path, server: Slow) -> None:
    """Publish ``loopback``: free weights, some not for commercial use, and some that are not what was announced."""
    files = {id: server.publish(f"{id.split('/')[1]}.bin", noise(seed)) for seed, id in enumerate((FREE, CLOSED))}
    damaged = {**server.publish("damaged.bin", noise(2)), "sha256": "0" * 64}
    models = [weights(FREE, files[FREE]), weights(CLOSED, files[CLOSED], commercial="no"), weights(DAMAGED, damaged)]
    manifest = {"task": "detect", "module": None, "title": "Loopback", "paper": "https://example.org/paper"}
    manifest |= {"published": "Noise.", "models": models}
    (folder / "loopback.json").write_text(json.dumps(manifest), encoding="utf-8")


def noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(BYTES)
