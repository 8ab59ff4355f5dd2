"""A file that a person has is recognised by hash, name or tensors and put into place."""

import argparse
import io
import shutil
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

import factories
import loopback
from likeness.fetch import import_file, plan
from likeness.manifest import read_model
from loopback import entry, folders_at

YUNET = factories.STARTER / "weights/face_detection_yunet_2023mar.onnx"


def pickled(held: object) -> bytes:
    out = io.BytesIO()
    torch.save(held, out)
    return out.getvalue()


def test_a_renamed_copy_is_known_by_its_hash_and_linked_under_its_name(tmp_path, publish):
    theirs = tmp_path / "Downloads/detector (1).onnx"
    theirs.parent.mkdir()
    shutil.copy(YUNET, theirs)
    (imported,) = import_file(theirs, folders_at(tmp_path))
    assert (imported.id, imported.system, imported.how) == ("yunet/2023mar", "yunet", "hash")
    assert imported.path == tmp_path / "models/face_detection" / read_model("yunet/2023mar").files[0].name
    assert imported.path.samefile(theirs)
    assert import_file(theirs, folders_at(tmp_path)) == [imported]


def test_a_file_that_lies_in_another_model_folder_is_recognised_and_not_copied(tmp_path, publish):
    there = tmp_path / "models/checkpoints/detector (1).onnx"
    there.parent.mkdir(parents=True)
    shutil.copy(YUNET, there)
    theirs = tmp_path / "download.onnx"
    shutil.copy(YUNET, theirs)
    for path in (theirs, there):
        (imported,) = import_file(path, folders_at(tmp_path))
        assert (imported.id, imported.path) == ("yunet/2023mar", there)
    assert not (tmp_path / "models/face_detection").exists()


def test_a_good_file_takes_the_place_of_a_damaged_one_which_is_kept_aside(tmp_path, publish):
    name = read_model("yunet/2023mar").files[0].name
    wrong = tmp_path / "models/face_detection" / name
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(YUNET.read_bytes()[:-1])
    (imported,) = import_file(YUNET, folders_at(tmp_path))
    assert imported.path == wrong
    assert wrong.read_bytes() == YUNET.read_bytes()
    assert wrong.with_name(f"{name}.wrong").read_bytes() == YUNET.read_bytes()[:-1]


def test_where_no_link_can_be_made_it_is_copied(tmp_path, publish, monkeypatch):
    def refuse(*args, **options):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    (imported,) = import_file(YUNET, folders_at(tmp_path))
    assert imported.path.read_bytes() == YUNET.read_bytes()
    assert not imported.path.samefile(YUNET)


def test_a_file_without_a_published_hash_is_known_by_its_name_and_size(tmp_path, publish):
    publish("example", entry("a.bin", bytes=5, path="a.bin"))
    theirs = tmp_path / "a.bin"
    theirs.write_bytes(b"1234")
    with pytest.raises(ValueError, match=r"Expected weights of a known system, got .*: its hash, name and tensors"):
        import_file(theirs, folders_at(tmp_path))
    theirs.write_bytes(b"12345")
    (imported,) = import_file(theirs, folders_at(tmp_path))
    assert (imported.id, imported.how) == ("example/v1", "name")
    assert plan(read_model("example/v1"), folders_at(tmp_path)).installed


def test_a_name_that_several_have_wants_an_id(tmp_path, publish):
    for system in ("example", "other"):
        publish(system, entry("model.bin", path="model.bin"), folder_name=system)
    (tmp_path / "model.bin").write_bytes(b"12345")
    with pytest.raises(ValueError, match="may be of example/v1, other/v1: say which"):
        import_file(tmp_path / "model.bin", folders_at(tmp_path))
    (imported,) = import_file(tmp_path / "model.bin", folders_at(tmp_path), id="other/v1")
    assert imported.path == tmp_path / "models/other/model.bin"


def test_a_file_that_several_share_is_put_into_place_for_all(tmp_path, publish):
    for system in ("example", "other"):
        publish(system, entry("model.bin", path="model.bin"))
    (tmp_path / "model.bin").write_bytes(b"12345")
    taken = import_file(tmp_path / "model.bin", folders_at(tmp_path))
    assert [(imported.id, imported.path) for imported in taken] == [
        (id, tmp_path / "models/example/model.bin") for id in ("example/v1", "other/v1")
    ]


def test_an_id_takes_a_file_of_any_name(tmp_path, publish):
    publish("example", entry("model.bin"))
    (tmp_path / "Copy of model.bin").write_bytes(b"12345")
    (imported,) = import_file(tmp_path / "Copy of model.bin", folders_at(tmp_path), id="example/v1")
    assert imported.path == tmp_path / "models/example/model.bin"


def test_a_published_pickle_is_converted(tmp_path, publish):
    publish("example", entry("a.safetensors", path="example.tar", convert={"keep": "net", "strip": "module."}))
    (tmp_path / "example.tar").write_bytes(pickled({"net": {"module.w": torch.ones(2)}, "optimizer": {}}))
    (imported,) = import_file(tmp_path / "example.tar", folders_at(tmp_path))
    assert imported.path == tmp_path / "models/example/a.safetensors"
    assert list(load_file(imported.path)) == ["w"]
    assert (tmp_path / "example.tar").exists()


def test_a_manual_pickle_in_the_folder_is_converted_by_a_download(tmp_path, publish):
    from likeness.fetch import download

    publish("example", entry("a.safetensors", path="mica.tar", convert={"keep": "net"}))
    theirs = tmp_path / "models/example/mica.tar"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(pickled({"net": {"w": torch.ones(2)}}))
    (path,) = download(read_model("example/v1"), folders_at(tmp_path))
    assert list(load_file(path)) == ["w"]
    assert theirs.exists()


