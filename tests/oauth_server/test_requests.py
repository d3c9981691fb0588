"""Bodies, methods and headers: what the endpoints read, and how they always answer."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from pycronofy import Client
from werkzeug.test import TestResponse

from broker.oauth_server.linked_profile import LinkedProfile
from broker.oauth_server.server import OAuthServer
from tests.oauth_server.partner import CALLBACK, Partner, answer_of, error_of
from tests.wsgi_adapter import WsgiAdapter

POSTS = ("/oauth/token", "/oauth/token/revoke", "/oauth/revoke", "/oauth/introspect")
METADATA = "/.well-known/oauth-authorization-server"


def send(client: FlaskClient, body: bytes, kind: str, path: str = "/oauth/token") -> TestResponse:
    return client.post(path, data=body, content_type=kind)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nope",
        b"[1]",
        b'["token"]',
        b'"text"',
        b"17",
        b"null",
        b'{"token": {"b": 1}}',
        b'{"token": ["b"]}',
        b'{"client_id": 1.5}',
        b'{"sub": true}',
        b'{"token": "a", "token": "b"}',
        b'{"token": "\\ud800"}',
        b'{"token": "a\\u0000"}',
        b'{"token": "\xff"}',
        b'{"token": "' + b"x" * 5000 + b'"}',
        b"[" * 20_000,
        b'{"a":' * 5_000,
        b"1" * 10_000,
        b"{" + b",".join(b'"%d": "x"' % i for i in range(100)) + b"}",
    ],
)
def test_unreadable_json_is_an_invalid_request(client: FlaskClient, body: bytes, path: str) -> None:
    answer = send(client, body, "application/json; charset=utf-8", path)

    assert error_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b"token=a&token=b",
        b"token=%ff",
        b"token=\xff",
        b"token=a%00",
        b"token=" + b"x" * 5000,
        b"&".join(b"f%d=x" % i for i in range(100)),
    ],
)
def test_unreadable_form_is_an_invalid_request(client: FlaskClient, body: bytes) -> None:
    answer = send(client, body, "application/x-www-form-urlencoded")

    assert error_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "text/json"])
def test_other_bodies_are_an_invalid_request(client: FlaskClient, kind: str) -> None:
    assert error_of(send(client, b"token=x", kind)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", ""), (b"", "text/plain")]
    + [(body, "application/json") for body in (b"", b"[]", b"{}", b" {} ", b"\n")],
)
def test_nothing_in_the_body_is_nothing_wrong_with_it(
    client: FlaskClient, body: bytes, kind: str
) -> None:
    """PHP writes `[]`, pycronofy `{}` and Ruby nothing; only the fields are missing."""
    assert error_of(send(client, body, kind)) == (400, "invalid_request")
    assert error_of(send(client, body, kind, "/oauth/token/revoke")) == (401, "invalid_client")


def test_null_is_not_given(acme: Partner) -> None:
    body = acme.credentials | {"token": None, "sub": "acc_acme"}

    assert acme.http.post("/oauth/token/revoke", json=body).status_code == 200


@pytest.mark.parametrize(
    "held", [True, None, 3600, 1.5, {"a": {"b": 1}}, ["a"], "x" * 5000, "a\u0000", "\ud800"]
)
def test_fields_that_nobody_reads_are_ignored_whatever_they_hold(
    acme: Partner, held: object
) -> None:
    """Node passes on everything its caller had: `expires_in`, say, or a whole profile."""
    refresh = {"grant_type": "refresh_token", "refresh_token": acme.tokens()["refresh_token"]}
    extra: dict[str, Any] = acme.credentials | {"expires_in": held, "request_pii_erasure": held}

    refreshed = acme.http.post("/oauth/token", json=extra | refresh)
    revoked = acme.http.post("/oauth/token/revoke", json=extra | {"sub": "acc_acme"})

    assert (refreshed.status_code, revoked.status_code) == (200, 200), refreshed.json


def test_fields_of_a_form_that_nobody_reads_are_ignored(acme: Partner) -> None:
    form = acme.credentials | {"sub": "acc_acme", "note": "x" * 5000, "other": "a\u0000"}

    assert acme.http.post("/oauth/token/revoke", data=form).status_code == 200


def test_encoding_nonsense_of_csharp_is_ignored(acme: Partner) -> None:
    answer = acme.http.post(
        "/oauth/token",
        json=acme.credentials
        | {"grant_type": "refresh_token", "refresh_token": acme.tokens()["refresh_token"]},
        headers={"Content-Encoding": "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"},
    )

    assert answer.status_code == 200


def test_body_too_large_is_refused_in_json(client: FlaskClient) -> None:
    answer = send(client, b"x" * 40_000, "application/json")

    assert error_of(answer) == (413, "invalid_request")


@pytest.mark.parametrize("grant_type", [None, ""])
def test_missing_grant_type_is_an_invalid_request(acme: Partner, grant_type: str | None) -> None:
    answer = acme.post("/oauth/token", grant_type=grant_type)

    assert error_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize("grant_type", ["password", 'x"y\\z', "grün", "authorization_code "])
def test_other_grant_types_are_unsupported_and_not_echoed(acme: Partner, grant_type: str) -> None:
    answer = acme.post("/oauth/token", grant_type=grant_type)

    assert error_of(answer) == (400, "unsupported_grant_type")
    assert grant_type not in answer_of(answer)["error_description"].replace("'", "").split()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", POSTS)
def test_other_methods_are_refused_in_json(client: FlaskClient, path: str, method: str) -> None:
    answer = client.open(path, method=method)

    assert (405, "POST") == (answer.status_code, answer.headers["Allow"])
    assert answer.content_type == "application/json; charset=utf-8"
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", [*POSTS, METADATA])
def test_final_slash_is_no_redirect(client: FlaskClient, path: str) -> None:
    """A redirect would make HTTP libraries drop the body."""
    for address in (path, path + "/"):
        answer = client.get(address) if path == METADATA else client.post(address)
        assert answer.status_code in (200, 400, 401)


@pytest.mark.parametrize("path", [*POSTS, METADATA])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_every_answer_is_json_that_nobody_keeps(
    client: FlaskClient, path: str, method: str
) -> None:
    """RFC 6749 section 5.1, and security promise A8."""
    answer = client.open(path, method=method)

    assert "no-store" == answer.headers["Cache-Control"]
    assert "no-cache" == answer.headers["Pragma"]
    assert answer.content_type == "application/json; charset=utf-8"


def test_token_answers_are_json_that_nobody_keeps(acme: Partner) -> None:
    answers = [acme.exchange(acme.authorize()), acme.revoke(token="unknown")]

    assert [200, 200] == [answer.status_code for answer in answers]
    assert {"no-store"} == {answer.headers["Cache-Control"] for answer in answers}
    assert "Content-Type" not in answers[1].headers


def test_unexpected_failure_says_nothing(
    acme: Partner, server: OAuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = acme.authorize()

    def fail(profile: LinkedProfile) -> dict[str, str]:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patched:
        patched.setattr(server._server, "_describe_profile", fail)
        failed = acme.exchange(code)
    later = acme.exchange(code)

    assert error_of(failed) == (500, "server_error")
    assert b"secret" not in failed.data
    assert "no-store" == failed.headers["Cache-Control"]
    assert later.status_code == 200


def test_pycronofy_works(acme: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published SDK: JSON only, with `Authorization: Bearer None` beside it."""
    adapter = WsgiAdapter(acme.app)
    monkeypatch.setattr(requests.Session, "get_adapter", lambda session, url: adapter)
    sdk = Client(client_id=acme.client_id, client_secret=acme.secret)
    sdk.user_auth_link(redirect_uri=CALLBACK)

    first = sdk.get_authorization_from_code(acme.authorize())
    second = sdk.refresh_authorization()
    was_live = acme.is_live(second["access_token"])
    sdk.revoke_authorization()

    assert second["refresh_token"] == first["refresh_token"]
    assert was_live
    assert not acme.is_live(second["access_token"])
