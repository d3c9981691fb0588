"""Google's OAuth: what is asked, what is believed, and what each refusal costs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from flask import Flask, Response, request

from broker.clock import FixedClock
from broker.crypto import s256_challenge
from broker.domain import AccessMode
from broker.errors import (
    ConfigurationRefused,
    ConnectDenied,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
)
from broker.http import Http
from broker.logins import OAuthCredential
from broker.providers._oauth2 import TokenAnswer
from broker.providers.google import Google
from tests.providers.test_google import (
    ADA,
    GRACE,
    HOST,
    NOW,
    SETTINGS,
    VERIFIER,
    World,
    attempt_for,
)
from tests.wsgi_adapter import WsgiAdapter

AUTH = "https://www.googleapis.com/auth/"
HELD = OAuthCredential("old-access", "1//old-refresh", NOW, frozenset({"openid", "kept"}))
MISCONFIGURED = ["invalid_client", "unauthorized_client", "deleted_client"]


@pytest.fixture
def world() -> World:
    return World()


class Canned:
    """A token endpoint that answers what it is told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.clock = FixedClock(NOW)
        self.status = 200
        self.body: bytes = b"{}"
        self.headers: dict[str, str] = {}
        self.forms: list[dict[str, str]] = []
        app = Flask(__name__)
        app.add_url_rule("/<path:path>", view_func=self.answer, methods=["GET", "POST"])
        wire = WsgiAdapter(app)
        self.provider = Google(Http(self.clock, mounts={f"{HOST}/": wire}), self.clock, SETTINGS)

    def answer(self, path: str) -> Response:
        self.forms.append(dict(parse_qsl(request.get_data(as_text=True))))
        headers = {"Content-Type": "application/json", **self.headers}
        return Response(self.body, self.status, headers)

    def says(self, status: int, body: Any, **headers: str) -> Canned:
        """Set the answer; *body* is JSON unless it is bytes."""
        self.status, self.headers = status, headers
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self


@pytest.fixture
def canned() -> Canned:
    return Canned()


def test_request_asks_for_what_the_mode_needs(world: World) -> None:
    url = world.provider.authorization_url(attempt_for(login_hint=GRACE, locale="fr"))

    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(f"{HOST}/o/oauth2/v2/auth?")
    assert {
        "response_type": "code",
        "client_id": SETTINGS.client_id,
        "redirect_uri": "http://127.0.0.1:5000/connect/google/callback",
        "scope": f"openid email profile {AUTH}calendar.calendarlist.readonly {AUTH}calendar.events",
        "state": "state-1",
        "nonce": "nonce-1",
        "code_challenge": s256_challenge(VERIFIER),
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "select_account consent",
        "login_hint": GRACE,
        "hl": "fr",
    } == query


def test_request_in_free_busy_mode_asks_for_less(world: World) -> None:
    url = world.provider.authorization_url(attempt_for(mode=AccessMode.FREE_BUSY))

    scopes = parse_qs(urlsplit(url).query)["scope"][0].split()
    assert f"{AUTH}calendar.events.freebusy" in scopes
    assert f"{AUTH}calendar.events" not in scopes
    assert "login_hint" not in url


def test_exchange_gives_tokens_and_whose_they_are(world: World) -> None:
    authorized = world.connect(GRACE)

    account, credential = authorized.account, authorized.credential
    assert ("100000000000000000002", "gsuite") == (account.subject, account.service)
    assert (GRACE, GRACE, "Grace Hopper") == (
        account.email,
        account.profile_name,
        account.display_name,
    )
    assert NOW + timedelta(seconds=3599) == credential.expires_at
    assert {"openid", "email", "profile"} < credential.scopes
    assert "google" == world.connect(ADA).account.service


def test_code_works_once(world: World) -> None:
    attempt = attempt_for()
    code = world.consent(attempt)
    world.provider.exchange(code, attempt)

    with pytest.raises(ConnectDenied) as refused:
        world.provider.exchange(code, attempt)

    assert "attempt_over" == refused.value.code


@pytest.mark.parametrize("changed", [{"code_verifier": "w" * 50}, {"nonce": "other"}])
def test_exchange_needs_the_verifier_and_nonce_of_the_request(
    world: World, changed: dict[str, str]
) -> None:
    code = world.consent(attempt_for())

    with pytest.raises((ConnectDenied, ProviderError)):
        world.provider.exchange(code, attempt_for(**changed))


