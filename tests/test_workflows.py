"""The workflow files, as they are, on the stand-ins; ``tests/canvas`` has them on ComfyUI's own canvas."""

import json
from pathlib import Path

import pytest

import factories
import seeded
from headless import standalone, workflow

SHOWS = ("LikenessPick", "Preview", "Save", "LikenessSave")
WORKFLOWS = sorted(Path(__file__).parents[1].glob("workflows/*.json"))


def run(session: standalone.Session, path: Path) -> dict[str, dict]:
    """What a workflow's output nodes show, by title; weights that are not here are seeded."""
    prompt = workflow.to_api(seeded.read(path), session.info)
    return {prompt[key]["_meta"]["title"]: shown for key, shown in session.run(prompt).items()}


@pytest.fixture(scope="module", params=WORKFLOWS, ids=lambda path: path.stem)
def shown(request, pack, tmp_path_factory):
    """The name of a workflow, and what it shows."""
    base = factories.write_base(tmp_path_factory.mktemp("base"))
    seeded.write(base, [request.param])
    yield request.param.stem, run(standalone.start(base), request.param)
    standalone.start()


def test_a_workflow_runs_and_every_output_node_shows_something(shown):
    name, outputs = shown
    saved = json.loads(next(path for path in WORKFLOWS if path.stem == name).read_text(encoding="utf-8"))
    titled = {node["title"] for node in saved["nodes"] if node["type"].startswith(SHOWS)}
    assert outputs.keys() == titled
    assert all(outputs.values())
