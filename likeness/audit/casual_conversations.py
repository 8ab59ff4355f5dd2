"""Casual Conversations: does a system do as well for everybody? Its annotation files as tables, and the slice report.

Towards Measuring Fairness in AI: the Casual Conversations Dataset, https://arxiv.org/abs/2104.02821; version 2:
The Casual Conversations v2 Dataset, https://arxiv.org/abs/2303.04838. There are no weights. The data lie behind an
agreement: age and gender were told by the people themselves, skin types were judged by annotators.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .chart import Bar, Bars
from .report import Report, Section
from .statistics import Estimate, Weights, bootstrap, by_unit, weighted_mean, wilson
from .table import Cell, Column, Flags, Numbers, Table, from_records, read_json, read_table
from .verification import threshold_at

FORMATS = ("plain", "casual_conversations/v1", "casual_conversations/v2")
METRICS = ("accuracy", "mean absolute error", "TPR at FPR", "detection rate")
ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6}
UNSTATED = "not stated"
APPARENT = "Groups are apparent, model output: no person stated them, and a model's errors hide or make differences."


def load(path: Path, form: str = "plain") -> Table:
    """An annotation file as a table.

    Args:
        path: CSV, JSON or Parquet; of Casual Conversations its JSON.
        form: A format among ``FORMATS``.

    Raises:
        ValueError: The file is of another format, or damaged.
    """
    if form not in FORMATS:
        raise ValueError(f"Expected a format among {', '.join(FORMATS)}, got {form}.")
    if form == "plain":
        return read_table(path)
    found = read_json(path)
    try:
        return from_records(list((_v1 if form.endswith("v1") else _v2)(found)))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"Expected {form} in {path.name}, got a file without {error}: choose another format."
        ) from error


def _v1(found: Mapping[str, Any]) -> Iterator[dict[str, Cell]]:
    """A row per video: subject, file, whether it is dark, age, gender, skin type."""
    for subject, held in found.items():
        label, dark = held["label"], set(held["dark_files"])
        age, skin = label["age"], label["skin-type"]
        about = {"age": int(age) if str(age).isdigit() else None, "gender": label["gender"], "skin_type": int(skin)}
        for file in dict.fromkeys([*held["files"], *held["dark_files"]]):
            yield {"subject": subject, "file": file, "dark": file in dark, **about}


def _v2(found: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Cell]]:
    """A row per video; what is nested has its path as its name, and the two skin scales are numbers besides."""
    for row in found:
        flat = dict(_flatten(row))
        scale = str(row["monk_skin_tone"]["scale"]).split()[-1]
        kind = str(row["fitzpatrick_skin_tone"]["type"]).split()[-1].lower()
        monk = int(scale) if scale.isdigit() else None
        yield {"subject": str(row["subject_id"]), **flat, "fitzpatrick": ROMAN.get(kind), "monk": monk}


def _flatten(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Cell]]:
    for name, held in value.items():
        if isinstance(held, Mapping):
            yield from _flatten(held, f"{path}{name}_")
        else:
            yield f"{path}{name}", ", ".join(map(str, held)) if isinstance(held, list) else held


@dataclass(frozen=True)
class Measure:
    """What a slice report measures, and the columns that it is read from."""

    metric: str  # of ``METRICS``
    prediction: str  # what the system said: a label, a number, a score, or whether it found the face
    truth: str = ""  # what is so; for the detection rate it is not needed
    fpr: float = 0.01  # of "TPR at FPR": the false positive rate over all rows that its one threshold is set at


@dataclass(frozen=True)
class Sampling:
    """How intervals are made."""

    times: int = 1000  # samples; 0: Wilson's interval for shares, none for others
    seed: int = 0
    unit: str = ""  # rows with one value of this column are drawn together: one person's videos; empty: row by row
    least: int = 30  # rows; smaller slices are flagged


def slice_report(
    table: Table,
    measure: Measure,
    groups: Sequence[str],
    sampling: Sampling | None = None,
    apparent: bool = False,
) -> Report:
    """How well a system does in each group; small groups are flagged and stay.

    Args:
        table: A row per photo, video or pair.
        measure: What is measured.
        groups: Columns that slice the rows, each alone; of several also all together.
        sampling: How intervals are made.
        apparent: Whether the groups are a model's output; the report says so.

    Raises:
        ValueError: A column is unknown, of the wrong kind, or holds one class where two are needed.
    """
    sampling = sampling or Sampling()
    if not len(table):
        raise ValueError("Expected rows to measure, got an empty table: look at the file and how it was joined.")
    if not groups:
        raise ValueError(f"Expected columns to slice by, got none: name some of {', '.join(table.names)}.")
    found = _measure_rows(table, measure)
    units = np.array(table.texts(sampling.unit), dtype=str) if sampling.unit else np.arange(len(table))
    rows, bars = [], []
    for by, label, inside in _slices(table, groups):
        used = inside & found.counts
        estimate = _estimate(found.values[used], units[used], measure, sampling)
        small = int(used.sum()) < sampling.least
        of = f"apparent {by}" if apparent and by != "all" else by
        rows.append((of, label, int(used.sum()), int((inside & found.unknown).sum()), *vars(estimate).values(), small))
        about = f"n = {int(used.sum())}{', small' if small else ''}"
        bars.append(Bar(f"{of}: {label}", estimate, about, small))
    slices = Table.of(["by", "slice", "rows", "unknown", measure.metric, "low", "high", "small"], rows)
    chart = Bars(measure.metric, tuple(bars[1:]), measure.metric, bars[0].estimate.value)
    notes = [found.said, f"Slices of fewer than {sampling.least} rows are flagged as small: read them with care."]
    notes += [_explain(measure, sampling), *([APPARENT] if apparent else [])]
    if lost := int(found.unknown.sum()):
        notes.append(f"{lost} of {len(table)} rows lack the truth or the prediction; they are counted as unknown.")
    sections = (Section("Slices", slices, chart), _gaps(slices, measure))
    return Report(f"{measure.metric} by {', '.join(groups)}", sections, tuple(notes))


@dataclass(frozen=True, eq=False)
class Rows:
    """What each row adds to a mean."""

    values: Numbers
    counts: Flags  # which rows the mean is over
    unknown: Flags  # which would be, if they said what is needed
    said: str  # in a sentence what the mean is


def _measure_rows(table: Table, measure: Measure) -> Rows:
    if measure.metric not in METRICS:
        raise ValueError(f"Expected a metric among {', '.join(METRICS)}, got {measure.metric}.")
    if measure.metric == "detection rate":
        found = table.numbers(measure.prediction)
        known = ~np.isnan(found)
        table.select(known).flags(measure.prediction)  # are they yes and no?
        return Rows(np.nan_to_num(found), known, ~known, "The share of rows whose face was found.")
    if measure.metric == "accuracy":
        given, so = (np.array(table.texts(name), dtype=object) for name in (measure.prediction, measure.truth))
        known = np.array([a is not None and b is not None for a, b in zip(given, so, strict=True)])
        return Rows((given == so).astype(np.float64), known, ~known, "The share of rows whose prediction is the truth.")
    scores, truth = table.numbers(measure.prediction), table.numbers(measure.truth)
    known = ~np.isnan(scores) & ~np.isnan(truth)
    if measure.metric == "mean absolute error":
        error = np.nan_to_num(np.abs(scores - truth))
        return Rows(error, known, ~known, "The mean distance between prediction and truth.")
    positive = np.zeros(len(table), dtype=bool)
    positive[known] = table.select(known).flags(measure.truth)
    if not positive.any() or positive[known].all():
        raise ValueError(
            f"Expected both classes in the column {measure.truth}, got one only: a rate at a false positive rate needs "
            "rows that are true and rows that are false."
        )
    threshold = threshold_at(scores[known & ~positive], measure.fpr)
    said = (
        f"The share of true rows whose score is over {threshold:.6g}: one threshold for all slices, set so that over "
        f"all false rows at most {measure.fpr:g} are over it."
    )
    return Rows((scores > threshold).astype(np.float64), known & positive, ~known, said)


def _slices(table: Table, groups: Sequence[str]) -> Iterator[tuple[str, str, Flags]]:
    """All rows; then each group's values; of several groups also every combination that there is."""
    yield "all", "all", np.ones(len(table), dtype=bool)
    columns = {name: _labels(table, name) for name in groups}
    for name, labels in columns.items():
        for label in _in_order(table[name], labels):
            yield name, label, labels == label
    if len(groups) > 1:
        orders = [_in_order(table[name], labels) for name, labels in columns.items()]
        for combination in itertools.product(*orders):
            pairs = zip(columns.values(), combination, strict=True)
            inside = np.logical_and.reduce([labels == label for labels, label in pairs])
            if inside.any():
                yield " x ".join(groups), ", ".join(combination), inside


