"""How much memory something takes while it runs. Linux only: it reads /proc."""

import re
import threading
from collections.abc import Callable
from pathlib import Path

from .race import NotRunError

STATUS = Path("/proc/self/status")
EVERY = 0.002  # seconds


def held() -> float:
    """Megabytes that this process holds of its own; mapped files do not count."""
    try:
        (kilobytes,) = re.findall(r"^RssAnon:\s+(\d+) kB", STATUS.read_text(), re.M)
    except (OSError, ValueError) as error:
        raise NotRunError("this system does not say how much memory a process holds of its own") from error
    return int(kilobytes) / 1000


def growth(run: Callable[[], object]) -> float:
    """Megabytes at the peak of a run, less those before."""
    before = peak = held()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(EVERY):
            peak = max(peak, held())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run()
    finally:
        done.set()
        watcher.join()
    return max(peak, held()) - before
