"""Bias experiments: one thing changed at a time in made faces, and who is confused more often because of it.

Benchmarking Algorithmic Bias in Face Recognition: An Experimental Approach Using Synthetic Faces and Human Evaluation,
ICCV 2023, https://arxiv.org/abs/2308.05441. Its 10,200 faces are data to be fetched by hand; there is no library and
there are no weights. In the paper people judged which faces are one person. Without such judgements an identity is what
the design says: the faces of one seed and group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .chart import Bar, Bars, Curve, Curves
from .design import BASE
from .report import Report, Section
from .statistics import Estimate, Weights, bootstrap, by_unit
from .table import Cell, Flags, Numbers, Table, Whole, is_missing
from .verification import roc, threshold_at

CURVE_POINTS = 200
HALF = 0.5  # no error rate over it is shown
SYNTHETIC = (
    "Synthetic, no human annotation: which faces are one person is what the design says, not what people judged. A "
    "generator that changes the person with the factor looks like an error of the recogniser."
)
APPARENT = "Groups are what the prompt asked for, apparent at most: nobody stated or judged them."


@dataclass(frozen=True, eq=False)
class Cells:
    """Pairs summed by the two people they are of, so that a sample of people is a product of weights."""

    first: Whole  # a cell's people, as numbers
    second: Whole
    count: Numbers
    errors: Numbers
    sums: Numbers  # of scores
    squares: Numbers

    @classmethod
    def of(cls, people: Whole, score: Numbers, wrong: Flags) -> Cells:
        """Cells of (pairs, 2) people."""
        ordered = np.sort(people, axis=1)
        cells, index = np.unique(ordered, axis=0, return_inverse=True)
        index = index.reshape(-1)

        def total(values: Numbers) -> Numbers:
            return np.bincount(index, values, len(cells)).astype(np.float64)

        sums = (np.ones(len(score)), wrong.astype(float), score, score**2)
        return cls(cells[:, 0], cells[:, 1], *map(total, sums))

    def weigh(self, people: Weights) -> Weights:
        """How often each cell is in a sample: as the product of its two people; a person with himself once."""
        second = people[self.second].copy()
        second[self.first == self.second] = 1
        weights: Weights = people[self.first] * second
        return weights

    def rate(self, weights: Weights) -> float:
        """The share of wrong pairs."""
        total = float((weights * self.count).sum())
        return float((weights * self.errors).sum()) / total if total else math.nan

    def moments(self, weights: Weights) -> tuple[float, float]:
        """Mean and variance of the scores."""
        total = float((weights * self.count).sum())
        if not total:
            return math.nan, math.nan
        mean = float((weights * self.sums).sum()) / total
        return mean, max(0.0, float((weights * self.squares).sum()) / total - mean**2)


@dataclass(frozen=True)
class Sampling:
    """How the intervals of a bias report are made."""

    times: int = 1000
    seed: int = 0
    by_pair: bool = False  # pairs as if they shared nobody: too narrow, for comparison with reports that do so
    least: int = 10  # identities; groups of fewer are flagged


def threshold(pairs: Table, fmr: float) -> float:
    """The similarity over which a pair matches, for all groups: at most a share ``fmr`` of pairs of two people is."""
    score, same = pairs.numbers("score"), pairs.flags("same")
    return threshold_at(score[~np.isnan(score) & ~same], fmr)


def report(pairs: Table, fmr: float = 1e-3, sampling: Sampling | None = None, annotated: bool = False) -> Report:
    """Who is confused and who is missed more often, at one threshold for all.

    Args:
        pairs: Columns ``identity_a``, ``identity_b``, ``group``, ``same``, ``score`` (a match scores high), and where
            the slope is wanted ``factor`` and ``step``.
        fmr: The false match rate over all pairs of two people that sets the threshold.
        sampling: How intervals are made.
        annotated: Whether ``same`` is what people judged.

    Raises:
        ValueError: A column is missing, or all pairs are of one class.
    """
    sampling, score, same = sampling or Sampling(), pairs.numbers("score"), pairs.flags("same")
    known = ~np.isnan(score)
    pairs, score, same = pairs.select(known), score[known], same[known]
    if not same.any() or same.all():
        what = "two people" if same.any() else "one person"
        raise ValueError(f"Expected pairs of one person and of two, got no pair of {what}: use two seeds or more.")
    limit = threshold(pairs, fmr)
    wrong = np.where(same, score <= limit, score > limit)
    people = _people(pairs)
    group = np.array([str(name) for name in pairs.texts("group")], dtype=object)
    names = ["all", *dict.fromkeys(group.tolist())]
    rows: list[tuple[Cell, ...]] = []
    curves: list[Curve] = []
    bars: dict[bool, list[Bar]] = {True: [], False: []}
    for name in names:
        inside = np.ones(len(group), dtype=bool) if name == "all" else group == name
        count = len(np.unique(people[inside]))
        small = count < sampling.least
        cells = {kind: _cells(people, score, wrong, inside & (same == kind)) for kind in (False, True)}
        rates = {kind: _rate(cells[kind], count, people, sampling) for kind in (False, True)}
        separation = _separation(cells[True], cells[False], people, sampling)
        sizes = (count, int((inside & ~same).sum()), int((inside & same).sum()))
        estimates = [value for one in (rates[False], rates[True], separation) for value in vars(one).values()]
        rows.append((name, *sizes, *estimates, small))
        for kind in (False, True) if name != "all" else ():
            about = f"{count} identities{', small' if small else ''}"
            bars[kind].append(Bar(name, rates[kind], about, small))
        curves.append(_det(name, score[inside], same[inside]))
    columns = ["group", "identities", "pairs of two", "pairs of one", "FMR", "FMR low", "FMR high"]
    columns += ["FNMR", "FNMR low", "FNMR high", "d'", "d' low", "d' high", "small"]
    found = Table.of(columns, rows)
    miss = Bars("False non-match rate by group", tuple(bars[True]), "FNMR", float(found["FNMR"][0]))
    match = Bars("False match rate by group", tuple(bars[False]), "FMR", float(found["FMR"][0]))
    det = Curves(
        "Detection error trade-off", tuple(curves), "false match rate", "false non-match rate", "probit", "probit"
    )
    sections = [Section("Groups", found, miss), Section("Gaps", _gaps(found), match)]
    sections.append(Section("Trade-off", _points(curves), det))
    if "factor" in pairs.names and "step" in pairs.names:
        sections += _slopes(pairs, score, sampling)
    notes = [f"One threshold for all groups: a similarity over {limit:.6g} matches; set at an FMR of {fmr:g} over all."]
    notes += [] if annotated else [SYNTHETIC]
    notes += [APPARENT, _explain(sampling)]
    if fmr * int((~same).sum()) < 1:
        notes.append(
            f"{int((~same).sum())} pairs of two people cannot show an FMR of {fmr:g}: the threshold lets none in."
        )
    if lost := int((~known).sum()):
        notes.append(f"{lost} pairs have no score: not counted.")
    return Report("Verification bias", tuple(sections), tuple(notes))


def _people(pairs: Table) -> Whole:
    """(pairs, 2) the two people of each pair, as numbers."""
    names = [pairs.texts("identity_a"), pairs.texts("identity_b")]
    _, index = np.unique(np.array(names, dtype=str), return_inverse=True)
    return np.asarray(index).reshape(2, -1).T


def _cells(people: Whole, score: Numbers, wrong: Flags, inside: Flags) -> Cells:
    return Cells.of(people[inside], score[inside], wrong[inside])


def _sample(measure: Callable[[Weights], float], people: Whole, sampling: Sampling) -> Estimate:
    """A measure of weighted people with its interval."""
    count = int(people.max()) + 1 if people.size else 0
    return bootstrap(measure, by_unit(np.arange(count)), count, sampling.times, sampling.seed)


def _rate(cells: Cells, count: int, people: Whole, sampling: Sampling) -> Estimate:
    if not sampling.by_pair:
        return _sample(lambda weights: cells.rate(cells.weigh(weights)), people, sampling)
    value, total = cells.rate(np.ones(len(cells.count))), int(cells.count.sum())
    if not total or not sampling.times:
        return Estimate(value)
    # So many pairs drawn from themselves hold a binomial number of wrong ones.
    drawn = np.random.default_rng(sampling.seed).binomial(total, value, sampling.times) / total
    return Estimate(value, *map(float, np.quantile(drawn, [0.025, 0.975])))


def _separation(genuine: Cells, impostor: Cells, people: Whole, sampling: Sampling) -> Estimate:
    """d': how many deviations the scores of one person and of two lie apart."""

    def measure(weights: Weights) -> float:
        (a, x), (b, y) = genuine.moments(genuine.weigh(weights)), impostor.moments(impostor.weigh(weights))
        return (a - b) / math.sqrt((x + y) / 2) if x + y > 0 else math.nan

    return _sample(measure, people, sampling)


