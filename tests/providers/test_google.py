"""Google Calendar against the sandbox: the contract, and what it says of calendars."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.wrappers import Response

from broker.clock import FixedClock
from broker.domain import AccessMode
from broker.http import Http
from broker.logins import AuthorizationAttempt, Authorized, OAuthCredential, PasswordCredential
from broker.providers.base import OAuthProvider, PasswordProvider, PushProvider
from broker.providers.google import Google, GoogleClient
from broker.settings import GoogleSettings
from sandbox.google import CLIENT_ID, CLIENT_SECRET, create_app
from sandbox.google.model import Calendar, ListEntry
from tests.made_once import signing_key
from tests.providers.contract import ProviderContract, Trouble
from tests.wsgi_adapter import WsgiAdapter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
HOST = "https://google.test"
ENDPOINTS = {
    "authorize": f"{HOST}/o/oauth2/v2/auth",
    "token": f"{HOST}/token",
    "revoke": f"{HOST}/revoke",
    "jwks": f"{HOST}/oauth2/v3/certs",
    "calendar": f"{HOST}/calendar/v3",
}
SETTINGS = GoogleSettings(CLIENT_ID, CLIENT_SECRET, ENDPOINTS)
VERIFIER = "verifier-" + "v" * 50
GRACE = "grace@calbroker.test"
ADA = "ada@calbroker.test"
TEAM = "c_compilers@group.calendar.google.com"
HOLIDAYS = "en.usa#holiday@group.v.calendar.google.com"


def attempt_for(**changed: Any) -> AuthorizationAttempt:
    """Make an authorization attempt."""
    values: dict[str, Any] = {
        "redirect_uri": "http://127.0.0.1:5000/connect/google/callback",
        "state": "state-1",
        "code_verifier": VERIFIER,
        "nonce": "nonce-1",
    }
    return AuthorizationAttempt(**(values | changed))


class World:
    """The sandbox, and a provider whose wire leads there."""

    def __init__(self) -> None:
        self.clock = FixedClock(NOW)
        self.pushed: list[tuple[str, dict[str, str]]] = []
        self.app = create_app(now=self.clock.now, deliver=lambda *sent: self.pushed.append(sent))
        self.app.config["SLEEP"] = lambda seconds: self.clock.advance(seconds=seconds)
        self.state = self.app.extensions["google"]
        self.state.world.signing_key = signing_key()
        self.faults = self.app.extensions["faults"]
        self.instead: Response | None = None
        self.wire = WsgiAdapter(self._answer)
        self.provider = Google(
            Http(self.clock, mounts={f"{HOST}/": self.wire}), self.clock, SETTINGS
        )

    def _answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        answer: WSGIApplication = self.instead or self.app
        return answer(environ, start_response)

    def consent(self, attempt: AuthorizationAttempt, email: str = GRACE, grant: str = "") -> str:
        """Consent without a browser; give the query of the callback's code."""
        url = self.provider.authorization_url(attempt).removeprefix(HOST)
        answer = self.app.test_client().get(f"{url}&_auto={email}{grant}")
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert query["state"] == [attempt.state]
        return query["code"][0]

    def connect(self, email: str = GRACE, mode: AccessMode = AccessMode.FULL) -> Authorized:
        """Connect somebody."""
        attempt = attempt_for(mode=mode)
        return self.provider.exchange(self.consent(attempt, email), attempt)

    def client(self, email: str = GRACE, mode: AccessMode = AccessMode.FULL) -> GoogleClient:
        """Give the client of somebody who has just connected."""
        return self.provider.client(self.connect(email, mode).credential)


class OneCalendar:
    """Grace's empty calendar, and what other devices do to it."""

    calendar_id = "c_empty@group.calendar.google.com"

    def __init__(self, world: World) -> None:
        self.world = world
        state = world.state
        state.world.calendars[self.calendar_id] = Calendar(
            self.calendar_id, "Empty", "America/New_York", GRACE
        )
        state.put_entry(GRACE, ListEntry(self.calendar_id, 0))
        self.handle = state.person(GRACE)

    def add_event(self, summary: str, start: datetime, end: datetime) -> str:
        return self._add(summary=summary, **span(start, end))

    def add_all_day(self, summary: str, day: date) -> str:
        after = day + timedelta(days=1)
        return self._add(
            summary=summary, start={"date": day.isoformat()}, end={"date": after.isoformat()}
        )

    def add_series(self, summary: str, start: datetime, end: datetime, *, count: int) -> str:
        rules = [f"RRULE:FREQ=WEEKLY;COUNT={count}"]
        return self._add(summary=summary, recurrence=rules, **span(start, end))

    def _add(self, **fields: Any) -> str:
        made = self.handle.create_event(self.calendar_id, **fields)
        return str(made["id"])

    def move_event(self, remote_id: str, start: datetime, end: datetime) -> None:
        self.handle.update_event(remote_id, self.calendar_id, **span(start, end))

    def delete_event(self, remote_id: str) -> None:
        self.handle.delete_event(remote_id, self.calendar_id)

    def move_occurrence(
        self, series_id: str, original: datetime, start: datetime, end: datetime
    ) -> None:
        self.move_event(f"{series_id}_{original:%Y%m%dT%H%M%SZ}", start, end)

    def cancel_occurrence(self, series_id: str, original: datetime) -> None:
        self.delete_event(f"{series_id}_{original:%Y%m%dT%H%M%SZ}")

    def forget_cursors(self) -> None:
        self.world.state.expire_sync_tokens()

    def delete_calendar(self) -> None:
        del self.world.state.world.calendars[self.calendar_id]

    def trouble(self, kind: Trouble) -> None:
        self.world.instead = {
            Trouble.REFUSED: refused(401, "authError"),
            Trouble.THROTTLED: refused(429, "rateLimitExceeded", **{"Retry-After": "7"}),
            Trouble.BROKEN: refused(500, "backendError"),
            Trouble.TRUNCATED: data(b'{"items": [', **{"Content-Length": "5000"}),
            Trouble.CUT: data(b'{"items": ['),
            Trouble.FOREIGN: Response("<html>Sign in</html>", 200, content_type="text/html"),
        }[kind]


