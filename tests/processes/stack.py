"""The whole broker as processes on free ports, each of which may be killed at any time.

Used by tests/processes and by the benchmarks. The processes end with the thread that started
them, also when it is killed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from redis import Redis
from rq import Worker
from sqlalchemy import NullPool, create_engine, or_, select, text, update

from app import create_app
from broker.embedded_redis import EmbeddedRedis
from broker.environment import database_url
from broker.local_environment import (
    HOST,
    Layout,
    broker_environment,
    keep_keys,
    sandbox_environment,
)
from broker.migrating import upgrade
from broker.models import Task, db
from broker.services.tasks import Kind
from broker.settings import Settings
from broker.supervisor import Child, end_group, spawn
from tests.processes.eventually import eventually

Process = subprocess.Popen[bytes]

# Waiting for something asks more often than an application may.
UNLIMITED = {"REQUESTS_PER_SECOND": "100000", "REQUESTS_PER_MINUTE": "1000000"}
# Patience and no promise: five programs start at once, on a machine that may be busy.
START_S = 90
STOP_S = 20


class Stack:
    """Redis, sandbox, web, clock and workers around one folder and one database.

    Settings of *env* win over those of `make run`. Workers are started by whoever wants them.
    """

    def __init__(self, folder: Path, **env: str) -> None:
        ports = free_ports(4)
        self.layout = Layout(folder, *ports)
        self.redis = EmbeddedRedis(
            folder / "valkey", folder / "redis.sock", output=self.layout.log("redis")
        )
        base = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
        self.layout.log("any").parent.mkdir(parents=True, exist_ok=True)
        keys = keep_keys(folder / "secrets.json")
        self.env = broker_environment(
            self.layout, base | env, redis_url=self.redis.url, keys=keys
        ) | {"PYTHONUNBUFFERED": "1"}
        self._sandbox_env = sandbox_environment(self.layout, base)
        self._engine = create_engine(database_url(self.env["DATABASE_URL"]), poolclass=NullPool)
        self.web: Process | None = None
        self.clock: Process | None = None
        self._running: list[Process] = []
        self._exit = ExitStack()

    def __enter__(self) -> Stack:
        with ExitStack() as started:
            started.callback(self._end_all)
            started.enter_context(self.redis)
            self._make_tables()
            self.start_sandbox()
            self.web = self.start_web()
            self.clock = self.start_clock()
            eventually(self._is_ready, within_s=START_S, what="readiness")
            self._exit = started.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.close()

    # -- processes

    def start_sandbox(self) -> Process:
        """Start the outside world."""
        argv = _gunicorn(self.layout.sandbox_port, "sandbox.wsgi:app", threads=16)
        return self._start("sandbox", argv, self._sandbox_env)

    def start_web(self) -> Process:
        """Start the broker's web process."""
        return self._start("web", _gunicorn(self.layout.port, "wsgi:app", threads=8), self.env)

    def health(self) -> dict[str, str]:
        """Ask the broker how its parts are; empty while it does not answer."""
        try:
            answer = requests.get(f"{self.layout.broker_url}/health", timeout=5)
            return dict(answer.json()["parts"])
        except (requests.RequestException, ValueError):
            return {}

    def start_worker(self, **env: str) -> Process:
        """Start a worker."""
        return self._start("worker", _flask("worker"), self.env | env)

    def start_clock(self) -> Process:
        """Start a clock."""
        return self._start("clock", _flask("clock"), self.env)

    def start_ready_worker(self) -> Process:
        """Start a worker and wait until it waits for work."""
        connection = Redis.from_url(self.redis.url)

        def registered() -> set[str]:
            return set(Worker.all_keys(connection=connection))

        # Not a number: those that were killed go from the list some minutes later.
        before = registered()
        process = self.start_worker()
        eventually(lambda: registered() - before, within_s=START_S, what="worker")
        return process

    def restart_dead_workers(self) -> None:
        """Do as a platform does: start a worker for each that ended by itself."""
        for worker in self.workers:
            if worker.poll() is not None:
                end_group(worker)
                self._running.remove(worker)
                self.start_worker()

    @property
    def workers(self) -> list[Process]:
        """The workers that run."""
        return [process for process in self._running if process.args[-1] == "worker"]

    def script(self, source: str, *args: str) -> list[str]:
        """Run Python source with the broker's settings; gives the lines that it printed."""
        answer = subprocess.run(
            [sys.executable, "-c", source, *args],
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=START_S,
        )
        return answer.stdout.splitlines()

    def sql(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Ask the database, from outside."""
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def change(self, statement: str, **values: object) -> None:
        """Change the database, from outside."""
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        return int(self.sql(f"select count(*) from {table}")[0][0])  # noqa: S608

    def is_idle(self) -> bool:
        """Tell whether no task is due or being done."""
        busy = or_(Task.lease_until.is_not(None), Task.due_at <= datetime.now(UTC))
        with self._engine.connect() as connection:
            return connection.execute(select(Task.id).where(busy)).first() is None

    def leased(self, kind: str) -> bool:
        """Tell whether some worker holds a task of a kind."""
        query = "select 1 from tasks where kind = :kind and lease_until is not null"
        return bool(self.sql(query, kind=kind))

    def settle(self) -> None:
        """Wait until nothing is done; from then on what is synced was told of.

        No calendar is looked at unasked for hours, not even by a poll that was on its way.
        """
        eventually(self._is_settled, within_s=START_S, what="rest")

    def _is_settled(self) -> bool:
        now = datetime.now(UTC)
        polls = (Task.kind == Kind.SYNC_CALENDAR.value, Task.lease_until.is_(None))
        put_off = update(Task).where(*polls, Task.due_at > now)
        soon = or_(Task.lease_until.is_not(None), Task.due_at <= now + timedelta(minutes=1))
        with self._engine.begin() as connection:
            connection.execute(put_off.values(due_at=now + timedelta(hours=6)))
            return connection.execute(select(Task.id).where(soon)).first() is None

    def end(self, process: Process, number: int = signal.SIGKILL) -> int:
        """Send a signal to a process that we started and wait for its end."""
        process.send_signal(number)
        try:
            return process.wait(STOP_S)
        finally:
            end_group(process)
            self._running.remove(process)

    def log(self, name: str) -> str:
        """Read what a kind of process has written so far."""
        path = self.layout.log(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def _is_ready(self) -> bool:
        """The clock registers the sandbox's application before its first beat."""
        return self.health().get("clock") == "ok" and _answers(f"{self.layout.sandbox_url}/health")

    def _make_tables(self) -> None:
        """Do as `flask db upgrade` does, without a process that only starts and ends."""
        with create_app(Settings.from_env(self.env)).app_context():
            upgrade()
            db.session.remove()
            db.engine.dispose()

    def _start(self, name: str, argv: list[str], env: Mapping[str, str]) -> Process:
        process = spawn(self._child(name, argv, env))
        self._running.append(process)
        return process

    def _child(self, name: str, argv: list[str], env: Mapping[str, str]) -> Child:
        return Child(name, argv, env, self.layout.log(name))

    def _end_all(self) -> None:
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            end_group(process)
        self._running.clear()


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def _flask(*command: str) -> list[str]:
    return [sys.executable, "-m", "flask", "--app", "wsgi", *command]


def _gunicorn(port: int, app: str, *, threads: int) -> list[str]:
    options = ["--bind", f"{HOST}:{port}", "--threads", str(threads), "--graceful-timeout", "2"]
    return [sys.executable, "-m", "gunicorn", *options, app]


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code > 0
    except requests.RequestException:
        return False
