"""The sidebar tab "Face models", by real clicks, with weights from a slow server. See ``demo/canvas/models-*.png``."""

import hashlib
import json
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import packing
import slow
from canvas.conftest import LOOKS
from canvas.server import comfyui, comfyui_path, fetch

ROOT = Path(__file__).parents[2]
# The pack's own weights under other ids: a loader can ask for them and run them.
DETECTOR, MESH = "yunet/loopback", "mediapipe_mesh/loopback"
SETTING = "Likeness.Weights.DownloadOnQueue"
PROMPT = {
    "1": {"class_type": "LikenessLoadFaceDetector", "inputs": {"model": DETECTOR, "engine": "auto"}},
    "2": {"class_type": "LoadImage", "inputs": {"image": "face.png"}},
    "3": {"class_type": "LikenessDetectFaces", "inputs": {"detector": ["1", 0], "image": ["2", 0], "threshold": 0.7}},
    "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 2]}},
}


@pytest.fixture(scope="module")
def source():
    with slow.serving() as server:
        yield server


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("panel")


@pytest.fixture(scope="module")
def address(source, base):
    """A ComfyUI with this pack and manifests that name the slow server."""
    if comfyui_path() is None:
        pytest.skip("no ComfyUI here: set COMFYUI_PATH, and COMFYUI_PYTHON to its interpreter")
    pack = packing.copy_tracked(base / "pack")
    slow.write_manifest(pack / "models_manifest", source)
    publish(source, pack, DETECTOR, "face_detection_yunet_2023mar.onnx", "face_detection", needs="A photo.")
    publish(source, pack, MESH, "face_landmark_with_attention.onnx", "face_landmark")
    (base / "home/input").mkdir(parents=True)
    photo = next((ROOT / "models_manifest/starter").rglob("*astronaut*.png"))
    (base / "home/input/face.png").write_bytes(photo.read_bytes())
    with comfyui(base / "home", pack) as address:
        yield address


def publish(source, pack, id, starter, folder, **about):
    """A second set of a system's weights, with the bytes of the one that comes with the pack."""
    system, variant = id.split("/")
    path = pack / f"models_manifest/{system}.json"
    manifest = json.loads(path.read_text())
    body = (pack / "models_manifest/starter/weights" / starter).read_bytes()
    manifest["models"].append(slow.weights(id, source.publish(f"{system}_{variant}.onnx", body), folder) | about)
    path.write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def page(browser, address):
    with browser.chromium(address) as page:
        page.page.set_default_timeout(60_000)  # a busy machine takes half of it to load the page
        yield page


@pytest.fixture
def tab(page, source):
    """The open tab, of a workflow whose detector is missing."""
    source.pause = 0
    open_tab(page)
    yield page.page.locator(".likeness-models")
    assert page.errors == []


def open_tab(page, **settings):
    page.open(**settings)
    page.load(json.loads((ROOT / "workflows/quickstart.json").read_text()))
    ask_for(page, "LikenessLoadFaceDetector", DETECTOR)
    panel = page.page.locator(".likeness-models")
    if panel.count():
        page.page.get_by_role("button", name="Face models").first.click()
        panel.wait_for(state="detached")
    page.page.get_by_role("button", name="Face models").first.click()
    panel.locator("details").first.wait_for()
    page.errors.clear()


def ask_for(page, node, id):
    """Choose other weights on a loader, as its list would."""
    page.page.evaluate(
        """([type, id]) => { const loader = app.graph.nodes.find(node => node.type === type);
        loader.widgets.find(widget => widget.name === "model").value = id; }""",
        [node, id],
    )


def card(tab, id):
    return tab.locator(f'[data-model="{id}"]')


def press(tab, id, label):
    card(tab, id).get_by_role("button", name=f"{label} {id}", exact=True).click()


def state(tab, id, word):
    card(tab, id).locator(".state", has_text=word).wait_for(timeout=10_000)


def find(tab, words):
    tab.get_by_role("searchbox").fill(words)


