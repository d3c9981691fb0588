"""Requests to the broker and to its peers, each under gunicorn with threads."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from benchmarks.installation import InProcess
from benchmarks.measure import Caller, Exchange, always
from benchmarks.table import Row
from broker.services.applications import LOCAL_CLIENT_ID, LOCAL_SECRET
from broker.supervisor import Child, end_group, spawn
from tests.processes.eventually import eventually
from tests.processes.people import ADA, GRACE, Google, Partner, connect
from tests.processes.stack import Stack, free_ports

_JSON = {"Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@contextmanager
def peer(app: str, *, python: str = sys.executable, **env: str) -> Iterator[Caller]:
    """Run another WSGI application as ours is run."""
    port = free_ports(1)[0]
    bind = ["--bind", f"127.0.0.1:{port}", "--threads", "8", "-c", "gunicorn.conf.py"]
    argv = [python, "-m", "gunicorn", *bind, app]
    process = spawn(Child("peer", argv, os.environ | env))
    try:
        eventually(lambda: _is_up(port), within_s=30, what=app)
        yield Caller(port, process.pid)
    finally:
        end_group(process)


def measure_empty_route() -> float:
    """Give the CPU-ms of a route that does nothing."""
    with peer("benchmarks.peers.empty_route:app") as caller:
        return caller.cost_ms(always(("GET", "/", {}, None)), 400)


def measure_authlib() -> float:
    """Give the CPU-ms of a refresh at Authlib's sample server, on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/sample.db"
        app = "benchmarks.peers.authlib_sample:create_app()"
        with peer(app, SAMPLE_DATABASE_URL=url) as caller:
            return caller.cost_ms(refreshing("/oauth/token"), 200)


def refreshing(path: str) -> Callable[[Any], Exchange]:
    """Refresh at a peer, whose token is replaced each time."""

    def following(last: Any) -> Exchange:
        token = last["refresh_token"] if last else "first-refresh"
        body = f"grant_type=refresh_token&refresh_token={token}"
        return "POST", path, _FORM, f"{body}&client_id=sample&client_secret=secret"

    return following


def refresh_row(
    stack: Stack, partner: Partner, database: str, authlib_ms: float, beside: str = ""
) -> Row:
    """Measure a refresh of our token."""
    body = {
        "client_id": LOCAL_CLIENT_ID,
        "client_secret": LOCAL_SECRET,
        "grant_type": "refresh_token",
        "refresh_token": partner.refresh,
    }
    cost = caller_of(stack).cost_ms(always(("POST", "/oauth/token", _JSON, json.dumps(body))), 300)
    peer_name = f"Authlib's sample on SQLite, {authlib_ms:.2f}{beside}"
    return Row(f"token refresh, {database}", cost, 2.0, ratio=cost / authlib_ms, peer=peer_name)


def reading_rows(stack: Stack, ours: InProcess, partner: Partner, empty_ms: float) -> list[Row]:
    """Measure the reads: an account, a page of 10,000 events, 90 days of 2,000 blocks."""
    Google(stack, GRACE).seed(5333)
    grace = connect(stack, GRACE)
    ours.drain()
    today = datetime.now(UTC).date()
    span = f"from={today}&to={today + timedelta(days=90)}&tzid=Etc/UTC"
    caller = caller_of(stack)
    account = caller.cost_ms(always(_get(partner, "/v1/account")), 300)
    events = caller.cost_ms(always(_get(partner, "/v1/events?tzid=Etc/UTC")), 60)
    busy = caller.cost_ms(always(_get(grace, f"/v1/free_busy?{span}")), 40)
    beside = f"empty Flask route, {empty_ms:.2f}"
    return [
        Row("authenticated read, /v1/account", account, 1.5, ratio=account / empty_ms, peer=beside),
        Row("/v1/events, 100 of 10,000", events, 8),
        Row("/v1/free_busy, 90 days, 2,000 events", busy, 10),
    ]


def caller_of(stack: Stack) -> Caller:
    """Call the broker's web process."""
    if stack.web is None:
        raise RuntimeError("the stack has no web process")
    return Caller(stack.layout.port, stack.web.pid)


def connect_with_events(stack: Stack, events: int) -> Partner:
    """Give Ada's connection with generated events waiting to be read."""
    Google(stack, ADA).seed(events)
    return connect(stack, ADA)


def _get(partner: Partner, path: str) -> Exchange:
    return "GET", path, {"Authorization": f"Bearer {partner.access}"}, None


def _is_up(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code > 0
    except requests.RequestException:
        return False
