"""Folders that cannot be written and disks that are full, met by ``headless`` in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import factories

PACK = Path(__file__).parents[1]
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]  # root that minds permissions


def save_photo(base: Path, output: Path, *before: str) -> subprocess.CompletedProcess[str]:
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "likeness_astronaut.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "mine"}},
    }
    (base / "prompt.json").write_text(json.dumps(prompt))
    call = [*before, sys.executable, "-m", "headless", "run", str(base / "prompt.json")]
    call += ["--base", str(base), "--output", str(output), "--json"]
    return subprocess.run(call, cwd=PACK, env={**os.environ, "COMFYUI_PATH": ""}, capture_output=True, text=True)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk is mounted by root only")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_up_keeps_nothing(tmp_path, small_disk):
    done = save_photo(factories.write_base(tmp_path / "base"), small_disk / "out")
    assert (done.returncode, done.stdout) == (1, "")
    assert "No space left on device" in done.stderr
    assert list(small_disk.iterdir()) == []


def test_a_folder_without_permission_is_named(tmp_path):
    before = UNPRIVILEGED if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    if before and not shutil.which("setpriv"):
        pytest.skip("root writes everywhere, and no setpriv is there to take that away")
    base, output = factories.write_base(tmp_path / "base"), tmp_path / "out"
    output.mkdir()
    output.chmod(0o555)
    (base / "input").chmod(0o555)  # where the examples would go: that stops nothing
    (base / "input/likeness_grace_hopper.jpg").unlink()
    done = save_photo(base, output, *before)
    assert (done.returncode, done.stdout) == (1, "")
    message = f"Expected a folder to write to, got {output} (Permission denied): choose another with --output."
    assert done.stderr.splitlines()[-1] == message
    assert not (base / "input/likeness_grace_hopper.jpg").exists()
