"""Other work for the machine, so that a figure can be told for a busy machine too: BUSY=1 keeps every core busy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BUSY = os.environ.get("BUSY", "0") == "1"


@contextmanager
def busy() -> Iterator[None]:
    """As many processes as there are cores, which compute without end. Without BUSY=1 there are none."""
    count = len(os.sched_getaffinity(0)) if BUSY else 0
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()
