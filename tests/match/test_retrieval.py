"""The order of faces under a text."""

import torch

from likeness.match import first, order
from likeness.types import Faces, Matches

NEAR = torch.tensor([0.1, 0.5, 0.3, 0.5, -0.2])


def judged(rows: torch.Tensor, yes: list[float]) -> Matches:
    index = torch.arange(5)
    faces = Faces((9, 9), 1, index, index * 0, torch.zeros(5, 4), torch.ones(5)).select(rows)
    logits = torch.tensor([[[-value, value]] for value in yes])
    return Matches(faces, ("a face",), NEAR[rows][:, None], logits)


def test_the_nearest_are_looked_at_in_their_own_order():
    assert first(NEAR, 3).tolist() == [1, 2, 3]
    assert first(NEAR, 0).tolist() == []
    assert first(NEAR, 9).tolist() == [0, 1, 2, 3, 4]


def test_whom_the_head_looked_at_comes_first_by_its_score():
    looked = first(NEAR, 3)
    ranking = order(NEAR, looked, judged(looked, [-3.0, 2.0, 1.9]))
    assert ranking.row.tolist() == [3, 2, 1, 0, 4]  # 1.9 + 0.5 over 2.0 + 0.3; the others by similarity
    torch.testing.assert_close(ranking.score[:3], torch.tensor([2.4, 2.3, -2.5]))
    assert ranking.score[3:].isnan().all()
    torch.testing.assert_close(ranking.similarity, NEAR[ranking.row])
    torch.testing.assert_close(ranking.probability[:3], (2 * torch.tensor([1.9, 2.0, -3.0])).sigmoid())


def test_without_the_head_similarity_decides_and_of_equals_the_first():
    ranking = order(NEAR, first(NEAR, 0))
    assert ranking.row.tolist() == [1, 3, 2, 0, 4]
    assert ranking.score.isnan().all()


def test_of_nobody_the_order_is_empty():
    assert len(order(torch.zeros(0), first(torch.zeros(0), 5))) == 0
