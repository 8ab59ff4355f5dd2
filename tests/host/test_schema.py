"""The stand-ins' schema classes serve what ComfyUI's serve, for every input that they know."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headless import PACK

HERE = Path(__file__).parent
ON_STANDINS = f"""
import json, sys
sys.path[:0] = [{str(PACK)!r}, {str(HERE)!r}]
from headless import standalone
standalone.load_pack()
import probe
from comfy_api.latest import io
print(json.dumps(probe.node(io).GET_NODE_INFO_V1()))
"""


@pytest.fixture
def probe(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import probe

    return probe


def test_every_kind_of_input_is_served_alike(session, probe):
    from comfy_api.latest import io

    ours = json.loads(json.dumps(probe.node(io).GET_NODE_INFO_V1()))
    given = [sys.executable, "-c", ON_STANDINS]
    done = subprocess.run(given, env={**os.environ, "COMFYUI_PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {**json.loads(done.stdout), "python_module": None} == ours


def test_the_probe_knows_every_class_of_the_stand_ins(session, probe):
    source = (PACK / "headless/standins/comfy_api/latest/io.py").read_text()
    named = {line.split(" = ")[0] for line in source.splitlines() if " = Custom(" in line or " = _widget(" in line}
    kinds = {kind.strip() for names in named for kind in names.split(",")} | {"Combo", "DynamicCombo"}
    text = (HERE / "probe.py").read_text()
    assert not {kind for kind in kinds if f"io.{kind}." not in text and f'"{kind}"' not in text}
