"""Detection rates: counted by hand, Wilson's and Newcombe's intervals as published."""

import math

import pytest
import torch

from likeness.audit.detection_rate import difference, rate, report
from likeness.audit.statistics import wilson
from likeness.types import Faces


def pictures(found: int, count: int, score: float = 0.9) -> Faces:
    """So many images of which the first show a face."""
    index = torch.arange(found)
    return Faces((64, 64), count, index * 0, index, torch.zeros(found, 4), torch.full((found,), score))


def test_a_rate_has_wilsons_interval():
    """The published rate of 57 % if it were of 100 pictures; the interval as Wilson's formula gives it by hand."""
    found = rate(pictures(57, 100), 0.7)
    z, n, p = 1.959964, 100, 0.57
    middle, half = (p + z * z / 2 / n), z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    expected = ((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n))
    assert (found.value, found.low, found.high) == pytest.approx((0.57, *expected), abs=1e-6)
    assert rate(pictures(57, 100, score=0.6), 0.7).value == 0


def test_the_difference_has_newcombes_interval():
    """56 of 70 and 48 of 80, from Newcombe's own table: 0.0524 to 0.3339."""
    found = difference(wilson(48, 80), wilson(56, 70))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_a_report_of_one_group_two_or_three(groups):
    made = report({f"group {i}": pictures(2 + i, 10) for i in range(groups)}, 0.7)
    assert made.table["with a face"].tolist() == [2, 3, 4][:groups]
    assert made.table["rate"].tolist() == pytest.approx([0.2, 0.3, 0.4][:groups])
    assert [section.title for section in made.sections] == ["Detection rate", "Difference"][: 1 + (groups == 2)]
    assert made.figure().shape[0] == 1
    assert "Wilson" in made.markdown()


def test_groups_without_a_face_or_without_pictures():
    assert report({"none": pictures(0, 5)}, 0.7).table["rate"].tolist() == [0]
    with pytest.raises(ValueError, match="images in every group, got none in empty"):
        report({"empty": pictures(0, 0)}, 0.7)
