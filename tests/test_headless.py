"""Workflow files on the stand-ins, and the command line."""

import json
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

import factories
from headless import WorkflowError, standalone, workflow
from headless.__main__ import main

NOTHING = SimpleNamespace(args=(), ui={})


@pytest.fixture
def session(base):
    return standalone.start(base)


@pytest.fixture
def headless(base, tmp_path, capsys):
    """What the command line answers, as (exit code, stdout, stderr)."""

    def call(command: str, prompt: dict | str | None, *options: str) -> tuple[int, str, str]:
        file = tmp_path / "workflow.json"
        if prompt is not None:
            file.write_text(prompt if isinstance(prompt, str) else json.dumps(prompt))
        given = [command, *([] if command == "nodes" else [str(file)]), "--base", str(base), *options]
        code = main(given)
        return code, *capsys.readouterr()

    return call


def titled(prompt: dict, **titles: str) -> dict:
    return {key: {**node, "_meta": {"title": titles.get(f"n{key}", key)}} for key, node in prompt.items()}


def photos(**titles: str) -> dict:
    """A photo that is saved and shown, twice over as a batch of its own, and what is known about its size."""
    return titled(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": "likeness_astronaut.png"}},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
            "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "sub/mine"}},
            "4": {"class_type": "PreviewAny", "inputs": {"source": "words"}},
        },
        **titles,
    )


