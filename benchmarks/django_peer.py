"""django-oauth-toolkit, in an environment of its own, where that can be installed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.http_server import peer
from benchmarks.measure import Caller

VENV = Path("var/bench-venv")
PACKAGES = ("django-oauth-toolkit==3.4.1", "gunicorn")
INSTALL_S = 120


@contextmanager
def django() -> Iterator[Caller | None]:
    """Run the server, on SQLite; None when the packages cannot be had."""
    python = VENV / "bin" / "python"
    ready = VENV / "ready"
    if not ready.exists():
        if not _install(python):
            yield None
            return
        ready.touch()
    with tempfile.TemporaryDirectory() as folder:
        app = "benchmarks.peers.django_sample:create_app()"
        with peer(app, python=str(python), SAMPLE_DATABASE=f"{folder}/sample.db") as caller:
            yield caller


def _install(python: Path) -> bool:
    commands = [
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        [str(python), "-m", "pip", "install", "--quiet", "--no-input", *PACKAGES],
    ]
    try:
        for command in commands:
            subprocess.run(command, check=True, timeout=INSTALL_S, capture_output=True)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"django-oauth-toolkit left out: it cannot be installed ({type(error).__name__})")
        return False
    return True
