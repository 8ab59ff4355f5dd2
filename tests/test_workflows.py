"""The workflow files, as they are, on the stand-ins; ``tests/canvas`` has them on ComfyUI's own canvas."""

import json
from itertools import combinations
from pathlib import Path

import pytest

import editors
import factories
import seeded
from headless import standalone, workflow

SHOWS = ("LikenessPickFaces", "Preview", "Save", "LikenessSave")
WORKFLOWS = seeded.ON_STANDINS
TITLE = 30  # what a node's title takes on the canvas, above its own place
Box = tuple[float, float, float, float]  # left, top, right, bottom


def run(session: standalone.Session, path: Path) -> dict[str, dict]:
    """What a workflow's output nodes show, by title; weights that are not here are seeded."""
    prompt = workflow.to_api(seeded.read(path), session.info)
    return {prompt[key]["_meta"]["title"]: shown for key, shown in session.run(prompt).items()}


@pytest.fixture(scope="module", params=WORKFLOWS, ids=lambda path: path.stem)
def shown(request, pack, tmp_path_factory):
    """The name of a workflow, and what it shows."""
    base = factories.write_base(tmp_path_factory.mktemp("base"))
    seeded.write(base, [request.param])
    editors.write_models(base)
    yield request.param.stem, run(editors.fill_in(standalone.start(base)), request.param)
    standalone.start()


def test_a_workflow_runs_and_every_output_node_shows_something(shown):
    name, outputs = shown
    saved = json.loads(next(path for path in WORKFLOWS if path.stem == name).read_text(encoding="utf-8"))
    titled = {node["title"] for node in saved["nodes"] if node["type"].startswith(SHOWS)}
    assert outputs.keys() == titled
    assert all(outputs.values())


def place(node: dict) -> Box:
    (x, y), (width, height) = node["pos"][:2], node["size"][:2]
    return x, y - TITLE, x + width, y + height


def framed(group: dict) -> Box:
    x, y, width, height = group["bounding"]
    return x, y, x + width, y + height


def apart(a: Box, b: Box) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def holds(frame: Box, box: Box) -> bool:
    return frame[0] <= box[0] and frame[1] <= box[1] and frame[2] >= box[2] and frame[3] >= box[3]


@pytest.mark.parametrize("path", seeded.WORKFLOWS, ids=lambda path: path.stem)
def test_nodes_and_frames_do_not_lie_over_each_other(path):
    saved = json.loads(path.read_text(encoding="utf-8"))
    nodes = {f"{node['id']} {node['type']}": place(node) for node in saved["nodes"]}
    frames = {group["title"]: framed(group) for group in saved.get("groups", [])}
    for several in (nodes, frames):
        assert not [(a, b) for a, b in combinations(several, 2) if not apart(several[a], several[b])]
    cut = [(a, b) for a in frames for b in nodes if not apart(frames[a], nodes[b]) and not holds(frames[a], nodes[b])]
    assert not cut