def listed(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_two_photos_become_a_distance(session):
    shown = session.run(factories.compare_prompt())
    assert float(shown["9"]["text"][0]) == pytest.approx(0.67, abs=0.02)


def test_half_precision_between_nodes_changes_the_distance_little(base):
    half = standalone.start(base, fp16_intermediates=True).run(factories.compare_prompt())
    assert float(half["9"]["text"][0]) == pytest.approx(0.67, abs=0.03)


def test_a_run_answers_with_one_json_object(headless, tmp_path):
    code, out, err = headless("run", photos(n2="Shown: a/b"), "--json", "--output", str(tmp_path / "out"))
    assert code == 0, err
    answer = json.loads(out)
    assert answer["seconds"] > 0
    assert answer["outputs"] == [
        {"node": "Shown: a/b", "id": "2", "kind": "image", "path": str(tmp_path / "out/Shown_ a_b_00001_.png")},
        {"node": "3", "id": "3", "kind": "image", "path": str(tmp_path / "out/sub/mine_00001_.png")},
        {"node": "4", "id": "4", "kind": "text", "value": "words"},
    ]
    assert listed(tmp_path / "out") == ["Shown_ a_b_00001_.png", "sub/mine_00001_.png"]


def test_a_second_run_overwrites_nothing(headless, tmp_path):
    for _ in range(2):
        assert headless("run", photos(n2="Shown"), "--output", str(tmp_path / "out"))[0] == 0
    names = ["Shown_00001_.png", "Shown_00002_.png", "sub/mine_00001_.png", "sub/mine_00002_.png"]
    assert listed(tmp_path / "out") == names


def test_without_json_a_line_names_each_file_and_value(headless, tmp_path):
    _, out, _ = headless("run", photos(n4="Said"), "--output", str(tmp_path / "out"))
    assert out.splitlines()[1:] == [f"3: {tmp_path / 'out/sub/mine_00001_.png'}", "Said: words"]


def test_a_number_that_was_shown_is_a_number(headless):
    _, out, _ = headless("run", titled(factories.compare_prompt(), n9="Distance"), "--json")
    (record,) = json.loads(out)["outputs"]
    assert record == {"node": "Distance", "id": "9", "kind": "number", "value": pytest.approx(0.67, abs=0.02)}


def test_files_go_to_the_output_folder_when_no_other_is_named(headless, base):
    headless("run", photos(n2="Shown"))
    assert listed(base / "output") == ["Shown_00001_.png", "sub/mine_00001_.png"]


def test_a_photo_from_anywhere_is_used_and_not_left_behind(headless, base, tmp_path):
    before = listed(base / "input")
    elsewhere = tmp_path / "elsewhere/my photo.png"
    elsewhere.parent.mkdir()
    Image.new("RGB", (32, 16), (255, 0, 0)).save(elsewhere)
    code, _, err = headless(
        "run", photos(n1="Photo"), "--output", str(tmp_path / "out"), "--set", f"Photo.image={elsewhere}"
    )
    assert code == 0, err
    assert Image.open(tmp_path / "out/sub/mine_00001_.png").size == (32, 16)
    assert listed(base / "input") == before
    assert listed(base / "temp") == []


def test_a_photo_in_the_output_folder_is_found(headless, base, tmp_path):
    Image.new("RGB", (32, 16)).save(base / "output/made.png")
    given = ["--output", str(tmp_path / "out"), "--set", "Photo.image=made.png [output]"]
    assert headless("run", photos(n1="Photo"), *given)[0] == 0
    assert Image.open(tmp_path / "out/sub/mine_00001_.png").size == (32, 16)


@pytest.mark.parametrize(
    ("assignment", "node", "expected"),
    [
        ("Save = it.filename_prefix=a=b", "3", {"filename_prefix": "a=b"}),
        ("Find.threshold=0.25", "5", {"threshold": 0.25}),
        ("Find. Again.threshold=1", "6", {"threshold": 1.0}),
        ("Photo.image=likeness_grace_hopper.jpg", "1", {"image": "likeness_grace_hopper.jpg"}),
        ("Detector.model=yunet/2023mar", "4", {"model": "yunet/2023mar"}),
    ],
)
def test_a_value_is_read_by_its_inputs_type(headless, assignment, node, expected):
    prompt = photos(n1="Photo")
    prompt["3"]["_meta"]["title"] = "Save = it"
    for key, name in {"5": "Find", "6": "Find. Again"}.items():
        inputs = {"detector": ["4", 0], "image": ["1", 0], "threshold": 0.7}
        prompt[key] = {"class_type": "LikenessDetectFaces", "inputs": inputs, "_meta": {"title": name}}
    inputs = {"model": "yunet/2023mar"}
    prompt["4"] = {"class_type": "LikenessLoadFaceDetector", "inputs": inputs, "_meta": {"title": "Detector"}}
    code, out, err = headless("api", prompt, "--set", assignment)
    assert code == 0, err
    assert json.loads(out)[node]["inputs"].items() >= expected.items()


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("Who.image=a.png", "expected TITLE.INPUT=VALUE with one of the titles 2, 3, 4, Photo"),
        ("Photo.image", "expected TITLE.INPUT=VALUE with one of the titles"),
        ("Photo.picture=a.png", r"expected one of its widgets \(image\), got picture"),
        ("2.images=a.png", "expected another node: this has no widgets, got images"),
        (
            "Photo.image=nowhere.png",
            r"input folder's \(likeness_astronaut.png, .*\), got nowhere.png, which is neither",
        ),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_choices(headless, tmp_path, assignment, message):
    code, out, err = headless("run", photos(n1="Photo"), "--set", assignment, "--output", str(tmp_path / "out"))
    assert (code, out) == (1, "")
    with pytest.raises(WorkflowError, match=message):
        raise WorkflowError(err.splitlines()[-1])
    assert not (tmp_path / "out").exists()


def test_a_number_that_is_none_is_refused(headless):
    prompt = titled(factories.compare_prompt(), n5="Find")
    code, _, err = headless("run", prompt, "--set", "Find.threshold=high")
    assert code == 1
    assert "--set Find.threshold=high: expected FLOAT, got 'high'" in err
    assert "expected 0.0 to 1.0, got 7.0" in headless("run", prompt, "--set", "Find.threshold=7")[2]


def test_a_title_of_two_nodes_names_both(headless):
    code, _, err = headless("run", photos(n2="Same", n3="Same"), "--set", "Same.filename_prefix=a")
    assert code == 1
    assert "expected one node with the title Same, got 2 (nodes 2, 3): give them different titles" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expected JSON in .*, got something else"),
        ("[]", "Expected a JSON object in .*, got a list"),
        ('{"1": {"class_type": "LoadImage"}}', "Expected class_type and inputs of node 1"),
        ('{"nodes": [{"id": 1}], "links": []}', "Expected a whole workflow, got one without 'type'"),
        ('{"nodes": [{"id": 1, "type": "Who"}], "links": []}', "Who needs ComfyUI, and none was found"),
        ('{"1": {"class_type": "Who", "inputs": {}}}', "Who needs ComfyUI, and none was found"),
        ('{"1": {"class_type": "LoadImage", "inputs": {"image": "a"}}}', "Expected an output node, got none"),
        (None, "which is not there: check its name"),
    ],
)
def test_a_broken_workflow_file_is_explained(headless, text, message):
    code, out, err = headless("run", text)
    assert (code, out) == (1, "")
    with pytest.raises(WorkflowError, match=message):
        raise WorkflowError(err)


