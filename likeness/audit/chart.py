"""What a report's figures show, whoever draws them: bars with intervals, and curves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from .statistics import Estimate

SCALES = ("linear", "log", "probit")
EDGE = 1e-6  # shares are shown no closer to 0 and 1 on a log or probit scale


@dataclass(frozen=True)
class Bar:
    """One value with the interval that it is known to."""

    label: str
    estimate: Estimate
    about: str = ""  # stands behind the value: "n = 40"
    flagged: bool = False  # drawn pale: to be read with care


@dataclass(frozen=True)
class Bars:
    """Values of groups, below each other."""

    title: str
    bars: tuple[Bar, ...]
    unit: str = ""  # what the axis counts
    overall: float | None = None  # a line through all bars

    def extent(self) -> tuple[float, float]:
        """The least and the largest value on the axis; it begins at 0 where nothing is below."""
        estimates = [bar.estimate for bar in self.bars]
        values = [v for e in estimates for v in (e.value, e.low, e.high) if math.isfinite(v)]
        values += [self.overall] if self.overall is not None and math.isfinite(self.overall) else []
        low, high = min([0.0, *values]), max([0.0, *values])
        return low, high if high > low else low + 1.0


@dataclass(frozen=True)
class Curve:
    """Points joined by a line; of one point a mark."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()  # of y, where it has intervals
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Curves:
    """Curves over one pair of axes."""

    title: str
    curves: tuple[Curve, ...]
    x_label: str
    y_label: str
    x_scale: str = "linear"  # "linear", "log" or "probit", on which normal scores lie on a straight line
    y_scale: str = "linear"

    def extent(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The least and largest x and y on the axes, in values."""
        x = [value for curve in self.curves for value in curve.x]
        y = [value for curve in self.curves for value in (*curve.y, *curve.low, *curve.high)]
        return _range(x, self.x_scale), _range(y, self.y_scale)


Chart = Bars | Curves


def place(value: float, scale: str) -> float:
    """Where a value lies on an axis of a scale."""
    if scale == "log":
        return math.log10(max(value, EDGE))
    if scale == "probit":
        return NormalDist().inv_cdf(min(max(value, EDGE), 1 - EDGE))
    return value


def ticks(low: float, high: float, scale: str, count: int = 6) -> list[float]:
    """Round values between two that an axis is marked at."""
    if scale == "log":
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]
    if scale == "probit":
        known = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999, 1 - 1e-5, 1 - 1e-6)
        return [value for value in known if low - 1e-12 <= value <= high + 1e-12]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def name_tick(value: float, scale: str) -> str:
    """A tick as it is written."""
    if scale == "probit":
        return f"{100 * value:.4g} %"
    return f"{value:.6g}" if abs(value) >= 1e-3 or not value else f"{value:.0e}"


def _range(values: list[float], scale: str) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if scale == "linear":
        return (low, high) if high > low else (low - 0.5, high + 0.5)
    positive = [value for value in finite if value > 0] or [EDGE, 1.0]
    low = max(min(positive), EDGE)
    if scale == "log":
        first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(max(positive)) - 1e-9)
        return 10.0 ** (first if first < last else last - 1), 10.0**last
    marks = ticks(EDGE, 1 - EDGE, scale)
    above = [mark for mark in marks if mark >= min(max(finite), 1 - EDGE)]
    high = max(above[0] if above else 1 - EDGE, 0.5)
    below = [mark for mark in marks if mark <= low and mark < high]
    return (below[-1] if below else EDGE), high
