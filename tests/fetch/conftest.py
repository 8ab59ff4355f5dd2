import json
import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from likeness import manifest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """Nothing of this shell's decides what is asked of whom."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HF_ENDPOINT", "LIKENESS_ACCEPT"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture
def publish(tmp_path, monkeypatch) -> Iterator[Callable]:
    """Adds a manifest to those that are there, for this test."""
    folder = tmp_path / "models_manifest"
    shutil.copytree(manifest.FOLDER, folder, ignore=shutil.ignore_patterns("starter"))
    (folder / "starter").symlink_to(manifest.FOLDER / "starter")
    monkeypatch.setattr(manifest, "FOLDER", folder)

    def add(system: str, *files: dict, folder_name: str = "example", commercial: str = "no") -> None:
        model = {"id": f"{system}/v1", "folder": folder_name, "files": list(files), "commercial": commercial}
        model |= {"code_license": "MIT", "weights_license": "CC-BY-NC-4.0", "needs": ""}
        entry = {"module": None, "task": "embed", "title": system, "paper": "https://example.org", "published": "-"}
        (folder / f"{system}.json").write_text(json.dumps(entry | {"models": [model]}))

    manifest.read_manifest.cache_clear()
    yield add
    manifest.read_manifest.cache_clear()
