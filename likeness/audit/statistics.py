"""How sure a number is: Wilson's interval for a share, the bootstrap with a seed for anything else."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value and the interval that it is known to; NaN where the data do not say."""

    value: float
    low: float = math.nan
    high: float = math.nan


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> Estimate:
    """The share of successes with Wilson's interval; of no trials all is NaN.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if not trials:
        return Estimate(math.nan)
    from scipy.stats import binomtest

    interval = binomtest(int(successes), int(trials)).proportion_ci(confidence, "wilson")
    return Estimate(successes / trials, float(interval.low), float(interval.high))


def bootstrap(
    measure: Callable[[Weights], float],
    weigh: Callable[[np.random.Generator], Weights],
    count: int,
    times: int = 1000,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """A measure with its percentile interval; the same seed gives the same interval.

    Args:
        measure: The value for so many copies of each row; NaN where it is not defined.
        weigh: Draws how often each row is in a sample; see ``by_unit`` and ``by_pair_of_units``.
        count: Rows.
        times: Samples; 0 gives no interval.
        seed: Of the samples.
        confidence: Share of the samples inside.
    """
    value = measure(np.ones(count))
    if not times or math.isnan(value):
        return Estimate(value)
    generator = np.random.default_rng(seed)
    drawn = np.array([measure(weigh(generator)) for _ in range(times)])
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < times / 2:  # most samples cannot say
        return Estimate(value)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(low), float(high))


def by_unit(units: NDArray[Any]) -> Callable[[np.random.Generator], Weights]:
    """Samples of whole units: rows of one unit (a person) are drawn together.

    Args:
        units: (rows,) each row's unit; ``np.arange(rows)`` draws row by row.
    """
    count, index = _number(units)
    return lambda generator: _draw(generator, count)[index]


def by_pair_of_units(a: NDArray[Any], b: NDArray[Any]) -> Callable[[np.random.Generator], Weights]:
    """Samples of pairs, drawn by unit on both sides.

    A pair of two people is in a sample as often as the product of both, a pair of one person as often as that person.

    Args:
        a: (rows,) the unit of each pair's first side.
        b: (rows,) the unit of its second.
    """
    count, index = _number(np.concatenate([a, b]))
    first, second = index[: len(a)], index[len(a) :]

    def weigh(generator: np.random.Generator) -> Weights:
        drawn = _draw(generator, count)
        return drawn[first] * np.where(first == second, 1.0, drawn[second])

    return weigh


def weighted_mean(values: NDArray[Any], weights: Weights) -> float:
    """The mean over so many copies of each value; NaN over none."""
    total = weights.sum()
    return float((values * weights).sum() / total) if total else math.nan


def _number(units: NDArray[Any]) -> tuple[int, NDArray[np.int64]]:
    names, index = np.unique(units, return_inverse=True)
    return len(names), index.reshape(-1)


def _draw(generator: np.random.Generator, count: int) -> Weights:
    """How often each of so many units comes when as many are drawn with replacement."""
    return np.bincount(generator.integers(0, count, count), minlength=count).astype(np.float64)
