"""Charts drawn by Pillow alone: lines twice as fine as the picture, so that they are smooth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .chart import Bars, Chart, Curves, name_tick, place, ticks

Colour = tuple[int, int, int]
Point = tuple[float, float]
FINER = 2  # pixels drawn a side of each pixel
INK, GREY, GRID, PAPER, PALE = (25, 25, 25), (90, 90, 90), (222, 222, 222), (255, 255, 255), (190, 205, 220)
# Apart from each other for most colour-blind people, dark enough on white. Source: Okabe and Ito, 2008.
COLOURS: tuple[Colour, ...] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (0, 0, 0),
)
OVERALL = (213, 94, 0)
TEXT, TITLE = 20.0, 28.0  # heights, at a width of 1200
LONGEST = 0.36  # share of the width that labels of bars take at most


def draw(charts: Sequence[Chart], title: str, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) the charts below each other under a title; see ``figure.draw``."""
    sheets = [_title(title, width)]
    for chart in charts:
        sheets.append(_bars(chart, width) if isinstance(chart, Bars) else _curves(chart, width))
    whole = Image.new("RGB", (width * FINER, sum(sheet.height for sheet in sheets)), PAPER)
    y = 0
    for sheet in sheets:
        whole.paste(sheet, (0, y))
        y += sheet.height
    return np.asarray(whole.reduce(FINER))


class Pen:
    """Draws in pixels of the picture on a sheet that is finer."""

    def __init__(self, width: int, height: float) -> None:
        self.unit = width / 1200  # what sizes are stated in
        self.sheet = Image.new("RGB", (width * FINER, math.ceil(height) * FINER), PAPER)
        self.draw = ImageDraw.Draw(self.sheet)

    def line(self, points: Sequence[Point], colour: Colour, width: float = 1.0) -> None:
        fine = [(x * FINER, y * FINER) for x, y in points]
        self.draw.line(fine, colour, max(1, round(width * self.unit * FINER)), "curve")

    def box(self, x1: float, y1: float, x2: float, y2: float, colour: Colour) -> None:
        self.draw.rectangle((x1 * FINER, y1 * FINER, max(x2, x1 + 1) * FINER, y2 * FINER), fill=colour)

    def dot(self, x: float, y: float, colour: Colour, radius: float) -> None:
        self.draw.circle((x * FINER, y * FINER), radius * self.unit * FINER, fill=colour)

    def text(self, x: float, y: float, text: str, colour: Colour = INK, size: float = TEXT, anchor: str = "lm") -> None:
        self.draw.text((x * FINER, y * FINER), text, colour, self.font(size), anchor=anchor)

    def length(self, text: str, size: float = TEXT) -> float:
        return self.font(size).getlength(text) / FINER

    def font(self, size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size * self.unit * FINER)

    def fit(self, text: str, room: float) -> str:
        """The text, cut where it is longer than the room."""
        if self.length(text) <= room:
            return text
        while text and self.length(f"{text}...") > room:
            text = text[:-1]
        return f"{text}..."


def _title(title: str, width: int) -> Image.Image:
    pen = Pen(width, 64 * width / 1200)
    pen.text(24 * pen.unit, 38 * pen.unit, title, size=TITLE)
    return pen.sheet


