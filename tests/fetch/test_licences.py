"""Terms that forbid commercial use are accepted once before a download; nothing asks for files that are there."""

import pytest

import loopback
from likeness.fetch import accept, download, licences, plan
from likeness.manifest import read_model
from loopback import QUICK, file_of, folders_at, serving, weights_of

BODY = loopback.noise(1000)


def non_commercial(server):
    return weights_of(file_of(f"{server.url}/weights.bin", BODY), commercial="no", id="yunet/2023mar")


def test_an_unaccepted_download_names_all_three_ways_and_asks_no_server(tmp_path):
    with serving({"/weights.bin": BODY}) as server:
        model = non_commercial(server)
        assert not plan(model, folders_at(tmp_path)).accepted
        with pytest.raises(PermissionError, match=r"not for commercial use \(CC-BY-NC-4\.0\)") as raised:
            download(model, folders_at(tmp_path), network=QUICK)
        assert server.requests == []
    for way in ("in the model panel", "`python -m headless models accept yunet/2023mar`", "LIKENESS_ACCEPT="):
        assert way in str(raised.value)


@pytest.mark.parametrize("value", ["all", "yunet/2023mar", "other/v1, yunet/2023mar"])
def test_the_environment_accepts(tmp_path, monkeypatch, value):
    monkeypatch.setenv("LIKENESS_ACCEPT", value)
    with serving({"/weights.bin": BODY}) as server:
        download(non_commercial(server), folders_at(tmp_path), network=QUICK)
        assert len(server.requests) == 1


@pytest.mark.parametrize("value", ["", "yunet", "yunet/2023", "other/v1"])
def test_the_environment_accepts_nothing_else(tmp_path, monkeypatch, value):
    monkeypatch.setenv("LIKENESS_ACCEPT", value)
    with serving({"/weights.bin": BODY}) as server, pytest.raises(PermissionError):
        download(non_commercial(server), folders_at(tmp_path), network=QUICK)


def test_acceptance_is_kept_for_an_installation_and_its_licence(tmp_path):
    path = tmp_path / "user/likeness.accepted.json"
    model = accept("yunet/2023mar", path)
    assert (model.id, model.weights_license) == ("yunet/2023mar", "MIT")
    strict = weights_of(file_of("http://127.0.0.1:9/x"), commercial="no", id="yunet/2023mar")
    assert not licences.is_accepted(strict, path)  # its licence is another than the one accepted
    accept("dlib_resnet/v1", path)
    assert set(licences._read(path)) == {"yunet/2023mar", "dlib_resnet/v1"}


def test_only_an_id_can_be_accepted(tmp_path):
    with pytest.raises(ValueError, match="got nobody/v1"):
        accept("nobody/v1", tmp_path / "accepted.json")
    assert not (tmp_path / "accepted.json").exists()


def test_free_weights_ask_nothing(tmp_path):
    assert licences.is_accepted(read_model("yunet/2023mar"), tmp_path / "accepted.json")


def test_a_damaged_record_says_what_to_do(tmp_path):
    path = tmp_path / "accepted.json"
    path.write_text("{")
    with pytest.raises(ValueError, match="delete it and accept again"):
        licences.is_accepted(weights_of(file_of("http://127.0.0.1:9/x"), commercial="no"), path)
