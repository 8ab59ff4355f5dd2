"""A ComfyUI of its own for the canvas: a free port, a base folder without weights, this pack alone."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACK = Path(__file__).parents[2]
FOLDERS = ("custom_nodes", "input", "models", "output", "temp", "user")
START = 400  # seconds; 10 on a machine that does nothing else
# Core's nodes that run files which only users have; see tests/editors.py.
EDITORS = """
import pathlib, sys
sys.path.append({folder!r})
import editors, folder_paths, nodes
editors.patch_core(nodes.NODE_CLASS_MAPPINGS)
editors.write_models(pathlib.Path(folder_paths.base_path))
NODE_CLASS_MAPPINGS = {{}}
"""
FLAGS = ("--cpu", "--database-url", "sqlite:///:memory:", "--preview-method", "none")


def comfyui_path() -> Path | None:
    """Where ComfyUI is, None where there is none; an empty COMFYUI_PATH says so."""
    named = os.environ.get("COMFYUI_PATH", "~/comfy/ComfyUI")
    path = Path(named).expanduser()
    return path if named and (path / "main.py").is_file() else None


@contextmanager
def comfyui(base: Path, pack: Path = PACK) -> Iterator[str]:
    """The address of a ComfyUI that loads ``pack`` and works in ``base``; its log is ``base/comfyui.log``.

    What only users have is stood in for: see ``editors``.

    Raises:
        RuntimeError: It does not answer, or does not load the pack; the message ends with its log.
    """
    root = comfyui_path()
    if root is None:
        raise FileNotFoundError("Expected a ComfyUI, got none: set COMFYUI_PATH.")
    python = os.environ.get("COMFYUI_PYTHON", str(root / ".venv/bin/python"))
    for folder in FOLDERS:
        (base / folder).mkdir(parents=True, exist_ok=True)
    (base / "custom_nodes/ComfyUI-Likeness").symlink_to(pack)
    (base / "custom_nodes/stand_in_editors.py").write_text(EDITORS.format(folder=str(PACK / "tests")))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = base / "comfyui.log"
    command = [python, "main.py", *FLAGS, "--base-directory", str(base), "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=root, stdout=out, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process, log)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def read(address: str, path: str, body: bytes | None = None) -> bytes:
    """What the server answers to GET, or to POST of ``body``."""
    with urllib.request.urlopen(urllib.request.Request(address + path, data=body), timeout=30) as answer:
        return answer.read()


def fetch(address: str, path: str, body: Any = None) -> Any:
    """The same in JSON."""
    text = read(address, path, None if body is None else json.dumps(body).encode())
    return json.loads(text) if text else None


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        try:
            if "LikenessDetectFaces" in fetch(address, "/object_info"):
                return
            break
        except urllib.error.URLError:
            time.sleep(0.2)
    raise RuntimeError(f"Expected ComfyUI with this pack at {address}, got:\n{log.read_text()[-4000:]}")
