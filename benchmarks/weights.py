"""Weights that arrive: bytes a second beside curl and a hash tool, and the memory that takes."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from .race import Measure, NotRunError, Peer, Race

ROOT = Path(__file__).parents[1]
DOWNLOADED, VERIFIED, STREAMED = 256 << 20, 1 << 30, 4 << 30  # bytes
# Serves so many bytes, from the file that is named or made up, on a free port that it prints.
SERVER = """
import http.server, sys
size, block = int(sys.argv[1]), bytes(range(256)) * 4096
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if len(sys.argv) > 2:
            with open(sys.argv[2], "rb") as file:
                self.connection.sendfile(file)
        else:
            for _ in range(size // len(block)):
                self.wfile.write(block)
    def log_message(self, *args): ...
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
PEAK = """
import resource, sys
from pathlib import Path
from likeness.fetch.address import Address
from likeness.fetch.client import bring
bring(Address(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform == "linux" else 1e6))
"""


@cache
def folder() -> Path:
    """A folder that is gone when the process ends."""
    made = Path(tempfile.mkdtemp(prefix="likeness-weights-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def noise(size: int) -> Path:
    """A file of so many random bytes."""
    if shutil.disk_usage(folder()).free < 2 * size:
        raise NotRunError(f"{folder()} has no room for two files of {size / 1e9:.1f} GB: set TMPDIR")
    path = folder() / f"{size}.bin"
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    return path


@cache
def served(size: int, *file: Path) -> str:
    """The address of so many bytes."""
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(size), *file], stdout=subprocess.PIPE, text=True)
    atexit.register(server.kill)
    return f"http://127.0.0.1:{server.stdout.readline().strip()}/weights.bin"


def download() -> Callable[[], object]:
    from likeness.fetch.address import Address
    from likeness.fetch.client import bring

    address, target = Address(served(DOWNLOADED, noise(DOWNLOADED))), folder() / "ours.bin"

    def run() -> None:
        target.unlink(missing_ok=True)
        bring(address, target, DOWNLOADED)

    return run


def verify() -> Callable[[], object]:
    from likeness.fetch.ledger import sha256

    return partial(sha256, noise(VERIFIED))


def tools(*commands: tuple[str, ...]) -> Peer:
    for program, *_ in commands:
        if not shutil.which(program):
            raise NotRunError(f"{program} is not installed")
    return Peer("commands.py", tuple(part for command in commands for part in (*command, ";")))


def curl_and(*hasher: str) -> Peer:
    theirs = str(folder() / "theirs.bin")
    return tools(("curl", "-s", "-o", theirs, served(DOWNLOADED, noise(DOWNLOADED))), (*hasher, theirs))


def hash_with(*hasher: str) -> Peer:
    return tools((*hasher, str(noise(VERIFIED))))


def peak() -> float:
    """Megabytes of a process that downloads a file, Python and all."""
    if sys.platform == "win32":
        raise NotRunError("the memory of a process is read as POSIX has it")
    if shutil.disk_usage(folder()).free < STREAMED:
        raise NotRunError(f"{folder()} has no room for {STREAMED / 1e9:.1f} GB: set TMPDIR")
    target = folder() / "stream.bin"
    command = [sys.executable, "-c", PEAK, served(STREAMED), str(target), str(STREAMED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    target.unlink()
    return float(done.stdout)


SUM, OPENSSL = ("sha256sum",), ("openssl", "dgst", "-sha256")
ROWS = (
    Race(
        "weights/download", "256 MB from this machine, hashed", download,
        "curl, then sha256sum", partial(curl_and, *SUM), target=0.9,
    ),
    Race(
        "weights/download/openssl", "256 MB from this machine, hashed", download,
        "curl, then openssl dgst -sha256", partial(curl_and, *OPENSSL),
    ),
    Race(
        "weights/verify", "the hash of 1 GB", verify,
        "openssl dgst -sha256", partial(hash_with, *OPENSSL), target=0.9,
    ),
    Measure("weights/memory", "peak while 4 GB are downloaded", peak, limit=150, unit="MB", times=1),
)  # fmt: skip
