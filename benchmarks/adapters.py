"""Identity adapters in ComfyUI's sampler, beside the authors' arithmetic at the same place."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from .race import PAIRS, Measure, NotRunError, Peer, Row, by_turns


@dataclass(frozen=True)
class InComfyUI(Peer):
    """A program that runs in ComfyUI's interpreter."""

    def python(self) -> Path:
        root = Path(os.environ.get("COMFYUI_PATH", "~/comfy/ComfyUI")).expanduser()
        python = Path(os.environ.get("COMFYUI_PYTHON", root / ".venv/bin/python"))
        if not python.is_file():
            raise NotRunError("no ComfyUI: set COMFYUI_PATH and COMFYUI_PYTHON")
        return python


def program(mode: str) -> InComfyUI:
    """The program in one of its modes.

    Raises:
        NotRunError: The authors' repository is not there.
    """
    checkout = Path(os.environ.get("PEERS_PATH") or "-") / "facechain"
    if mode == "theirs" and not (checkout / "face_adapter").is_dir():
        raise NotRunError("facechain is not in PEERS_PATH: git clone https://github.com/modelscope/facechain")
    return InComfyUI("adapters.py", (mode, str(checkout)))


@dataclass(frozen=True)
class Step:
    """A row of two programs in the same sampler."""

    name: str
    what: str
    peer_name: str
    target: float

    def run(self) -> Row:
        row = Row(self.name, self.what, self.peer_name, target=self.target)
        try:
            with program("ours").start() as ours, program("theirs").start() as theirs:
                mine, other, ratio = by_turns(ours, theirs)
        except NotRunError as error:
            return replace(row, note=f"not run: {error}")
        return replace(row, ours=mine, peer=other, ratio=ratio)


def apply_seconds() -> float:
    """Seconds of the apply node when a widget was turned."""
    with program("apply").start() as timer:
        timer(1)
        return timer(PAIRS) / PAIRS


ROWS = (
    Step(
        "adapt/facechain_fact/step", "one sampler step of an SD 1.5 a fifth as wide", "the authors' processor", 1 / 1.05
    ),
    Measure("adapt/facechain_fact/apply", "the apply node after its first time", apply_seconds, limit=0.2, times=1),
)
