"""Verification: from pairs with scores to rates, curves, thresholds and folds. Pairs are columns; a match scores high.

Source of the folds: the protocol of LFW (http://vis-www.cs.umass.edu/lfw), as research code counts it: the threshold
that is right most often on nine folds judges the tenth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .chart import Curve, Curves
from .report import Report, Section
from .statistics import wilson
from .table import Cell, Flags, Numbers, Table, Whole

FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1)
FOLDS = 10
SHOWN, CANDIDATES = 400, 1000  # points of a curve; thresholds that are tried


def parse_fars(text: str) -> tuple[float, ...]:
    """False accept rates from "1e-4, 1e-3"; the usual ones of an empty text.

    Raises:
        ValueError: One is no share.
    """
    try:
        fars = tuple(float(word) for word in text.split(",") if word.strip()) or FARS
    except ValueError:
        fars = (-1.0,)
    if not all(0 <= far <= 1 for far in fars):
        raise ValueError(f"Expected rates from 0 to 1 with commas between, such as 1e-4, 1e-3, got {text!r}.")
    return fars


def threshold_at(impostors: Numbers, far: float) -> float:
    """The least threshold with at most a share ``far`` of the impostor scores over it.

    A score matches when it is over the threshold. Of N impostors a rate under 1 / N is only reached by the threshold
    that lets none through.

    Raises:
        ValueError: There is no impostor.
    """
    if not len(impostors):
        raise ValueError(
            "Expected pairs of two people to set a threshold by, got none: add pairs that are not the same."
        )
    ordered = np.sort(impostors)[::-1]
    allowed = math.floor(far * len(ordered) + 1e-9)
    return float(ordered[allowed]) if allowed < len(ordered) else float(np.nextafter(ordered[-1], -np.inf))


def roc(scores: Numbers, same: Flags) -> tuple[Numbers, Numbers, Numbers]:
    """False accept rates, true accept rates and their thresholds, the strictest first; a score matches at it."""
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], same[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    accepted, wrong = np.cumsum(right)[last], np.cumsum(~right)[last]
    return wrong / max(1, (~same).sum()), accepted / max(1, same.sum()), ranked[last]


@dataclass(frozen=True)
class Fold:
    """How one fold of pairs was judged."""

    threshold: float
    accuracy: float
    pairs: int


def judge_folds(scores: Numbers, same: Flags, fold: Whole, steps: Numbers) -> list[Fold]:
    """Each fold judged by the threshold that is right most often on the others.

    Args:
        scores: A match scores high.
        same: Which pairs are of one person.
        fold: The fold of each pair; where there is but one it is judged by its own threshold.
        steps: The candidates, as they are tried; of equally good ones the first wins. A score over it matches.
    """
    right = np.stack([(scores > step) == same for step in steps])
    judged = []
    for number in np.unique(fold):
        test = fold == number
        best = int(right[:, test if test.all() else ~test].mean(1).argmax())
        judged.append(Fold(float(steps[best]), float(right[best, test].mean()), int(test.sum())))
    return judged


def pool_templates(features: Numbers, template: Whole, media: Whole) -> tuple[Numbers, Whole]:
    """The unit vector of each template, and which template it is.

    Frames of one medium (a video) are averaged first, then media are summed. Features come as they are to count: not
    normalised, or times a detector's score, where that is wanted.
    Source: the IJB-B and IJB-C protocol as insightface evaluates it, recognition/_evaluation_/ijb.
    """
    pairs, inverse = np.unique(np.stack([template, media], 1), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    sums = np.zeros((len(pairs), features.shape[1]))
    np.add.at(sums, inverse, features)
    means = sums / np.bincount(inverse, minlength=len(pairs))[:, None]
    names, of = np.unique(pairs[:, 0], return_inverse=True)
    pooled = np.zeros((len(names), features.shape[1]))
    np.add.at(pooled, of.reshape(-1), means)
    length = np.linalg.norm(pooled, axis=1, keepdims=True)
    return pooled / np.where(length > 0, length, 1), names


def add_flipped(features: Numbers, flipped: Numbers) -> Numbers:
    """The sum of each face's unit vector and that of its mirror image."""
    if features.shape != flipped.shape:
        raise ValueError(f"Expected a mirrored face for each, got {flipped.shape} for {features.shape}.")
    return _unit(features) + _unit(flipped)