def progress(tab, id):
    return card(tab, id).locator("progress").evaluate("bar => bar.value", timeout=10_000)


def post(address, path, body, **headers):
    """Status and text."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(address + path, data, headers), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def model_of(address, id):
    systems = fetch(address, "/likeness/models")
    return next(model for system in systems for model in system["models"] if model["id"] == id)


def ended(address, run):
    """A run as the history has it, once it is there."""
    end = time.monotonic() + 30
    while run not in (history := fetch(address, f"/history/{run}")) and time.monotonic() < end:
        time.sleep(0.1)
    return history[run]


def test_what_the_open_workflow_lacks_comes_first(tab):
    assert tab.locator("h3").first.inner_text().lower() == "this workflow needs"
    assert tab.locator("article").first.get_attribute("data-model") == DETECTOR
    assert card(tab, DETECTOR).count() == 1
    assert card(tab, DETECTOR).locator(".state").inner_text() == "missing"


def test_an_opened_workflow_says_what_it_lacks_once(page):
    page.open()
    workflow = json.loads((ROOT / "workflows/quickstart.json").read_text().replace("mediapipe_mesh/attention", MESH))
    page.load(workflow)
    said = page.page.locator(".p-toast-message", has_text=MESH)
    said.get_by_text(f"{MESH}: 2.5 MB, MIT").wait_for()
    assert "Face models" in said.inner_text()
    page.screenshot(ROOT / "demo/canvas/models-missing.png")
    said.get_by_role("button").click()
    said.wait_for(state="detached")
    page.load(workflow)
    page.page.wait_for_timeout(500)
    assert said.count() == 0


def test_a_card_says_what_it_needs_besides_and_where_to_read(tab, base):
    find(tab, "arcface")
    source = json.loads((ROOT / "models_manifest/arcface.json").read_text())["models"][0]["files"][0]["sources"][0]
    page = card(tab, "arcface/w600k_r50").get_by_role("link", name="huggingface.co")
    assert page.get_attribute("href") == f"https://huggingface.co/{source['repo']}"
    shown = card(tab, DETECTOR)
    assert shown.get_by_text("A photo.").is_visible()
    assert shown.get_by_role("link").all_inner_texts() == ["MIT", "paper"]  # no link around the button that asks
    folder = shown.locator(".folder")
    assert folder.get_attribute("title") == str(base / "home/models/face_detection")
    assert shown.get_by_text("yunet_loopback.onnx", exact=True).is_visible()


def test_one_click_brings_all_that_the_workflow_lacks(tab, page, address):
    ask_for(page, "LikenessLoadFaceLandmarker", MESH)
    page.page.get_by_role("button", name="Face models").first.click()
    tab.wait_for(state="detached")
    page.page.get_by_role("button", name="Face models").first.click()
    tab.get_by_role("button", name=re.compile(r"Download all \(2\.\d MB\)")).click()
    for id in (DETECTOR, MESH):
        state(tab, id, "installed")
    assert tab.get_by_role("button", name="Download all").count() == 0
    for file in [file for id in (DETECTOR, MESH) for file in model_of(address, id)["files"]]:
        Path(file["target"]).unlink()


def test_a_download_moves_pauses_goes_on_and_is_verified(tab, page, source, base):
    find(tab, "loopback")
    source.pause = 0.05
    press(tab, slow.FREE, "Download")
    state(tab, slow.FREE, "download")
    far = {progress(tab, slow.FREE)}
    end = time.monotonic() + 10
    while len(far) < 3 and time.monotonic() < end:
        far.add(progress(tab, slow.FREE))
    source.pause = 60  # or it is done before a busy machine has clicked
    assert len(far) == 3
    assert max(far) < slow.BYTES
    page.page.screenshot(path=ROOT / "demo/canvas/models-moving.png")
    press(tab, slow.FREE, "Pause")
    state(tab, slow.FREE, "partial")
    source.pause = 0.002
    press(tab, slow.FREE, "Resume")
    state(tab, slow.FREE, "installed")
    assert source.starts[-1] > 0
    assert (base / "home/models/loopback/free.bin").read_bytes() == slow.noise(0)
    assert card(tab, slow.FREE).get_by_title(str(base / "home/models/loopback/free.bin")).inner_text() == "free.bin"
    press(tab, slow.FREE, "Verify")
    card(tab, slow.FREE).get_by_text("Verified: sound").wait_for()


def test_terms_are_accepted_before_the_download_and_a_cancelled_one_leaves_nothing(tab, source, base):
    find(tab, "loopback")
    assert card(tab, slow.CLOSED).get_by_text("non-commercial").is_visible()
    assert card(tab, slow.CLOSED).get_by_role("button").all_inner_texts() == ["Accept CC-BY-NC-4.0"]
    press(tab, slow.CLOSED, "Accept CC-BY-NC-4.0")
    source.pause = 60
    press(tab, slow.CLOSED, "Download")
    state(tab, slow.CLOSED, "download")
    press(tab, slow.CLOSED, "Cancel")
    state(tab, slow.CLOSED, "missing")
    source.pause = 0.05
    press(tab, slow.CLOSED, "Download")
    while not progress(tab, slow.CLOSED):
        pass
    source.pause = 60
    press(tab, slow.CLOSED, "Pause")
    state(tab, slow.CLOSED, "partial")
    press(tab, slow.CLOSED, "Discard")
    state(tab, slow.CLOSED, "missing")
    assert not list((base / "home/models/loopback").glob("closed.bin*[!k]"))


def test_what_is_not_as_announced_says_so(tab, base):
    find(tab, "loopback")
    press(tab, slow.DAMAGED, "Download")
    card(tab, slow.DAMAGED).get_by_text("Expected sha256 0000").wait_for()
    state(tab, slow.DAMAGED, "missing")
    assert not (base / "home/models/loopback/damaged.bin").exists()


def test_what_a_person_gets_is_looked_for_again(tab, base):
    find(tab, "mano")
    assert card(tab, "mano/v1_2").get_by_role("button").all_inner_texts() == ["Look again"]
    card(tab, "mano/v1_2").get_by_text("How to get it").click()
    assert card(tab, "mano/v1_2").get_by_role("link", name="https://mano.is.tue.mpg.de").is_visible()
    press(tab, "mano/v1_2", "Look again")
    card(tab, "mano/v1_2").get_by_text("Expected mano/MANO_RIGHT.pkl").wait_for()
    (base / "home/models/body_pose/mano").mkdir(parents=True)
    for name in ("RIGHT", "LEFT"):
        (base / f"home/models/body_pose/mano/MANO_{name}.pkl").write_bytes(b"theirs")
    press(tab, "mano/v1_2", "Look again")
    state(tab, "mano/v1_2", "installed")


def test_a_damaged_record_says_what_to_delete(tab, page, base):
    record = base / "home/models/likeness.lock.json"
    kept = record.read_text()
    record.write_text("{")
    press(tab, "canonical_head/mediapipe", "Verify")
    tab.get_by_text(re.compile("Expected JSON, got .*likeness.lock.json which is damaged .*: delete it")).wait_for()
    record.write_text(kept)
    page.errors.clear()  # the browser notes the 500


def test_a_task_unfolds_and_stays_so(tab):
    group = tab.locator('[data-task="body"]')
    assert not group.locator("article").first.is_visible()
    group.locator("summary").first.click()
    assert group.locator("article").first.is_visible()
    find(tab, "yunet")
    assert tab.locator("details[data-task]").count() == 1
    find(tab, "")
    assert tab.locator('[data-task="body"] article').first.is_visible()
    assert not tab.locator('[data-task="talk"] article').first.is_visible()


def test_the_routes_take_published_ids_and_nothing_else(address, base):
    good = {"id": slow.FREE}
    status, text = post(address, "/likeness/models/download", {"id": "yunet/none"})
    assert status == 404
    assert "got yunet/none" in text
    refused = [{"id": slow.FREE, "url": "http://127.0.0.1/x"}, {"path": "/etc/passwd"}, {"id": [slow.FREE]}, [], b"{"]
    for body in refused:
        assert post(address, "/likeness/models/download", body)[0] == 400
    assert post(address, "/likeness/models/delete", good)[0] == 400
    assert {post(address, "/likeness/models/download", {"id": id})[0] for id in ("../../x", "/etc/passwd")} == {404}
    for header in ({"Origin": "https://example.org"}, {"Sec-Fetch-Site": "cross-site"}):
        assert post(address, "/likeness/models/accept", {"id": slow.FREE}, **header)[0] == 403
    accepted = base / "home/user/likeness.accepted.json"
    assert not accepted.exists() or slow.FREE not in json.loads(accepted.read_text())


def test_a_queue_says_what_is_missing_and_brings_it_where_that_is_allowed(page, address, source, base):
    status, text = post(address, "/prompt", {"prompt": PROMPT})
    assert status == 400
    for part in (
        "0.2 MB",
        "MIT https://example.org/MIT",
        source.url,
        "model panel",
        "headless models",
        "LIKENESS_DOWN",
    ):
        assert part in text
    fetch(address, "/settings", {SETTING: True})
    status, text = post(address, "/prompt", {"prompt": PROMPT})
    assert status == 200, text
    assert ended(address, json.loads(text)["prompt_id"])["outputs"]["4"]["text"] == ["1"]
    (file,) = model_of(address, DETECTOR)["files"]
    assert file["state"] == "installed"
    assert hashlib.sha256(Path(file["target"]).read_bytes()).hexdigest().startswith("8f2383e4")


def test_a_queued_download_moves_the_bar_and_is_interrupted_even_where_nothing_comes(page, address, source, base):
    page.open()
    client = page.page.evaluate(
        """async () => { const { api } = await import("/scripts/api.js"); window.moved = [];
        api.addEventListener("progress", event => moved.push([event.detail.value, event.detail.max]));
        return api.clientId; }"""
    )
    fetch(address, "/settings", {SETTING: True})
    loader = {"class_type": "LikenessLoadFaceLandmarker", "inputs": {"model": MESH, "engine": "auto"}}
    prompt = {"1": loader, "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}}}
    source.pause = 0.01
    status, text = post(address, "/prompt", {"prompt": prompt, "client_id": client})
    assert status == 200, text
    page.page.wait_for_function("moved.filter(([value, max]) => 0 < value && value < max).length > 2")
    source.pause = 60
    page.page.wait_for_timeout(1000)
    began = time.monotonic()
    post(address, "/interrupt", {})
    run = ended(address, json.loads(text)["prompt_id"])
    assert time.monotonic() - began < 5
    assert "execution_interrupted" in [kind for kind, _ in run["status"]["messages"]]
    kept = (base / "home/models/face_landmark/mediapipe_mesh_loopback.onnx.part").stat().st_size
    assert 0 < kept < 2_000_000
    source.pause = 0
    status, text = post(address, "/prompt", {"prompt": prompt, "client_id": client})
    assert ended(address, json.loads(text)["prompt_id"])["status"]["status_str"] == "success"
    assert source.starts[-1] == kept


@pytest.mark.parametrize("look", LOOKS)
def test_the_panel_in_every_look(page, look):
    open_tab(page)
    for setting in LOOKS[look].items():
        page.page.evaluate("setting => app.extensionManager.setting.set(...setting)", setting)
    tab = page.page.locator(".likeness-models")
    page.screenshot(ROOT / f"demo/canvas/models-{look}.png")
    for task in ("detect", "body"):
        tab.locator(f'[data-task="{task}"] > summary').click()
    tab.locator('[data-task="body"]').evaluate("group => group.scrollIntoView()")
    page.screenshot(ROOT / f"demo/canvas/models-{look}-body.png")
    assert tab.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    assert page.errors == []
