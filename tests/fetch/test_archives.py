"""Weights out of zip and tar files, and nothing else out of them."""

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace

import pytest

import loopback
from likeness.fetch import download, plan
from likeness.fetch.archive import unpack
from likeness.manifest import File, Source
from loopback import QUICK, folders_at, names_in, serving, weights_of

BODY = loopback.noise(200_000)
OTHER = loopback.noise(70_000, seed=1)


def zipped(members: dict[str, bytes], **kinds: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = kinds.get(name, 0o100644) << 16
            archive.writestr(info, body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w:gz", **kinds: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.type = kinds.get(name, tarfile.REGTYPE)
            info.linkname = "/etc/hostname" if name in kinds else ""
            info.size = len(body) if info.isfile() else 0
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


def write(path, body: bytes):
    path.write_bytes(body)
    return path


def member_of(url: str, member: str, name: str, size: int | None = None, sent: int | None = None) -> File:
    return File(name, (Source("https", url=url, member=member, bytes=sent),), size, None)


@pytest.mark.parametrize(
    "pack", [zipped, tarred, lambda members: tarred(members, "w"), lambda members: tarred(members, "w:xz")]
)
def test_wanted_files_come_out_flat_under_their_own_names(tmp_path, pack):
    archive = pack({"pack/deep/a.onnx": BODY, "pack/deep/readme.txt": b"hello", "pack/b.onnx": OTHER})
    with serving({"/pack.archive": archive}) as server:
        url = f"{server.url}/pack.archive"
        files = member_of(url, "pack/deep/a.onnx", "pack/a.onnx"), member_of(url, "pack/b.onnx", "pack/b.onnx")
        first, second = download(weights_of(*files), folders_at(tmp_path), network=QUICK)
        assert (first.read_bytes(), second.read_bytes()) == (BODY, OTHER)
        assert len(server.requests) == 1
    assert first == tmp_path / "models/example/pack/a.onnx"
    assert names_in(tmp_path) == {"a.onnx", "b.onnx"}
    assert not list((tmp_path / "models/example/pack").glob("*.arrived"))


def test_an_archive_that_was_cut_is_resumed_before_it_is_opened(tmp_path):
    archive = zipped({"a.onnx": BODY})
    with serving({"/a.zip": archive}, loopback.cut(0.5)) as server:
        model = weights_of(member_of(f"{server.url}/a.zip", "a.onnx", "a.onnx", sent=len(archive)))
        (path,) = download(model, folders_at(tmp_path), network=QUICK)
    assert path.read_bytes() == BODY
    assert len(server.requests) == 2


def test_an_unpacked_file_of_another_hash_than_published_is_refused(tmp_path):
    with serving({"/a.zip": zipped({"a.onnx": BODY[::-1]})}) as server:
        file = member_of(f"{server.url}/a.zip", "a.onnx", "a.onnx")
        model = weights_of(replace(file, sha256=hashlib.sha256(BODY).hexdigest()))
        with pytest.raises(ConnectionError, match=r"Expected sha256 .* for a\.onnx: it is another file"):
            download(model, folders_at(tmp_path), network=QUICK)
        assert names_in(tmp_path) == set()
        server.files["/a.zip"] = zipped({"a.onnx": BODY})
        (path,) = download(model, folders_at(tmp_path), network=QUICK)
    assert path.read_bytes() == BODY


def test_a_partial_archive_shows_in_the_plan(tmp_path):
    archive = zipped({"a.onnx": BODY})
    with serving({"/a.zip": archive}, loopback.cut(0.5), *[loopback.status(500)] * 2) as server:
        model = weights_of(member_of(f"{server.url}/a.zip", "a.onnx", "a.onnx", sent=len(archive)))
        with pytest.raises(ConnectionError):
            download(model, folders_at(tmp_path), network=QUICK)
    planned = plan(model, folders_at(tmp_path))
    assert (planned.state, planned.bytes) == ("partial", len(archive))
    assert planned.files[0].arrived == len(archive) // 2


@pytest.mark.parametrize(
    "name", ["../escape.onnx", "a/../../escape.onnx", "/tmp/escape.onnx", "..\\escape.onnx", "C:/e"]
)
@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
def test_an_archive_that_leads_out_of_the_folder_is_refused_and_fetched_afresh(tmp_path, pack, name):
    with serving({"/a.zip": pack({"a.onnx": BODY, name: b"evil"})}) as server:
        model = weights_of(member_of(f"{server.url}/a.zip", "a.onnx", "a.onnx"))
        with pytest.raises(ConnectionError, match="leads out of the folder"):
            download(model, folders_at(tmp_path), network=QUICK)
        assert names_in(tmp_path) == set()
        assert not list(tmp_path.rglob("escape*"))
        server.files["/a.zip"] = pack({"a.onnx": BODY})
        (path,) = download(model, folders_at(tmp_path), network=QUICK)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_under_the_wanted_name_is_refused(tmp_path, kind):
    archive = write(tmp_path / "a.tar", tarred({"a.onnx": b""}, **{"a.onnx": kind}))
    with pytest.raises(ValueError, match=r"Expected the file a\.onnx in .*, got link or device"):
        unpack(archive, "a.onnx", tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path):
    archive = write(tmp_path / "a.zip", zipped({"a.onnx": b"/etc/hostname"}, **{"a.onnx": 0o120777}))
    with pytest.raises(ValueError, match="got link or folder"):
        unpack(archive, "a.onnx", tmp_path / "out.onnx")


def test_links_that_nobody_wants_are_left_where_they_are(tmp_path):
    archive = write(tmp_path / "a.tar", tarred({"link": b"", "a.onnx": BODY}, link=tarfile.SYMTYPE))
    unpack(archive, "a.onnx", tmp_path / "out.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"a.tar", "out.onnx"}


@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
def test_a_bomb_stops_at_the_declared_size(tmp_path, pack):
    archive = write(tmp_path / "bomb", pack({"a.onnx": bytes(5_000_000)}))
    assert archive.stat().st_size < 50_000
    with pytest.raises(ValueError, match=r"Expected 1000 bytes, got more .*may be a bomb"):
        unpack(archive, "a.onnx", tmp_path / "out.onnx", size=1000)
    assert not (tmp_path / "out.onnx").exists()


def test_a_bomb_larger_than_the_disk_is_not_begun(tmp_path, monkeypatch):
    archive = write(tmp_path / "bomb", zipped({"a.onnx": bytes(5_000_000)}))
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1_000_000}))
    with pytest.raises(OSError, match=r"disk is full \(5\.0 MB to unpack, 1\.0 MB free\)"):
        unpack(archive, "a.onnx", tmp_path / "out.onnx")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"not an archive", "Expected a whole archive"),
        (zipped({"a.onnx": BODY})[:-100], "Expected a whole archive"),
        (tarred({"a.onnx": BODY})[:-5000], "Expected a whole archive"),
        (zipped({"b.onnx": BODY}), r"got no such file among b\.onnx"),
        (zipped({"a.onnx": BODY}).replace(BODY[500:520], BODY[:20]), "Expected a whole archive"),
    ],
)
def test_a_damaged_archive_is_named(tmp_path, body, message):
    archive = write(tmp_path / "archive", body)
    with pytest.raises(ValueError, match=message):
        unpack(archive, "a.onnx", tmp_path / "out.onnx", len(BODY))
    assert not (tmp_path / "out.onnx").exists()


def test_a_file_of_another_size_than_published_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected 200000 bytes, got 70000"):
        unpack(write(tmp_path / "a.zip", zipped({"a": OTHER})), "a", tmp_path / "out", size=len(BODY))
