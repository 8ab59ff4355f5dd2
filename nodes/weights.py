"""Published weights on this installation: where they are, and bringing what is missing."""

import json
import os
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths

from ..likeness import fetch
from ..likeness.manifest import Model

SETTING, VARIABLE = "Likeness.Weights.DownloadOnQueue", "LIKENESS_DOWNLOAD"


def folders() -> fetch.Folders:
    """This installation's model folders, those of extra_model_paths.yaml included."""
    named = folder_paths.folder_names_and_paths.items()
    return fetch.Folders(
        models=Path(folder_paths.models_dir),
        accepted=Path(folder_paths.get_user_directory()) / "likeness.accepted.json",
        paths={name: tuple(map(Path, held[0])) for name, held in named if name != "custom_nodes"},
    )


def find(model: Model) -> list[str]:
    """The paths of a set of weights.

    Raises:
        FileNotFoundError: They are not installed; says what they are and the ways to get them.
    """
    found = fetch.plan(model, folders())
    if not found.installed:
        raise FileNotFoundError(explain(found))
    return [str(have.path) for have in found.files]


def bring(model: Model) -> None:
    """Download what is missing, if the user's setting lets loaders do so; the progress bar moves, interrupt works."""
    found = fetch.plan(model, folders())
    if found.installed or found.state == "manual" or not downloads_on_queue():
        return
    bar = comfy.utils.ProgressBar(found.bytes or 1)

    def show(name: str, done: int, total: int | None) -> None:
        bar.update_absolute(done, total)  # raises when the user interrupts

    fetch.download(model, folders(), fetch.Watch(show, _interrupted))


def _interrupted() -> bool:
    """Raise ComfyUI's own exception if the user has interrupted the run: asked also where no byte moves the bar."""
    comfy.model_management.throw_exception_if_processing_interrupted()
    return False


def downloads_on_queue() -> bool:
    """Whether loaders may download: a setting of the canvas, or an environment variable."""
    if VARIABLE in os.environ:
        return os.environ[VARIABLE] not in ("", "0")
    file = Path(folder_paths.get_user_directory()) / "default" / "comfy.settings.json"
    try:
        return bool(json.loads(file.read_text(encoding="utf-8")).get(SETTING, False))
    except (OSError, ValueError):  # no canvas has stored a setting yet
        return False


def missing(model: Model) -> str:
    """Why a loader cannot go on, empty when it can: all is there, or it may download."""
    found = fetch.plan(model, folders())
    if found.installed:
        return ""
    if downloads_on_queue() and found.state != "manual" and found.accepted:
        return ""
    return explain(found)


def explain(found: fetch.Plan) -> str:
    """What is missing, how big, under which licence, and the ways to get it."""
    model = found.model
    damaged = [str(have.path) for have in found.files if have.state == "wrong"]
    what = f"which are damaged ({', '.join(damaged)})" if damaged else "which are not installed"
    size = f" ({found.bytes / 1e6:.1f} MB in all)" if found.bytes and len(model.files) > 1 else ""
    lines = [f"Expected the weights {model.id}{size}, {what}.", model.how_to_get()]
    if found.state == "manual":
        into = " and ".join(dict.fromkeys(str(have.target.parent) for have in found.missing))
        lines.append(
            f"A person has to get them: put what you get into {into}, then `python -m headless models download "
            f"{model.id}`, or Look again in the model panel (sidebar, Face models), checks it and takes it."
        )
    else:
        lines.append(
            "Three ways to get them: the model panel (sidebar, Face models), "
            f"`python -m headless models download {model.id}`, or let loaders download when queued "
            f"(Settings, Likeness, or {VARIABLE}=1)."
        )
    if not found.accepted and found.state != "manual":
        lines.append(
            "They are not for commercial use: accept that once, in the panel, by `python -m headless models accept "
            f"{model.id}`, or with LIKENESS_ACCEPT={model.id}."
        )
    return "\n".join(lines)
