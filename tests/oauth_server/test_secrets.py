"""Nothing that works is kept or written anywhere (security promises A6 and A8)."""

from __future__ import annotations

import logging
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from broker.clock import FixedClock
from broker.oauth_server.clients import Client
from broker.oauth_server.tokens import HeldToken
from broker.settings import Settings
from tests.oauth_server.partner import SECRETS, VERIFIER, Partner, answer_of


def whole_life(partner: Partner, clock: FixedClock) -> set[str]:
    """Go through everything once, mistakes included; gives every secret that occurred."""
    code = partner.authorize()
    first = answer_of(partner.exchange(code))
    second = answer_of(partner.refresh(first["refresh_token"]))
    unused = partner.authorize()
    partner.post("/oauth/introspect", token=second["access_token"])
    partner.is_live(second["access_token"])
    partner.exchange(code, code_verifier="short")
    partner.refresh(first["refresh_token"], client_secret="wrong-secret")
    partner.revoke(token=partner.tokens()["access_token"])
    clock.advance(minutes=5)
    partner.refresh(first["refresh_token"])
    replayed = partner.authorize()
    for _ in range(2):
        partner.exchange(replayed)
    given = {code, unused, replayed, VERIFIER, SECRETS["acme"] or "", "wrong-secret"}
    return given | {
        answer[kind] for answer in (first, second) for kind in ("access_token", "refresh_token")
    }


def test_no_secret_is_logged_even_at_debug_level(
    partner: Partner, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("authlib", "sqlalchemy.engine", "broker"):
        caplog.set_level(logging.DEBUG, logger=name)

    secrets = whole_life(partner, clock)

    written = "\n".join(str(vars(record)) for record in caplog.records) + caplog.text
    assert "authlib" in written
    assert [] == [secret for secret in secrets if secret in written]


def test_database_holds_nothing_that_works(
    partner: Partner, clock: FixedClock, settings: Settings, app: Flask
) -> None:
    """Read the files as a thief would, and try every string that could be a token."""
    tokens = partner.tokens()
    partner.refresh(tokens["refresh_token"])
    secrets = whole_life(partner, clock) | {partner.authorize(), *map(str, tokens.values())}
    path = settings.database_url.removeprefix("sqlite:///")

    stored = b""
    for suffix in ("", "-wal"):
        with open(path + suffix, "rb") as file:
            stored += file.read()

    kept = {secret for secret in secrets if len(secret) >= 32 and secret.encode() in stored}
    assert set() == kept
    candidates = set(re.findall(r"(?=([A-Za-z0-9_-]{32}))", stored.decode("latin-1")))
    with app.app_context():
        assert not any(map(partner.server.find_bearer, candidates))


def test_values_do_not_print_secrets() -> None:
    client = Client("app", "id", "Name", "read_write", False, secret_digests=(b"marked",))
    held = HeldToken(b"marked", None, False, wrapped_successor=b"marked")  # type: ignore[arg-type]  # whose it is does not matter

    assert "marked" not in f"{client!r} {held!r}"


def test_tokens_come_in_bodies_only(partner: Partner) -> None:
    answer = partner.exchange(partner.authorize())
    token = answer_of(answer)["access_token"]

    assert not any(token in value for _, value in answer.headers)


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_errors_do_not_echo_what_was_sent(client: FlaskClient, path: str) -> None:
    fields = {name: "marked" for name in ("grant_type", "code", "token", "client_id", "scope")}

    answer = client.post(path, json=fields | {"client_secret": "marked"})

    assert answer.status_code >= 400
    assert b"marked" not in answer.data
