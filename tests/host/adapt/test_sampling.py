"""Adapters in core's sampler: what they change, where, when, for whom."""

import pytest
import torch

from host.adapt import toys


@pytest.fixture(scope="session")
def plain(house):
    """What each kind of model makes without an adapter."""
    made = {}

    def get(kind, **more):
        key = (kind, tuple(more.items()))
        if key not in made:
            made[key] = toys.sample(house.model(kind), toys.text(kind, 1), toys.text(kind, 2), **more)
        return made[key]

    return get


def sample(house, case, person=None, positive=1, negative=2, apply=None, **more):
    spec, adapter = case
    model = house.apply(house.model(spec.kind), adapter, **(apply or {}), **(person or house.person(1)))
    return toys.sample(model, toys.text(spec.kind, positive), toys.text(spec.kind, negative), **more)


def test_weight_0_is_no_adapter_bit_for_bit(house, case, plain):
    assert torch.equal(sample(house, case, apply={"weight": 0.0}), plain(case[0].kind))


def test_a_person_changes_the_picture_and_another_changes_it_otherwise(house, case, plain):
    without = plain(case[0].kind)
    one, two = (sample(house, case, house.person(seed)) for seed in (1, 5))
    assert (one - without).abs().max() > 1e-2
    assert (two - without).abs().max() > 1e-2
    assert (one - two).abs().max() > 1e-2
    assert torch.equal(toys.sample(house.model(case[0].kind), *two_texts(case)), without)  # the model stays as it was


def two_texts(case):
    return toys.text(case[0].kind, 1), toys.text(case[0].kind, 2)