def _det(name: str, score: Numbers, same: Flags) -> Curve:
    if not same.any() or same.all():
        return Curve(name, (), ())
    false, true, _ = roc(score, same)
    middle = np.flatnonzero((false <= HALF) & (true >= 1 - HALF) & (false > 0) & (true < 1))
    if not len(middle):  # scores that do not overlap have no trade-off
        return Curve(f"{name}: no overlap", (), ())
    keep = middle[np.unique(np.linspace(0, len(middle) - 1, CURVE_POINTS).round().astype(int))]
    return Curve(name, tuple(false[keep].tolist()), tuple((1 - true[keep]).tolist()))


def _points(curves: Sequence[Curve]) -> Table:
    rows = [(curve.label, x, y) for curve in curves for x, y in zip(curve.x, curve.y, strict=True)]
    return Table.of(["group", "FMR", "FNMR"], rows)


def _gaps(found: Table) -> Table:
    """Per measure the groups with the least and the most, and how they compare; small groups are left out."""
    rows: list[tuple[Cell, ...]] = []
    for name in ("FMR", "FNMR", "d'"):
        value, use = found.numbers(name), ~found["small"] & ~np.isnan(found.numbers(name))
        inside = np.flatnonzero(use)
        inside = inside[inside > 0]  # not "all"
        if len(inside) < 2:
            rows.append((name, None, None, None, None))
            continue
        low, high = inside[value[inside].argmin()], inside[value[inside].argmax()]
        ratio = float(value[high] / value[low]) if value[low] else math.nan
        rows.append((name, str(found["group"][low]), str(found["group"][high]), float(value[high] - value[low]), ratio))
    return Table.of(["measure", "least", "most", "difference", "ratio"], rows)


