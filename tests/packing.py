"""Packs what the Registry would publish, by comfy-cli's own commands."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUIET = {"DO_NOT_TRACK": "1", "COMFY_CLI_NO_REMOTE_REFRESH": "1"}


def copy_tracked(folder: Path) -> Path:
    """A git repository with what git tracks here, as it is now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing says which files are published")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():  # not one that is deleted and not yet committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    return folder


def comfy(*command: str, cwd: Path) -> str:
    """What comfy-cli says; it is ``COMFY_CLI``, or ``comfy`` beside this Python or on the path."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    program = os.environ.get("COMFY_CLI") or shutil.which("comfy", path=places)
    if not program:
        pytest.skip("no comfy-cli here: pip install comfy-cli, or say where it is in COMFY_CLI")
    call = [program, "--skip-prompt", *command]
    done = subprocess.run(call, cwd=cwd, env={**os.environ, **QUIET}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def pack(source: Path) -> Path:
    """The zip that would be uploaded."""
    comfy("node", "pack", cwd=copy_tracked(source))
    return source / "node.zip"


def unpack(archive: Path, folder: Path) -> Path:
    zipfile.ZipFile(archive).extractall(folder)
    return folder
