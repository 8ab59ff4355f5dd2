"""Identity adapters in ComfyUI's sampler, beside the authors' arithmetic at the same place."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from .race import COMFYUI, PAIRS, Measure, NotRunError, Peer, Row, by_turns


@dataclass(frozen=True)
class System:
    """An adapter whose authors left their arithmetic."""

    name: str
    case: str  # of tests/host/adapt/cases.py
    base: str  # what it is for
    repository: str

    def program(self, mode: str) -> Peer:
        """The program in one of its modes.

        Raises:
            NotRunError: The authors' repository is not there.
        """
        checkout = Path(os.environ.get("PEERS_PATH") or "-") / self.repository.rpartition("/")[2]
        if mode == "theirs" and not checkout.is_dir():
            raise NotRunError(f"{checkout.name} is not in PEERS_PATH: git clone {self.repository}")
        return Peer("adapters.py", (mode, self.case, str(checkout)), COMFYUI)

    def apply_seconds(self) -> float:
        """Seconds of the apply node when a widget was turned."""
        with self.program("apply").start() as timer:
            timer(1)
            return timer(PAIRS) / PAIRS


@dataclass(frozen=True)
class Step:
    """A row of two programs in the same sampler."""

    system: System

    @property
    def name(self) -> str:
        return f"adapt/{self.system.name}/step"

    def run(self) -> Row:
        what = f"one sampler step of {self.system.base} a fifth as wide"
        row = Row(self.name, what, "the authors' processor", target=1 / 1.05)
        try:
            with self.system.program("ours").start() as ours, self.system.program("theirs").start() as theirs:
                mine, other, ratio = by_turns(ours, theirs)
        except NotRunError as error:
            return replace(row, note=f"not run: {error}")
        return replace(row, ours=mine, peer=other, ratio=ratio)


def apply_row(system: System) -> Measure:
    what = "the apply node after its first time"
    return Measure(f"adapt/{system.name}/apply", what, system.apply_seconds, limit=0.2, times=1)


SYSTEMS = (
    System("facechain_fact", "facechain_fact", "an SD 1.5", "https://github.com/modelscope/facechain"),
    System("consistentid", "consistentid_sd15", "an SD 1.5", "https://github.com/JackAILab/ConsistentID"),
    System("wplus_adapter", "wplus_adapter", "an SD 1.5", "https://github.com/csxmli2016/w-plus-adapter"),
    System("pva", "pva", "an SD 2 inpainting", "https://github.com/AtlantixJJ/PVA-CelebAHQ-IDI"),
)
ROWS = tuple(row for system in SYSTEMS for row in (Step(system), apply_row(system)))