def _unit(features: Numbers) -> Numbers:
    length = np.linalg.norm(features, axis=1, keepdims=True)
    if bad := np.flatnonzero(~np.isfinite(length[:, 0]) | (length[:, 0] == 0)).tolist():
        raise ValueError(f"Expected vectors with a direction, got zero or NaN in the rows {bad[:8]}: leave them out.")
    return features / length


def check_pairs(table: Table) -> tuple[Numbers, Flags, Flags]:
    """Scores, which pairs are the same, and which have a score at all.

    Raises:
        ValueError: Columns are missing, or one class is.
    """
    scores, same = table.numbers("score"), table.flags("same")
    known = ~np.isnan(scores)
    if not same[known].any() or same[known].all():
        what = "one person" if not same[known].any() else "two people"
        raise ValueError(
            f"Expected pairs of one person and pairs of two, got no pair of {what} with a score: look at the pair file "
            "and at which photos failed."
        )
    return scores, same, known


def report(table: Table, fars: Sequence[float] = FARS, lower_is_closer: bool = False, by: str = "") -> Report:
    """ROC, true accept rates at false accept rates, and the accuracy over folds where the pairs have some.

    Args:
        table: Pairs: ``score``, ``same``, and ``fold`` where there are folds.
        fars: False accept rates.
        lower_is_closer: Whether scores are distances.
        by: A column whose values each have an accuracy of their own, over folds and by their own thresholds.
    """
    scores, same, known = check_pairs(table)
    signed = (-scores if lower_is_closer else scores)[known]
    same = same[known]
    impostors, genuine = signed[~same], signed[same]
    rows: list[tuple[Cell, ...]] = []
    for far in fars:
        threshold = threshold_at(impostors, far)
        accepted = wilson(int((genuine > threshold).sum()), len(genuine))
        got = float((impostors > threshold).mean())
        shown = -threshold if lower_is_closer else threshold
        rows.append((far, got, *vars(accepted).values(), shown, far * len(impostors) < 1))
    points = Table.of(["FAR", "FAR reached", "TAR", "low", "high", "threshold", "too few pairs"], rows)
    false, true, _ = roc(signed, same)
    keep = np.unique(np.linspace(0, len(false) - 1, SHOWN).round().astype(int))
    line = Curve("all pairs", tuple(false[keep].tolist()), tuple(true[keep].tolist()))
    chart = Curves("ROC", (line,), "false accept rate", "true accept rate", "log")
    notes = ["TAR with Wilson's interval (95 %), pair by pair; pairs that share people make it too narrow."]
    notes += ["A FAR below 1 / (pairs of two people) cannot be measured: those rows are marked."] * bool(
        points["too few pairs"].any()
    )
    sections = [Section("True accept rates", points, chart, tuple(notes))]
    if "fold" in table.names and len(np.unique(table["fold"])) > 1:
        sections.append(_fold_section(signed, same, table.select(known), lower_is_closer))
    if by:
        sections.append(_group_section(signed, same, table.select(known), by, lower_is_closer))
    count = f"{int(same.sum())} pairs of one person, {int((~same).sum())} of two"
    said = [f"{count}; area under the ROC {area(false, true):.6f}."]
    if lost := int((~known).sum()):
        said.append(f"{lost} of {len(table)} pairs have no score (a photo is missing or shows no face): not counted.")
    return Report("Verification", tuple(sections), tuple(said))


def judge(table: Table, by: str = "", lower_is_closer: bool = False) -> Table:
    """The pairs that have a score, with ``judged``: whether they match by the threshold of the other folds.

    Without a column ``fold`` pairs are dealt to ten folds in their order, those of one person and of two apart.

    Args:
        table: Pairs: ``score``, ``same``, and ``fold`` where there are folds.
        by: A column whose values each have thresholds of their own, as tables of accuracy per ethnicity do; else one
            threshold serves all.
        lower_is_closer: Whether scores are distances.
    """
    scores, same, known = check_pairs(table)
    table, scores, same = table.select(known), (-scores if lower_is_closer else scores)[known], same[known]
    labels = np.array([str(label) for label in table.texts(by)]) if by else np.zeros(len(table))
    judged = np.zeros(len(table), dtype=bool)
    for label in np.unique(labels):
        inside = labels == label
        numbers = _fold_of(table, same, inside)
        steps = steps_of(scores[inside], lower_is_closer) if by else candidates(scores[inside])
        folds = judge_folds(scores[inside], same[inside], numbers, steps)
        limits = dict(zip(np.unique(numbers).tolist(), [one.threshold for one in folds], strict=True))
        judged[inside] = scores[inside] > np.array([limits[n] for n in numbers.tolist()])
    return table.with_column("judged", judged)


