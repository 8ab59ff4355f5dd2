"""Slice reports on tables whose answers are worked out by hand, and the data set's annotation files."""

import json
import math

import numpy as np
import pytest

from likeness.audit.casual_conversations import APPARENT, Measure, Sampling, load, slice_report
from likeness.audit.table import Table

# Eight videos of four people: what is so, what was said, how sure, age and its guess.
TABLE = Table.of(
    ["subject", "skin", "light", "truth", "said", "fake", "score", "age", "guess", "found"],
    [
        ("a", 1, "day", "x", "x", True, 0.9, 20, 25.0, True),
        ("a", 1, "dark", "x", "x", True, 0.8, 20, 18.0, True),
        ("b", 1, "day", "y", "x", False, 0.3, 30, 30.0, True),
        ("b", 1, "dark", "y", "y", False, 0.6, 30, 40.0, False),
        ("c", 6, "day", "x", "y", True, 0.55, 40, 50.0, True),
        ("c", 6, "dark", "x", "y", True, 0.2, 40, None, False),
        ("d", 6, "day", "y", "y", False, 0.1, 50, 49.0, True),
        ("d", None, "dark", "y", None, False, 0.5, 50, 41.0, False),
    ],
)
NO_INTERVALS = Sampling(times=0, least=3)


def by_slice(report) -> dict[tuple[str, str], tuple]:
    return {row[:2]: row[2:] for row in report.table.rows()}


def test_accuracy_is_what_the_hand_says():
    found = by_slice(slice_report(TABLE, Measure("accuracy", "said", "truth"), ["skin", "light"], NO_INTERVALS))
    assert found["all", "all"][:3] == (7, 1, 4 / 7)
    assert found["skin", "1"][:3] == (4, 0, 0.75)
    assert found["skin", "6"][:3] == (3, 0, pytest.approx(1 / 3))
    assert found["skin", "not stated"][:3] == (0, 1, None)
    assert found["light", "day"][:3] == (4, 0, 0.5)
    assert found["skin x light", "6, dark"][:3] == (1, 0, 0.0)
    assert ("skin x light", "not stated, day") not in found  # nobody is there
    flagged = {key for key, row in found.items() if row[-1]}
    assert flagged == {key for key, row in found.items() if row[0] < 3}


def test_the_mean_absolute_error_is_what_the_hand_says():
    found = by_slice(slice_report(TABLE, Measure("mean absolute error", "guess", "age"), ["skin"], NO_INTERVALS))
    assert found["all", "all"][:3] == (7, 1, pytest.approx((5 + 2 + 0 + 10 + 10 + 1 + 9) / 7))
    assert found["skin", "6"][:3] == (2, 1, 5.5)


def test_the_true_positive_rate_is_at_one_threshold_for_all():
    report = slice_report(TABLE, Measure("TPR at FPR", "score", "fake", fpr=0.25), ["skin"], NO_INTERVALS)
    # False rows score .3 .6 .1 .5: one of four may be over the threshold, which is then .5.
    assert "over 0.5: one threshold for all slices" in report.notes[0]
    found = by_slice(report)
    assert found["all", "all"][:3] == (4, 0, 0.75)
    assert found["skin", "1"][:3] == (2, 0, 1.0)
    assert found["skin", "6"][:3] == (2, 0, 0.5)


def test_the_detection_rate_has_wilsons_interval_without_a_bootstrap():
    found = by_slice(slice_report(TABLE, Measure("detection rate", "found"), ["light"], NO_INTERVALS))
    assert found["light", "day"][:3] == (4, 0, 1.0)
    assert found["light", "dark"][2:5] == (0.25, pytest.approx(0.0456, abs=1e-4), pytest.approx(0.6994, abs=1e-4))


def test_gaps_leave_small_slices_out_and_say_so():
    report = slice_report(TABLE, Measure("accuracy", "said", "truth"), ["skin", "light"], NO_INTERVALS)
    rows = {row[0]: row[1:] for row in report.sections[1].table.rows()}
    assert rows["skin"] == ("1", "6", pytest.approx(5 / 12), pytest.approx(4 / 9), 1)
    assert rows["skin x light"] == (None, None, None, None, 5)


def test_the_bootstrap_is_seeded_and_draws_people_where_asked():
    measure = Measure("accuracy", "said", "truth")
    first, again = (slice_report(TABLE, measure, ["skin"], Sampling(200, 5, "subject")) for _ in range(2))
    assert first.markdown() == again.markdown()
    assert first.markdown() != slice_report(TABLE, measure, ["skin"], Sampling(200, 6, "subject")).markdown()
    # Of skin 6 only c (0 of 2) and d (1 of 1) can be drawn: 0, 1/3 or 1.
    low, high = by_slice(first)["skin", "6"][3:5]
    assert (low, high) == (0, 1)


