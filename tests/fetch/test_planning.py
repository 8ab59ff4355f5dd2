"""What is there is found, wherever it lies, and not brought again; what is wrong is named."""

import json
import os
import time
from dataclasses import replace

import pytest

import loopback
from likeness.fetch import Folders, Watch, download, plan, verify
from likeness.fetch.ledger import NAME, Ledger
from likeness.manifest import Conversion, File, Source, read_model
from loopback import QUICK, file_of, folders_at, names_in, serving, weights_of

BODY = loopback.noise(100_000)


def put(path, body: bytes = BODY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def manual(name: str = "weights.bin", **others) -> File:
    source = Source("manual", path="their weights.bin", url="https://example.org", steps="Register and agree.")
    return File(name, (source,), **{"bytes": None, "sha256": None, **others})


def test_nothing_there_is_missing_with_its_size_and_place(tmp_path):
    planned = plan(weights_of(file_of("http://127.0.0.1:9/weights.bin", BODY)), folders_at(tmp_path))
    assert (planned.state, planned.bytes, planned.accepted) == ("missing", len(BODY), True)
    assert planned.files[0].target == tmp_path / "models/example/weights.bin"
    assert list(tmp_path.iterdir()) == []


def test_a_bundled_file_is_installed_everywhere(tmp_path):
    model = read_model("yunet/2023mar")
    planned = plan(model, folders_at(tmp_path))
    assert planned.installed
    assert [path.name for path in download(model, folders_at(tmp_path))] == [model.files[0].name]
    assert [verdict.state for verdict in verify(model, folders_at(tmp_path))] == ["sound"]


@pytest.mark.parametrize("known", [True, False], ids=["hash published", "nothing published"])
def test_a_file_in_place_is_installed_and_not_asked_for(tmp_path, known):
    put(tmp_path / "models/example/weights.bin")
    model = weights_of(file_of("http://127.0.0.1:9/weights.bin", BODY if known else None), commercial="no")
    assert plan(model, folders_at(tmp_path)).installed
    assert download(model, folders_at(tmp_path), network=QUICK) == (tmp_path / "models/example/weights.bin",)


def test_every_place_of_a_folder_counts_and_the_first_takes_downloads(tmp_path):
    folders = Folders(tmp_path / "models", tmp_path / "a.json", {"example": (tmp_path / "ssd", tmp_path / "nas")})
    there = put(tmp_path / "nas/weights.bin")
    other = file_of("http://127.0.0.1:9/other.bin", BODY, name="deep/other.bin")
    planned = plan(weights_of(file_of("http://127.0.0.1:9/weights.bin", BODY), other), folders)
    assert [have.path for have in planned.files] == [there, None]
    assert planned.missing[0].target == tmp_path / "ssd/deep/other.bin"


@pytest.mark.parametrize("place", ["models/checkpoints/renamed.bin", "elsewhere/deep/weights.bin"])
def test_a_file_anywhere_under_the_model_folders_is_recognised_once_and_not_brought(tmp_path, place):
    there = put(tmp_path / place)
    folders = folders_at(tmp_path, checkpoints=tmp_path / "models/checkpoints", other=tmp_path / "elsewhere")
    model = weights_of(file_of("http://127.0.0.1:9/weights.bin", BODY), commercial="no")
    assert download(model, folders, network=QUICK) == (there,)
    assert plan(model, folders).installed
    assert [verdict.path for verdict in verify(model, folders)] == [there]
    there.unlink()
    assert plan(model, folders).state == "missing"


def test_a_file_with_the_right_name_and_size_but_other_bytes_is_not_taken(tmp_path):
    put(tmp_path / "models/checkpoints/weights.bin", loopback.noise(100_000, seed=1))
    with serving({"/weights.bin": BODY}) as server:
        (path,) = download(weights_of(file_of(f"{server.url}/weights.bin", BODY)), folders_at(tmp_path), network=QUICK)
    assert path.read_bytes() == BODY


def test_of_two_files_of_one_name_and_size_the_hash_chooses(tmp_path):
    put(tmp_path / "models/a/weights.bin", loopback.noise(100_000, seed=1))
    there = put(tmp_path / "models/b/weights.bin")
    put(tmp_path / "models/c/weights.bin", loopback.noise(100_000, seed=2))
    model = weights_of(file_of("http://127.0.0.1:9/weights.bin", BODY))
    assert download(model, folders_at(tmp_path), network=QUICK) == (there,)


def test_a_name_alone_says_nothing_outside_the_folder(tmp_path):
    put(tmp_path / "models/checkpoints/weights.bin")
    with serving({"/weights.bin": BODY}) as server:
        download(weights_of(file_of(f"{server.url}/weights.bin")), folders_at(tmp_path), network=QUICK)
        assert len(server.requests) == 1


def test_a_name_and_a_published_size_are_enough(tmp_path):
    there = put(tmp_path / "models/checkpoints/weights.bin")
    file = replace(file_of("http://127.0.0.1:9/weights.bin", BODY), sha256=None)
    assert download(weights_of(file), folders_at(tmp_path), network=QUICK) == (there,)


def test_a_folder_that_links_to_itself_is_walked_once(tmp_path):
    there = put(tmp_path / "models/a/b/renamed.bin")
    os.symlink(tmp_path / "models", tmp_path / "models/a/again")
    os.symlink(tmp_path / "nowhere", tmp_path / "models/broken")
    model = weights_of(file_of("http://127.0.0.1:9/weights.bin", BODY))
    folders = folders_at(tmp_path, again=tmp_path / "models/a")
    assert sorted(path.name for path in folders.walk()) == ["broken", "renamed.bin"]
    assert [path.resolve() for path in download(model, folders, network=QUICK)] == [there]


def test_a_wrong_size_is_wrong_at_once_and_the_file_is_kept_aside(tmp_path):
    put(tmp_path / "models/example/weights.bin", BODY[:5])
    with serving({"/weights.bin": BODY}) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", BODY))
        assert plan(model, folders_at(tmp_path)).state == "wrong"
        (path,) = download(model, folders_at(tmp_path), network=QUICK)
    assert path.read_bytes() == BODY
    assert (path.parent / "weights.bin.wrong").read_bytes() == BODY[:5]


def test_a_wrong_file_stays_in_place_while_no_better_one_comes(tmp_path):
    there = put(tmp_path / "models/example/weights.bin", BODY[:5])
    with serving({}) as server, pytest.raises(ConnectionError):
        download(weights_of(file_of(f"{server.url}/weights.bin", BODY)), folders_at(tmp_path), network=QUICK)
    assert there.read_bytes() == BODY[:5]


def test_verify_names_the_corrupt_file_and_what_to_do_and_the_plan_remembers(tmp_path):
    body = bytearray(BODY)
    body[77] ^= 1
    there = put(tmp_path / "models/example/weights.bin", bytes(body))
    with serving({"/weights.bin": BODY}) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", BODY))
        assert plan(model, folders_at(tmp_path)).installed
        (verdict,) = verify(model, folders_at(tmp_path))
        assert verdict.state == "corrupt"
        assert str(there) in verdict.says
        assert "`python -m headless models download example/v1` brings it again" in verdict.says
        assert plan(model, folders_at(tmp_path)).state == "wrong"
        download(model, folders_at(tmp_path), network=QUICK)
        assert [verdict.state for verdict in verify(model, folders_at(tmp_path))] == ["sound"]


@pytest.mark.parametrize("place", ["models/checkpoints/renamed.bin", "elsewhere/deep/weights.bin"])
def test_verify_finds_a_file_that_lies_elsewhere_under_the_model_folders(tmp_path, place):
    there = put(tmp_path / place)
    folders = folders_at(tmp_path, other=tmp_path / "elsewhere")
    model = weights_of(file_of("http://127.0.0.1:9/weights.bin", BODY))
    assert [(verdict.state, verdict.path) for verdict in verify(model, folders)] == [("sound", there)]
    assert plan(model, folders).installed


def test_verify_reads_the_bytes_again_whatever_the_cache_says(tmp_path):
    there = put(tmp_path / "models/example/weights.bin")
    model = weights_of(file_of("http://127.0.0.1:9/weights.bin", BODY))
    assert verify(model, folders_at(tmp_path))[0].state == "sound"
    stamp = there.stat()
    there.write_bytes(b"x" * len(BODY))
    os.utime(there, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert verify(model, folders_at(tmp_path))[0].state == "corrupt"


def test_verify_says_what_nobody_can_know(tmp_path):
    put(tmp_path / "models/example/weights.bin")
    model = weights_of(file_of("http://127.0.0.1:9/weights.bin"), file_of("http://127.0.0.1:9/b.bin", name="b.bin"))
    unknown, missing = verify(model, folders_at(tmp_path))
    assert (unknown.state, missing.state) == ("unknown", "missing")
    assert "nobody publishes its hash" in unknown.says
    assert "models download example/v1" in missing.says


def test_a_manual_file_is_explained_and_taken_once_it_is_there(tmp_path):
    model = weights_of(manual())
    assert plan(model, folders_at(tmp_path)).state == "manual"
    with pytest.raises(
        FileNotFoundError, match=r"(?s)Register and agree\..*put it at .*example/weights\.bin"
    ) as raised:
        download(model, folders_at(tmp_path), network=QUICK)
    assert "example.org" in str(raised.value)
    put(tmp_path / "models/example/weights.bin")
    assert plan(model, folders_at(tmp_path)).installed


def test_of_what_only_a_person_can_get_no_consent_is_asked_and_the_way_is_said(tmp_path):
    pickle = Source("manual", path="net.pth.tar", url="https://example.org", steps="Register.", convert=Conversion())
    model = weights_of(File("a/net.safetensors", (pickle,), None, None), commercial="no")
    with pytest.raises(FileNotFoundError) as raised:
        download(model, folders_at(tmp_path), network=QUICK)
    assert f"Put net.pth.tar into {tmp_path / 'models/example/a'} and try again" in str(raised.value)
    assert "or `python -m headless models import net.pth.tar --as example/v1`" in str(raised.value)


def test_a_pickle_that_does_not_come_may_be_imported(tmp_path):
    with serving({}) as server:
        source = Source("https", url=f"{server.url}/net.pth.tar", convert=Conversion())
        model = weights_of(File("net.safetensors", (source,), None, None))
        with pytest.raises(ConnectionError, match=r"(?s)404.*Or get net\.pth\.tar by hand, then `python -m headless"):
            download(model, folders_at(tmp_path), network=QUICK)


def test_offline_nothing_is_asked_and_the_place_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with serving({"/weights.bin": BODY}) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", BODY))
        with pytest.raises(ConnectionError, match=r"(?s)HF_HUB_OFFLINE is set.*put it at .*weights\.bin by hand"):
            download(model, folders_at(tmp_path), network=QUICK)
    assert server.requests == []


def test_a_download_shows_its_progress_to_the_end(tmp_path):
    shown = []
    with serving({"/weights.bin": BODY}, loopback.cut(0.5)) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", BODY))
        download(model, folders_at(tmp_path), Watch(progress=lambda *args: shown.append(args)), QUICK)
    assert shown[-1] == ("weights.bin", len(BODY), len(BODY))
    assert [done for _, done, _ in shown] == sorted(done for _, done, _ in shown)


@pytest.mark.parametrize("fault", [loopback.calling(0, list, piece=4096), loopback.stall(0.3, seconds=20)])
def test_a_download_is_cancelled_at_once_and_resumed(tmp_path, fault):
    body = loopback.noise(3_000_000)
    begun: list[float] = []
    watch = Watch(
        progress=lambda *_: begun.append(time.monotonic()),
        cancelled=lambda: bool(begun) and time.monotonic() > begun[0] + 0.2,
    )
    patient = replace(QUICK, timeout=30)
    with serving({"/weights.bin": body}, fault) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", body))
        with pytest.raises(InterruptedError, match=r"What has arrived stays, and the next try goes on from there\."):
            download(model, folders_at(tmp_path), watch, patient)
        assert time.monotonic() - begun[0] < 5
        assert names_in(tmp_path) == set()
        arrived = plan(model, folders_at(tmp_path)).files[0].arrived
        assert arrived > 0
        (path,) = download(model, folders_at(tmp_path), network=patient)
    assert path.read_bytes() == body
    assert server.requests[-1].headers["range"] == f"bytes={arrived}-"


def test_a_server_that_takes_a_request_and_says_nothing_can_be_called_off(tmp_path):
    start = time.monotonic()
    with serving({"/weights.bin": BODY}, lambda handler, body: time.sleep(3)) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", BODY))
        with pytest.raises(InterruptedError):
            download(model, folders_at(tmp_path), Watch(cancelled=lambda: bool(server.requests)), QUICK)
        assert time.monotonic() - start < 2
        assert download(model, folders_at(tmp_path), network=QUICK)


def test_a_wait_between_attempts_can_be_cancelled(tmp_path):
    start = time.monotonic()
    with serving({}, loopback.status(429, Retry_After="4")) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", BODY))
        with pytest.raises(InterruptedError):
            download(model, folders_at(tmp_path), Watch(cancelled=lambda: bool(server.requests)), QUICK)
    assert time.monotonic() - start < 4


def test_a_hosts_own_interrupt_passes_through_and_the_part_stays(tmp_path):
    class InterruptProcessingError(Exception): ...

    def interrupted() -> bool:
        raise InterruptProcessingError

    with serving({"/weights.bin": BODY}) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", BODY))
        with pytest.raises(InterruptProcessingError):
            download(model, folders_at(tmp_path), Watch(cancelled=interrupted), QUICK)
    assert names_in(tmp_path) == set()


def test_hashes_are_computed_once_until_size_or_time_change(tmp_path):
    there = put(tmp_path / "models/example/weights.bin")
    read = []
    watch = Watch(progress=lambda name, done, total: read.append(name))
    first = Ledger(tmp_path / "models").sha256(there, watch)
    assert read
    read.clear()
    assert Ledger(tmp_path / "models").sha256(there, watch) == first
    assert read == []
    put(there, BODY[::-1])
    os.utime(there, ns=(0, 0))
    assert Ledger(tmp_path / "models").sha256(there, watch) != first


def test_a_lock_file_that_is_damaged_says_what_to_do(tmp_path):
    put(tmp_path / "models" / NAME, b"{")
    with pytest.raises(ValueError, match=r"Expected JSON, got .*likeness\.lock\.json which is damaged .*: delete it"):
        plan(weights_of(manual()), folders_at(tmp_path))


def test_a_record_counts_only_for_the_source_it_came_from(tmp_path):
    with serving({"/weights.bin": BODY}) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin"))
        (path,) = download(model, folders_at(tmp_path), network=QUICK)
    recorded = json.loads((tmp_path / "models" / NAME).read_text())["files"]["example/weights.bin"]
    assert (recorded["bytes"], recorded["source"]) == (len(BODY), f"{server.url}/weights.bin")
    put(path, b"other")
    assert plan(model, folders_at(tmp_path)).state == "wrong"
    assert plan(weights_of(file_of("http://127.0.0.1:9/v2")), folders_at(tmp_path)).installed


@pytest.mark.parametrize("name", ["../escape.bin", "/escape.bin", "a/../../escape.bin", "C:\\escape.bin"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="correct the manifest"):
        plan(weights_of(file_of("http://127.0.0.1:9/x", BODY, name=name)), folders_at(tmp_path))
