"""Who asks: secret in the body, HTTP Basic, or a public client (RFC 6749 section 2.3)."""

from __future__ import annotations

import base64
from datetime import timedelta
from urllib.parse import quote_plus

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from broker.crypto import Vault
from broker.models import transaction
from tests.oauth_server.partner import (
    NOW,
    SECRETS,
    CountingThrottle,
    Partner,
    acts,
    add_secret,
    error_of,
)

SECRET = SECRETS["acme"] or ""


def refresh(
    client: FlaskClient, token: str, authorization: str | None = None, **fields: str
) -> TestResponse:
    """Refresh with a form, as the oauth2 gem does."""
    headers = {"Authorization": authorization} if authorization else {}
    form = {"grant_type": "refresh_token", "refresh_token": token, **fields}
    return client.post("/oauth/token", data=form, headers=headers)


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


@pytest.fixture
def token(acme: Partner) -> str:
    return str(acme.tokens()["refresh_token"])


def test_secret_in_the_body_is_accepted(client: FlaskClient, token: str) -> None:
    answer = refresh(client, token, client_id="client-acme", client_secret=SECRET)

    assert answer.status_code == 200


def test_basic_is_accepted_as_it_is(client: FlaskClient, token: str) -> None:
    assert refresh(client, token, basic("client-acme", SECRET)).status_code == 200


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "Basic "])
def test_scheme_is_read_loosely(client: FlaskClient, token: str, scheme: str) -> None:
    """RFC 9110 section 11.1: schemes are case-insensitive."""
    header = basic("client-acme", SECRET).replace("Basic", scheme)

    assert refresh(client, token, header).status_code == 200


def test_basic_is_accepted_form_encoded(
    client: FlaskClient, token: str, app: Flask, vault: Vault
) -> None:
    """RFC 6749 section 2.3.1 wants it so; a secret with `%` or `+` works both ways."""
    secret = "CRN_100%+sure/of:it"
    with app.app_context(), transaction() as session:
        add_secret(session, vault, "acme", secret)

    plain = refresh(client, token, basic("client-acme", secret))
    encoded = refresh(client, token, basic(quote_plus("client-acme"), quote_plus(secret)))

    assert (200, 200) == (plain.status_code, encoded.status_code)


def test_basic_beside_the_same_client_id_is_one_method(client: FlaskClient, token: str) -> None:
    answer = refresh(client, token, basic("client-acme", SECRET), client_id="client-acme")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "fields", [{"client_secret": SECRET}, {"client_id": "client-rival"}, {"client_secret": "x"}]
)
def test_two_methods_at_once_are_refused(
    client: FlaskClient, token: str, fields: dict[str, str]
) -> None:
    """RFC 6749 section 2.3."""
    answer = refresh(client, token, basic("client-acme", SECRET), **fields)

    assert error_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize("junk", ["Bearer None", "Bearer undefined", "Bearer old", "Digest x", "x"])
def test_other_authorization_headers_are_ignored(
    client: FlaskClient, token: str, junk: str
) -> None:
    answer = refresh(client, token, junk, client_id="client-acme", client_secret=SECRET)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        basic("client-acme", "wrong"),
        basic("client-acme", ""),
        basic("client-acme", SECRET + " "),
        basic("client-acme", SECRET.lower()),
        basic("client-acme", SECRETS["rival"] or ""),
        basic("nobody", SECRET),
        basic("", SECRET),
        basic("client-acme\x00", SECRET),
        basic("client-acme", "x" * 5000),
        "Basic ",
        "Basic ???",
        "Basic " + base64.b64encode(b"client-acme").decode(),
        "Basic " + base64.b64encode(b"client-acme:\xff\xfe").decode(),
    ],
)
def test_bad_basic_credentials_are_refused(client: FlaskClient, token: str, header: str) -> None:
    answer = refresh(client, token, header)

    assert error_of(answer) == (401, "invalid_client")
    assert 'Basic realm="Calbroker", charset="UTF-8"' == answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"client_id": "client-acme"},
        {"client_id": "client-acme", "client_secret": ""},
        {"client_id": "client-acme", "client_secret": "wrong"},
        {"client_id": "client-acme", "client_secret": SECRETS["rival"] or ""},
        {"client_id": "client-acme", "client_secret": SECRET + "x"},
        {"client_id": "client-acme", "client_secret": "ü"},
        {"client_id": "nobody", "client_secret": SECRET},
        {"client_id": "app_acme", "client_secret": SECRET},
        {"client_id": "x" * 100, "client_secret": SECRET},
        {"client_id": "cliënt", "client_secret": SECRET},
        {"client_secret": SECRET},
    ],
)
def test_bad_credentials_in_the_body_are_refused(
    client: FlaskClient, token: str, fields: dict[str, str]
) -> None:
    answer = refresh(client, token, **fields)

    assert error_of(answer) == (401, "invalid_client")
    assert "no-store" == answer.headers["Cache-Control"]


