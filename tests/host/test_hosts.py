"""Our nodes and workflows give on ComfyUI what they give on the stand-ins."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

import factories
import seeded
from headless import PACK, WorkflowError, outputs, workflow
from headless.settings import assign
from same import assert_same_records

NOT_MANAGED = {"audit_bias", "audit_fruits", "audit_slices"}  # they read tables; fruits times copies on one core


def test_the_pack_loads_in_less_than_300_ms(session):
    assert 0 < session.load_seconds < 0.3


def test_both_hosts_serve_the_same_node_info(session, standins):
    ours = {name: theirs for name, theirs in standins["nodes"].items() if name.startswith("Likeness")}
    assert len(ours) > 5
    for name, theirs in ours.items():
        info = json.loads(json.dumps(session.info(name)))
        assert {**info, "python_module": None} == {**theirs, "python_module": None}, name


def test_a_core_node_has_no_input_or_output_that_comfyuis_has_not(session, standins):
    core = {name: theirs for name, theirs in standins["nodes"].items() if not name.startswith("Likeness")}
    assert len(core) == 11
    for name, theirs in core.items():
        ours = session.info(name)
        assert theirs["display_name"] == ours["display_name"], name
        assert theirs["output_node"] == ours["output_node"], name
        assert theirs["output"] == list(ours["output"])[: len(theirs["output"])], name
        for path, socket in every_socket(theirs).items():
            assert socket.kind in every_socket(ours)[path].kind.split(","), (name, path)


def every_socket(info: dict) -> dict[str, workflow.Socket]:
    """Also those that dynamic choices bring."""
    found: dict[str, workflow.Socket] = {}

    def add(groups: dict, prefix: str) -> None:
        for group in ("required", "optional"):
            for name, socket in workflow.sockets({"input": {group: groups.get(group, {})}}, {}).items():
                found[prefix + name] = socket
                for option in socket.options["options"] if socket.kind == workflow.DYNAMIC else ():
                    add(option["inputs"], f"{prefix}{name}={option['key']}.")

    add(info["input"], "")
    return found


def test_a_workflow_has_the_same_api_format_on_both_hosts(session, standins, workflow_file):
    ours = assign(workflow.to_api(seeded.read(workflow_file), session.info), session.info, [], bring=str)
    assert ours == standins["workflows"][workflow_file.stem]["api"]


def test_a_workflow_gives_the_same_in_half_precision_with_half_its_networks_loaded(
    session, standins, comfy, monkeypatch, tmp_path, workflow_file
):
    loaded = []

    def load_half(patcher):
        patcher.detach()
        patcher.partially_load(patcher.load_device, patcher.model_size() // 2)
        loaded.append(patcher)

    monkeypatch.setattr(comfy.args, "fp16_intermediates", True)
    monkeypatch.setattr(comfy.model_management, "load_model_gpu", load_half)
    prompt = workflow.to_api(seeded.read(workflow_file), session.info)
    with outputs.stage(tmp_path) as stage:
        with stage:
            shown = session.run(prompt)
        records = stage.deliver(prompt, shown, session.info)
    assert_same_records(records, standins["workflows"][workflow_file.stem]["fp16"])
    assert loaded or workflow_file.stem in NOT_MANAGED


@pytest.mark.parametrize(
    ("node", "name", "value", "message"),
    [
        ("5", "image", ["3", 0], "Node 5 .*: expected IMAGE for image, got LIKENESS_DETECTOR"),
        ("5", "image", ["99", 0], "Node 5 .*: expected image from node 99, which is not there"),
        ("5", "threshold", 8, r"Node 5 .*: threshold: expected 0\.0 to 1\.0, got 8"),
        ("3", "model", "who", "Node 3 .* got who"),
        ("1", "image", "nowhere.png", "Node 1 .*: Invalid image file: nowhere.png"),
        ("1", "image", "broken.png", r"Node 1 .*: expected a picture, got broken\.png, which cannot be read"),
        ("6", "detector", ["10", 0], "Expected no cycle, got .*10 > 6 > 10"),
    ],
)
def test_what_is_wrong_is_said_in_the_stand_ins_words(session, base, node, name, value, message):
    (base / "input/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    broken = factories.compare_prompt()
    broken[node]["inputs"][name] = value
    with pytest.raises(WorkflowError, match=message):
        session.run(broken)


def test_a_missing_input_is_named(session):
    broken = factories.compare_prompt()
    del broken["8"]["inputs"]["b"]
    with pytest.raises(WorkflowError, match=r"Node 8 .*: expected a value for b, got none"):
        session.run(broken)


def test_an_output_that_was_blocked_is_a_failure(session, monkeypatch):
    from comfy_api.latest import io

    import nodes

    class Block(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            return io.Schema("Block", outputs=[io.Image.Output()])

        @classmethod
        def execute(cls):
            return io.NodeOutput(None, block_execution="not today")

    monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, "Block", Block)
    show = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    with pytest.raises(WorkflowError, match=r"every output to run, got Node 2 \(PreviewImage\) blocked"):
        session.run({"1": {"class_type": "Block", "inputs": {}}, "2": show})


def test_ctrl_c_stops_in_mid_video(session, monkeypatch):
    send = session.server.send_sync

    def interrupt_soon(event, data, sid=None):
        send(event, data, sid)
        if event == "executing" and data["node"] == "7":
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()

    monkeypatch.setattr(session.server, "send_sync", interrupt_soon)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        session.run(factories.long_prompt(4000))
    assert time.monotonic() - begun < 30  # whole, it takes minutes


def test_the_command_line_answers_with_one_json_object(base, tmp_path):
    """A photo from elsewhere takes the second one's place, so both are of one person."""
    file, photo = tmp_path / "prompt.json", tmp_path / "elsewhere.png"
    prompt = factories.compare_prompt()
    prompt["2"]["_meta"] = {"title": "Second"}
    file.write_text(json.dumps(prompt))
    shutil.copy(factories.PHOTOS["astronaut"], photo)
    before = sorted((base / "input").iterdir())
    call = [sys.executable, "-m", "headless", "run", str(file), "--json", "--base", str(base)]
    call += ["--output", str(tmp_path / "out"), "--set", f"Second.image={photo}"]
    done = subprocess.run(call, cwd=PACK, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Host: headless.comfyui" in done.stderr
    (record,) = json.loads(done.stdout)["outputs"]
    assert record == {"node": "PreviewAny", "id": "9", "kind": "number", "value": pytest.approx(0, abs=1e-4)}
    assert sorted((base / "input").iterdir()) == before
