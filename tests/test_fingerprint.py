import torch

from likeness.fingerprint import fingerprint

WEIGHTS = {"a": torch.arange(12.0).reshape(3, 4), "b": torch.tensor([2, 3])}


def test_the_same_values_have_one_name_in_any_order_and_precision():
    other = {"b": WEIGHTS["b"].int(), "a": WEIGHTS["a"].half()}
    assert fingerprint(WEIGHTS) == fingerprint(other) == "3a33c823"


def test_other_values_have_another_name():
    assert fingerprint({**WEIGHTS, "b": torch.tensor([2, 4])}) != fingerprint(WEIGHTS)
    assert fingerprint({**WEIGHTS, "a": WEIGHTS["a"].flip(0)}) != fingerprint(WEIGHTS)


def test_no_weights_have_a_name():
    assert fingerprint({}) == "00000000"
