"""The fault table: what servers, disks and other processes do to a download, against a server on this machine.

After each fault no half of a file has the file's name, the message says what happened, and the next try succeeds
where it can.
"""

import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

import loopback
from likeness.fetch import Network, download, verify
from loopback import HASTY, QUICK, cut, file_of, folders_at, instead, names_in, serving, stall, status, weights_of

BODY = loopback.noise(300_000)
FILES = {"/weights.bin": BODY}


def fetch(server, base: Path, known: bool = True, network: Network = QUICK):
    file = file_of(f"{server.url}/weights.bin", BODY if known else None)
    (path,) = download(weights_of(file), folders_at(base), network=network)
    assert path == base / "models/example/weights.bin"
    return path.read_bytes()


def fails(server, base: Path, kind: type[Exception], match: str, known: bool = True, network: Network = QUICK) -> str:
    with pytest.raises(kind, match=match) as raised:
        fetch(server, base, known, network)
    assert names_in(base) == set()
    return str(raised.value)


def ranges_of(server) -> list[str | None]:
    return [request.headers.get("range") for request in server.requests]


@pytest.mark.parametrize("known", [True, False], ids=["hash published", "nothing published"])
def test_a_connection_cut_at_half_is_resumed(tmp_path, known):
    with serving(FILES, cut(0.5)) as server:
        assert fetch(server, tmp_path, known) == BODY
    assert ranges_of(server) == [None, "bytes=150000-"]
    assert names_in(tmp_path) == {"weights.bin"}


def test_every_connection_cut_still_ends_as_long_as_each_brings_something(tmp_path):
    def tenth(handler, body):
        start = int((handler.headers.get("range") or "bytes=0-")[6:-1])
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.end_headers()
        handler.wfile.write(body[start : start + 30_000])
        handler.close_connection = True

    with serving(FILES, *[tenth] * 9) as server:
        assert fetch(server, tmp_path) == BODY
    assert len(server.requests) == 10


def test_a_connection_cut_for_good_is_reported_and_resumed_by_the_next_try(tmp_path):
    with serving(FILES, cut(0.5), *[status(503)] * 2) as server:
        said = fails(server, tmp_path, ConnectionError, "503")
        assert "0.1 MB are kept and the next try goes on from there" in said
        assert str(tmp_path / "models/example/weights.bin") in said
        assert fetch(server, tmp_path) == BODY
    assert ranges_of(server)[-1] == "bytes=150000-"


def test_a_file_that_changed_between_two_tries_is_taken_whole(tmp_path):
    other = loopback.noise(300_000, seed=1)
    with serving(FILES, cut(0.5), *[status(503)] * 2) as server:
        fails(server, tmp_path, ConnectionError, "503", known=False)
        server.files["/weights.bin"] = other
        assert fetch(server, tmp_path, known=False) == other


def test_a_server_without_range_starts_again(tmp_path):
    with serving(FILES, cut(0.5), ranges=False) as server:
        assert fetch(server, tmp_path) == BODY
    assert len(server.requests) == 2


def test_a_server_without_range_that_always_cuts_is_given_up(tmp_path):
    with serving(FILES, *[cut(0.5)] * 9, ranges=False) as server:
        fails(server, tmp_path, ConnectionError, r"after 3 attempts in a row: .*150000")
        assert len(server.requests) == 3
        server.faults.clear()
        assert fetch(server, tmp_path) == BODY


def test_416_starts_again(tmp_path):
    with serving(FILES, cut(0.5), status(416, Content_Range="bytes */100")) as server:
        assert fetch(server, tmp_path) == BODY
    assert ranges_of(server) == [None, "bytes=150000-", None]


def test_a_part_longer_than_the_file_starts_again(tmp_path):
    folder = tmp_path / "models/example"
    folder.mkdir(parents=True)
    (folder / "weights.bin.part").write_bytes(BODY + b"more")
    with serving(FILES) as server:
        assert fetch(server, tmp_path) == BODY
    assert ranges_of(server) == ["bytes=300004-", None]


def test_404_is_final_and_says_so(tmp_path):
    with serving({}) as server:
        said = fails(server, tmp_path, ConnectionError, "404 Not Found: look on its page where the file has gone")
        assert len(server.requests) == 1
        assert f"Or put it at {tmp_path / 'models/example/weights.bin'} by hand" in said
        server.files.update(FILES)
        assert fetch(server, tmp_path) == BODY


