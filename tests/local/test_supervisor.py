"""What the supervisor promises, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.local.processes import is_running, script
from tests.processes.eventually import eventually

pytestmark = pytest.mark.processes

# The supervisor under test: two children and a grandchild that write their ids into argv[1].
SUPERVISOR = """
import sys
from pathlib import Path
from broker.supervisor import Child, Supervisor
folder = Path(sys.argv[1])
note = "import os, sys; open(sys.argv[1], 'a').write(f'{os.getpid()}\\\\n'); "
wait = "import time; time.sleep(600)"
deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
parent = "import subprocess; subprocess.Popen([sys.executable, '-c', sys.argv[2]]); "
grandchild = note.replace("sys.argv[1]", repr(str(folder / "grandchild"))) + wait
children = [
    Child("first", [sys.executable, "-c", note + parent + wait, str(folder / "first"), grandchild]),
    Child("deaf", [sys.executable, "-c", deaf + note + wait, str(folder / "deaf")]),
]
Supervisor(children, grace_s=float(sys.argv[2])).run()
print("stopped", flush=True)
"""


def noted(folder: Path, name: str, count: int = 1) -> list[int]:
    """Wait until *count* processes have noted their id under *name*, and give the ids."""

    def read() -> list[int]:
        path = folder / name
        ids = [int(line) for line in path.read_text().split()] if path.exists() else []
        return ids if len(ids) >= count else []

    return eventually(read)


def everyone(folder: Path) -> list[int]:
    return [pid for name in ("first", "deaf", "grandchild") for pid in noted(folder, name)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_leaves_nobody_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Not even a child that ignores SIGTERM, or the child of a child."""
    with script(SUPERVISOR, str(tmp_path), "0.2", stdout=subprocess.PIPE) as supervisor:
        pids = everyone(tmp_path)

        supervisor.send_signal(number)
        output = supervisor.communicate(timeout=30)[0]

    assert (0, b"stopped\n") == (supervisor.returncode, output)
    assert [] == [pid for pid in pids if is_running(pid)]


def test_repeated_signals_do_not_hurry_it(tmp_path: Path) -> None:
    """Ctrl-C may arrive twice, from the terminal and from make."""
    with script(SUPERVISOR, str(tmp_path), "0.5", stdout=subprocess.PIPE) as supervisor:
        pids = everyone(tmp_path)

        for _ in range(3):
            supervisor.send_signal(signal.SIGINT)
        output = supervisor.communicate(timeout=30)[0]

    assert b"stopped\n" == output
    assert [] == [pid for pid in pids if is_running(pid)]


def test_killed_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    with script(SUPERVISOR, str(tmp_path), "5") as supervisor:
        first, deaf, grandchild = everyone(tmp_path)

        supervisor.kill()
        supervisor.wait()

        eventually(lambda: not is_running(first))
        assert not is_running(first)
        for pid in (deaf, grandchild):
            os.kill(pid, signal.SIGKILL)


def test_dead_child_is_started_again(tmp_path: Path) -> None:
    with script(SUPERVISOR, str(tmp_path), "0.2", stderr=subprocess.PIPE) as supervisor:
        first, grandchild = noted(tmp_path, "first")[0], noted(tmp_path, "grandchild")[0]

        subprocess.run(["kill", "-9", str(first)], check=True)

        again = noted(tmp_path, "first", 2)[1]
        assert is_running(again)
        assert not is_running(grandchild)
        supervisor.terminate()
        assert b"child ended" in supervisor.communicate(timeout=30)[1]


DYING = """
import sys, time
from broker import supervisor
from broker.supervisor import Child, Supervisor
supervisor.FIRST_DELAY_S, supervisor.LONGEST_DELAY_S = 0.01, 0.04
delays = []
def on_death(child, status, delay_s):
    delays.append(delay_s)
    if len(delays) == 5:
        print(child.name, status, delays)
        raise SystemExit(7)
Supervisor([Child("dying", [sys.executable, "-c", "raise SystemExit(3)"])], on_death=on_death).run()
"""


def test_restarts_back_off_and_a_hook_may_end_the_run() -> None:
    with script(DYING, stdout=subprocess.PIPE) as supervisor:
        output = supervisor.communicate(timeout=60)[0]

    assert 7 == supervisor.returncode
    assert b"dying 3 [0.01, 0.02, 0.04, 0.04, 0.04]\n" == output


MISSING = """
from broker.supervisor import Child, spawn
raise SystemExit(spawn(Child("missing", ["/nowhere/at-all"])).wait())
"""


def test_missing_program_is_named() -> None:
    with script(MISSING, stderr=subprocess.PIPE) as supervisor:
        errors = supervisor.communicate(timeout=30)[1]

    assert 0 != supervisor.returncode
    assert b"/nowhere/at-all: No such file or directory" in errors


OUTPUT = """
import sys
from pathlib import Path
from broker.supervisor import Child, spawn
code = "import os, sys; print(os.environ); print('oops', file=sys.stderr)"
spawn(Child("loud", [sys.executable, "-c", code], {"ONLY": "this"}, Path(sys.argv[1]))).wait()
"""


def test_child_gets_its_environment_only_and_writes_to_its_file(tmp_path: Path) -> None:
    with script(OUTPUT, str(tmp_path / "log")) as supervisor:
        supervisor.wait(timeout=30)

    text = (tmp_path / "log").read_text()
    assert "'ONLY': 'this'" in text
    assert "PATH" not in text
    assert "oops" in text
