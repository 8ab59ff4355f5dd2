"""Which parts of a face an answer hangs on, and whether they are those that people read it by.

Gaya-Morey et al., Unveiling the human-like similarities of automatic facial expression recognition: an empirical
exploration through explainable AI, 2024, https://arxiv.org/abs/2401.11835; code, masks and heat maps by
https://github.com/Xavi3398/ekman_expressions (MIT). Their chain: LIME on each face, heat maps brought to one canonical
face and added up, the histogram stretched, Otsu's threshold, IoU, precision, recall and F1 against masks after Ekman.
Their networks are Keras files, which are not read here: any classifier is explained, and who a face is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from .chart import Bar, Bars
from .overlap import Overlap, correlation, overlap, stretch, threshold
from .report import Report, Section
from .statistics import Estimate
from .table import Cell, Table

BARS = 24  # rows that the figure shows


@dataclass(frozen=True)
class Row:
    """A heat map against a mask."""

    heat: str
    mask: str
    at: float  # the threshold it was cut at
    overlap: Overlap
    masked: float  # share of the picture that is masked
    correlation: float  # of the heat map and the mask, without a threshold


def compare(
    heat: Tensor, masks: Tensor, names: Sequence[str], mask_names: Sequence[str], each: bool, at: float | None
) -> list[Row]:
    """Heat maps against masks.

    Args:
        heat: (N, H, W) in [0, 1].
        masks: (M, H, W) in [0, 1]; white over a half.
        names: Of the heat maps.
        mask_names: Of the masks.
        each: Each with each; else one by one, or all with the only mask.
        at: The threshold; None takes Otsu's.

    Raises:
        ValueError: They are of other sizes, or do not pair.
    """
    if heat.shape[1:] != masks.shape[1:]:
        raise ValueError(
            f"Expected heat maps and masks of one size, got {heat.shape[2]} x {heat.shape[1]} and {masks.shape[2]} x "
            f"{masks.shape[1]}: bring both to the canonical face, or both to the image."
        )
    if not each and len(masks) not in (1, len(heat)):
        raise ValueError(
            f"Expected 1 or {len(heat)} masks for {len(heat)} heat maps, got {len(masks)}: compare each with each."
        )
    rows = []
    for n, one in enumerate(heat):
        hot, cut_at = threshold(one, at)
        for m in range(len(masks)) if each else [n if len(masks) > 1 else 0]:
            mask = masks[m] > 0.5
            found = overlap(hot, mask)
            masked = float(mask.double().mean())
            rows.append(Row(names[n], mask_names[m], cut_at, found, masked, correlation(one, masks[m])))
    return rows


def report(rows: Sequence[Row], heat: Tensor, names: Sequence[str], at: float | None = None) -> Report:
    """What ``compare`` found, and how alike the heat maps are among themselves.

    Args:
        rows: As it gave them.
        heat: (N, H, W) the heat maps.
        names: Of the heat maps.
        at: The threshold; None is Otsu's.
    """
    columns = ("heat map", "mask", "IoU", "F1", "precision", "recall", "threshold", "hot", "masked", "correlation")
    cells = [_cells(row) for row in rows]
    bars = tuple(Bar(f"{r.heat}, {r.mask}", Estimate(r.overlap.iou)) for r in rows[:BARS])
    chart = Bars("Intersection over union", bars, "IoU") if bars else None
    notes = [
        f"Heat maps are cut {'by Otsu' if at is None else f'at {at:g}'}; masks count where they are over 0.5.",
        "IoU of a random map with as many hot pixels is far from 0: read hot and masked beside it.",
        "A mask says which parts people read an expression by, after Ekman; not which parts a network should read.",
    ]
    if flat := [name for name, one in zip(names, heat, strict=True) if not one.max() > one.min()]:
        notes.append(f"Flat, nothing is hot: {', '.join(flat)}.")
    sections = [Section("Heat maps and masks", Table.of(columns, cells), chart)]
    if len(heat) > 1:
        alike: list[tuple[Cell, ...]] = [
            (name, *(correlation(a, b) for b in heat)) for name, a in zip(names, heat, strict=True)
        ]
        matrix = Table.of(("heat map", *names), alike)
        sections.append(Section("How alike the heat maps are", matrix, notes=("Normalised correlation, 1: the same.",)))
    return Report("Heat maps against masks", tuple(sections), tuple(notes))


def stretched_mean(heat: Tensor) -> Tensor:
    """(1, H, W) the mean of (N, H, W) heat maps, stretched to 0 and 1: one map for many faces."""
    return stretch(heat.mean(0))[None]


def per_image(mask: Tensor, image: Tensor) -> Tensor:
    """(B, H, W) a mask for each of (B, H, W, 3) images, given as one for each or for all.

    Raises:
        ValueError: It is of another size or number.
    """
    if mask.shape[1:] != image.shape[1:3] or len(mask) not in (1, len(image)):
        raise ValueError(
            f"Expected a mask of {tuple(image.shape[:3])}, one per image or one for all, got {tuple(mask.shape)}: "
            "connect the mask of these images."
        )
    return mask.expand(image.shape[:3])


def _cells(row: Row) -> tuple[Cell, ...]:
    o = row.overlap
    shares = (o.iou, o.f1, o.precision, o.recall, row.at, o.hot, row.masked, row.correlation)
    return row.heat, row.mask, *shares
