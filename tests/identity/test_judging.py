"""Ranked, judged, and held against strangers."""

import pytest
import torch

from crowds import crowd, known
from likeness.identity.judge import judge
from likeness.identity.rank import rank
from likeness.identity.threshold import threshold_from
from likeness.types import Embeddings, Faces, NoFaceError


def pictures(*images: int, count: int, vectors: torch.Tensor, **more) -> Embeddings:
    """Faces in so many images."""
    index = torch.tensor(images, dtype=torch.int64)
    size = len(index)
    faces = Faces((9, 9), count, torch.arange(size), index, torch.zeros(size, 4), torch.ones(size))
    return Embeddings(faces, "facenet-1", vectors, **more)


VECTORS = torch.tensor([[1.0, 0], [0, 1], [1, 1], [1, 3]])
REFERENCE = known(torch.tensor([[0.0, 2]]), "facenet-1")


def test_an_image_is_as_like_as_its_best_face_and_one_without_comes_last():
    order, measure = rank(pictures(0, 0, 2, 3, count=4, vectors=VECTORS), REFERENCE)
    assert order.tolist() == [0, 3, 2, 1]
    assert measure.tolist() == pytest.approx([1, torch.nan, 0.5**0.5, 0.9**0.5], nan_ok=True)


def test_in_a_space_of_distances_the_nearest_is_first():
    near = Embeddings(None, "facenet-1", REFERENCE.embedding, metric="l2")
    order, measure = rank(pictures(0, 1, count=2, vectors=VECTORS[:2], metric="l2"), near)
    assert (order.tolist(), measure.tolist()) == ([1, 0], pytest.approx([5**0.5, 1]))


def test_nobody_to_rank_and_saved_identities_are_refused():
    with pytest.raises(NoFaceError, match="a face in one of 3 images, got none"):
        rank(pictures(count=3, vectors=torch.zeros(0, 2)), REFERENCE)
    with pytest.raises(ValueError, match="got a saved identity: connect it as the reference"):
        rank(REFERENCE, REFERENCE)
    with pytest.raises(ValueError, match="row of the reference, got zero or NaN in row 1"):
        rank(pictures(0, count=1, vectors=VECTORS[:1]), known(torch.zeros(1, 2), "facenet-1"))


def test_a_judge_of_another_space_scores_and_counts():
    said = judge(pictures(0, 2, 3, count=4, vectors=VECTORS[:3]), REFERENCE, known(VECTORS, "arcface-1"), 0.6)
    assert said.score == pytest.approx((0 + 1 + 0.5**0.5) / 3)
    assert (said.accepted, said.independent) == (0.5, True)
    assert said.report.table["image"].tolist() == [2, 3, 0, 1]
    assert "over 3 of 4 images that show a face" in said.report.markdown()


def test_the_generators_own_encoder_is_no_judge_unless_it_is_said():
    faces = pictures(0, count=1, vectors=VECTORS[:1])
    with pytest.raises(ValueError, match="another space than the generator's, got facenet-1 on both sides"):
        judge(faces, REFERENCE, REFERENCE)
    said = judge(faces, REFERENCE, REFERENCE, circular=True)
    assert not said.independent
    assert "CIRCULAR" in said.report.markdown()


def test_without_a_threshold_there_is_no_verdict_and_a_relative_is_named():
    said = judge(pictures(0, count=1, vectors=VECTORS[:1]), REFERENCE, "facenet-2")
    assert said.accepted != said.accepted
    assert said.report.table.texts("same") == [None]
    assert "of the same method as the generator's facenet-2" in said.report.markdown()
    assert "Nobody publishes a threshold for facenet-1" in said.report.markdown()


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_strangers_pass_a_threshold_as_seldom_as_asked(metric):
    vectors = torch.randn(400, 512, generator=torch.Generator().manual_seed(0))
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    found = threshold_from(known(vectors, metric=metric), 0.01)
    others = known(vectors, metric=metric)
    same = others.same_person(others, found.value)[tuple(torch.triu_indices(400, 400, 1))]
    assert float(same.float().mean()) == pytest.approx(0.01, abs=1e-4)  # the pair at it may round over it
    assert found.pairs == found.possible == 79800


def test_faces_of_one_person_are_no_strangers_and_large_sets_are_drawn_from(monkeypatch):
    vectors, who = crowd(300, 20, bridging=0)
    found = threshold_from(known(vectors), 0.01, torch.from_numpy(who))
    assert found.value < 0.2
    assert threshold_from(known(vectors), 0.01).value > 0.4
    monkeypatch.setattr("likeness.identity.threshold.MOST", 5000)
    drawn = threshold_from(known(vectors), 0.01, torch.from_numpy(who))
    assert drawn.value == pytest.approx(found.value, abs=0.02)
    assert f"drawn from {found.possible}" in str(drawn)


def test_few_strangers_say_little_and_none_say_nothing():
    assert "no rate below 0.33: none of them passes" in str(threshold_from(known(torch.eye(3)), 0.001))
    for people, far, said in (
        (known(torch.zeros(0, 3)), 0.1, "faces of different people to set a threshold by, got none"),
        (known(torch.ones(1, 3)), 0.1, "faces of two people or more.*got one person's"),
        (known(torch.eye(3)), 0.0, "rate between 0 and 1, such as 0.001, got 0.0"),
        (known(torch.zeros(2, 3)), 0.1, "row of the set, got zero or NaN in row 1, 2"),
    ):
        with pytest.raises(ValueError, match=said):
            threshold_from(people, far)
