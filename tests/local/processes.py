"""Helpers for tests that start real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True


@contextmanager
def script(source: str, *args: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python source in a process of its own, and end it with the test."""
    process = subprocess.Popen([sys.executable, "-c", source, *args], cwd=ROOT, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def first_number(process: subprocess.Popen[bytes]) -> int:
    """Read the first line that a script prints: a process id."""
    if process.stdout is None:
        raise ValueError("the script writes elsewhere")
    return int(process.stdout.readline())
