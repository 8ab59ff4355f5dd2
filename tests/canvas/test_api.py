"""``headless api`` writes what the canvas queues."""

import json
from pathlib import Path

import pytest

from canvas.server import fetch
from headless import workflow

WORKFLOWS = sorted((Path(__file__).parents[2] / "workflows").glob("*.json"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_the_api_format_that_the_canvas_makes_of_it(page, address, path):
    saved = json.loads(path.read_text(encoding="utf-8"))
    page.open()
    page.load(saved)
    queued = page.page.evaluate("async () => (await app.graphToPrompt()).output")
    info = fetch(address, "/object_info")
    ours = workflow.to_api(saved, info.__getitem__)
    assert ours.keys() == queued.keys()
    for key, node in queued.items():
        known = workflow.sockets(info[node["class_type"]], node["inputs"])  # the canvas also sends buttons
        assert ours[key]["inputs"] == {name: value for name, value in node["inputs"].items() if name in known}
        assert ours[key]["_meta"] == node["_meta"]