def span(start: datetime, end: datetime) -> dict[str, dict[str, str]]:
    """Make start and end fields in New York."""
    return {
        name: {"dateTime": at.isoformat(), "timeZone": "America/New_York"}
        for name, at in (("start", start), ("end", end))
    }


def data(content: bytes, **headers: str) -> Response:
    """Answer with JSON, or what claims to be."""
    return Response(content, 200, {"Content-Type": "application/json", **headers})


def refused(status: int, reason: str, **headers: str) -> Response:
    """Answer with Google's error envelope."""
    body = json.dumps({"error": {"code": status, "errors": [{"reason": reason}]}})
    return Response(body, status, {"Content-Type": "application/json", **headers})


@pytest.fixture
def world() -> World:
    return World()


class TestGoogle(ProviderContract):
    """Google keeps the contract."""

    @pytest.fixture
    def provider(self, world: World) -> Google:
        return world.provider

    @pytest.fixture
    def credential(self, world: World) -> OAuthCredential:
        return world.connect().credential

    @pytest.fixture
    def remote(self, world: World) -> OneCalendar:
        return OneCalendar(world)


def test_provider_says_what_it_can_do(world: World) -> None:
    provider = world.provider

    assert isinstance(provider, OAuthProvider)
    assert isinstance(provider, PushProvider)
    assert not isinstance(provider, PasswordProvider)
    assert ("google", "Google Calendar", "google") == (
        provider.slug,
        provider.label,
        provider.provider_name,
    )
    assert provider.window_bound is False


def test_client_needs_an_oauth_credential(world: World) -> None:
    with pytest.raises(TypeError):
        world.provider.client(PasswordCredential("https://x.example", "ann", "secret"))


def test_calendars_list_every_role_and_what_counts(world: World) -> None:
    found = {calendar.remote_id: calendar for calendar in world.client().calendars()}

    assert {GRACE, TEAM, HOLIDAYS, "alan@calbroker.test"} == set(found)
    mine, shared, holidays = found[GRACE], found["alan@calbroker.test"], found[HOLIDAYS]
    assert (True, False, True) == (mine.primary, mine.read_only, mine.counts_as_busy)
    assert ("America/New_York", "#9fe1e7") == (mine.tzid, mine.color)
    assert (False, True, True) == (shared.primary, shared.read_only, shared.counts_as_busy)
    assert (True, False) == (holidays.read_only, holidays.counts_as_busy)


def test_hidden_calendars_and_own_names_are_listed(world: World) -> None:
    entry = world.state.world.lists[GRACE][TEAM]
    entry.hidden, entry.summary_override = True, "My compilers"

    names = {calendar.remote_id: calendar.name for calendar in world.client().calendars()}

    assert "My compilers" == names[TEAM]


def test_calendars_come_in_pages(world: World) -> None:
    for number in range(260):
        calendar_id = f"c_{number}@group.calendar.google.com"
        world.state.world.calendars[calendar_id] = Calendar(calendar_id, "More", "UTC", GRACE)
        world.state.put_entry(GRACE, ListEntry(calendar_id, 0))
    client = world.client()
    world.wire.calls.clear()

    found = client.calendars()

    assert 264 == len(found)
    assert 2 == len(world.wire.calls)


def test_credential_is_not_shown(world: World) -> None:
    credential = world.connect().credential

    assert isinstance(credential, OAuthCredential)
    shown = repr((world.provider, world.provider.client(credential), credential, SETTINGS))
    for secret in (credential.access_token, credential.refresh_token, CLIENT_SECRET):
        assert secret not in shown


def test_client_of_another_provider_is_refused(world: World) -> None:
    class Stranger:
        def calendars(self) -> list[Any]:
            return []

        def changes(self, *args: Any) -> Any:
            return iter(())

    with pytest.raises(TypeError):
        world.provider.close_subscription(Stranger(), subscription_id="s", resource_id="r")
