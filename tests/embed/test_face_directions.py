"""Codes along directions, as the authors' own functions move them; files that are none; what is no code."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import golden
import seeding
from crowds import known
from likeness.embed.face_directions import GANSPACE, Direction, edit, published, read
from likeness.manifest import read_models

GOLDEN = golden.FOLDER / "face_directions/golden.json"
STRENGTH = -3.0
TABLE = "older\t3\t2\t5\t20\nhair\t1\t8\t18\t-4\n"  # as ``tests/record/face_directions.py`` wrote it


def seeded(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


def codes(rows=1):
    return known(seeded("code", 1, 18, 512).flatten(1).repeat(rows, 1), "e4e_wplus-1", metric="l2", flat=True)


@pytest.fixture
def files(tmp_path):
    """Seeded files as they lie in the models folder, by the set's name and the part."""
    save_file({"value": seeded("interfacegan", 1, 512)}, tmp_path / "age.safetensors")
    np.save(tmp_path / "age.npy", seeded("latent", 18, 512).double().numpy())
    pca = {"mean": seeded("mean", 1, 512), "comp": seeded("comp", 4, 1, 512), "std": seeded("std", 4).abs() + 1}
    save_file(pca, tmp_path / "ffhq_pca.safetensors")
    (tmp_path / "ganspace_configs.csv").write_text(TABLE)
    return {
        "interfacegan": {"age": tmp_path / "age.safetensors"},
        "latent": {"age": tmp_path / "age.npy"},
        "ganspace": {"pca": tmp_path / "ffhq_pca.safetensors", "edits": tmp_path / "ganspace_configs.csv"},
    }


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("interfacegan/age", "interfacegan"),
        ("latent/age", "latent"),
        ("ganspace/older", "older"),
        ("ganspace/hair", "hair"),
    ],
)
def test_an_edit_is_the_authors(files, name, kept):
    direction = published(name, files[name.split("/")[0]])
    moved = edit(codes(2), direction, STRENGTH)
    assert golden.difference(GOLDEN, kept, moved.embedding[1:].unflatten(1, (18, 512))) < 1e-4
    assert (moved.space, moved.flat, moved.faces) == ("e4e_wplus-1", True, None)
    assert golden.difference(GOLDEN, kept, edit(codes(), direction, 1.0).embedding.unflatten(1, (18, 512))) > 1e-2


def test_only_the_layers_that_were_asked_for_move(files):
    direction = published("latent/age", files["latent"])
    for first, last, moving in ((0, 0, range(8)), (3, 0, range(2, 8)), (0, 18, range(18)), (18, 18, range(17, 18))):
        moved = (edit(codes(), direction, 1.0, first, last).embedding - codes().embedding).unflatten(1, (18, 512))
        assert [row for row in range(18) if moved[0, row].any()] == [*moving]
    for first, last in ((9, 0), (5, 4), (1, 19)):
        with pytest.raises(ValueError, match="Expected layers among 1 to 18, the first before the last"):
            edit(codes(), direction, 1.0, first, last)


def test_a_component_is_set_whatever_it_was(files):
    direction = published("ganspace/older", files["ganspace"])
    unit = Direction("unit", direction.way / direction.way.norm(), 0, None, direction.component)
    there = edit(codes(), unit, 2.0)
    torch.testing.assert_close(edit(there, unit, 2.0).embedding, there.embedding, atol=1e-5, rtol=1e-5)
    along = (there.embedding.unflatten(1, (18, 512))[0, 0] - unit.component.centre) @ unit.way[0]
    assert float(along) / unit.component.deviation == pytest.approx(2, abs=1e-5)


def test_nothing_moves_by_strength_0_and_of_no_codes_there_are_none(files):
    direction = published("interfacegan/age", files["interfacegan"])
    assert torch.equal(edit(codes(), direction, 0.0).embedding, codes().embedding)
    nobody = codes().select(torch.tensor([], dtype=torch.int64))
    assert (
        len(edit(nobody, direction, 2.0)) == len(edit(nobody, published("ganspace/older", files["ganspace"]), 2)) == 0
    )


def test_what_is_no_code_is_refused(files):
    direction = published("latent/age", files["latent"])
    with pytest.raises(
        ValueError, match="such as e4e's, got identities of arcface-1: choose e4e in Load Face Embedder"
    ):
        edit(known(torch.ones(1, 9216)), direction, 1.0)
    with pytest.raises(ValueError, match="rows of 512 numbers for latent/age, 18 of them, got 7168 numbers"):
        edit(known(torch.ones(1, 14 * 512), flat=True), direction, 1.0)
    with pytest.raises(ValueError, match="rows of 512 numbers for latent/age, 18 of them, got 100 numbers"):
        edit(known(torch.ones(1, 100), flat=True), direction, 1.0)


def test_what_is_no_direction_is_refused(tmp_path, files):
    with pytest.raises(ValueError, match=r"Expected the edit younger in ganspace_configs.csv, got older, hair"):
        published("ganspace/younger", files["ganspace"])
    np.save(tmp_path / "zero.npy", np.zeros(512))
    np.save(tmp_path / "whole.npy", np.arange(512))
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "cut.safetensors").write_bytes(b"12345678abc")
    for name, said in (
        ("zero.npy", "finite numbers, not all 0, in zero.npy"),
        ("whole.npy", r"in whole.npy, got \(512,\) of torch.int64"),
        ("pickled.npy", "Expected a direction in pickled.npy, got a file that is none"),
        ("cut.safetensors", "Expected a direction in cut.safetensors, got a file that is none"),
        ("ffhq_pca.safetensors", "one direction in ffhq_pca.safetensors, got 3 tensors"),
        ("ganspace_configs.csv", "Expected a direction in .npy, .safetensors, .pt, .pth, got ganspace_configs.csv"),
    ):
        with pytest.raises(ValueError, match=said):
            read(tmp_path / name)


def test_a_pickle_of_one_tensor_is_a_direction(tmp_path):
    torch.save(seeded("own", 512), tmp_path / "own.pt")
    assert torch.equal(read(tmp_path / "own.pt").way, seeded("own", 1, 512))


def test_the_published_sets_are_whole():
    counts = {model.id: len(model.files) for model in read_models("face_directions")}
    assert counts == {"face_directions/interfacegan": 2, "face_directions/latent": 21, "face_directions/ganspace": 2}
    assert len(set(GANSPACE)) == 42
