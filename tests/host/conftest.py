"""ComfyUI itself: in this process, as a server, and the stand-ins in a process of their own beside it."""

import compileall
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import editors
import factories
import seeded
from headless import PACK
from headless.__main__ import choose_host

CLIP_FRAMES = 8  # of the shipped clip: enough to move, few enough to wait for


def pytest_generate_tests(metafunc):
    if "workflow_file" in metafunc.fixturenames:
        metafunc.parametrize("workflow_file", seeded.ON_STANDINS, ids=lambda path: path.stem)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """Where a ComfyUI is there, a test that skips has failed."""
    report = (yield).get_result()
    if report.skipped and os.environ.get("LIKENESS_NO_SKIPS"):
        report.outcome, report.longrepr = "failed", f"Expected it to run, it was skipped: {report.longrepr}"


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    """A base folder without weights; the clips in its input folder are short."""
    from headless import comfyui

    if choose_host() is not comfyui:
        pytest.skip("set COMFYUI_PATH, and COMFYUI_PYTHON to its interpreter, and run with that")
    root = factories.write_base(tmp_path_factory.mktemp("base"), CLIP_FRAMES)
    seeded.write(root, seeded.WORKFLOWS)
    editors.write_models(root)
    return root


@pytest.fixture(scope="session")
def session(base, tmp_path_factory):
    """ComfyUI in this process; ``load_seconds`` is the processor time that this pack took to load, once compiled."""
    from headless import comfyui

    sys.pycache_prefix = str(tmp_path_factory.mktemp("compiled"))
    for part in ("likeness", "nodes", "headless"):
        compileall.compile_dir(PACK / part, quiet=2)

    load, spent = comfyui.load_pack, []

    async def measure(nodes: object) -> None:
        gc.disable()  # walking all of ComfyUI's objects, which a collection in between would do, is not our load
        begun = time.thread_time()
        await load(nodes)
        spent.append(time.thread_time() - begun)
        gc.enable()

    comfyui.load_pack = measure
    started = comfyui.start(base)
    import nodes

    editors.patch_core(nodes.NODE_CLASS_MAPPINGS)
    started.load_seconds = sum(spent)
    return started


@pytest.fixture
def comfy(session):
    """What of ComfyUI a test changes for a while."""
    import comfy.model_management
    from comfy.cli_args import args

    return SimpleNamespace(args=args, model_management=comfy.model_management)


@pytest.fixture(scope="session")
def standins(base, tmp_path_factory) -> dict:
    """Nodes, and workflows with their records, from a process that finds no ComfyUI."""
    script = Path(__file__).with_name("on_standins.py")
    given = [sys.executable, str(script), str(base), str(tmp_path_factory.mktemp("standins"))]
    done = subprocess.run(given, env={**os.environ, "COMFYUI_PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
