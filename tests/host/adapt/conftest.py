"""Each test that asks for ``case`` runs on every adapter in ``cases.CASES``."""

import pytest

from host.adapt.cases import CASES, House


@pytest.fixture(scope="session")
def house(session):
    return House.of()


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
def case(request, house):
    """An adapter as its loader gives it, with the kind of model it is for."""
    return request.param, house.binding.Adapter(request.param.network(house))
