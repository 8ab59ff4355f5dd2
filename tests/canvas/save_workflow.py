"""Saves workflows from the canvas: ``python -m tests.canvas.save_workflow embed_compare``, all of them without a name.

A graph described in ``graphs/`` is built in a real ComfyUI out of its own nodes, and what its Save writes becomes
``workflows/<name>.json``. The same description gives the same file. The thumbnail shows what the workflow gave.
"""

import argparse
import importlib
import json
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import av
from PIL import Image

from .browser import Canvas, chromium
from .graph import Graph
from .server import PACK, comfyui

GRAPHS = Path(__file__).with_name("graphs")
WORKFLOWS = PACK / "workflows"
HEIGHT = 360  # of a thumbnail, in pixels


def names() -> list[str]:
    return sorted(path.stem for path in GRAPHS.glob("*.py"))


def describe(name: str) -> Graph:
    return importlib.import_module(f".graphs.{name}", __package__).GRAPH


def save(canvas: Canvas, name: str) -> dict[str, Any]:
    """The workflow that a description becomes on the canvas."""
    # An id of its own: the canvas takes two workflows of one id for two versions of the same.
    return canvas.build({"id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"likeness/{name}")), **describe(name).to_json()})


def middle_frame(path: Path) -> Image.Image:
    """Of a video; of a picture itself."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return frames[len(frames) // 2].to_image()


def thumbnail(graph: Graph, run: dict[str, Any], base: Path) -> Image.Image:
    """The pictures that a run's chosen nodes show, side by side."""
    shown = [run["outputs"][str(graph.number(node) + 1)]["images"][0] for node in graph.pictures]
    pictures = [middle_frame(base / file["type"] / file["subfolder"] / file["filename"]) for file in shown]
    pictures = [picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT)) for picture in pictures]
    sheet = Image.new("RGB", (sum(picture.width for picture in pictures), HEIGHT))
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (sum(before.width for before in pictures[:number]), 0))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default: all): {', '.join(names())}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, comfyui(Path(folder)) as address, chromium(address) as canvas:
        canvas.open()
        for name in given.names or names():
            workflow = save(canvas, name)
            run = canvas.run()
            if run["status"]["status_str"] != "success":
                raise RuntimeError(f"Expected {name} to run, got {json.dumps(run['status'], indent=1)}")
            thumbnail(describe(name), run, Path(folder)).save(WORKFLOWS / f"{name}.jpg", quality=85)
            text = json.dumps(workflow, indent=1, ensure_ascii=False) + "\n"
            (WORKFLOWS / f"{name}.json").write_text(text, encoding="utf-8")
            sys.stdout.write(f"{WORKFLOWS / name}.json and its thumbnail\n")


if __name__ == "__main__":
    main()
