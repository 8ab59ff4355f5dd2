"""The peers' side of a race. Runs in a peer's own environment: standard library only."""

import os
import sys
import time
from collections.abc import Callable


def serve(run: Callable[[], object]) -> None:
    """Answer each number that comes in with how many seconds that many runs took, until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the peer itself prints is no answer
    answers.write("ready\n")
    for line in sys.stdin:
        begun = time.perf_counter()
        for _ in range(int(line)):
            run()
        answers.write(f"{time.perf_counter() - begun}\n")
