"""How long a user waits before anything runs."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .race import Measure, NotRunError, comfyui

ROOT = Path(__file__).parents[1]
# Loads ComfyUI as headless does, then times our own import and node list alone.
IMPORT = """
import asyncio, sys, time
from headless import PACK, comfyui
comfyui._load_all = lambda nodes: asyncio.sleep(0)
comfyui.start()
import nodes
begun = time.perf_counter()
loaded = asyncio.run(nodes.load_custom_node(str(PACK)))
sys.__stdout__.write(f"\\n{time.perf_counter() - begun if loaded else 'failed'}\\n")
"""


def import_pack() -> float:
    """Seconds of our own import; of a second start, for only a first one compiles Python's files."""
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        for _ in range(2):
            done = subprocess.run(
                [comfyui()[1], "-c", IMPORT],
                cwd=ROOT,
                env={**env, "PYTHONPYCACHEPREFIX": folder},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise NotRunError(f"ComfyUI did not start: {done.stderr[-500:]}")
    return float(done.stdout.splitlines()[-1])


def start_headless() -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "headless", "nodes"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "COMFYUI_PATH": ""}, capture_output=True, check=True)
    return time.perf_counter() - begun


ROWS = (
    Measure("start/import", "what the pack adds to ComfyUI's start", import_pack, limit=0.3),
    Measure("start/headless", "from the command to the list of nodes, on the stand-ins", start_headless),
)