def test_403_says_how_to_get_consent(tmp_path):
    with serving(FILES, status(403)) as server:
        fails(server, tmp_path, ConnectionError, "403 .*Accept its terms on its page and set HF_TOKEN")
        assert fetch(server, tmp_path) == BODY


def test_429_waits_as_long_as_the_server_asks(tmp_path):
    with serving(FILES, status(429, Retry_After="1")) as server:
        start = time.monotonic()
        assert fetch(server, tmp_path) == BODY
    assert 1 <= time.monotonic() - start < 6


def test_429_with_a_date_in_the_past_goes_on_at_once(tmp_path):
    with serving(FILES, status(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")) as server:
        assert fetch(server, tmp_path) == BODY


def test_429_for_too_long_is_not_waited_for(tmp_path):
    with serving(FILES, status(429, Retry_After="3600")) as server:
        fails(server, tmp_path, ConnectionError, "asks to wait 3600 s: try again then")
        assert fetch(server, tmp_path) == BODY


def test_500_then_fine(tmp_path):
    with serving(FILES, status(500), status(502)) as server:
        assert fetch(server, tmp_path) == BODY
    assert len(server.requests) == 3


def test_500_for_good(tmp_path):
    with serving(FILES, *[status(500)] * 3) as server:
        fails(server, tmp_path, ConnectionError, "after 3 attempts in a row: .* answers 500 Internal Server Error")
        assert fetch(server, tmp_path) == BODY


def test_nobody_listens(tmp_path):
    with serving(FILES) as server:
        pass
    fails(server, tmp_path, ConnectionError, "Given up at .* after 3 attempts in a row: .*refused")


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"x"], ids=["shorter", "longer"])
def test_a_wrong_length_is_refused(tmp_path, body):
    with serving(FILES, instead(body)) as server:
        fails(server, tmp_path, ConnectionError, f"Expected 300000 bytes, got {len(body)}")
        assert fetch(server, tmp_path) == BODY


def test_more_than_the_length_is_refused_where_none_is_announced(tmp_path):
    with serving({"/weights.bin": BODY + b"x"}, loopback.chunked) as server:
        fails(server, tmp_path, ConnectionError, "Expected 300000 bytes, got more")


def test_fewer_bytes_than_published_are_not_taken_where_no_length_is_announced(tmp_path):
    def short(handler, body):
        loopback.chunked(handler, body[:-1])

    with serving(FILES, *[short] * 4) as server:
        fails(server, tmp_path, ConnectionError, "cut off after 299999 of 300000 bytes|Expected the bytes from 299999")
        server.faults.clear()
        assert fetch(server, tmp_path) == BODY


def test_a_server_that_cuts_and_lies_is_left_after_the_second_wrong_hash(tmp_path):
    lies = {"/weights.bin": b"x" * len(BODY)}
    with serving(lies, *[cut(0.5), loopback.serve] * 20) as server:
        fails(server, tmp_path, ConnectionError, "Expected sha256")
        assert len(server.requests) == 4
        server.files.update(FILES)
        server.faults.clear()
        assert fetch(server, tmp_path) == BODY


def test_bytes_are_asked_for_as_they_are(tmp_path):
    with serving(FILES) as server:
        fetch(server, tmp_path)
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_a_wrong_hash_is_refused_and_nothing_kept(tmp_path):
    with serving(FILES, instead(b"x" * len(BODY))) as server:
        fails(server, tmp_path, ConnectionError, "Expected sha256 .*, got .*: the file is damaged on the way")
        assert [path.name for path in (tmp_path / "models/example").iterdir() if ".part" in path.name] == []
        assert fetch(server, tmp_path) == BODY


def test_a_wrong_hash_after_a_resume_is_tried_once_from_the_start(tmp_path):
    part = tmp_path / "models/example/weights.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    with serving(FILES) as server:
        assert fetch(server, tmp_path) == BODY
    assert ranges_of(server) == ["bytes=1000-", None]


