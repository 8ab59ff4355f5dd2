"""Seeded weights in the place of published ones that cannot be here, so that workflows which name them run in tests.

What such a network gives means nothing; that it is loaded strictly, runs, and gives the same on both hosts does. A
workflow's loader names an id; here it gets a local file instead: the files of the id joined, filled from the recorded
layouts. A layout that is too large to be filled has a smaller one of the same classes beside it, ``<stem>.small.tsv``.
A workflow of ``CHECKPOINTS`` samples: it runs on ComfyUI alone, on a small checkpoint, in few steps, at a small size.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

import golden
import graphs
import portrait_graphs
import seeding
import toy_checkpoint
from likeness.manifest import Model, read_manifests
from likeness.weights import join

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "likeness-tests/seeded"
WORKFLOWS = sorted((Path(__file__).parents[1] / "workflows").glob("*.json"))
# Those that need ComfyUI's sampler, with their checkpoint and, in another's place, their diffusion model.
CHECKPOINTS = {
    "adapt_fact": "majicmixRealistic_v6.safetensors",
    "adapt_two_people": "majicmixRealistic_v6.safetensors",
    "adapt_best_of": "majicmixRealistic_v6.safetensors",
    "adapt_arc2face": "v1-5-pruned-emaonly.safetensors",
    "adapt_arc2face_expression": "v1-5-pruned-emaonly.safetensors",
    "adapt_consistentid": "v1-5-pruned-emaonly.safetensors",
    "adapt_pva": "512-inpainting-ema.safetensors",
    "adapt_wplus": "v1-5-pruned-emaonly-fp16.safetensors",
}
UNETS = dict.fromkeys(("adapt_arc2face", "adapt_arc2face_expression"), "arc2face_unet.safetensors")
DIRECTIONS = {"interfacegan/smile": 64}  # edits of codes by name, and how many numbers the small codes' rows have
ON_STANDINS = [path for path in WORKFLOWS if path.stem not in CHECKPOINTS]
# What tests run of those. There is no face in what a seeded network makes: the detector takes what is least unlike one.
SMALL: dict[str, dict[str, Any]] = {
    "KSampler": {"steps": 2},
    "LikenessAlignFaces": {"size": 64},
    "LikenessDetectFaces": {"threshold": 0.0, "max_faces": 1},
    "LikenessTrainIdentityAdapter": {"steps": 1, "size": 64},
}
SHRUNK = {
    "EmptyLatentImage": ("width", "height"),
    "SolidMask": ("width", "height"),
    "MaskComposite": ("x", "y"),
}
# What writes the file of ids that no layout describes.
MAKERS: dict[str, Callable[[Path], None]] = {**graphs.MAKERS, **portrait_graphs.MAKERS}


def models() -> dict[str, Model]:
    """The weights with a node that do not come with the pack, by id."""
    published = [model for manifest in read_manifests() if manifest.module for model in manifest.models]
    return {model.id: model for model in published if not all(file.bundled for file in model.files)}


def file_name(id: str) -> str:
    """The local file that stands in for an id."""
    return f"seeded_{id.replace('/', '_')}.{'onnx' if id in MAKERS else 'safetensors'}"


def read(workflow: Path) -> dict[str, Any]:
    """A workflow with local files where it names weights that are not here."""
    text = workflow.read_text(encoding="utf-8")
    for id in models():
        text = text.replace(f'"{id}"', f'"{file_name(id)}"')
    for edit in DIRECTIONS:
        text = text.replace(f'"{edit}"', f'"{direction_name(edit)}"')
    found = json.loads(text)
    for node in found["nodes"] if workflow.stem in CHECKPOINTS else ():
        named = node.get("widgets_values_named", {})
        shrunk = {name: named[name] // 8 for name in SHRUNK.get(node["type"], ())}
        for name, value in {**SMALL.get(node["type"], {}), **shrunk}.items():
            node["widgets_values"][list(named).index(name)] = named[name] = value
    return found


def direction_name(edit: str) -> str:
    """The local file that stands in for a direction."""
    return f"seeded_{edit.replace('/', '_')}.npy"


def write(base: Path, workflows: Iterable[Path]) -> None:
    """Put what workflows need into the models folder of a base.

    Raises:
        FileNotFoundError: A layout was not recorded.
    """
    workflows = list(workflows)
    text = "".join(path.read_text(encoding="utf-8") for path in workflows)
    for path in workflows:
        if path.stem in CHECKPOINTS:
            write_checkpoint(base, path.stem)
    for edit, size in DIRECTIONS.items():
        if f'"{edit}"' in text:
            path = base / "models/face_directions" / direction_name(edit)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, seeding.noise(edit, torch.Size([1, size])).numpy())
    for id, model in models().items():
        if f'"{id}"' in text:
            folder = base / "models" / model.folder
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / file_name(id)).exists():
                (folder / file_name(id)).symlink_to(_made(model))


def write_checkpoint(base: Path, workflow: str) -> None:
    """Put the small checkpoint where a workflow looks for large files; ComfyUI takes it for a diffusion model too."""
    files = [base / "models/checkpoints" / CHECKPOINTS[workflow]]
    files += [base / "models/diffusion_models" / UNETS[workflow]] if workflow in UNETS else []
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.symlink_to(toy_checkpoint.write(CACHE, "inpainting" in file.name))


def _made(model: Model) -> Path:
    """The file in the cache; made afresh when a layout changed."""
    make, layouts = MAKERS.get(model.id), {}
    if make is None:
        layouts = {file.part: _layout(model, file.name) for file in model.files}
        made_of = [*layouts.values(), *filter(None, map(_golden, layouts.values()))]
    else:
        made_of = [Path(inspect.getfile(make))]
    path = CACHE / golden.sha256(*made_of)[:12] / file_name(model.id)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{os.getpid()}.{path.name}")
        if make:
            make(part)
        else:
            tensors = {key: golden.state_dict(layout, _golden(layout)) for key, layout in layouts.items()}
            save_file({name: tensor.contiguous() for name, tensor in join(tensors).items()}, part)
        part.rename(path)
    return path


def _layout(model: Model, name: str) -> Path:
    folder = golden.FOLDER / model.id.split("/")[0]
    stem = Path(name).stem
    for path in (folder / f"{stem}.small.tsv", folder / f"{stem}.tsv"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"Expected the layout {folder / stem}.tsv of {model.id}, got none: record it.")


def _golden(layout: Path) -> Path | None:
    """The golden file with a layout's constants: of its own name, or the system's one."""
    found = (layout.with_suffix(".json"), layout.with_name("golden.json"))
    return next((path for path in found if path.is_file()), None)
