"""A folder of photos: every good one counts, every bad one is named."""

import shutil

import pytest
import torch

import factories
from likeness import detect, embed
from likeness.identity.cluster import cluster
from likeness.identity.folder import Looking, collect, look, photos
from likeness.manifest import read_models
from likeness.onnx import read
from likeness.types import NoFaceError
from likeness.weights import build_onnx


def looking(**more) -> Looking:
    networks = [
        build_onnx(read(read_models(name)[0].files[0].bundled), task.SYSTEMS)
        for name, task in (("yunet", detect), ("dlib_resnet", embed))
    ]
    return Looking(*networks, 0.7, **more)


def test_bad_files_are_listed_and_good_ones_stay(tmp_path):
    (tmp_path / "more").mkdir()
    for name, path in factories.PHOTOS.items():
        shutil.copy(path, tmp_path / "more" / f"{name}{path.suffix}")
        shutil.copy(path, tmp_path / f"again_{name}{path.suffix}")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no photo")
    paths = photos(tmp_path)
    with torch.inference_mode():
        gallery, bad = collect(list(look(paths, tmp_path, looking(every=False))), "dlib_resnet/v1")
    assert gallery.names == (
        "again_astronaut.png",
        "again_grace_hopper.jpg",
        "more/astronaut.png",
        "more/grace_hopper.jpg",
    )
    assert list(bad.rows()) == [("broken.jpg", "no picture that can be read")]
    assert gallery.identities.weights == "dlib_resnet/v1"
    assert cluster(gallery).label.tolist() == [0, 1, 0, 1]


def test_a_folder_of_nothing_and_of_bad_photos_only_says_so(tmp_path):
    with pytest.raises(NoFaceError, match=r"Expected photos \(.jpg, .*\) named \* in .*, got none: put some there"):
        photos(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    seen = list(look(photos(tmp_path), tmp_path, looking()))
    with pytest.raises(NoFaceError, match=r"one of 1 photos, got none; the first, broken.jpg: no picture that can"):
        collect(seen)
