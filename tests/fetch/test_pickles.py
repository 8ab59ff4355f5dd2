"""Tensors out of pickles, and nothing run on the way."""

import argparse
import collections
import io
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import loopback
from likeness.fetch import download
from likeness.fetch.pickles import _allowed, convert, read_tensors
from likeness.manifest import Conversion, File, Source
from loopback import QUICK, folders_at, names_in, serving, weights_of


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def checkpoint(model: nn.Module) -> dict:
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.rand(2, 3, 3, 3)).sum().backward()
    optimizer.step()
    prefixed = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    return {"network": prefixed, "optimizer": optimizer.state_dict(), "epoch": 7}


def equal(a: dict, b: dict) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_training_checkpoint_becomes_the_network_alone(tmp_path, zipped):
    model = network()
    torch.save(checkpoint(model), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    convert(tmp_path / "a.pth", tmp_path / "a.safetensors", Conversion(keep="network", strip="module.", drop=("3.",)))
    expected = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("3.")}
    assert equal(dict(sorted(load_file(tmp_path / "a.safetensors").items())), dict(sorted(expected.items())))
    assert (tmp_path / "a.safetensors").stat().st_size < (tmp_path / "a.pth").stat().st_size / 2


def test_the_optimiser_is_left_even_where_nothing_is_said(tmp_path):
    torch.save(checkpoint(network()), tmp_path / "a.pth")
    assert {name.split(".")[0] for name in read_tensors(tmp_path / "a.pth")} == {"network"}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_whole_module_gives_its_state_dict(tmp_path, zipped):
    model = network()
    model.register_buffer("passing", torch.ones(2), persistent=False)
    torch.save({"ema": None, "model": model.half()}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    tensors = read_tensors(tmp_path / "a.pt", Conversion(keep="model"))
    assert equal(tensors, model.state_dict())


def test_a_module_of_unknown_code_gives_its_tensors_without_that_code(tmp_path):
    module = types.ModuleType("their_code")
    module.Net = type("Net", (nn.Linear,), {"__module__": "their_code"})
    sys.modules["their_code"] = module
    try:
        model = module.Net(3, 2)
        torch.save(model, tmp_path / "a.pt")
    finally:
        del sys.modules["their_code"]
    with pytest.raises(ValueError, match=r"names their_code\.Net.*nothing of it ran"):
        read_tensors(tmp_path / "a.pt")
    assert equal(read_tensors(tmp_path / "a.pt", Conversion(classes=("their_code.Net",))), model.state_dict())
    assert "their_code" not in sys.modules


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_settings_beside_the_weights_need_their_class_listed(tmp_path, zipped):
    held = {"args": argparse.Namespace(width=3, when=np.float64(2)), "model": network().state_dict()}
    torch.save(held, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    conversion = Conversion(keep="model", classes=("argparse.Namespace",))
    assert equal(read_tensors(tmp_path / "a.pt", conversion), network().state_dict())
    with pytest.raises(ValueError, match=r"argparse\.Namespace.*manifest may list the class"):
        read_tensors(tmp_path / "a.pt", Conversion(keep="model"))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_of_arrays_gives_them(tmp_path, protocol):
    held = {
        "mean": np.arange(6, dtype=np.float32).reshape(2, 3),
        "list": [np.ones(2, dtype=">f8"), "text"],
        "count": np.int64(3),
        "nested": collections.OrderedDict(faces=np.arange(3)),
    }
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(held, protocol))
    if protocol < 2:  # no published file has them
        with pytest.raises(ValueError, match="Expected a pickle, got"):
            read_tensors(tmp_path / "a.pkl")
        return
    tensors = read_tensors(tmp_path / "a.pkl")
    assert list(tensors) == ["mean", "list.0", "nested.faces"]
    assert torch.equal(tensors["list.0"], torch.ones(2, dtype=torch.float64))


def test_tensors_in_a_plain_pickle_are_read(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"w": torch.arange(4.0), "p": nn.Parameter(torch.ones(2))}))
    assert equal(read_tensors(tmp_path / "a.pkl"), {"w": torch.arange(4.0), "p": torch.ones(2)})


def test_a_pickle_of_python_2_is_read(tmp_path):
    stream = (
        b"\x80\x02}q\x00U\x01wcnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01K\x02\x85"
    )
    stream += b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    stream += b"U\x08\x00\x00\x80?\x00\x00\x00\xc0tbs."
    (tmp_path / "a.pkl").write_bytes(stream)
    assert read_tensors(tmp_path / "a.pkl")["w"].tolist() == [1, -2]


def test_shared_and_transposed_tensors_are_written_apart(tmp_path):
    weight = torch.arange(6.0).reshape(2, 3)
    torch.save({"a": weight, "b": weight, "c": weight.T, "d": weight[1:]}, tmp_path / "a.pth")
    convert(tmp_path / "a.pth", tmp_path / "a.safetensors", Conversion())
    assert equal(load_file(tmp_path / "a.safetensors"), {"a": weight, "b": weight, "c": weight.T, "d": weight[1:]})


