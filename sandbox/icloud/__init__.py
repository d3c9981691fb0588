"""A stand-in for iCloud's calendars: app-specific passwords and CalDAV, with quirks and faults.

Layers, downwards: pages, CalDAV and control; reports, writes, properties; state; store; model.

It plays RFC 4791, 6578 and 6638, and what is seen of iCloud besides.
"""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from flask import Flask, Response, current_app, g, request

from sandbox.stand_in.faults import Faults
from sandbox.stand_in.snapshot import Snapshot

from . import control, dav, home, seed
from .calls import Call, Calls
from .faults import FAULTS
from .login import identify
from .state import ICloudState
from .store import utc_now

__all__ = ["FAULTS", "Call", "Calls", "Faults", "ICloudState", "create_app"]

_GZIP_FROM_BYTES = 1024
_PRIVATE = frozenset({"Authorization", "Cookie"})


def create_app(
    state_file: Path | None = None,
    *,
    now: Callable[[], datetime] | None = None,
    partition_url: str | None = None,
) -> Flask:
    """Make the app; without a file the state lives in memory.

    `now` is the clock. `partition_url` is where homes are said to be; None says the other
    loopback name on this machine, and `p42-caldav.icloud.com` under any other host.
    Extensions: `icloud`, `faults`, `calls`.
    """
    app = Flask(__name__, static_folder="../stand_in/static")
    app.jinja_env.globals["stand_in"] = "iCloud"
    state = ICloudState(now or utc_now)
    snapshot = Snapshot(state, state_file) if state_file else None
    if snapshot is None or not snapshot.load():
        seed.sow(state)
    app.secret_key = state.world.secret_key
    app.config.update(
        PARTITION_URL=partition_url,
        SESSION_COOKIE_NAME="sandbox_icloud",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=32 * 1024 * 1024,
    )
    app.extensions |= {
        "icloud": state,
        "faults": Faults(FAULTS),
        "calls": Calls(),
        "snapshot": snapshot,
    }
    app.before_request(identify)
    dav.register(app)
    app.register_blueprint(control.blueprint)
    app.register_blueprint(home.blueprint)
    app.after_request(_finish)
    return app


def _finish(answer: Response) -> Response:
    """Add what every answer of iCloud has, compress, and remember the call."""
    request_id = str(uuid.uuid4())
    answer.headers["Server"] = "AppleHttpServer/78689afb4479"
    answer.headers["X-Apple-Request-UUID"] = request_id
    answer.headers["Via"] = f"xrail:{request_id[:8]}.rd.pv-pxy.calbroker.test:8301:18RC1085:grp60"
    if g.get("person"):
        answer.headers["X-Apple-User-Partition"] = str(g.person.partition)
    _compress(answer)
    _remember(answer.status_code)
    return answer


def _compress(answer: Response) -> None:
    if answer.is_streamed or "gzip" not in request.headers.get("Accept-Encoding", ""):
        return
    body = answer.get_data()
    if len(body) >= _GZIP_FROM_BYTES:
        answer.set_data(gzip.compress(body, 1))
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Vary"] = "Accept-Encoding"


def _remember(status: int) -> None:
    calls: Calls = current_app.extensions["calls"]
    calls.add(
        Call(
            request.method,
            request.path,
            g.person.email if g.get("person") else None,
            status,
            host=request.host,
            report=g.get("report", ""),
            credential=g.get("credential", "none"),
            authorization=g.get("authorization", ""),
            headers={name: value for name, value in request.headers if name not in _PRIVATE},
        )
    )
