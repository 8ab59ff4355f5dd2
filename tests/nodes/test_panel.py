"""What the model panel's server side does, without a server: buttons, jobs one after another, what is told of them."""

import json
import time

import pytest

import slow
from headless import standalone

SECONDS = 20


@pytest.fixture
def source(pack, base, tmp_path, monkeypatch):
    """The loopback system alone is published; its server."""
    manifest = pack.likeness.manifest
    (tmp_path / "manifests").mkdir()
    monkeypatch.setattr(manifest, "FOLDER", tmp_path / "manifests")
    monkeypatch.delenv("LIKENESS_ACCEPT", raising=False)
    manifest.read_manifest.cache_clear()
    standalone.start(base)
    with slow.serving() as server:
        slow.write_manifest(tmp_path / "manifests", server)
        yield server
    manifest.read_manifest.cache_clear()


@pytest.fixture
def panel(pack, source):
    return pack.nodes.panel


@pytest.fixture
def told():
    return []


@pytest.fixture
def jobs(panel, told):
    return panel.Jobs(told.append)


def wait(what):
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.01)


def ended(told, id, *states):
    wait(lambda: told and told[-1]["id"] == id and told[-1]["state"] in states)
    return told[-1]


def shown(panel, jobs, id):
    (system,) = panel.describe(jobs)
    return next(model for model in system["models"] if model["id"] == id)


def under_way(told):
    wait(lambda: any(news["state"] == "running" and news["done"] for news in told))


def test_a_download_is_told_of_until_it_is_done(panel, jobs, told, base):
    assert shown(panel, jobs, slow.FREE)["state"] == "missing"
    panel.perform(jobs, "download", slow.FREE)
    assert ended(told, slow.FREE, "done", "failed")["state"] == "done"
    counts = [news["done"] for news in told if news["state"] == "running"]
    assert counts == sorted(counts)
    assert counts[-1] == slow.BYTES
    assert (base / "models/loopback/free.bin").read_bytes() == slow.noise(0)
    model = shown(panel, jobs, slow.FREE)
    assert (model["state"], model["files"][0]["target"]) == ("installed", str(base / "models/loopback/free.bin"))


def test_a_paused_download_goes_on_from_where_it_was(panel, jobs, told, source, base):
    source.pause = 0.01
    panel.perform(jobs, "download", slow.FREE)
    under_way(told)
    panel.perform(jobs, "pause", slow.FREE)
    ended(told, slow.FREE, "paused")
    assert shown(panel, jobs, slow.FREE)["state"] == "partial"
    source.pause = 0
    panel.perform(jobs, "download", slow.FREE)
    ended(told, slow.FREE, "done")
    assert source.starts[0] == 0 < source.starts[-1]
    assert (base / "models/loopback/free.bin").read_bytes() == slow.noise(0)


@pytest.mark.parametrize("paused", [False, True])
def test_a_cancelled_download_leaves_nothing(panel, jobs, told, source, base, paused):
    source.pause = 0.01
    panel.perform(jobs, "download", slow.FREE)
    under_way(told)
    if paused:
        panel.perform(jobs, "pause", slow.FREE)
        ended(told, slow.FREE, "paused")
    panel.perform(jobs, "cancel", slow.FREE)
    wait(lambda: shown(panel, jobs, slow.FREE)["state"] == "missing")
    assert shown(panel, jobs, slow.FREE)["job"] is None
    assert not [path for path in (base / "models/loopback").iterdir() if path.suffix != ".lock"]


def test_what_an_earlier_server_left_can_be_discarded(panel, jobs, told, source):
    source.pause = 0.01
    panel.perform(jobs, "download", slow.FREE)
    under_way(told)
    panel.perform(jobs, "pause", slow.FREE)
    ended(told, slow.FREE, "paused")
    later = panel.Jobs(told.append)
    assert shown(panel, later, slow.FREE)["state"] == "partial"
    panel.perform(later, "cancel", slow.FREE)
    assert shown(panel, later, slow.FREE)["state"] == "missing"


