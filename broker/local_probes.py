"""Questions that `make run` asks the machine: is the folder ours, is a port free, who answers."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from broker.errors import ConfigError
from broker.local_environment import HOST, Layout, another_port

PORT_FREE_WITHIN_S = 5.0
_PROBE_S = 2.0


@contextmanager
def only_one(layout: Layout) -> Iterator[None]:
    """Hold var/ for us: two at once would write to the same logs and answer on the same ports."""
    path = layout.var / "run.lock"
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = lock.read().strip() or "an address it is about to take"
            raise ConfigError(
                [f"it is already running on {where}: use that, or stop it with Ctrl-C first"]
            ) from None
        lock.truncate()
        lock.write(layout.broker_url)
        lock.flush()
        yield


def check_port(variable: str, port: int) -> None:
    """Return when *port* is free. Raises ConfigError, which names the *variable* to change."""
    if port < 1024 and os.geteuid() != 0:
        raise ConfigError(
            [
                f"port {port} is for root only: choose another, "
                f"as in `{variable}={another_port(port)} make run`"
            ]
        )
    # What was killed a moment ago may take one more to leave.
    deadline = time.monotonic() + PORT_FREE_WITHIN_S
    while not _is_free(port):
        if time.monotonic() > deadline:
            raise ConfigError(
                [
                    f"port {port} is used by another program: end it, or choose another port, "
                    f"as in `{variable}={another_port(port)} make run`"
                ]
            )
        time.sleep(0.1)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_PROBE_S)
        return probe.connect_ex((HOST, port)) == 0


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=_PROBE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def not_answering(layout: Layout) -> str:
    """Name a part that does not answer yet, or nothing when all do."""
    for port, name in ((layout.radicale_port, "radicale"), (layout.sandbox_port, "sandbox")):
        if not _listens(port):
            return name
    if _get(layout.sandbox_port, "/health")[0] != 200:
        return "sandbox"
    status, body = _get(layout.port, "/health")
    return "" if status == 200 else _unwell(body)


def _unwell(health: bytes) -> str:
    try:
        parts = json.loads(health)["parts"]
        return ", ".join(name for name, state in parts.items() if state != "ok") or "web"
    except (ValueError, KeyError, TypeError, AttributeError):
        return "web"
