"""Processes of a benchmark: how much memory one holds, on which core it runs, and how it is ended."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

STOP_SECONDS_MAX = 20


def resident_mb(pid: int | None = None) -> float:
    """Of this process where none is named."""
    pages = int(Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def on_core(number: int) -> Callable[[], None]:
    """To be called in the child before it starts: the last core for 0, the one before it for 1, and so on."""
    cores = sorted(os.sched_getaffinity(0))
    core = cores[-1 - number % len(cores)]

    def pinned() -> None:
        os.sched_setaffinity(0, {core})
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return pinned


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
