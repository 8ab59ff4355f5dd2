"""Identities in files: our own safetensors, face models of ReActor, NumPy's arrays.

Ours keeps what an identity means: its space, measure and threshold, which weights made it and under which terms. A
large one is not read but mapped: its rows come from the disk when they are looked at.
ReActor's layout: save_face_model in reactor_utils.py of Gourieff/ComfyUI-ReActor; the vector of InsightFace's
buffalo_l, not normalised. It and an array say nothing of their weights: that is for who loads them to say.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..types import Embeddings
from .gallery import Gallery, lengths

FORMAT, VERSION = "likeness-identity", "1"
SUFFIXES = (".safetensors", ".npy")
MAPPED = 500_000_000  # bytes; a larger file is mapped
DTYPES = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "U8": "u1"}
REACTOR = ("embedding", "bbox", "kps", "det_score")


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a file holds."""

    gallery: Gallery
    kind: str  # in words: which layout it was
    note: str = ""  # what its maker wrote


def save(gallery: Gallery, path: Path, note: str = "") -> Path:
    """Write identities with all that they mean.

    Args:
        gallery: One or more.
        path: Ends in .safetensors.
        note: What to say besides, for people.

    Raises:
        ValueError: There is nobody, or a vector is zero or NaN.
    """
    from safetensors.torch import save_file

    known = gallery.identities
    if not len(known):
        raise ValueError("Expected an identity to save, got none: check what was detected.")
    lengths(known.embedding)
    tensors = {"embedding": known.embedding.detach().cpu().float().contiguous()}
    if gallery.names:
        if any("\n" in name for name in gallery.names):
            raise ValueError("Expected names of one line each, got one with a line break: take it out.")
        tensors["names"] = torch.frombuffer(
            bytearray("\n".join(gallery.names), "utf-8") or bytearray(1), dtype=torch.uint8
        )
    about = {
        "format": FORMAT,
        "version": VERSION,
        "space": known.space,
        "metric": known.metric,
        "threshold": "" if known.threshold is None else repr(known.threshold),
        "weights": known.weights,
        "note": note,
    }
    if known.flat:
        about["flat"] = "yes"
    save_file(tensors, path, about)
    return path