def test_a_wrong_place_is_answered_with_what_is_there(tmp_path):
    torch.save({"state_dict": {"w": torch.ones(1)}, "epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"Expected network in .*, got a mapping of state_dict, epoch"):
        read_tensors(tmp_path / "a.pth", Conversion(keep="network"))


class Evil:
    """Runs a function when it is unpickled."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(witness) -> dict[str, object]:
    import builtins
    import os

    return {
        "os.system": Evil(os.system, f"touch {witness}"),
        "exec": Evil(builtins.exec, f"open({str(witness)!r}, 'w')"),
        "eval": Evil(builtins.eval, f"open({str(witness)!r}, 'w')"),
        "getattr": Evil(builtins.getattr, "", "join"),
        "open": Evil(builtins.open, str(witness), "w"),
        "import": Evil(builtins.__import__, "antigravity"),
        "torch.load": Evil(torch.load, str(witness)),
        "pickle.loads": Evil(pickle.loads, pickle.dumps(Evil(os.system, f"touch {witness}"))),
    }


@pytest.mark.parametrize("name", list(attacks("")))
@pytest.mark.parametrize("form", ["zip", "legacy", "plain", "storage"])
def test_a_pickle_with_code_is_refused_and_nothing_runs(tmp_path, name, form):
    witness, path = tmp_path / "witness", tmp_path / "a.pth"
    held = {"w": torch.ones(1), "evil": attacks(witness)[name]}
    if form == "plain":
        path.write_bytes(pickle.dumps(held))
    elif form == "storage":  # a legacy torch file inside a plain pickle, which torch itself would load unrestricted
        inner = io.BytesIO()
        torch.save(held, inner, _use_new_zipfile_serialization=False)
        path.write_bytes(pickle.dumps(Evil(torch.storage._load_from_bytes, inner.getvalue())))
    else:
        torch.save(held, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(ValueError, match=r"it names .*, which is no tensor\. Refused, nothing of it ran"):
        read_tensors(path, Conversion(classes=("argparse.Namespace",)))
    assert not witness.exists()


def test_a_class_that_is_listed_is_still_never_made(tmp_path):
    witness = tmp_path / "witness"
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"w": torch.ones(1), "evil": attacks(witness)["exec"]}))
    assert list(read_tensors(tmp_path / "a.pkl", Conversion(classes=("builtins.exec",)))) == ["w"]
    assert not witness.exists()


def test_bytes_are_decoded_as_latin1_only(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.")
    with pytest.raises(ValueError, match="Expected bytes as latin1, got zlib"):
        read_tensors(tmp_path / "a.pkl")


def test_nothing_that_a_pickle_may_name_can_be_changed_by_it():
    for name, value in _allowed().items():
        if isinstance(value, type):
            with pytest.raises(TypeError, match=r"cannot set|immutable"):
                value.changed = 1
        else:
            assert callable(value) or isinstance(value, torch.dtype), name


def test_a_torchscript_program_is_refused(tmp_path):
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "a.pt"))
    with pytest.raises(ValueError, match="TorchScript program"):
        read_tensors(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"PK\x03\x04 damaged", b"\x80\x02damaged", b"tensors\0ustar"], ids=repr
)
def test_what_is_no_pickle_is_named(tmp_path, body):
    (tmp_path / "a.pth").write_bytes(body)
    with pytest.raises(ValueError, match=r"Expected a pickle"):
        read_tensors(tmp_path / "a.pth")


def test_a_truncated_checkpoint_is_named(tmp_path):
    torch.save(network().state_dict(), tmp_path / "a.pth")
    body = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(body[: len(body) // 2])
    with pytest.raises(ValueError, match="Expected a pickle of tensors"):
        read_tensors(tmp_path / "a.pth")


def pickled(held: object) -> bytes:
    out = io.BytesIO()
    torch.save(held, out)
    return out.getvalue()


def converted(url: str, **conversion) -> File:
    source = Source("https", url=url, convert=Conversion(**conversion))
    return File("a.safetensors", (source,), None, None)


def test_a_downloaded_pickle_is_converted_once_and_not_kept(tmp_path):
    body = pickled(checkpoint(network()))
    with serving({"/a.pth.tar": body}, loopback.cut(0.5)) as server:
        model = weights_of(converted(f"{server.url}/a.pth.tar", keep="network", strip="module."))
        for _ in range(2):
            (path,) = download(model, folders_at(tmp_path), network=QUICK)
    assert len(server.requests) == 2
    assert set(load_file(path)) == set(network().state_dict())
    assert names_in(tmp_path) == {"a.safetensors"}
    assert not list(path.parent.glob("*.arrived"))


def test_a_downloaded_pickle_with_code_is_refused_and_the_next_try_asks_again(tmp_path):
    evil = pickle.dumps(attacks(tmp_path / "witness")["os.system"])
    with serving({"/a.pth": evil}) as server:
        model = weights_of(converted(f"{server.url}/a.pth"))
        with pytest.raises(ConnectionError, match=r"posix\.system|os\.system|nt\.system"):
            download(model, folders_at(tmp_path), network=QUICK)
        assert names_in(tmp_path) == set()
        server.files["/a.pth"] = pickled({"w": torch.ones(3)})
        (path,) = download(model, folders_at(tmp_path), network=QUICK)
    assert load_file(path)["w"].tolist() == [1, 1, 1]


def test_a_pickle_in_an_archive_is_unpacked_and_converted(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("deep/a.pth", pickled({"w": torch.ones(3)}))
    with serving({"/a.zip": out.getvalue()}) as server:
        source = Source("https", url=f"{server.url}/a.zip", member="deep/a.pth", convert=Conversion())
        model = weights_of(File("a.safetensors", (source,), None, None))
        (path,) = download(model, folders_at(tmp_path), network=QUICK)
    assert load_file(path)["w"].tolist() == [1, 1, 1]
    assert names_in(tmp_path) == {"a.safetensors"}
