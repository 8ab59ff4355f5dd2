"""Ours and a peer's, run by turns in one go, so that a clock that swings swings for both.

The rules: the median of ``PAIRS`` pairs, the order alternating, as many threads on both sides, each peer a process of
its own in an environment of its own, and only its own work counted. Five in a hundred are noise.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

PAIRS = 9
SAMPLE = 0.2  # seconds that a side runs at least before it is the other's turn
REST = 0.05  # seconds between turns, for threads of the other side that still spin
PEERS = Path(__file__).with_name("peers")
COMFYUI = "comfyui"
Timer = Callable[[int], float]  # seconds that so many runs take


class NotRunError(RuntimeError):
    """What a row needs is not here."""


def comfyui() -> tuple[Path, Path]:
    """A ComfyUI and its interpreter.

    Raises:
        NotRunError: There is none.
    """
    root = Path(os.environ.get("COMFYUI_PATH") or Path("~/comfy/ComfyUI").expanduser())
    python = Path(os.environ.get("COMFYUI_PYTHON") or root / ".venv/bin/python")
    if not (root / "main.py").is_file() or not python.is_file():
        raise NotRunError("no ComfyUI: set COMFYUI_PATH and COMFYUI_PYTHON")
    return root, python


def checkout(name: str) -> Path:
    """A peer's own code.

    Raises:
        NotRunError: It is not in PEERS_PATH.
    """
    folder = Path(os.environ.get("PEERS_PATH") or "-") / name
    if not folder.is_dir():
        raise NotRunError(f"{name} is not in PEERS_PATH: python -m benchmarks --help says how to get it")
    return folder


@dataclass(frozen=True)
class Row:
    """One line of the table. A ratio over 1 means that ours is better."""

    name: str
    what: str  # one run
    peer_name: str = ""
    ours: float | None = None
    peer: float | None = None
    ratio: float | None = None
    target: float | None = None  # of the ratio; None where none is fair
    note: str = ""  # why it was not run
    unit: str = "s"


@dataclass(frozen=True)
class Peer:
    """A program of ``peers/`` that times itself."""

    script: str
    arguments: tuple[str, ...] = ()
    environment: str = ""  # a virtual environment in PEERS_PATH; empty: the one that we run in; COMFYUI: its own

    def python(self) -> Path:
        """The interpreter that runs it.

        Raises:
            NotRunError: Its environment is not installed.
        """
        if not self.environment:
            return Path(sys.executable)
        if self.environment == COMFYUI:
            return comfyui()[1]
        root = Path(os.environ.get("PEERS_PATH") or "-")
        for python in (root / self.environment / "bin/python", root / self.environment / "Scripts/python.exe"):
            if python.is_file():
                return python
        raise NotRunError(f"{self.environment} is not in PEERS_PATH: python -m benchmarks --help says how to get it")

    @contextmanager
    def start(self) -> Iterator[Timer]:
        """Its timer, as long as its process lives."""
        command = [str(self.python()), str(PEERS / self.script), *self.arguments]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            answers = iter(process.stdout or ())

            def time_runs(count: int) -> float:
                if process.stdin:
                    process.stdin.write(f"{count}\n")
                    process.stdin.flush()
                return float(next(answers))

            if next(answers, "") != "ready\n":
                raise NotRunError(f"{self.script} did not start, see its message above")
            yield time_runs
            if process.stdin:
                process.stdin.close()


@dataclass(frozen=True)
class Race:
    """A row that two sides run for."""

    name: str
    what: str
    ours: Callable[[], Callable[[], object]]  # gets ready, then gives one run
    peer_name: str
    peer: Callable[[], Peer]
    target: float | None = None

    def run(self) -> Row:
        row = Row(self.name, self.what, self.peer_name, target=self.target)
        try:
            with self.peer().start() as theirs:
                mine, other, ratio = by_turns(timer(self.ours()), theirs)
        except NotRunError as error:
            return replace(row, note=f"not run: {error}")
        return replace(row, ours=mine, peer=other, ratio=ratio)


@dataclass(frozen=True)
class Measure:
    """A row of ours alone, held against a limit where there is one."""

    name: str
    what: str
    amount: Callable[[], float]  # measures once
    limit: float | None = None
    unit: str = "s"
    times: int = PAIRS  # it is measured, of which the median counts

    def run(self) -> Row:
        peer_name, target = ("the limit", 1.0) if self.limit else ("", None)
        row = Row(self.name, self.what, peer_name, target=target, unit=self.unit)
        try:
            ours = median(self.amount() for _ in range(self.times))
        except NotRunError as error:
            return replace(row, note=f"not run: {error}")
        return replace(row, ours=ours, peer=self.limit, ratio=self.limit / ours if self.limit else None)


def timer(run: Callable[[], object]) -> Timer:
    """Times something in this process."""

    def time_runs(count: int) -> float:
        begun = time.perf_counter()
        for _ in range(count):
            run()
        return time.perf_counter() - begun

    return time_runs


def by_turns(ours: Timer, peer: Timer, pairs: int = PAIRS) -> tuple[float, float, float]:
    """Median seconds of a run of ours and of the peer's, and the median of the pairs' ratios, peer by ours."""
    sides = (ours, peer)
    for side in sides:
        side(1)  # the first run makes ready what later ones find
    counts = [math.ceil(SAMPLE / max(side(1), 1e-6)) for side in sides]
    taken: list[tuple[float, float]] = []
    for turn in range(pairs):
        seconds = [0.0, 0.0]
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            time.sleep(REST)
            seconds[side] = sides[side](counts[side]) / counts[side]
        taken.append((seconds[0], seconds[1]))
    mine, other = (median(column) for column in zip(*taken, strict=True))
    return mine, other, median(theirs / ours for ours, theirs in taken)
