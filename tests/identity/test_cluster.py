"""Persons among faces: bridges do not chain them, one face is a person, a threshold is never guessed."""

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components

from crowds import bcubed, crowd, known
from likeness.identity.cluster import CHUNK, cluster
from likeness.types import NoFaceError

THRESHOLD = 0.35


@pytest.mark.parametrize(("faces", "people"), [(1500, 80), (1500, 400), (CHUNK + 3, 30)])
def test_people_are_found_although_faces_between_two_would_chain_them(faces, people):
    vectors, who = crowd(faces, people)
    found = cluster(known(vectors), THRESHOLD)
    assert bcubed(found.label.tolist(), who.tolist()) >= 0.95


def test_a_bare_graph_would_have_chained_them():
    vectors, who = crowd(1500, 30)
    directions = torch.nn.functional.normalize(vectors, dim=1)
    chained = connected_components((directions @ directions.T > THRESHOLD).numpy())[1]
    assert bcubed(chained.tolist(), who.tolist()) < 0.6


def test_two_people_with_a_face_between_them_are_two_and_the_face_is_marked():
    generator = torch.Generator().manual_seed(0)
    people = torch.eye(2, 64).repeat_interleave(5, 0) + 0.05 * torch.randn(10, 64, generator=generator)
    found = cluster(known(torch.cat([people, people[:1] + people[5:6]])), 0.5)
    assert found.label[:10].tolist() in ([0] * 5 + [1] * 5, [1] * 5 + [0] * 5)
    assert len(found.people) == 2
    assert found.table["between"].tolist() == [False] * 10 + [True]


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_the_measure_is_that_of_the_space(metric):
    vectors, who = crowd(300, 20, bridging=0)
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    found = cluster(known(vectors, metric=metric, threshold=THRESHOLD if metric == "cosine" else 1.14))
    assert bcubed(found.label.tolist(), who.tolist()) > 0.98
    assert ("mean distance" if metric == "l2" else "mean similarity") in found.table.names


def test_the_order_of_the_faces_does_not_matter():
    vectors, _ = crowd(400, 40)
    turned = np.random.RandomState(1).permutation(400)
    one, other = cluster(known(vectors), THRESHOLD).label, cluster(known(vectors[turned]), THRESHOLD).label
    assert bcubed(one[turned].tolist(), other.tolist()) > 0.99


def test_one_face_is_a_person_and_strangers_are_many():
    assert len(cluster(known(torch.ones(1, 8)), 0.5).people) == 1
    found = cluster(known(torch.eye(5)), 0.5)
    assert found.label.tolist() == [0, 1, 2, 3, 4]
    assert found.table["faces"].tolist() == [1] * 5


def test_the_largest_person_comes_first_and_is_the_mean_of_its_faces():
    vectors = torch.tensor([[0.0, 2], [3, 0], [5, 0.1], [4, 0]])
    found = cluster(known(vectors), 0.9)
    assert found.label.tolist() == [1, 0, 0, 0]
    torch.testing.assert_close(found.people.identities.embedding, torch.stack([vectors[1:].mean(0), vectors[0]]))
    assert found.people.names == ("person 1", "person 2")


def test_what_cannot_be_grouped_is_refused():
    with pytest.raises(NoFaceError, match="Expected faces to group, got none"):
        cluster(known(torch.zeros(0, 8)), 0.5)
    with pytest.raises(ValueError, match=r"published threshold, got arcface-1: set a threshold of your own"):
        cluster(known(torch.eye(3)))
    for value in (0.0, torch.nan):
        with pytest.raises(ValueError, match="in each row of the identities, got zero or NaN in row 2: take them out"):
            cluster(known(torch.tensor([[1.0, 0], [value, value]])), 0.5)
