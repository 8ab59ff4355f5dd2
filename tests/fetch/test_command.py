"""``python -m headless models``: what it prints, keeps and answers with."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import factories
import loopback
from headless.__main__ import main
from headless.folders import find_folders
from loopback import entry, serving

ROOT = Path(__file__).parents[2]
BODY = loopback.noise(50_000)
YUNET = factories.STARTER / "weights/face_detection_yunet_2023mar.onnx"


@pytest.fixture
def models(tmp_path, capsys, monkeypatch):
    """What the command answers, as (exit code, stdout, stderr)."""
    monkeypatch.setenv("COMFYUI_PATH", "")

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["models", *arguments, "--base", str(tmp_path)])
        return code, *capsys.readouterr()

    return call


def https(server, **others) -> dict:
    source = {"kind": "https", "url": f"{server.url}/weights.bin"}
    return {"name": "weights.bin", "sources": [source], "bytes": len(BODY), "sha256": None, **others}


def test_list_says_what_is_there(models):
    code, out, _ = models("list")
    assert code == 0
    assert "installed        0.2 MB  commercial      yunet/2023mar  (MIT)" in out


def test_list_is_json_for_programs(models, publish, tmp_path):
    publish("example", entry("a.bin", bytes=5))
    code, out, _ = models("list", "example", "--json")
    (record,) = json.loads(out)
    assert (code, record["id"], record["state"], record["accepted"]) == (0, "example/v1", "manual", False)
    assert record["files"][0]["target"] == str(tmp_path / "models/example/a.bin")


def test_list_says_what_has_no_node_and_what_nobody_publishes(models, publish):
    publish("example", entry("a.bin"))
    code, out, _ = models("list", "example", "wsc_swap")
    assert code == 0
    assert "example/v1  (CC-BY-NC-4.0, no node yet)" in out
    assert re.search(r"(?m)^none +wsc_swap  \(No code and no weights\.\)$", out)
    (record,) = json.loads(models("list", "wsc_swap", "--json")[1])
    assert (record["id"], record["state"]) == ("wsc_swap", "unpublished")


def test_what_nobody_publishes_cannot_be_downloaded(models):
    code, out, err = models("download", "wsc_swap")
    assert (code, out) == (1, "")
    assert err == "Expected weights to have, got wsc_swap, of which there are none: No code and no weights.\n"


def test_download_wants_acceptance_then_brings_then_is_idle(models, publish, tmp_path):
    with serving({"/weights.bin": BODY}) as server:
        publish("example", https(server))
        code, out, err = models("download", "example/v1")
        assert (code, out) == (1, "")
        assert "`python -m headless models accept example/v1`" in err
        assert "to be accepted before a download" in models("licences", "example")[1]
        assert "CC-BY-NC-4.0 accepted" in models("accept", "example/v1")[1]
        assert "to be accepted" not in models("licences", "example")[1]
        for _ in range(2):
            code, out, _ = models("download", "example/v1", "--json")
            assert (code, json.loads(out)) == (
                0,
                [{"id": "example/v1", "paths": [str(tmp_path / "models/example/weights.bin")]}],
            )
        assert len(server.requests) == 1
    assert json.loads((tmp_path / "user/likeness.accepted.json").read_text())["example/v1"]["licence"] == "CC-BY-NC-4.0"


def test_one_failure_does_not_stop_the_others(models, publish, tmp_path):
    with serving({"/weights.bin": BODY}) as server:
        publish(
            "missing", https(server, sources=[{"kind": "https", "url": f"{server.url}/gone.bin"}]), commercial="yes"
        )
        publish("present", https(server), folder_name="present", commercial="yes")
        code, out, err = models("download", "missing", "present")
    assert code == 1
    assert "missing/v1: Expected weights.bin of missing/v1, which is not installed" in err
    assert str(tmp_path / "models/present/weights.bin") in out


def test_verify_names_the_corrupt_file_and_the_remedy_works(models, publish, tmp_path):
    with serving({"/weights.bin": BODY}) as server:
        publish("example", https(server, sha256=hashlib.sha256(BODY).hexdigest()), commercial="yes")
        models("download", "example")
        assert models("verify", "example")[0] == 0
        path = tmp_path / "models/example/weights.bin"
        path.write_bytes(BODY[:-1] + b"?")
        code, out, err = models("verify")
        assert code == 1
        assert "corrupt   example/v1  Expected sha256" in err
        assert str(path) in err
        assert "sound     yunet/2023mar" in out
        remedy = err.split("`")[1].split()
        assert remedy[:3] == ["python", "-m", "headless"]
        assert models(*remedy[4:])[0] == 0
        assert models("verify", "example")[0] == 0


def test_verify_of_all_minds_no_missing_one_but_of_a_named_one_does(models, publish):
    publish("example", entry("a.bin"))
    assert models("verify")[0] == 0
    code, _, err = models("verify", "example/v1")
    assert (code, err.startswith("missing   example/v1  a.bin is not installed")) == (1, True)


def test_import_links_into_place_and_says_what_it_was(models, publish, tmp_path):
    theirs = tmp_path / "detector.onnx"
    shutil.copy(YUNET, theirs)
    code, out, err = models("import", str(theirs), str(tmp_path / "nothing.bin"))
    assert code == 1
    assert f"{theirs}: yunet/2023mar, by its hash: {tmp_path / 'models/face_detection'}" in out
    assert "Expected a file, got" in err


def test_import_takes_an_id_where_a_name_is_no_help(models, publish, tmp_path):
    publish("example", entry("a.bin"))
    (tmp_path / "Copy of a.bin").write_bytes(b"12345")
    assert models("import", str(tmp_path / "Copy of a.bin"))[0] == 1
    code, out, _ = models("import", str(tmp_path / "Copy of a.bin"), "--as", "example/v1", "--json")
    assert (code, json.loads(out)[0]["id"]) == (0, "example/v1")


@pytest.mark.parametrize("verb", ["list", "download", "verify", "licences", "accept"])
def test_an_unknown_id_is_answered_with_the_known_ones(models, verb):
    code, out, err = models(verb, "nobody/v1")
    assert (code, out) == (1, "")
    assert "got nobody/v1: one of" in err


@pytest.mark.parametrize("arguments", [["models"], ["models", "download"], ["models", "fetch", "x"]])
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_it_runs_without_a_host_and_without_torch(tmp_path):
    program = (
        "import sys; from headless.__main__ import main; code = main(sys.argv[1:]); print('torch' in sys.modules, code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "models", "list", "--base", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "False 0", done.stderr


def test_extra_model_paths_are_read_as_comfyui_does(tmp_path):
    (tmp_path / "extra_model_paths.yaml").write_text(
        "a1111:\n base_path: webui\n loras: |\n  one\n  two\n custom_nodes: nodes\n"
        f"other:\n is_default: true\n loras: {tmp_path}/first\n face_embedding: faces\nempty:\n"
    )
    folders = find_folders(tmp_path)
    assert folders.of("loras") == (
        tmp_path / "first",
        tmp_path / "webui/one",
        tmp_path / "webui/two",
        tmp_path / "models/loras",
    )
    assert folders.of("face_embedding") == (tmp_path / "faces", tmp_path / "models/face_embedding")
    assert "custom_nodes" not in folders.paths


def test_a_damaged_extra_model_paths_file_is_named(models, tmp_path):
    (tmp_path / "extra_model_paths.yaml").write_text("a: [")
    code, _, err = models("list")
    assert code == 1
    assert "Expected YAML, got" in err