def test_a_run_that_fails_leaves_nothing(headless, base, tmp_path):
    (base / "input/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    prompt = photos(n5="Photo")
    prompt["5"] = {"class_type": "LoadImage", "inputs": {"image": "broken.png"}, "_meta": {"title": "Photo"}}
    prompt["6"] = {"class_type": "PreviewImage", "inputs": {"images": ["5", 0]}}
    code, out, err = headless("run", prompt, "--output", str(tmp_path / "out"), "--json")
    assert (code, out) == (1, "")
    assert "Node 5 (Photo): expected a picture, got broken.png, which cannot be read (" in err
    assert err.endswith("choose another.\n")
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_interrupted_leaves_nothing(pack, headless, tmp_path, monkeypatch):
    from headless.standins import core

    def interrupt(**_: object):
        raise KeyboardInterrupt

    monkeypatch.setattr(next(node for node in core.NODES if node.__name__ == "PreviewAny"), "execute", interrupt)
    code, out, err = headless("run", photos(), "--output", str(tmp_path / "out"))
    assert (code, out) == (130, "")
    assert err.endswith("Interrupted: nothing was written.\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", ["workflow.json/out", "workflow.json"])
def test_a_folder_that_cannot_be_written_is_named(headless, tmp_path, folder):
    code, out, err = headless("run", photos(), "--output", str(tmp_path / folder), "--json")
    assert (code, out) == (1, "")
    assert f"Expected a folder to write to, got {tmp_path / folder}" in err
    assert "choose another with --output" in err


def test_a_node_that_is_not_there_is_named_with_the_way_to_run_it(session):
    with pytest.raises(WorkflowError, match=r"KSampler needs ComfyUI.*COMFYUI_PATH"):
        session.run({"1": {"class_type": "KSampler", "inputs": {}}})


@pytest.mark.parametrize(
    ("node", "name", "value", "message"),
    [
        ("5", "image", ["3", 0], "Node 5 .*: expected IMAGE for image, got LIKENESS_DETECTOR"),
        ("5", "image", ["99", 0], "Node 5 .*: expected image from node 99, which is not there"),
        ("5", "image", ["1", 7], "Node 5 .*: expected image from one of the 2 outputs of Node 1 .*, got number 7"),
        ("5", "threshold", 8, r"Node 5 .*: threshold: expected 0\.0 to 1\.0, got 8"),
        ("5", "threshold", "much", "Node 5 .*: threshold: expected FLOAT, got 'much'"),
        ("3", "model", "who", "Node 3 .* got who"),
        ("1", "image", "nowhere.png", "Node 1 .*: Invalid image file: nowhere.png"),
        ("6", "detector", ["10", 0], "Expected no cycle, got .*10 > 6 > 10"),
    ],
)
def test_what_comfyui_refuses_is_refused(session, node, name, value, message):
    broken = factories.compare_prompt()
    broken[node]["inputs"][name] = value
    with pytest.raises(WorkflowError, match=message):
        session.run(broken)


def test_a_missing_input_is_named(session):
    broken = factories.compare_prompt()
    del broken["8"]["inputs"]["b"]
    with pytest.raises(WorkflowError, match=r"Node 8 .*: expected a value for b, got none"):
        session.run(broken)


def test_what_nobody_reads_any_more_is_let_go(session, monkeypatch):
    held = []

    def execute(**_: object):
        frames = torch.zeros(1, 8, 8, 3)
        held.append(weakref.ref(frames))
        return session.nodes["CreateVideo"].execute(frames, 25.0)

    monkeypatch.setattr(session.nodes["LoadVideo"], "execute", execute)
    monkeypatch.setattr(session.nodes["LoadVideo"], "validate_inputs", lambda **_: True)
    monkeypatch.setattr(session.nodes["PreviewAny"], "execute", lambda source: held.append(held[0]()) or NOTHING)
    prompt = photos()
    prompt["6"] = {"class_type": "LoadVideo", "inputs": {"file": "a.mp4"}}
    prompt["7"] = {"class_type": "GetVideoComponents", "inputs": {"video": ["6", 0]}}
    prompt["8"] = {"class_type": "PreviewImage", "inputs": {"images": ["7", 0]}}
    session.run({key: prompt[key] for key in ("6", "7", "8", "4")})
    assert held[1] is None


def test_a_node_that_no_output_needs_is_not_asked(session):
    prompt = {**photos(), "9": {"class_type": "LoadImage", "inputs": {"image": "nowhere.png"}}}
    assert set(session.run(prompt)) == {"2", "3", "4"}


def test_an_empty_batch_says_what_was_expected(session, monkeypatch):
    empty = session.nodes["CreateVideo"].execute(torch.zeros(0, 64, 64, 3), 25.0)
    monkeypatch.setattr(session.nodes["LoadVideo"], "execute", lambda **_: empty)
    monkeypatch.setattr(session.nodes["LoadVideo"], "validate_inputs", lambda **_: True)
    prompt = factories.compare_prompt()
    prompt["1"] = {"class_type": "GetVideoComponents", "inputs": {"video": ["20", 0]}}
    prompt["20"] = {"class_type": "LoadVideo", "inputs": {"file": "a.mp4"}}
    with pytest.raises(WorkflowError, match=r"Node 8 .*: Expected a face on both sides, got 0 and 1"):
        session.run(prompt)


def canvas(*nodes: dict, links: tuple = (), **more: object) -> dict:
    return {"nodes": list(nodes), "links": list(links), "version": 0.4, **more}


def test_a_canvas_file_names_its_widgets_and_links(session):
    load = {
        "id": 7,
        "type": "LoadImage",
        "title": "Photo",
        "widgets_values": ["a.png", "image"],
        "widgets_values_named": {"image": "a.png", "upload": "image"},
    }
    show = {"id": 8, "type": "PreviewImage", "inputs": [{"name": "images", "link": 3}]}
    note = {"id": 9, "type": "MarkdownNote", "widgets_values": ["Hello"]}
    found = workflow.to_api(canvas(load, show, note, links=([3, 7, 0, 8, 0, "IMAGE"],)), session.info)
    assert found == {
        "7": {"class_type": "LoadImage", "inputs": {"image": "a.png"}, "_meta": {"title": "Photo"}},
        "8": {"class_type": "PreviewImage", "inputs": {"images": ["7", 0]}, "_meta": {"title": "Preview Image"}},
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mode": 4}, r"got node 8 \(PreviewImage\) muted or bypassed"),
        ({"widgets_values": [1]}, "Expected widgets by name"),
        ({"type": "Reroute"}, r"got node 8 \(Reroute\), which only draws: connect past it"),
        ({"inputs": [{"name": "images", "link": 12}]}, "Expected a whole workflow, got one without 12"),
    ],
)
def test_a_canvas_file_that_we_cannot_run_says_why(session, changed, message):
    with pytest.raises(WorkflowError, match=message):
        workflow.to_api(canvas({"id": 8, "type": "PreviewImage", **changed}), session.info)


