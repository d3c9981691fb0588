"""Google's id_token: what is believed about whose login it is, and what never is."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from flask import Flask, Response, jsonify
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from broker.clock import FixedClock
from broker.errors import ProtocolError, ProviderUnavailable
from broker.http import Http
from broker.logins import Authorized
from broker.providers.google import Google
from tests.providers.test_google import HOST, NOW, SETTINGS, attempt_for
from tests.wsgi_adapter import WsgiAdapter

KEY = RSAKey.generate_key(2048, {"kid": "key-1"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "key-1"})
NEXT_KEY = RSAKey.generate_key(2048, {"kid": "key-2"})
SCOPE = (
    "openid https://www.googleapis.com/auth/calendar.calendarlist.readonly"
    " https://www.googleapis.com/auth/calendar.events"
)


def claims(**changed: Any) -> dict[str, Any]:
    """Make good claims, with some changed; None takes one out."""
    now_s = int(NOW.timestamp())
    good = {
        "iss": "https://accounts.google.com",
        "aud": SETTINGS.client_id,
        "azp": SETTINGS.client_id,
        "sub": "1234",
        "email": "ann@corp.example",
        "email_verified": True,
        "nonce": "nonce-1",
        "iat": now_s,
        "exp": now_s + 3600,
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def signed(content: dict[str, Any], key: RSAKey = KEY, **header: str) -> str:
    """Sign an id_token."""
    return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, content, key)


class Issuer:
    """A token endpoint and keys under our control."""

    def __init__(self) -> None:
        self.clock = FixedClock(NOW)
        self.id_token: str | None = signed(claims())
        self.keys: list[RSAKey] = [KEY]
        self.keys_status = 200
        self.keys_body: bytes | None = None
        self.cache_control = "public, max-age=600, must-revalidate"
        self.fetched = 0
        app = Flask(__name__)
        app.add_url_rule("/token", view_func=self._token, methods=["POST"])
        app.add_url_rule("/oauth2/v3/certs", view_func=self._certs)
        wire = WsgiAdapter(app)
        self.provider = Google(Http(self.clock, mounts={f"{HOST}/": wire}), self.clock, SETTINGS)

    def _token(self) -> Response:
        answer = {"access_token": "a", "refresh_token": "r", "scope": SCOPE, "expires_in": 3599}
        return jsonify(answer | ({"id_token": self.id_token} if self.id_token else {}))

    def _certs(self) -> Response:
        self.fetched += 1
        answer = jsonify(KeySet(list(self.keys)).as_dict())
        answer.status_code = self.keys_status
        if self.keys_body is not None:
            answer.set_data(self.keys_body)
        answer.headers["Cache-Control"] = self.cache_control
        return answer

    def connect(self) -> Authorized:
        """Exchange a code."""
        return self.provider.exchange("code", attempt_for())


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def test_good_token_is_believed(issuer: Issuer) -> None:
    account = issuer.connect().account

    assert ("1234", "google", "ann@corp.example") == (
        account.subject,
        account.service,
        account.email,
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "accounts.google.com"},
        {"aud": [SETTINGS.client_id]},
        {"exp": int(NOW.timestamp()) - 59},
        {"iat": int(NOW.timestamp()) + 59},
    ],
)
def test_token_within_the_rules_is_believed(issuer: Issuer, changed: dict[str, Any]) -> None:
    issuer.id_token = signed(claims(**changed))

    assert "1234" == issuer.connect().account.subject


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://accounts.google.com.evil.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": ["another-client", SETTINGS.client_id]},
        {"aud": None},
        {"exp": int(NOW.timestamp()) - 61},
        {"exp": None},
        {"exp": "soon"},
        {"iat": int(NOW.timestamp()) + 3600},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ["nonce-1"]},
        {"sub": None},
        {"sub": ""},
        {"sub": 1234},
    ],
)
def test_token_against_the_rules_is_refused(issuer: Issuer, changed: dict[str, Any]) -> None:
    issuer.id_token = signed(claims(**changed))

    with pytest.raises(ProtocolError):
        issuer.connect()


def test_token_of_another_key_is_refused(issuer: Issuer) -> None:
    issuer.id_token = signed(claims(), OTHER_KEY)

    with pytest.raises(ProtocolError) as refused:
        issuer.connect()

    assert "bad_signature" == refused.value.detail


def test_changed_token_is_refused(issuer: Issuer) -> None:
    head, _, signature = signed(claims()).split(".")
    issuer.id_token = f"{head}.{_part(claims(sub='9999'))}.{signature}"

    with pytest.raises(ProtocolError):
        issuer.connect()


def test_unsigned_token_is_refused(issuer: Issuer) -> None:
    issuer.id_token = f"{_part({'alg': 'none', 'kid': 'key-1'})}.{_part(claims())}."

    with pytest.raises(ProtocolError):
        issuer.connect()


def test_token_signed_with_the_public_key_as_a_secret_is_refused(issuer: Issuer) -> None:
    body = f"{_part({'alg': 'HS256', 'kid': 'key-1'})}.{_part(claims())}"
    mark = hmac.digest(KEY.as_pem(private=False), body.encode(), "sha256")
    issuer.id_token = f"{body}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"

    with pytest.raises(ProtocolError):
        issuer.connect()


def test_token_of_another_algorithm_is_refused(issuer: Issuer) -> None:
    issuer.id_token = jwt.encode(
        {"alg": "RS512", "kid": "key-1"}, claims(), KEY, algorithms=["RS512"]
    )

    with pytest.raises(ProtocolError):
        issuer.connect()


@pytest.mark.parametrize("token", [None, "", "a.b", "a.b.c", "ü.ü.ü", "." * 5000])
def test_what_is_no_token_is_refused(issuer: Issuer, token: str | None) -> None:
    issuer.id_token = token

    with pytest.raises(ProtocolError):
        issuer.connect()


def test_keys_are_fetched_once_while_they_are_good(issuer: Issuer) -> None:
    issuer.connect()
    issuer.connect()
    assert 1 == issuer.fetched

    issuer.clock.advance(seconds=601)
    issuer.id_token = signed(claims())
    issuer.connect()

    assert 2 == issuer.fetched


@pytest.mark.parametrize("cache_control", ["no-store", "", "max-age=0"])
def test_keys_that_may_not_be_kept_are_fetched_each_time(
    issuer: Issuer, cache_control: str
) -> None:
    issuer.cache_control = cache_control

    issuer.connect()
    issuer.connect()

    assert 2 == issuer.fetched


def test_new_key_is_fetched_when_it_is_first_seen(issuer: Issuer) -> None:
    issuer.connect()
    issuer.keys = [KEY, NEXT_KEY]
    issuer.id_token = signed(claims(), NEXT_KEY)

    assert "1234" == issuer.connect().account.subject
    assert 2 == issuer.fetched


def test_unknown_key_is_looked_for_once(issuer: Issuer) -> None:
    issuer.id_token = signed(claims(), NEXT_KEY)

    with pytest.raises(ProtocolError):
        issuer.connect()

    assert 2 == issuer.fetched


@pytest.mark.parametrize(
    "keys", [b"", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "RSA"}]}', b"[1]"]
)
def test_keys_that_cannot_be_read_are_the_providers_trouble(issuer: Issuer, keys: bytes) -> None:
    issuer.keys_body = keys

    with pytest.raises(ProviderUnavailable):
        issuer.connect()


def test_keys_that_cannot_be_had_are_the_providers_trouble(issuer: Issuer) -> None:
    issuer.keys_status = 503

    with pytest.raises(ProviderUnavailable):
        issuer.connect()


@pytest.mark.parametrize(
    ("changed", "email", "name"),
    [
        ({"email_verified": False}, None, "1234"),
        ({"email": None}, None, "1234"),
        ({"email": None, "name": "Ann"}, None, "Ann"),
        ({"email": 5}, None, "1234"),
    ],
)
def test_account_is_named_by_what_is_known(
    issuer: Issuer, changed: dict[str, Any], email: str | None, name: str
) -> None:
    issuer.id_token = signed(claims(**changed))

    account = issuer.connect().account

    assert (email, name) == (account.email, account.profile_name)


def test_workspace_account_has_a_service_of_its_own(issuer: Issuer) -> None:
    issuer.id_token = signed(claims(hd="corp.example"))

    assert "gsuite" == issuer.connect().account.service


def test_refused_token_is_not_quoted(issuer: Issuer) -> None:
    issuer.id_token = signed(claims(aud="another-client"))

    with pytest.raises(ProtocolError) as refused:
        issuer.connect()

    assert issuer.id_token not in f"{refused.value!r} {refused.value}"


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