def test_jobs_wait_for_each_other_and_a_waiting_one_can_be_called_off(panel, jobs, told, source):
    source.pause = 0.005
    panel.perform(jobs, "download", slow.FREE)
    panel.perform(jobs, "download", slow.FREE)  # a second click
    panel.perform(jobs, "download", slow.DAMAGED)
    under_way(told)
    assert shown(panel, jobs, slow.DAMAGED)["job"]["state"] == "waiting"
    panel.perform(jobs, "cancel", slow.DAMAGED)
    ended(told, slow.FREE, "done")
    assert shown(panel, jobs, slow.DAMAGED)["job"] is None
    assert len(source.starts) == 1


def test_other_bytes_than_announced_fail_and_the_next_job_runs(panel, jobs, told, base):
    panel.perform(jobs, "download", slow.DAMAGED)
    panel.perform(jobs, "download", slow.FREE)
    ended(told, slow.FREE, "done")
    model = shown(panel, jobs, slow.DAMAGED)
    assert (model["state"], model["job"]["state"]) == ("missing", "failed")
    assert "Expected sha256 0000" in model["job"]["says"]
    assert not (base / "models/loopback/damaged.bin").exists()


def test_a_fault_nobody_thought_of_stops_its_job_alone(panel, jobs, told, monkeypatch):
    download = panel.fetch.download

    def fall(model, *args):
        return 1 / 0 if model.id == slow.DAMAGED else download(model, *args)

    monkeypatch.setattr(panel.fetch, "download", fall)
    panel.perform(jobs, "download", slow.DAMAGED)
    panel.perform(jobs, "download", slow.FREE)
    ended(told, slow.FREE, "done")
    assert "division by zero" in shown(panel, jobs, slow.DAMAGED)["job"]["says"]


def test_terms_come_before_a_download(panel, jobs, told, base):
    with pytest.raises(PermissionError, match=r"loopback/closed.*\n.*CC-BY-NC-4.0"):
        panel.perform(jobs, "download", slow.CLOSED)
    assert not shown(panel, jobs, slow.CLOSED)["accepted"]
    panel.perform(jobs, "accept", slow.CLOSED)
    assert slow.CLOSED in json.loads((base / "user/likeness.accepted.json").read_text())
    panel.perform(jobs, "download", slow.CLOSED)
    ended(told, slow.CLOSED, "done")
    assert shown(panel, jobs, slow.CLOSED)["state"] == "installed"


def test_verify_says_what_it_found(panel, jobs, told, base):
    panel.perform(jobs, "download", slow.FREE)
    ended(told, slow.FREE, "done")
    panel.perform(jobs, "verify", slow.FREE)
    wait(lambda: told[-1]["verb"] == "verify" and told[-1]["state"] == "done")
    assert told[-1]["says"] == "sound"
    (base / "models/loopback/free.bin").write_bytes(slow.noise(3))
    panel.perform(jobs, "verify", slow.FREE)
    assert "is damaged or another file" in ended(told, slow.FREE, "failed")["says"]
    assert shown(panel, jobs, slow.FREE)["state"] == "wrong"


def test_verify_does_not_call_sound_what_nobody_has_hashed(panel, jobs, told, base, tmp_path, pack):
    path = tmp_path / "manifests/loopback.json"
    manifest = json.loads(path.read_text())
    manifest["models"][0]["files"][0]["sha256"] = None
    path.write_text(json.dumps(manifest))
    pack.likeness.manifest.read_manifest.cache_clear()
    (base / "models/loopback").mkdir(parents=True)
    (base / "models/loopback/free.bin").write_bytes(slow.noise(0))
    panel.perform(jobs, "verify", slow.FREE)
    assert "nobody publishes its hash" in ended(told, slow.FREE, "done")["says"]


@pytest.mark.parametrize("verb", ["download", "verify", "pause", "cancel", "accept"])
def test_an_unknown_id_is_refused(panel, jobs, verb):
    with pytest.raises(ValueError, match="Expected the id of published weights, got loopback/none"):
        panel.perform(jobs, verb, "loopback/none")


def test_where_no_server_runs_no_panel_is_served(pack):
    assert pack.nodes.panel.register() is None