def test_groups_that_a_model_guessed_are_called_apparent():
    report = slice_report(TABLE, Measure("accuracy", "said", "truth"), ["skin"], NO_INTERVALS, apparent=True)
    assert APPARENT in report.notes
    assert ("apparent skin", "1") in by_slice(report)
    assert "apparent skin: 1" in [bar.label for bar in report.sections[0].chart.bars]


@pytest.mark.parametrize(
    ("measure", "groups", "message"),
    [
        (Measure("accuracy", "said", "true"), ["skin"], "a column among subject, skin, .*got true: name one"),
        (Measure("accuracy", "said", "truth"), ["race"], "a column among .*got race"),
        (Measure("accuracy", "said", "truth"), [], "columns to slice by, got none: name some of subject"),
        (Measure("mean absolute error", "said", "age"), ["skin"], "numbers in the column said, got 'x'"),
        (Measure("speed", "said", "truth"), ["skin"], "a metric among accuracy, .*got speed"),
    ],
)
def test_a_report_that_cannot_be_made_says_why(measure, groups, message):
    with pytest.raises(ValueError, match=message):
        slice_report(TABLE, measure, groups, NO_INTERVALS)


def test_one_class_only_and_no_rows_are_refused():
    true = TABLE.select(TABLE.flags("fake"))
    with pytest.raises(ValueError, match="both classes in the column fake, got one only"):
        slice_report(true, Measure("TPR at FPR", "score", "fake"), ["skin"])
    with pytest.raises(ValueError, match="rows to measure, got an empty table"):
        slice_report(TABLE.select(np.zeros(8, dtype=bool)), Measure("accuracy", "said", "truth"), ["skin"])


def test_slices_are_what_fairlearn_says():
    metrics = pytest.importorskip("fairlearn.metrics", exc_type=ImportError)
    generator = np.random.default_rng(0)
    rows = [(int(s), int(t), int(p)) for s, t, p in generator.integers(0, 3, (500, 3))]
    table = Table.of(["skin", "truth", "said"], rows)
    report = slice_report(table, Measure("accuracy", "said", "truth"), ["skin"], Sampling(0))
    theirs = metrics.MetricFrame(
        metrics=lambda a, b: float((a == b).mean()),
        y_true=table["truth"],
        y_pred=table["said"],
        sensitive_features=table["skin"],
    )
    found = by_slice(report)
    for skin, value in theirs.by_group.items():
        assert found["skin", str(skin)][2] == pytest.approx(value, abs=1e-12)
    (gap,) = report.sections[1].table.rows()
    assert gap[3] == pytest.approx(theirs.difference(), abs=1e-12)
    assert gap[4] == pytest.approx(theirs.ratio(), abs=1e-12)


def test_version_1_is_a_row_per_video(tmp_path):
    label = {"age": "N/A", "gender": "Female", "skin-type": "5"}
    held = {"1234": {"files": ["a/0.MP4", "a/1.MP4"], "dark_files": ["a/1.MP4"], "label": label}}
    held["7"] = {"files": ["b/0.MP4"], "dark_files": [], "label": {**label, "age": "31"}}
    (tmp_path / "CasualConversations.json").write_text(json.dumps(held))
    table = load(tmp_path / "CasualConversations.json", "casual_conversations/v1")
    assert table.names == ("subject", "file", "dark", "age", "gender", "skin_type")
    assert list(table.rows()) == [
        ("1234", "a/0.MP4", False, None, "Female", 5),
        ("1234", "a/1.MP4", True, None, "Female", 5),
        ("7", "b/0.MP4", False, 31, "Female", 5),
    ]


def test_version_2_is_flat_and_its_scales_are_numbers(tmp_path):
    row = {
        "subject_id": "0007",
        "video_name": "0007_1.mp4",
        "age": "44",
        "gender": "cis woman",
        "geo_location": {"country": "Brazil", "state_region": "Bahia"},
        "secondary_languages": ["English", "Spanish"],
        "fitzpatrick_skin_tone": {"type": "type iv", "confidence": "high"},
        "monk_skin_tone": {"scale": "scale 7", "confidence": "low"},
    }
    (tmp_path / "a.json").write_text(json.dumps([row, {**row, "monk_skin_tone": {"scale": "N/A"}}]))
    table = load(tmp_path / "a.json", "casual_conversations/v2")
    assert table["fitzpatrick"].tolist() == [4, 4]
    assert table["monk"][0] == 7
    assert math.isnan(table["monk"][1])
    assert table["geo_location_country"].tolist() == ["Brazil", "Brazil"]
    assert table["secondary_languages"][0] == "English, Spanish"


def test_the_wrong_format_says_to_choose_another(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"x": 1}]))
    with pytest.raises(ValueError, match=r"casual_conversations/v2 in a\.json, got a file without 'monk_skin_tone'"):
        load(tmp_path / "a.json", "casual_conversations/v2")
    with pytest.raises(ValueError, match=r"casual_conversations/v1 in a\.json, got a file without .*items"):
        load(tmp_path / "a.json", "casual_conversations/v1")
