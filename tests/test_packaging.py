"""What is published: a zip for ComfyUI's Registry, metadata for pip, and the papers of the files that come along."""

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import packing
import readme_table

ROOT = Path(__file__).parents[1]
STARTER = ROOT / "models_manifest/starter"
UNPUBLISHED = ("tests", "benchmarks", ".ci", ".git")


def test_the_notice_names_every_starter_file_with_its_hash():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    named = dict(
        re.findall(r"^(\S+/\S+)\n    origin: .+?\n    licence: .+?\n    sha256: (\w{64})$", notice, re.M | re.S)
    )
    files = [path for path in STARTER.rglob("*") if path.is_file()]
    assert named == {
        path.relative_to(STARTER).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_the_readme_lists_the_weights_of_the_manifest():
    """``python -m tests.readme_table`` writes the list again."""
    text = readme_table.README.read_text(encoding="utf-8")
    assert readme_table.with_table(text) == text


def test_manager_and_pip_install_the_same():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == (ROOT / "requirements.txt").read_text().split("\n")[:-1]


def test_pip_puts_no_module_beside_others(tmp_path):
    """``nodes`` is also ComfyUI's, ``headless`` anybody's: neither may land in site-packages."""
    pytest.importorskip("setuptools", reason="no setuptools here: pip install setuptools")
    source = packing.copy_tracked(tmp_path / "source")
    build = "from setuptools import build_meta; build_meta.build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    folders = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert len(folders) == 1, folders
    assert folders.pop().endswith(".dist-info")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder that the Registry's zip unpacks to."""
    folder = tmp_path_factory.mktemp("published")
    return packing.unpack(packing.pack(folder / "source"), folder / "ComfyUI-Likeness")


def test_the_registry_accepts_the_pack(tmp_path):
    said = packing.comfy("node", "validate", cwd=packing.copy_tracked(tmp_path / "source"))
    assert "All validation checks passed" in said
    assert "warning" not in said.lower()


def test_the_zip_leaves_out_what_only_developers_need(published):
    assert not [name for name in UNPUBLISHED if (published / name).exists()]
    assert (published / "LICENSE").is_file()


def test_the_unpacked_zip_loads_and_runs_without_the_repository(published):
    call = [sys.executable, "-m", "headless", "nodes", "--json"]
    done = subprocess.run(call, cwd=published, env={**os.environ, "COMFYUI_PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout).keys() == {path.stem for path in (ROOT / "tests/schemas").glob("*.json")}