def test_all_wanted_files_of_a_published_archive_are_unpacked(tmp_path, publish):
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr("pack/a.onnx", b"aaa")
        archive.writestr("pack/b.onnx", b"bb")
    files = [entry(f"{name}.onnx", path="pack.zip", member=f"pack/{name}.onnx") for name in "ab"]
    publish("example", *files)
    imported = import_file(tmp_path / "pack.zip", folders_at(tmp_path))
    assert [which.path.read_bytes() for which in imported] == [b"aaa", b"bb"]


def test_their_own_graph_is_known_by_its_tensors_and_keeps_its_name(tmp_path, publish):
    import onnx

    graph = onnx.load(YUNET)
    graph.doc_string = "fine-tuned"
    onnx.save(graph, tmp_path / "mine.onnx")
    (imported,) = import_file(tmp_path / "mine.onnx", folders_at(tmp_path))
    assert (imported.id, imported.system, imported.how) == ("", "yunet", "tensors")
    assert imported.path == tmp_path / "models/face_detection/mine.onnx"


class Fake:
    name, keys = "dlib_resnet", ("conv.weight", "fc.weight")


@pytest.mark.parametrize("prefix", ["", "state_dict.", "state_dict.module."])
@pytest.mark.parametrize("kind", ["pickle", "safetensors"])
def test_their_own_checkpoint_is_known_by_its_tensors_wherever_they_are_in_it(
    tmp_path, publish, monkeypatch, kind, prefix
):
    monkeypatch.setattr("likeness.fetch.importing._systems", lambda: {"dlib_resnet": Fake})
    tensors = {"conv.weight": torch.ones(2), "fc.weight": torch.zeros(3)}
    if kind == "pickle":
        theirs = tmp_path / "mine.v2.pth.tar"
        inner = {prefix.partition(".")[2] + name: tensor for name, tensor in tensors.items()}
        theirs.write_bytes(pickled({"state_dict": inner, "epoch": 3} if prefix else inner))
    else:
        theirs = tmp_path / "mine.v2.safetensors"
        save_file({prefix + name: tensor for name, tensor in tensors.items()}, theirs)
    (imported,) = import_file(theirs, folders_at(tmp_path))
    assert imported.path == tmp_path / "models/face_embedding/mine.v2.safetensors"
    strip = "" if kind == "pickle" else prefix  # a safetensors file is linked as it is
    assert set(load_file(imported.path)) == {strip + name for name in tensors}


class TwoParts:
    name, keys = "example", ("conv.weight", "depth.conv.weight")


def test_a_part_of_a_system_is_known_by_the_tensors_of_that_part(tmp_path, publish, monkeypatch):
    monkeypatch.setattr("likeness.fetch.importing._systems", lambda: {"example": TwoParts})
    network = entry("a.safetensors", path="a.pth.tar", convert={})
    depth = entry("b.safetensors", path="b.pth.tar", convert={"keep": "state_dict"}) | {"part": "depth"}
    publish("example", network, depth)
    (tmp_path / "a.pth.tar").write_bytes(pickled({"conv.weight": torch.ones(2)}))
    (tmp_path / "b.pth.tar").write_bytes(pickled({"state_dict": {"conv.weight": torch.ones(2)}, "optimizer": {}}))
    for name in "ab":
        (imported,) = import_file(tmp_path / f"{name}.pth.tar", folders_at(tmp_path))
        assert imported.path == tmp_path / f"models/example/{name}.safetensors"
    (tmp_path / "b.pth.tar").write_bytes(pickled({"state_dict": {"other.weight": torch.ones(2)}}))
    with pytest.raises(ValueError, match="its hash, name and tensors"):
        import_file(tmp_path / "b.pth.tar", folders_at(tmp_path))


def test_a_pickle_with_settings_that_its_manifest_lists_is_recognised(tmp_path, publish, monkeypatch):
    monkeypatch.setattr("likeness.fetch.importing._systems", lambda: {"dlib_resnet": Fake})
    tensors = {"conv.weight": torch.ones(2), "fc.weight": torch.zeros(3)}
    (tmp_path / "mine.pth").write_bytes(pickled({"model": tensors, "args": argparse.Namespace(width=3)}))
    (imported,) = import_file(tmp_path / "mine.pth", folders_at(tmp_path))
    assert set(load_file(imported.path)) == set(tensors)


def test_a_taken_name_is_not_overwritten(tmp_path, publish, monkeypatch):
    monkeypatch.setattr("likeness.fetch.importing._systems", lambda: {"dlib_resnet": Fake})
    there = tmp_path / "models/face_embedding/mine.safetensors"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"theirs")
    save_file({"conv.weight": torch.ones(2), "fc.weight": torch.zeros(3)}, tmp_path / "mine.safetensors")
    with pytest.raises(FileExistsError, match="rename one of the two"):
        import_file(tmp_path / "mine.safetensors", folders_at(tmp_path))
    assert there.read_bytes() == b"theirs"


@pytest.mark.parametrize("body", [b"", b"text", loopback.noise(1000), b"PK\x03\x04", b"\x80\x04"], ids=len)
@pytest.mark.parametrize("name", ["a.bin", "a.safetensors", "a.onnx"])
def test_what_is_not_recognised_says_so(tmp_path, publish, name, body):
    (tmp_path / name).write_bytes(body)
    with pytest.raises(ValueError, match=r"its hash, name and tensors are not among those"):
        import_file(tmp_path / name, folders_at(tmp_path))
    left = {path.name for path in (tmp_path / "models").iterdir()}
    assert {name.removesuffix(".lock") for name in left} == {"likeness.lock.json"}  # its hash, computed once


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="give the path of a weight file"):
        import_file(tmp_path / "nothing", folders_at(tmp_path))