def test_nodes_are_listed_with_their_inputs(headless):
    lines = headless("nodes", None)[1].splitlines()
    assert "LikenessCompareFaces: a, b, threshold" in lines
    assert json.loads(headless("nodes", None, "--json")[1])["LikenessCompareFaces"]["name"] == "LikenessCompareFaces"


def test_a_node_runs_once_for_each_value_of_a_list(session):
    experiment = {
        "1": {
            "class_type": "LikenessDesignExperiment",
            "inputs": {"prompt": "{who}, {light}", "groups": "who: a, b", "factors": "light: soft, hard", "seeds": 2},
        },
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 3]}},
    }
    shown = session.run(titled(experiment))
    assert sorted(shown["2"]["text"]) == sorted(["a, soft", "a, hard", "b, soft", "b, hard"] * 2)
    assert shown["3"]["text"] == ["8"]


def test_the_shorter_list_ends_with_its_last_value_and_a_node_of_lists_runs_once(session, monkeypatch):
    given = iter([[1, 2, 3], [7, 8]])
    calls = []

    class Numbers(session.nodes["LikenessTableColumn"]):
        @classmethod
        def execute(cls, **_):
            return SimpleNamespace(args=(next(given),), ui=None)

    class Add(session.nodes["PreviewAny"]):
        @classmethod
        def define_schema(cls):
            schema = super().define_schema()
            other = type(schema.inputs[0])("other")
            schema.inputs.append(other)
            return schema

        @classmethod
        def execute(cls, source, other):
            calls.append((source, other))
            return SimpleNamespace(args=(source,), ui={"text": (f"{source}{other}",)})

    class Together(Add):
        @classmethod
        def define_schema(cls):
            schema = super().define_schema()
            schema.is_input_list = True
            return schema

    table = {"class_type": "LikenessLoadTable", "inputs": {"file": "likeness_pairs.csv"}}
    numbers = {"class_type": "LikenessTableColumn", "inputs": {"table": ["1", 0], "column": "score"}}
    both = {"class_type": "PreviewAny", "inputs": {"source": ["2", 0], "other": ["3", 0]}}
    monkeypatch.setitem(session.nodes, "LikenessTableColumn", Numbers)
    for node, expected in ((Add, [(1, 7), (2, 8), (3, 8)]), (Together, [([1, 2, 3], [7, 8])])):
        given = iter([[1, 2, 3], [7, 8]])
        monkeypatch.setitem(session.nodes, "PreviewAny", node)
        session.run(titled({"1": table, "2": numbers, "3": numbers, "4": both}))
        assert calls == expected
        calls.clear()


def test_an_empty_list_says_where_it_came_from(session):
    nothing = {
        "1": {"class_type": "LikenessLoadTable", "inputs": {"file": "likeness_pairs.csv"}},
        "2": {"class_type": "LikenessTableColumn", "inputs": {"table": ["1", 0], "column": "score"}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 0]}},
    }
    column = session.nodes["LikenessTableColumn"]
    session.nodes["LikenessTableColumn"] = type(
        column.__name__, (column,), {"execute": lambda **_: SimpleNamespace(args=([],), ui=None)}
    )
    with pytest.raises(WorkflowError, match=r"Node 3 \(n3\)|expected a value for source, got an empty list"):
        session.run(titled(nothing))
