"""A stand-in for a company's own Exchange: sign-in, Autodiscover and EWS, with quirks and faults.

Layers, downwards: pages and control; the TLS server; front; autodiscover and EWS; operations;
context, render and writing; state; store; model. What clients talk to listens on a port of its own
with TLS (`listen`); the Flask application holds the pages and switches.

What it plays is documented at
https://learn.microsoft.com/exchange/client-developer/web-service-reference.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import requests
from flask import Flask

from sandbox.stand_in.faults import Faults
from sandbox.stand_in.snapshot import Snapshot

from . import control, home, seed
from .calls import Call, Calls
from .faults import FAULTS
from .front import Front
from .push import Pusher
from .server import Server
from .state import ExchangeState
from .store import utc_now

__all__ = [
    "FAULTS",
    "Call",
    "Calls",
    "ExchangeState",
    "Faults",
    "Listening",
    "create_app",
    "listen",
]

PORT = 5053


def create_app(
    state_file: Path | None = None, *, now: Callable[[], datetime] | None = None
) -> Flask:
    """Make the app; without a file the state lives in memory. `now` is the clock.

    Extensions: `exchange`, `faults`, `calls`, and `listening` once it does.
    """
    app = Flask(__name__, static_folder="../stand_in/static")
    app.jinja_env.globals["stand_in"] = "Exchange"
    state = ExchangeState(now or utc_now)
    snapshot = Snapshot(state, state_file) if state_file else None
    if snapshot is None or not snapshot.load():
        seed.sow(state)
    app.secret_key = state.world.secret_key
    app.config.update(
        SESSION_COOKIE_NAME="sandbox_exchange",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    app.extensions |= {
        "exchange": state,
        "faults": Faults(FAULTS),
        "calls": Calls(),
        "snapshot": snapshot,
    }
    app.register_blueprint(control.blueprint)
    app.register_blueprint(home.blueprint)
    return app


class Listening:
    """The running servers of one application: with TLS, and a plain one that only redirects."""

    def __init__(
        self, front: Front, port: int, plain_port: int, caller: requests.Session | None = None
    ) -> None:
        """Begin to listen; port 0 takes a free one."""
        self.front = front
        self.server = Server(port, front.answer, front.credentials)
        self.plain = _plain(plain_port, front)
        front.port, front.plain_port = self.server.port, self.plain.port
        self.pusher = Pusher(front.store, front.faults, caller)
        self.server.start()
        self.plain.start()
        if caller is None:
            self.pusher.start()

    @property
    def url(self) -> str:
        """Where EWS is."""
        return f"https://127.0.0.1:{self.server.port}/EWS/Exchange.asmx"

    @property
    def ca_file(self) -> Path:
        """What a client has to trust."""
        return self.front.authority.file

    def close(self) -> None:
        """Stop, and let those go who wait for news."""
        with self.front.store.transaction():
            self.front.store.closed = True
        self.pusher.join()
        self.server.close()
        self.plain.close()


def _plain(port: int, front: Front) -> Server:
    try:
        return Server(port, front.answer)
    except OSError:
        # Nothing needs this very port: who asks is told which it is.
        return Server(0, front.answer)


def listen(
    app: Flask,
    folder: Path,
    *,
    port: int = PORT,
    plain_port: int = 0,
    sleep: Callable[[float], None] | None = None,
    caller: requests.Session | None = None,
) -> Listening:
    """Let an application of `create_app` be talked to; *folder* keeps its certificates.

    Without TLS it answers on `plain_port`, the next one or any that is free. Slow faults wait with
    `sleep`. With a `caller`, subscribers are called with it and when `pusher.deliver` is told.
    """
    extensions = app.extensions
    front = Front(extensions["exchange"], extensions["faults"], extensions["calls"], folder)
    if sleep is not None:
        front.sleep = sleep
    listening = Listening(front, port, plain_port or (port and port + 1), caller)
    extensions["listening"] = listening
    return listening
