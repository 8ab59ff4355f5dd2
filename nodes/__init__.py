"""The ComfyUI binding: one module per task, each listing its NODES."""

import logging
import os
import shutil
import tempfile
from pathlib import Path

import folder_paths
from comfy_api.latest import ComfyExtension, io

from . import (
    adapt,
    analyze,
    audit,
    codes,
    crops,
    detect,
    embed,
    experiments,
    explain,
    expressions,
    faces,
    faceset,
    gallery,
    guidance,
    head3d,
    identity,
    landmark,
    masks,
    match,
    panel,
    parse,
    privacy,
    prompts,
    reenact,
    render,
    reports,
    restore,
    segs,
    streams,
    swap,
    tracks,
    training,
    videos,
    warps,
)

TASKS = (faces, crops, tracks, masks, streams, detect, landmark, guidance, parse, embed, reenact, swap, head3d, render)
TASKS += (adapt, prompts, training, analyze, audit, experiments, explain, expressions, reports)
TASKS += (restore, videos, privacy, faceset, segs, warps)
TASKS += (identity, gallery, codes, match)


STARTER = Path(__file__).parents[1] / "models_manifest/starter"
MEDIA = (".png", ".jpg", ".mp4", ".csv")
REFUSED = os.environ.get("LIKENESS_EXAMPLES") == "0"


class LikenessExtension(ComfyExtension):
    async def on_load(self) -> None:
        panel.register()
        if not REFUSED:
            copy_examples(Path(folder_paths.get_input_directory()))

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [node for task in TASKS for node in task.NODES if is_sound(node)]


def copy_examples(folder: Path) -> None:
    """Put the shipped photos and clip into the input folder, for workflows to run on; what is there stays."""
    for source in sorted(path for path in STARTER.rglob("*") if path.suffix in MEDIA):
        path = folder / f"likeness_{source.name}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                with tempfile.TemporaryDirectory(prefix=".likeness-", dir=folder) as part:
                    Path(shutil.copyfile(source, Path(part, path.name))).rename(path)  # nobody sees half of it
        except OSError as error:
            logging.info("Likeness: %s is not in the input folder: %s", path.name, error)


def is_sound(node: type[io.ComfyNode]) -> bool:
    """Whether ComfyUI can show the node; it drops the whole pack for one that it cannot."""
    try:
        node.GET_SCHEMA()
    except Exception:
        logging.exception("Likeness: %s is left out, its schema is broken", node.__name__)
        return False
    return True