def test_credentials_in_the_address_do_not_count(client: FlaskClient, token: str) -> None:
    """RFC 6749 section 2.3.1: addresses end up in logs."""
    answer = client.post(
        "/oauth/token",
        query_string={"client_id": "client-acme", "client_secret": SECRET},
        data={"grant_type": "refresh_token", "refresh_token": token},
    )

    assert error_of(answer) == (401, "invalid_client")


def test_every_live_secret_works_and_retired_ones_do_not(
    client: FlaskClient, token: str, app: Flask, vault: Vault
) -> None:
    with app.app_context(), transaction() as session:
        add_secret(session, vault, "acme", "CRN_new")
        add_secret(session, vault, "acme", "CRN_retired", retired_at=NOW)

    def status(secret: str) -> int:
        return refresh(client, token, client_id="client-acme", client_secret=secret).status_code

    assert [200, 200, 401] == [status(SECRET), status("CRN_new"), status("CRN_retired")]


def test_public_client_with_a_secret_is_refused(mobile: Partner) -> None:
    token = mobile.tokens()["refresh_token"]

    assert error_of(mobile.refresh(token, client_secret="guess")) == (401, "invalid_client")
    assert mobile.refresh(token, client_secret="").status_code == 200


def test_failures_count_and_then_pause_the_client(
    client: FlaskClient, token: str, throttle: CountingThrottle, app: Flask
) -> None:
    """Security promise A5; what reached the limit is written down once."""
    wrong = {"client_id": "client-acme", "client_secret": "wrong"}

    statuses = [refresh(client, token, **wrong).status_code for _ in range(throttle.limit)]
    paused = refresh(client, token, **wrong)
    again = refresh(client, token, basic("client-acme", "wrong"))

    assert [401] * throttle.limit == statuses
    assert error_of(paused) == error_of(again) == (429, "too_many_requests")
    assert "90" == paused.headers["Retry-After"]
    assert "no-store" == paused.headers["Cache-Control"]
    assert ["oauth.client_paused"] == acts(app)


def test_the_right_secret_works_however_many_were_wrong(
    client: FlaskClient, token: str, throttle: CountingThrottle
) -> None:
    """Whoever knows a client id must not be able to lock its owner out."""
    for _ in range(throttle.limit + 2):
        refresh(client, token, client_id="client-acme", client_secret="wrong")

    answer = refresh(client, token, client_id="client-acme", client_secret=SECRET)

    assert 200 == answer.status_code


def test_success_and_unknown_clients_do_not_count(
    client: FlaskClient, token: str, throttle: CountingThrottle
) -> None:
    refresh(client, token, client_id="client-acme", client_secret=SECRET)
    refresh(client, token, client_id="nobody", client_secret="x")

    assert {} == throttle.failures


def test_waiting_time_is_at_least_a_second(
    client: FlaskClient, token: str, throttle: CountingThrottle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from broker.errors import TooManyRequests

    def refuse(key: str) -> None:
        raise TooManyRequests(timedelta(milliseconds=20))

    monkeypatch.setattr(throttle, "check", refuse)

    answer = refresh(client, token, client_id="client-acme", client_secret="wrong")

    assert (429, "1") == (answer.status_code, answer.headers["Retry-After"])
