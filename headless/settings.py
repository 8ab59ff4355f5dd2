"""``--set "Title.input=value"``: widgets filled in from the command line."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import WorkflowError, workflow

WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
ELSEWHERE = ("[output]", "[temp]")  # folders that a run has anew

Bring = Callable[[Path], str]  # takes a file to where a loader finds it; gives the name to load it by


def assign(prompt: workflow.Prompt, info: workflow.Info, assignments: list[str], bring: Bring) -> workflow.Prompt:
    """The prompt with its widgets filled in.

    Raises:
        WorkflowError: No node, or more than one, has the title; it has no such widget; the value does not fit.
    """
    changed = copy.deepcopy(prompt)
    for assignment in assignments:
        key, name, text = _find(changed, assignment)
        node = changed[key]
        offered = workflow.sockets(info(node["class_type"]), node["inputs"])
        widgets = {name: socket for name, socket in offered.items() if _is_widget(socket)}
        if name not in widgets:
            choices = f"one of its widgets ({', '.join(widgets)})" if widgets else "another node: this has no widgets"
            raise WorkflowError(f"--set {assignment}: expected {choices}, got {name or 'none'}.")
        node["inputs"][name] = _parse(f"--set {assignment}", text, widgets[name], bring)
    _adopt(changed, info, bring)
    return changed


def _find(prompt: workflow.Prompt, assignment: str) -> tuple[str, str, str]:
    """The node's id, the input's name and the value's text; a title may itself hold dots and equals signs."""
    titles = {key: workflow.node_title(prompt, key) for key in prompt}
    found = {key: title for key, title in titles.items() if assignment.startswith(f"{title}.") and "=" in assignment}
    longest = max(found.values(), key=len, default="")
    keys = [key for key, title in found.items() if title == longest]
    if not keys:
        choices = ", ".join(sorted(set(titles.values())))
        raise WorkflowError(f"--set {assignment}: expected TITLE.INPUT=VALUE with one of the titles {choices}.")
    if len(keys) > 1:
        raise WorkflowError(
            f"--set {assignment}: expected one node with the title {longest}, got {len(keys)} "
            f"(nodes {', '.join(keys)}): give them different titles on the canvas and save again."
        )
    name, _, text = assignment[len(longest) + 1 :].partition("=")
    return keys[0], name, text


def _is_widget(socket: workflow.Socket) -> bool:
    written = socket.kind in (*workflow.PYTHON, "COMBO", workflow.DYNAMIC) or "default" in socket.options
    return written and not socket.options.get("forceInput")


def _parse(where: str, text: str, socket: workflow.Socket, bring: Bring) -> Any:
    kind, options = socket.options.get("widgetType", socket.kind), socket.options
    if any(options.get(upload) for upload in workflow.UPLOADS):
        return _file(where, text, options["options"], bring)
    if kind == "BOOLEAN":
        if text.lower() not in WORDS:
            raise WorkflowError(f"{where}: expected true or false, got {text}.")
        return WORDS[text.lower()]
    if options.get("multiselect"):
        return {"__value__": [part.strip() for part in text.split(",") if part.strip()]}
    if kind in ("COMBO", "STRING", workflow.DYNAMIC):  # whether it is a choice, the host knows: loaders take more
        return next((choice for choice in options.get("options", ()) if str(choice) == text), text)
    if kind in workflow.PYTHON:
        return workflow.constant(where, text, socket)
    try:
        return json.loads(text)
    except ValueError:  # a colour
        return text


def _file(where: str, text: str, choices: list[str], bring: Bring) -> str:
    if text in choices or text.endswith("]"):
        return text
    if not Path(text).expanduser().is_file():
        raise WorkflowError(
            f"{where}: expected a file, or one of the input folder's ({', '.join(choices) or 'which has none'}), "
            f"got {text}, which is neither: check the name."
        )
    return bring(Path(text).expanduser())


def _adopt(prompt: workflow.Prompt, info: workflow.Info, bring: Bring) -> None:
    """Bring along what loaders name in the output and temp folders."""
    import folder_paths

    for node in prompt.values():
        for name, socket in workflow.sockets(info(node["class_type"]), node["inputs"]).items():
            value = node["inputs"].get(name)
            named = isinstance(value, str) and value.endswith(ELSEWHERE)
            if named and any(socket.options.get(upload) for upload in workflow.UPLOADS):
                path = Path(folder_paths.get_annotated_filepath(value))
                if path.is_file():
                    node["inputs"][name] = bring(path)
