"""`make run`: its environment, its refusals, and the real thing from start to Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from broker import local, local_probes
from broker.errors import ConfigError
from broker.local import main
from broker.local_environment import (
    BLOCKED_BY_BROWSERS,
    Layout,
    another_port,
    broker_environment,
    keep_keys,
    sandbox_environment,
)
from broker.local_probes import check_port, only_one
from broker.log_digest import LogDigest, summary
from broker.settings import Settings
from sandbox import radicale
from sandbox.icloud import seed as icloud_seed
from tests.local.processes import ROOT
from tests.processes.eventually import eventually


def layout(folder: Path, **env: str) -> Layout:
    return Layout.from_env({"VAR_DIR": str(folder), **env})


def environment(folder: Path, **env: str) -> dict[str, str]:
    return broker_environment(
        layout(folder),
        env,
        redis_url="unix:///tmp/redis.sock",
        keys=keep_keys(folder / "secrets.json"),
    )


def test_defaults_are_settings_that_the_broker_accepts(tmp_path: Path) -> None:
    settings = Settings.from_env(environment(tmp_path))

    assert settings.local
    assert "http://127.0.0.1:5000" == settings.public_url
    assert f"sqlite:///{tmp_path}/calbroker.db" == settings.database_url
    assert settings.google is not None
    assert {"http://127.0.0.1:5050/google"} == {
        url[:28] for url in settings.google.endpoints.values()
    }


def test_what_is_set_wins(tmp_path: Path) -> None:
    made = environment(
        tmp_path,
        DATABASE_URL="postgresql://db/x",
        GOOGLE_CLIENT_ID="real",
        GOOGLE_CLIENT_SECRET="real-secret",
        POLL_SECONDS="",
        HOME="/home/x",
    )

    assert ("postgresql://db/x", "real", "15", "/home/x") == tuple(
        made[name] for name in ("DATABASE_URL", "GOOGLE_CLIENT_ID", "POLL_SECONDS", "HOME")
    )
    assert "GOOGLE_TOKEN_URL" not in made


def test_stand_ins_get_no_key_of_the_broker(tmp_path: Path) -> None:
    given = {"SECRET_KEY": "s", "KEY_RING": "k", "DIGEST_KEY": "d", "PATH": "/bin"}

    made = sandbox_environment(layout(tmp_path), given)

    assert not {"SECRET_KEY", "KEY_RING", "DIGEST_KEY"} & made.keys()
    assert ("/bin", "http://127.0.0.1:5000") == (made["PATH"], made["BROKER_URL"])


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = keep_keys(path)

    assert first == keep_keys(path)
    assert 0o600 == path.stat().st_mode & 0o777
    assert first != keep_keys(tmp_path / "others.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"SECRET_KEY": "x"}'])
def test_damaged_keys_are_not_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)

    with pytest.raises(ConfigError, match="damaged"):
        keep_keys(path)
    assert text == path.read_text()


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"PORT": "http"}, "PORT must be a port number"),
        ({"SANDBOX_PORT": "70000"}, "SANDBOX_PORT must be"),
        ({"PORT": "0"}, "PORT must be"),
        ({"PORT": "9" * 5000}, "PORT must be"),
        ({"PORT": "5050"}, "different numbers"),
        ({"PORT": "6000"}, "browsers refuse to open port 6000: .* `PORT=6100 make run`"),
        ({"SANDBOX_PORT": "5060"}, "`SANDBOX_PORT=5160 make run`"),
    ],
)
def test_wrong_ports_are_named(tmp_path: Path, env: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        layout(tmp_path, **env)


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "var").write_text("a file")
    env = {"VAR_DIR": str(tmp_path / "var")}

    with pytest.raises(ConfigError, match="nothing can be kept in .*: File exists; set VAR_DIR"):
        layout(tmp_path, **env).make_folder()
    assert main(env, ["env"]) == 1
    assert "set VAR_DIR" in capsys.readouterr().err


def test_port_in_use_names_the_variable_that_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_probes, "PORT_FREE_WITHIN_S", 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=rf"port {port} is used .* `SANDBOX_PORT=\d+ make"):
            check_port("SANDBOX_PORT", port)


def test_the_port_to_try_instead_is_one_that_browsers_open() -> None:
    advised = {another_port(port) for port in range(1, 65536)}

    assert not advised & BLOCKED_BY_BROWSERS
    assert min(advised) > 1024
    assert max(advised) < 65536


def test_help_names_every_variable_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main({}, ["--help"])

    said = capsys.readouterr().out
    assert all(name in said for name in ("RADICALE_PORT", "EXCHANGE_PORT", "VAR_DIR"))


@pytest.mark.parametrize("words", [["--port", "5500"], ["run"], ["env", "more"], ["--help"]])
def test_other_words_start_nothing(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main({"VAR_DIR": str(tmp_path / "var")}, words)

    assert (ended.value.code == 0) == (words == ["--help"])
    assert "usage: python app.py" in "".join(capsys.readouterr())
    assert not (tmp_path / "var").exists()


def test_a_wrong_setting_starts_nothing(tmp_path: Path) -> None:
    ports = zip(("PORT", "SANDBOX_PORT", "RADICALE_PORT"), free_ports(3), strict=True)
    env = {
        "PATH": os.environ["PATH"],
        "VAR_DIR": str(tmp_path / "var"),
        "REDIS_URL": "redis://127.0.0.1:1",
        "TERMS_URL": "javascript:alert(1)",
    }

    result = subprocess.run(
        [sys.executable, "-m", "broker.local"],
        cwd=ROOT,
        env=env | {name: str(port) for name, port in ports},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert result.returncode == 1
    assert "cannot start: TERMS_URL must be" in result.stderr
    assert not list((tmp_path / "var").rglob("*.db"))


def test_second_one_is_told_where_the_first_is(tmp_path: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(only_one(layout(tmp_path, PORT="5999")))

        with pytest.raises(ConfigError, match=r"already running on http://127\.0\.0\.1:5999"):
            stack.enter_context(only_one(layout(tmp_path)))

    with only_one(layout(tmp_path)):
        assert "http://127.0.0.1:5000" == (tmp_path / "run.lock").read_text()


@pytest.mark.parametrize(
    ("line", "short"),
    [
        ('{"level": "info", "event": "calendar synced"}', ""),
        (
            '{"level": "warning", "at": "x", "event": "queue is away", "tasks": 2}',
            "warning: queue is away tasks=2",
        ),
        ("[2026-01-01] [1] [ERROR] Worker died", "[2026-01-01] [1] [ERROR] Worker died"),
        ("Booting worker", ""),
        ("{not json", ""),
    ],
)
def test_only_warnings_are_worth_a_line(line: str, short: str) -> None:
    assert short == summary(line)


def test_digest_tells_the_same_once_and_waits_for_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text('{"level": "error", "event": "before the start"}\n')
    digest = LogDigest({"web": path, "clock": tmp_path / "absent.log"})
    line = '{"level": "error", "event": "oops"}'

    with path.open("a") as log:
        log.write(line)
        log.flush()
        assert [] == digest.news()
        log.write(f"\n{line}\n")

    assert ["web: error: oops"] == digest.news()
    assert [] == digest.news()


class House:
    """A `make run` with ports of its own, and whoever belongs to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.argv = [sys.executable, "-m", "broker.local"]
        ports = [str(port) for port in free_ports(4)]
        names = ("PORT", "SANDBOX_PORT", "RADICALE_PORT", "EXCHANGE_PORT")
        self.url, self.sandbox_url = (f"http://127.0.0.1:{port}" for port in ports[:2])
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.env = {**kept, **dict(zip(names, ports, strict=True)), "VAR_DIR": str(folder)}

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """Start it; the test ends it, and if it does not, it is killed with all of its own."""
        process = subprocess.Popen(
            self.argv,
            cwd=ROOT,
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            assert process.stdout is not None
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
            for pid in self.members():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def wait_until_ready(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == f"ready: {self.url}\n":
                return
        raise AssertionError("".join(lines))

    def members(self) -> list[int]:
        """Find every process that was started with this folder in its environment."""
        mark = f"VAR_DIR={self.folder}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found


def test_the_welcome_names_logins_that_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local._welcome(layout(tmp_path, RADICALE_PORT="5551"))

    said = capsys.readouterr().out
    assert f'{icloud_seed.ADA}, password "{icloud_seed.PASSWORD}"' in said
    login = f'user "{radicale.USER}", password "{radicale.PASSWORD}"'
    assert f"http://127.0.0.1:5551/, {login}" in said


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "var")


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_everything_runs_stops_and_goes_on(house: House) -> None:
    with house.running() as process:
        house.wait_until_ready(process)
        parts = requests.get(f"{house.url}/health", timeout=10).json()["parts"]
        assert {"ok"} == set(parts.values())
        assert "Connect your calendar" in requests.get(house.sandbox_url, timeout=10).text
        assert len(house.members()) >= 8

        second = subprocess.run(house.argv, cwd=ROOT, env=house.env, capture_output=True, text=True)
        assert f"already running on {house.url}" in second.stderr
        assert 1 == second.returncode

        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        assert 0 == process.returncode
        assert [] == house.members()

    secrets = json.loads((house.folder / "secrets.json").read_text())
    with house.running() as process:
        house.wait_until_ready(process)
        process.kill()
        process.wait()
        eventually(lambda: not house.members())

    assert secrets == json.loads((house.folder / "secrets.json").read_text())
