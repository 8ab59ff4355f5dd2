"""Mixed, in between, beside: on the sphere, seeded, and as long as what they are made of."""

import math

import pytest
import torch

from crowds import known
from likeness.identity.sphere import between, mix, perturb
from likeness.types import NoFaceError

A, B = known(torch.tensor([[2.0, 0, 0]])), known(torch.tensor([[0.0, 4, 0]]))


def test_the_way_between_is_even_in_angle_and_in_length():
    found = between(A, B, [0, 0.25, 0.5, 1]).embedding
    torch.testing.assert_close(found[[0, 3]], torch.cat([A.embedding, B.embedding]))
    angles = torch.atan2(found[:, 1], found[:, 0]) * 180 / math.pi
    assert angles.tolist() == pytest.approx([0, 22.5, 45, 90])
    assert found.norm(dim=1).tolist() == pytest.approx([2, 2.5, 3, 4])


def test_the_way_goes_on_beyond_its_ends_and_stands_still_between_equals():
    beyond = between(A, B, [4 / 3]).embedding[0]
    assert math.degrees(math.atan2(beyond[1], beyond[0])) == pytest.approx(120)
    torch.testing.assert_close(between(A, A, [0.3]).embedding, A.embedding)


def test_a_mix_is_the_middle_and_leans_to_the_heavier():
    both = known(torch.cat([A.embedding, B.embedding]))
    torch.testing.assert_close(mix(both).embedding, torch.tensor([[1.0, 1, 0]]) * 3 / 2**0.5)
    torch.testing.assert_close(mix(both, [1, 0]).embedding, A.embedding)
    assert mix(both, [3, 1]).similarity(A) > mix(both).similarity(A)


def test_who_is_perturbed_turns_by_the_angle_and_the_seed_decides_where():
    one = known(torch.arange(1.0, 65)[None])
    found = perturb(one, 30, 20, seed=1)
    assert found.similarity(one).flatten().tolist() == pytest.approx([math.cos(math.radians(30))] * 20, abs=1e-5)
    torch.testing.assert_close(found.embedding.norm(dim=1), one.embedding.norm(dim=1).expand(20))
    assert torch.equal(found.embedding, perturb(one, 30, 20, seed=1).embedding)
    assert (found.embedding != perturb(one, 30, 20, seed=2).embedding).any()
    torch.testing.assert_close(perturb(one, 0, 1, 0).embedding, one.embedding)


def test_what_has_no_way_no_middle_or_no_length_is_refused():
    with pytest.raises(ValueError, match="got opposite ones: mix in a third"):
        between(A, known(-A.embedding), [0.5])
    with pytest.raises(ValueError, match="got ones that cancel out"):
        mix(known(torch.cat([A.embedding, -A.embedding])))
    with pytest.raises(ValueError, match=r"a weight of 0 or more for each of 1 identities.*got \[1.0, 2.0\]"):
        mix(A, [1, 2])
    with pytest.raises(ValueError, match=r"of one space, got arcface-1 and facenet-1: use one model"):
        between(A, known(B.embedding, "facenet-1"), [0.5])
    with pytest.raises(ValueError, match="got zero or NaN in row 1"):
        perturb(known(torch.zeros(1, 4)), 10, 1, 0)


def test_nobody_and_several_are_not_one():
    with pytest.raises(NoFaceError, match="one identity as a, got none"):
        between(known(torch.zeros(0, 3)), B, [0])
    with pytest.raises(ValueError, match="one identity as identity, got 2: pick one, or fuse them first"):
        perturb(known(torch.eye(2)), 10, 1, 0)
    with pytest.raises(NoFaceError, match="identities to mix, got none"):
        mix(known(torch.zeros(0, 3)))


def test_codes_of_a_flat_space_are_mixed_straight_and_do_not_turn():
    a, b = known(A.embedding, "e4e_wplus-1", flat=True), known(-A.embedding * 3, "e4e_wplus-1", flat=True)
    torch.testing.assert_close(between(a, b, [0, 0.5, 1, 1.5]).embedding[:, 0], torch.tensor([2.0, -2, -6, -10]))
    torch.testing.assert_close(
        mix(known(torch.cat([a.embedding, b.embedding]), flat=True), [1, 3]).embedding, -2 * A.embedding
    )
    assert between(a, b, [0.5]).flat
    with pytest.raises(
        ValueError, match="identities of a recogniser, which people differ by in direction, got codes of e4e"
    ):
        perturb(a, 10, 1, 0)
    with pytest.raises(ValueError, match="got codes of e4e_wplus-1"):
        a.similarity(b)
    assert float(a.distance(b)) == 8