def deal(same: Flags) -> Whole:
    """A fold for each pair, in order; each fold has its share of both kinds."""
    fold = np.zeros(len(same), dtype=np.int64)
    for kind in (False, True):
        inside = np.flatnonzero(same == kind)
        fold[inside] = np.arange(len(inside)) * FOLDS // max(1, len(inside))
    return fold


def candidates(scores: Numbers) -> Numbers:
    """Thresholds to try: scores themselves, at most a thousand, evenly by rank; and one below all."""
    steps = np.unique(scores)
    steps = steps[np.unique(np.linspace(0, len(steps) - 1, CANDIDATES).round().astype(int))]
    return np.append(np.nextafter(steps[0], -np.inf), steps)


def steps_of(scores: Numbers, lower_is_closer: bool) -> Numbers:
    """Thresholds to try as tables of accuracy per group do; of distances, whose scale is not known, ``candidates``.

    Of cosines they are those of 400 squared distances between unit vectors, from 0 in steps of 0.01.
    Source: seva100/stylegan-for-facerec, util/utils.py and util/verification.py, by reading.
    """
    if lower_is_closer or (np.abs(scores) > 1 + 1e-6).any():
        return candidates(scores)
    return 1 - np.arange(0, 4, 0.01) / 2


def _fold_of(table: Table, same: Flags, inside: Flags) -> Whole:
    """The fold of each pair of a group: the table's, or dealt."""
    fold = table.numbers("fold")[inside] if "fold" in table.names else deal(same[inside])
    return fold.astype(np.int64)


def area(false: Numbers, true: Numbers) -> float:
    """The area under an ROC curve, by trapezoids."""
    x, y = np.concatenate([[0.0], false, [1.0]]), np.concatenate([[0.0], true, [1.0]])
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum())


def _fold_section(signed: Numbers, same: Flags, table: Table, lower_is_closer: bool) -> Section:
    folds = judge_folds(signed, same, table.numbers("fold").astype(np.int64), candidates(signed))
    rows: list[tuple[Cell, ...]] = [
        (number + 1, fold.pairs, -fold.threshold if lower_is_closer else fold.threshold, fold.accuracy)
        for number, fold in enumerate(folds)
    ]
    accuracy = np.array([fold.accuracy for fold in folds])
    note = f"Accuracy {accuracy.mean():.5f} +- {accuracy.std():.5f} (mean and deviation over {len(folds)} folds)."
    return Section("Folds", Table.of(["fold", "pairs", "threshold", "accuracy"], rows), None, (note,))


def _group_section(signed: Numbers, same: Flags, table: Table, by: str, lower_is_closer: bool) -> Section:
    """Mean accuracy over folds in each group, as RFW's tables have it."""
    labels = np.array([str(label) for label in table.texts(by)])
    rows: list[tuple[Cell, ...]] = []
    for label in dict.fromkeys(labels.tolist()):
        inside = labels == label
        if same[inside].all() or not same[inside].any():
            rows.append((label, int(inside.sum()), 0, math.nan, math.nan, math.nan))
            continue
        steps = steps_of(signed[inside], lower_is_closer)
        folds = judge_folds(signed[inside], same[inside], _fold_of(table, same, inside), steps)
        accuracy = np.array([fold.accuracy for fold in folds])
        limit = float(np.mean([fold.threshold for fold in folds]))
        shown = -limit if lower_is_closer else limit
        rows.append((label, int(inside.sum()), len(folds), float(accuracy.mean()), float(accuracy.std()), shown))
    found = Table.of([by, "pairs", "folds", "accuracy", "deviation", "mean threshold"], rows)
    each = found.numbers("accuracy")
    notes = [
        "Each group by its own thresholds, each fold by those of the others: what a single threshold does to a "
        "group is not seen here; Slice Report on pairs judged without own thresholds shows it."
    ]
    if lost := found.select(np.isnan(each)).texts(by):
        notes.append(f"Groups with pairs of one kind only have no accuracy: {', '.join(map(str, lost))}.")
    known = each[~np.isnan(each)]
    if len(known) > 1:
        notes.append(f"Mean {known.mean():.5f}, deviation between groups {known.std():.5f}, range {np.ptp(known):.5f}.")
    return Section(f"Accuracy by {by}", found, None, tuple(notes))