def test_a_redirect_is_followed_and_resumed(tmp_path):
    def onward(handler, body):
        loopback.answer(handler, 302, Location="/weights.bin?signed=secret")

    with serving(FILES, onward, cut(0.5), onward) as server:
        assert fetch(server, tmp_path) == BODY
    assert [request.path for request in server.requests][1] == "/weights.bin?signed=secret"
    assert ranges_of(server)[-1] == "bytes=150000-"


def test_a_redirect_loop_is_noticed(tmp_path):
    def around(handler, body):
        loopback.answer(handler, 302, Location="/b" if handler.path == "/weights.bin" else "/weights.bin")

    with serving(FILES, around, around) as server:
        fails(server, tmp_path, ConnectionError, "redirects without end")
        assert fetch(server, tmp_path) == BODY


def test_a_redirect_chain_has_an_end(tmp_path):
    def onward(handler, body):
        loopback.answer(handler, 302, Location=f"{handler.path}x")

    with serving(FILES, *[onward] * 50) as server:
        fails(server, tmp_path, ConnectionError, "redirects without end")
    assert len(server.requests) < 15


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_a_redirect_to_a_file_address_is_refused(tmp_path, location):
    with serving(FILES, status(302, Location=location)) as server:
        fails(server, tmp_path, ConnectionError, f"Refused to follow .* to an address of {location[:4].strip(':')}")
        assert fetch(server, tmp_path) == BODY


def test_a_web_page_is_not_taken_for_weights(tmp_path):
    with serving(FILES, instead(b"<html>Log in</html>", Content_Type="text/html; charset=utf-8")) as server:
        fails(server, tmp_path, ConnectionError, "got a web page .*open it in a browser", known=False)
        assert fetch(server, tmp_path, known=False) == BODY


def test_a_server_that_stalls_is_left_and_the_next_attempt_resumes(tmp_path):
    with serving(FILES, stall(0.5, seconds=10)) as server:
        start = time.monotonic()
        assert fetch(server, tmp_path, network=HASTY) == BODY
    assert time.monotonic() - start < 8
    assert ranges_of(server)[1].startswith("bytes=")


def test_a_server_that_always_stalls_is_given_up(tmp_path):
    with serving(FILES, *[stall(0)] * 3) as server:
        fails(server, tmp_path, ConnectionError, r"No byte for 0\.4 s, 3 times in a row", network=HASTY)
        assert fetch(server, tmp_path) == BODY


def test_a_body_in_chunks_without_a_length_arrives(tmp_path):
    with serving(FILES, loopback.chunked) as server:
        assert fetch(server, tmp_path, known=False) == BODY


def test_half_a_file_that_looks_whole_is_refused(tmp_path):
    with serving(FILES, loopback.unmarked) as server:
        fails(server, tmp_path, ConnectionError, "Expected a length, got none", known=False)
        assert fetch(server, tmp_path, known=False) == BODY


def test_the_second_source_is_asked_when_the_first_fails(tmp_path, caplog):
    with serving(FILES, status(404)) as server:
        first, second = (file_of(f"{server.url}/weights.bin{mark}", BODY) for mark in ("?a", "?b"))
        model = weights_of(replace(first, sources=first.sources + second.sources))
        (path,) = download(model, folders_at(tmp_path), network=QUICK)
    assert path.read_bytes() == BODY
    assert [request.path[-1] for request in server.requests] == ["a", "b"]
    assert "another source was asked, for: " in caplog.text


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if not shutil.which("mount") or os.name != "posix" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a full disk needs a user who may mount a tmpfs: run this as root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_too_small_is_noticed_before_the_download(small_disk):
    big = loopback.noise(2_000_000)
    with serving({"/weights.bin": big}) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", big))
        with pytest.raises(OSError, match=r"disk is full \(2\.0 MB to come, 1\.. MB free\): free some"):
            download(model, folders_at(small_disk), network=QUICK)
    assert server.requests == []
    assert names_in(small_disk) == set()


def test_a_disk_that_fills_up_keeps_what_has_arrived(small_disk):
    big = loopback.noise(1_500_000)
    with serving({"/weights.bin": big}, loopback.chunked) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin"))
        with pytest.raises(OSError, match=r"disk is full .*What has arrived is kept"):
            download(model, folders_at(small_disk), network=QUICK)
        assert names_in(small_disk) == set()
        kept = (small_disk / "models/example/weights.bin.part").stat().st_size
        assert kept > 500_000
        subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
        (path,) = download(model, folders_at(small_disk), network=QUICK)
    assert path.read_bytes() == big
    assert ranges_of(server) == [None, f"bytes={kept}-"]


