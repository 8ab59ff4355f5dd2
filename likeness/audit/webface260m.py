"""FRUITS: how long one face takes from photo to identity on one core, and which track that is fast enough for.

WebFace260M: A Benchmark Unveiling the Power of Million-Scale Deep Face Recognition, CVPR 2021,
https://arxiv.org/abs/2103.04098. The protocol (face recognition under inference time constraint) is read off the
organisers' code, which has no licence: their numbers are kept and nothing else. Their models are not needed: any
detector and embedder is timed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from ..types import Faces
from .chart import Curve, Curves
from .report import Report, Section
from .table import Table

DET_SIZE, DET_THRESHOLD = 224, 0.3  # pixels; score
TRACKS = (100, 500, 1000)  # milliseconds
REFUSED = 2000  # milliseconds; the organisers do not evaluate what is slower
RUNS, RANK = 50, 5  # the sixth smallest of fifty
PULL = 2.0  # how much the distance from the centre counts against the area


@dataclass(frozen=True)
class Run:
    """One photo from pixels to identity."""

    photo: int
    detect: float  # seconds
    total: float  # seconds
    found: bool


def choose(faces: Faces) -> int:
    """The face that is meant: large and near the centre; of equals the first.

    Args:
        faces: One or more faces of one image.
    """
    height, width = faces.image_size
    x1, y1, x2, y2 = faces.bbox.double().unbind(1)
    across, down = (x1 + x2) / 2 - width / 2, (y1 + y2) / 2 - height / 2
    return int(((x2 - x1) * (y2 - y1) - PULL * (across**2 + down**2)).argmax())


def detection_size(height: int, width: int, size: int = DET_SIZE) -> tuple[int, int, float]:
    """Height and width that a photo is searched at, and how much smaller that is; a half is rounded up."""
    scale = size / max(height, width)
    h, w = (int(Decimal(str(scale * side)).quantize(Decimal(0), rounding=ROUND_HALF_UP)) for side in (height, width))
    return h, w, scale


def shrink(image: Tensor, size: int = DET_SIZE) -> tuple[Tensor, float]:
    """(1, size, size, 3) a photo as it is searched, in 8 bits, black right and below; and how much smaller it is.

    Args:
        image: (1, H, W, 3) RGB in [0, 1].
        size: Side of the picture, pixels.
    """
    height, width, scale = detection_size(image.shape[1], image.shape[2], size)
    small = interpolate(image.movedim(-1, 1), (height, width), mode="bilinear", align_corners=False)
    square = image.new_zeros(1, size, size, image.shape[-1])
    square[:, :height, :width] = (small.movedim(1, -1) * 255).round().clamp(0, 255) / 255
    return square, scale


def detect(detector: nn.Module, image: Tensor) -> Faces:
    """The faces of a photo, searched as the protocol does it: at 224 pixels, with a threshold of 0.3."""
    square, scale = shrink(image)
    found = verb_of(detector, "detect")(square, DET_THRESHOLD, DET_SIZE)
    points = None if found.kps is None else found.kps / scale
    return replace(found, image_size=(image.shape[1], image.shape[2]), bbox=found.bbox / scale, kps=points)


def recognise(detector: nn.Module, embedder: nn.Module, image: Tensor) -> tuple[Tensor | None, float, float]:
    """A photo's unit identity vector, and the seconds until its faces were found and in all; None without a face."""
    start = time.perf_counter()
    faces = detect(detector, image)
    between = time.perf_counter()
    if not len(faces):
        return None, between - start, between - start
    vector = verb_of(embedder, "embed")(image, faces.select(torch.tensor([choose(faces)]))).embedding
    unit = normalize(vector, dim=-1)[0]
    return unit, between - start, time.perf_counter() - start


def time_recognition(
    detector: nn.Module, embedder: nn.Module, photos: Sequence[Tensor], runs: int = RUNS
) -> Iterator[Run]:
    """Every run as it ends, photo after photo in turn, on one thread of torch.

    Args:
        detector: Whose ``detect`` finds faces; its ONNX sessions made within ``onnx.threads(1)``.
        embedder: Whose ``embed`` gives vectors; likewise.
        photos: (1, H, W, 3) each, RGB in [0, 1].
        runs: How many.
    """
    if not photos:
        raise ValueError("Expected photos to time, got none: connect an image.")
    with one_thread():
        for number in range(runs):
            photo = number % len(photos)
            vector, found, total = recognise(detector, embedder, photos[photo])
            yield Run(photo, found, total, vector is not None)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one thread meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def statistic(runs: Sequence[Run]) -> Run:
    """The run that counts: the sixth fastest, of fewer than six the slowest."""
    ordered = sorted(runs, key=lambda run: run.total)
    return ordered[min(RANK, len(ordered) - 1)]


def track(milliseconds: int) -> int | None:
    """The strictest track that this is fast enough for, in milliseconds; None over the last."""
    return next((limit for limit in TRACKS if milliseconds <= limit), None)


def report(runs: Sequence[Run], about: str = "") -> Report:
    """The time that counts, its track, and every run.

    Args:
        runs: As ``time_recognition`` gives them.
        about: Which networks ran, and on what.
    """
    counted = statistic(runs)
    total, found = int(counted.total * 1000), int(counted.detect * 1000)
    reached = track(total)
    verdict = f"FRUITS-{reached}" if reached else f"over {TRACKS[-1]} ms" if total <= REFUSED else "not evaluated"
    names = ["track", "total ms", "detect ms", "align and embed ms", "runs", "photos", "without a face"]
    missed = sum(not run.found for run in runs)
    row = (verdict, total, found, total - found, len(runs), len({run.photo for run in runs}), missed)
    every = [(n, run.photo, run.detect * 1000, run.total * 1000, run.found) for n, run in enumerate(runs)]
    notes = [f"One core. {about}".strip(), f"What counts is the {RANK + 1}th fastest of {len(runs)} runs, in whole ms."]
    notes += [f"The protocol has {RUNS} runs over 6 photos: this is not comparable."] * (len(runs) != RUNS)
    if missed:
        notes.append(f"{missed} runs found no face, and took no time to embed one: the total is too good.")
    sections = (
        Section("Time", Table.of(names, [row]), _curves(runs)),
        Section("Runs", Table.of(["run", "photo", "detect ms", "total ms", "found"], every)),
    )
    return Report("Face recognition under a time limit", sections, tuple(notes))


def _curves(runs: Sequence[Run]) -> Curves:
    """The runs, the fastest first: all of each, and what finding the face took of it."""
    ordered = sorted(runs, key=lambda run: run.total)
    ranks = tuple(float(n + 1) for n in range(len(ordered)))
    found = Curve("until the face is found", ranks, tuple(run.detect * 1000 for run in ordered))
    total = Curve("until it has an identity", ranks, tuple(run.total * 1000 for run in ordered))
    return Curves("Runs, the fastest first", (total, found), "run", "milliseconds")


def verb_of(network: nn.Module, verb: str) -> Any:
    """A network's verb.

    Raises:
        ValueError: It has none.
    """
    found = getattr(network, verb, None)
    if found is None:
        raise ValueError(f"Expected a network that can {verb}, got {type(network).__name__}: connect another loader.")
    return found
