"""A PostgreSQL server of our own, thrown away afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from broker.supervisor import Child, end_group, spawn
from tests.processes.eventually import eventually
from tests.processes.stack import free_ports

INSTALL = "sudo apt-get install -y --no-install-recommends postgresql"
START_S = 30
STOP_S = 20
TABLES = """SELECT tablename FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'alembic_version'"""
# Nothing is left to be cascaded to when all is deleted, and who still holds a row is to be seen.
EMPTYING = "SET session_replication_role = replica; SET lock_timeout = '10s'"


class Cluster:
    """One server on 127.0.0.1 that may be stopped and started again.

    PostgreSQL does not run as root: for root it runs as the user `postgres`. It ends with us.
    """

    def __init__(self) -> None:
        self._binaries = find_binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="calbroker-pg-"))
        self._port = free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Cluster:
        owner = _owner()
        if owner:
            shutil.chown(self._folder, *owner.values())
        argv = [self._binaries / "initdb", "-A", "trust", "-U", "calbroker", "-E", "UTF8"]
        subprocess.run(
            [*argv, "--no-sync", "--locale=C", "-D", self._folder / "data"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            **owner,
        )
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def url(self, database: str) -> str:
        """Say where a database is, as a platform would put it into DATABASE_URL."""
        return f"postgres://calbroker@127.0.0.1:{self._port}/{database}"

    def create(self, database: str) -> str:
        """Make an empty database and give its URL."""
        with psycopg.connect(_conninfo(self.url("postgres")), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "template0"')
        return self.url(database)

    def empty(self, database: str) -> None:
        """Delete every row but the schema's version.

        A new database for each test would cost hundreds of files, made and removed.
        """
        with psycopg.connect(_conninfo(self.url(database))) as connection:
            connection.execute(EMPTYING)
            tables = [name for (name,) in connection.execute(TABLES)]
            for name in tables:
                connection.execute(SQL("DELETE FROM {}").format(Identifier(name)))

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {
            "port": str(self._port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self._folder),
            "fsync": "off",
        }
        argv = [str(self._binaries / "postgres"), "-D", str(self._folder / "data")]
        argv = [*_as_owner(), *argv, *(f"--{name}={value}" for name, value in options.items())]
        log = self._folder / "log"
        self._process = spawn(Child("postgres", argv, None, log), cwd=self._folder)
        eventually(self._answers, within_s=START_S, what="PostgreSQL")

    def stop(self) -> None:
        """Stop the server as `pg_ctl stop -m fast` does: whoever is connected is cut off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_S)
            finally:
                end_group(self._process)
                self._process = None

    def _answers(self) -> bool:
        try:
            with psycopg.connect(_conninfo(self.url("postgres")), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False


def find_binaries() -> Path:
    """Find the newest PostgreSQL of this machine; fail with the command that installs one."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise AssertionError(f"PostgreSQL is not installed: run `{INSTALL}`")
    return Path(on_path).resolve().parent


def _conninfo(url: str) -> str:
    return url.replace("postgres://", "postgresql://", 1)


def _as_owner() -> list[str]:
    """Give the command that changes the user, and lets the server still end with us."""
    if os.getuid() != 0:
        return []
    options = ["--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=INT"]
    return ["setpriv", *options]


def _owner() -> dict[str, Any]:
    """Give the user and the group to run as; nothing when we are not root."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid}
