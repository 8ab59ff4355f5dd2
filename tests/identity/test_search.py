"""The nearest in a set: what the whole product would find, however large the set is and wherever it lies."""

import pytest
import torch

from crowds import crowd, known
from likeness.identity import file, search
from likeness.identity.gallery import Gallery
from likeness.types import NoFaceError

map_one = file._map


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("queries", [1, 7])
def test_the_nearest_are_those_of_the_whole_product(monkeypatch, metric, queries):
    monkeypatch.setattr(search, "ROWS", 64)
    vectors, _ = crowd(300, 50)
    who, people = known(vectors[:queries] + 1, metric=metric), known(vectors, metric=metric)
    found = search.find(Gallery(people), who, 5)
    whole = who.distance(people) if metric == "l2" else who.similarity(people)
    want = whole.topk(5, dim=1, largest=metric == "cosine")
    assert torch.equal(found.row, want.indices)
    torch.testing.assert_close(found.measure, want.values, atol=2e-3, rtol=1e-4)


def test_more_than_there_are_gives_all(monkeypatch):
    monkeypatch.setattr(search, "ROWS", 2)
    found = search.find(Gallery(known(torch.eye(3))), known(torch.eye(3)[:1]), 10)
    assert found.row.shape == (1, 3)
    assert found.row[0, 0] == 0


def test_a_mapped_set_is_searched_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setattr(file, "MAPPED", 1000)
    mapped = []
    monkeypatch.setattr(file, "_map", lambda path, entry, start: mapped.append(entry) or map_one(path, entry, start))
    vectors, _ = crowd(200, 20)
    path = file.save(Gallery(known(vectors), tuple(f"photo {n}" for n in range(200))), tmp_path / "set.safetensors")
    gallery = file.load(path).gallery
    assert len(mapped) == 2  # vectors and names
    found = search.find(gallery, known(vectors[42:43]))
    assert (gallery.name(int(found.row[0, 0])), round(float(found.measure[0, 0]), 4)) == ("photo 42", 1)


def test_what_was_found_is_a_table_with_a_verdict_where_there_is_a_threshold():
    gallery, who = Gallery(known(torch.eye(3)), ("ann", "bo", "cy")), Gallery(known(torch.tensor([[0.1, 1, 0]])))
    found = search.find(gallery, who.identities, 2)
    table = search.report_rows(found, gallery, who, 0.5)
    assert next(iter(table.rows()))[:4] == ("1", 1, "bo", 1)
    assert table["same"].tolist() == [True, False]
    assert search.report_rows(found, gallery, who, None).texts("same") == [None, None]


def test_nobody_an_empty_set_and_another_space_are_refused():
    with pytest.raises(NoFaceError, match="Expected somebody to look for, got no face"):
        search.find(Gallery(known(torch.eye(3))), known(torch.zeros(0, 3)))
    with pytest.raises(NoFaceError, match="Expected a set with somebody in it, got an empty one"):
        search.find(Gallery(known(torch.zeros(0, 3))), known(torch.eye(3)))
    with pytest.raises(ValueError, match=r"of one space, got arcface-1 and facenet-2: use one model"):
        search.find(Gallery(known(torch.eye(3), "facenet-2")), known(torch.eye(3)))
    with pytest.raises(ValueError, match=r"vectors of one size in arcface-1, got 3 and 4 numbers"):
        search.find(Gallery(known(torch.eye(4))), known(torch.eye(3)))
    with pytest.raises(ValueError, match="row of the set, got zero or NaN in row 2"):
        search.find(Gallery(known(torch.tensor([[1.0, 0], [0, 0]]))), known(torch.eye(2)))
    with pytest.raises(ValueError, match="row of the identities that are looked for, got zero or NaN in row 1"):
        search.find(Gallery(known(torch.eye(2))), known(torch.full((1, 2), torch.nan)))
