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
from PIL import Image, ImageChops

from .browser import Canvas, chromium
from .graph import Graph
from .server import PACK, comfyui

GRAPHS = Path(__file__).with_name("graphs")
WORKFLOWS = PACK / "workflows"
HEIGHT = 360  # of a thumbnail, in pixels
CANVAS = (80, 110, 1820, 960)  # of a screenshot: left, top, right, bottom


def names() -> list[str]:
    return sorted(path.stem for path in GRAPHS.glob("*.py"))


def describe(name: str) -> Graph:
    return importlib.import_module(f".graphs.{name}", __package__).GRAPH


def save(canvas: Canvas, name: str) -> dict[str, Any]:
    """The workflow that a description becomes on the canvas."""
    # An id of its own: the canvas takes two workflows of one id for two versions of the same.
    return canvas.build({"id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"likeness/{name}")), **describe(name).to_json()})


def pictures(path: Path) -> list[Image.Image]:
    """A picture itself; a video's first frame and its middle one."""
    with av.open(str(path)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    return frames if len(frames) == 1 else [frames[0], frames[len(frames) // 2]]


def thumbnail(graph: Graph, run: dict[str, Any], base: Path) -> Image.Image:
    """The pictures that a run's chosen nodes show, side by side; without any, the workflow on the canvas."""
    if not graph.pictures:  # what a seeded model makes is no picture of anything
        return canvas_picture(base / "canvas.png")
    shown = [run["outputs"][str(graph.number(node) + 1)]["images"][0] for node in graph.pictures]
    files = [base / file["type"] / file["subfolder"] / file["filename"] for file in shown]
    found = [picture for file in files for picture in pictures(file)]
    found = [picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT)) for picture in found]
    sheet = Image.new("RGB", (sum(picture.width for picture in found), HEIGHT))
    for number, picture in enumerate(found):
        sheet.paste(picture, (sum(before.width for before in found[:number]), 0))
    return sheet


def canvas_picture(file: Path) -> Image.Image:
    """The nodes in a screenshot, without what is around them."""
    picture = Image.open(file).convert("RGB").crop(CANVAS)
    background = Image.new("RGB", picture.size, picture.getpixel((0, 0)))
    picture = picture.crop(
        ImageChops.difference(picture, background).convert("L").point(lambda v: v > 8 and 255).getbbox()
    )
    return picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT), Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default: all): {', '.join(names())}")
    given = parser.parse_args()
    sys.path.insert(0, str(PACK / "tests"))  # as pytest has it
    import seeded

    with tempfile.TemporaryDirectory() as folder, comfyui(Path(folder)) as address, chromium(address) as canvas:
        for name in seeded.CHECKPOINTS.keys() & {*(given.names or names())}:
            seeded.write_checkpoint(Path(folder), name)
        canvas.open()
        for name in given.names or names():
            workflow = save(canvas, name)
            text = json.dumps(workflow, indent=1, ensure_ascii=False) + "\n"
            (WORKFLOWS / f"{name}.json").write_text(text, encoding="utf-8")
            canvas.load(workflow)
            canvas.page.add_style_tag(content=".p-toast { display: none }")  # it says what is not installed here
            canvas.screenshot(Path(folder, "canvas.png"))
            seeded.write(Path(folder), [WORKFLOWS / f"{name}.json"])
            canvas.load(seeded.read(WORKFLOWS / f"{name}.json"))
            run = canvas.run(seconds=600)
            if run["status"]["status_str"] != "success":
                raise RuntimeError(f"Expected {name} to run, got {json.dumps(run['status'], indent=1)}")
            thumbnail(describe(name), run, Path(folder)).save(WORKFLOWS / f"{name}.jpg", quality=85)
            sys.stdout.write(f"{WORKFLOWS / name}.json and its thumbnail\n")


if __name__ == "__main__":
    main()