def load(path: Path, maker: Embeddings | None = None) -> Loaded:
    """The identities in a file.

    Args:
        path: Ours, a face model of ReActor, or an array of (D,) or (N, D) numbers.
        maker: What the model that made them gives of no face. A file of another make takes its space from it; without
            it the vectors are in a space of their own and compared with each other only.

    Raises:
        ValueError: The file is of another kind or damaged, its vectors are zero, NaN or of another size, or it says
            that it is of another space.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"Expected a file of identities in {' or '.join(SUFFIXES)}, got {path.name}.")
    if path.suffix.lower() == ".npy":
        loaded = _foreign(_read_array(path), path, maker, "array")
    else:
        tensors, about = _read_tensors(path)
        if about.get("format") == FORMAT:
            loaded = _ours(tensors, about, path, maker)
        elif set(REACTOR) <= tensors.keys():
            loaded = _foreign(tensors["embedding"], path, maker, "ReActor face model")
        elif "embedding" in tensors:
            loaded = _foreign(tensors["embedding"], path, maker, "safetensors with a tensor named embedding")
        else:
            raise ValueError(
                f"Expected identities in {path.name}, got tensors named {', '.join(sorted(tensors)[:6]) or 'nothing'}: "
                "save it with Save Identity, or as a ReActor face model."
            )
    lengths(loaded.gallery.identities.embedding, f"file {path.name}")
    return loaded


def _ours(tensors: dict[str, Tensor], about: dict[str, str], path: Path, maker: Embeddings | None) -> Loaded:
    if about.get("version") != VERSION:
        raise ValueError(f"Expected version {VERSION} of {path.name}, got {about.get('version')}: update this pack.")
    if maker is not None and maker.space != about["space"]:
        raise ValueError(
            f"Expected {path.name} to be of the space {maker.space}, got {about['space']}: load the model that made it."
        )
    threshold = float(about["threshold"]) if about["threshold"] else None
    vectors = _two_dimensional(tensors["embedding"], path)
    flat = about.get("flat") == "yes"
    known = Embeddings(None, about["space"], vectors, about["metric"], threshold, about["weights"], flat)
    names = tuple(bytes(tensors["names"].numpy()).decode("utf-8").split("\n")) if "names" in tensors else ()
    return Loaded(Gallery(known, names), "Likeness identity", about["note"])


def _foreign(vectors: Tensor, path: Path, maker: Embeddings | None, kind: str) -> Loaded:
    if maker is not None and maker.flat and vectors.numel() % maker.embedding.shape[1] == 0:
        vectors = vectors.reshape(-1, maker.embedding.shape[1])  # (18, 512) or (N, 18, 512): codes row by row
    rows = _two_dimensional(vectors, path)
    known = Embeddings(None, f"unstated ({path.name})", rows)
    if maker is not None:
        if rows.shape[1] != maker.embedding.shape[1]:
            raise ValueError(
                f"Expected vectors of {maker.embedding.shape[1]} numbers, as {maker.space} has them, got "
                f"{rows.shape[1]} in {path.name}: connect the model that made them."
            )
        known = replace(maker, faces=None, embedding=rows)
    return Loaded(Gallery(known, (path.stem,) if len(rows) == 1 else ()), kind)


def _two_dimensional(vectors: Tensor, path: Path) -> Tensor:
    rows = vectors[None] if vectors.ndim == 1 else vectors
    if rows.ndim != 2 or not rows.shape[0] or rows.shape[1] < 2 or not rows.is_floating_point():
        raise ValueError(
            f"Expected (D,) or (N, D) numbers in {path.name}, got {tuple(vectors.shape)} of {vectors.dtype}: save one "
            "vector a row."
        )
    return rows


def _read_array(path: Path) -> Tensor:
    mode = "c" if path.stat().st_size > MAPPED else None  # copied where written: nobody changes the file
    try:
        return torch.from_numpy(np.load(path, mmap_mode=mode, allow_pickle=False))  # type: ignore[arg-type]
    except (ValueError, TypeError, OSError, EOFError) as error:
        raise ValueError(
            f"Expected an array of numbers in {path.name}, got {error}: save it with numpy.save."
        ) from error


def _read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file; of a large file they are mapped."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:  # checks the header
            about = file.metadata() or {}
            if path.stat().st_size <= MAPPED:
                return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"Expected a safetensors file in {path.name}, got a damaged one ({error}).") from error
    with path.open("rb") as raw:
        start = int.from_bytes(raw.read(8), "little")
        header: dict[str, Any] = json.loads(raw.read(start))
    header.pop("__metadata__", None)
    return {name: _map(path, entry, 8 + start) for name, entry in header.items()}, about


def _map(path: Path, entry: dict[str, Any], start: int) -> Tensor:
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"Expected numbers in {', '.join(DTYPES)} in {path.name}, got {entry['dtype']}.")
    offset = start + entry["data_offsets"][0]
    mapped = np.memmap(path, DTYPES[entry["dtype"]], "c", offset, tuple(entry["shape"]))
    return torch.from_numpy(mapped)


def described(loaded: Loaded) -> str:
    """What was loaded, for people: a line each."""
    known = loaded.gallery.identities
    rule = "no published threshold" if known.threshold is None else f"threshold {known.threshold:g}"
    lines = [
        f"{len(known)} x {known.embedding.shape[1]}, {loaded.kind}",
        f"space: {known.space} ({known.metric}, {rule})",
        f"weights: {known.weights or 'not stated'}",
    ]
    return "\n".join(lines + [f"note: {loaded.note}"] * bool(loaded.note))


def without_faces(gallery: Gallery) -> Gallery:
    """The identities alone, their pictures forgotten."""
    return Gallery(replace(gallery.identities, faces=None), gallery.names)