def test_other_redirect_uri_is_our_mistake(world: World) -> None:
    code = world.consent(attempt_for())

    with pytest.raises(ConfigurationRefused):
        world.provider.exchange(code, attempt_for(redirect_uri="http://127.0.0.1:5000/other"))


@pytest.mark.parametrize(
    "ticked", ["", f"{AUTH}calendar.events", f"{AUTH}calendar.events.freebusy"]
)
def test_unticked_box_is_told(world: World, ticked: str) -> None:
    attempt = attempt_for()
    code = world.consent(attempt, grant=f"&_grant={ticked}")

    authorized = world.provider.exchange(code, attempt)

    assert authorized.lacks_scopes
    assert authorized.account.email == GRACE


def test_a_missing_refresh_token_is_empty(world: World) -> None:
    world.faults.set(GRACE, "no_refresh_token", 1)

    authorized = world.connect()

    assert authorized.credential.refresh_token == ""
    assert authorized.credential.access_token
    assert not authorized.lacks_scopes


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (400, {"error": "invalid_grant"}, ConnectDenied, "attempt_over"),
        (400, {"error": "admin_policy_enforced"}, ConnectDenied, "admin_policy_enforced"),
        (403, {"error": "org_internal"}, ConnectDenied, "org_internal"),
        (403, {"error": "access_denied"}, ConnectDenied, "access_denied"),
        (401, {"error": "invalid_client"}, ConfigurationRefused, None),
        (400, {"error": "redirect_uri_mismatch"}, ConfigurationRefused, None),
        (400, {"error": "invalid_scope"}, ConfigurationRefused, None),
        (429, {"error": "rate_limit_exceeded"}, RateLimited, None),
        (500, {"error": "internal_failure"}, ProviderUnavailable, None),
        (500, {"error": "invalid_grant"}, ProviderUnavailable, None),
        (502, b"<html>", ProviderUnavailable, None),
        (400, {"error": ["odd"]}, ProviderUnavailable, None),
        (418, {"error": "surprise"}, ProviderUnavailable, None),
        (200, b'{"access_token": "a", "refr', ProviderUnavailable, None),
        (200, {"refresh_token": "no access"}, ProviderUnavailable, None),
        (302, b"", ProviderUnavailable, None),
    ],
)
def test_refused_exchange(
    canned: Canned, status: int, body: Any, expected: type[Exception], code: str | None
) -> None:
    canned.says(status, body)

    with pytest.raises(expected) as refused:
        canned.provider.exchange("a-code", attempt_for())

    assert code == getattr(refused.value, "code", None)


def test_exchange_sends_what_the_standard_wants(canned: Canned) -> None:
    canned.says(400, {"error": "invalid_grant"})

    with pytest.raises(ConnectDenied):
        canned.provider.exchange("4/0A+&=", attempt_for())

    assert [
        {
            "grant_type": "authorization_code",
            "code": "4/0A+&=",
            "redirect_uri": "http://127.0.0.1:5000/connect/google/callback",
            "code_verifier": VERIFIER,
            "client_id": SETTINGS.client_id,
            "client_secret": SETTINGS.client_secret,
        }
    ] == canned.forms


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("access_denied", "access_denied"),
        ("admin_policy_enforced", "admin_policy_enforced"),
        ("org_internal", "org_internal"),
        ("access_not_configured", "access_not_configured"),
        ("disallowed_useragent", "disallowed_useragent"),
        ("invalid_client", "provider_misconfigured"),
        ("redirect_uri_mismatch", "provider_misconfigured"),
        ("invalid_scope", "provider_misconfigured"),
        ("invalid_request", "provider_misconfigured"),
        ("deleted_client", "provider_misconfigured"),
        ("server_error", "provider_unavailable"),
        ("temporarily_unavailable", "provider_unavailable"),
        ("<script>", "provider_unavailable"),
        ("", "provider_unavailable"),
    ],
)
def test_refusal_of_a_callback_has_a_reason_code(world: World, error: str, code: str) -> None:
    assert code == world.provider.refusal(error)


def test_answer_with_tokens_is_not_shown() -> None:
    assert "ya29" not in repr(TokenAnswer("ya29.access", "1//refresh"))
