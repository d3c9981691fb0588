"""A stand-in for Google: sign-in, consent, tokens and Calendar v3, with state and faults.

Layers, downwards: pages and API blueprints; edits, listing, grants, push; store; model.

What it plays is documented at https://developers.google.com/identity/protocols/oauth2 and
https://developers.google.com/workspace/calendar/api/v3/reference.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from flask import Flask, Response, g, request

from sandbox.stand_in.calls import Call, Calls
from sandbox.stand_in.faults import Faults
from sandbox.stand_in.snapshot import Snapshot

from . import (
    authorize,
    calendar_api,
    control,
    errors,
    events_api,
    free_busy,
    home,
    oauth,
    seed,
)
from .faults import FAULTS
from .push import Deliver, Pusher
from .seed import CLIENT_ID, CLIENT_SECRET
from .state import GoogleState
from .store import utc_now

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "FAULTS", "Calls", "Faults", "GoogleState", "create_app"]


def create_app(
    state_file: Path | None = None,
    *,
    now: Callable[[], datetime] | None = None,
    deliver: Deliver | None = None,
) -> Flask:
    """Make the app; without a file the state lives in memory.

    `now` is the clock. `deliver(address, headers)` replaces the outbound notification and is
    called in the changing thread. Extensions: `google`, `faults`, `calls`.
    """
    app = Flask(__name__, static_folder="../stand_in/static")
    app.jinja_env.globals["stand_in"] = "Google"
    state = GoogleState(now or utc_now)
    faults = Faults(FAULTS)
    snapshot = Snapshot(state, state_file) if state_file else None
    if snapshot is None or not snapshot.load():
        seed.sow(state)
    Pusher(state, faults, deliver)

    app.secret_key = state.world.secret_key
    app.config.update(
        ISSUER="https://accounts.google.com",
        SESSION_COOKIE_NAME="sandbox_google",
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=1024 * 1024,
    )
    app.extensions |= {"google": state, "faults": faults, "calls": Calls(), "snapshot": snapshot}
    _register(app)
    return app


def _register(app: Flask) -> None:
    errors.register(app)
    authorize.register(app)
    for module in (oauth, calendar_api, events_api, free_busy, control, home):
        app.register_blueprint(module.blueprint)

    @app.after_request
    def remember(answer: Response) -> Response:
        call = Call(request.method, request.path, g.get("person"), answer.status_code)
        app.extensions["calls"].add(call)
        return answer
