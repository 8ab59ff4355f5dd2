"""The anti-spoofing protocol: how well scores tell real faces from those of photos, screens and masks.

Source of the arithmetic: FSFM's evaluation of the MCIO protocol, cross_domain_FAS/utils/evaluate.py and statistic.py of
wolo-wolo/FSFM-CVPR25, by reading. Frames of one video are averaged; a video is called real at the threshold or over it.
The threshold is the one where both errors are closest to each other, of 10,000 steps from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chart import Curve, Curves
from .report import Report, Section
from .table import Cell, Flags, Numbers, Table
from .verification import SHOWN, area, roc

STEPS = 10000  # of thresholds from 0 to 1; one more lies above, which calls nobody real
ABOVE = 1.1
HALF = 0.5  # where ACER is taken
FPR = 0.01
LIMITS = (
    "Scores are no verdict on a single picture: how often they mislead is known for these data alone.",
    "HTER, ACER and EER are the mean of two errors: spoofs called real (APCER), and real faces called spoofs (BPCER).",
)


@dataclass(frozen=True)
class Rates:
    """How scores did; shares from 0 to 1."""

    eer: float  # where both errors are closest, by these scores' own threshold
    threshold: float  # that HTER and accuracy are taken at
    hter: float
    accuracy: float
    auc: float
    tpr: float  # real faces passed where at most one spoof in a hundred is
    apcer: float  # at 0.5
    bpcer: float  # at 0.5
    acer: float  # at 0.5


def judge(scores: Numbers, real: Flags, threshold: float | None = None) -> Rates:
    """The rates of some videos.

    Args:
        scores: How real each looks.
        real: Which are.
        threshold: For HTER and accuracy, from other videos; None takes these videos' own, as the protocol does.
    """
    own = find_threshold(scores, real)
    at = own if threshold is None else threshold
    false, true, _ = roc(scores, real)
    spoofs, refused = errors(scores, real, HALF)
    return Rates(
        eer=sum(errors(scores, real, own)) / 2,
        threshold=at,
        hter=sum(errors(scores, real, at)) / 2,
        accuracy=float(((scores >= at) == real).mean()),
        auc=area(false, true),
        tpr=float(true[false <= FPR].max(initial=0.0)),
        apcer=spoofs,
        bpcer=refused,
        acer=(spoofs + refused) / 2,
    )


def errors(scores: Numbers, real: Flags, threshold: float) -> tuple[float, float]:
    """The share of spoofs that pass, and of real faces that do not."""
    passed = scores >= threshold
    return int((passed & ~real).sum()) / int((~real).sum()), int((~passed & real).sum()) / int(real.sum())


def find_threshold(scores: Numbers, real: Flags) -> float:
    """The threshold where both errors are closest to each other; of equal ones the highest."""
    steps = np.append(np.arange(STEPS + 1) / STEPS, ABOVE)
    kept = {kind: np.searchsorted(np.sort(scores[real == kind]), steps, side="left") for kind in (False, True)}
    spoofs = (int((~real).sum()) - kept[False]) / int((~real).sum())
    apart = np.abs(kept[True] / int(real.sum()) - spoofs)
    return float(steps[len(steps) - 1 - int(apart[::-1].argmin())])


def pool(table: Table, score: str = "score", real: str = "real", video: str = "") -> tuple[Numbers, Flags, list[str]]:
    """The mean score of each video, whether it is real, and what must be said.

    Args:
        table: A row per frame.
        score: The column of how real it looks, from 0 to 1.
        real: The column of what is so, true or 1 where a face is real.
        video: The column that names each row's video; empty: each row is one.

    Raises:
        ValueError: A score is no share, a video is both, or there are videos of one kind only.
    """
    scores, truth = table.numbers(score), table.flags(real)
    known = ~np.isnan(scores)
    if ((scores[known] < 0) | (scores[known] > 1)).any():
        odd = scores[known][(scores[known] < 0) | (scores[known] > 1)][0]
        raise ValueError(f"Expected shares from 0 to 1 in the column {score}, got {odd:g}: name the real score.")
    said = [f"{int((~known).sum())} of {len(table)} rows have no score: not counted."] * (not known.all())
    scores, truth = scores[known], truth[known]
    if video:
        names = np.array([str(name) for name in table.texts(video)])[known]
        each, of = np.unique(names, return_inverse=True)
        of, counts = of.reshape(-1), np.bincount(of.reshape(-1), minlength=len(each))
        share = np.bincount(of, weights=truth, minlength=len(each)) / counts
        if mixed := each[(share > 0) & (share < 1)].tolist():
            raise ValueError(f"Expected each video to be real or not, got both for {mixed[0]}: mend {real}.")
        scores, truth = np.bincount(of, weights=scores, minlength=len(each)) / counts, share == 1
    if not truth.any() or truth.all():
        kind = "real one" if not truth.any() else "spoof"
        raise ValueError(f"Expected real faces and spoofs, got no {kind} with a score: look at the table.")
    return scores, truth, said


def report(
    table: Table,
    score: str = "score",
    real: str = "real",
    video: str = "",
    by: str = "",
    development: Table | None = None,
) -> Report:
    """Both errors, their means and the ROC, of all videos or of each data set.

    Args:
        table: A row per frame; see ``pool``.
        score: Its columns.
        real: As above.
        video: As above.
        by: A column whose values are judged one by one, such as the data set; each by a threshold of its own.
        development: Other videos, with the same columns, that set the one threshold.
    """
    threshold, notes = None, list(LIMITS)
    if development is not None:
        threshold = find_threshold(*pool(development, score, real, video)[:2])
        notes.append(f"HTER and accuracy at {threshold:.4f}, set on the development table.")
    else:
        notes.append(
            "HTER and accuracy at the threshold of the judged videos themselves, as the protocol does: they flatter."
        )
    labels = np.array([str(label) for label in table.texts(by)]) if by else np.full(len(table), "all")
    rows: list[tuple[Cell, ...]] = []
    curves = []
    for label in dict.fromkeys(labels.tolist()):
        scores, truth, said = pool(table.select(labels == label), score, real, video)
        notes += [f"{label}: {one}" for one in said]
        rates = judge(scores, truth, threshold)
        rows.append((label, int(truth.sum()), int((~truth).sum()), *vars(rates).values()))
        curves.append(_curve(label, scores, truth))
    names = ["set", "real", "spoofs", "EER", "threshold", "HTER", "accuracy", "AUC", "TPR at FPR 1 %"]
    found = Table.of([*names, "APCER at 0.5", "BPCER at 0.5", "ACER at 0.5"], rows)
    if len(rows) > 1:
        means = ", ".join(f"{name} {found.numbers(name).mean():.4f}" for name in ("HTER", "AUC", "TPR at FPR 1 %"))
        notes.append(f"Mean over {len(rows)} sets: {means}.")
    chart = Curves("ROC", tuple(curves), "spoofs passed", "real faces passed")
    return Report("Anti-spoofing", (Section("Rates", found, chart),), tuple(notes))


def _curve(label: str, scores: Numbers, real: Flags) -> Curve:
    false, true, _ = roc(scores, real)
    false, true = np.append(0.0, false), np.append(0.0, true)
    keep = np.unique(np.linspace(0, len(false) - 1, SHOWN).round().astype(int))
    return Curve(label, tuple(false[keep].tolist()), tuple(true[keep].tolist()))
