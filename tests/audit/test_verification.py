"""Verification arithmetic: by hand, and against what research code gave on the same vectors."""

import json

import numpy as np
import pytest

import audit_cases as cases
import golden
from likeness.audit import verification
from likeness.audit.casual_conversations import Measure, Sampling, slice_report
from likeness.audit.table import Table

THEIRS = json.loads((golden.FOLDER / "verification/golden.json").read_text())
HAND = Table.of(
    ["score", "same"], [(s, False) for s in (0.1, 0.2, 0.3, 0.6)] + [(s, True) for s in (0.4, 0.5, 0.7, 0.9)]
)


def test_rates_and_thresholds_are_what_the_hand_says():
    report = verification.report(HAND, (0.0, 0.25, 1.0))
    rows = [row[:3] + row[5:] for row in report.table.rows()]
    assert rows == [(0.0, 0.0, 0.5, 0.6, True), (0.25, 0.25, 1.0, 0.3, False), (1.0, 1.0, 1.0, rows[2][3], False)]
    assert rows[2][3] < 0.1
    # Of 16 couples of a genuine and an impostor score 14 are in order: only .6 lies over .4 and .5.
    assert "area under the ROC 0.875000" in report.notes[0]


def test_distances_are_scores_turned_round():
    turned = HAND.with_column("score", 1 - HAND["score"])
    rows = [row[:3] for row in verification.report(turned, (0.25,), lower_is_closer=True).table.rows()]
    assert rows == [(0.25, 0.25, 1.0)]
    assert verification.report(turned, (0.25,), lower_is_closer=True).table["threshold"][0] == pytest.approx(0.7)


def test_the_area_is_the_share_of_couples_in_order():
    generator = np.random.default_rng(4)
    scores, same = generator.integers(0, 20, 300).astype(float), generator.random(300) < 0.4
    false, true, _ = verification.roc(scores, same)
    more = scores[same][:, None] - scores[~same][None]
    assert verification.area(false, true) == pytest.approx(((more > 0) + 0.5 * (more == 0)).mean(), abs=1e-12)


def test_folds_are_judged_as_research_code_judges_them():
    first, second, same = cases.lfw()
    distance = np.square(first - second).sum(1)
    steps = -np.arange(0, 4, 0.01)
    folds = verification.judge_folds(-distance, same, np.arange(len(same)) // (len(same) // 10), steps)
    assert [fold.accuracy for fold in folds] == pytest.approx(THEIRS["accuracy"], abs=1e-12)
    assert [-fold.threshold for fold in folds] == pytest.approx(THEIRS["thresholds"], abs=1e-12)
    false, true, at = verification.roc(-distance, same)
    for limit, (val, far) in zip((1.0, 1.5, 2.0), THEIRS["rates"], strict=True):
        last = np.flatnonzero(-at < limit)[-1]
        assert (true[last], false[last]) == pytest.approx((val, far), abs=1e-12)


def test_templates_are_pooled_as_research_code_pools_them():
    case = cases.ijb()
    pooled, names = verification.pool_templates(case.features * case.score[:, None], case.template, case.media)
    assert names.tolist() == THEIRS["templates"]
    np.testing.assert_allclose(pooled[:, :8], THEIRS["pooled"], atol=1e-12)
    place = {name: row for row, name in enumerate(names.tolist())}
    scores = [float(pooled[place[a]] @ pooled[place[b]]) for a, b in zip(case.p1, case.p2, strict=True)]
    np.testing.assert_allclose(scores, THEIRS["scores"], atol=1e-12)


def test_a_face_and_its_mirror_image_are_added_as_unit_vectors():
    found = verification.add_flipped(np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]]))
    np.testing.assert_allclose(found, [[0.6, 1.8]])
    with pytest.raises(ValueError, match=r"zero or NaN in the rows \[0\]"):
        verification.add_flipped(np.zeros((1, 2)), np.ones((1, 2)))