def _labels(table: Table, name: str) -> Column:
    return np.array([UNSTATED if text is None else text for text in table.texts(name)], dtype=object)


def _in_order(column: Column, labels: Column) -> list[str]:
    """The labels of a column, in the order of what they name; those who did not say come last."""
    first: dict[str, Any] = {label: cell for cell, label in zip(column.tolist(), labels.tolist(), strict=True)}
    unstated = [UNSTATED] * (UNSTATED in first)
    return sorted((label for label in first if label != UNSTATED), key=lambda label: first[label]) + unstated


def _estimate(values: Numbers, units: Column, measure: Measure, sampling: Sampling) -> Estimate:
    if not sampling.times and measure.metric != "mean absolute error":
        return wilson(int(values.sum()), len(values))

    def mean(weights: Weights) -> float:
        return weighted_mean(values, weights)

    return bootstrap(mean, by_unit(units), len(values), sampling.times, sampling.seed)


def _explain(measure: Measure, sampling: Sampling) -> str:
    if not sampling.times:
        is_share = measure.metric != "mean absolute error"
        return "Intervals (95 %) are Wilson's." if is_share else "There are no intervals."
    drawn = f"values of {sampling.unit}" if sampling.unit else "rows"
    fixed = " The threshold is held fixed." if measure.metric == "TPR at FPR" else ""
    return f"Intervals (95 %) are of {sampling.times} bootstrap samples of {drawn}, seed {sampling.seed}.{fixed}"


def _gaps(found: Table, measure: Measure) -> Section:
    """Per way of slicing the best and the worst slice that is not small, and how far apart they are."""
    by, label, value, small = (found[name] for name in ("by", "slice", measure.metric, "small"))
    lower_is_better = measure.metric == "mean absolute error"
    rows: list[tuple[Cell, ...]] = []
    for name in dict.fromkeys(by[1:].tolist()):
        inside = np.flatnonzero((by == name) & ~small & ~np.isnan(value))
        left_out = int(((by == name) & small).sum())
        if len(inside) < 2:
            rows.append((name, None, None, None, None, left_out))
            continue
        low, high = inside[value[inside].argmin()], inside[value[inside].argmax()]
        best, worst = (low, high) if lower_is_better else (high, low)
        ratio = float(value[low] / value[high]) if value[high] else math.nan
        rows.append((name, str(label[best]), str(label[worst]), float(value[high] - value[low]), ratio, left_out))
    table = Table.of(["by", "best", "worst", "gap", "ratio", "small slices"], rows)
    return Section("Gaps", table, None, ("Gap and ratio (least by largest) are over the slices that are not small.",))