@pytest.fixture(scope="module")
def processes():
    """Processes that start fast, for they begin as copies of one that has imported everything."""
    if os.name != "posix":
        pytest.skip("needs fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["loopback", "huggingface_hub.utils", "likeness.fetch.client"])
    return context


@pytest.mark.parametrize("seed", range(20))
def test_a_process_killed_in_mid_download_is_resumed_by_the_next(tmp_path, processes, seed):
    moments = random.Random(seed)
    body = loopback.noise(1_500_000, seed)
    killed = []

    def kill():
        time.sleep(moments.choice([0, moments.random() * 0.02]))
        killed.append(process.pid)
        os.kill(process.pid, signal.SIGKILL)

    slow = loopback.calling(int(moments.random() * len(body)), kill)
    with serving({"/weights.bin": body}, slow) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", body if seed % 2 else None))
        process = processes.Process(target=loopback.download_here, args=(model, str(tmp_path)))
        process.start()
        process.join(20)
        assert killed
        for path in (tmp_path / "models").rglob("weights.bin"):
            assert path.read_bytes() == body
        part = tmp_path / "models/example/weights.bin.part"
        arrived = part.stat().st_size if part.exists() else 0
        (path,) = download(model, folders_at(tmp_path), network=QUICK)
    assert path.read_bytes() == body
    if process.exitcode == -signal.SIGKILL and 0 < arrived < len(body):
        assert ranges_of(server)[1] == f"bytes={arrived}-"


def test_two_processes_bring_one_file_once(tmp_path, processes):
    body = loopback.noise(1_000_000)
    with serving({"/weights.bin": body}, loopback.calling(0, lambda: time.sleep(0.3))) as server:
        model = weights_of(file_of(f"{server.url}/weights.bin", body))
        both = [processes.Process(target=loopback.download_here, args=(model, str(tmp_path))) for _ in range(2)]
        for process in both:
            process.start()
        for process in both:
            process.join(30)
    assert [process.exitcode for process in both] == [0, 0]
    assert len(server.requests) == 1
    assert (tmp_path / "models/example/weights.bin").read_bytes() == body


def test_a_models_folder_that_may_not_be_written_is_named(processes):
    base = Path(tempfile.mkdtemp())  # not tmp_path, which another user may not enter
    try:
        models = base / "models"
        models.mkdir()
        for folder, mode in ((base, 0o755), (models, 0o555)):
            folder.chmod(mode)
        here, there = processes.Pipe()
        with serving(FILES) as server:
            model = weights_of(file_of(f"{server.url}/weights.bin", BODY))
            process = processes.Process(target=loopback.download_as_nobody, args=(model, str(base), there))
            process.start()
            process.join(20)
            assert here.poll()
            said = here.recv()
            assert "Expected to write" in said
            assert "let this user write there, or set another folder in extra_model_paths.yaml" in said
            assert (server.requests, names_in(base)) == ([], set())
            models.chmod(0o755)
            assert fetch(server, base) == BODY
    finally:
        shutil.rmtree(base)


def test_what_arrived_is_recorded_and_checked_from_then_on(tmp_path):
    with serving(FILES) as server:
        file = file_of(f"{server.url}/weights.bin")
        (path,) = download(weights_of(file), folders_at(tmp_path), network=QUICK)
        (verdict,) = verify(weights_of(file), folders_at(tmp_path))
        assert (verdict.state, verdict.sha256) == ("sound", hashlib.sha256(BODY).hexdigest())
        path.write_bytes(b"x" * len(BODY))
        (verdict,) = verify(weights_of(file), folders_at(tmp_path))
        assert verdict.state == "corrupt"
        server.files["/weights.bin"] = loopback.noise(300_000, seed=5)
        with pytest.raises(ConnectionError, match=r"(?s)Expected sha256.*at its first download.*likeness\.lock\.json"):
            download(weights_of(file), folders_at(tmp_path), network=QUICK)
        server.files.update(FILES)
        assert fetch(server, tmp_path, known=False) == BODY
    assert (path.parent / "weights.bin.wrong").read_bytes() == b"x" * len(BODY)
