"""Pick Faces by real clicks, in both renderers and both themes. See ``demo/canvas/pick-*.png``."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

import factories

ROOT = Path(__file__).parents[2]
WORKFLOW = json.loads((ROOT / "workflows/pick_face.json").read_text(encoding="utf-8"))
PICKER = next(node["id"] for node in WORKFLOW["nodes"] if node["type"] == "LikenessPickFaces")
COUNT = next(node["id"] for node in WORKFLOW["nodes"] if node["type"] == "PreviewAny")


def other_picture() -> bytes:
    """The same two people in another order, other sizes, another light."""
    with Image.open(factories.EXAMPLES["two_people"]) as photo:
        small = ImageOps.mirror(photo).resize((720, 450))
    sheet = Image.new("RGB", (800, 600), (120, 120, 120))
    sheet.paste(ImageEnhance.Brightness(small).enhance(0.85), (60, 90))
    sheet.save(file := io.BytesIO(), "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def other(page, address):
    """The name of that picture in the input folder."""
    page.page.request.post(
        f"{address}/upload/image",
        multipart={"image": {"name": "other.png", "mimeType": "image/png", "buffer": other_picture()}},
    )
    return "other.png"


def changed(workflow: dict, kind: str, **values: str) -> dict:
    """A saved workflow whose nodes of a kind have other values, as if somebody had filled them in."""
    workflow = json.loads(json.dumps(workflow))
    for node in workflow["nodes"]:
        if node["type"] == kind:
            for name, value in values.items():
                old = node["widgets_values_named"][name]
                node["widgets_values_named"][name] = value
                node["widgets_values"] = [value if held == old else held for held in node["widgets_values"]]
    return workflow


def saved_choice(page) -> list[dict]:
    node = next(node for node in page.saved()["nodes"] if node["id"] == PICKER)
    return json.loads(node["widgets_values_named"]["picked"] or "[]")


def run(page) -> tuple[int, list[dict]]:
    """How many faces are kept, and the people shown."""
    done = page.run()
    assert done["status"]["status_str"] == "success", json.dumps(done["status"], indent=1)
    outputs = done["outputs"]
    return int(outputs[str(COUNT)]["text"][0]), outputs[str(PICKER)]["likeness_people"]


def hopper(people: list[dict]) -> list[bool]:
    """Who of two is Grace Hopper: her picture is the darker one."""
    light = []
    for person in people:
        with Image.open(io.BytesIO(base64.b64decode(person["picture"].split(",")[1]))) as picture:
            light.append(np.asarray(picture).mean())
    return [bool(one == min(light)) for one in light]


def faces(page):
    return page.page.locator(".likeness-pick .face")


def pressed(page) -> list[bool]:
    return [state == "true" for state in faces(page).evaluate_all("all => all.map(one => one.ariaPressed)")]


def test_a_click_picks_a_person_whom_the_saved_file_finds_in_another_picture(look, page, other):
    page.errors.clear()
    page.page.evaluate("() => app.refreshComboInNodes()")
    page.load(changed(WORKFLOW, "LikenessPickFaces", picked=""))
    assert page.page.get_by_text("Run to see who is here.").is_visible()
    count, people = run(page)
    faces(page).nth(1).wait_for()
    assert (count, pressed(page)) == (2, [False, False])
    page.screenshot(ROOT / f"demo/canvas/pick-{look}-found.png")

    faces(page).nth(hopper(people).index(True)).click()
    assert pressed(page) == hopper(people)
    assert [set(one) for one in saved_choice(page)] == [{"space", "identity"}]
    assert page.page.get_by_text("1 person picked, by identity.").is_visible()
    assert run(page)[0] == 1
    page.screenshot(ROOT / f"demo/canvas/pick-{look}-picked.png")

    page.load(changed(page.saved(), "LoadImage", image=other))
    count, people = run(page)
    assert count == 1
    assert [bool(person["held"]) for person in people] == hopper(people)
    page.page.wait_for_function(
        "wanted => [...document.querySelectorAll('.likeness-pick .face')].map(one => one.ariaPressed === 'true') + '' "
        "== wanted + ''",
        arg=hopper(people),
    )
    page.screenshot(ROOT / f"demo/canvas/pick-{look}-other.png")
    assert page.errors == []


def test_several_are_picked_and_taken_out_again(look, page, other):
    page.load(changed(WORKFLOW, "LikenessPickFaces", picked=""))
    run(page)
    faces(page).nth(1).wait_for()
    faces(page).nth(0).click()
    faces(page).nth(1).click(modifiers=["Control"])
    assert (pressed(page), len(saved_choice(page))) == ([True, True], 2)
    faces(page).nth(0).click(modifiers=["Control"])
    assert pressed(page) == [False, True]
    faces(page).nth(1).click()
    assert saved_choice(page) == []
    faces(page).nth(1).click()
    page.page.get_by_role("button", name="Clear", exact=True).click()
    assert (pressed(page), saved_choice(page)) == ([False, False], [])


def test_a_click_can_be_undone(page):
    page.open()
    page.load(changed(WORKFLOW, "LikenessPickFaces", picked=""))
    run(page)
    faces(page).nth(1).wait_for()
    faces(page).nth(0).click()
    assert len(saved_choice(page)) == 1
    page.page.keyboard.press("Control+z")
    page.page.wait_for_function("() => !document.querySelector('.likeness-pick .face[aria-pressed=true]')")
    assert saved_choice(page) == []
    assert faces(page).count() == 2
