"""Charts drawn by matplotlib, without pyplot: nothing global, no window, safe in any thread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .chart import Bars, Chart, Curves, name_tick, place, ticks
from .pillow_figure import COLOURS, GREY, GRID, OVERALL, PALE

DPI = 100
LONGEST = 44  # letters of a label


def draw(charts: Sequence[Chart], title: str, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) the charts below each other under a title; see ``figure.draw``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [1.6 + 0.4 * len(chart.bars) if isinstance(chart, Bars) else 7.0 for chart in charts]
    scale = width / 1200
    figure = Figure(figsize=(12, 0.8 + sum(heights)), dpi=DPI * scale, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.02, ha="left", fontsize=18)
    if charts:
        parts = figure.subfigures(len(charts), squeeze=False, height_ratios=heights)[:, 0]
        for part, chart in zip(parts, charts, strict=True):
            ax = part.subplots()
            _bars(ax, chart) if isinstance(chart, Bars) else _curves(ax, chart)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _bars(ax: Any, chart: Bars) -> None:
    rows = np.arange(len(chart.bars))
    shown = [bar.estimate.value if math.isfinite(bar.estimate.value) else 0.0 for bar in chart.bars]
    ax.barh(rows, shown, 0.6, color=[_web(PALE if bar.flagged else COLOURS[0]) for bar in chart.bars], zorder=2)
    low, high = chart.extent()
    for row, bar in enumerate(chart.bars):
        estimate = bar.estimate
        if math.isfinite(estimate.low):
            ax.plot(
                [estimate.low, estimate.high], [row, row], "|-", color="black", lw=1.8, ms=9, zorder=3, clip_on=False
            )
        value = f"{estimate.value:.3g}" if math.isfinite(estimate.value) else "not defined"
        colour = _web(GREY) if bar.flagged else "black"
        ax.text(1.02, row, f"{value}   {bar.about}", va="center", transform=ax.get_yaxis_transform(), color=colour)
    if chart.overall is not None and math.isfinite(chart.overall):
        ax.axvline(chart.overall, color=_web(OVERALL), lw=1.8, zorder=1)
        ax.text(chart.overall, -0.7, f"all: {chart.overall:.3g}", color=_web(OVERALL), ha="center", va="bottom")
    ax.set_yticks(rows, [_fit(bar.label) for bar in chart.bars])
    ax.set_ylim(len(chart.bars) - 0.4, -0.6)
    ax.set_xlim(low, high)
    ax.set_title(chart.title, loc="left", pad=26)
    ax.set_xlabel(chart.unit)
    ax.grid(axis="x", color=_web(GRID), zorder=0)


def _curves(ax: Any, chart: Curves) -> None:
    for number, curve in enumerate(chart.curves):
        colour = _web(COLOURS[number % len(COLOURS)])
        x, y = [place(v, chart.x_scale) for v in curve.x], [place(v, chart.y_scale) for v in curve.y]
        ax.plot(x, y, "o-" if len(x) <= 12 else "-", color=colour, label=curve.label, lw=2)
        for value, low, high in zip(x, curve.low, curve.high, strict=False):
            if math.isfinite(low) and math.isfinite(high):
                ax.plot([value, value], [place(low, chart.y_scale), place(high, chart.y_scale)], color=colour, lw=1.2)
    x_extent, y_extent = chart.extent()
    for extent, scale, axis, limit in (
        (x_extent, chart.x_scale, ax.xaxis, ax.set_xlim),
        (y_extent, chart.y_scale, ax.yaxis, ax.set_ylim),
    ):
        marks = ticks(*extent, scale)
        axis.set_ticks([place(mark, scale) for mark in marks], [name_tick(mark, scale) for mark in marks])
        limit(*(place(value, scale) for value in extent))
    ax.set_title(chart.title, loc="left")
    ax.set_xlabel(chart.x_label)
    ax.set_ylabel(chart.y_label)
    ax.grid(color=_web(GRID))
    if any(curve.label for curve in chart.curves):
        ax.legend(loc="best", fontsize=9)


def _web(colour: tuple[int, int, int]) -> tuple[float, ...]:
    return tuple(part / 255 for part in colour)


def _fit(label: str) -> str:
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 3]}..."
