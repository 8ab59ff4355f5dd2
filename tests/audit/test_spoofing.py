"""The anti-spoofing rates: by hand, and as the authors' evaluation gives them on the same logits."""

import json
from pathlib import Path

import numpy as np
import pytest

import fsfm_cases as cases
from likeness.audit import spoofing
from likeness.audit.table import Table

THEIRS = json.loads((Path(__file__).parents[1] / "checkpoints/fsfm_detectors/evaluation.json").read_text())
REAL, SPOOF = (0.9, 0.8, 0.6, 0.3), (0.7, 0.4, 0.2, 0.1)


def table(real=REAL, spoof=SPOOF, **columns) -> Table:
    rows = [(score, True) for score in real] + [(score, False) for score in spoof]
    made = Table.of(["score", "real"], rows)
    for name, cells in columns.items():
        made = made.with_column(name, list(cells))
    return made


def frames() -> Table:
    held = cases.spoof_scores()
    shares = np.exp(held["logits"].astype(float))
    score = shares[:, 1] / shares.sum(1)
    return Table(("video", "real", "score"), (held["video"], held["real"], score))


def test_rates_are_the_authors():
    scores, real, _ = spoofing.pool(frames(), video="video")
    assert len(scores) == 60
    rates = spoofing.judge(scores, real)
    for name in ("eer", "hter", "auc", "threshold", "tpr", "apcer", "bpcer", "acer"):
        assert getattr(rates, name) == pytest.approx(THEIRS[name], abs=1e-9), name
    assert rates.accuracy * 100 == pytest.approx(THEIRS["accuracy"], abs=1e-9)


def test_rates_are_what_the_hand_says():
    """At .5 to .6 one of four is wrong on either side; .6 is the last such step, for a score at it passes."""
    rates = spoofing.judge(*spoofing.pool(table())[:2])
    assert (rates.eer, rates.hter, rates.threshold, rates.accuracy) == (0.25, 0.25, 0.6, 0.75)
    assert (rates.apcer, rates.bpcer, rates.acer) == (0.25, 0.25, 0.25)
    assert rates.auc == pytest.approx(13 / 16)
    assert rates.tpr == 0.5
    perfect = spoofing.judge(np.array([0.9, 0.1]), np.array([True, False]))
    assert (perfect.hter, perfect.auc, perfect.tpr) == (0, 1, 1)


def test_frames_of_one_video_are_averaged():
    scores, real, said = spoofing.pool(table(video=["a", "a", "b", "b", "c", "c", "d", "d"]), video="video")
    np.testing.assert_allclose(scores, [0.85, 0.45, 0.55, 0.15])
    assert real.tolist() == [True, True, False, False]
    assert said == []


def test_a_threshold_may_come_from_other_videos():
    report = spoofing.report(table(), development=table((0.95,), (0.85,)))
    assert report.table["threshold"][0] == 0.95
    assert report.table["HTER"][0] == 0.5
    assert "set on the development table" in report.markdown()
    assert "they flatter" in spoofing.report(table()).markdown()


def test_each_set_is_judged_by_its_own_threshold():
    sets = table((*REAL, 0.2), (*SPOOF, 0.1), set=["a"] * 4 + ["b"] + ["a"] * 4 + ["b"])
    report = spoofing.report(sets, by="set")
    assert report.table["set"].tolist() == ["a", "b"]
    assert report.table["HTER"].tolist() == [0.25, 0.0]
    assert report.table["threshold"].tolist() == [0.6, 0.2]
    assert "Mean over 2 sets: HTER 0.1250" in report.markdown()
    assert len(report.sections[0].chart.curves) == 2


def test_a_report_says_that_scores_are_no_verdict_and_what_was_not_counted():
    said = spoofing.report(table((*REAL, float("nan")))).markdown()
    assert "Scores are no verdict on a single picture" in said
    assert "all: 1 of 9 rows have no score: not counted." in said
    assert spoofing.report(table()).figure(600).shape[3] == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (table((1.5,), (0.2,)), "Expected shares from 0 to 1 in the column score, got 1.5"),
        (table((0.5,), ()), "got no spoof with a score"),
        (table((), (0.5,)), "got no real one with a score"),
        (table((0.5,), (0.4,), video=["a", "a"]), "Expected each video to be real or not, got both for a"),
        (Table.of(["score", "real"], [(0.5, "yes"), (0.4, "no")]), "Expected numbers in the column real, got 'yes'"),
    ],
)
def test_bad_tables_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        spoofing.report(given, video="video" if "video" in given.names else "")
