"""Identities in files: ours with all they mean, ReActor's and NumPy's, and what is none."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from crowds import known
from likeness.identity.file import described, load, save
from likeness.identity.gallery import Gallery

TERMS = "arcface/w600k_r50; licence: non-commercial research; commercial use: no"
MAKER = known(torch.zeros(0, 512), "arcface-abc", weights=TERMS)


def test_what_is_saved_comes_back_with_all_it_means(tmp_path):
    people = known(torch.eye(2, 5) * 7, "dlib_resnet-1", metric="l2", threshold=0.6, weights=TERMS)
    path = save(Gallery(people, ("Ann", "Bjørn")), tmp_path / "a.safetensors", "from the archive")
    back = load(path)
    found = back.gallery.identities
    assert torch.equal(found.embedding, people.embedding)
    assert (found.space, found.metric, found.threshold, found.weights) == ("dlib_resnet-1", "l2", 0.6, TERMS)
    assert back.gallery.names == ("Ann", "Bjørn")
    assert described(back).splitlines() == [
        "2 x 5, Likeness identity",
        "space: dlib_resnet-1 (l2, threshold 0.6)",
        f"weights: {TERMS}",
        "note: from the archive",
    ]


def test_without_a_threshold_and_names_there_are_none(tmp_path):
    back = load(save(Gallery(known(torch.ones(3, 4))), tmp_path / "a.safetensors")).gallery
    assert (back.identities.threshold, back.names, back.name(1)) == (None, (), "2")


def reactor(path, size: int = 512):
    """A face model as ReActor writes it."""
    fields = {"bbox": 4, "kps": (5, 2), "det_score": (), "landmark_3d_68": (68, 3), "pose": 3, "gender": (), "age": ()}
    shapes = {name: torch.Size([shape] if isinstance(shape, int) else shape) for name, shape in fields.items()}
    save_file({name: torch.ones(shape) for name, shape in shapes.items()} | {"embedding": torch.ones(size) * 3}, path)
    return path


def test_a_face_model_of_reactor_loads_into_the_space_of_its_maker(tmp_path):
    back = load(reactor(tmp_path / "me.safetensors"), MAKER)
    found = back.gallery.identities
    assert (found.space, found.weights, back.kind) == ("arcface-abc", TERMS, "ReActor face model")
    assert found.embedding.tolist() == [[3.0] * 512]
    assert back.gallery.names == ("me",)


def test_without_its_maker_it_is_compared_with_nobody_else(tmp_path):
    found = load(reactor(tmp_path / "me.safetensors")).gallery.identities
    with pytest.raises(ValueError, match=r"of one space, got unstated \(me.safetensors\) and arcface-1: use one model"):
        found.similarity(known(torch.ones(1, 512)))


@pytest.mark.parametrize("shape", [(512,), (3, 512)])
def test_an_array_is_one_identity_or_a_row_each(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.ones(shape))
    found = load(tmp_path / "a.npy", MAKER).gallery.identities
    assert found.embedding.shape == (shape[0] if len(shape) == 2 else 1, 512)
    assert found.space == "arcface-abc"


def test_files_that_hold_no_identity_say_what_they_hold(tmp_path):
    np.save(tmp_path / "whole.npy", np.ones(512, dtype=np.int64))
    np.save(tmp_path / "object.npy", np.array([{"a": 1}]), allow_pickle=True)
    np.save(tmp_path / "zero.npy", np.zeros(512))
    save_file({"weight": torch.ones(2)}, tmp_path / "net.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"12")
    (tmp_path / "broken.npy").write_bytes(b"12")
    (tmp_path / "a.txt").write_text("1")
    for name, said in {
        "whole.npy": r"numbers in whole.npy, got \(512,\) of torch.int64: save one vector a row",
        "object.npy": "an array of numbers in object.npy, got Object arrays cannot be loaded",
        "zero.npy": "row of the file zero.npy, got zero or NaN in row 1",
        "net.safetensors": "identities in net.safetensors, got tensors named weight: save it with Save Identity",
        "broken.safetensors": "a safetensors file in broken.safetensors, got a damaged one",
        "broken.npy": "an array of numbers in broken.npy, got ",
        "a.txt": r"a file of identities in .safetensors or .npy, got a.txt",
    }.items():
        with pytest.raises(ValueError, match=said):
            load(tmp_path / name)


def test_a_maker_of_other_vectors_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"of 512 numbers, as arcface-abc has them, got 128 in me.safetensors"):
        load(reactor(tmp_path / "me.safetensors", 128), MAKER)
    path = save(Gallery(known(torch.ones(1, 512), "facenet-1")), tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"to be of the space arcface-abc, got facenet-1: load the model that made it"):
        load(path, MAKER)


def test_nobody_zero_and_names_of_two_lines_are_not_saved(tmp_path):
    for people, said in {
        Gallery(known(torch.zeros(0, 4))): "an identity to save, got none",
        Gallery(known(torch.zeros(1, 4))): "zero or NaN in row 1",
        Gallery(known(torch.ones(1, 4)), ("a\nb",)): "names of one line each",
    }.items():
        with pytest.raises(ValueError, match=said):
            save(people, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="a name for each of 1 identities, got 2"):
        Gallery(known(torch.ones(1, 4)), ("a", "b"))


def test_codes_stay_codes_and_their_rows_are_joined(tmp_path):
    code = known(torch.arange(1.0, 13)[None], "e4e_wplus-1", metric="l2", flat=True)
    back = load(save(Gallery(code), tmp_path / "code.safetensors")).gallery.identities
    assert (back.flat, back.metric) == (True, "l2")
    assert not load(save(Gallery(known(torch.ones(1, 4))), tmp_path / "b.safetensors")).gallery.identities.flat
    np.save(tmp_path / "rows.npy", code.embedding.reshape(1, 3, 4).numpy())
    found = load(tmp_path / "rows.npy", code.select(torch.zeros(0, dtype=torch.int64))).gallery.identities
    assert torch.equal(found.embedding, code.embedding)
    assert found.flat
