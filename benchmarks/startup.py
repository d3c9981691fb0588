"""How long `make run` takes until everything answers."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.table import Row
from tests.processes.stack import free_ports

STARTS = 3


def startup_row() -> Row:
    """Start everything, stop it, and measure the starts after the first."""
    with tempfile.TemporaryDirectory(prefix="calbroker-") as folder:
        _start_s(folder)
        warm = statistics.median(_start_s(folder) for _ in range(STARTS))
    return Row("make run, ready when warm", warm, 8, "s")


def _start_s(folder: str) -> float:
    names = ("PORT", "SANDBOX_PORT", "RADICALE_PORT", "EXCHANGE_PORT")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    env = os.environ | {name: str(port) for name, port in ports.items()} | {"VAR_DIR": folder}
    env.pop("MAKELEVEL", None)
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "app.py"], env=env, stdout=subprocess.PIPE)
    try:
        if process.stdout is None:
            raise RuntimeError("no output to read")
        for line in process.stdout:
            if line.startswith(b"ready:"):
                return time.monotonic() - began
        raise RuntimeError("make run did not become ready")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
