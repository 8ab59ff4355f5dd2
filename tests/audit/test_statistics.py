"""Intervals: Wilson's by its formula, the bootstrap by what it must do."""

import math

import numpy as np
import pytest

from likeness.audit.statistics import bootstrap, by_pair_of_units, by_unit, weighted_mean, wilson

Z = 1.959963984540054


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (5, 5), (37, 40), (57, 100)])
def test_wilsons_interval_is_his_formula(successes, trials):
    share = successes / trials
    centre = (share + Z**2 / (2 * trials)) / (1 + Z**2 / trials)
    half = Z / (1 + Z**2 / trials) * math.sqrt(share * (1 - share) / trials + Z**2 / (4 * trials**2))
    found = wilson(successes, trials)
    assert found.value == share
    assert found.low == pytest.approx(centre - half, abs=1e-12)
    assert found.high == pytest.approx(centre + half, abs=1e-12)


def test_of_no_trials_nothing_is_known():
    assert all(map(math.isnan, vars(wilson(0, 0)).values()))


def test_the_same_seed_gives_the_same_interval_and_it_covers_the_mean():
    values = np.random.default_rng(3).normal(2, 1, 400)

    def measure(weights):
        return weighted_mean(values, weights)

    first, again, other = (bootstrap(measure, by_unit(np.arange(400)), 400, 500, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first.low < values.mean() < first.high
    assert first.high - first.low == pytest.approx(2 * Z / 20, rel=0.15)


def test_rows_of_one_person_count_as_one():
    values = np.repeat(np.random.default_rng(3).normal(2, 1, 40), 10)
    people = np.repeat(np.arange(40), 10)
    wide = bootstrap(lambda w: weighted_mean(values, w), by_unit(people), 400, 500)
    narrow = bootstrap(lambda w: weighted_mean(values, w), by_unit(np.arange(400)), 400, 500)
    assert (wide.high - wide.low) > 2.5 * (narrow.high - narrow.low)


def test_a_pair_is_drawn_as_often_as_both_its_people():
    a, b = np.array(["x", "x", "y"]), np.array(["x", "y", "z"])
    weigh = by_pair_of_units(a, b)
    generator = np.random.default_rng(0)
    drawn = np.array([weigh(generator) for _ in range(300)])
    # In a sample of three out of x, y and z the copies sum to three.
    x, xy, yz = drawn.T
    for own, with_y, last in zip(x, xy, yz, strict=True):
        options = [y for y in range(4) if own * y == with_y and y * (3 - own - y) == last]
        assert options


def test_a_measure_that_is_not_defined_has_no_interval():
    found = bootstrap(lambda w: math.nan, by_unit(np.arange(3)), 3)
    assert math.isnan(found.value)
    assert math.isnan(found.low)
