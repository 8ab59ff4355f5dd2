"""What a long job shows and how it is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


def _show_nothing(name: str, done: int, total: int | None) -> None: ...


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Watch:
    """Told how far a job is, and asked whether to go on."""

    progress: Callable[[str, int, int | None], None] = _show_nothing  # file, bytes done, bytes in all if known
    cancelled: Callable[[], bool] = _never

    def check(self) -> None:
        """Go on, or stop.

        Raises:
            InterruptedError: It was cancelled.
        """
        if self.cancelled():
            raise InterruptedError("Cancelled. What has arrived stays, and the next try goes on from there.")

    def sleep(self, seconds: float) -> None:
        """Wait, and stay stoppable."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))


QUIET = Watch()
