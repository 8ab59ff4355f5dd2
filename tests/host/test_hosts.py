"""ComfyUI itself: our nodes load there, and give what they give on the stand-ins."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import factories
from headless import PACK
from headless.__main__ import choose_host


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    from headless import comfyui

    if choose_host() is not comfyui:
        pytest.skip("set COMFYUI_PATH, and COMFYUI_PYTHON to its interpreter, and run with that")
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="session")
def session(base):
    """ComfyUI in this process."""
    from headless import comfyui

    return comfyui.start(factories.write_base(base))


def on_standins(base: Path, *command: str) -> dict:
    """What ``headless`` prints in a process of its own that finds no ComfyUI."""
    call = [sys.executable, "-m", "headless", "--base", str(base), *command]
    done = subprocess.run(call, cwd=PACK, env={**os.environ, "COMFYUI_PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_both_hosts_serve_the_same_node_info(session, base):
    for name, theirs in on_standins(base, "nodes").items():
        ours = json.loads(json.dumps(session.info(name)))
        assert {**ours, "python_module": None} == {**theirs, "python_module": None}, name


def test_both_hosts_give_the_same_values(session, base):
    file = base / "prompt.json"
    file.write_text(json.dumps(factories.compare_prompt()))
    theirs, ours = on_standins(base, "run", str(file)), session.run(factories.compare_prompt())
    assert ours.keys() == theirs.keys()
    assert float(ours["9"]["text"][0]) == pytest.approx(float(theirs["9"]["text"][0]), abs=1e-4)
