"""``python -m benchmarks``: see ``--help``."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import adapters, engines, faces, identity, per_frame, perception, startup, weights
from .race import Row

THEMES = (adapters, engines, faces, identity, per_frame, perception, startup, weights)
RESULTS = Path(__file__).with_name("results.json")
EPILOG = """
Peers with an environment of their own, in a folder that PEERS_PATH names:
  mediapipe    python3.11 -m venv $PEERS_PATH/mediapipe && $PEERS_PATH/mediapipe/bin/pip install mediapipe==0.10.21
  insightface  python3.11 -m venv $PEERS_PATH/insightface && $PEERS_PATH/insightface/bin/pip install insightface==2.1
  face-alignment  the same with face-alignment==1.5.0; it compiles its network where g++ is installed
  faces        python3.11 -m venv $PEERS_PATH/faces && $PEERS_PATH/faces/bin/pip install torch torchvision scipy \\
               pillow opencv-python-headless
and checkouts of their code, in the same folder: ComfyUI-ReActor, ComfyUI_FaceAnalysis, comfyui_facetools, facechain,
ConsistentID, w-plus-adapter, PVA-CelebAHQ-IDI, roi_tanh_warping.
Rows beside ComfyUI itself or in it, and the import time, need one: COMFYUI_PATH (default ~/comfy/ComfyUI) and
COMFYUI_PYTHON.
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time this pack beside others. A ratio over 1 means that ours is better.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", default="", help="rows whose names begin so (default: all)")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument("--record", action="store_true", help=f"also keep what was run in {RESULTS.name}")
    given = parser.parse_args(arguments)
    chosen = [row for theme in THEMES for row in theme.ROWS if row.name.startswith(given.name)]
    if not chosen:
        names = ", ".join(row.name for theme in THEMES for row in theme.ROWS)
        parser.error(f"expected the beginning of one of {names}, got {given.name}")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # settings of this shell would slow one side only
        os.environ.pop(name, None)
    rows = []
    for row in chosen:
        rows.append(row.run())
        if not given.json:
            sys.stdout.write(line(rows[-1]) + "\n")
            sys.stdout.flush()
    if given.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    if given.record:
        record(rows)
    return 0


def line(row: Row) -> str:
    """A row for people."""
    if row.ours is None:
        return f"{row.name:42} {row.note}"
    scale, unit = (1000, "ms") if row.unit == "s" else (1, row.unit)
    ours, peer = (f"{value * scale:9.2f} {unit}" if value else " " * 12 for value in (row.ours, row.peer))
    ratio = f"{row.ratio:5.2f}" if row.ratio else " " * 5
    target = "" if row.target is None else f"target {row.target:.2f} {'met' if row.ratio >= row.target else 'MISSED'}"
    return f"{row.name:42} ours {ours}  peer {peer}  ratio {ratio}  {target:18} {row.what}; {row.peer_name}"


def record(rows: Iterable[Row]) -> None:
    """Put the rows that were run into results.json, in place of older ones of their names."""
    kept = {row["name"]: row for row in json.loads(RESULTS.read_text())["rows"]} if RESULTS.is_file() else {}
    kept |= {row.name: asdict(row) for row in rows if row.ours is not None}
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    results = {"machine": ", ".join([machine, *map(package, ("torch", "onnxruntime"))]), "rows": [*kept.values()]}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"no {name}"


if __name__ == "__main__":
    sys.exit(main())
