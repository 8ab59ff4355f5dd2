"""The zip that the Registry publishes, on a real ComfyUI."""

import pytest

import packing
from canvas.server import comfyui, comfyui_path, fetch


def test_the_published_zip_loads_in_comfyui(tmp_path):
    if comfyui_path() is None:
        pytest.skip("no ComfyUI here: set COMFYUI_PATH, and COMFYUI_PYTHON to its interpreter")
    folder = packing.unpack(packing.pack(tmp_path / "source"), tmp_path / "published")
    with comfyui(tmp_path / "base", folder) as address:
        nodes = {name for name in fetch(address, "/object_info") if name.startswith("Likeness")}
        templates = fetch(address, "/workflow_templates")["ComfyUI-Likeness"]
    assert nodes == {path.stem for path in (packing.ROOT / "tests/schemas").glob("*.json")}
    assert sorted(templates) == sorted(path.stem for path in (packing.ROOT / "workflows").glob("*.json"))
