"""Waiting for a server that speaks when it likes, which another thread may end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from threading import Lock


class Line:
    """One call's wait for a server that speaks when it likes; another thread may cut it.

    *silence* is how long the server may say nothing at all.
    """

    def __init__(self, silence: timedelta) -> None:
        self._silence_s = silence.total_seconds()
        self._guard = Lock()
        self._socket: socket.socket | None = None
        self.is_cut = False

    def cut(self) -> None:
        """End the wait at once, and every later one."""
        with self._guard:
            self.is_cut = True
            if self._socket is not None:
                with suppress(OSError):
                    # That of TLS would also let go of what the waiting thread uses.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def wait_s(self, waiting: socket.socket) -> float:
        """Tell how long a wait at a socket may take. Raises OSError when the line was cut."""
        with self._guard:
            if self.is_cut:
                raise OSError("the line was cut")
            self._socket = waiting
        return self._silence_s


_line: ContextVar[Line | None] = ContextVar("line", default=None)


@contextmanager
def held(line: Line) -> Iterator[None]:
    """Let calls wait for as long as a line says, and until it is cut."""
    token = _line.set(line)
    try:
        yield
    finally:
        _line.reset(token)


def current() -> Line | None:
    """Give the line that calls are made on; None for those that wait as long as all do."""
    return _line.get()
