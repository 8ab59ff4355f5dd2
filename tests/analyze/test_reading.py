"""Attributes of any analyzer as tables, tags, records and conditions."""

import json

import pytest
import torch

from likeness.analyze import holds, to_records, to_table, to_tags
from likeness.analyze.analysis import Analysis
from likeness.analyze.labels import CELEBA40, VISIBILITY29, apparent
from likeness.types import Attributes, Faces, LabelSet
from likeness.value import cat

HAIR = LabelSet("hair", ("Black_Hair", "Bald", "Male"), apparent=("Male",))
FEELING = LabelSet("expression", ("Neutral", "Happy"), exclusive=True)
GENDER = apparent("gender", ("Male", "Female"))
AGE = apparent("age", ("0-9", "10-19"), "{} years old")
SEEN = LabelSet("seen", ("cofw_01",), phrase="")
ROWS = torch.tensor(
    [[0.9, 0.1, 0.8, 0.3, 0.7, 0.75, 0.25, 0.2, 0.8, 0.9], [0.2, 0.4, 0.1, 0.6, 0.4, 0.1, 0.9, 1, 0, 0.1]]
)


def faces(count: int) -> Faces:
    index = torch.arange(count)
    return Faces((64, 64), 2, index, index, torch.tensor([[1.0, 2, 30, 40]]).repeat(count, 1), torch.ones(count))


def attributes(count: int = 2) -> Attributes:
    sets = (HAIR, FEELING, GENDER, AGE, SEEN)
    return Attributes(faces(count), sets, ROWS[:count], ("age_years",), torch.tensor([[31.5], [4.0]])[:count])


def test_a_table_tells_what_is_likely_and_marks_what_is_only_apparent():
    assert to_table(attributes()).splitlines() == [
        "image face set label probability note",
        "0 0 hair Black_Hair 0.900",
        "0 0 hair Male 0.800 apparent, model output",
        "0 0 expression Happy 0.700",
        "0 0 gender Male 0.750 apparent, model output",
        "0 0 age 10-19 0.800 apparent, model output",
        "0 0 seen cofw_01 0.900",
        "0 0 measure age_years 31.50",
        "1 1 expression Neutral 0.600",
        "1 1 gender Female 0.900 apparent, model output",
        "1 1 age 0-9 1.000 apparent, model output",
        "1 1 measure age_years 4.00",
    ]


def test_tags_leave_out_race_gender_and_age_until_they_are_asked_for():
    assert to_tags(attributes()).splitlines() == ["black hair, happy", "neutral"]
    assert to_tags(attributes(), 0.65) == "black hair, happy\n"
    assert to_tags(attributes(), 0.5, "age, hair").splitlines() == [
        "black hair, male, 10-19 years old",
        "0-9 years old",
    ]
    assert to_tags(attributes(0)) == ""
    with pytest.raises(ValueError, match="Expected a set among hair, expression, gender, age, seen, got hat"):
        to_tags(attributes(), 0.5, "hat")


def test_records_are_plain_and_hold_every_probability():
    first, second = json.loads(json.dumps(to_records(attributes())))
    assert (first["image"], second["face"], first["bbox"]) == (0, 1, [1, 2, 30, 40])
    assert list(first["sets"]["hair"]) == list(HAIR.labels)
    assert second["sets"]["gender"] == pytest.approx({"Male": 0.1, "Female": 0.9})
    assert first["measures"] == {"age_years": 31.5}
    assert first["apparent, model output"]["age"] == list(AGE.labels)
    assert to_records(attributes(0)) == []


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        ("black hair", [True, False]),
        ("not Black_Hair", [False, True]),
        ("happy, not bald", [True, False]),
        ("black_hair > 0.1\nbald < 0.3", [True, False]),
        ("gender.male >= 0.75", [True, False]),
        ("not gender.female >= 0.5", [True, False]),
        ("age_years < 18", [False, True]),
        ("0-9", [False, True]),
    ],
)
def test_conditions_choose_faces(conditions, kept):
    assert holds(attributes(), conditions).tolist() == kept


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (" ,\n", "Expected conditions, got none"),
        ("male", r"Expected one label, got male: write hair\.Male or gender\.Male"),
        ("purple", r"among age_years, hair \(Black_Hair, Bald, Male\), .*got purple: this analyzer does not tell it"),
        ("age_years", "Expected a sign and a number after the measure age_years"),
    ],
)
def test_a_condition_that_means_nothing_is_answered(conditions, message):
    with pytest.raises(ValueError, match=message):
        holds(attributes(), conditions)


def test_nobody_has_no_attributes_and_any_condition_keeps_nobody():
    assert to_table(attributes(0)) == "image face set label probability note"
    assert holds(attributes(0), "black hair").tolist() == []


def test_attributes_have_a_column_for_each_label():
    with pytest.raises(ValueError, match="a column for each label, got 2 for 3"):
        Attributes(faces(1), (HAIR,), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="a column for each measure, got 0 for 1"):
        Attributes(faces(1), (HAIR,), torch.zeros(1, 3), ("age_years",))


def test_chunks_are_joined_and_rows_selected():
    joined = cat([Analysis(faces(2), attributes()), Analysis(faces(2), attributes())])
    assert (len(joined), joined.faces.image_count, joined.head_pose) == (4, 4, None)
    assert joined.attributes.faces.image_index.tolist() == [0, 1, 2, 3]
    picked = joined.select(torch.tensor([3, 0]))
    assert picked.attributes.of("age")[:, 0].tolist() == pytest.approx([1.0, 0.2])


def test_shared_sets_have_their_published_sizes():
    assert (len(CELEBA40.labels), len(set(CELEBA40.labels)), CELEBA40.apparent) == (40, 40, ("Male", "Young"))
    assert (len(VISIBILITY29.labels), VISIBILITY29.labels[0], VISIBILITY29.phrase) == (29, "cofw_01", "")
