"""Requests to the broker and to its peers, each under gunicorn with threads."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import requests

from benchmarks.installation import InProcess
from benchmarks.measure import Caller, Exchange, Load, always, side_by_side
from benchmarks.table import Row, weighed
from broker.services.applications import LOCAL_CLIENT_ID, LOCAL_SECRET
from broker.supervisor import Child, end_group, spawn
from tests.processes.eventually import eventually
from tests.processes.people import ADA, GRACE, Google, Partner, connect
from tests.processes.stack import Stack, free_ports

_EVENTS = "/v1/events"
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


def empty_route() -> AbstractContextManager[Caller]:
    """Run a route that does nothing."""
    return peer("benchmarks.peers.empty_route:app")


@contextmanager
def authlib() -> Iterator[Caller]:
    """Run Authlib's sample server, on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/sample.db"
        app = "benchmarks.peers.authlib_sample:create_app()"
        with peer(app, SAMPLE_DATABASE_URL=url) as caller:
            yield caller


def refreshing(path: str) -> Callable[[Any], Exchange]:
    """Refresh at a peer, whose token is replaced each time."""

    def following(last: Any) -> Exchange:
        token = last["refresh_token"] if last else "first-refresh"
        body = f"grant_type=refresh_token&refresh_token={token}"
        return "POST", path, _FORM, f"{body}&client_id=sample&client_secret=secret"

    return following


def refresh_row(
    stack: Stack,
    partner: Partner,
    database: str,
    *,
    authlib: Caller,
    django: Caller | None = None,
) -> Row:
    """Measure a refresh of our token beside those of others."""
    body = {
        "client_id": LOCAL_CLIENT_ID,
        "client_secret": LOCAL_SECRET,
        "grant_type": "refresh_token",
        "refresh_token": partner.refresh,
    }
    ours = always(("POST", "/oauth/token", _JSON, json.dumps(body)))
    loads = [
        Load(caller_of(stack), ours, 30),
        Load(authlib, refreshing("/oauth/token"), 20),
    ]
    if django:
        loads.append(Load(django, refreshing("/oauth/token/"), 15))
    cost, beside, *others = side_by_side(*loads)
    peers = f"Authlib's sample on SQLite, {beside.median:.2f}"
    for other in others:
        peers += f"; {cost.ratio(other):.2f} of django-oauth-toolkit, {other.median:.2f}"
    return weighed(f"token refresh, {database}", cost, 2.0, beside=beside, peer=peers)


def reading_rows(stack: Stack, ours: InProcess, partner: Partner, empty: Caller) -> list[Row]:
    """Measure the reads: an account, pages of 10,000 events, 90 days of 2,000 blocks."""
    Google(stack, GRACE).seed(5333)
    grace = connect(stack, GRACE)
    ours.drain()
    today = datetime.now(UTC).date()
    span = f"from={today}&to={today + timedelta(days=90)}&tzid=Etc/UTC"
    caller = caller_of(stack)
    nothing, account, anew, again, walk, busy = side_by_side(
        Load(empty, always(("GET", "/", {}, None)), 60),
        Load(caller, always(_get(partner, "/v1/account")), 60),
        Load(caller, _asked_anew(partner), 8),
        Load(caller, always(_get(partner, f"{_EVENTS}?tzid=Etc/UTC")), 8),
        Load(caller, _page_after_page(partner), 8),
        Load(caller, always(_get(grace, f"/v1/free_busy?{span}")), 8),
    )
    route = f"empty Flask route, {nothing.median:.2f}"
    return [
        weighed("authenticated read, /v1/account", account, 1.5, beside=nothing, peer=route),
        weighed("/v1/events, 100 of 10,000, asked for the first time", anew, 8),
        weighed("  the same, asked again", again, 8),
        weighed("  the same, page after page", walk, 8),
        weighed("/v1/free_busy, 90 days, 2,000 events", busy, 10),
    ]


def _asked_anew(partner: Partner) -> Callable[[Any], Exchange]:
    """Ask for all events up to a moment that nobody asked for before: nothing is known of it."""
    last = datetime.now(UTC).replace(microsecond=0, tzinfo=None) + timedelta(days=200)
    moments = (last - timedelta(seconds=passed) for passed in count())
    return lambda _last: _get(partner, f"{_EVENTS}?tzid=Etc/UTC&to={next(moments).isoformat()}Z")


def _page_after_page(partner: Partner) -> Callable[[Any], Exchange]:
    """Walk through all events, and then from the beginning."""

    def following(last: Any) -> Exchange:
        link = last["pages"].get("next_page") if last else None
        return _get(partner, urlsplit(link).path if link else f"{_EVENTS}?tzid=Etc/UTC")

    return following


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