def test_accuracy_per_group_goes_through_the_slice_report():
    generator = np.random.default_rng(0)
    rows = []
    for group, shift in (("A", 0.0), ("B", 2.0)):  # B's scores all lie higher: one threshold does not serve it
        same = np.arange(200) % 2 == 0
        score = np.where(same, 1.0, 0.0) + shift + generator.normal(0, 0.3, 200)
        rows += [(group, bool(s), float(v)) for s, v in zip(same, score, strict=True)]
    pairs = Table.of(["group", "same", "score"], rows)
    accuracy = {}
    for by in ("", "group"):
        judged = verification.judge(pairs, by)
        report = slice_report(judged, Measure("accuracy", "judged", "same"), ["group"], Sampling(0))
        accuracy[by] = {row[1]: row[4] for row in report.table.rows()}
    assert min(accuracy["group"][g] for g in "AB") > 0.9
    assert min(accuracy[""][g] for g in "AB") < 0.6
    assert accuracy["group"]["all"] == pytest.approx((accuracy["group"]["A"] + accuracy["group"]["B"]) / 2)


def test_accuracy_per_group_is_that_of_the_authors_tables():
    theirs = json.loads((golden.FOLDER / "stylegan_encoders/groups.json").read_text())["groups"]
    rows = []
    for name, (first, second, same) in cases.groups().items():
        scores = (first * second).sum(1)
        rows += [(name, bool(one), float(score)) for one, score in zip(same, scores, strict=True)]
    report = verification.report(Table.of(["ethnicity", "same", "score"], rows), by="ethnicity")
    section = report.sections[-1]
    assert section.title == "Accuracy by ethnicity"
    for name, pairs, folds, accuracy, _, threshold in section.table.rows():
        assert (pairs, folds) == (len(cases.groups()[name][0]), 10)
        assert accuracy == pytest.approx(theirs[name]["accuracy"], abs=1e-12)
        assert 2 - 2 * threshold == pytest.approx(theirs[name]["threshold"], abs=1e-9)  # a squared distance
    accuracies = [group["accuracy"] for group in theirs.values()]
    assert f"Mean {np.mean(accuracies):.5f}, deviation between groups {np.std(accuracies):.5f}" in section.notes[1]
    judged = verification.judge(Table.of(["ethnicity", "same", "score"], rows), "ethnicity")
    sliced = slice_report(judged, Measure("accuracy", "judged", "same"), ["ethnicity"], Sampling(0))
    for row in sliced.table.rows():
        if row[1] in theirs:
            assert row[4] == pytest.approx(theirs[row[1]]["accuracy"], abs=1e-12)


def test_a_group_of_one_kind_has_no_accuracy():
    rows = [("a", True, 0.9), ("a", False, 0.1), ("b", True, 0.8)]
    section = verification.report(Table.of(["group", "same", "score"], rows), by="group").sections[-1]
    assert section.table["group"].tolist() == ["a", "b"]
    assert np.isnan(section.table["accuracy"]).tolist() == [False, True]
    assert section.notes[1:] == ("Groups with pairs of one kind only have no accuracy: b.",)


def test_pairs_without_a_score_are_counted_and_not_judged():
    pairs = HAND.with_column("score", np.append(HAND["score"][:-1], np.nan))
    report = verification.report(pairs)
    assert "1 of 8 pairs have no score" in report.notes[1]
    assert len(verification.judge(pairs)) == 7


def test_a_rate_that_the_pairs_cannot_show_is_marked():
    report = verification.report(HAND, (1e-6,))
    assert report.table["too few pairs"].tolist() == [True]
    assert "cannot be measured" in report.markdown()


@pytest.mark.parametrize(("same", "what"), [(True, "two people"), (False, "one person")])
def test_one_class_only_is_refused(same, what):
    pairs = HAND.select(HAND["same"] == same)
    with pytest.raises(ValueError, match=f"got no pair of {what} with a score"):
        verification.report(pairs)


def test_rates_are_read_from_text():
    assert verification.parse_fars("1e-3, 0.1") == (1e-3, 0.1)
    assert verification.parse_fars(" ") == verification.FARS
    for text in ("a lot", "2"):
        with pytest.raises(ValueError, match="rates from 0 to 1 with commas between"):
            verification.parse_fars(text)


def test_a_table_without_scores_names_its_columns():
    with pytest.raises(ValueError, match="a column among a, same, got score"):
        verification.report(Table.of(["a", "same"], [("x", True)]))
