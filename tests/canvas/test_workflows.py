"""Our workflows on the canvas of a real ComfyUI. What it looked like is in ``demo/canvas``: look at it."""

import json
from pathlib import Path

import pytest

import seeded
from canvas import save_workflow
from canvas.server import fetch, read

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
workflows = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


@pytest.mark.parametrize("look", ["dark", "light-nodes2"], indirect=True)  # each renderer and each theme once
@workflows
def test_a_workflow_loads_whole_and_runs_on_the_first_click(look, page, path):
    page.errors.clear()
    page.load(seeded.read(path))
    assert not page.unknown_nodes()
    assert not page.complaint()
    run = page.run()
    page.screenshot(ROOT / f"demo/canvas/{path.stem}-{look}.png")
    assert run["status"]["status_str"] == "success", json.dumps(run["status"], indent=1)
    assert not page.complaint()
    assert page.errors == []


@workflows
def test_a_workflow_is_what_the_canvas_saves_of_its_description(page, path):
    """``python -m tests.canvas.save_workflow NAME`` saves it again."""
    page.open()
    assert save_workflow.save(page, path.stem) == json.loads(path.read_text())


@workflows
def test_a_workflow_comes_back_from_the_canvas_with_the_same_values(page, path):
    saved = json.loads(path.read_text())
    page.open()
    page.load(saved)
    again = {node["id"]: node.get("widgets_values_named") for node in page.saved()["nodes"]}
    assert again == {node["id"]: node.get("widgets_values_named") for node in saved["nodes"]}


def test_every_workflow_is_a_template_with_its_picture(address):
    assert sorted(fetch(address, "/workflow_templates")["ComfyUI-Likeness"]) == [path.stem for path in WORKFLOWS]
    for path in WORKFLOWS:
        picture = path.with_suffix(".jpg")
        assert read(address, f"/api/workflow_templates/ComfyUI-Likeness/{picture.name}") == picture.read_bytes()


def test_a_newcomer_opens_a_workflow_from_the_template_browser(page):
    page.open()
    page.page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    page.page.get_by_text("ComfyUI-Likeness", exact=True).click()
    card = page.page.locator("[data-testid^=template-workflow-]").first
    card.locator("img").first.wait_for()
    page.screenshot(ROOT / "demo/canvas/templates.png")
    assert card.inner_text().split()[-1] in {path.stem for path in WORKFLOWS}
    assert card.locator("img").evaluate_all("images => images.every(image => image.naturalWidth)")
    card.click()
    page.page.wait_for_function("app.graph.nodes.some(node => node.type.startsWith('Likeness'))")
    assert not page.unknown_nodes()
    assert not page.complaint()


def test_a_node_opens_its_help_page(page):
    page.open()
    page.load(json.loads((ROOT / "workflows/quickstart.json").read_text()))
    page.page.evaluate("() => app.canvas.selectNode(app.graph.nodes.find(n => n.type == 'LikenessEstimateHeadPose'))")
    page.page.get_by_test_id("info-button").click()
    page.page.get_by_role("heading", name="Estimate Head Pose", exact=True).wait_for()


@pytest.mark.parametrize("path", sorted(ROOT.glob("js/docs/*.md")), ids=lambda path: path.stem)
def test_a_help_page_lies_where_the_canvas_looks_for_it(address, path):
    assert read(address, f"/extensions/ComfyUI-Likeness/docs/{path.name}") == path.read_bytes()


def test_every_description_is_saved():
    assert save_workflow.names() == [path.stem for path in WORKFLOWS]
