"""Where an installation's models are, found without starting it."""

import os
from pathlib import Path
from typing import Any

from likeness.fetch import Folders

EXTRA = "extra_model_paths.yaml"


def find_folders(base: Path) -> Folders:
    """The model folders below a base folder, and those that its extra_model_paths.yaml names.

    Raises:
        ValueError: That file is damaged.
    """
    base = base.expanduser().resolve()
    return Folders(
        models=base / "models",
        accepted=base / "user" / "likeness.accepted.json",
        paths={name: tuple(paths) for name, paths in _extra_paths(base / EXTRA).items() if name != "custom_nodes"},
    )


def _extra_paths(file: Path) -> dict[str, list[Path]]:
    """What ComfyUI's utils/extra_config.py reads from the file, by folder name."""
    import yaml

    found: dict[str, list[Path]] = {}
    if not file.is_file():
        return found
    try:
        sections: dict[str, dict[str, Any] | None] = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"Expected YAML, got {file} which is damaged: {error}") from error
    for section in filter(None, sections.values()):
        root = Path(os.path.expandvars(os.path.expanduser(section.get("base_path", ""))))
        for name, lines in section.items():
            if name in ("base_path", "is_default"):
                continue
            for line in filter(None, lines.split("\n")):
                path = Path(os.path.normpath(file.parent / root / line))
                found.setdefault(name, []).insert(0 if section.get("is_default") else 1000, path)
    return found
