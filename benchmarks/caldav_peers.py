"""python-caldav and vdirsyncer, each in an environment of its own, where it can be installed.

They never come into ours: python-caldav brings a replacement of urllib3 with it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sandbox.radicale import PASSWORD, USER

VENVS = Path("var")
INSTALL_S = 180
RUN_S = 180

_VDIRSYNCER = """\
[general]
status_path = "{folder}/status"
[pair both]
a = "here"
b = "there"
collections = ["many"]
[storage here]
type = "filesystem"
path = "{folder}/events"
fileext = ".ics"
[storage there]
type = "caldav"
url = "{url}"
username = "{username}"
password = "{password}"
"""


def python_caldav_s(url: str) -> float | None:
    """Give the seconds in which python-caldav reads the account; None when it cannot be had."""
    python = environment("caldav", "caldav==3.6.0")
    if python is None:
        return None
    script = Path(__file__).parent / "peers" / "caldav_library.py"
    return float(_run("caldav", [str(python), str(script), url, USER, PASSWORD]).split()[0])


def vdirsyncer_s(url: str) -> float | None:
    """Give the seconds of its first sync after discovery; None when it cannot be had."""
    python = environment("vdirsyncer", "vdirsyncer==0.21.0")
    if python is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        config.write_text(
            _VDIRSYNCER.format(folder=folder, url=url, username=USER, password=PASSWORD)
        )
        command = [str(python.parent / "vdirsyncer"), "-c", str(config)]
        _run("vdirsyncer", [*command, "discover"], answer="y\n" * 10)
        began = time.monotonic()
        _run("vdirsyncer", [*command, "sync"])
        return time.monotonic() - began


def environment(name: str, *packages: str) -> Path | None:
    """Give the interpreter of a peer's environment, made on first need."""
    venv = VENVS / f"bench-venv-{name}"
    python, ready = venv.resolve() / "bin" / "python", venv / "ready"
    if ready.exists():
        return python
    commands = [
        [sys.executable, "-m", "venv", "--clear", str(venv)],
        [str(python), "-m", "pip", "install", "--quiet", "--no-input", *packages],
    ]
    try:
        for command in commands:
            subprocess.run(command, check=True, timeout=INSTALL_S, capture_output=True)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"{name} left out: it cannot be installed ({type(error).__name__})")
        return None
    ready.touch()
    return python


def _run(name: str, command: list[str], answer: str = "") -> str:
    done = subprocess.run(command, input=answer, capture_output=True, text=True, timeout=RUN_S)
    if done.returncode != 0:
        raise RuntimeError(f"{name} failed: {done.stderr[-1000:]}")
    return done.stdout
