"""Whether a person has agreed to terms that forbid commercial use. Asked before a download, never for files there."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path

from filelock import FileLock

from ..manifest import Model, read_model

VARIABLE = "LIKENESS_ACCEPT"


def accept(id: str, accepted: Path) -> Model:
    """The weights whose terms are agreed to from now on, on this installation.

    Args:
        id: The manifest's.
        accepted: The JSON file that keeps it, in ComfyUI's user folder.

    Raises:
        ValueError: No manifest has the id.
        OSError: The file cannot be written.
    """
    model = read_model(id)
    accepted.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{accepted}.lock"):
        agreed = _read(accepted)
        agreed[id] = {
            "licence": model.weights_license,
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        part = accepted.with_name(accepted.name + ".part")
        part.write_text(json.dumps(agreed, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        part.replace(accepted)
    return model


def is_accepted(model: Model, accepted: Path) -> bool:
    """Whether the weights may be downloaded: their terms ask for nothing, or were agreed to as they stand."""
    if model.commercial != "no":
        return True
    named = {name.strip() for name in os.environ.get(VARIABLE, "").split(",")}
    if named & {"all", model.id}:
        return True
    return _read(accepted).get(model.id, {}).get("licence") == model.weights_license


def require(model: Model, accepted: Path) -> None:
    """Go on only with accepted terms.

    Raises:
        PermissionError: They are not accepted; says the three ways.
    """
    if not is_accepted(model, accepted):
        licence = " ".join(filter(None, [model.weights_license, model.weights_license_url]))
        raise PermissionError(
            f"The weights {model.id} are not for commercial use ({licence}). Accept that once before they are "
            f"downloaded: in the model panel, by `python -m headless models accept {model.id}`, or with the "
            f"environment variable {VARIABLE}={model.id}."
        )


def _read(accepted: Path) -> dict[str, dict[str, str]]:
    try:
        return json.loads(accepted.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"Expected JSON, got {accepted} damaged ({error}): delete it and accept again.") from error
