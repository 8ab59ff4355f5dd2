"""What a run leaves behind: all its files in the user's folder, or none; and a record of each."""

import math
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from . import WorkflowError, workflow

KINDS = {"images": "image", "video": "video", "gifs": "video", "audio": "audio", "3d": "mesh", "files": "file"}
KINDS["text"] = "text"
VIDEOS = (".mp4", ".webm", ".mkv", ".mov", ".avi")
NUMBER = re.compile(r"(\d+)(_?)$")  # of a saved file, as in Photo_00001_.png

Record = dict[str, Any]


@contextmanager
def stage(target: Path | None) -> Iterator["Stage"]:
    """Private folders for one run, gone when it ends.

    Args:
        target: Where files are delivered; the host's output folder by default.

    Raises:
        WorkflowError: The target cannot be written.
    """
    import folder_paths

    target = (target or Path(folder_paths.get_output_directory())).expanduser().resolve()
    is_new = not target.exists()
    with ExitStack() as stack:
        try:
            target.mkdir(parents=True, exist_ok=True)
            # inside the target: what is delivered is only renamed, so it fits on the disk and is never seen by halves
            saved = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".likeness-", dir=target)))
        except OSError as error:
            raise WorkflowError(
                f"Expected a folder to write to, got {target} ({error.strerror}): choose another with --output."
            ) from None
        temp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="likeness-")))
        try:
            yield Stage(target, saved, temp.resolve())
        except BaseException as error:
            stack.close()
            if is_new:
                target.rmdir()
            if isinstance(error, OSError):
                raise WorkflowError(
                    f"Expected {target} to take the files, got: {error}. Nothing was written."
                ) from error
            raise


class Stage:
    """While it is entered, the host saves into the private folders."""

    def __init__(self, target: Path, saved: Path, temp: Path) -> None:
        self.target, self.folders = target, {"output": saved, "temp": temp}

    def __enter__(self) -> None:
        import folder_paths

        self.theirs = folder_paths.get_output_directory(), folder_paths.get_temp_directory()
        folder_paths.set_output_directory(str(self.folders["output"]))
        folder_paths.set_temp_directory(str(self.folders["temp"]))

    def __exit__(self, *_: object) -> None:
        import folder_paths

        folder_paths.set_output_directory(self.theirs[0])
        folder_paths.set_temp_directory(self.theirs[1])

    def bring(self, file: Path) -> str:
        """Take a file to where a loader finds it, without leaving it in the user's input folder."""
        folder = Path(tempfile.mkdtemp(dir=self.folders["temp"]))
        shutil.copyfile(file, folder / file.name)
        return f"{folder.name}/{file.name} [temp]"

    def deliver(self, prompt: workflow.Prompt, shown: dict[str, Any], info: workflow.Info) -> list[Record]:
        """A record of every file and value; the files move to the target, none of which is overwritten."""
        moves: list[tuple[Path, Path]] = []
        records: list[Record] = []
        for key in (key for key in prompt if key in shown):
            about = {"node": workflow.node_title(prompt, key), "id": key}
            for name, kind in KINDS.items():
                for item in shown[key].get(name) or ():
                    if kind == "text":
                        records.append({**about, **read_value(prompt, key, item, info)})
                    else:
                        path = self._place(item, about["node"], moves)
                        kind = "video" if path.suffix.lower() in VIDEOS else kind
                        records.append({**about, "kind": kind, "path": str(path)})
        for source, path in moves:
            path.parent.mkdir(parents=True, exist_ok=True)
            source.rename(path)
        return records

    def _place(self, item: dict[str, str], title: str, moves: list[tuple[Path, Path]]) -> Path:
        """Where a file goes: what was saved keeps its name, a preview takes its node's title."""
        if item["type"] not in self.folders:
            import folder_paths

            return Path(folder_paths.get_input_directory(), item["subfolder"], item["filename"])
        source = self.folders[item["type"]] / item["subfolder"] / item["filename"]
        wanted = self.target / item["subfolder"] / item["filename"]
        if item["type"] == "temp":
            safe = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", title).strip(". ") or "preview"
            wanted = self.target / f"{safe}_00001_{source.suffix}"
            staged = self.folders["output"] / f".{len(moves)}{source.suffix}"
            shutil.copyfile(source, staged)  # to the target's disk, while failing still leaves nothing
            source = staged
        path = _free(wanted, {path for _, path in moves})
        moves.append((source, path))
        return path


def _free(path: Path, taken: set[Path]) -> Path:
    """The path, with the next number that is free."""
    found = NUMBER.search(path.stem)
    head, number, tail = (path.stem[: found.start()], int(found[1]), found[2]) if found else (f"{path.stem}_", 0, "_")
    while path.exists() or path in taken:
        number += 1
        path = path.with_name(f"{head}{number:05}{tail}{path.suffix}")
    return path


def read_value(prompt: workflow.Prompt, key: str, text: str, info: workflow.Info) -> Record:
    """What a node shows as text, as a number where it was given one."""
    sources = [value for value in prompt[key]["inputs"].values() if workflow.is_link(value)]
    kinds = {info(prompt[source]["class_type"])["output"][slot] for source, slot in sources}
    if kinds and kinds <= {"INT", "FLOAT"} and math.isfinite(float(text)):
        return {"kind": "number", "value": int(text) if kinds == {"INT"} else float(text)}
    return {"kind": "text", "value": text}
