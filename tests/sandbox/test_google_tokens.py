"""The token, revoke and user info endpoints of the sandbox's Google."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from sandbox.google import CLIENT_ID, create_app
from sandbox.google.driver import ApiUser, Visitor
from sandbox.google.scopes import EMAIL, PREFIX, PROFILE

ADA, GRACE = "ada@calbroker.test", "grace@calbroker.test"
VERIFIER = "v" * 50


class Clock:
    """A time that moves when told."""

    def __init__(self):
        self.at = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def app(clock):
    return create_app(now=clock)


@pytest.fixture
def visitor(app):
    return Visitor(app)


def test_exchange_answers_as_documented(visitor):
    answer = visitor.exchange(visitor.auto(ADA)["code"])

    assert 200 == answer.status_code
    assert "no-store" in answer.headers["Cache-Control"]
    assert 3599 == answer.json["expires_in"]
    assert {"openid", EMAIL, f"{PREFIX}calendar"} == set(answer.json["scope"].split())
    assert {"access_token", "expires_in", "refresh_token", "scope", "token_type", "id_token"} == (
        set(answer.json)
    )


def test_id_token_is_signed_and_carries_the_nonce(visitor, clock):
    tokens = visitor.tokens(GRACE, "openid email profile", nonce="n-1")
    keys = KeySet.import_key_set(visitor.client.get("/oauth2/v3/certs").json)

    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims

    assert ("https://accounts.google.com", CLIENT_ID, "n-1") == (
        claims["iss"],
        claims["aud"],
        claims["nonce"],
    )
    assert (GRACE, True, "calbroker.test", "Grace Hopper") == (
        claims["email"],
        claims["email_verified"],
        claims["hd"],
        claims["name"],
    )
    assert int(clock().timestamp()) + 3600 == claims["exp"]


def test_without_openid_there_is_no_id_token(visitor):
    assert "id_token" not in visitor.tokens(ADA, f"{PREFIX}calendar.events")


def test_code_works_once_for_ten_minutes(visitor, clock):
    code = visitor.auto(ADA)["code"]
    visitor.exchange(code)
    late = visitor.auto(ADA)["code"]
    clock.at += timedelta(minutes=10)

    for refused in (visitor.exchange(code), visitor.exchange(late), visitor.exchange("nonsense")):
        assert 400 == refused.status_code
        assert "invalid_grant" == refused.json["error"]


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"code": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"client_id": ""}, 400, "invalid_request"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        (
            {"redirect_uri": "http://localhost/connect/google/callback"},
            400,
            "redirect_uri_mismatch",
        ),
        ({"code_verifier": "unasked" * 8}, 400, "invalid_grant"),
    ],
)
def test_bad_exchange_is_refused(visitor, changes, status, error):
    answer = visitor.exchange(visitor.auto(ADA)["code"], **changes)

    assert (status, error) == (answer.status_code, answer.json["error"])


@pytest.mark.parametrize("method", ["S256", "plain"])
def test_verifier_must_fit_the_challenge(visitor, method):
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    hashed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    asked = {
        "code_challenge": hashed if method == "S256" else VERIFIER,
        "code_challenge_method": method,
    }

    good = visitor.exchange(visitor.auto(ADA, **asked)["code"], code_verifier=VERIFIER)
    wrong = visitor.exchange(visitor.auto(ADA, **asked)["code"], code_verifier="w" * 50)
    absent = visitor.exchange(visitor.auto(ADA, **asked)["code"])

    assert [200, 400, 400] == [good.status_code, wrong.status_code, absent.status_code]
    assert "Missing code verifier." == absent.json["error_description"]


def test_refresh_token_comes_first_time_or_when_consent_is_asked(visitor):
    first = visitor.tokens(ADA, prompt=None)
    again = visitor.tokens(ADA, prompt=None)
    asked = visitor.tokens(ADA, prompt="consent")
    online = visitor.tokens(GRACE, access_type=None)

    assert ["refresh_token" in one for one in (first, again, asked, online)] == [
        True,
        False,
        True,
        False,
    ]


def test_refresh_keeps_the_token_and_may_narrow(visitor):
    held = visitor.tokens(ADA)["refresh_token"]

    plain = visitor.refresh(held)
    narrow = visitor.refresh(held, scope="openid")
    wider = visitor.refresh(held, scope="openid profile")

    assert 200 == plain.status_code and "refresh_token" not in plain.json
    assert "openid" == narrow.json["scope"]
    assert (400, "invalid_scope") == (wider.status_code, wider.json["error"])


def test_refresh_token_dies_unused_after_six_months(visitor, clock):
    held = visitor.tokens(ADA)["refresh_token"]
    clock.at += timedelta(days=184)

    answer = visitor.refresh(held)

    assert "Token has been expired or revoked." == answer.json["error_description"]


def test_testing_mode_ends_after_seven_days(app, visitor, clock):
    app.extensions["google"].world.clients[CLIENT_ID].testing = True
    held = visitor.tokens(ADA)["refresh_token"]
    clock.at += timedelta(days=7)

    assert "invalid_grant" == visitor.refresh(held).json["error"]


def test_time_limited_access_says_when_it_ends(app, visitor):
    app.extensions["google"].find_person(ADA).access_lasts_s = 86_400

    assert 86_400 == visitor.tokens(ADA)["refresh_token_expires_in"]


def test_the_oldest_of_more_than_a_hundred_tokens_dies(visitor):
    tokens = [visitor.tokens(ADA, "openid")["refresh_token"] for _ in range(101)]

    assert 400 == visitor.refresh(tokens[0]).status_code
    assert 200 == visitor.refresh(tokens[1]).status_code


def test_revoking_ends_every_token_of_the_person_but_of_nobody_else(app, visitor):
    one, other, grace = visitor.tokens(ADA), visitor.tokens(ADA), visitor.tokens(GRACE)

    answer = visitor.client.post("/revoke", data={"token": one["access_token"]})
    again = visitor.client.post("/revoke", data={"token": one["refresh_token"]})

    assert (200, {}) == (answer.status_code, answer.json)
    assert (400, "invalid_token") == (again.status_code, again.json["error"])
    assert 400 == visitor.refresh(other["refresh_token"]).status_code
    assert 401 == ApiUser(app, other["access_token"]).get("/users/me/calendarList").status_code
    assert 200 == visitor.refresh(grace["refresh_token"]).status_code


def test_user_info_tells_what_the_scopes_allow(visitor):
    def info(token):
        return visitor.client.get("/v1/userinfo", headers={"Authorization": f"Bearer {token}"})

    full = info(visitor.tokens(ADA, f"openid email {PROFILE}")["access_token"])
    bare = info(visitor.tokens(ADA, "openid")["access_token"])

    assert (ADA, "Ada") == (full.json["email"], full.json["given_name"])
    assert ["sub"] == list(bare.json)
    assert 401 == info("nonsense").status_code


def test_discovery_names_addresses_below_the_mount_point(app):
    answer = app.test_client().get(
        "/.well-known/openid-configuration", base_url="http://127.0.0.1:5050/google"
    )

    assert "https://accounts.google.com" == answer.json["issuer"]
    assert "http://127.0.0.1:5050/google/token" == answer.json["token_endpoint"]
    assert (
        "http://127.0.0.1:5050/google/o/oauth2/v2/auth" == (answer.json["authorization_endpoint"])
    )


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ("revoked_grant", 400, "invalid_grant"),
        ("invalid_client", 401, "invalid_client"),
        ("refresh_500", 500, "internal_failure"),
    ],
)
def test_fault_on_refresh_is_counted_and_personal(app, visitor, fault, status, error):
    ada, grace = visitor.tokens(ADA)["refresh_token"], visitor.tokens(GRACE)["refresh_token"]
    app.extensions["faults"].set(ADA, fault, 1)

    assert 200 == visitor.refresh(grace).status_code
    refused = visitor.refresh(ada)
    assert (status, error) == (refused.status_code, refused.json["error"])
    assert 200 == visitor.refresh(ada).status_code


def test_rotation_gives_a_new_token_and_ends_the_old(app, visitor):
    old = visitor.tokens(ADA)["refresh_token"]
    app.extensions["faults"].set(None, "rotate_refresh", 1)

    new = visitor.refresh(old).json["refresh_token"]

    assert 400 == visitor.refresh(old).status_code
    assert 200 == visitor.refresh(new).status_code


def test_faults_can_withhold_scopes_and_refresh_token(app, visitor):
    app.extensions["faults"].set(ADA, "partial_scopes")
    app.extensions["faults"].set(ADA, "no_refresh_token")

    answer = visitor.tokens(ADA)

    assert {"openid", EMAIL} == set(answer["scope"].split())
    assert "refresh_token" not in answer