def _slopes(pairs: Table, score: Numbers, sampling: Sampling) -> list[Section]:
    """How fast a face leaves its base with each step of a factor: distance per step, through the origin."""
    step = pairs.numbers("step")
    factor, group = np.array(pairs.texts("factor"), dtype=object), np.array(pairs.texts("group"), dtype=object)
    changed = ~np.isnan(step) & np.array([not is_missing(name) and name != BASE for name in factor])
    if not changed.any():
        return []
    person = np.array(pairs.texts("identity_a"), dtype=str)
    rows: list[tuple[Cell, ...]] = []
    curves = []
    for name in dict.fromkeys(factor[changed].tolist()):
        of = changed & (factor == name)
        for label in ["all", *dict.fromkeys(group[of].tolist())]:
            inside = of if label == "all" else of & (group == label)
            x, y, units = step[inside], 1 - score[inside], person[inside]

            def slope(weights: Weights, x: Numbers = x, y: Numbers = y) -> float:
                total = float((weights * x * x).sum())
                return float((weights * x * y).sum()) / total if total else math.nan

            estimate = bootstrap(slope, by_unit(units), len(x), sampling.times, sampling.seed)
            rows.append((name, label, len(np.unique(units)), *vars(estimate).values()))
        steps = np.unique(step[of])
        means = [float((1 - score[of & (step == value)]).mean()) for value in steps]
        curves.append(Curve(str(name), (0.0, *steps.tolist()), (0.0, *means)))
    table = Table.of(["factor", "group", "identities", "distance per step", "low", "high"], rows)
    chart = Curves("Distance from the base face", tuple(curves), "steps from the base", "cosine distance")
    note = "Slope of the cosine distance to the base face over the steps, through the origin; people are resampled."
    return [Section("Slopes", table, chart, (note,))]


def _explain(sampling: Sampling) -> str:
    if not sampling.times:
        return "There are no intervals."
    drawn = "pairs, as if they shared nobody: too narrow" if sampling.by_pair else "identities, on both sides of a pair"
    return (
        f"Intervals (95 %) are of {sampling.times} bootstrap samples of {drawn}; seed {sampling.seed}; the threshold "
        f"is held fixed. Groups of fewer than {sampling.least} identities are flagged as small."
    )