def _bars(chart: Bars, width: int) -> Image.Image:
    unit = width / 1200
    row, top, bottom = 40 * unit, (60 if chart.overall is None else 84) * unit, 76 * unit
    pen = Pen(width, top + row * max(1, len(chart.bars)) + bottom)
    values = [f"{bar.estimate.value:.3g}" if math.isfinite(bar.estimate.value) else "not defined" for bar in chart.bars]
    notes = [f"{value}   {bar.about}" for value, bar in zip(values, chart.bars, strict=True)]
    left = 36 * unit + min(width * LONGEST, max([0.0, *(pen.length(bar.label) for bar in chart.bars)]))
    right = width - 48 * unit - max([0.0, *(pen.length(note) for note in notes)])
    low, high = chart.extent()

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    end = top + row * max(1, len(chart.bars))
    pen.text(24 * unit, 30 * unit, chart.title, size=TEXT * 1.15)
    for tick in ticks(low, high, "linear"):
        pen.line([(x(tick), top), (x(tick), end)], GRID)
        pen.text(x(tick), end + 18 * unit, name_tick(tick, "linear"), GREY, anchor="mm")
    pen.text((left + right) / 2, end + 48 * unit, chart.unit, GREY, anchor="mm")
    for number, (bar, note) in enumerate(zip(chart.bars, notes, strict=True)):
        y, estimate = top + row * (number + 0.5), bar.estimate
        pen.text(left - 12 * unit, y, pen.fit(bar.label, left - 36 * unit), anchor="rm")
        pen.text(right + 24 * unit, y, note, GREY if bar.flagged else INK)
        if not math.isfinite(estimate.value):
            continue
        first, last = sorted((x(0), x(estimate.value)))
        pen.box(first, y - row * 0.3, last, y + row * 0.3, PALE if bar.flagged else COLOURS[0])
        if math.isfinite(estimate.low):
            pen.line([(x(estimate.low), y), (x(estimate.high), y)], INK, 2.5)
            for side in (estimate.low, estimate.high):
                pen.line([(x(side), y - row * 0.16), (x(side), y + row * 0.16)], INK, 2.5)
    if chart.overall is not None and math.isfinite(chart.overall):
        pen.line([(x(chart.overall), top - 8 * unit), (x(chart.overall), end)], OVERALL, 2.5)
        pen.text(x(chart.overall), top - 18 * unit, f"all: {chart.overall:.3g}", OVERALL, anchor="mm")
    return pen.sheet


def _curves(chart: Curves, width: int) -> Image.Image:
    unit, columns = width / 1200, 2
    legend = 30 * unit * math.ceil(len(chart.curves) / columns)
    top, plot = 60 * unit, 560 * unit
    pen = Pen(width, top + plot + 100 * unit + legend)
    (x_low, x_high), (y_low, y_high) = chart.extent()
    x_ticks, y_ticks = ticks(x_low, x_high, chart.x_scale), ticks(y_low, y_high, chart.y_scale)
    names = [name_tick(tick, chart.y_scale) for tick in y_ticks]
    left, right = 64 * unit + max([0.0, *map(pen.length, names)]), width - 48 * unit
    bottom = top + plot

    def at(value: float, low: float, high: float, scale: str, start: float, stop: float) -> float:
        a, b = place(low, scale), place(high, scale)
        share = (place(value, scale) - a) / (b - a)
        return start + min(max(share, 0.0), 1.0) * (stop - start)

    def point(x: float, y: float) -> Point:
        across = at(x, x_low, x_high, chart.x_scale, left, right)
        return across, at(y, y_low, y_high, chart.y_scale, bottom, top)

    pen.text(24 * unit, 30 * unit, f"{chart.title}:  {chart.y_label}", size=TEXT * 1.15)
    for tick in x_ticks:
        across = point(tick, y_low)[0]
        pen.line([(across, top), (across, bottom)], GRID)
        pen.text(across, bottom + 20 * unit, name_tick(tick, chart.x_scale), GREY, anchor="mm")
    for tick, name in zip(y_ticks, names, strict=True):
        down = point(x_low, tick)[1]
        pen.line([(left, down), (right, down)], GRID)
        pen.text(left - 12 * unit, down, name, GREY, anchor="rm")
    pen.line([(left, top), (left, bottom), (right, bottom)], GREY, 1.5)
    pen.text((left + right) / 2, bottom + 52 * unit, chart.x_label, GREY, anchor="mm")
    for number, curve in enumerate(chart.curves):
        colour = COLOURS[number % len(COLOURS)]
        points = [point(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
        if len(points) > 1:
            pen.line(points, colour, 3.0)
        for across, down in points if len(points) <= 12 else ():
            pen.dot(across, down, colour, 5.0)
        for x, low, high in zip(curve.x, curve.low, curve.high, strict=False):
            if math.isfinite(low) and math.isfinite(high):
                pen.line([point(x, low), point(x, high)], colour, 1.5)
        x = left + (number % columns) * (right - left) / columns
        y = bottom + 84 * unit + 30 * unit * (number // columns)
        pen.line([(x, y), (x + 36 * unit, y)], colour, 4.0)
        pen.text(x + 48 * unit, y, pen.fit(curve.label, (right - left) / columns - 60 * unit))
    return pen.sheet
