"""The layout: names line up, and the two worlds stay apart."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from likeness import adapt, analyze, audit, detect, embed, head3d, landmark, match, parse, reenact, render, swap
from likeness.manifest import read_manifest, read_manifests

ROOT = Path(__file__).parents[1]
TASKS = {"detect": detect, "embed": embed, "landmark": landmark, "parse": parse, "reenact": reenact}
TASKS |= {
    "analyze": analyze,
    "head3d": head3d,
    "render": render,
    "swap": swap,
    "adapt": adapt,
    "audit": audit,
    "match": match,
}
SYSTEMS = [(task, system.name) for task, module in TASKS.items() for system in module.SYSTEMS]
SYSTEMS += [(task, name) for task, module in TASKS.items() for name in getattr(module, "METHODS", ())]
SYSTEMS += [("swap", system.name) for system in swap.RESTORERS]
HOSTS = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "execution", "folder_paths", "nodes", "server"}
WITHOUT_NODES = {"fetch", "onnx", "identity"}  # identity: operations, no systems
WITHOUT_SYSTEMS = {
    "__init__",
    "codes",
    "crops",
    "host",
    "convert",
    "convert3d",
    "experiments",
    "explain",
    "expressions",
    "faces",
    "faceset",
    "gallery",
    "gradients",
    "guidance",
    "identity",
    "masks",
    "missing",
    "panel",
    "people",
    "privacy",
    "prompts",
    "reports",
    "restore",
    "sampling",
    "segs",
    "streams",
    "texts",
    "tracks",
    "training",
    "videos",
    "warps",
    "weights",
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_every_task_folder_is_known_and_has_nodes():
    folders = {path.parent.name for path in (ROOT / "likeness").glob("*/__init__.py")} - WITHOUT_NODES
    modules = {path.stem for path in (ROOT / "nodes").glob("*.py")} - WITHOUT_SYSTEMS
    assert folders == modules == set(TASKS)


@pytest.mark.parametrize(("task", "name"), SYSTEMS)
def test_a_system_has_its_module_manifest_and_test(task, name):
    """A system that serves several tasks is at home in one of them: where its manifest says."""
    home, _, module = read_manifest(name).module.partition("/")
    assert (home, name) in SYSTEMS
    assert module == name
    assert (ROOT / f"likeness/{home}/{name}.py").is_file()
    assert (ROOT / f"tests/{home}/test_{name}.py").is_file()


def test_a_manifest_names_its_module_or_says_there_is_none_yet():
    modules = {read_manifest(name).module for _, name in SYSTEMS}
    assert {manifest.module for manifest in read_manifests()} - {None} == modules


def test_a_node_is_named_and_filed_under_its_module(pack, nodes):
    for node_id, node in nodes.items():
        assert node_id.startswith("Likeness")
        assert node.GET_SCHEMA().category == f"likeness/{node.__module__.rsplit('.', 1)[1]}", node_id


@pytest.mark.parametrize("path", sorted((ROOT / "likeness").rglob("*.py")), ids=lambda path: path.name)
def test_the_library_imports_no_host(path):
    assert not imports(path) & HOSTS


def test_what_is_heavy_is_imported_when_it_is_used():
    """ComfyUI imports torch, scipy, PyAV and Pillow itself; the pack may add 0.3 s."""
    script = (
        "import asyncio, sys; from headless import standalone;"
        "asyncio.run(standalone.list_nodes(standalone.load_pack()));"
        "heavy = {'kornia', 'onnxruntime', 'transformers', 'tokenizers', 'diffusers', 'huggingface_hub'};"
        "print(*heavy & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_stand_ins_and_their_executor_stay_small():
    files = [ROOT / "headless/standalone.py", *(ROOT / "headless/standins").rglob("*.py")]
    assert sum(len(path.read_text().splitlines()) for path in files) < 950
