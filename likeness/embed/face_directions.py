"""Directions along which a face's code is edited: older, smiling, eyes open, in StyleGAN2's space of FFHQ faces.

Three published sets, as csxmli2016/w-plus-adapter (NTU S-Lab License 1.0, non-commercial) carries them; none comes with
this pack:
InterFaceGAN, CVPR 2020, https://arxiv.org/abs/2005.09635: one row that every layer moves along.
Latent directions, a row for each layer; the W+ adapter's authors move the first eight.
GANSpace, NeurIPS 2020, https://arxiv.org/abs/2004.02546: principal components; an edit sets one at some layers.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..types import Embeddings

FAMILIES = ("interfacegan", "latent", "ganspace")
SUFFIXES = (".npy", ".safetensors", ".pt", ".pth")
COARSE = 8  # layers that a latent direction was published for
# What GANSpace's table is known to hold; the numbers are in the table.
COMPONENTS = (
    "frizzy_hair background_blur bald big_smile caricature_smile scary_eyes curly_hair dark_bg_shiny_hair "
    "dark_hair_and_light_pos dark_hair disgusted displeased eye_openness eye_wrinkles eyebrow_thickness face_roundness "
    "fearful_eyes hairline happy_frizzy_hair happy_elderly_lady head_angle_up huge_grin in_awe wide_smile large_jaw "
    "light_lr lipstick_and_age lipstick mascara_vs_beard nose_length elderly_woman overexposed screaming short_face "
    "show_front_teeth smile straight_bowl_cut sunlight_in_face trimmed_beard white_hair wrinkles boyishness"
)
GANSPACE = tuple(COMPONENTS.split())


@dataclass(frozen=True, eq=False)
class Component:
    """A principal component, of which an edit says where a face is to lie."""

    centre: Tensor  # (D,) the mean face's row
    deviation: float  # of faces along it


@dataclass(frozen=True, eq=False)
class Direction:
    """A way to go, and the layers of a code that go it."""

    name: str
    way: Tensor  # (1, D) for all layers, or (L, D)
    first: int = 0
    stop: int | None = None  # the layer before which it ends; None: all
    component: Component | None = None


def published(edit: str, files: Mapping[str, Path]) -> Direction:
    """A published direction.

    Args:
        edit: "interfacegan/age", "latent/eyes_open", "ganspace/smile".
        files: Those of its set, by their part in the manifest.

    Raises:
        ValueError: A file does not hold it.
    """
    family, _, name = edit.partition("/")
    if family != "ganspace":
        return replace(read(files[name]), name=edit, stop=COARSE if family == "latent" else None)
    tensors = read_tensors(files["pca"])
    with files["edits"].open(encoding="utf-8", newline="") as file:
        table = {row[0]: [int(number) for number in row[1:4]] for row in csv.reader(file, delimiter="\t") if row}
    if name not in table:
        raise ValueError(f"Expected the edit {name} in {files['edits'].name}, got {', '.join(table)}.")
    number, first, stop = table[name]
    component = Component(tensors["mean"].reshape(-1).float(), float(tensors["std"][number]))
    return Direction(edit, tensors["comp"][number].reshape(1, -1).float(), first, stop, component)


def read(path: Path) -> Direction:
    """A direction of one's own: an array (D,), (1, D) or (L, D), or a file with one such tensor.

    Raises:
        ValueError: The file is of another kind, or holds something else.
    """
    tensors = read_tensors(path)
    if len(tensors) != 1:
        raise ValueError(f"Expected one direction in {path.name}, got {len(tensors)} tensors: save it alone.")
    (way,) = tensors.values()
    rows = way.reshape(-1, way.shape[-1]) if way.ndim else way
    if rows.ndim != 2 or not rows.is_floating_point() or not bool(rows.isfinite().all()) or not bool(rows.any()):
        raise ValueError(
            f"Expected a direction of (D,) or (L, D) finite numbers, not all 0, in {path.name}, got "
            f"{tuple(way.shape)} of {way.dtype}: get it again."
        )
    return Direction(path.stem, rows.float())


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of an array, a safetensors file or a pickle, whose code never runs."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from ..fetch.pickles import read_tensors as read_pickle

    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"Expected a direction in {', '.join(SUFFIXES)}, got {path.name}.")
    try:
        if suffix == ".npy":
            return {"value": torch.from_numpy(np.load(path, allow_pickle=False))}
        return load_file(path) if suffix == ".safetensors" else read_pickle(path)
    except (SafetensorError, ValueError, TypeError, OSError, EOFError) as error:
        raise ValueError(f"Expected a direction in {path.name}, got a file that is none: {error}") from error


def edit(codes: Embeddings, direction: Direction, strength: float, first: int = 0, last: int = 0) -> Embeddings:
    """Codes some way along a direction.

    Args:
        codes: Of a flat space, of any number of faces.
        direction: Where to go.
        strength: How far: times the direction is added; of a component the place to go to, in deviations of faces.
        first: The first layer to change, counted from 1; 0 as published.
        last: The last; 0 as published.

    Raises:
        ValueError: They are no codes, or of other rows than the direction; there is no such layer.
    """
    width = direction.way.shape[1]
    if not codes.flat:
        raise ValueError(
            f"Expected codes from which a generator makes faces, such as e4e's, got identities of {codes.space}: "
            "choose e4e in Load Face Embedder."
        )
    rows, rest = divmod(codes.embedding.shape[1], width)
    if rest or len(direction.way) not in (1, rows):
        raise ValueError(
            f"Expected codes with rows of {width} numbers for {direction.name}"
            f"{f', {len(direction.way)} of them' if len(direction.way) > 1 else ''}, got {codes.embedding.shape[1]} "
            "numbers: it belongs to another generator."
        )
    start = first - 1 if first else direction.first
    stop = last or (rows if direction.stop is None else min(direction.stop, rows))
    if not 0 <= start < stop <= rows:
        raise ValueError(f"Expected layers among 1 to {rows}, the first before the last, got {start + 1} to {stop}.")
    x = codes.embedding.float().reshape(-1, rows, width).clone()
    amount = torch.full((len(x), 1, 1), float(strength))
    if (component := direction.component) is not None:
        now = (x[:, 0] - component.centre) @ direction.way[0] / component.deviation  # the first row stands for all
        amount = ((strength - now) * component.deviation)[:, None, None]
    x[:, start:stop] += amount * direction.way.expand(rows, -1)[start:stop]
    return replace(codes, faces=None, embedding=x.flatten(1).to(codes.embedding.dtype))
