"""Workflow files on the stand-ins."""

import pytest

import factories
from headless import WorkflowError, standalone


@pytest.fixture
def session(base):
    return standalone.start(base)


def test_two_photos_become_a_distance(session):
    shown = session.run(factories.compare_prompt())
    assert float(shown["9"]["text"][0]) == pytest.approx(0.67, abs=0.02)


def test_half_precision_between_nodes_changes_the_distance_little(base):
    half = standalone.start(base, fp16_intermediates=True).run(factories.compare_prompt())
    assert float(half["9"]["text"][0]) == pytest.approx(0.67, abs=0.03)


def test_a_node_that_is_not_there_is_named_with_the_way_to_run_it(session):
    with pytest.raises(WorkflowError, match=r"KSampler needs ComfyUI.*COMFYUI_PATH"):
        session.run({"1": {"class_type": "KSampler", "inputs": {}}})


@pytest.mark.parametrize(
    ("node", "name", "value", "message"),
    [
        ("5", "image", ["3", 0], "Node 5 .*: expected IMAGE for image, got LIKENESS_DETECTOR"),
        ("5", "image", ["99", 0], "Node 5 .*: expected image from node 99, which is not there"),
        ("5", "threshold", 8, r"Node 5 .*: threshold: expected 0\.0 to 1\.0, got 8"),
        ("3", "model", "who", "Node 3 .* got who"),
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
