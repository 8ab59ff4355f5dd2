"""ComfyUI's canvas in Chromium, as a person meets it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from .server import fetch

CHROMIUM = Path("/usr/bin/chromium")
DRIVER: list[Any] = []  # Playwright's, while a browser is open: a thread can have no second
PATIENCE = 180  # seconds for a page to load; 3 on a machine that does nothing else
QUIET = ("quic", "background-networking", "component-update", "sync", "gpu")
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
FLAGS = ("--no-sandbox", "--no-first-run", OFFLINE, *(f"--disable-{part}" for part in QUIET))
WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")  # the 3D viewer needs it
SETTINGS = {
    "Comfy.TutorialCompleted": True,  # or a dialogue asks the newcomer to pick a template
    "Comfy.ColorPalette": "dark",
    "Comfy.VueNodes.Enabled": False,
    "Comfy.Workflow.Persist": False,
    "Comfy.Minimap.Visible": False,
    "LiteGraph.Canvas.MinFontSizeForLOD": 0,  # or a whole workflow in view shows no words
}
# What a ComfyUI without our pack also writes to the console.
NOISE = (
    "status of 404",  # user.css, user data and template lists that a new base folder does not have
    "ComfyApp graph accessed before initialization",
    "net::ERR_NAME_NOT_RESOLVED",  # what ComfyUI looks up in the network, which OFFLINE refuses
)


class Canvas:
    """One open page of ComfyUI."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.settings: dict[str, Any] | None = None
        self.errors: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, **settings: Any) -> None:
        """Load the page with these of ComfyUI's settings, unless it is open with them."""
        if settings == self.settings:
            return
        self.settings = settings
        fetch(self.address, "/settings", {**SETTINGS, **settings})
        self.page.goto(self.address)
        self.page.wait_for_function("window.app?.canvas && 'LikenessDetectFaces' in LiteGraph.registered_node_types")
        self.page.wait_for_selector("[data-testid=queue-button]")

    def load(self, workflow: dict[str, Any]) -> None:
        """Open a workflow, all of it in view."""
        self.page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
        self.page.evaluate("() => app.extensionManager.command.execute('Comfy.Canvas.FitView')")

    def build(self, graph: dict[str, Any]) -> dict[str, Any]:
        """Make a described graph out of real nodes; gives what Save would write."""
        return json.loads(self.page.evaluate(Path(__file__).with_name("build.js").read_text(), graph))

    def saved(self) -> dict[str, Any]:
        """What Save would write of the open workflow."""
        return json.loads(self.page.evaluate("() => JSON.stringify(app.rootGraph.serialize())"))

    def unknown_nodes(self) -> list[str]:
        """The nodes on the canvas that ComfyUI does not have."""
        return self.page.evaluate("() => app.graph.nodes.map(n => n.type).filter(t => !LiteGraph.getNodeType(t))")

    def complaint(self) -> str:
        """What the canvas shows as an error: missing nodes or media, a refused or failed run; empty if none."""
        overlay = self.page.locator("[data-testid=error-overlay]")
        return overlay.inner_text() if overlay.count() else ""

    def run(self, seconds: float = 400) -> dict[str, Any]:
        """Click Run and wait: the run as ``/history`` has it."""
        before = fetch(self.address, "/history").keys()
        self.page.get_by_test_id("queue-button").click()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.page.wait_for_timeout(100)
            new = [run for key, run in fetch(self.address, "/history").items() if key not in before]
            if new or self.complaint():
                return new[0] if new else {"outputs": {}, "status": {"status_str": self.complaint()}}
        raise TimeoutError(f"Expected the run to end within {seconds} s.")

    def screenshot(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(500)  # the canvas draws pictures a frame after they are there
        self.page.screenshot(path=file)

    def _listen(self, message: Any) -> None:
        if message.type == "error" and not any(noise in message.text for noise in NOISE):
            self.errors.append(message.text)


@contextmanager
def chromium(address: str) -> Iterator[Canvas]:
    """A canvas in a browser of its own; one that is opened inside another's is closed first."""
    first = not DRIVER
    if first:
        DRIVER.append(sync_playwright().start())
    browser = DRIVER[0].chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *WEBGL])
    try:
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.set_default_timeout(PATIENCE * 1000)
        yield Canvas(page, address)
    finally:
        browser.close()
        if first:
            DRIVER.pop().stop()
