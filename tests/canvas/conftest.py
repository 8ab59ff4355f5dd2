"""One ComfyUI and one browser for all; where either is absent the tests skip and say so."""

import importlib.util

import pytest

import factories
import seeded
from canvas.server import comfyui, comfyui_path

LOOKS = {
    "dark": {"Comfy.ColorPalette": "dark", "Comfy.VueNodes.Enabled": False},
    "light": {"Comfy.ColorPalette": "light", "Comfy.VueNodes.Enabled": False},
    "dark-nodes2": {"Comfy.ColorPalette": "dark", "Comfy.VueNodes.Enabled": True},
    "light-nodes2": {"Comfy.ColorPalette": "light", "Comfy.VueNodes.Enabled": True},
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Tests side by side, each by itself, but for the panel's: there a test goes on where the one before it ended.

    A mark ``xdist_group`` would say it, but xdist 3.8 loses it with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return path if path.endswith("test_panel.py") else nodeid

    return Scheduler(config, log)


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """A ComfyUI with this pack alone and no models."""
    if comfyui_path() is None:
        pytest.skip("no ComfyUI here: set COMFYUI_PATH, and COMFYUI_PYTHON to its interpreter")
    base = tmp_path_factory.mktemp("comfyui")
    (base / "input").mkdir()
    for clip in factories.STARTER.glob("clips/*.mp4"):  # short; the photos the pack brings itself
        factories.cut(clip, base / "input" / f"likeness_{clip.name}", 8)
    seeded.write(base, seeded.WORKFLOWS)
    with comfyui(base) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("no playwright here: pip install playwright")
    from canvas import browser

    if not browser.CHROMIUM.is_file():
        pytest.skip(f"no {browser.CHROMIUM} here: install Chromium")
    return browser


@pytest.fixture(scope="session")
def page(browser, address):
    with browser.chromium(address) as page:
        yield page


@pytest.fixture(scope="session", params=LOOKS)
def look(request, page):
    """The name of a look, and the canvas in it: both renderers, both themes."""
    page.open(**LOOKS[request.param])
    return request.param
