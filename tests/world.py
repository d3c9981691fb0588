"""A whole broker in one process: app, tasks and the sandbox's Google, on a clock held by hand.

Nothing of ours is patched: the wire is a WSGI call, the queue a list, the time a FixedClock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app import create_app
from broker.addresses import AddressPolicy
from broker.clock import FixedClock
from broker.http import Http
from broker.ids import new_key
from broker.models import db
from broker.queues import ListQueue
from broker.services import applications, dispatch, work
from broker.services.runtime import Runtime
from broker.settings import GoogleSettings, Settings
from sandbox import google
from tests.fake_redis import FakeRedis
from tests.made_once import TEMPLATES, share_statements, signing_key
from tests.wsgi_adapter import WsgiAdapter

NOW = datetime(2026, 3, 9, 10, 0, tzinfo=UTC)
GOOGLE = "http://google.test"
BROKER = "http://127.0.0.1:5000"
REDIRECT = "http://127.0.0.1:5050/callback"
OTHER_REDIRECT = "http://127.0.0.1:6000/cb"
SCOPE = "read_account list_calendars read_events read_free_busy"
ADA, GRACE, ALAN = "ada@calbroker.test", "grace@calbroker.test", "alan@calbroker.test"


def make_settings(folder: Path, **changes: Any) -> Settings:
    """Make settings for a broker in *folder*; *changes* replace single fields."""
    fields: dict[str, Any] = {
        "public_url": BROKER,
        "database_url": f"sqlite:///{folder / 'broker.db'}",
        "redis_url": "redis://127.0.0.1:1",
        "secret_key": new_key(),
        "digest_key": new_key(),
        "key_ring": {"k1": new_key()},
        "local": True,
        "google": GoogleSettings(
            google.CLIENT_ID,
            google.CLIENT_SECRET,
            {
                "authorize": f"{GOOGLE}/o/oauth2/v2/auth",
                "token": f"{GOOGLE}/token",
                "revoke": f"{GOOGLE}/revoke",
                "jwks": f"{GOOGLE}/oauth2/v3/certs",
                "calendar": f"{GOOGLE}/calendar/v3",
            },
        ),
        "allowed_hosts": ("dav.test",),
    }
    return Settings(**fields | changes)


@dataclass
class Tokens:
    """What a partner holds after a code exchange."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    sub: str = ""
    answer: dict[str, Any] = field(default_factory=dict, repr=False)
    partner: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The header that speaks for the account."""
        return {"Authorization": f"Bearer {self.access}"}


class Browser(FlaskClient):
    """A browser that reaches the broker by its public address."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        """Send a request, to the public address unless told otherwise."""
        settings: Settings = self.application.extensions["calbroker"].settings
        options.setdefault("base_url", settings.public_url)
        return super().open(*args, **options)


class World:
    """A broker, the outside world it talks to, and the ways people and partners use it."""

    def __init__(
        self,
        folder: Path,
        *,
        mounts: dict[str, Any] | None = None,
        clock: FixedClock | None = None,
        **changes: Any,
    ) -> None:
        self.clock = clock or FixedClock(NOW)
        self.queue = ListQueue()
        self.redis = FakeRedis()
        self.delivered: list[tuple[str, dict[str, str]]] = []
        self.google_app = google.create_app(now=self.clock.now, deliver=self._deliver)
        self.google_app.config["SLEEP"] = lambda seconds: self.clock.advance(seconds=seconds)
        self.state.world.signing_key = signing_key()
        self.google = WsgiAdapter(self.google_app)
        self.settings = make_settings(folder, **changes)
        http = Http(
            self.clock,
            policy=AddressPolicy(self.settings.allowed_hosts, detours=self.settings.detours),
            ca_file=str(self.settings.extra_ca_file) if self.settings.extra_ca_file else None,
            mounts={GOOGLE + "/": self.google, **(mounts or {})},
        )
        self.app: Flask = create_app(
            self.settings, clock=self.clock, http=http, redis=self.redis, queue=self.queue
        )
        self.app.jinja_env.bytecode_cache = TEMPLATES
        self.app.testing = True
        self.app.test_client_class = Browser
        with self.app.app_context():
            db.create_all()
            share_statements(db.engine)
            applications.ensure_local(self.runtime)
        self.own = {
            "client_id": applications.LOCAL_CLIENT_ID,
            "client_secret": applications.LOCAL_SECRET,
            "redirect_uri": REDIRECT,
        }
        if not self.settings.local:
            self.own = self.partner("Acme Scheduling")

    @property
    def runtime(self) -> Runtime:
        """The wired parts of the broker."""
        found: Runtime = self.app.extensions["calbroker"]
        return found

    @property
    def faults(self) -> google.Faults:
        """The switches of the sandbox's Google."""
        found: google.Faults = self.google_app.extensions["faults"]
        return found

    @property
    def state(self) -> google.GoogleState:
        """The sandbox's Google, without HTTP."""
        found: google.GoogleState = self.google_app.extensions["google"]
        return found

    def close(self) -> None:
        """Let go of the database."""
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    def browser(self) -> FlaskClient:
        """Open a browser with no cookies."""
        return self.app.test_client()

    def renew(self, tokens: Tokens) -> Tokens:
        """Refresh an access token as the partner does."""
        answer = self.token(
            grant_type="refresh_token", refresh_token=tokens.refresh, **tokens.partner
        )
        assert answer.status_code == 200, answer.text
        body = answer.get_json()
        return Tokens(
            body["access_token"], body["refresh_token"], body["sub"], body, tokens.partner
        )

    def _deliver(self, address: str, headers: dict[str, str]) -> int:
        """Bring a push message to the broker, as Google's servers would."""
        self.delivered.append((address, dict(headers)))
        path = address.removeprefix(self.settings.public_url)
        answer = self.browser().post(path, headers=headers)
        return answer.status_code

    # -- a person connects

    def authorize(self, browser: FlaskClient, **params: str) -> TestResponse:
        """Open the authorize address as an application sends people there."""
        query = {
            "response_type": "code",
            "client_id": self.own["client_id"],
            "redirect_uri": self.own["redirect_uri"],
            "scope": SCOPE,
            "state": "partner-state",
        }
        return self.begin(browser, "/oauth/authorize?" + urlencode(query | params))

    def begin(self, browser: FlaskClient, address: str) -> TestResponse:
        """Open an address that begins an attempt; a new browser is asked for its cookie first."""
        answer = browser.get(address)
        if answer.headers.get("Location", "").endswith("cookie_check=1"):
            return browser.get(answer.headers["Location"])
        return answer

    def renewing(self, browser: FlaskClient, profile_id: str) -> TestResponse:
        """Open the page that a relink link leads to."""
        return browser.get(self.begin(browser, f"/relink/{profile_id}").headers["Location"])

    def press(self, browser: FlaskClient, page: TestResponse, **fields: str) -> TestResponse:
        """Press the main button of the first form on a page."""
        return browser.post(form_action(page), data={"csrf_token": csrf(page)} | fields)

    def consent(self, url: str, person: str = ADA, **auto: str) -> str:
        """Consent at the sandbox's Google without its pages; gives where it sends the browser."""
        assert url.startswith(GOOGLE)
        query = urlencode({"_auto": person, **auto})
        answer = self.google_app.test_client().get(f"{url.removeprefix(GOOGLE)}&{query}")
        assert answer.status_code in (302, 303), answer.text
        return str(answer.headers["Location"])

    def open(self, browser: FlaskClient, **params: str) -> TestResponse:
        """Open the page that an application sends people to: chooser, or a provider's."""
        opened = self.authorize(browser, **params)
        assert opened.status_code == 303, opened.text
        return browser.get(opened.headers["Location"])

    def leave(self, browser: FlaskClient, **params: str) -> str:
        """Go on to Google; gives the address of its consent page."""
        page = self.open(browser, provider_name="google", **params)
        leaving = self.press(browser, page)
        assert leaving.status_code == 303, leaving.text
        return str(leaving.headers["Location"])

    def arrive(self, browser: FlaskClient, back: str) -> TestResponse:
        """Follow a provider's redirect back to the broker, and on to the page it leads to."""
        answer = browser.get(back.removeprefix(self.settings.public_url))
        if answer.headers.get("Location", "").startswith("/"):
            return browser.get(answer.headers["Location"])
        return answer

    def connect(self, person: str = ADA, **params: str) -> str:
        """Take a person all the way; gives the address back at the application."""
        browser = self.browser()
        back = self.consent(self.leave(browser, **params), person)
        arrived = self.arrive(browser, back)
        assert arrived.status_code == 303, arrived.text
        return str(arrived.headers["Location"])

    def relink(self, profile_id: str, person: str = ADA, **auto: str) -> TestResponse:
        """Follow a relink link in a new browser, all the way; gives the last page."""
        browser = self.browser()
        page = self.renewing(browser, profile_id)
        leaving = self.press(browser, page)
        return self.arrive(browser, self.consent(leaving.headers["Location"], person, **auto))

    def connected(self, person: str = ADA, **params: str) -> Tokens:
        """Take a person all the way and exchange the code."""
        return self.exchange(self.connect(person, **params))

    def exchange(self, uri: str, **fields: str) -> Tokens:
        """Exchange the code of a redirect, as pycronofy does."""
        answer = self.token(grant_type="authorization_code", code=query_of(uri)["code"], **fields)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.get_json()
        return Tokens(body["access_token"], body["refresh_token"], body["sub"], body, fields)

    def revoke(self, tokens: Tokens) -> TestResponse:
        """Revoke a grant at our authorization server (RFC 7009)."""
        body = {**self.own, **tokens.partner, "token": tokens.refresh}
        return self.browser().post("/oauth/token/revoke", json=body)

    def revoke_profile(self, tokens: Tokens) -> TestResponse:
        """Take the account's only profile away."""
        profile_id = self.profile(tokens)["profile_id"]
        headers = self.renew(tokens).headers
        return self.browser().post(f"/v1/profiles/{profile_id}/revoke", headers=headers)

    def token(self, **fields: str) -> TestResponse:
        """Call the token endpoint as our first application, or as *fields* say."""
        return self.browser().post("/oauth/token", json=self.own | fields)

    def get(self, tokens: Tokens, path: str, **params: str) -> TestResponse:
        """Call the API for an account."""
        query = f"?{urlencode(params)}" if params else ""
        return self.browser().get(path + query, headers=tokens.headers)

    def partner(self, name: str = "Other App", scope: str = SCOPE) -> dict[str, str]:
        """Register another application; gives what it adds to authorize and token requests."""
        with self.app.app_context():
            made, secret = applications.create(
                self.runtime, name=name, redirect_uris=[OTHER_REDIRECT], scope=scope
            )
            client_id = made.client_id
        assert secret is not None
        return {"client_id": client_id, "client_secret": secret, "redirect_uri": OTHER_REDIRECT}

    def connected_to(self, partner: dict[str, str], person: str = ADA) -> Tokens:
        """Take a person all the way to another application."""
        asked = {name: partner[name] for name in ("client_id", "redirect_uri")}
        return self.exchange(self.connect(person, **asked), **partner)

    def profile(self, tokens: Tokens) -> dict[str, Any]:
        """Read the account's only profile, with a token that is still good."""
        found: list[dict[str, Any]] = self.get(self.renew(tokens), "/v1/profiles").get_json()[
            "profiles"
        ]
        assert len(found) == 1
        return found[0]

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Read the database past every layer."""
        with self.app.app_context(), db.engine.connect() as connection:
            return list(connection.execute(text(statement), values))

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - our own names

    def calls(self, path: str = "", **options: Any) -> int:
        """Count the requests that the sandbox's Google has answered."""
        return int(self.google_app.extensions["calls"].count(path, **options))

    # -- the background

    def work(self, limit: int = 200) -> int:
        """Run every task that is due, until none is; gives how many that were."""
        for done in range(limit):
            with self.app.app_context():
                due = dispatch.due(self.runtime, limit=1)
                if not due:
                    self.queue.take()
                    return done
                work.run(self.runtime, due[0])
        raise AssertionError(f"more than {limit} tasks: they keep coming back")

    def events(self, tokens: Tokens, **params: str) -> list[dict[str, Any]]:
        """Read every event page of an account."""
        query = {"tzid": "Etc/UTC"} | params
        answer = self.get(tokens, "/v1/events", **query)
        found: list[dict[str, Any]] = []
        while True:
            assert answer.status_code == 200, answer.text
            body = answer.get_json()
            found += body["events"]
            following = body["pages"].get("next_page")
            if following is None:
                return found
            answer = self.get(tokens, urlsplit(following).path)


def query_of(uri: str, *, keep_blank_values: bool = False) -> dict[str, str]:
    """Read the query of an address, each parameter once."""
    values = parse_qs(urlsplit(uri).query, keep_blank_values=keep_blank_values)
    return {name: found[0] for name, found in values.items()}


def csrf(page: TestResponse) -> str:
    """Read the CSRF token of a page."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found, page.text[:2000]
    return found.group(1)


def form_action(page: TestResponse) -> str:
    """Read where the first form of a page leads."""
    found = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    assert found, page.text[:2000]
    return found.group(1).replace("&amp;", "&")


def form_targets(page: TestResponse) -> list[str]:
    """Read from a page's policy where its forms may lead."""
    directives = page.headers["Content-Security-Policy"].split("; ")
    (targets,) = (one.split()[1:] for one in directives if one.startswith("form-action "))
    return targets
